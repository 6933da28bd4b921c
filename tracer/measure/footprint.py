"""What a recording holds of its device's memory, by the counters of the allocator in the pass without a profiler."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tracer.document.summary import Footprint, StageFootprint, StageMemory

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracer.document.manifest import Manifest
    from tracer.document.recorded_memory import RecordedMemory, RequestMemory, StageBytes
    from tracer.document.summary import Stage


def footprint(manifest: Manifest | None) -> Footprint | None:
    """The memory of a recording; None where its device's allocator has no counters."""
    recorded = None if manifest is None else manifest.memory
    requests = [] if recorded is None else [request for request in recorded.requests if request.stages]
    if manifest is None or recorded is None or not requests:
        return None
    largest = max(requests, key=_height)
    known = largest.sample < len(manifest.samples)
    given = manifest.samples[largest.sample] if known else manifest.shape
    # Of code that only marks its stages nobody says how many sequences a request has.
    sequences = max(1, given.batch_size) if given.visual_tokens + given.prompt_tokens else None
    growth = _growth(recorded)
    size = manifest.device.get("memory_bytes")
    return Footprint(
        stages=[_row(rows) for rows in _by_stage(recorded)],
        before_bytes=largest.stages[0].start_bytes,
        weight_bytes=recorded.weight_bytes,
        kv_token_bytes=None if growth is None or sequences is None else growth / sequences,
        kv_token_expected_bytes=recorded.kv_token_bytes,
        kv_ahead=recorded.kv_ahead,
        device_bytes=size if isinstance(size, int) and not isinstance(size, bool) and size > 0 else None,
        outside_bytes=recorded.outside_bytes,
        sequences=sequences,
        tokens=given.visual_tokens + given.prompt_tokens + given.new_tokens,
    )


def _height(request: RequestMemory) -> int:
    return max(stage.peak_bytes or stage.end_bytes for stage in request.stages)


def _by_stage(recorded: RecordedMemory) -> list[list[StageBytes]]:
    """The rows of each stage, over the requests."""
    found: dict[str, list[StageBytes]] = {}
    for request in recorded.requests:
        for stage in request.stages:
            found.setdefault(stage.stage, []).append(stage)
    return list(found.values())


def _row(rows: Sequence[StageBytes]) -> StageFootprint:
    """The request in which the stage's peak was highest."""
    row = max(rows, key=lambda one: one.peak_bytes or 0)
    return StageFootprint(
        stage=row.stage,
        start_bytes=row.start_bytes,
        peak_bytes=row.peak_bytes,
        end_bytes=row.end_bytes,
        reserved_bytes=row.reserved_bytes,
        unused_bytes=max(0, row.end_reserved_bytes - row.end_bytes),
    )


def _growth(recorded: RecordedMemory) -> float | None:
    """By how much a step makes the held memory grow, of the request with the most steps between two readings."""
    spans = [(one.steps[0], one.steps[-1]) for one in recorded.requests if len(one.steps) > 1]
    spans = [(first, last) for first, last in spans if last.index > first.index]
    if not spans:
        return None
    first, last = max(spans, key=lambda span: span[1].index - span[0].index)
    return (last.requested_bytes - first.requested_bytes) / (last.index - first.index)


def with_footprint(stages: Sequence[Stage], found: Footprint | None) -> list[Stage]:
    """Stages with their memory by the counters, where no allocation was recorded."""
    known = {} if found is None else {row.stage: row for row in found.stages if row.peak_bytes is not None}
    return [_stage_with(one, known.get(one.stage)) for one in stages]


def _stage_with(stage: Stage, row: StageFootprint | None) -> Stage:
    if row is None or row.peak_bytes is None or isinstance(stage.memory, StageMemory):
        return stage
    memory = StageMemory(
        start_bytes=row.start_bytes, peak_bytes=row.peak_bytes, end_bytes=row.end_bytes, peak_ns=None, device=None,
        source="clean",
    )  # fmt: skip
    return msgspec.structs.replace(stage, memory=memory)
