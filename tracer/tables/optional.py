"""Libraries that tables take and the rest of tracer does not."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from tracer.document.errors import MissingError

INSTALL = "pip install '.[tables]' in the checkout"
INSTALL_FLEET = "pip install '.[fleet]' in the checkout"


def require(module: str, purpose: str, install: str = INSTALL) -> Any:
    """Import an optional library.

    Raises:
        MissingError: it is not installed; `install` says how it can be.
    """
    try:
        return import_module(module)
    except ImportError:
        raise MissingError(f"{purpose} takes {module}, which is not installed; {install}") from None
