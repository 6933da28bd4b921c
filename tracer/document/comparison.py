"""The comparison document: what `tracer compare --format json` writes and every report of it reads.

Schema `tracer.comparison/1`. Keys may be added; none changes its meaning without a new schema number. Times are
nanoseconds, medians over requests unless said otherwise; shares and ratios are plain numbers (0.05 is 5 %).
"""

from __future__ import annotations

import msgspec

from tracer.document.summary.abstained import Abstained

SCHEMA = "tracer.comparison/1"


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One of the files.

    Attributes:
        label: A for the baseline, then B, C, ...
        path: as given; untrusted, as are the names.
        title: model, size, dtype and device of a recording of ours; else "".
        requests: measured without a profiler, one by one; 0 where the file does not have them.
        recordings: files that this run is made of; `path` is the first.
        visual_tokens, prompt_tokens, new_tokens: median over requests, of each sequence; None where unknown.
        warnings: what was read around.
    """

    label: str
    path: str
    title: str
    requests: int
    visual_tokens: float | None
    prompt_tokens: float | None
    new_tokens: float | None
    warnings: list[str] = []
    recordings: int = 1


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One measure of two runs.

    Attributes:
        of: a stage, "request", "ttft" or "tpot".
        per: "" for the whole, or "visual token", "prompt token" (visual and text positions), "output token".
        before_ns, after_ns: of the baseline and of the other; None where it has none.
        delta_ns: after less before.
        ratio: after over before; where samples are shared, of the same sample.
        allowance: the drift between recordings that is allowed for, as a share; None where nothing was tested.
        p: adjusted for all rows; None where nothing was tested.
        verdict: "slower" or "faster" where the difference exceeds allowance and noise; "within noise" where it does not
            and `low_ratio` and `high_ratio` leave no room for one that matters; "cannot tell" where they do, or where
            there is one recording of each run and no tolerance was given; "other lengths" of answers, which are not
            compared; "not tested"; "unknown" where a side lacks the device ops of what it launched; or "one side
            only".
        low_ratio, high_ratio: 95 % interval of `ratio`, of this row by itself (Hodges-Lehmann, without the allowance);
            None where nothing was tested or so few requests leave room for anything.
        before_device_ns, after_device_ns: what the device worked in one run of the stage, by the trace (of TPOT: one
            decode step; sum of its kernels); None where there is none.
        of_host: whether the difference lies with the host: the device did its work in the same time.
    """

    of: str
    per: str
    before_ns: float | None
    after_ns: float | None
    delta_ns: float | None
    ratio: float | None
    allowance: float | None
    p: float | None
    verdict: str
    low_ratio: float | None = None
    high_ratio: float | None = None
    before_device_ns: float | None = None
    after_device_ns: float | None = None
    of_host: bool = False


class RoleRow(msgspec.Struct, frozen=True, kw_only=True):
    """A stage of one of several models: nanoseconds of one call in each trace, busy and idle; None where unknown."""

    role: str
    stage: str
    before_ns: float | None
    after_ns: float | None
    ratio: float | None


# Of rounds of speculative decoding: what is counted, where all else takes time.
ROUND_COUNTS = ("rounds", "drafted tokens", "accepted tokens", "tokens")


