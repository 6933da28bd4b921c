"""The summary document, a file for each part; see `whole`."""

from tracer.document.summary.abstained import (
    IN_GRAPHS,
    MARKS,
    UNMARKED,
    UNMEASURED,
    UNREAD,
    WAITING,
    Abstained,
    gathered,
)
from tracer.document.summary.breakdown import Breakdown, BreakdownRow, LaunchedAs
from tracer.document.summary.coverage import Coverage
from tracer.document.summary.decoding import Decoding, Outlier, Slope
from tracer.document.summary.device import (
    Between,
    Counts,
    DeviceTime,
    DeviceTotals,
    Idle,
    Kernel,
    Reason,
    Unattributed,
)
from tracer.document.summary.drafting import Drafting, SweepRow, WayRow
from tracer.document.summary.energy import DeviceCondition, Energy, Joules, StageEnergy
from tracer.document.summary.findings import Finding, Gain
from tracer.document.summary.host import HostRow, HostTime
from tracer.document.summary.joint import Alone, Joint, JointRole, LaunchingThread
from tracer.document.summary.latency import (
    MEAN,
    MEDIAN,
    Latency,
    Percentiles,
    RequestLatency,
    SampleLatency,
    Statistic,
    measures,
)
from tracer.document.summary.launching import CODE, MACHINE, MUCH, Launching, StageLaunches
from tracer.document.summary.lost import Lost, LostOps
from tracer.document.summary.memory import Allocation, DeviceMemory, Footprint, Memory, StageFootprint, StageMemory
from tracer.document.summary.prediction import Prediction, PricedLength, PricedSpeculation, StagePrediction
from tracer.document.summary.ranges import Rangeless, RangeRow
from tracer.document.summary.roofline import PassWork, Roofline, StageRoofline, VisualToken
from tracer.document.summary.runs import RunTime
from tracer.document.summary.serving import (
    Attention,
    BatchGroup,
    EngineStep,
    Held,
    IdleBetweenSteps,
    Phase,
    Serving,
    Spread,
    SteadyPart,
)
from tracer.document.summary.speculation import (
    MOST_ROUNDS,
    BeforePrefill,
    Check,
    RoleWork,
    Round,
    Speculation,
    Waiting,
)
from tracer.document.summary.stages import RoleStage, Stage, Token
from tracer.document.summary.threads import HostThread
from tracer.document.summary.trace import PASSES, TOKENS, DeviceRef, TraceInfo, Window
from tracer.document.summary.whole import SCHEMA, Summary, decode, encode

__all__ = [
    "CODE",
    "IN_GRAPHS",
    "MACHINE",
    "MARKS",
    "MEAN",
    "MEDIAN",
    "MOST_ROUNDS",
    "MUCH",
    "PASSES",
    "SCHEMA",
    "TOKENS",
    "UNMARKED",
    "UNMEASURED",
    "UNREAD",
    "WAITING",
    "Abstained",
    "Allocation",
    "Alone",
    "Attention",
    "BatchGroup",
    "BeforePrefill",
    "Between",
    "Breakdown",
    "BreakdownRow",
    "Check",
    "Counts",
    "Coverage",
    "Decoding",
    "DeviceCondition",
    "DeviceMemory",
    "DeviceRef",
    "DeviceTime",
    "DeviceTotals",
    "Drafting",
    "Energy",
    "EngineStep",
    "Finding",
    "Footprint",
    "Gain",
    "Held",
    "HostRow",
    "HostThread",
    "HostTime",
    "Idle",
    "IdleBetweenSteps",
    "Joint",
    "JointRole",
    "Joules",
    "Kernel",
    "Latency",
    "LaunchedAs",
    "Launching",
    "LaunchingThread",
    "Lost",
    "LostOps",
    "Memory",
    "Outlier",
    "PassWork",
    "Percentiles",
    "Phase",
    "Prediction",
    "PricedLength",
    "PricedSpeculation",
    "RangeRow",
    "Rangeless",
    "Reason",
    "RequestLatency",
    "RoleStage",
    "RoleWork",
    "Roofline",
    "Round",
    "RunTime",
    "SampleLatency",
    "Serving",
    "Slope",
    "Speculation",
    "Spread",
    "Stage",
    "StageEnergy",
    "StageFootprint",
    "StageLaunches",
    "StageMemory",
    "StagePrediction",
    "StageRoofline",
    "Statistic",
    "SteadyPart",
    "Summary",
    "SweepRow",
    "Token",
    "TraceInfo",
    "Unattributed",
    "VisualToken",
    "Waiting",
    "WayRow",
    "Window",
    "decode",
    "encode",
    "gathered",
    "measures",
]
