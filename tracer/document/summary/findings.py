"""What is worth knowing."""

from __future__ import annotations

from typing import Any

import msgspec


class Gain(msgspec.Struct, frozen=True, kw_only=True):
    """What heeding a finding would save: an estimate, never a measurement.

    Attributes:
        time_ns: saved.
        of_ns: of this.
        of: what `of_ns` is the time of: "a request", "a request, partly under the profiler", "the trace", or in words.
        basis: how it was estimated.
        at_most: whether it is an upper bound; else what `basis` would save, if that were done.
    """

    time_ns: int
    of_ns: int
    of: str
    basis: str
    at_most: bool = True


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something worth knowing, with what it rests on.

    Attributes:
        id: stable name of the rule.
        severity: "info", "warning" or "error".
        message: one sentence with its figures.
        evidence: the figures by name.
        rule: when it is raised.
        next_step: what to do first.
        gain: what that would save, where it can be estimated.
    """

    id: str
    severity: str
    message: str
    evidence: dict[str, Any]
    rule: str = ""
    next_step: str = ""
    gain: Gain | None = None