class Total(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of two whole traces, where they have no stages, or of their rounds of speculative decoding.

    Attributes:
        of: "ops", "device time", "busy" or "idle"; of traces without device work "operator time". Of
            speculative decoding counts of "rounds", "drafted tokens", "accepted tokens" and "tokens", and what one
            round takes of "drafting", "mapping", "verifying" and "waiting", and "a token".
        before, after: a count, or nanoseconds; None where it is unknown.
        ratio: after over before.
    """

    of: str
    before: int | None
    after: int | None
    ratio: float | None


class Beside(msgspec.Struct, frozen=True, kw_only=True):
    """An energy or a peak of memory of two runs. Each was measured once, so nothing is tested.

    Attributes:
        of: "joules/token", "joules/request", "joules/STAGE" or "peak/STAGE".
        unit: "joules" or "bytes".
        before, after: of either; None where it has none.
        ratio: after over before.
        low_ratio, high_ratio: bounds of it, by those of both energies; None of bytes, which are exact.
    """

    of: str
    unit: str
    before: float | None
    after: float | None
    ratio: float | None
    low_ratio: float | None = None
    high_ratio: float | None = None


class Option(msgspec.Struct, frozen=True, kw_only=True):
    """An option in which two recordings differ; values as text, "" where one has none, untrusted."""

    name: str
    before: str
    after: str


class Steps(msgspec.Struct, frozen=True, kw_only=True):
    """Decode step k beside decode step k.

    Attributes:
        of: "device" (device time in the trace) or "latency" (without a profiler).
        first: token index of the first compared step.
        before_ns, after_ns: each step, median over requests.
        delta_ns: median of the steps' differences.
        ratio: median of the steps' ratios.
        parts_at: token index of the first of three steps in a row that differ the same way by more than
            `beyond`; None where none do.
        beyond: as a share: the tolerance, or three standard deviations of the step-to-step noise if that is more.
        judged: whether it is said at all where they part: of times of the host only where drift between recordings is
            allowed for.
    """

    of: str
    first: int
    before_ns: list[float]
    after_ns: list[float]
    delta_ns: float
    ratio: float | None
    parts_at: int | None
    beyond: float
    judged: bool = True


class KernelUse(msgspec.Struct, frozen=True, kw_only=True):
    """One kernel (or operator) in one stage: runs and device time of one run of the stage (one step of decode)."""

    count: float
    time_ns: float


class KernelChange(msgspec.Struct, frozen=True, kw_only=True):
    """A kernel that differs between two traces; of one profiled pass each, so nothing is tested.

    Attributes:
        stage, name: which; the name is untrusted.
        change: "appeared", "vanished", "slower" or "faster" (per run of the stage; of whole traces, which have no
            stages, per call, and "more often" or "less often" where that is all); "not tested" of a CPU's operator
            whose time differs, as the host's time drifts, unless that is allowed for.
        before, after: its use; None where there is none.
        delta_ns: device time, after less before, per run of the stage; or in the whole traces.
        relaunched: what of its launch is another, of the way that took the most time on either side, where that is
            known: "grid 16x4x1 -> 32x4x1". A reason for its changed time.
    """

    stage: str
    name: str
    change: str
    before: KernelUse | None
    after: KernelUse | None
    delta_ns: float
    relaunched: list[str] = []


class Overlap(msgspec.Struct, frozen=True, kw_only=True):
    """How many decode steps of one run would fit into the prefill of another.

    Attributes:
        prefill_of, steps_of: labels of the runs.
        prefill_ns, step_ns: how long one of each takes.
        steps: whole steps that fit.
    """

    prefill_of: str
    steps_of: str
    prefill_ns: float
    step_ns: float
    steps: int


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """The baseline and one other run.

    Attributes:
        baseline, other: their labels.
        source: "requests" (tested), "medians" (without a profiler, nothing to test) or "trace" (one run of each stage).
        notes: what limits the comparison, in words.
        permutations: of the test; 0 without one.
        shared_samples: whether requests were permuted within the samples that both runs have.
        rows: stage by stage, each followed by what it takes per token; then the request, TTFT and TPOT.
        steps: decode steps by device time and by latency, where both runs have them.
        kernels: those that differ, the largest difference first.
        same_kernels: how many do not.
        overlaps: in both directions.
        recordings: of each run. Where there are several, they and not requests were permuted.
        work: "device" where both traces have device work; "operators" where neither has, and times of steps and kernels
            are those of operators on the CPU; else "mixed".
        totals: of traces without stages, where nothing else is to be compared.
        roles: stages of several models, one by one; empty of one model.
        speculation: rounds of speculative decoding.
        options: those that differ.
        beside: energies and peaks of memory that either has.
        abstained: what is not compared, or not judged, and why.
        inconclusive: whether nothing tells a difference between the runs from drift between their recordings, so that
            none is claimed.
    """

    baseline: str
    other: str
    source: str
    notes: list[str]
    permutations: int
    shared_samples: bool
    rows: list[Row]
    steps: list[Steps]
    kernels: list[KernelChange]
    same_kernels: int
    overlaps: list[Overlap]
    recordings: int = 1
    work: str = "device"
    totals: list[Total] = []
    roles: list[RoleRow] = []
    speculation: list[Total] = []
    options: list[Option] = []
    beside: list[Beside] = []
    abstained: list[Abstained] = []
    inconclusive: bool = False


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """A budget or regression limit, and what was found.

    Attributes:
        gate: as it was given, for example "vision<=5%".
        path: of the run that was held to it; untrusted.
        of: the measure.
        kind: "time" (nanoseconds), "share" (of the request), "energy" (joules) or "regression" (after over before, less
            1).
        value: what was found; None where it cannot be judged.
        limit: what was allowed.
        passed: whether it was kept; a gate that cannot be judged is not.
        reason: why it cannot be judged; of a limit that was kept, of which other measures that cannot be told; else "".
        next_step: what to do, so that it can be; "" likewise.
    """

    gate: str
    path: str
    of: str
    kind: str
    value: float | None
    limit: float
    passed: bool
    reason: str = ""
    next_step: str = ""


class Turns(msgspec.Struct, frozen=True, kw_only=True):
    """How both runs were recorded in turns (`tracer ab`).

    Attributes:
        of: the measure whose interval was to become narrow.
        precision: how narrow: half of its width, as a share.
        expected: half the width that was expected when recording ended, of how recordings of a block scatter, whose
            ever they were; None where there were too few to tell.
        ended: "precise", or because of "time", "interrupt" or "failure".
        order: which run each recording was of, block by block ("ABBA", "BAAB", ...); of the last, what was recorded.
        compared: recordings of each run that were compared; one more of each came before, to warm up.
        took_s: seconds, all in all.
        seed: of the order.
        reason: what failed; else "".
    """

    of: str
    precision: float
    expected: float | None
    ended: str
    order: list[str]
    compared: int
    took_s: float
    seed: int
    reason: str = ""


class Comparison(msgspec.Struct, frozen=True, kw_only=True, rename={"schema_": "schema"}):
    """The whole document.

    Attributes:
        schema_: `SCHEMA`.
        error_rate: the chance, at most, that a pair without differences has any row called slower or faster.
        tolerance: allowed drift as a share, as given; None if it was taken from the recordings.
        runs: the baseline first.
        pairs: each other run against it.
        gates: budgets and limits, kept or not.
        turns: how the runs were recorded, where that was done in turns; else None.
    """

    schema_: str
    error_rate: float
    tolerance: float | None
    runs: list[Run]
    pairs: list[Pair]
    gates: list[Gate] = []
    turns: Turns | None = None


def encode(comparison: Comparison) -> bytes:
    """The document as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(comparison), indent=2) + b"\n"
