"""The summary document: what `tracer summarize --format json` writes and every report reads.

Schema `tracer.summary/1`. Keys may be added; none changes its meaning without a new schema number. Times are
integer nanoseconds; those of devices are summed over devices.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

SCHEMA = "tracer.summary/1"

# What a saved document may claim: none below 0, and none that a double does not hold exactly (104 days).
Count = Annotated[int, msgspec.Meta(ge=0, le=1 << 53)]


class DeviceRef(msgspec.Struct, frozen=True, kw_only=True):
    """A device that the trace describes or uses.

    Attributes:
        id, name: as the trace has them.
        memory_bandwidth: peak bytes a second, where the trace says it.
        multiprocessors: their number, likewise.
    """

    id: int
    name: str
    memory_bandwidth: int | None = None
    multiprocessors: int | None = None


class TraceInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The file.

    Attributes:
        path: as given.
        format: "chrome" or "nsight".
        producer: what wrote it.
        events: events in the file.
        devices: those that ran something, or all that are described if none did.
        markers: whose ranges gave the stages: "tracer", "vllm", "sglang", "modules", "pattern" or "none".
        warnings: what was read around.
        choices: options that changed the attribution or the times, in words.
    """

    path: str
    format: str
    producer: str
    events: int
    devices: list[DeviceRef]
    markers: str
    warnings: list[str] = []
    choices: list[str] = []


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """First start and last end of all work, on the trace's clock."""

    start_ns: int
    end_ns: int


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """Work that belongs to no stage, for one reason."""

    ops: int = 0
    time_ns: int = 0


class Idle(msgspec.Struct, frozen=True, kw_only=True):
    """Idle time by cause.

    Attributes:
        host_ns: the host had not asked for the next op yet.
        sync_ns: the host was waiting inside a synchronising call instead of asking.
        launch_ns: asked for, not yet running.
        unknown_ns: the next op has no launch record.
    """

    host_ns: int = 0
    sync_ns: int = 0
    launch_ns: int = 0
    unknown_ns: int = 0

    @property
    def total_ns(self) -> int:
        """All causes together."""
        return self.host_ns + self.sync_ns + self.launch_ns + self.unknown_ns


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """What ranges asked of the device.

    Attributes:
        launches: host calls that put work on a device; the replay of a graph is one.
        graphs: graph replays among them.
        kernels: kernels among that work.
        waits: synchronising calls.
        wait_ns: how long those took on the host.
        to_device_bytes, to_host_bytes: copied between host and device.
    """

    launches: int = 0
    graphs: int = 0
    kernels: int = 0
    waits: int = 0
    wait_ns: int = 0
    to_device_bytes: int = 0
    to_host_bytes: int = 0


class Unattributed(msgspec.Struct, frozen=True, kw_only=True):
    """Work that belongs to no stage. `reasons` has "no_launch_record", "outside_ranges", "other_thread"."""

    ops: int
    time_ns: int
    busy_ns: int
    idle_ns: int
    reasons: dict[str, Reason]
    idle: Idle = Idle()


class DeviceTotals(msgspec.Struct, frozen=True, kw_only=True):
    """All work of the trace.

    Attributes:
        kind: "gpu", or "cpu" where the trace has no device ops and operators are charged by self time.
        ops: device ops, or operators.
        time_ns: sum of durations.
        busy_ns: time in which anything ran.
        idle_ns: the rest of each device's window.
        unattributed: the part outside all stages.
        same_stream_overlap_ns: time that ops spent overlapping others on their own stream.
        same_stream_overlaps: how many did.
        categories: time by kernel category; "other" is what no rule knows.
    """

    kind: str
    ops: int
    time_ns: int
    busy_ns: int
    idle_ns: int
    unattributed: Unattributed
    same_stream_overlap_ns: int = 0
    same_stream_overlaps: int = 0
    categories: dict[str, int] = {}


