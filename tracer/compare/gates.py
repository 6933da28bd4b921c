"""Budgets and regression limits: what a run may take."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tracer.compare.abstained import DIFFER, LATENCIES, SAVE
from tracer.compare.beside import energies
from tracer.compare.figures import TRACE, best_source, figures, shares, why_unknown
from tracer.compare.verdicts import CANNOT_TELL, FASTER, SLOWER, WITHIN
from tracer.document.comparison import Gate
from tracer.document.errors import InputError, UsageError
from tracer.document.names import ALL_STAGES, DECODE, REQUEST, TPOT, TTFT
from tracer.document.summary import ALL_WORK, LATENCY, UNREAD, Abstained, names_ranges, why_unstaged
from tracer.document.words import listed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracer.document.comparison import Comparison, Pair, Row
    from tracer.document.summary import Lost, Summary

NAMES = (*ALL_STAGES, REQUEST, TTFT, TPOT)
# Energies are of a stage, of a request, or of a token.
JOULES, OF_TOKENS = "joules", "token"
UNITS_NS = {"ns": 1, "us": 1_000, "µs": 1_000, "μs": 1_000, "ms": 1_000_000, "s": 1_000_000_000}
TIME, SHARE, REGRESSION, ENERGY = "time", "share", "regression", "energy"
UNMEASURED_ENERGY = "its energy was not measured"
MEASURE_ENERGY = "record it with tracer record --energy, on a GPU with an energy counter"
UNCOUNTED = Abstained(
    what=TPOT,
    reason="its decode steps are passes of a model, and nothing in the trace says how many tokens each yields",
    next_step="hold a share to a budget (decode<=90%), or record with tracer record, which counts tokens",
)
MORE = "record more (tracer record --requests 30)"
_NUMBER = r"(\d{1,12}(?:\.\d{0,12})?)"
_BUDGET = re.compile(rf"\s*([a-z]+)\s*<=\s*{_NUMBER}\s*(%|[nuµμm]?s)\s*", re.ASCII | re.IGNORECASE)
_JOULES = re.compile(rf"\s*+{JOULES}/([a-z]+)\s*+<=\s*+{_NUMBER}\s*+(?:(m?J)\s*+)?", re.ASCII)
_PERCENT = re.compile(rf"\s*{_NUMBER}\s*%\s*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Budget:
    """What a measure may take.

    Attributes:
        text: as given.
        of: a stage, "request", "ttft" or "tpot"; of energies a stage, "request" or "token".
        kind: "time", "share" (of the request) or "energy".
        limit: nanoseconds, a share, or joules.
    """

    text: str
    of: str
    kind: str
    limit: float


def parse_budget(text: str) -> Budget:
    """Read NAME<=LIMIT, for example vision<=5%, tpot<=20ms or joules/token<=2.

    Raises:
        UsageError: it is something else, or a share that means nothing.
    """
    if text.lstrip().startswith(JOULES):
        return _parse_joules(text)
    match = _BUDGET.fullmatch(text)
    if match is None or match[1] not in NAMES:
        raise UsageError(
            f"--budget {text[:80]}: write NAME<=LIMIT with a name of {', '.join(NAMES)} and a limit such as 5% "
            "(of the request) or 20ms; or joules/token<=2"
        )
    name, number, unit = match[1], float(match[2]), match[3].lower()
    if unit != "%":
        return Budget(text.strip(), name, TIME, number * UNITS_NS[unit])
    if name in (REQUEST, TPOT):
        raise UsageError(f"--budget {text[:80]}: {name} has no share of the request; give a time such as 20ms")
    return Budget(text.strip(), name, SHARE, number / 100)


def _parse_joules(text: str) -> Budget:
    match, names = _JOULES.fullmatch(text), (OF_TOKENS, REQUEST, *ALL_STAGES)
    if match is None or match[1] not in names:
        raise UsageError(
            f"--budget {text[:80]}: write joules/NAME<=LIMIT with a name of {', '.join(names)} and a limit in joules"
        )
    return Budget(text.strip(), f"{JOULES}/{match[1]}", ENERGY, float(match[2]) / (1000 if match[3] == "mJ" else 1))


def parse_percent(option: str, text: str) -> float:
    """Read a percentage, for example 5%, as a share.

    Raises:
        UsageError: it is something else.
    """
    match = _PERCENT.fullmatch(text)
    if match is None:
        raise UsageError(f"{option} {text[:80]}: write a percentage, for example 5%")
    return float(match[1]) / 100


def check_budgets(summary: Summary, budgets: Sequence[Budget], *, beside: bool = False) -> list[Gate]:
    """Hold a run to its budgets: medians without a profiler where there are any, else the trace.

    Args:
        summary: of the run.
        budgets: for it.
        beside: whether it is compared with others, where ranges are not named as stages.

    Raises:
        InputError: it has no such figure.
    """
    gates = [_check(summary, budget) for budget in budgets]
    if not beside:
        return gates
    return [replace(gate, next_step=SAVE) if names_ranges(gate.next_step) else gate for gate in gates]


def _check(summary: Summary, budget: Budget) -> Gate:
    if budget.kind == ENERGY:
        return _check_energy(summary, budget)
    source = best_source(summary)
    found = figures(summary, source) if budget.kind == TIME else shares(summary, source)
    value = found.get(budget.of)
    why = _why_unsure(summary, budget, source) or (_why_unknown(summary, budget, source) if value is None else None)
    if why is not None:
        return _unjudged(budget.text, summary.trace.path, budget.of, budget.kind, budget.limit, why)
    if value is None:
        reason = ""
        if source == TRACE and budget.kind == TIME and budget.of in {stage.stage for stage in summary.stages}:
            reason = "without a request to add up, hold tpot or a share to a budget"
        raise InputError(
            f"{summary.trace.path}: --budget {budget.text}: it has no {budget.of}{f' ({reason})' if reason else ''}; "
            f"it has {', '.join(found) or 'no stages'}"
        )
    return Gate(
        gate=budget.text,
        path=summary.trace.path,
        of=budget.of,
        kind=budget.kind,
        value=value,
        limit=budget.limit,
        passed=value <= budget.limit,
    )


def _check_energy(summary: Summary, budget: Budget) -> Gate:
    value, path = energies(summary).get(budget.of), summary.trace.path
    stage = budget.of.removeprefix(f"{JOULES}/")
    stage = DECODE if stage == OF_TOKENS else stage
    if value is None:
        said = [one for one in summary.abstained if one.what in ("energy", f"energy of {stage}")]
        why = said[0] if said else Abstained(what=budget.of, reason=UNMEASURED_ENERGY, next_step=MEASURE_ENERGY)
        return _unjudged(budget.text, path, budget.of, budget.kind, budget.limit, why)
    return Gate(
        gate=budget.text, path=path, of=budget.of, kind=budget.kind, value=value.joules, limit=budget.limit,
        passed=value.joules <= budget.limit,
    )  # fmt: skip


def _why_unknown(summary: Summary, budget: Budget, source: str) -> Lost | Abstained | None:
    """Why a figure is unknown that a trace of such a run would have; None where the run has none of that name.

    A share is unknown as soon as one stage's time is.
    """
    if not summary.stages:
        return why_unstaged(summary.abstained)
    occurs = {stage.stage for stage in summary.stages}
    if source == TRACE and budget.of in (REQUEST, TTFT):
        return next((one for one in summary.abstained if one.what == LATENCY), None)
    if (DECODE if budget.of == TPOT else budget.of) not in occurs:
        return None
    asked = occurs if budget.kind == SHARE else {budget.of}
    lost = next((lost for name in asked if (lost := why_unknown(summary, name, source)) is not None), None)
    return UNCOUNTED if lost is None and budget.of == TPOT and source == TRACE else lost


def _why_unsure(summary: Summary, budget: Budget, source: str) -> Abstained | None:
    """Why what a file says of a stage is not to be relied on: its work is not read, or may be there in part.

    A share may lack some as soon as one stage's does.
    """
    unread = next((one for one in summary.abstained if one.what == UNREAD), None)
    if unread is not None or source != TRACE:
        return unread
    stage = DECODE if budget.of == TPOT else budget.of
    for one in summary.abstained:
        if one.what.startswith(ALL_WORK) and (budget.kind == SHARE or one.what == ALL_WORK + stage):
            return one
    return None


def _unjudged(gate: str, path: str, of: str, kind: str, limit: float, why: Lost | Abstained) -> Gate:
    return Gate(
        gate=gate, path=path, of=of, kind=kind, value=None, limit=limit, passed=False, reason=why.reason,
        next_step=why.next_step,
    )  # fmt: skip


def check_regressions(comparison: Comparison, limit: float) -> list[Gate]:
    """Hold each run to the baseline: slower than it, beyond noise and allowance, by more than `limit` is a failure.

    Of each run there is one gate for every measure that failed, or one for the worst measure if none did, which names
    those that leave room for more. Where nothing could be tested, no measure leaves it sure, or nothing tells a
    difference from drift between recordings, there is one that cannot be judged: silence would be taken for a pass.
    """
    paths = {run.label: run.path for run in comparison.runs}
    return [gate for pair in comparison.pairs for gate in _of_a_pair(pair, paths[pair.other], limit)]


def _is_sure(row: Row, limit: float) -> bool:
    """Whether it is known of a measure that it is slower by more than the limit, or that it is not."""
    if row.verdict == CANNOT_TELL:
        return row.high_ratio is not None and row.high_ratio <= 1 + limit
    return row.verdict in (SLOWER, FASTER, WITHIN)


def _of_a_pair(pair: Pair, path: str, limit: float) -> list[Gate]:
    rows = [row for row in pair.rows if not row.per and _is_sure(row, limit)]
    name = f"max-regression {limit * 100:g}%"
    if pair.inconclusive or not rows:
        told = [one for one in pair.abstained if one.what in (LATENCIES, DIFFER)]
        reason = "; ".join(one.reason for one in told) or f"no measure leaves it sure; {MORE}"
        why = Abstained(what=name, reason=reason, next_step="; ".join(one.next_step for one in told) or MORE)
        return [_unjudged(name, path, "", REGRESSION, limit, why)]
    apart = {row.of: (row.ratio or 1) - 1 for row in rows}
    failed = [row.of for row in rows if row.verdict == SLOWER and apart[row.of] > limit]
    unsure = [row.of for row in pair.rows if not row.per and row.verdict == CANNOT_TELL and row.of not in apart]
    left = f"{listed(unsure)} may be slower by more: that cannot be told" if unsure and not failed else ""
    step = MORE if left else ""
    return [
        Gate(
            gate=name,
            path=path,
            of=of,
            kind=REGRESSION,
            value=apart[of],
            limit=limit,
            passed=not failed,
            reason=left,
            next_step=step,
        )
        for of in failed or [max(apart, key=lambda of: apart[of])]
    ]
