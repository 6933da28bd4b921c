"""When to record: a schedule in requests, and a window of decode steps inside a request."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Schedule:
    """torch.profiler's schedule, counted in requests."""

    wait: int
    warmup: int
    active: int
    repeat: int

    @property
    def cycle(self) -> int:
        """Requests in one cycle."""
        return self.wait + self.warmup + self.active

    @property
    def requests(self) -> int:
        """Requests in the whole pass."""
        return self.repeat * self.cycle

    @property
    def recorded(self) -> list[int]:
        """The numbers of the requests that are recorded."""
        return [request for request in range(self.requests) if request % self.cycle >= self.wait + self.warmup]

    def turn(self, request: int) -> int:
        """How many requests are recorded before this one; requests that warm up prepare for the next that is."""
        before, place = divmod(request, self.cycle)
        return before * self.active + max(0, place - self.wait - self.warmup)


@dataclass(frozen=True, slots=True)
class DecodeWindow:
    """Decode steps to record: start <= step < stop."""

    start: int
    stop: int

    def cuts(self, steps: int) -> tuple[int, ...]:
        """The steps before which recording is switched, in a request of `steps` decode steps."""
        begins = () if self.start <= 1 else (1, self.start)
        return tuple(cut for cut in (*begins, self.stop) if cut <= steps)
