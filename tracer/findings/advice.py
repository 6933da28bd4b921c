"""What each finding means: the rule that raises it, and what to do next. Plain text, so that it costs nothing."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Advice:
    """The part of a finding that is the same for every trace.

    Attributes:
        rule: when it is raised.
        reason: why that matters, and how its gain is estimated.
        next_step: what to do first.
    """

    rule: str
    reason: str
    next_step: str


ADVICE: dict[str, Advice] = {
    "bottleneck-stage": Advice(
        rule="the stage with the most device time",
        reason="Work elsewhere cannot gain more than the other stages' share.",
        next_step="look at this stage first",
    ),
    "vision-reencoded": Advice(
        rule="a run of the vision encoder, or its range, inside prefill or decode",
        reason=(
            "The LLM stage was given pictures and encodes them again, so a vision time measured apart counts work that "
            "is thrown away. The gain is the device time of the work launched inside these runs."
        ),
        next_step="encode once and pass event_features to generate",
    ),
    "launch-bound": Advice(
        rule=(
            "more than half of a stage's time on the device is idle with the cause host, and the stage takes more than "
            "twice its busy time without a profiler too, where that was measured; not load and preprocess, whose work "
            "is the host's"
        ),
        reason=(
            "The device has nothing to do because the next kernel has not been launched yet: the host is the limit, "
            "and faster kernels gain nothing. The gain is what a run takes beyond its busy time: an upper bound."
        ),
        next_step="launch less: CUDA graphs or torch.compile(mode='reduce-overhead') over a static cache, or batching",
    ),
    "sync-per-token": Advice(
        rule=(
            "the median decode step makes at least one synchronising call, and the gaps behind them are more than a "
            "fiftieth of decode's time on the device"
        ),
        reason=(
            "The host cannot launch ahead while it waits, so the device runs dry until the next launch. The gain is "
            "the gap before the first op that is launched after each wait; at most, as it holds launch latency too. "
            "Of a trace with stacks the finding names the innermost function around the call that is not a library's, "
            "by the line it begins at, and which library function waits for it."
        ),
        next_step="keep the token on the device (no .item(), no bool() of a tensor); test for stop tokens now and then",
    ),
    "memory-bound": Advice(
        rule=(
            "reading weights and cache at peak bandwidth takes more than half of the stage's busy time, and busy time "
            "more than half of what a run takes"
        ),
        reason=(
            "Arithmetic is nearly free here; bytes are what costs. The gain is what weights of half the size would "
            "save at the bandwidth that was reached."
        ),
        next_step="move fewer bytes: quantised weights, a batch, speculative decoding, a smaller key/value cache",
    ),
    "compute-bound": Advice(
        rule=(
            "the stage's operations at peak take more than half of its busy time, and busy time more than half of "
            "what a run takes"
        ),
        reason="The matrix units are busy; only less arithmetic, or arithmetic in a smaller type, is faster.",
        next_step="compute less: fewer visual tokens, a smaller encoder, 8-bit matrix products",
    ),
    "unfused-elementwise": Advice(
        rule="PyTorch's own elementwise and copying kernels take more than a fifth of a stage's device time",
        reason=(
            "Each of them reads and writes memory for one small operation. The gain is their whole time: what fusing "
            "all of them into their neighbours would save at most."
        ),
        next_step="fuse them: torch.compile, or fused norm, rotary and activation kernels; a static cache copies less",
    ),
    "frames-encoded-one-by-one": Advice(
        rule="a vision stage runs its encoder several times, and idles for more than it is busy",
        reason=(
            "The same kernels are launched once for every frame. In one batch the host launches them once: the "
            "estimate divides what the host takes by the frames and keeps the busy time."
        ),
        next_step="encode all frames in one call (tracer record --batch-frames)",
    ),
    "visual-tokens-dominate-prefill": Advice(
        rule="without the visual tokens, prefill would have less than half of its operations",
        reason="Prefill's work grows with its tokens. The gain is that of half of the visual tokens, while busy.",
        next_step="merge or prune visual tokens before the LLM",
    ),
    "kv-growth": Advice(
        rule=(
            "device time grows with the cache (the 95 % interval of the slope leaves out zero), by more than a "
            "twentieth over the recorded steps"
        ),
        reason="Each step reads all that is cached, and a cache that is concatenated is copied too.",
        next_step="a static or paged cache, an attention kernel made for one query, fewer cached tokens",
    ),
    "slow-first-token": Advice(
        rule=(
            "the first decode step of a request takes more than twice the median step, or vision and prefill of the "
            "first request half as much again as the others'"
        ),
        reason="Something is set up inside the measurement: kernels loaded, tuned or compiled, memory allocated.",
        next_step="warm up longer (tracer record --warmup), or report the first request apart",
    ),
    "profiler-distorts": Advice(
        rule="a stage takes more than 1.1 times as long under the profiler",
        reason="The profiler slows the host; kernel times hold, gaps between kernels do not.",
        next_step="read latencies from the pass without a profiler, and idle times with care",
    ),
    "low-coverage": Advice(
        rule="more than a twentieth of the device time belongs to no stage, although there are stages",
        reason="Shares of stages then miss something.",
        next_step="widen the ranges, or let the profiler start before the work",
    ),
    "same-stream-overlap": Advice(
        rule="ops overlap others on their own stream, late or for more than a thousandth of the device time",
        reason="A stream runs its ops in order: overlaps are dependent launches, or ends that were stamped late.",
        next_step="nothing for dependent launches; --clip-overlaps for late stamps",
    ),
    "token-outliers": Advice(
        rule=(
            "decode steps more than 5 robust standard deviations (1.4826 times the median absolute deviation) and a "
            "tenth above the median step"
        ),
        reason="They make the slow tail that users notice. The gain is what they take beyond the median, added up.",
        next_step="look at the named steps in Perfetto; the cause says on which side of the launch to look",
    ),
    "host-to-device-copies-in-decode": Advice(
        rule="the median decode step copies from the host to the device",
        reason="What a step needs could have been on the device already; each copy is a launch and maybe a wait.",
        next_step="keep masks, positions and token ids on the device",
    ),
    "clock-or-thermal-drift": Advice(
        rule=(
            "the same decode steps take ever longer, or ever shorter, on the device from request to request: the 95 % "
            "interval of the slope leaves out zero, and the change is more than 3 %"
        ),
        reason="The work is the same, so the device's clock is not: power, heat, or another user of the device.",
        next_step="lock the clocks (nvidia-smi -lgc) or let the device warm up before measuring",
    ),
}
