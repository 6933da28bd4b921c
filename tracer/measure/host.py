"""The host's time by layer, as the document says it, of stages and of decode steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from tracer.arrays import int64
from tracer.charge.layers import Layer, layers_of, operators_known
from tracer.document.names import DECODE
from tracer.document.summary import HostTime
from tracer.measure.tokens import steps_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracer.arrays import I64
    from tracer.charge.layers import Layers
    from tracer.document.summary import Stage, Token
    from tracer.measure.runs import Runs
    from tracer.trace.columns import Trace


def host_layers(trace: Trace, runs: Runs) -> Layers | None:
    """The layers of each stage range; None where the trace does not tell them, or was not read for them.

    Of a CPU's run operators are the work itself, and no cost of asking for it.
    """
    if not runs.work.on_device or not len(runs) or not len(trace.calls):
        return None
    return layers_of(trace, runs.ranges) if operators_known(trace) or trace.format == "nsight" else None


def with_host(
    stages: Sequence[Stage], tokens: Sequence[Token], layers: Layers | None, runs: Runs, slowed: Mapping[str, float]
) -> tuple[list[Stage], list[Token]]:
    """Stages and decode steps with what is known of their host.

    Args:
        stages, tokens: as `stage_rows` and `token_rows` make them.
        layers: of the stage ranges.
        runs: the same ranges.
        slowed: how many times longer each stage takes under the profiler.
    """
    if layers is None:
        return list(stages), list(tokens)
    steps = steps_of(runs)
    return [
        msgspec.structs.replace(one, host=host_time(layers, runs.of(one.stage), slowed.get(one.stage)))
        for one in stages
    ], [
        msgspec.structs.replace(one, host=host_time(layers, int64([step]), slowed.get(DECODE)))
        for one, step in zip(tokens, steps.tolist(), strict=True)
    ]


def host_time(layers: Layers, own: I64, slowed: float | None = None) -> HostTime:
    """The sums over some ranges."""
    sums = layers.time_ns[own].sum(axis=0)
    told = bool(layers.told[own].all())
    rest = int(sums[Layer.DISPATCH] + sums[Layer.PYTHON])
    return HostTime(
        launch_ns=int(sums[Layer.LAUNCH]),
        copy_ns=int(sums[Layer.COPY]),
        sync_ns=int(sums[Layer.SYNC]),
        blocked_ns=int(sums[Layer.BLOCKED]),
        dispatch_ns=int(sums[Layer.DISPATCH]) if told else None,
        python_ns=int(sums[Layer.PYTHON]) if told else None,
        untold_ns=0 if told else rest,
        slowed=None if slowed is None or not np.isfinite(slowed) or slowed <= 0 else slowed,
    )
