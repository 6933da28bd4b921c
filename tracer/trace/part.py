"""What a part that was cut out of a trace says of the whole: which stages there were, as the whole told them.

Stages may be told by what is not in the part: by the steps beside them, or by Python frames. So they are stated, under
the key `tracerPart` of the trace's metadata, and read again as they were. What is stated comes from a file and is
validated by its types.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from tracer.document.names import ALL_STAGES

KEY = "tracerPart"
MOST_BYTES = 64 << 20
Time = Annotated[int, msgspec.Meta(ge=-(1 << 53), le=(1 << 63) - (1 << 55))]
Index = Annotated[int, msgspec.Meta(ge=-1, le=1 << 53)]


class Place(msgspec.Struct, frozen=True, array_like=True):
    """An interval on a host thread, in nanoseconds of the trace's clock."""

    start_ns: Time
    end_ns: Time
    process: str
    thread: str


class StagePlace(Place, frozen=True, array_like=True):
    """A stage's range; token index and request are -1 where the whole did not say."""

    stage: str
    index: Index
    request: Index
    role: str = ""
    passes: Index = -1
    result: tuple[Index, Index] | None = None


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a trace.

    Attributes:
        of: which part of what, in words.
        markers: whose markers told the stages.
        tokens: whether a decode step is one token; see `StageRanges`.
        stages: their ranges.
        open: start and end of the times in which a stage or a request of the whole was open, near the part.
        encoders: runs of the vision encoder.
        confidence: from 0 to 1, of stages that were inferred.
        engine: whether the stages are steps of a serving engine.
        clocks_off: devices whose clock is off against the host's.
        cut_graphs: launches of graphs of which a part of their ops was recorded.
        whole: launches without an op in the part, of which the whole lost nothing.
    """

    of: str
    markers: str
    tokens: bool
    stages: list[StagePlace]
    open: list[tuple[Time, Time]]
    encoders: list[Place] = []
    confidence: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    engine: bool = False
    clocks_off: list[Annotated[int, msgspec.Meta(ge=-(1 << 62), le=1 << 62)]] = []
    cut_graphs: list[Place] = []
    whole: list[Place] = []


def read(data: bytes | msgspec.Raw) -> Part | str:
    """Read what a part says of itself, or say why that cannot be."""
    if memoryview(data).nbytes > MOST_BYTES:
        return "it says too much"
    try:
        part = msgspec.json.decode(data, type=Part)
    except (ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
        return str(error).partition("\n")[0]
    if any(stage.stage not in ALL_STAGES for stage in part.stages):
        return "it names an unknown stage"
    times = [
        *((one.start_ns, one.end_ns) for one in (*part.stages, *part.encoders, *part.cut_graphs, *part.whole)),
        *part.open,
    ]
    return "a range ends before it begins" if any(end < start for start, end in times) else part


def with_threads(threads: list[tuple[str, str]], part: Part | None) -> list[tuple[str, str]]:
    """The threads of a trace, and those that only what a part states is on."""
    if part is None:
        return threads
    stated = [(one.process, one.thread) for one in (*part.stages, *part.encoders)]
    return list(dict.fromkeys([*threads, *stated]))
