"""Where and when an export of Nsight Systems was recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.document.errors import InputError
from tracer.trace.names import cut
from tracer.trace.origin import Origin, dotted

if TYPE_CHECKING:
    from tracer.trace.nsight.database import Database

START, ENVIRONMENT = "TARGET_INFO_SESSION_START_TIME", "TARGET_INFO_SYSTEM_ENV"


def read_origin(database: Database) -> Origin:
    """What the export says; its times count from the session's start. Damaged tables say nothing."""
    try:
        (started,) = database.integers(START, ("utcEpochNs",))
        names = database.texts(ENVIRONMENT, "name")
        values = database.texts(ENVIRONMENT, "value", len(names)) or [None] * len(names)
    except InputError:
        return Origin()
    said = {name: cut(value) for name, value in zip(names, values, strict=True) if name and value}
    versions = {"driver": said.get("NvDriverVersion", ""), "cuda_driver": dotted(said.get("CudaDriverVersion", ""))}
    return Origin(
        base_ns=int(started[0]) if len(started) else None,
        versions={name: version for name, version in versions.items() if version},
        host=said.get("Hostname", ""),
    )
