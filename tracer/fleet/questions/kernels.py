"""`kernels`: whose time changed between two days or tags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from tracer.document.fleet import NAME, AnswerColumn
from tracer.fleet.compared import COLUMNS, compared, row_of, runs_of_sides
from tracer.fleet.families import Run, families_of, judge_families
from tracer.fleet.question import Found, Question, select
from tracer.fleet.store import is_run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracer.fleet.families import Judged, Key
    from tracer.fleet.sides import Side
    from tracer.fleet.store import Store

# Of a stage, those that take the most on either side: a test of thousands finds less in each.
MOST = 200
# Of the runs of both sides, those kernels alone; and a row without a name for each run that has any of the stage.
_SQL = """
with each as (
  select run, coalesce(stage, '') as stage, name, time_ns / greatest(1, coalesce(runs, 1)) as run_ns
  from kernels where run in ({runs})
), most as (
  select stage, name, row_number() over (partition by stage order by sum(run_ns) desc, name) as place
  from each group by stage, name
)
select run, stage, name, run_ns from each semi join (select * from most where place <= {most}) using (stage, name)
union all select distinct run, stage, null, 0 from each
order by run, stage, name
"""
_VERDICTS = "slower, faster, appeared, or vanished: by the medians of the sides"


def _answer(store: Store, sides: tuple[Side, ...]) -> Found:
    of_run, rows, refused = runs_of_sides(store, sides)
    taken: dict[str, dict[str, dict[str, float]]] = {}  # by stage, by run, by kernel
    for row in _times(store, rows):
        of_stage = taken.setdefault(row["stage"], {}).setdefault(row["run"], {})
        if row["name"] is not None:
            of_stage[row["name"]] = row["run_ns"]
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


def _times(store: Store, rows: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What each kernel that matters takes in each of these runs; nothing else of the store is read."""
    runs = ", ".join(f"'{run}'" for run in rows if is_run(run))  # digits: nothing of a file's own
    sql = _SQL.format(runs=runs or "null", most=MOST)
    found: list[dict[str, Any]] = select(store, sql, {row["date"] for row in rows.values()}).to_pylist()
    return found


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
