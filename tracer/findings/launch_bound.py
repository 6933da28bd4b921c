"""`launch-bound`: the device waits for the host's launches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tracer.document.names import LOAD, MIXED, PREFILL, PREPROCESS
from tracer.document.words import CLOCK, OTHER_CLOCK, counted, duration, listed, title
from tracer.findings.engines import REPLAY
from tracer.findings.rule import EACH_STAGE, Found, Rule, Saving, Unanswered

if TYPE_CHECKING:
    from tracer.findings.evidence import Evidence
    from tracer.measure.known import KnownStage

IDLE = 0.5
# Their work is the host's: files are read, pictures resized. The device waits for that, and no graph would shorten it.
ON_HOST = (LOAD, PREPROCESS)

LAYERS = {
    "launch_ns": "launching",
    "dispatch_ns": "operators",
    "python_ns": "Python between operators",
    "blocked_ns": "asleep, or held up by other threads, which nothing here removes",
}
# Of these, what a remedy may remove.
REMOVABLE = ("launch_ns", "dispatch_ns", "python_ns")
# What would save time, and which layers each removes.
REMEDIES = {
    "graphs_ns": ("graphs remove launching, operators and Python", REMOVABLE),
    "fusing_ns": ("fusing removes launches", ("launch_ns",)),
    "inference_mode_ns": ("torch.inference_mode and static caches remove operators' work", ("dispatch_ns",)),
}

# Of a stage whose runs replay graphs: another graph removes nothing, what is left lies between two replays.
REPLAYED = (
    "capture the rest of a step too (inputs, sampling): its steps replay CUDA graphs already; or test for stop tokens "
    "now and then, make several steps a replay, or batch"
)

# The same of a serving engine.
REPLAYED_BY_ENGINE = (
    "give the engine more requests a step: its steps replay CUDA graphs already, and what is left lies around a replay "
    "(inputs, sampling)"
)
OF_ENGINE = f"{REPLAY}, or give it more requests a step"
OF_PROMPTS = f"{OF_ENGINE}; steps with prompts are replayed up to so many tokens (vLLM: cudagraph_capture_sizes)"

# Of eager PyTorch beside the slowest host seen, stacks recorded and the interpreter shared, a launch took 0.2 ms, the
# Python and the operators around it included. Who launches once in so long does something else in between.
SPARSE_NS = 1_000_000
NOT_LAUNCHING = (
    "find out what the host does between its launches, which are few ({each} apart), and move it out of the stage: "
    "Perfetto shows where, a recording with stacks names the lines"
)

# Without stages nobody knows which longer gaps are pauses; and what a few gaps show may be anything.
FEWEST_GAPS = 30
WITHOUT_STAGES = "launch less: CUDA graphs or torch.compile(mode='reduce-overhead'), or larger batches"

FINDING = Rule(
    id="launch-bound",
    severity="warning",
    rule=(
        "more than half of a stage's time on the device is idle with the cause host, and the stage takes more than "
        "twice the time in which any device works, without a profiler where that was measured; not load and "
        "preprocess, whose work is the host's, and not what a serving engine's device waits between steps; of a trace "
        "without stages, gaps of less than a millisecond each with that cause are more than half of the devices' time"
    ),
    reason=(
        "The device has nothing to do because the next kernel has not been launched yet: the host is the limit, "
        "and faster kernels gain nothing. The gain is what a run takes beyond its busy time: an upper bound. Where the "
        "host's layers are known, each remedy is held to the layers that it removes, scaled to what a run takes "
        "without the profiler where that was measured: graphs replay without launching, operators and Python; fusing "
        "spares launches; torch.inference_mode and static caches spare operators' work. Where tracer calibrate "
        "measured what a launch costs that host at least, twice that or more is the code's, and less the machine's. "
        "Where the device waits more than a millisecond for each launch, launching is not what it waits for: the host "
        "does something else in between."
    ),
    next_step="launch less: CUDA graphs or torch.compile(mode='reduce-overhead') over a static cache, or batching",
    rests_on=EACH_STAGE,
    rank=60,
)


def find(evidence: Evidence) -> Found | Unanswered | None:
    """Stages in which the device mostly waits for launches; the one that loses most time is named first."""
    if not evidence.on_gpu:
        return None
    if evidence.work.clock_is_off:
        return Unanswered(CLOCK, OTHER_CLOCK)
    if not evidence.stages:
        return _without_stages(evidence)
    shares = {
        stage.stage: _host_share(evidence, stage)
        for stage in evidence.stages
        if stage.ops and stage.stage not in ON_HOST
    }
    bound = [name for name, share in shares.items() if share > IDLE and _idles(evidence, name)]
    if not bound:
        return None
    lost = {name: evidence.times[name].waiting_ns * evidence.times[name].runs for name in bound}
    worst = max(bound, key=lambda name: lost[name])
    others = [name for name in bound if name != worst]
    layers = _layers(evidence, bound)
    awaited = "launches" if _sparse_ns(evidence, worst) is None else "the host"
    idle = f"the device is idle, and nothing asked for, {shares[worst]:.0%} of its time"
    message = f"{title(worst)} waits for {awaited}: {idle}"
    return Found(
        message
        + (f" ({listed([title(name) for name in others])} too)" if others else "")
        + (layers.words if layers else "")
        + _speed(evidence, worst),
        {
            "stages": {
                name: {"host_idle_share": shares[name], "waiting_ns": round(lost[name])} for name in [worst, *others]
            },
            **({"host": layers.host, "saves": layers.saves} if layers else {}),
            **_launching(evidence, bound),
        },
        evidence.saves(sum(lost.values()), "what these stages take beyond their busy time; at most"),
        also=layers.remedies if layers else None,
        instead=_instead(evidence, worst),
    )


def _without_stages(evidence: Evidence) -> Found | Unanswered | None:
    """Whether gaps that are too short for anything but launching are most of all time on the devices."""
    host_ns, gap_ns = evidence.work.host_ns, evidence.work.gap_ns
    waits = (host_ns > 0) & (gap_ns < SPARSE_NS)
    gaps, waiting_ns = int(waits.sum()), int(host_ns[waits].sum())
    window_ns = evidence.device.busy_ns + int(gap_ns.sum())
    if gaps < FEWEST_GAPS or waiting_ns <= IDLE * window_ns:
        return None
    if evidence.lost is not None:  # what was not recorded may have run in them
        return Unanswered(evidence.lost.reason, evidence.lost.next_step)
    share = waiting_ns / window_ns
    return Found(
        f"the device waits for launches: it is idle, and nothing asked for, {share:.0%} of its time, in "
        f"{counted(gaps, 'gap')} of {duration(waiting_ns / gaps)} on average",
        {"host_idle_share": share, "waiting_ns": waiting_ns, "gaps": gaps},
        Saving(
            waiting_ns, of_ns=window_ns, of="the devices' busy and idle time in the trace", basis="all of it; at most"
        ),
        instead=WITHOUT_STAGES,
    )


def _launching(evidence: Evidence, bound: list[str]) -> dict[str, Any]:
    """What a launch takes the host in these stages, and at least."""
    if evidence.launching is None:
        return {}
    rows = {name: row for name in bound if (row := evidence.launching.of(name)) is not None}
    each = {name: {"each_ns": row.each_ns, "slow": row.slow} for name, row in rows.items()}
    return {"launching": {"floor_ns": evidence.launching.floor_ns, "stages": each}}


def _speed(evidence: Evidence, stage: str) -> str:
    """Whether the code is slow or the machine, in words; "" where nothing tells."""
    known = evidence.launching
    row = None if known is None else known.of(stage)
    if known is None or known.floor_ns is None or row is None or row.slow is None:
        return ""
    if row.slow == "machine":
        return f"; a launch takes {duration(row.each_ns)}, near the {duration(known.floor_ns)} that this host needs"
    return f"; the code takes {row.each_ns / known.floor_ns:.0f} times as long for a launch as this host needs"


def _instead(evidence: Evidence, stage: str) -> str | None:
    """What to do in place of the rule's own advice: None where that fits."""
    if (sparse_ns := _sparse_ns(evidence, stage)) is not None:
        return NOT_LAUNCHING.format(each=duration(sparse_ns))
    if _replays(evidence, stage):
        return REPLAYED_BY_ENGINE if evidence.ranges.engine else REPLAYED
    if not evidence.ranges.engine:
        return None
    return OF_PROMPTS if stage in (PREFILL, MIXED) else OF_ENGINE


