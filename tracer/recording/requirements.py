"""Which versions of a library our own distribution asks for."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, requires

from packaging.requirements import Requirement

DISTRIBUTION = "vlm-tracer"


def unmet(name: str, found: str) -> str | None:
    """The requirement that this version of a library does not meet, as pip would be given it; None if it does.

    Unknown where we run from a source tree that is not installed: then everything is met.
    """
    try:
        requirements = [Requirement(text) for text in requires(DISTRIBUTION) or []]
    except PackageNotFoundError:
        return None
    for requirement in requirements:
        if requirement.name == name and not requirement.specifier.contains(found, prereleases=True):
            return f"{requirement.name}{requirement.specifier}"
    return None
