"""By the CPU operator that asked for it; of device work, by its id alone where that is all there is: `operators_of`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tracer.arrays import int32, int64
from tracer.charge.graphs import known_graphs, name_replays
from tracer.charge.intervals import distinct
from tracer.charge.operators import Operators, operators_of
from tracer.document.errors import InputError
from tracer.kernels.categories import compiled
from tracer.measure.open_spans import Labels, keys_by_span, open_span
from tracer.measure.threads import ALL_THREADS, started_elsewhere
from tracer.measure.ways import Keys, Way
from tracer.trace.columns import NO_THREAD, Want

if TYPE_CHECKING:
    from tracer.charge.work import Work
    from tracer.trace.columns import Trace


def _keys(trace: Trace, work: Work) -> Keys:
    spans = trace.cpu_ops
    if not len(spans) and not known_graphs(trace):
        silent = started_elsewhere(trace, distinct(int64(work.call_thread[work.call_thread != NO_THREAD])))
        how = (
            "they are in a Chrome trace that torch.profiler recorded with ProfilerActivity.CPU"
            if silent is None
            else f"the profiler recorded those of thread {silent[1]} alone, which launched nothing; {ALL_THREADS}"
        )
        raise InputError(f"{trace.path}: no operators in it for --by op; {how}")
    found = operators_of(trace, work) if work.on_device else Operators(int32(open_span(spans, work)))
    replays = name_replays(trace, work)
    labels = Labels(str, "operators", len(spans) > 0, replays, replays.op, of_kernel=compiled)
    keys = keys_by_span(trace, work, spans, found.row, labels)
    return replace(keys, by_external_id=found.by_id, wrong_external_ids=found.wrong_ids)


WAY = Way(
    keys=_keys,
    needs=Want.SUMMARY | Want.ASKERS | Want.DETAILS,
    meaning="op: the innermost open on the launching thread at the launch.",
)
