"""What `tracer ab` is given behind `--`: the two runs that it records in turns."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracer.document.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

BETWEEN = "--"
AUTO = "--auto"
# Where the recordings go is not theirs to say.
OURS = ("--output", "-o", "--force", "-f", "--help", "-h", "--nsys")
VERIFYING = ("--verify", "--no-verify")
USAGE = "write tracer ab -- OPTIONS OF A -- OPTIONS OF B, options of tracer record or a script"


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two runs.

    Attributes:
        options: of `tracer record`.
        command: a script of somebody's own; empty where a model is recorded.
    """

    options: tuple[str, ...]
    command: tuple[str, ...] = ()

    def arguments(self, output: Path, *, first: bool) -> list[str]:
        """What `tracer record` is told.

        Args:
            output: the file to write.
            first: whether this is the first recording, which also proves that the stages are the model.
        """
        verified = first or self.command or any(one in self.options for one in VERIFYING)
        more = [] if verified else ["--no-verify"]
        behind = [BETWEEN, *self.command] if self.command else []
        return [*self.options, *more, "--output", str(output), "--force", *behind]


def parse_sides(words: Sequence[str]) -> tuple[Side, Side]:
    """Read `OPTIONS-A -- OPTIONS-B`, or scripts in their place.

    Raises:
        UsageError: it is something else.
    """
    if list(words).count(BETWEEN) != 1:
        raise UsageError(f"ab takes two runs: {USAGE}")
    place = list(words).index(BETWEEN)
    return _side(words[:place], "A"), _side(words[place + 1 :], "B")


def _side(words: Sequence[str], name: str) -> Side:
    auto = [AUTO] if words and words[0] == AUTO else []
    rest = words[len(auto) :]
    if auto and not rest:
        raise UsageError(f"{name}: --auto is for a script: --auto my_infer.py")
    if rest and (auto or not rest[0].startswith("-")):
        python = [sys.executable] if rest[0].endswith(".py") else []
        return Side(tuple(auto), (*python, *rest))
    for word in rest:
        if word.split("=")[0] in OURS:
            raise UsageError(f"{name}: {word.split('=')[0]} is not for one of many recordings; ab keeps them itself")
    return Side(tuple(rest))
