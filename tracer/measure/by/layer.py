"""By the module that is a numbered layer or block, the outermost where they are nested: `LlamaDecoderLayer_3`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from tracer.charge.intervals import distinct, outermost
from tracer.measure.open_spans import bare, keys_by_span, open_span, require_modules
from tracer.measure.ways import Keys, Way
from tracer.trace.columns import Spans, Want

if TYPE_CHECKING:
    from tracer.charge.work import Work
    from tracer.trace.columns import Trace

_LAYER = re.compile(r"(?:Layer|Block)_\d+$")


def _keys(trace: Trace, work: Work) -> Keys:
    require_modules(trace, "layer")
    layers = _layers(trace)
    return keys_by_span(trace, work, layers, open_span(layers, work), label=bare, without="outside layers")


def _layers(trace: Trace) -> Spans:
    modules = trace.modules
    layer = np.array([_LAYER.search(name) is not None for name in trace.strings], dtype=np.bool_)
    rows = np.flatnonzero(layer[modules.name])
    found = [rows[:0]]
    for thread in distinct(modules.thread[rows]):
        own = rows[modules.thread[rows] == thread]
        found.append(own[outermost(modules.start_ns[own], modules.end_ns[own])])
    chosen = np.concatenate(found)
    return Spans(modules.start_ns[chosen], modules.end_ns[chosen], modules.name[chosen], modules.thread[chosen])


WAY = Way(
    keys=_keys,
    needs=Want.SUMMARY | Want.MODULES,
    meaning="layer: the outermost numbered layer or block open on the launching thread at the launch.",
)
