"""Packages that some models and inputs need beyond our own requirements, and how they are installed."""

from __future__ import annotations

import re

# By the name that is imported: the extra of our own distribution that brings it.
EXTRA = {
    "torchvision": "vision",
    "timm": "vision",
    "sentencepiece": "checkpoint",
    "protobuf": "checkpoint",
    "av": "video",
    "bitsandbytes": "quantised",
    "accelerate": "quantised",
}
# Beyond this a message is a listing.
LONGEST = 500


def install(extra: str) -> str:
    """The command that installs an extra, as our README installs the rest: no index has us yet."""
    return f"pip install '.[{extra}]'"


def in_one_line(error: BaseException) -> str:
    """All that an error says, in one line."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} …"


def missing_package(error: BaseException) -> str | None:
    """What is to be done about a package that an error says is missing, or does not fit; None if it says neither."""
    said = " ".join(str(one) for one in _chain(error))
    if "torchvision::" in said:
        return "needs torchvision, and the one that is installed does not fit torch: install the release made for it"
    for name, extra in EXTRA.items():
        if re.search(rf"\b{name}\b", said, re.IGNORECASE) and re.search(r"requir|No module named|install", said):
            return f"needs {name}, which is missing: {install(extra)}"
    return None


def _chain(error: BaseException | None) -> list[BaseException]:
    """An error and those that it came from."""
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found