class Kernel(msgspec.Struct, frozen=True, kw_only=True):
    """One kernel (or operator) name."""

    name: str
    count: int
    time_ns: int


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """One stage, all its calls together.

    Attributes:
        stage: its name.
        calls: ranges of it; decode has one per token.
        ops: device ops launched inside.
        device_time_ns: sum of their durations.
        busy_ns: its share of the time in which anything ran.
        idle_ns: idle time that its ops ended.
        idle: the same by cause.
        span_ns: first op's start to last op's end, per request, added up.
        cpu_ns: the ranges themselves, on the host.
        categories: device time by kernel category.
        kernels: by name, most time first.
        counts: launches, waits and copies of its ranges.
    """

    stage: str
    calls: int
    ops: int
    device_time_ns: int
    busy_ns: int
    idle_ns: int
    idle: Idle
    span_ns: int
    cpu_ns: int
    categories: dict[str, int]
    kernels: list[Kernel]
    counts: Counts = Counts()


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """One decode step; `request` is -1 where the trace does not say."""

    request: int
    index: int
    ops: int
    device_time_ns: int
    busy_ns: int
    idle_ns: int
    idle: Idle
    cpu_ns: int
    counts: Counts = Counts()


class Slope(msgspec.Struct, frozen=True, kw_only=True):
    """Nanoseconds per step of something: the median slope over all pairs, and its 95 % interval."""

    ns: float
    low_ns: float
    high_ns: float


class Outlier(msgspec.Struct, frozen=True, kw_only=True):
    """A decode step that takes far longer than the others.

    Attributes:
        request, index: which one.
        time_ns: its busy and idle time, as charged.
        excess_ns: what of that is above the median step.
        cause: the part that grew most: "device" (busy), "host", "sync", "launch" or "unknown" (idle by cause).
    """

    request: int
    index: int
    time_ns: int
    excess_ns: int
    cause: str


class Decoding(msgspec.Struct, frozen=True, kw_only=True):
    """The decode steps beside each other.

    Attributes:
        steps, requests: how many.
        kv_tokens: length of the KV cache before the first and the last of the steps; empty where unknown.
        device_time_ns: of the median step.
        growth: device time per token that the KV cache grows by; None with too few steps.
        drift: device time of the same steps from one request to the next; None with too few requests.
        outliers: steps that stand out, the longest first.
    """

    steps: int
    requests: int
    kv_tokens: list[int]
    device_time_ns: int
    growth: Slope | None
    drift: Slope | None
    outliers: list[Outlier]


class StageRoofline(msgspec.Struct, frozen=True, kw_only=True):
    """One stage under the device's roof; figures of one run of it (one step of decode), on average.

    Attributes:
        stage: its name; "" is the whole trace, where it has no stages.
        runs: how many the trace holds.
        flops: analytic operations.
        bytes: analytic bytes of weights and KV cache; of inputs and outputs where they come from shapes.
        weight_bytes: those of the weights.
        intensity: operations per byte.
        busy_ns: time in which its work ran on the device.
        step_ns: what a run takes: without a profiler where that was measured, else busy and idle in the trace.
        step_source: "clean" or "trace".
        tflops, gbs: achieved while busy.
        mfu, mbu: what peak arithmetic, or peak bandwidth, would take of `step_ns`; None without a peak.
        bound: "compute" or "memory": which of the two takes longer at peak.
        floor_ns: how long that is.
        distance_ns: `step_ns` above the floor.
        limited_by: "host", "sync", "launch" or "unknown" where the device idles for more than half of `step_ns` (the
            main cause in the trace); else the bound where the floor is more than half of `busy_ns`, else "kernels".
            None where the peak is needed and unknown, or too little is `covered`.
        covered: share of the stage's device time that operators with a formula asked for; None where the work is
            the model's own and thus whole.
    """

    stage: str
    runs: int
    flops: int
    bytes: int
    weight_bytes: int
    intensity: float | None
    busy_ns: int
    step_ns: int
    step_source: str
    tflops: float
    gbs: float
    mfu: float | None
    mbu: float | None
    bound: str | None
    floor_ns: int | None
    distance_ns: int | None
    limited_by: str | None
    covered: float | None = None


class VisualToken(msgspec.Struct, frozen=True, kw_only=True):
    """What one visual token costs, inferred from the model's analytic work.

    Attributes:
        count: visual tokens of a request.
        prefill_flops: operations that prefill would save per visual token, if there were none.
        prefill_share: share of prefill's operations that all of them together take.
        prefill_ns: the same share of prefill's busy time, per token.
        kv_bytes: bytes of cache that each decode step reads for it.
        decode_ns: those at peak bandwidth, each step; None without a peak.
    """

    count: int
    prefill_flops: int
    prefill_share: float
    prefill_ns: float | None
    kv_bytes: int
    decode_ns: float | None


