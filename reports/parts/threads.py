"""Of a trace whose stages nothing marks: the host threads that launched its work, and how to get marks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.blocks import Block, Column, Element, Row, Sentence, Table, block, line, note
from reports.palette import NONE
from reports.parts.words import known, share_of_all
from tracer.document.summary import MARKS

if TYPE_CHECKING:
    from reports.asked import Asked
    from tracer.document.summary import HostThread, Summary

TOP = 8
RECORDED = {True: "calls alone", False: "yes", None: NONE}


def part(summary: Summary, _: Asked) -> Block | None:
    """A row a thread, and what to do."""
    told = next((one for one in summary.abstained if one.what == (MARKS if summary.stages else "stages")), None)
    if told is None:
        return None
    return block(
        "no marks" if summary.stages else "no stages",
        line(told.reason),
        line(f"to get some: {told.next_step}"),
        *_threads(summary.threads, summary),
    )


def _threads(threads: list[HostThread], summary: Summary) -> list[Element]:
    if not threads:
        return []
    columns = [
        Column("thread", right=False, named=True),
        Column("process", right=False, named=True, rank=2),
        Column("launches", rank=1),
        Column("ops", rank=3),
        Column("device"),
        Column("share", rank=4),
        Column("recorded", right=False),
    ]
    rows = [
        Row(
            [
                row.thread,
                row.process,
                f"{row.launches:,}",
                f"{row.ops:,}",
                known(row.device_time_ns),
                NONE if row.device_time_ns is None else share_of_all(row.device_time_ns, summary),
                RECORDED[row.silent],
            ]
        )
        for row in threads[:TOP]
    ]
    says = note(
        "The host threads that launched, with the work they asked for.",
        Sentence("recorded", "recorded: whether the file has operators, ranges or frames of the thread."),
        "unknown: launches of it lack device ops." if any(row.lost for row in threads[:TOP]) else "",
        f"{len(threads) - TOP:,} more in --format json." if len(threads) > TOP else "",
    )
    return [Table(columns, rows), says]
