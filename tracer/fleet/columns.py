"""The tables of a store: their columns, and what each means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tracer.tables.table import FLAG, FLOAT, INTEGER, TEXT, Column, tables

DATE, TEXTS = "date", "texts by name"
RUN = Column("run", "the trace, by the hash of its bytes", TEXT)
DAY = Column("date", "as of `runs`: also the folder that the row lies in", DATE)


@dataclass(frozen=True, slots=True)
class StoreTable:
    """One table of a store.

    Attributes:
        meaning: what a row is.
        key: the columns that tell its rows apart.
        columns: all of them, in order.
    """

    meaning: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]


def _of_trace(name: str, key: tuple[str, ...], *more: Column) -> StoreTable:
    """A table that a single trace has too, with its run."""
    one = tables()[name]
    return StoreTable(f"{one.meaning}, of one run", ("run", *key), (RUN, DAY, *one.columns, *more))


# A run is measured without a profiler, or its trace is all there is; figures of both kinds are never held together.
STAGE_MORE = (
    Column("role", "which of several models works in it", TEXT),
    Column("runs", "of the stage: all calls in one request are one; decode has one a step"),
    Column("run_ns", "what one of those takes: without a profiler where that was measured, else in the trace", FLOAT),
    Column("clean", "whether it was measured without a profiler", FLAG),
)
RUNS = StoreTable(
    "a trace that was read, or could not be",
    ("run",),
    (
        RUN,
        Column("date", "the day (UTC) of the trace, else of its file; `date_from` says which", DATE),
        Column("date_from", "trace, file, given, or reading: where nothing else tells, the day it was read", TEXT),
        Column("path", "where it was when it was read; of several files with the same bytes, the first", TEXT),
        Column("size_bytes", "of the file"),
        Column("error", "why it could not be read; null if it was", TEXT),
        Column("format", "chrome or nsight", TEXT),
        Column("producer", "what wrote it", TEXT),
        Column("markers", "whose ranges gave the stages", TEXT),
        Column("model", "as the recording says; else the tag `model`", TEXT),
        Column("size", "of the model, as the recording says", TEXT),
        Column("dtype", "of the weights, likewise", TEXT),
        Column("decode", "how it decoded, likewise: eager, static, ...", TEXT),
        Column("batch_size", "sequences of a request, likewise"),
        Column("frames", "of each sequence"),
        Column("visual_tokens", "of each sequence"),
        Column("prompt_tokens", "of each sequence"),
        Column("new_tokens", "of each sequence"),
        Column("torch", "its version", TEXT),
        Column("cuda", "the version of CUDA that it was built with or ran on", TEXT),
        Column("driver", "the driver's version; where only that is said, the CUDA that it can do", TEXT),
        Column("versions", "all versions that the trace names, by name", TEXTS),
        Column("gpu", "names of the devices that worked, with how many of each", TEXT),
        Column("devices", "how many worked"),
        Column("machine", "its name, as the trace says it; else the tag `machine`", TEXT),
        Column("tags", "as given when it was read, by name", TEXTS),
        Column("events", "in the file"),
        Column("ops", "device ops"),
        Column("device_time_ns", "their durations added up"),
        Column("busy_ns", "time in which anything ran"),
        Column("idle_ns", "gaps between"),
        Column("window_ns", "from the first work to the last"),
        Column("requests", "measured without a profiler"),
        Column("request_ns", "what one takes, median, without a profiler"),
        Column("ttft_ns", "to the end of prefill, median, without a profiler"),
        Column("tpot_ns", "a later token, median, without a profiler"),
        Column("lost_launches", "launches without their device ops"),
        Column("abstained", "questions that its summary left open"),
        Column("warnings", "what was read around, one a line", TEXT),
        Column("tracer", "the version that read it", TEXT),
        Column("read_ns", "processor time that reading it took"),
    ),
)
KERNELS = StoreTable(
    "a kernel (or copy, or fill) in a stage of one run",
    ("run", "stage", "name"),
    (
        RUN,
        DAY,
        Column("stage", "null where the trace has no stages", TEXT),
        Column("name", "as the profiler wrote it", TEXT),
        Column("category", "kind of work by its name: gemm, attention, ...", TEXT),
        Column("count", "in all runs of the stage"),
        Column("time_ns", "their durations added up"),
        Column("runs", "of the stage; null without stages"),
    ),
)
TABLES = {
    "runs": RUNS,
    "stages": _of_trace("stages", ("stage",), *STAGE_MORE),
    "tokens": _of_trace("tokens", ("request", "token")),
    "kernels": KERNELS,
    "findings": _of_trace("findings", ("id",)),
}


def schema(name: str) -> Any:
    """A table's `pyarrow.Schema`."""
    import pyarrow as pa

    types = {
        INTEGER: pa.int64(), FLOAT: pa.float64(), FLAG: pa.bool_(), TEXT: pa.string(), DATE: pa.date32(),
        TEXTS: pa.map_(pa.string(), pa.string()),
    }  # fmt: skip
    return pa.schema([pa.field(one.name, types[one.type]) for one in TABLES[name].columns])