class Roofline(msgspec.Struct, frozen=True, kw_only=True):
    """Stages against what the device could do.

    Attributes:
        device, dtype: whose peak it is.
        peak_tflops, peak_gbs: dense arithmetic and memory bandwidth; None if unknown.
        peak_source: a data sheet's address, "measured by tracer calibrate" or the options' names; "" if unknown.
        stages: those whose work is known.
        visual_token: None where the model's work does not say.
        source: what the work is known from: "model" (its own analytic count) or "shapes" (which the profiler recorded).
    """

    device: str
    dtype: str
    peak_tflops: float | None
    peak_gbs: float | None
    peak_source: str
    stages: list[StageRoofline]
    visual_token: VisualToken | None
    source: str = "model"


class RangeRow(msgspec.Struct, frozen=True, kw_only=True):
    """All annotations of one name, with the ops launched inside them on the same thread.

    Attributes:
        name: theirs.
        count: how many there are.
        ops, device_time_ns: launched inside any of them; each op counts once.
        style: "push_pop", or "start_end" for ranges that may end on any thread and so hold nothing.
        projected_ns, kernel_ns: what `nsys stats` says of them (`nvtx_gpu_proj_sum`, `nvtx_kern_sum`): for each the
            span from its first op to its last, and the kernels in it, added up over all; nested ones count again.
    """

    name: str
    count: int
    ops: int
    device_time_ns: int
    style: Literal["push_pop", "start_end"]
    projected_ns: int
    kernel_ns: int


class Percentiles(msgspec.Struct, frozen=True, kw_only=True):
    """Observed values, nearest rank."""

    p50: int
    p90: int
    p99: int


class Statistic(msgspec.Struct, frozen=True, kw_only=True):
    """One measure over requests.

    Attributes:
        of: a stage, "request", "ttft" or "tpot".
        n: requests that have it.
        mean_ns: arithmetic mean.
        p50_ns: the median.
        p95_ns: nearest rank.
        low_ns, high_ns: 95 % bootstrap interval of the mean (BCa, requests drawn anew); None of fewer than three.
    """

    of: str
    n: int
    mean_ns: float
    p50_ns: float
    p95_ns: int
    low_ns: float | None
    high_ns: float | None


class SampleLatency(msgspec.Struct, frozen=True, kw_only=True):
    """The requests that were given one sample.

    Attributes:
        name: of its file or files; untrusted.
        batch_size: sequences.
        frames, visual_tokens, prompt_tokens, new_tokens: of each sequence.
        statistics: over these requests.
    """

    name: str
    batch_size: int
    frames: int
    visual_tokens: int
    prompt_tokens: int
    new_tokens: int
    statistics: list[Statistic]


class RequestLatency(msgspec.Struct, frozen=True, kw_only=True):
    """One request of the pass without a profiler.

    Attributes:
        stages_ns: one run of each stage that is marked; decode is the sum of its steps.
        outside_ns, outside_later_ns: time in no stage, up to the end of prefill and after it.
        decode_ns: the decode steps in order.
        first_step: token index of `decode_ns[0]`.
        sample: index into `latency.samples`, where there are several.
        sample_name: its name; "" where there is one input only.
        batch_size: sequences.
        visual_tokens, prompt_tokens, new_tokens: of each sequence.
    """

    stages_ns: dict[str, Count]
    decode_ns: list[Count]
    first_step: Count
    sample: Count
    sample_name: str
    batch_size: Count
    visual_tokens: Count
    prompt_tokens: Count
    new_tokens: Count
    outside_ns: Count = 0
    outside_later_ns: Count = 0


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """What a user waits for; medians over requests.

    Attributes:
        source: "clean" (no profiler) or "profiled" (from the trace, distorted by the profiler).
        clock: "cuda_event", "host" or "trace".
        requests: how many were measured.
        ttft_ns: request start to the end of prefill's token, load and preprocess included; None where prefill is not
            marked.
        tpot_ns: (end of last token - end of token 0) / (tokens - 1); None with one token.
        itl_ns: the gaps between tokens.
        request_ns: request start to end of the last token.
        tokens_per_s: decoded tokens per second of decoding, over the batch.
        stages_ns: each stage that is marked; decode is the sum of its steps.
        distortion: profiled / clean, per stage.
        statistics: each stage, then request, TTFT and TPOT.
        samples: the same for each sample, where there are several.
        outside_ns: time of the request in no stage, where the code between the stages is somebody's own.
    """

    source: str
    clock: str
    requests: int
    ttft_ns: int | None
    tpot_ns: int | None
    itl_ns: Percentiles | None
    request_ns: int
    tokens_per_s: float | None
    stages_ns: dict[str, int]
    distortion: dict[str, float]
    statistics: list[Statistic] = []
    samples: list[SampleLatency] = []
    outside_ns: int = 0


