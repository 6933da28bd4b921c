"""`kernels`: whose time changed between two days or tags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from tracer.document.fleet import NAME, AnswerColumn
from tracer.fleet.compared import COLUMNS, compared, row_of, runs_of_sides
from tracer.fleet.families import Run, families_of, judge_families
from tracer.fleet.question import Found, Question, select

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracer.fleet.families import Judged, Key
    from tracer.fleet.sides import Side
    from tracer.fleet.store import Store

_SQL = "select run, coalesce(stage, '') as stage, name, time_ns, coalesce(runs, 1) as runs from kernels"
# Of a stage, those that take the most on either side: a test of thousands finds less in each.
MOST = 200
_VERDICTS = "slower, faster, appeared, or vanished: by the medians of the sides"


def _answer(store: Store, sides: tuple[Side, ...]) -> Found:
    of_run, rows, refused = runs_of_sides(store, sides)
    taken: dict[str, dict[str, dict[str, float]]] = {}  # by stage, by run, by kernel
    for row in select(store, _SQL).to_pylist():
        if row["run"] in rows:
            of_stage = taken.setdefault(row["stage"], {}).setdefault(row["run"], {})
            of_stage[row["name"]] = row["time_ns"] / max(1, row["runs"])
    families = [
        family
        for stage, of_stage in sorted(taken.items())
        for family in families_of((of_run[run], one) for run, one in _runs(stage, of_stage, rows))
    ]
    judged, abstained = judge_families(families, "kernels")
    shown = [one for one in judged if one.verdict in ("slower", "faster")]
    shown.sort(key=lambda one: (-abs(one.after_ns - one.before_ns), one.key))
    found = compared([_row(one) for one in shown], [*refused, *abstained])
    same = len(judged) - len(shown)
    notes = [f"{same} more kernels were tested, and no change of theirs was shown."] if same else []
    return Found(found.rows, found.abstained, [*found.notes, *notes])


def _runs(
    stage: str, of_stage: Mapping[str, Mapping[str, float]], rows: Mapping[str, Mapping[str, Any]]
) -> list[tuple[str, Run]]:
    """Each run with all the kernels that matter in any: one that did not run took no time."""
    total: dict[str, float] = {}
    for kernels in of_stage.values():
        for name, time_ns in kernels.items():
            total[name] = total.get(name, 0.0) + time_ns
    names = sorted(total, key=lambda name: (-total[name], name))[:MOST]

    def measures(run: str) -> dict[Key, float]:
        return {(name, stage): of_stage[run].get(name, 0.0) for name in names}

    return [(run, Run(rows[run], measures(run))) for run in of_stage]


def _row(one: Judged) -> dict[str, Any]:
    row = row_of(one)
    verdict = "appeared" if not one.before_ns else "vanished" if not one.after_ns else row["verdict"]
    row |= {"verdict": verdict, "ratio": row["ratio"] if one.before_ns and one.after_ns else None}
    if row["ratio"] is None:
        row |= {"low_ratio": None, "high_ratio": None}
    return {"kernel": one.key[0], "stage": one.key[1] or None, **row}


QUESTION = Question(
    name="kernels",
    meaning="which kernels' time in a run of their stage changed between two days, tags or versions",
    columns=(
        AnswerColumn(name="kernel", kind=NAME, meaning="the kernel, as the profiler wrote it"),
        AnswerColumn(name="stage", kind=NAME, meaning="its stage; null of traces without stages"),
        *(
            msgspec.structs.replace(column, meaning=_VERDICTS) if column.name == "verdict" else column
            for column in COLUMNS
            if column.name not in ("measure", "of")
        ),
    ),
    compares=True,
    answer=_answer,
)