def _sparse_ns(evidence: Evidence, stage: str) -> float | None:
    """What the device waited for a launch where that is too long for launching; None of engines, who schedule."""
    found = evidence.stage(stage)
    if found is None or evidence.ranges.engine or not found.counts.launches:
        return None
    each_ns = found.idle.host_ns / found.counts.launches
    return each_ns if each_ns > SPARSE_NS else None


def _replays(evidence: Evidence, stage: str) -> bool:
    """Whether each run of a stage replays a graph."""
    found = evidence.stage(stage)
    return found is not None and found.counts.graphs >= found.calls > 0


@dataclass(frozen=True, slots=True)
class _Layers:
    """The host's layers of these stages, in requests as `whole_ns` has them.

    Attributes:
        host: nanoseconds of each layer in each stage, without the profiler where that was measured.
        saves: what each of REMEDIES saves at most.
        words: the layer that costs most, to go on a message with.
        remedies: the same as `saves`, in words; None where none removes anything.
    """

    host: dict[str, dict[str, int]]
    saves: dict[str, int]
    words: str
    remedies: str | None


def _layers(evidence: Evidence, bound: list[str]) -> _Layers | None:
    """None where they are not known of all stages."""
    host, saves, scaled = {}, dict.fromkeys(REMEDIES, 0.0), True
    for name in bound:
        stage, time = evidence.stage(name), evidence.times[name]
        known = None if stage is None else _known(stage)
        if stage is None or known is None:
            return None
        slowed = known[1] if time.clean else None
        scaled = scaled and slowed is not None
        each = {layer: ns / (slowed or 1.0) / stage.runs for layer, ns in known[0].items()}
        host[name] = {layer: round(ns * time.runs) for layer, ns in each.items()}
        for remedy, (_, removed) in REMEDIES.items():
            if _sparse_ns(evidence, name) is not None or (remedy == "graphs_ns" and _replays(evidence, name)):
                continue
            if remedy == "inference_mode_ns" and evidence.ranges.engine:
                continue  # engines run in it
            saves[remedy] += min(sum(each[layer] for layer in removed), time.waiting_ns) * time.runs
    whole = {layer: sum(one.get(layer, 0) for one in host.values()) for layer in LAYERS}
    if not sum(whole.values()):
        return None
    most = max(whole, key=lambda layer: whole[layer])
    share = whole[most] / sum(whole.values())
    profiled = "" if scaled else ", profiler and all"
    gains = "; ".join(f"{REMEDIES[remedy][0]}, up to {duration(ns)}" for remedy, ns in saves.items() if ns)
    also = f"by the host's layers{profiled}: {gains}" if gains else None
    return _Layers(
        host,
        {remedy: round(ns) for remedy, ns in saves.items()},
        f"; of the host's time {share:.0%} is {LAYERS[most]}{profiled}",
        also,
    )


def _known(stage: KnownStage) -> tuple[dict[str, int], float | None] | None:
    """The layers of a stage that something removes, and how much slower the profiler made it."""
    host = stage.host or None
    if host is None or host.dispatch_ns is None or host.python_ns is None:
        return None
    told = {"blocked_ns": host.blocked_ns} if host.blocked_ns else {}
    known = {"launch_ns": host.launch_ns, "dispatch_ns": host.dispatch_ns, "python_ns": host.python_ns}
    return known | told, host.slowed


def _host_share(evidence: Evidence, stage: KnownStage) -> float:
    window_ns = stage.busy_ns + stage.idle_ns
    between = evidence.between_steps
    host_ns = stage.idle.host_ns - (between.host_ns_of(stage.stage) if between is not None else 0)
    return host_ns / window_ns if window_ns else 0.0


def _idles(evidence: Evidence, stage: str) -> bool:
    """Whether more than half of a run is idle, on all of its devices at once."""
    time = evidence.times[stage]
    return time.waiting_ns > IDLE * time.step_ns
