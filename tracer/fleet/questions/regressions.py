"""`regressions`: what became slower or faster between two days or tags."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.document.names import ALL_STAGES, REQUEST, TPOT, TTFT
from tracer.fleet.compared import COLUMNS, compared, row_of, runs_of_sides
from tracer.fleet.families import Run, families_of, judge_families
from tracer.fleet.question import Found, Question, select

if TYPE_CHECKING:
    from tracer.fleet.families import Judged, Key
    from tracer.fleet.sides import Side
    from tracer.fleet.store import Store

_STAGES = "select run, stage, run_ns, clean from stages where run_ns is not null"
_ORDER = (*ALL_STAGES, REQUEST, TTFT, TPOT)
CLEAN, TRACE = "clean", "trace"


def _answer(store: Store, sides: tuple[Side, ...]) -> Found:
    of_run, rows, refused = runs_of_sides(store, sides)
    measures: dict[str, dict[Key, float]] = {
        run: {
            (name, CLEAN): float(row[f"{name}_ns"]) for name in (REQUEST, TTFT, TPOT) if row[f"{name}_ns"] is not None
        }
        for run, row in rows.items()
    }
    for row in select(store, _STAGES).to_pylist():
        if row["run"] in measures:
            measures[row["run"]][row["stage"], CLEAN if row["clean"] else TRACE] = row["run_ns"]
    families = families_of((of_run[run], Run(row, measures[run])) for run, row in rows.items())
    judged, abstained = judge_families(families, "regressions")
    judged.sort(key=_place)
    return compared(
        [{"measure": one.key[0], "of": one.key[1], **row_of(one)} for one in judged], [*refused, *abstained]
    )


def _place(one: Judged) -> tuple[bool, str, int]:
    """What changed first; then by group, in the order of a request."""
    name = one.key[0]
    return (
        one.verdict not in ("slower", "faster"), one.family.name, _ORDER.index(name) if name in _ORDER else len(_ORDER)
    )  # fmt: skip


QUESTION = Question(
    name="regressions",
    meaning="what became slower or faster between two days, tags or versions",
    columns=COLUMNS,
    compares=True,
    answer=_answer,
)
