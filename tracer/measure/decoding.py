"""Decode steps beside each other: how they grow with the cache, which ones stand out and why, drift over requests."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int64
from tracer.document.summary import Decoding, Outlier, Slope
from tracer.statistics.robust import far_above, median, theil_sen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracer.document.manifest import Manifest
    from tracer.document.summary import Token

# A step stands out when it is this many robust standard deviations and this share above the median.
OUTLYING_DEVIATIONS = 5.0
OUTLYING_SHARE = 0.1
FEWEST_STEPS = 8
MOST_OUTLIERS = 20
CAUSES = ("device", "host", "sync", "launch", "unknown")


def describe(tokens: Sequence[Token], manifest: Manifest | None) -> Decoding | None:
    """Describe the decode steps; None without steps that are numbered inside known requests."""
    requests = [list(steps) for _, steps in groupby(tokens, key=lambda token: token.request)]
    if not tokens or tokens[0].request < 0:
        return None
    prompt = None if manifest is None else manifest.shape.visual_tokens + manifest.shape.prompt_tokens
    return Decoding(
        steps=len(tokens),
        requests=len(requests),
        kv_tokens=[]
        if prompt is None
        else [prompt + min(t.index for t in tokens), prompt + max(t.index for t in tokens)],
        device_time_ns=round(median(_column(tokens, "device_time_ns"))),
        growth=_growth(requests),
        drift=_drift(requests),
        outliers=_outliers(tokens),
    )


def _growth(requests: Sequence[Sequence[Token]]) -> Slope | None:
    """Device time per token of KV cache, which grows by one a step: so the token's index will do."""
    if max(map(len, requests)) < FEWEST_STEPS:
        return None
    points = [(_column(steps, "index"), _column(steps, "device_time_ns")) for steps in requests]
    return _slope(points)


def _drift(requests: Sequence[Sequence[Token]]) -> Slope | None:
    """Device time of the same decode steps from one request to the next."""
    shared = set.intersection(*({token.index for token in steps} for steps in requests))
    if len(requests) < FEWEST_STEPS or not shared:
        return None
    times = [sum(token.device_time_ns for token in steps if token.index in shared) for steps in requests]
    return _slope([(np.arange(len(times)), int64(times))])


def _slope(points: Sequence[tuple[np.ndarray, np.ndarray]]) -> Slope | None:
    found = theil_sen(points)
    return None if found is None else Slope(ns=found.value, low_ns=found.low, high_ns=found.high)


def _outliers(tokens: Sequence[Token]) -> list[Outlier]:
    """The steps that take far longer than the others, each with the part of it that grew most.

    A step's time is busy and idle as charged: all of the device's time between the end of the step before and its own.
    """
    if len(tokens) < FEWEST_STEPS:
        return []
    parts = np.array([_parts(token) for token in tokens], dtype=np.int64)
    total = parts.sum(axis=1)
    typical = median(parts)
    found = far_above(total, deviations_apart=OUTLYING_DEVIATIONS, at_least=OUTLYING_SHARE)
    found = found[np.argsort(-total[found], kind="stable")][:MOST_OUTLIERS]
    return [
        Outlier(
            request=tokens[row].request,
            index=tokens[row].index,
            time_ns=int(total[row]),
            excess_ns=round(total[row] - median(total)),
            cause=CAUSES[int(np.argmax(parts[row] - typical))],
        )
        for row in found.tolist()
    ]


def _parts(token: Token) -> tuple[int, ...]:
    idle = token.idle
    return token.busy_ns, idle.host_ns, idle.sync_ns, idle.launch_ns, idle.unknown_ns


def _column(steps: Sequence[Token], name: str) -> np.ndarray:
    return int64([getattr(token, name) for token in steps])
