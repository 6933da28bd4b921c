"""Two runs recorded in turns, until their difference will be known precisely enough.

Recordings come in blocks of four, two of each run in an order drawn by lot. Whatever drifts from one recording to the
next then meets either run alike, and a permutation test within blocks is exact, however recordings depend on each
other: if the runs are the same, an order that was not drawn would have seen the same times (R. A. Fisher, The Design of
Experiments, 1935, chapter 3). When to stop is decided by how the recordings of a block scatter, not by whose they are,
which leaves that test exact too (`statistics.blinded`).

Where the runs differ in the measure by twice the precision that was asked for, nine sessions of ten find it
(benchmarks/ab_error_rate.py).
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from math import log
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from tracer.compare.alike import BY_LENGTH, same_lengths
from tracer.compare.pairs import compare
from tracer.compare.rows import in_order
from tracer.compare.tested import medians
from tracer.document.comparison import Comparison, Turns
from tracer.document.errors import InputError, TracerError, UsageError
from tracer.statistics.blinded import BLOCK, arrangement, half_width

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tracer.document.summary import Summary

RUNS = "AB"
PRECISE, TIME, INTERRUPT, FAILURE = "precise", "time", "interrupt", "failure"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What ends a session.

    Attributes:
        of: the measure that is to be known: a stage, "request", "ttft" or "tpot".
        precision: how well: half the width of its interval, as a share.
        most_s: seconds to spend.
        seed: of the order.
        tolerance: difference to allow for, as a share.
    """

    of: str
    precision: float
    most_s: float
    seed: int
    tolerance: float | None = None


