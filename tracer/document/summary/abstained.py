"""What was not answered: one shape for it, whoever abstains."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tracer.document.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

# What any trace of somebody else's lacks: programs are told, reports show what there is in its place.
UNMARKED = "nothing in the trace says which stage it is"
UNMEASURED = "the trace holds no pass without a profiler"


# What is not answered of a file whose work is not read at all.
UNREAD = "device work"
# What is not answered where no device op can be joined to a launch.
UNJOINED = "the stages of device ops"
# What is not answered of a stage, as calls were not recorded that it may have made: "all device work of decode".
ALL_WORK = "all device work of "
# What is not answered of a file that has ranges, and no work at all.
UNWORKED = "device, busy and idle time"
# Of a trace that holds none of the work of a device of which it speaks.
UNSEEN = "device time"
# What is not answered of a file that has Python frames alone.
UNHEARD = "what any thread did"
# What is not answered where nothing tells the stages.
UNSTAGED = "stages"
# What is not answered of a trace by itself.
LATENCY = "latency"
# What marks the stages, where they are inferred from what repeats.
MARKS = "marks of the stages"
# What is not answered where clocks of devices are off.
WAITING = "why the device waits"


# What ends the `what` of kernels that a graph replays and nobody knows whose they are.
IN_GRAPHS = "in replayed graphs"


class Abstained(msgspec.Struct, frozen=True, kw_only=True):
    """Something that cannot be answered, because what it rests on was not recorded or cannot be trusted.

    Attributes:
        what: is not answered: "stages", "latency", "roofline of decode", "finding sync-per-token".
        reason: why, with its figures.
        next_step: what to do, so that it can be answered.
    """

    what: str
    reason: str
    next_step: str

    @property
    def because(self) -> str:
        """Why, and what to do, as errors and gates say it."""
        return f"{self.reason}; {self.next_step}" if self.next_step else self.reason

    @property
    def unnamed(self) -> str:
        """What to do where nobody can say which ranges are stages, as to `tracer summarize --marker`."""
        steps = self.next_step.split("; ")
        return "; ".join(step.removeprefix("else ") for step in steps if not names_ranges(step))


def names_ranges(step: str) -> bool:
    """Whether somebody is to say which ranges are stages, which `tracer summarize` alone can be told."""
    return "--marker" in step


def require_read(path: str, abstained: Iterable[Abstained]) -> None:
    """Refuse a document of a file whose work is not read: nothing of it may be taken for none.

    Raises:
        InputError: it is one.
    """
    for one in abstained:
        if one.what == UNREAD:
            raise InputError(f"{path}: its work is not read: {one.because}")


def why_unstaged(abstained: Iterable[Abstained]) -> Abstained | None:
    """Why a summary has no stages, what is nearest to the file first; None where it does not say."""
    said = {one.what: one for one in abstained}
    return next((said[what] for what in (UNREAD, UNJOINED, UNWORKED, UNHEARD, UNSTAGED) if what in said), None)


def gathered(*parts: Abstained | Iterable[Abstained] | None) -> list[Abstained]:
    """All of them in their order, each once."""
    found: dict[Abstained, None] = {}
    for part in parts:
        if part is not None:
            found.update(dict.fromkeys((part,) if isinstance(part, Abstained) else part))
    return list(found)
