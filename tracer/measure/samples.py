"""Which sample a request of a recording was given, by the schedule that the recording says it kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tracer.document.manifest import Manifest

UNKNOWN = -1
# More requests than any recording has: such a schedule is damage.
MOST = 1 << 31


def sample_of(manifest: Manifest | None, request: int) -> int:
    """Index into the manifest's `samples` of what a request was given; UNKNOWN where nothing tells.

    Samples take turns, and the recorded requests count: those that warm up prepare for the next that is recorded. Where
    a recording had one input for all, that is 0.

    Args:
        manifest: of the recording, if it has one.
        request: its number in the trace; negative if the trace doesn't say.
    """
    if manifest is None or not 0 <= request < MOST:
        return UNKNOWN
    if not manifest.samples:
        return 0 if manifest.shape.prompt_tokens else UNKNOWN
    turn = _turn(manifest, request)
    known = len(manifest.samples)
    if turn is None or turn < known:
        return UNKNOWN if turn is None else turn
    # The samples listed are those that the clean pass came to; only if it came round are they all.
    return turn % known if len(manifest.clean) > known else UNKNOWN


def _turn(manifest: Manifest, request: int) -> int | None:
    """How many requests were recorded before this one."""
    schedule = manifest.options.get("schedule")
    if not isinstance(schedule, dict):
        return None
    numbers = [schedule.get(name) for name in ("wait", "warmup", "active")]
    wait, warmup, active = (number if type(number) is int and 0 <= number < MOST else -1 for number in numbers)
    if min(wait, warmup) < 0 or active < 1:
        return None
    before, place = divmod(request, wait + warmup + active)
    return before * active + max(0, place - wait - warmup)
