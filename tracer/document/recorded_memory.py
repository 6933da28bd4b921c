"""What a recording says of its device's memory: counters of the allocator, read at the marks of the clean pass."""

from __future__ import annotations

import msgspec

from tracer.document.bounds import Count


class StageBytes(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes on the device in one stage of one request; of a stage that is opened several times, over all of that.

    Attributes:
        stage: its name; "" for what lies in no stage.
        start_bytes, end_bytes: allocated where it first began and where it last ended.
        peak_bytes: the most that was allocated in it; None where nothing tells, as a higher peak of before was not
            forgotten (in scripts, whose own reading of the counters is left alone).
        end_reserved_bytes: what the allocator held of the device where it ended.
        reserved_bytes: the most that it held; None likewise.
    """

    stage: str
    start_bytes: Count
    peak_bytes: Count | None
    end_bytes: Count
    reserved_bytes: Count | None
    end_reserved_bytes: Count = 0


class StepBytes(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes that were asked for and held as a decode step began, without what the allocator rounds up."""

    index: Count
    requested_bytes: Count


class RequestMemory(msgspec.Struct, frozen=True, kw_only=True):
    """The memory of one request.

    Attributes:
        stages: in the order in which they began.
        steps: some decode steps, for how memory grows with each.
        sample: index into the manifest's `samples`.
    """

    stages: list[StageBytes]
    steps: list[StepBytes] = []
    sample: Count = 0


class RecordedMemory(msgspec.Struct, frozen=True, kw_only=True):
    """What the clean pass says of the device's memory.

    Attributes:
        requests: the last one of each sample.
        weight_bytes: of all parameters on the device; None where the model does not show them.
        kv_token_bytes: keys and values of one token of one sequence, by the model's configuration; None where that
            does not tell.
        kv_ahead: whether room for them is allocated before the first request (a static cache).
        outside_bytes: what of the device is in use and not the allocator's: the context, libraries, other processes.
    """

    requests: list[RequestMemory]
    weight_bytes: Count | None = None
    kv_token_bytes: Count | None = None
    kv_ahead: bool = False
    outside_bytes: Count | None = None
