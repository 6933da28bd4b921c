"""What stages hold of the device's memory without a profiler, as in the summary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracer.document.summary import Footprint
from tracer.tables.documented import column
from tracer.tables.table import FLOAT, TEXT, Column, Table

if TYPE_CHECKING:
    from tracer.document.summary import Summary
    from tracer.summarize import Charged

_OF_STAGE = ("stage", "start_bytes", "peak_bytes", "end_bytes", "needs_bytes", "reserved_bytes", "unused_bytes")
_OF_ALL = (
    "before_bytes", "weight_bytes", "kv_token_bytes", "kv_token_expected_bytes", "device_bytes", "outside_bytes",
)  # fmt: skip


def _rows(_: Charged, summary: Summary) -> dict[str, Any]:
    found = summary.footprint
    if not isinstance(found, Footprint):
        return {name: [] for name in (*_OF_STAGE, *_OF_ALL)}
    return {
        **{name: column(found.stages, name) for name in _OF_STAGE},
        **{name: [getattr(found, name)] * len(found.stages) for name in _OF_ALL},
    }


TABLE = Table(
    meaning="a stage of the request in which its peak was highest, by the allocator's counters in the clean pass",
    key=("stage",),
    columns=(
        Column("stage", "its name", TEXT),
        Column("start_bytes", "allocated where it begins"),
        Column("peak_bytes", "the most inside it"),
        Column("end_bytes", "allocated where it ends"),
        Column("needs_bytes", "its peak above its start"),
        Column("reserved_bytes", "the most that the allocator held of the device"),
        Column("unused_bytes", "of what it held at the end, what nothing was allocated in"),
        Column("before_bytes", "of the recording, alike in each row: allocated before a request"),
        Column("weight_bytes", "likewise: all parameters"),
        Column("kv_token_bytes", "likewise: by which a token makes it grow, measured", FLOAT),
        Column("kv_token_expected_bytes", "likewise: by the model's configuration"),
        Column("device_bytes", "likewise: what the device has"),
        Column("outside_bytes", "likewise: in use and not the allocator's"),
    ),
    rows=_rows,
)
