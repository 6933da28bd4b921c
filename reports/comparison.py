"""A comparison in sections: what was compared, stages, decode steps, kernels, overlap windows, gates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.palette import NONE
from reports.sections import Column, Row, Section
from reports.units import duration, percent, short_kernel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracer.document.comparison import Comparison, Gate, KernelChange, Pair, Run
    from tracer.document.comparison import Row as Measure

TOP_KERNELS = 12
MARKS = {"slower": "bad", "faster": "good", "one side only": "dim", "not tested": ""}
VERDICTS = {"within noise": "noise", "not tested": "untested", "one side only": "one side"}
SOURCES = {
    "requests": "Medians over requests without a profiler.",
    "medians": "Medians without a profiler.",
    "trace": "One run of each stage in the trace, its device time and idle time; TPOT is a decode step.",
}
TTFT_TPOT = (
    "TTFT: request start to the end of prefill. TPOT: (end of last token - end of token 0) / (tokens - 1). "
    "A prompt token is a position of the prompt, visual or text; an output token is one that a decode step yields."
)


def sections(comparison: Comparison) -> list[Section]:
    """The whole report."""
    found = [_runs(comparison.runs)]
    for pair in comparison.pairs:
        found.append(_stages(comparison, pair))
        found += [part(pair) for part in (_steps, _kernels, _overlaps)]
    found.append(gates(comparison.gates))
    return [section for section in found if section.rows or section.lead]


def _runs(runs: Sequence[Run]) -> Section:
    columns = [
        Column("", right=False),
        Column("file", right=False, named=True),
        Column("run", right=False, named=True),
        Column("requests"),
        Column("tokens in", spare=True),
        Column("out"),
    ]
    rows = [
        Row([run.label, _files(run), run.title or NONE, f"{run.requests:,}", _tokens_in(run), _count(run.new_tokens)])
        for run in runs
    ]
    warnings = [f"{run.path}: {warning}" for run in runs for warning in run.warnings]
    return Section(columns=columns, rows=rows, warnings=warnings)


def _files(run: Run) -> str:
    return run.path if run.recordings == 1 else f"{run.recordings} from {run.path}"


def _tokens_in(run: Run) -> str:
    if run.visual_tokens is None or run.prompt_tokens is None:
        return NONE
    return f"{_count(run.visual_tokens)} + {_count(run.prompt_tokens)}"


def _count(value: float | None) -> str:
    return NONE if value is None else f"{value:,.1f}".removesuffix(".0")


def _stages(comparison: Comparison, pair: Pair) -> Section:
    columns = [
        Column("", right=False),
        Column(pair.baseline),
        Column(pair.other),
        Column("delta", spare=True),
        Column("ratio"),
        Column("p", spare=True),
        Column("verdict", right=False),
    ]
    rows = [_measure(row) for row in pair.rows]
    return Section(
        title=f"{pair.other} against {pair.baseline}",
        lead=[headline(pair)],
        columns=columns,
        rows=rows,
        notes=[_method(comparison, pair)],
        warnings=pair.notes,
    )


def _measure(row: Measure) -> Row:
    name = f"  per {row.per}" if row.per else {"ttft": "TTFT", "tpot": "TPOT"}.get(row.of, row.of)
    times = [NONE if time_ns is None else duration(time_ns) for time_ns in (row.before_ns, row.after_ns)]
    delta = NONE if row.delta_ns is None else signed(row.delta_ns)
    ratio = NONE if row.ratio is None else f"× {row.ratio:.3f}" if row.ratio < 100 else f"× {row.ratio:,.0f}"
    p = NONE if row.p is None or row.verdict == "not tested" else f"{row.p:.4f}"
    return Row([name, *times, delta, ratio, p, VERDICTS.get(row.verdict, row.verdict)], MARKS.get(row.verdict, ""))


def signed(time_ns: float) -> str:
    """A difference of times with its sign."""
    return f"{'+' if time_ns >= 0 else '-'}{duration(abs(time_ns))}"


def headline(pair: Pair) -> str:
    """What was found, in one sentence."""
    whole = [row for row in pair.rows if not row.per]
    claims = []
    for verdict in ("slower", "faster"):
        found = [f"{row.of} ({percent((row.ratio or 1) - 1)})" for row in whole if row.verdict == verdict]
        claims += [f"{verdict} in {', '.join(found)}"] if found else []
    if claims:
        return f"{pair.other} is {'; '.join(claims)}."
    if any(row.verdict == "within noise" for row in whole):
        return f"No difference between {pair.baseline} and {pair.other} that exceeds the noise."
    return f"{pair.baseline} and {pair.other} beside each other; nothing could be tested."


def _method(comparison: Comparison, pair: Pair) -> str:
    parts = [SOURCES[pair.source]]
    if pair.permutations:
        allowed = [0.0, *(row.allowance for row in pair.rows if row.allowance is not None)]
        over = "requests within samples" if pair.shared_samples else "requests"
        if pair.recordings > 1:
            over = f"recordings, {pair.recordings} of each run, each by its medians"
        parts.append(
            f"A permutation test over {over} ({pair.permutations:,} permutations, aligned ranks, step-down "
            f"maxT): if nothing differs, the chance that any row of this table is called slower or faster is at most "
            f"{percent(comparison.error_rate, signed=False)}."
        )
        if comparison.tolerance is not None:
            parts.append(f"Allowed for as drift between recordings: {percent(comparison.tolerance, signed=False)}.")
        elif pair.recordings > 1:
            parts.append(
                f"Allowed for besides: {percent(max(allowed), signed=False)}. Drift is part of the noise where the "
                "recordings took turns. Steps and kernels below are of the first recording of each."
            )
        else:
            parts.append(
                "Allowed for as drift between recordings, row by row: 1 %, or what the halves of either recording "
                f"differ by if that is more (here up to {percent(max(allowed), signed=False)}). Drift that neither "
                "recording shows within itself is not allowed for: --tolerance, or several recordings of each "
                "(--recordings)."
            )
    return " ".join([*parts, TTFT_TPOT])


def _steps(pair: Pair) -> Section:
    columns = [
        Column("", right=False),
        Column("steps"),
        Column(pair.baseline, spare=True),
        Column(pair.other, spare=True),
        Column("delta"),
        Column("ratio"),
        Column("parts at", right=False),
    ]
    rows = []
    for steps in pair.steps:
        middle = [duration(sorted(side)[len(side) // 2]) for side in (steps.before_ns, steps.after_ns)]
        parts = f"beyond {percent(steps.beyond, signed=False)}: " + (
            "nowhere" if steps.parts_at is None else f"#{steps.parts_at}"
        )
        name = {"device": "device time", "latency": "latency"}.get(steps.of, steps.of)
        ratio = NONE if steps.ratio is None else f"× {steps.ratio:.3f}"
        rows.append(Row([name, f"{len(steps.before_ns):,}", *middle, signed(steps.delta_ns), ratio, parts]))
    note = (
        "Step k beside step k; delta and ratio: medians over the steps. Parts at: the first of three steps in a row "
        "that differ the same way by more than that, the tolerance or three standard deviations from step to step."
    )
    return Section(f"decode steps, {pair.other} against {pair.baseline}", columns=columns, rows=rows, notes=[note])


def _kernels(pair: Pair) -> Section:
    columns = [
        Column("", right=False),
        Column("change", right=False),
        Column("kernel", right=False, named=True),
        Column(pair.baseline, spare=True),
        Column(pair.other, spare=True),
        Column("delta"),
    ]
    rows = [_kernel(change) for change in pair.kernels[:TOP_KERNELS]]
    counts = [
        f"{sum(one.change == change for one in pair.kernels):,} {change}"
        for change in ("appeared", "vanished", "slower", "faster")
    ]
    note = (
        f"{', '.join(counts)}, {pair.same_kernels:,} alike. Times (and how often) in one run of the stage, of decode "
        "one step; from the profiled pass, where nothing is tested."
    )
    more = len(pair.kernels) - TOP_KERNELS
    notes = [note + (f" {more:,} more: --format json." if more > 0 else "")]
    lead = [f"All {pair.same_kernels:,} take the same time."] if pair.same_kernels and not rows else []
    title = f"kernels, {pair.other} against {pair.baseline}"
    return Section(title, lead=lead, columns=columns, rows=rows, notes=notes if rows else [])


def _kernel(change: KernelChange) -> Row:
    sides = [
        NONE if use is None else f"{duration(use.time_ns)} ({_count(use.count)})"
        for use in (change.before, change.after)
    ]
    return Row([change.stage, change.change, short_kernel(change.name), *sides, signed(change.delta_ns)])


def _overlaps(pair: Pair) -> Section:
    columns = [
        Column("prefill of", right=False),
        Column("takes"),
        Column("steps of"),
        Column("take"),
        Column("fit"),
    ]
    rows = [
        Row([one.prefill_of, duration(one.prefill_ns), one.steps_of, duration(one.step_ns), f"{one.steps:,}"])
        for one in pair.overlaps
    ]
    note = "How many whole decode steps of one would pass while the other is in prefill; nothing was run side by side."
    title = f"overlap windows, {pair.baseline} and {pair.other}"
    return Section(title, columns=columns, rows=rows, notes=[note])


def gates(found: Sequence[Gate]) -> Section:
    """Budgets and limits."""
    columns = [
        Column("", right=False),
        Column("gate", right=False),
        Column("of", right=False),
        Column("found"),
        Column("file", right=False, named=True),
    ]
    rows = [
        Row(
            ["kept" if gate.passed else "FAILED", gate.gate, gate.of, measured(gate), gate.path],
            "" if gate.passed else "bad",
        )
        for gate in found
    ]
    return Section("gates", columns=columns, rows=rows)


def measured(gate: Gate) -> str:
    """What a gate found, in its unit."""
    return duration(gate.value) if gate.kind == "time" else percent(gate.value, signed=gate.kind == "regression")


def sentence(gate: Gate) -> str:
    """A gate that failed, in one line."""
    found, limit, over = [
        duration(value) if gate.kind == "time" else percent(value, signed=False)
        for value in (gate.value, gate.limit, gate.value - gate.limit)
    ]
    allows = f"allows {limit}" + (f", {over} less" if found == limit else "")
    if gate.kind == "regression":
        return f"{gate.path}: {gate.of} is {found} slower than the baseline; --{gate.gate} {allows}"
    of = " of the request" if gate.kind == "share" else ""
    return f"{gate.path}: {gate.of} takes {found}{of}; --budget {gate.gate} {allows}"
