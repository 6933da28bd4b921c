"""The steps of a serving engine, by what its labels say of them."""

from __future__ import annotations

import msgspec

from tracer.document.summary.device import Idle


class BatchGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Requests of one kind in a step; None is what the label does not say.

    Attributes:
        requests: how many.
        tokens: that the step computes for them.
        kv_tokens: tokens of their KV caches that attention reads.
        pairs: pairs of a token and one that causal attention lets it see, itself among them.
    """

    requests: int | None = None
    tokens: int | None = None
    kv_tokens: int | None = None
    pairs: int | None = None


class EngineStep(msgspec.Struct, frozen=True, kw_only=True):
    """One step, in the order of their start.

    Attributes:
        stage: its stage.
        mode: the engine's word for it (`TARGET_VERIFY`); "" where it has none.
        start_ns: of its range, on the trace's clock.
        requests, tokens: in all; None where the label does not say.
        context: requests whose prompt is processed.
        generation: requests that get their next tokens.
        device_time_ns, busy_ns, idle_ns: of its work, without its parts that are stages of their own; None
            where some of it was not recorded, as is attention_ns.
        attention_ns: of that device time what attention's kernels took.
    """

    stage: str
    mode: str
    start_ns: int
    requests: int | None
    tokens: int | None
    context: BatchGroup
    generation: BatchGroup
    device_time_ns: int | None
    busy_ns: int | None
    idle_ns: int | None
    attention_ns: int | None


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """A count over steps: the lowest, the median and the highest."""

    low: int
    median: float
    high: int


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What the steps of a stage held; None is what none of their labels says.

    Attributes:
        stage: its name.
        steps: how many.
        prompts, prompt_tokens: requests whose prompt was processed, and its tokens.
        sequences, new_tokens: requests that decoded, and the tokens computed for them.
        kv_tokens: of all caches that attention read.
        tokens: computed in all.
        ns_per_token: device time of a token, over all steps that say how many they computed.
    """

    stage: str
    steps: int
    prompts: Spread | None
    prompt_tokens: Spread | None
    sequences: Spread | None
    new_tokens: Spread | None
    kv_tokens: Spread | None
    tokens: Spread | None
    ns_per_token: float | None


class Phase(msgspec.Struct, frozen=True, kw_only=True):
    """A phase of the steps that the engine has ranges for.

    Attributes:
        name: the range's.
        count: how many.
        cpu_ns: on the host.
        ops, device_time_ns: launched inside; the time is None where some of that was not recorded, both where no op of
            the trace has a launch.
    """

    name: str
    count: int
    cpu_ns: int
    ops: int | None
    device_time_ns: int | None


class Attention(msgspec.Struct, frozen=True, kw_only=True):
    """Attention of one stage's steps under the device's roof, on average over its steps whose labels have the sums.

    The work is that of causal attention over whole caches in every layer, so it is an upper bound where layers have a
    window: 4 x heads x size operations a pair, and keys and values of the caches, queries and results once each.

    Attributes:
        stage: its name.
        steps: how many count.
        layers, heads, kv_heads, head_size, dtype: of the recorded operators; heads are those of one rank.
        flops, bytes: of a step.
        time_ns: of attention's kernels in a step.
        intensity: operations per byte.
        tflops, gbs: at most, while they ran.
        mfu, mbu: those as a share of peak; None without one, or where they are more than all of it (`error` says so).
        bound: "compute" or "memory": which of the two takes longer at peak.
        error: why there is no share of a peak; "" where there is.
    """

    stage: str
    steps: int
    layers: int
    heads: int
    kv_heads: int
    head_size: int
    dtype: str
    flops: int
    bytes: int
    time_ns: int
    intensity: float
    tflops: float
    gbs: float
    mfu: float | None
    mbu: float | None
    bound: str | None
    error: str = ""


class IdleBetweenSteps(msgspec.Struct, frozen=True, kw_only=True):
    """Idle time of devices in gaps that no one step lies on both sides of.

    Attributes:
        gaps: how many.
        idle: by cause, as far as a step was open or the next op was asked for.
        longest_ns: the longest of them.
        of_ns: busy and idle time of the devices, without what is between requests.
    """

    gaps: int
    idle: Idle
    longest_ns: int
    of_ns: int


class SteadyPart(msgspec.Struct, frozen=True, kw_only=True):
    """The steady part of a recording, which all other figures are of.

    Attributes:
        batch: sequences that are sustained.
        steps: in it.
        before, after: steps that were left out, as ramp-up and ramp-down.
        ops_left_out, time_left_out_ns: device ops that were, and their time.
        rule: what counts as steady, in words.
    """

    batch: int
    steps: int
    before: int
    after: int
    ops_left_out: int
    time_left_out_ns: int
    rule: str


class Serving(msgspec.Struct, frozen=True, kw_only=True):
    """What the labels of a serving engine say.

    Attributes:
        steps: one by one.
        held: by stage.
        phases: those with ranges of their own, the most device time first.
        attention: by stage; empty where the labels have no sums or the model's heads are not recorded.
        no_attention: why it is empty; "" where it is not, or nothing could tell.
        between: None where the device never idled between steps.
        steady: None where all steps count.
    """

    steps: list[EngineStep]
    held: list[Held]
    phases: list[Phase] = []
    attention: list[Attention] = []
    no_attention: str = ""
    between: IdleBetweenSteps | None = None
    steady: SteadyPart | None = None
