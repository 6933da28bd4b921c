"""Reads a counter again and again on a thread of its own, and keeps when it changed."""

from __future__ import annotations

import threading
import time
from contextlib import AbstractContextManager
from statistics import median
from typing import TYPE_CHECKING

from tracer.recording.energy.joules import Change
from tracer.recording.energy.meter import MeterError

if TYPE_CHECKING:
    from types import TracebackType

    from tracer.document.recorded_energy import DeviceState
    from tracer.recording.energy.meter import Meter

PAUSE_S = 0.003
# Clocks and heat change slowly, and reading them holds up reading the counter.
STATE_NS = 1_000_000_000


class Sampler(AbstractContextManager["Sampler"]):
    """Reads while it is open.

    The thread sleeps or waits for the driver, without Python's lock, nearly all of the time.

    Attributes:
        changes: of the counter, in the order of time; appended to while it is open.
        states: clocks and heat, about once a second.
        error: why reading ended early; "" if it did not.
    """

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tracer energy", daemon=True)
        self._during: tuple[str, int] = ("", 0)
        self._readings_ns: list[int] = []
        self.changes: list[Change] = []
        self.states: list[DeviceState] = []
        self.error = ""

    def during(self, what: str) -> None:
        """What is done from now on."""
        self._during = (what, 0)

    @property
    def reading_ns(self) -> int:
        """What a reading takes: the median."""
        return round(median(self._readings_ns)) if self._readings_ns else 0

    def __enter__(self) -> Sampler:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            self._read()
        except MeterError as error:
            self.error = str(error)
        except Exception as error:  # of a driver's library, on a thread whose end nobody would hear
            self.error = f"{type(error).__name__}: {error}"

    def _read(self) -> None:
        said_ns = time.perf_counter_ns()
        said = self._meter.total_uj()
        state_ns = 0
        while not self._ended.wait(PAUSE_S):
            before_ns = time.perf_counter_ns()
            total = self._meter.total_uj()
            after_ns = time.perf_counter_ns()
            self._readings_ns.append(after_ns - before_ns)
            if total != said:
                self.changes.append(Change(said_ns, after_ns, total))
                if after_ns - state_ns > STATE_NS:  # right behind a change there is time until the next
                    self.states.append(self._meter.state(*self._during))
                    state_ns = after_ns
            said_ns, said = before_ns, total
