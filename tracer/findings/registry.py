"""Which findings there are: every module of this package that has a `FINDING`."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Protocol, cast

import tracer.findings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracer.findings.evidence import Evidence
    from tracer.findings.rule import Found, Rule, Unanswered


class FindingFile(Protocol):
    """What a module of this package has that stands for a finding."""

    FINDING: Rule

    def find(self, evidence: Evidence, /) -> Found | Unanswered | None:
        """Look at a trace; None where there is nothing to say. `Unanswered` where there might be, but nothing tells."""


@cache
def findings() -> Mapping[str, FindingFile]:
    """The findings' modules by id, in the order of their ranks. Nothing heavy is imported."""
    names = [f"{tracer.findings.__name__}.{module.name}" for module in iter_modules(tracer.findings.__path__)]
    modules = [module for module in map(import_module, names) if hasattr(module, "FINDING")]
    files = sorted(
        (cast("FindingFile", module) for module in modules), key=lambda file: (file.FINDING.rank, file.FINDING.id)
    )
    return {file.FINDING.id: file for file in files}