class Gain(msgspec.Struct, frozen=True, kw_only=True):
    """What heeding a finding would save: an estimate, never a measurement.

    Attributes:
        time_ns: saved.
        of_ns: of this.
        of: what `of_ns` is the time of: "a request", "the trace", or in words.
        basis: how it was estimated.
    """

    time_ns: int
    of_ns: int
    of: str
    basis: str


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something worth knowing, with what it rests on.

    Attributes:
        id: stable name of the rule.
        severity: "info", "warning" or "error".
        message: one sentence with its figures.
        evidence: the figures by name.
        rule: when it is raised.
        next_step: what to do first.
        gain: what that would save, where it can be estimated.
    """

    id: str
    severity: str
    message: str
    evidence: dict[str, Any]
    rule: str = ""
    next_step: str = ""
    gain: Gain | None = None


class StageBudget(msgspec.Struct, frozen=True, kw_only=True):
    """What runs of a stage take.

    Attributes:
        stage: its name.
        runs: in a request where the recording says so, else in the trace; decode has one a step.
        busy_ns: of one run, on average, in the trace.
        step_ns: what a run takes: without a profiler where that was measured, else busy and idle in the trace.
        clean: whether it was.
        fused_ns: of decode, what of `busy_ns` would be left if PyTorch's own small kernels were fused and nothing were
            concatenated, by `tracer.analysis.fusion`; None where nothing ran on a device.
    """

    stage: str
    runs: int
    busy_ns: float
    step_ns: float
    clean: bool
    fused_ns: float | None = None


class StagePrediction(msgspec.Struct, frozen=True, kw_only=True):
    """All runs of a stage, as measured, as predicted, and as measured with the change where it was recorded."""

    stage: str
    now_ns: int
    then_ns: int
    measured_ns: int | None = None


class Prediction(msgspec.Struct, frozen=True, kw_only=True):
    """What `tracer whatif` says.

    Attributes:
        of: "a request" or "the trace".
        source: "clean" if what is now was measured without a profiler, else "trace".
        stages: in their order.
        now_ns, then_ns, measured_ns: all stages together.
        assumptions: what the prediction rests on, one for each change.
    """

    of: str
    source: str
    stages: list[StagePrediction]
    now_ns: int
    then_ns: int
    assumptions: list[str]
    measured_ns: int | None = None


class BreakdownRow(msgspec.Struct, frozen=True, kw_only=True):
    """Device time of one name in one stage; `stage` is "" outside all."""

    stage: str
    name: str
    ops: int
    device_time_ns: int
    busy_ns: int


class Breakdown(msgspec.Struct, frozen=True, kw_only=True):
    """All device time by stage and by something else; the rows add up to it.

    Attributes:
        by: "op", "module", "layer", "kernel", "category" or "stream".
        rows: stage by stage, the most time first.
        by_external_id: ops whose operator is known by its External id alone, as none was open at the launch.
        wrong_external_ids: External ids of ops that name an operator which was not open at the launch.
    """

    by: str
    rows: list[BreakdownRow]
    by_external_id: int = 0
    wrong_external_ids: int = 0


class Summary(msgspec.Struct, frozen=True, kw_only=True, rename={"schema_": "schema"}):
    """The whole document; `requests` are those without a profiler, in their order."""

    schema_: str
    trace: TraceInfo
    window: Window
    device: DeviceTotals
    stages: list[Stage]
    tokens: list[Token]
    ranges: list[RangeRow]
    latency: Latency | None
    findings: list[Finding]
    run: dict[str, Any] | None = None
    decoding: Decoding | None = None
    roofline: Roofline | None = None
    breakdown: Breakdown | None = None
    budget: list[StageBudget] = []
    requests: list[RequestLatency] = []


def encode(summary: Summary) -> bytes:
    """The document as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(summary), indent=2) + b"\n"


def decode(data: bytes) -> Summary:
    """Read a saved document.

    Raises:
        msgspec.MsgspecError: it is no summary of this schema.
    """
    summary = msgspec.json.decode(data, type=Summary)
    if summary.schema_ != SCHEMA:
        raise msgspec.ValidationError(f"schema {summary.schema_!r} instead of {SCHEMA!r}")
    return summary
