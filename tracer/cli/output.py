"""What may reach the terminal: no name from a file can steer it.

Names are spelled out where reports are made. What is written past those (an error that names a file, a library's
warning that names a tensor) meets the streams, which let through the codes that rich and progress bars use, and no
others.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable

# Control characters but tab, line feed and carriage return; those that turn the direction of writing, hide or join;
# halves of pairs, which stand for the bytes of a file name that is no text.
_UNSAFE = (
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    r"\U000e0000-\U000e0fff\ud800-\udfff]"
)
# Colours; and, where bars are drawn, what they move by: erase a line, go up, hide and show the cursor.
_COLOUR = r"\x1b\[[0-9;]{0,40}m"
_MOVE = r"\x1b\[(?:[0-2]?K|[0-9]{0,3}A|\?25[lh])"
# By which rich and typer colour what goes into a file.
COLOURS_FORCED = ("FORCE_COLOR", "TTY_COMPATIBLE", "PY_COLORS", "GITHUB_ACTIONS")
_PIPED = re.compile(_UNSAFE)
_STDOUT = re.compile(f"({_COLOUR})|{_UNSAFE}")
_STDERR = re.compile(f"({_COLOUR}|{_MOVE})|{_UNSAFE}")


def spelled_out(text: str) -> str:
    """Every character that could steer a terminal as its number; within JSON's strings that means the same."""
    return _PIPED.sub(_number, text)


def _number(match: re.Match[str]) -> str:
    if match.lastindex:
        return match[0]
    units = match[0].encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[place : place + 4]}" for place in range(0, len(units), 4))


def for_output(*, terminal: bool) -> Callable[[str], str]:
    """What makes a text safe for standard output: colours pass on a terminal, or where they are forced."""
    return _passing(_STDOUT if terminal or _forced() else _PIPED)


def for_errors(*, terminal: bool) -> Callable[[str], str]:
    """The same for standard error, where bars are drawn too."""
    return _passing(_STDERR if terminal or _forced() else _PIPED)


def _passing(pattern: re.Pattern[str]) -> Callable[[str], str]:
    return lambda text: pattern.sub(_number, text)


def _forced() -> bool:
    return any(os.environ.get(name) for name in COLOURS_FORCED)
