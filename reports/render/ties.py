"""Figures that stay on one line with their unit."""

from __future__ import annotations

import re

from reports.units import printable

# Stands for a blank at which no line ends. It is not printable, so no text from a file can hold it.
TIE = "\ue000"
_UNIT = re.compile(r"(?<=\d) (?=(?:[nµm]?s|%|[KMG]?B|TFLOP/s|GB/s)(?![\w/]))")


def tied(text: str) -> str:
    """Text that is safe to show, its figures tied to their units."""
    return _UNIT.sub(TIE, printable(text))


def untied(text: str) -> str:
    """The same with plain blanks, once its lines are made."""
    return text.replace(TIE, " ")
