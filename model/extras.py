"""Packages that some models and inputs need beyond our own requirements, and how they are installed."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, version

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
# Each of its releases wants one of torch; where pip may, it changes torch, and brings CUDA for a CPU build.
VISION = EXTRA["torchvision"]
# Builds of torch that no index of Python's has end so; where they are, PyTorch's own page says.
INDEX = ", with the --extra-index-url that https://pytorch.org/get-started names for {}"
_BUILD = re.compile(r"[\d.]{1,20}\+(cpu|xpu|cu\d{2,4}|rocm[\d.]{1,9})", re.ASCII)
# Beyond this a message is a listing.
LONGEST = 500


def install(extra: str) -> str:
    """The command that installs an extra, as our README installs the rest: no index has us yet."""
    return f"pip install '.[{extra}]'" + (_beside_torch() if extra == VISION else "")


def fitting() -> str:
    """What to do about a torchvision that was made for another torch, or another build of it."""
    return f"install the release and build made for it: pip install --upgrade torchvision{_beside_torch()}"


def _beside_torch() -> str:
    """What keeps pip from changing torch, and has it find what was built like it."""
    try:
        found = version("torch")
    except PackageNotFoundError:
        return ""
    build = _BUILD.fullmatch(found)
    return f" torch=={found}" + (INDEX.format(build[1]) if build else "")


def in_one_line(error: BaseException) -> str:
    """All that an error says, in one line."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} …"


def missing_package(error: BaseException) -> str | None:
    """What is to be done about a package that an error says is missing, or does not fit; None if it says neither."""
    said = " ".join(str(one) for one in _chain(error))
    if "torchvision::" in said:
        return f"needs torchvision, and the one that is installed does not fit torch: {fitting()}"
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
