"""What is known of drift between the recordings of two runs."""

from __future__ import annotations

from enum import Enum

_TOLD = "cannot be told from a difference between the runs"
KERNELS_BESIDE = "; device times of the same kernels hang on that less, and may be compared"


class Known(Enum):
    """What tells a difference between the runs from one between their recordings; or why nothing does."""

    ALLOWED = "a tolerance was given, or the recordings of each run took turns"
    UNTOLD = (
        "not all recordings say when they were made: if they did not take turns, what drifted meanwhile looks like a "
        "difference between the runs"
    )
    IN_TURNS = "the order was drawn by lot, so it is noise"
    SHARED = "a recording is in both runs, which makes them alike whatever they are"
    ALONE = f"one recording of each run: what changes from one recording to the next {_TOLD}"
    APART = f"the baseline is of another time: what has changed on the machine since {_TOLD}"
    ONE_BY_ONE = f"the recordings did not take turns: what changed from those of one run to those of the other {_TOLD}"

    @property
    def inconclusive(self) -> bool:
        """Whether nothing does."""
        return self in STEPS

    @property
    def next_step(self) -> str:
        """What to do, so that something does; "" where something does."""
        return STEPS.get(self, "")


STEPS = {
    Known.SHARED: "record each run by itself, in turns (tracer ab)",
    Known.ALONE: (
        "allow for it (--tolerance 3%), or record each run several times in turns (tracer ab does; --recordings 5 "
        "takes what was recorded so)"
    ),
    Known.APART: "allow for it (--tolerance 3%), or record both now, in turns (tracer ab)",
    Known.ONE_BY_ONE: "allow for it (--tolerance 3%), or record them in turns (tracer ab)",
}
