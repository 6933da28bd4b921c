"""By what the launching thread does in the stages: calls into the runtime, operators, Python by module."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import coded, int64
from tracer.charge.intervals import distinct, sum_by
from tracer.charge.layers import CALLS, Layer, host_operators, kinds_of_names, layers_of, named_layers, stopped
from tracer.charge.spans import innermost_span
from tracer.document.errors import InputError
from tracer.document.names import ALL_STAGES
from tracer.document.summary import HostRow
from tracer.measure.open_spans import class_of
from tracer.measure.ways import HostWay
from tracer.packed import pieces
from tracer.trace.api import launches
from tracer.trace.columns import Want

if TYPE_CHECKING:
    from tracer.arrays import I32, I64
    from tracer.charge.stages.ranges import StageRanges
    from tracer.charge.work import Work
    from tracer.trace.columns import Trace

WORDS = ("waiting", "copying", "launching", "held up", "operators", "Python")
# What Python calls its built-in functions: without what they are functions of by its address.
_BUILT_IN = re.compile(r"<built-in (?:function|method) (.+?)(?: object at 0x[0-9a-fA-F]+)?>")
UNTOLD = "untold"


def _rows(trace: Trace, ranges: StageRanges, work: Work) -> list[HostRow]:
    _require(trace, ranges, work)
    named, told = named_layers(trace, ranges), layers_of(trace, ranges).told
    # In one number: the stage, the layer (one more for what is not told apart) and the name, which may be -1.
    layer = int64(named.layer + (~told[named.range] & (named.layer >= Layer.DISPATCH)) * len(Layer))
    layers, width = 2 * len(Layer), len(trace.strings) + 1
    keys, key = coded(int64((ranges.stage[named.range] * layers + layer) * width + named.name + 1))
    time_ns: Counter[tuple[int, str, str]] = Counter()
    for packed, taken_ns in zip(keys.tolist(), sum_by(key, named.time_ns, len(keys)).tolist(), strict=True):
        place, name = divmod(packed, width)
        stage, of = divmod(place, layers)
        word = WORDS[of] if of < len(Layer) else UNTOLD
        time_ns[stage, word, _label(trace, of, name - 1)] += taken_ns
    counts = _counts(trace, ranges)
    rows = [
        HostRow(stage=ALL_STAGES[one[0]], layer=one[1], name=one[2], count=counts[one], time_ns=taken_ns)
        for one, taken_ns in time_ns.items()
    ]
    order = {name: place for place, name in enumerate(ALL_STAGES)}
    return sorted(rows, key=lambda row: (order[row.stage], -row.time_ns, row.layer, row.name))


def _require(trace: Trace, ranges: StageRanges, work: Work) -> None:
    """Refuse a trace whose host's time cannot be divided.

    Raises:
        InputError: it cannot.
    """
    if not work.on_device and not any(launches(trace.strings[name]) for name in distinct(trace.calls.name)):
        instead = "; where operators are the work itself: --by op" if len(trace.cpu_ops) else ""
        raise InputError(f"{trace.path}: no device work in it; nothing waits for the host{instead}")
    if not len(trace.calls):
        raise InputError(
            f"{trace.path}: no calls of the host in it for --by host; they are in a trace that was recorded with "
            "ProfilerActivity.CPU beside CUDA"
        )
    if not len(ranges):
        which = (
            "--marker STAGE=REGEX says which are" if len(trace.ranges) else "mark them (tracer.stage) and record anew"
        )
        raise InputError(f"{trace.path}: no stages in it for --by host to divide; {which}")


def _label(trace: Trace, layer: int, name: int) -> str:
    """What a name is called: of a module its class; "" without one."""
    if name < 0:
        return ""
    text = trace.strings[name]
    if layer % len(Layer) == Layer.BLOCKED:
        found = _BUILT_IN.fullmatch(text)
        return text if found is None else found[1]
    return class_of(text) if layer % len(Layer) == Layer.PYTHON else text


def _counts(trace: Trace, ranges: StageRanges) -> Counter[tuple[int, str, str]]:
    """How many calls, operators and modules begin in each stage, by stage, layer and what they are called."""
    found: Counter[tuple[int, str, str]] = Counter()
    kinds = kinds_of_names(trace)
    for table, layer in (
        (stopped(trace), Layer.BLOCKED),
        (host_operators(trace), Layer.DISPATCH),
        (trace.modules, Layer.PYTHON),
        (trace.generation, Layer.PYTHON),
        (trace.calls, None),
    ):
        # In pieces: all together take many times their own memory.
        for start_ns, thread, name in zip(*(pieces(table, one) for one in ("start_ns", "thread", "name")), strict=True):
            for one in CALLS if layer is None else (layer,):
                own = slice(None) if layer is not None else kinds[name] == one
                _count(found, trace, ranges, (start_ns[own], thread[own], name[own]), int(one))
    return found


def _count(
    found: Counter[tuple[int, str, str]], trace: Trace, ranges: StageRanges, spans: tuple[I64, I32, I32], layer: int
) -> None:
    start_ns, thread, name = spans
    place = innermost_span(ranges, start_ns, int64(thread))
    held = place >= 0
    keys, key = coded(ranges.stage[place[held]] * len(trace.strings) + name[held])
    for packed, count in zip(keys.tolist(), np.bincount(key).tolist(), strict=True):
        stage, number = divmod(packed, len(trace.strings))
        found[stage, WORDS[layer], _label(trace, layer, number)] += count


WAY = HostWay(
    rows=_rows,
    needs=Want.SUMMARY | Want.CPU_OPS | Want.MODULES,
    meaning=(
        "host: the launching thread's time in the stages, by what is innermost: calls that launch, copy or wait; "
        "operators outside such calls; Python, by class of module where stacks were recorded. held up: asleep, waiting "
        "for another thread, or off the processor, as far as stacks or recorded context switches tell it; what they do "
        "not tell, a wait for Python's own lock for one, is in the others."
    ),
)
