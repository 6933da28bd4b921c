"""`outliers`: machines on which the same runs take longer than on the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tracer.arrays import int64
from tracer.document.fleet import CHANCE, COUNT, FACTOR, NAME, TIME, AnswerColumn
from tracer.document.summary import Abstained
from tracer.fleet.families import ALIKE, NAME_IT, NAMELESS, Family, Run, group_of, judge_families, named
from tracer.fleet.question import Found, Question, select
from tracer.statistics.robust import far_above, median

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracer.fleet.sides import Side
    from tracer.fleet.store import Store

_SQL = f"""
select r.run, r.machine, s.stage, s.run_ns, s.clean, {", ".join(f"r.{name}" for name in ALIKE)}
from stages s join runs r on r.run = s.run and r.date = s.date where s.run_ns is not null
"""  # noqa: S608 -- names of ours
# Of fewer machines nothing tells which is the odd one out.
LEAST_MACHINES = 5
# How far above the machines' median its median is: in robust standard deviations of machines, and as a share.
DEVIATIONS, SHARE = 3.5, 0.05
FEW = f"cannot be judged: fewer than {LEAST_MACHINES} machines have such runs"
MORE = "record the same on more machines"
Group = tuple[Any, ...]


def _answer(store: Store, _: tuple[Side, ...]) -> Found:
    groups: dict[Group, dict[str, list[Run]]] = {}
    unnamed, without = 0, 0
    for row in select(store, _SQL).to_pylist():
        unnamed += row["model"] is None
        without += row["machine"] is None
        if row["model"] is None or row["machine"] is None:
            continue
        group = (*group_of(row), row["stage"], row["clean"])
        # Machines are the sides here, not what runs are dealt within.
        run = Run({**row, "machine": None}, {(row["stage"], "clean" if row["clean"] else "trace"): row["run_ns"]})
        groups.setdefault(group, {}).setdefault(row["machine"], []).append(run)
    candidates = [family for group, machines in groups.items() for family in _apart(group, machines)]
    looked_at = sum(len(machines) for machines in groups.values() if len(machines) >= LEAST_MACHINES)
    judged, abstained = judge_families([family for family, _ in candidates], "a machine apart", of=looked_at)
    of_family = {id(family): machine for family, machine in candidates}
    rows: list[dict[str, Any]] = [
        {
            "machine": of_family[id(one.family)], "stage": one.key[0], "of": one.key[1], "group": one.family.name,
            "runs": len(one.family.sides[1]), "others": len(one.family.sides[0]), "run_ns": one.after_ns,
            "others_ns": one.before_ns, "ratio": one.evidence.ratio, "p": one.evidence.p,
        }
        for one in judged if one.verdict == "slower"
    ]  # fmt: skip
    rows.sort(key=lambda row: (-row["ratio"], row["machine"], row["stage"]))
    return Found(rows, [*_unasked(groups, unnamed, without), *abstained], _notes(groups))


def _apart(group: Group, machines: Mapping[str, list[Run]]) -> list[tuple[Family, str]]:
    """Machines whose median is far above those of the others, each against the others' runs."""
    if len(machines) < LEAST_MACHINES:
        return []
    names = sorted(machines)
    ((key, *_),) = {tuple(run.measures) for runs in machines.values() for run in runs}
    medians = int64([round(median(np.array([run.measures[key] for run in machines[name]]))) for name in names])
    found = []
    for number in far_above(medians, deviations_apart=DEVIATIONS, at_least=SHARE).tolist():
        others = [run for name in names if name != names[number] for run in machines[name]]
        found.append((Family(group[: len(ALIKE)], (others, machines[names[number]]), [key]), names[number]))
    return found


def _unasked(groups: Mapping[Group, Mapping[str, list[Run]]], unnamed: int, without: int) -> list[Abstained]:
    few = sorted({named(group[: len(ALIKE)]) for group, machines in groups.items() if len(machines) < LEAST_MACHINES})
    found = [Abstained(what=f"machines of {name}", reason=FEW, next_step=MORE) for name in few]
    if without:
        why = "cannot be judged: neither the trace nor a tag says on which machine it ran"
        found.append(
            Abstained(what=f"{without} stages of runs", reason=why, next_step="read them with --tag machine=NAME")
        )
    if unnamed:
        found.append(Abstained(what=f"{unnamed} stages of runs", reason=NAMELESS, next_step=NAME_IT))
    return found


def _notes(groups: Mapping[Group, Mapping[str, list[Run]]]) -> list[str]:
    asked = sum(len(machines) >= LEAST_MACHINES for machines in groups.values())
    return [
        f"{asked} stages of like runs on {LEAST_MACHINES} machines or more were looked at.",
        "A machine is named where its median is",
        f"{DEVIATIONS} robust standard deviations of machines and {SHARE:.0%} above the machines' median,",
        "and a permutation test over runs says the same, at 5 % for all that were looked at.",
    ]


QUESTION = Question(
    name="outliers",
    meaning="which machines take longer than the others for the same",
    columns=(
        AnswerColumn(name="machine", kind=NAME, meaning="the machine"),
        AnswerColumn(name="stage", kind=NAME, meaning="the stage that takes longer on it"),
        AnswerColumn(
            name="run_ns", kind=TIME, meaning="what one run of the stage takes on it, the median", heading="a run"
        ),
        AnswerColumn(name="others_ns", kind=TIME, meaning="and on the others", heading="elsewhere"),
        AnswerColumn(name="ratio", kind=FACTOR, meaning="one over the other"),
        AnswerColumn(name="group", kind=NAME, meaning="what the runs have in common"),
        AnswerColumn(name="runs", kind=COUNT, meaning="traces of it"),
        AnswerColumn(name="others", kind=COUNT, meaning="traces of the other machines"),
        AnswerColumn(name="p", kind=CHANCE, meaning="adjusted for all machines that were tested"),
        AnswerColumn(name="of", kind=NAME, meaning="clean: without a profiler; trace: in the trace"),
    ),
    compares=False,
    answer=_answer,
)
