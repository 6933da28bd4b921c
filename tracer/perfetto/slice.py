"""Cutting a part out of a Chrome trace: some stages of some requests, with all that their figures rest on."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tracer.charge.lost import find_lost
from tracer.charge.spans import self_times
from tracer.charge.stages.find import find_stages
from tracer.charge.work import work_of
from tracer.choices import Choices
from tracer.document.errors import InputError
from tracer.measure.counts import count
from tracer.measure.runs import runs_of
from tracer.perfetto.annotate import check_chrome
from tracer.perfetto.asked import choose, rows_of, with_inner
from tracer.perfetto.files import writer
from tracer.perfetto.kept import kept_of
from tracer.perfetto.parted import write_part
from tracer.summarize import read
from tracer.trace.source import Source
from tracer.trace.unread import refuse_unread

if TYPE_CHECKING:
    from collections.abc import Collection

    from tracer.arrays import I64
    from tracer.charge.stages.ranges import StageRanges
    from tracer.charge.work import Work
    from tracer.perfetto.asked import Asked
    from tracer.trace.columns import Trace


def cut_out(path: Path, output: Path, asked: Asked, choices: Choices, *, drop: Collection[str] = ()) -> int:
    """Write a part of a trace, and check that it says of its stages what the whole says.

    Args:
        path: of the trace.
        output: the file to write; packed if it ends in `.gz`.
        asked: which part.
        choices: as for a summary of the trace.
        drop: categories of events to leave out.

    Returns:
        How many stage ranges are in it.

    Raises:
        InputError: it is no Chrome trace, has no such part, or the part would say something else than the whole.
    """
    with Source(path, choices.limits) as source:
        trace = read(source, choices)
        check_chrome(source, trace)
        refuse_unread(trace)
        ranges = find_stages(trace, choices.patterns)
        try:
            chosen = rows_of(with_inner(ranges, choose(ranges, asked)))
        except InputError as error:
            raise InputError(f"{source.name}: {error}") from None
        work = work_of(trace, ranges)
        lost = find_lost(trace, ranges, work)
        kept = kept_of(trace, ranges, work, lost, chosen, f"{asked.words} of {Path(source.name).name}")
        expected = _figures(trace, ranges, work)[:, chosen]
        try:
            # Read again before it is there: a part that says something else must never be.
            with tempfile.TemporaryDirectory(prefix=".tracer-", dir=output.parent) as folder:
                draft = Path(folder) / output.name
                with writer(draft) as file:
                    write_part(source, file, kept, frozenset(drop), choices.jobs)
                _check(draft, expected, source.name)
                draft.replace(output)
        except OSError as error:
            raise InputError(f"{output}: {error.strerror or error}") from None
    return len(chosen)


def _figures(trace: Trace, ranges: StageRanges, work: Work) -> I64:
    """All figures that a summary adds up, a row of each kind and a column of each stage range."""
    runs, counts = runs_of(ranges, work, trace.manifest), count(trace, ranges, work)
    columns = [runs.ops, runs.time_ns, runs.busy_ns, runs.host_ns, runs.sync_ns, runs.launch_ns, runs.unknown_ns]
    columns += [counts.launches, counts.graphs, counts.kernels, counts.waits, counts.wait_ns]
    columns += [counts.to_device_bytes, counts.to_host_bytes, ranges.start_ns, ranges.end_ns, self_times(ranges)]
    return np.stack(columns)


def _check(path: Path, expected: I64, name: str) -> None:
    with Source(path) as source:
        trace = read(source, Choices())
        ranges = find_stages(trace)
        found = _figures(trace, ranges, work_of(trace, ranges)) if len(ranges) else expected[:, :0]
    if found.shape != expected.shape or not (found == expected).all():
        raise InputError(
            f"{name}: cut out, this part would have other figures than in the whole (clocks that are off, or events "
            "that were dropped); nothing was written"
        )
