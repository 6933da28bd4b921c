"""`clock-or-thermal-drift`: the device itself gets slower, or faster, from request to request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracer.findings.rule import STEPS, Found, Rule

if TYPE_CHECKING:
    from tracer.document.recorded_energy import DeviceState
    from tracer.findings.evidence import Evidence

CHANGE = 0.03

FINDING = Rule(
    id="clock-or-thermal-drift",
    severity="warning",
    rule=(
        "the same decode steps take ever longer, or ever shorter, on the device from request to request: the 95 % "
        "interval of the slope leaves out zero, and the change is more than 3 %"
    ),
    reason="The work is the same, so the device's clock is not: power, heat, or another user of the device.",
    next_step="lock the clocks (nvidia-smi -lgc) or let the device warm up before measuring",
    rests_on=STEPS,
    rank=170,
)


def find(evidence: Evidence) -> Found | None:
    """How much the same steps change over the requests."""
    decoding = evidence.decoding
    if decoding is None or decoding.drift is None or not evidence.on_gpu:
        return None
    slope = decoding.drift
    steps_ns = decoding.device_time_ns * decoding.steps / decoding.requests
    change = slope.ns * (decoding.requests - 1) / steps_ns if steps_ns else 0.0
    if not (slope.low_ns > 0 or slope.high_ns < 0) or abs(change) <= CHANGE:
        return None
    return Found(
        f"the same decode steps changed by {change:+.1%} on the device over {decoding.requests} requests"
        + _meanwhile(evidence)
        + evidence.of_steps,
        {"change": change, "ns_per_request": slope.ns, "low_ns": slope.low_ns, "high_ns": slope.high_ns}
        | _read(evidence),
    )


def _profiled(evidence: Evidence) -> list[DeviceState]:
    """Clocks and heat behind each request of the profiled pass, where they were read (`record --energy`)."""
    recorded = None if evidence.manifest is None else evidence.manifest.energy
    return [] if recorded is None else [state for state in recorded.states if state.during == "profiled"]


def _meanwhile(evidence: Evidence) -> str:
    states = _profiled(evidence)
    clocks = [state.sm_mhz for state in states if state.sm_mhz is not None]
    if len(clocks) < 2:
        return ""
    said = f"; meanwhile its clock went from {clocks[0]:,} to {clocks[-1]:,} MHz"
    heat = [state.celsius for state in states if state.celsius is not None]
    why = list(dict.fromkeys(reason for state in states for reason in state.limited_by))
    said += f" at up to {max(heat)} °C" if heat else ""
    return said + (f", limited by {', '.join(why)}" if why else "")


def _read(evidence: Evidence) -> dict[str, Any]:
    clocks = [state.sm_mhz for state in _profiled(evidence) if state.sm_mhz is not None]
    return {"sm_mhz": clocks} if clocks else {}
