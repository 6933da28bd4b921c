"""The summary document: what `tracer summarize --format json` writes and every report reads.

Schema `tracer.summary/2`. Keys may be added; none changes its meaning without a new schema number. Times are
integer nanoseconds; those of devices are summed over devices.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from tracer.document.summary.abstained import Abstained
from tracer.document.summary.breakdown import Breakdown
from tracer.document.summary.coverage import Coverage
from tracer.document.summary.decoding import Decoding
from tracer.document.summary.device import DeviceTotals
from tracer.document.summary.drafting import Drafting
from tracer.document.summary.energy import Energy
from tracer.document.summary.findings import Finding
from tracer.document.summary.joint import Joint
from tracer.document.summary.latency import Latency, RequestLatency
from tracer.document.summary.launching import Launching
from tracer.document.summary.lost import Lost
from tracer.document.summary.memory import Footprint, Memory
from tracer.document.summary.ranges import Rangeless, RangeRow
from tracer.document.summary.roofline import Roofline
from tracer.document.summary.runs import RunTime
from tracer.document.summary.serving import Serving
from tracer.document.summary.speculation import Speculation
from tracer.document.summary.stages import RoleStage, Stage, Token
from tracer.document.summary.threads import HostThread
from tracer.document.summary.trace import TraceInfo, Window

SCHEMA = "tracer.summary/2"
# Documents of these are read as well. In the first, idle time between requests was charged to the stage of the next op.
READ = ("tracer.summary/1", SCHEMA)


class Summary(msgspec.Struct, frozen=True, kw_only=True, rename={"schema_": "schema"}):
    """The whole document.

    `requests` are those without a profiler, in their order; `coverage` names stages that are recorded in part;
    `abstained` what was not answered; `rangeless` what the table of ranges cannot hold; `serving` is there where the
    stages are a serving engine's steps; `threads` are those that launched device work; `memory` is absent where no
    allocator reported it, `lost` where no work was launched and not recorded; `speculation` is there where one model
    drafts and another checks, `drafting` where `tracer record` recorded both, `joint` where several models work at
    once, and `roles` has each one's stages;
    `launching` where a recording of ours has stages whose device waits for the host.
    `footprint` is what a recording holds of its device's memory without a profiler, `energy` what it costs; each is
    absent where that was not measured.
    """

    schema_: str
    trace: TraceInfo
    window: Window
    device: DeviceTotals
    stages: list[Stage]
    tokens: list[Token]
    ranges: list[RangeRow]
    latency: Latency | None
    findings: list[Finding]
    run: dict[str, Any] | None = None
    decoding: Decoding | None = None
    roofline: Roofline | None = None
    breakdown: Breakdown | None = None
    budget: list[RunTime] = []
    requests: list[RequestLatency] = []
    coverage: list[Coverage] = []
    abstained: list[Abstained] = []
    rangeless: Rangeless | None = None
    serving: Serving | None = None
    threads: list[HostThread] = []
    lost: Lost | UnsetType = UNSET
    memory: Memory | UnsetType = UNSET
    footprint: Footprint | UnsetType = UNSET
    energy: Energy | UnsetType = UNSET
    speculation: Speculation | None = None
    drafting: Drafting | None = None
    joint: Joint | None = None
    roles: list[RoleStage] = []
    launching: Launching | None = None


def encode(summary: Summary) -> bytes:
    """The document as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(summary), indent=2) + b"\n"


def decode(data: bytes) -> Summary:
    """Read a saved document.

    Raises:
        msgspec.MsgspecError: it is no summary of this schema.
    """
    summary = msgspec.json.decode(data, type=Summary)
    if summary.schema_ not in READ:
        raise msgspec.ValidationError(f"schema {summary.schema_!r} instead of {SCHEMA!r}")
    return summary
