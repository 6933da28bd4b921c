"""`slowest`: in which stages the time goes, by model, versions and GPU."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.document.fleet import COUNT, NAME, SHARE, TIME, AnswerColumn
from tracer.document.summary import Abstained
from tracer.fleet.question import Found, Question, select

if TYPE_CHECKING:
    from tracer.fleet.sides import Side
    from tracer.fleet.store import Store

# Of each run, a stage in one request; decode has a run a step.
_SQL = """
with one as (
  select r.model, r.size, r.torch, r.driver, r.gpu, s.stage, s.clean, s.run_ns,
         s.idle_ns / nullif(s.busy_ns + s.idle_ns, 0) as idle
  from stages s join runs r on r.run = s.run and r.date = s.date where s.run_ns is not null
)
select stage, model, size, torch, driver, gpu, clean, count(*) as traces, median(run_ns) as run_ns,
       quantile_cont(run_ns, 0.9) as p90_ns, median(idle) as idle
from one group by all order by run_ns desc, stage, model, size, torch, driver, gpu, clean
"""
_LOST = "select count(distinct run) as traces from stages where run_ns is null"


def _answer(store: Store, _: tuple[Side, ...]) -> Found:
    rows = select(store, _SQL).to_pylist()
    (lost,) = select(store, _LOST).to_pylist()
    for row in rows:
        row["clean"] = "clean" if row["clean"] else "trace"
    unknown = Abstained(
        what=f"stages of {lost['traces']} traces",
        reason="what they took is unknown: launches in them lack device ops",
        next_step="tracer summarize says of each which, and what to do",
    )
    notes = [
        "a run: what one run of the stage takes (of decode, one step), the median of the traces; p90 likewise.",
        "Clean was measured without a profiler, trace is in the trace, which a profiler slows.",
    ]
    return Found(rows, [unknown] if lost["traces"] else [], notes)


QUESTION = Question(
    name="slowest",
    meaning="which stages take the longest, by model, versions and GPU",
    columns=(
        AnswerColumn(name="stage", kind=NAME, meaning="the stage"),
        AnswerColumn(
            name="run_ns", kind=TIME, meaning="what one run of the stage takes, their median", heading="a run"
        ),
        AnswerColumn(name="traces", kind=COUNT, meaning="how many traces have it"),
        AnswerColumn(name="model", kind=NAME, meaning="the model; null where the trace does not say"),
        AnswerColumn(name="gpu", kind=NAME, meaning="the devices that worked"),
        AnswerColumn(name="torch", kind=NAME, meaning="version of torch"),
        AnswerColumn(name="idle", kind=SHARE, meaning="share of its time in the trace that the device was idle"),
        AnswerColumn(name="driver", kind=NAME, meaning="version of the driver"),
        AnswerColumn(name="clean", kind=NAME, meaning="clean, or trace: of which pass the times are", heading="of"),
        AnswerColumn(name="p90_ns", kind=TIME, meaning="the 90th percentile of the same", heading="p90"),
        AnswerColumn(name="size", kind=NAME, meaning="its size"),
    ),
    compares=False,
    answer=_answer,
)
