"""A summary as rows of the store's tables."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tracer.document.summary import UNREAD, Lost
from tracer.fleet.columns import TABLES, schema
from tracer.kernels.categories import categorise
from tracer.tables.arrow import arrow_tables, storable
from tracer.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import date

    from tracer.document.summary import Stage, Summary

OF_SUMMARY = ("stages", "tokens", "findings")
# The model and the machine, where the trace does not name them.
MODEL, MACHINE = "model", "machine"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What is known of a trace before it is read.

    Attributes:
        run: the hash of its bytes.
        date, date_from: the day that it is filed under, and what says so.
        path: where it is.
        size_bytes: of it.
        read_ns: processor time that reading took.
        tags: as given.
    """

    run: str
    date: date
    date_from: str
    path: str
    size_bytes: int | None
    read_ns: int
    tags: Mapping[str, str] = field(default_factory=dict)


def rows_of(summary: Summary, origin: Origin) -> dict[str, Any]:
    """Each table of the store as a `pyarrow.Table`, with the rows that one trace has in it."""
    import pyarrow as pa

    found = arrow_tables(None, summary, OF_SUMMARY)
    taken = {one.stage: one for one in summary.budget}
    found["stages"] = _with(
        found["stages"],
        role=[stage.role for stage in summary.stages],
        runs=[stage.runs for stage in summary.stages],
        run_ns=[
            _run_ns(stage, taken[stage.stage].step_ns if stage.stage in taken else None) for stage in summary.stages
        ],
        clean=[taken[stage.stage].clean if stage.stage in taken else False for stage in summary.stages],
    )
    found["kernels"] = pa.Table.from_pylist(list(_kernels(summary)), schema("kernels"))
    of_run = {name: _of(table, origin, name) for name, table in found.items()}
    return {"runs": _runs(origin, _described(summary, origin)), **of_run}


def rows_of_failure(error: str, origin: Origin) -> dict[str, Any]:
    """The same of a file that could not be read: one row, with its error."""
    empty = {name: schema(name).empty_table() for name in TABLES if name != "runs"}
    return {"runs": _runs(origin, {"error": error, "machine": origin.tags.get(MACHINE)}), **empty}


def _run_ns(stage: Stage, step_ns: float | None) -> float | None:
    """What one run takes; of a stage that is in no budget, in the trace."""
    if step_ns is not None or stage.took_ns is None or not stage.runs:
        return step_ns
    return stage.took_ns / stage.runs


def _runs(origin: Origin, said: dict[str, Any]) -> Any:
    import pyarrow as pa

    tags = [(storable(key), storable(value)) for key, value in origin.tags.items()]
    row = {
        **said, "run": origin.run, "date": origin.date, "date_from": origin.date_from, "path": origin.path,
        "size_bytes": origin.size_bytes, "tags": tags, "tracer": __version__,
        "read_ns": origin.read_ns,
    }  # fmt: skip
    row = {name: storable(value) if isinstance(value, str) else value for name, value in row.items()}
    return pa.Table.from_pylist([row], schema("runs"))


def _described(summary: Summary, origin: Origin) -> dict[str, Any]:
    trace, device, run, latency = summary.trace, summary.device, summary.run or {}, summary.latency
    software = run.get("software")
    software = {str(key): str(value) for key, value in software.items()} if isinstance(software, dict) else {}
    versions = {**trace.versions, **software}
    clean = latency if latency is not None and latency.source == "clean" else None
    texts = {name: _text(run.get(name)) for name in ("model", "size", "dtype", "decode")}
    unread = any(one.what == UNREAD for one in summary.abstained)
    # What the device did is known in part, or not at all.
    unknown = unread or isinstance(summary.lost, Lost)
    counts = ("batch_size", "frames", "visual_tokens", "prompt_tokens", "new_tokens")
    return {
        **texts,
        **{name: _count(run.get(name)) for name in counts},
        "model": texts["model"] or origin.tags.get(MODEL),
        "format": trace.format,
        "producer": trace.producer,
        "markers": trace.markers,
        "torch": versions.get("torch"),
        "cuda": versions.get("cuda"),
        "driver": versions.get("driver") or versions.get("cuda_driver"),
        "versions": [(storable(key), storable(value)) for key, value in sorted(versions.items())],
        "gpu": _gpus(summary),
        "devices": len(trace.devices),
        "machine": trace.host or origin.tags.get(MACHINE),
        "events": trace.events,
        "ops": None if unread else device.ops,
        "device_time_ns": None if unknown else device.time_ns,
        "busy_ns": None if unknown else device.busy_ns,
        "idle_ns": None if unknown else device.idle_ns,
        "window_ns": summary.window.end_ns - summary.window.start_ns,
        "requests": clean and clean.requests,
        "request_ns": clean and clean.request_ns,
        "ttft_ns": clean and clean.ttft_ns,
        "tpot_ns": clean and clean.tpot_ns,
        "lost_launches": summary.lost.launches if isinstance(summary.lost, Lost) else 0,
        "abstained": len(summary.abstained),
        "warnings": "\n".join(trace.warnings) or None,
    }


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _count(value: object) -> int | None:
    """A count that the recording knows: it writes 0 of what it does not."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1 << 62 else None


def _gpus(summary: Summary) -> str | None:
    """ "NVIDIA H100 80GB HBM3 x2"; of a CPU run, what the recording calls it."""
    names = sorted(device.name for device in summary.trace.devices)
    if summary.device.kind != "gpu" or not all(names):
        names = []
    each = [f"{name} x{count}" if count > 1 else name for name, count in Counter(names).items()]
    return ", ".join(each) or _text((summary.run or {}).get("device"))


def _kernels(summary: Summary) -> Iterator[dict[str, Any]]:
    for stage in summary.stages:
        for kernel in stage.kernels or ():
            yield _kernel(kernel.name, kernel.count, kernel.time_ns, stage.stage, stage.runs)
    if summary.stages or isinstance(summary.lost, Lost):
        return
    for kernel in summary.device.kernels or ():
        yield _kernel(kernel.name, kernel.count, kernel.time_ns, None, None)


def _kernel(name: str, count: int, time_ns: int, stage: str | None, runs: int | None) -> dict[str, Any]:
    named = {"stage": stage, "name": storable(name), "category": categorise(name)}
    return {**named, "count": count, "time_ns": time_ns, "runs": runs}


def _with(table: Any, **columns: list[Any]) -> Any:
    import pyarrow as pa

    for name, values in columns.items():
        wanted = schema("stages").field(name)
        table = table.append_column(wanted, pa.array(values, wanted.type))
    return table


def _of(table: Any, origin: Origin, name: str) -> Any:
    """The rows with their run in front, in the store's types: dictionaries are a matter of files."""
    import pyarrow as pa

    wanted = schema(name)
    count = table.num_rows
    own = [pa.array([origin.run] * count, pa.string()), pa.array([origin.date] * count, pa.date32())]
    columns = [*own, *[table.column(one).cast(wanted.field(one).type) for one in wanted.names[2:]]]
    return pa.table(columns, schema=wanted)