@dataclass(slots=True)
class Session:
    """What was recorded so far.

    Attributes:
        asked: what ends it.
        record: makes recording number N of run A or B. Number 0 warms up and is not compared.
        clock: seconds.
        order: which run each recording is of, block by block; of the last maybe more than was recorded.
        recorded: the recordings, but the first of each run.
        ended: why it ended; "" as long as it has not.
        reason: what failed.
    """

    asked: Asked
    record: Callable[[str, int], Summary]
    clock: Callable[[], float] = time.monotonic
    order: list[str] = field(default_factory=list)
    recorded: list[Summary] = field(default_factory=list)
    ended: str = ""
    reason: str = ""
    _logs: list[float] = field(default_factory=list)
    _began_s: float = 0.0
    _longest_s: float = 0.0

    def run(self, tell: Callable[[str], None]) -> None:
        """Record until it is known, or time is spent; an interrupt and a failure end it too, once there is anything.

        Args:
            tell: is told how far it is.

        Raises:
            TracerError: the first recording of a run failed, or has not what is asked for.
            KeyboardInterrupt: before anything could be compared.
        """
        self._began_s = self.clock()
        self._check([self._timed(run, 0) for run in RUNS])
        try:
            for run in self._turns():
                self._keep(self._timed(run, len(self.recorded) + 1))
                tell(self._so_far())
        except KeyboardInterrupt:
            self.ended = INTERRUPT
        except TracerError as error:
            self.ended, self.reason = FAILURE, str(error)

    def _turns(self) -> Iterator[str]:
        """The run to record next, as long as there is one."""
        random = np.random.default_rng(self.asked.seed)
        while not self._is_known():
            self.order.append(arrangement(random))
            for run in self.order[-1]:
                if self._spent_s() + self._longest_s > self.asked.most_s:
                    self.ended = TIME
                    return
                yield run
        self.ended = PRECISE

    def _timed(self, run: str, number: int) -> Summary:
        began_s = self.clock()
        try:
            made = self.record(run, number)
        except TracerError as error:
            raise type(error)(f"{run}: {error}") from None
        if number:  # the first warm up, and may do more
            self._longest_s = max(self._longest_s, self.clock() - began_s)
        return made

    def _spent_s(self) -> float:
        return self.clock() - self._began_s

    def _check(self, first: list[Summary]) -> None:
        """Refuse what would be found out at the end only.

        Raises:
            InputError: a run has not the measure, or no requests.
            UsageError: the runs' answers are of other lengths.
        """
        of = self.asked.of
        for run, summary in zip(RUNS, first, strict=True):
            known = medians(summary.requests) if summary.requests else {}
            if (of, "") not in known:
                has = (
                    ", ".join(name for name, per in in_order(known) if not per)
                    or "no requests measured without a profiler"
                )
                raise InputError(f"{run}: its recording has no {of}; it has {has} (--of)")
        if of in BY_LENGTH and not same_lengths(first[0].requests, first[1].requests):
            raise UsageError(f"--of {of}: the answers of A and B are of other lengths; --of tpot compares their tokens")

    def _keep(self, summary: Summary) -> None:
        """Keep a recording, and the logarithm of its measure."""
        known = medians(summary.requests) if summary.requests else {}
        if (self.asked.of, "") not in known:
            raise InputError(f"{summary.trace.path}: it has no {self.asked.of}, as those before it had")
        self.recorded.append(summary)
        self._logs.append(log(max(1.0, known[self.asked.of, ""])))

    def expected(self) -> float | None:
        """Half the width of the interval that is to be expected, as a share; see `statistics.blinded`."""
        whole = len(self._logs) // BLOCK
        width = half_width([self._logs[start * BLOCK : (start + 1) * BLOCK] for start in range(whole)])
        return None if width is None else float(np.expm1(width))

    def _is_known(self) -> bool:
        expected = self.expected()
        return expected is not None and expected <= self.asked.precision

    def _so_far(self) -> str:
        expected = self.expected()
        width = "" if expected is None else f", {self.asked.of} to ± {expected:.1%} ({self.asked.precision:.1%} asked)"
        return f"{len(self.recorded)} recordings, {self._spent_s():.0f} s{width}"

    @property
    def _drawn(self) -> str:
        """Which run each recording was of."""
        return "".join(self.order)[: len(self.recorded)]

    @property
    def comparable(self) -> bool:
        """Whether both runs have had a turn."""
        return _balanced(self._drawn) > 0

    def sides(self) -> tuple[list[int], list[int]]:
        """Numbers, from 0 on, of the recordings of either run that are compared.

        A block that was broken off counts as far as both runs had as many turns: of those, too, every order was alike
        likely.
        """
        drawn = self._drawn
        kept = range(_balanced(drawn))
        return [number for number in kept if drawn[number] == "A"], [number for number in kept if drawn[number] == "B"]

    def judged(self) -> Comparison:
        """What the recordings say.

        Raises:
            InputError: both runs have not had a turn.
        """
        first, second = self.sides()
        if not first:
            raise InputError(f"nothing to compare yet: {self.reason or 'give it more time (--max-time)'}")
        found = compare(
            [self.recorded[number] for number in (*first, *second)],
            tolerance=self.asked.tolerance,
            recordings=len(first),
            blocks=[number // BLOCK for number in (*first, *second)],
        )
        return msgspec.structs.replace(found, turns=self._told(self._drawn, len(first)))

    def _told(self, drawn: str, compared: int) -> Turns:
        return Turns(
            of=self.asked.of,
            precision=self.asked.precision,
            expected=self.expected(),
            ended=self.ended,
            order=[drawn[start : start + BLOCK] for start in range(0, len(drawn), BLOCK)],
            compared=compared,
            took_s=round(self._spent_s(), 1),
            seed=self.asked.seed,
            reason=self.reason,
        )


def _balanced(drawn: str) -> int:
    """How many recordings, from the first on, are whole blocks; and of a broken one, as many as are evenly divided."""
    whole = len(drawn) // BLOCK * BLOCK
    return max(
        end for end in range(whole, len(drawn) + 1) if drawn[whole:end].count("A") == drawn[whole:end].count("B")
    )
