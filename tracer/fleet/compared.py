"""What questions about two sides share: which runs are on which side, and rows with a verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracer.document.errors import UsageError
from tracer.document.fleet import CHANCE, COUNT, FACTOR, NAME, TIME, AnswerColumn
from tracer.document.summary import Abstained
from tracer.fleet.families import ALIKE, sided
from tracer.fleet.question import Found, select
from tracer.fleet.sides import NAMED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracer.fleet.families import Judged
    from tracer.fleet.sides import Side
    from tracer.fleet.store import Store

_RUNS = f"""
select run, date, tags, machine, request_ns, ttft_ns, tpot_ns, {", ".join((*ALIKE, *NAMED))}
from runs where error is null
"""  # noqa: S608 -- names of ours
COLUMNS = (
    AnswerColumn(name="measure", kind=NAME, meaning="a stage, request, ttft or tpot"),
    AnswerColumn(name="verdict", kind=NAME, meaning="slower, faster, within noise, or cannot tell"),
    AnswerColumn(name="before_ns", kind=TIME, meaning="median of the first side", heading="before"),
    AnswerColumn(name="after_ns", kind=TIME, meaning="median of the second side", heading="after"),
    AnswerColumn(name="ratio", kind=FACTOR, meaning="after over before"),
    AnswerColumn(name="group", kind=NAME, meaning="what the runs have in common"),
    AnswerColumn(name="runs_before", kind=COUNT, meaning="traces on the first side", heading="runs"),
    AnswerColumn(name="runs_after", kind=COUNT, meaning="traces on the second side", heading="and"),
    AnswerColumn(name="of", kind=NAME, meaning="clean: without a profiler; trace: in the trace"),
    AnswerColumn(name="p", kind=CHANCE, meaning="adjusted for everything that was tested"),
    AnswerColumn(name="low_ratio", kind=FACTOR, meaning="lower end of its 95 % interval", heading="low"),
    AnswerColumn(name="high_ratio", kind=FACTOR, meaning="upper end of it", heading="high"),
)


def runs_of_sides(
    store: Store, sides: Sequence[Side]
) -> tuple[dict[str, int], dict[str, Mapping[str, Any]], list[Abstained]]:
    """The side of each run that is on one, and its row; and what to say of a side without runs.

    Raises:
        UsageError: runs are on both sides.
    """
    rows = select(store, _RUNS).to_pylist()
    of_run, both = sided(rows, sides)
    if both:
        raise UsageError(f"--between: {len(both)} runs are on both sides, as {both[0]['run']}; give sides apart")
    empty = [side for number, side in enumerate(sides) if number not in of_run.values()]
    refused = [
        Abstained(
            what=f"a comparison with {side.text}",
            reason="no run in the store is of it",
            next_step="select date, tags, count(*) from runs group by all says what there is",
        )
        for side in empty
    ]
    return of_run, {row["run"]: row for row in rows if row["run"] in of_run}, refused


def row_of(one: Judged) -> dict[str, Any]:
    """What a measure's row says beside its name."""
    interval = one.evidence.interval or (None, None)
    return {
        "group": one.family.name,
        "runs_before": len(one.family.sides[0]),
        "runs_after": len(one.family.sides[1]),
        "before_ns": one.before_ns,
        "after_ns": one.after_ns,
        "ratio": one.evidence.ratio,
        "low_ratio": interval[0],
        "high_ratio": interval[1],
        "p": one.evidence.p,
        "verdict": one.verdict,
    }


def compared(rows: list[dict[str, Any]], abstained: list[Abstained]) -> Found:
    """The answer, with how to read it."""
    notes = [
        "Runs are compared with runs of the same model, sizes, dtype, device and decoding;",
        "within machines, where those are known.",
        "Times are medians over runs.",
        "Slower and faster: a permutation test over runs, at 5 % for all rows together, beyond a difference of 1 %.",
        "Whatever else changed between the sides is part of it.",
    ]
    return Found(rows, abstained, notes if rows else [])
