"""Decode steps beside each other: how they grow with the cache, which ones stand out and why, drift over requests."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int64
from tracer.document.summary import Decoding, Outlier, Slope
from tracer.measure.alike import shape_of
from tracer.measure.samples import sample_of
from tracer.statistics.robust import far_above, median, theil_sen

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from tracer.document.manifest import Manifest
    from tracer.measure.known import KnownToken

# A step stands out when it is this many robust standard deviations and this share above the median.
OUTLYING_DEVIATIONS = 5.0
OUTLYING_SHARE = 0.1
FEWEST_STEPS = 8
MOST_OUTLIERS = 20
IDLE_CAUSES = ("host", "sync", "launch", "unknown")


def describe(
    tokens: Sequence[KnownToken], manifest: Manifest | None, *, on_device: bool = True, one_each: bool = True
) -> Decoding | None:
    """Describe the decode steps; None without steps that are numbered inside known requests.

    Args:
        tokens: of the trace, those of which all work was recorded.
        manifest: of the recording, if it has one.
        on_device: whether a device worked, not a CPU's operators.
        one_each: whether each yields one token, by which the cache grows then; else its growth is not known.
    """
    requests = [list(steps) for _, steps in groupby(tokens, key=lambda token: token.request)]
    if not tokens or tokens[0].request < 0:
        return None
    cached, growth = (_cached(tokens, manifest), _growth(requests)) if one_each else ([], None)
    typical_ns = median(_column(tokens, "device_time_ns"))
    return Decoding(
        steps=len(tokens),
        requests=len(requests),
        kv_tokens=cached,
        device_time_ns=round(typical_ns),
        growth=growth,
        # All of a step that goes by the cache grows as the cache does.
        beyond_cache=growth is not None and bool(cached) and cached[0] > 0 and growth.ns > typical_ns / cached[0],
        drift=_drift(requests, manifest),
        outliers=_outliers(tokens, manifest, "device" if on_device else "operators"),
    )


def _cached(tokens: Sequence[KnownToken], manifest: Manifest | None) -> list[int]:
    """The shortest cache and the longest that a step began with, as far as the recording tells for all of them."""
    if manifest is None:
        return []
    samples = {request: sample_of(manifest, request) for request in {token.request for token in tokens}}
    if manifest.samples and min(samples.values()) < 0:
        return []
    prompts = {}
    for request, sample in samples.items():
        given = manifest.samples[sample] if manifest.samples else manifest.shape
        prompts[request] = given.visual_tokens + given.prompt_tokens
    lengths = [prompts[token.request] + token.index for token in tokens]
    return [min(lengths), max(lengths)]


def _likeness(request: int, manifest: Manifest | None) -> Hashable:
    """Equal of requests whose steps do the same; of a data set where nothing tells, a request is like no other."""
    if manifest is None or not manifest.samples:
        return None
    sample = sample_of(manifest, request)
    return (request,) if sample < 0 else shape_of(manifest, sample)


def _growth(requests: Sequence[Sequence[KnownToken]]) -> Slope | None:
    """Device time per token of KV cache, which grows by one a step: so the token's index will do."""
    if max(map(len, requests)) < FEWEST_STEPS:
        return None
    points = [(_column(steps, "index"), _column(steps, "device_time_ns")) for steps in requests]
    return _slope(points)


def _drift(requests: Sequence[Sequence[KnownToken]], manifest: Manifest | None) -> Slope | None:
    """Device time of the same decode steps of like requests, from one request to the next."""
    shared = set.intersection(*({token.index for token in steps} for steps in requests))
    if not shared:
        return None
    like: dict[Hashable, list[tuple[int, int]]] = {}
    for number, steps in enumerate(requests):
        time_ns = sum(token.device_time_ns for token in steps if token.index in shared)
        like.setdefault(_likeness(steps[0].request, manifest), []).append((number, time_ns))
    series = [points for points in like.values() if len(points) > 1]
    if sum(map(len, series)) < FEWEST_STEPS:
        return None
    return _slope([(int64([x for x, _ in points]), int64([y for _, y in points])) for points in series])


def _slope(points: Sequence[tuple[np.ndarray, np.ndarray]]) -> Slope | None:
    found = theil_sen(points)
    return None if found is None else Slope(ns=found.value, low_ns=found.low, high_ns=found.high)


def _outliers(tokens: Sequence[KnownToken], manifest: Manifest | None, worked: str) -> list[Outlier]:
    """The steps that take far longer than the others of like requests, each with the part of it that grew most.

    A step's time is busy and idle as charged: all of the device's time between the end of the step before and its own.
    """
    like: dict[Hashable, list[KnownToken]] = {}
    for token in tokens:
        like.setdefault(_likeness(token.request, manifest), []).append(token)
    found = [outlier for steps in like.values() if len(steps) >= FEWEST_STEPS for outlier in _far_above(steps, worked)]
    return sorted(found, key=lambda outlier: -outlier.time_ns)[:MOST_OUTLIERS]


def _far_above(tokens: Sequence[KnownToken], worked: str) -> list[Outlier]:
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
            cause=(worked, *IDLE_CAUSES)[int(np.argmax(parts[row] - typical))],
        )
        for row in found.tolist()
    ]


def _parts(token: KnownToken) -> tuple[int, ...]:
    idle = token.idle
    return token.busy_ns, idle.host_ns, idle.sync_ns, idle.launch_ns, idle.unknown_ns


def _column(steps: Sequence[KnownToken], name: str) -> np.ndarray:
    return int64([getattr(token, name) for token in steps])
