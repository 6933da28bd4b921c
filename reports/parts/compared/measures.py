"""Stages, request, TTFT and TPOT of two runs beside each other, with a verdict on each difference."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.blocks import Block, Caution, Column, Line, Role, Row, Sentence, Table, block, line, note
from reports.palette import NONE
from reports.parts.compared.words import signed
from reports.units import counted, duration, percent

if TYPE_CHECKING:
    from reports.asked import Asked
    from tracer.document.comparison import Comparison, Pair
    from tracer.document.comparison import Row as Measure

MARKS: dict[str, Role] = {
    "slower": "bad",
    "faster": "good",
    "one side only": "dim",
    "other lengths": "dim",
    "unknown": "caution",
}
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
INTERVAL = Sentence(
    "95 %", "95 %: an interval of the ratio, of its row by itself: the ratios that the test at 5 % would not reject."
)
CANNOT_TELL = (
    "Noise: no difference is shown, and no room is left for one of more than 10 %, or than the tolerance. Cannot "
    "tell: neither a difference is shown nor that there is none."
)
DEVICE = Sentence(
    "on the device", "On the device: the sum of the kernels of one run of the stage, of TPOT one step, in the trace."
)


def part(comparison: Comparison, pair: Pair, _: Asked) -> Block | None:
    """A row a measure, and below it what it takes per token."""
    columns = [
        Column("", right=False),
        Column(pair.baseline),
        Column(pair.other),
        Column("delta", rank=2),
        Column("ratio"),
        *([Column("95 %", rank=1), Column("p", rank=4)] if pair.permutations else []),
        *([Column("on the device", rank=3)] if _has_device(pair) else []),
        Column("verdict", right=False),
    ]
    return block(
        f"{pair.other} against {pair.baseline}",
        line(headline(pair), role="strong"),
        _hosts(pair),
        Table(columns, [_row(row, pair) for row in pair.rows]) if pair.rows else None,
        note(*_method(comparison, pair)),
        *[Caution(text, "note") for text in pair.notes],
    )


def _hosts(pair: Pair) -> Line | None:
    """Stages whose difference lies with the host."""
    found = [row for row in pair.rows if row.of_host]
    if not found:
        return None
    work = [[duration(time_ns or 0) for time_ns in (row.before_device_ns, row.after_device_ns)] for row in found]
    same = [f"{_name(row)} ({before} and {after})" for row, (before, after) in zip(found, work, strict=True)]
    whose = "this difference is" if len(found) == 1 else "these differences are"
    return line(f"The device did the same work in the same time in {', '.join(same)}: {whose} the host's.")


def _row(row: Measure, pair: Pair) -> Row:
    times = [NONE if time_ns is None else duration(time_ns) for time_ns in (row.before_ns, row.after_ns)]
    delta = NONE if row.delta_ns is None else signed(row.delta_ns)
    ratio = NONE if row.ratio is None else f"× {_factor(row.ratio)}"
    low, high = row.low_ratio, row.high_ratio
    interval = NONE if low is None or high is None else f"{_factor(low)} – {_factor(high)}"
    p = NONE if row.p is None or row.verdict == "not tested" else f"{row.p:.4f}"
    tested = [interval, p] if pair.permutations else []
    device = [_on_device(row)] if _has_device(pair) else []
    verdict = VERDICTS.get(row.verdict, row.verdict)
    return Row([_name(row), *times, delta, ratio, *tested, *device, verdict], MARKS.get(row.verdict, ""))


def _name(row: Measure) -> str:
    return f"  per {row.per}" if row.per else {"ttft": "TTFT", "tpot": "TPOT"}.get(row.of, row.of)


def _factor(ratio: float) -> str:
    return f"{ratio:.3f}" if ratio < 100 else f"{ratio:,.0f}"


def _on_device(row: Measure) -> str:
    sides = (row.before_device_ns, row.after_device_ns)
    if sides == (None, None):
        return NONE
    return " → ".join(NONE if time_ns is None else duration(time_ns) for time_ns in sides)


def headline(pair: Pair) -> str:
    """What was found, in one sentence."""
    whole = [row for row in pair.rows if not row.per]
    claims = []
    for verdict in ("slower", "faster"):
        found = [f"{row.of} ({percent((row.ratio or 1) - 1)})" for row in whole if row.verdict == verdict]
        claims += [f"{verdict} in {', '.join(found)}"] if found else []
    if claims:
        return f"{pair.other} is {'; '.join(claims)}."
    if pair.inconclusive and pair.permutations:
        why = next((one.reason for one in pair.abstained if one.what == "whether latencies differ"), "")
        return f"Whether {pair.other} differs from {pair.baseline} cannot be told: {why.partition(':')[0]}."
    if any(row.verdict == "cannot tell" for row in whole):
        unknown = [row.of for row in whole if row.verdict == "cannot tell"]
        return f"Whether {pair.other} differs from {pair.baseline} in {', '.join(unknown)} cannot be told."
    if any(row.verdict == "within noise" for row in whole):
        return f"No difference between {pair.baseline} and {pair.other} that exceeds the noise."
    if not pair.rows:
        return f"{pair.baseline} and {pair.other} have no stages in common."
    return f"{pair.baseline} and {pair.other} beside each other; nothing could be tested."


def _method(comparison: Comparison, pair: Pair) -> list[str | Sentence]:
    if not pair.rows:
        return []
    tested: list[str | Sentence] = []
    if pair.permutations:
        tested = [_test(comparison, pair), _allowance(comparison, pair), INTERVAL, CANNOT_TELL]
    return [SOURCES[pair.source], *tested, TTFT_TPOT, *([DEVICE] if _has_device(pair) else [])]


def _has_device(pair: Pair) -> bool:
    return any(row.before_device_ns is not None or row.after_device_ns is not None for row in pair.rows)


def _test(comparison: Comparison, pair: Pair) -> str:
    over = "requests within samples" if pair.shared_samples else "requests"
    if pair.recordings > 1:
        over = f"recordings, {pair.recordings} of each run, each by its medians"
    if comparison.turns is not None:
        over += ", within the blocks in which their order was drawn"
    return (
        f"A permutation test over {over} ({counted(pair.permutations, 'permutation')}, aligned ranks, step-down "
        f"maxT): if nothing differs, the chance that any row of this table is called slower or faster is at most "
        f"{percent(comparison.error_rate, signed=False)}."
    )


def _allowance(comparison: Comparison, pair: Pair) -> str:
    if comparison.turns is not None:
        ratios = (
            "Ratios are taken within blocks, and drift is part of the noise. Steps and kernels below are of the first "
            "recording of each."
        )
        if comparison.tolerance is None:
            return ratios
        return f"A difference of {percent(comparison.tolerance, signed=False)} is allowed for. {ratios}"
    largest = max(0.0, *(row.allowance or 0.0 for row in pair.rows))
    most = percent(largest, signed=False)
    if comparison.tolerance is not None:
        given = f"Allowed for as drift between recordings: {percent(comparison.tolerance, signed=False)}"
        if largest <= comparison.tolerance:
            return f"{given}."
        return (
            f"{given}, or what the halves of either recording differ by where its requests show that they do (here up "
            f"to {most})."
        )
    if pair.recordings > 1:
        return (
            f"Allowed for besides: {most}. Drift is part of the noise where the "
            "recordings took turns. Steps and kernels below are of the first recording of each."
        )
    return (
        "Allowed for as drift between recordings, row by row: 1 %, or what the halves of either recording "
        f"differ by if that is more (here up to {most}). Drift that neither "
        "recording shows within itself is not allowed for: --tolerance, or several recordings of each "
        "(--recordings)."
    )
