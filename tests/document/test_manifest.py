"""What a manifest may claim: a file that nobody vouches for can hold any number."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support import manifests
from support.chrome import document, kernel, launch, span

from reports.text import render
from tracer.document.manifest import Manifest, read
from tracer.document.summary import encode
from tracer.summarize import summarize_file

HUGE = 10**400
REQUEST = manifests.as_metadata([manifests.latencies()])["clean"][0]
WAY: dict[str, Any] = {"name": "sequential", "requests": [REQUEST], "rounds": [2], "drafted": [4], "accepted": [1]}
TWO = {
    "draft": {"name": "d"},
    "device": "cuda",
    "tokens": 2,
    "schedule": "sequential",
    "mapping": "ids",
    "ways": [WAY],
} | {"sweep": [{"tokens": 2, "acceptance": [0.5], "way": WAY}]}
GOOD = manifests.as_metadata(
    [manifests.latencies()] * 3,
    drafting=TWO,
    profiled=[manifests.latencies()],
    cost={"vision": {"flops": 1, "weight_bytes": 1, "kv_bytes": 1}} | {
        "prefill": {"flops": 10**9, "weight_bytes": 1, "kv_bytes": 1},
        "decode": [{"flops": 10**6, "weight_bytes": 10, "kv_bytes": 10}] * 2,
    },
)  # fmt: skip
EVENTS = (
    span("tracer/request#0", 0, 100), span("tracer/vision", 0, 20), launch(1, 1, 1), kernel("a", 3, 5, 1),
    span("tracer/prefill", 20, 30), launch(21, 1, 2), kernel("b", 23, 5, 2),
    span("tracer/decode#1", 50, 10), launch(51, 1, 3), kernel("c", 53, 5, 3),
)  # fmt: skip


def _numbers(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The places of all numbers."""
    if isinstance(value, bool) or not isinstance(value, dict | list | int):
        return []
    if isinstance(value, int):
        return [path]
    keys = value if isinstance(value, dict) else range(len(value))
    return [place for key in keys for place in _numbers(value[key], (*path, key))]


def _with(path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(GOOD)
    *parents, last = path
    inner: Any = changed
    for key in parents:
        inner = inner[key]
    inner[last] = value
    return dict(changed)


@pytest.mark.parametrize("path", _numbers(GOOD), ids=lambda path: ".".join(map(str, path)))
@pytest.mark.parametrize("value", [HUGE, -HUGE], ids=["huge", "negative"])
def test_a_number_that_no_arithmetic_can_take_is_refused_wherever_it_stands(path: tuple[Any, ...], value: int) -> None:
    refused = read(json.dumps(_with(path, value)).encode())
    assert isinstance(refused, str)
    assert "\n" not in refused


@pytest.mark.parametrize("path", [("model", "x"), ("device", "x"), ("options", "x")], ids=lambda path: path[0])
@pytest.mark.parametrize("wrap", [lambda value: value, lambda value: [{"a": [value]}]], ids=["bare", "nested"])
def test_the_same_inside_values_of_any_kind(path: tuple[Any, ...], wrap: Callable[[Any], Any]) -> None:
    assert read(json.dumps(_with(path, wrap(HUGE))).encode()) == "it holds a number of more than 64 bits"
    assert isinstance(read(json.dumps(_with(path, wrap(2**64 - 1))).encode()), Manifest)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("cost", "vision", "flops"), 10**400),
        (("cost", "decode", 0, "weight_bytes"), 10**400),
        (("shape", "new_tokens"), -5),
        (("shape", "batch_size"), 10**30),
    ],
    ids=["flops", "bytes", "negative", "batch"],
)
def test_a_trace_with_such_a_manifest_is_summarised_without_it_and_says_why(
    path: tuple[Any, ...], value: int, tmp_path: Path
) -> None:
    file = tmp_path / "run.json"
    file.write_bytes(document(*EVENTS, tracer=_with(path, value)))
    summary = summarize_file(file)
    place = "$." + "".join(f".{key}" if isinstance(key, str) else f"[{key}]" for key in path)[1:]
    (warning,) = summary.trace.warnings
    assert warning.startswith("its manifest was ignored: Expected `int`")
    assert place in warning
    assert summary.run is None
    assert len(summary.stages) == 3
    assert render(summary)
    assert encode(summary)


def test_the_twin_with_numbers_in_bounds_is_read() -> None:
    assert isinstance(read(json.dumps(GOOD).encode()), Manifest)
    assert isinstance(read(json.dumps(_with(("cost", "vision", "flops"), 2**63 - 1)).encode()), Manifest)


def test_another_version_is_named_as_such_whatever_its_fields_are() -> None:
    assert read(b'{"schema": "tracer.manifest/9", "clean": 3}') == "it is of an unknown version"
    assert read(json.dumps(GOOD | {"schema": "other"}).encode()) == "it is of an unknown version"


def test_a_request_without_end_is_refused_whose_parts_alone_could_be() -> None:
    path = ("clean", 0, "decode_ns")
    assert read(json.dumps(_with(path, [1 << 52] * 3)).encode()) == "one of its requests took more than 104 days"
    assert isinstance(read(json.dumps(_with(path, [1 << 50] * 3)).encode()), Manifest)


def _of_two(**changes: Any) -> bytes:
    """A manifest of a draft and its target, whose one way of working is changed."""
    return json.dumps(GOOD | {"drafting": TWO | {"ways": [WAY | changes]}}).encode()


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"requests": [REQUEST | {"step_tokens": [1, 1, 1]}]}, "one of its requests has not as many steps"),
        ({"requests": [REQUEST | {"decode_ns": [1 << 52] * 3}]}, "one of its requests took more than 104 days"),
        ({"requests": [REQUEST | {"step_tokens": [1 << 53] * 2}]}, "one of its counts adds up to more than can be"),
        ({"rounds": [1 << 53] * 2}, "one of its counts adds up to more than can be"),
        ({"drafted": [4, 4]}, "one of its ways of working has not as many requests"),
    ],
)
def test_of_two_models_too_what_does_not_fit_together_is_refused(changes: dict[str, Any], why: str) -> None:
    said = read(_of_two(**changes))
    assert isinstance(said, str)
    assert said.startswith(why)


def test_the_twin_of_two_models_is_read() -> None:
    assert isinstance(read(_of_two(requests=[REQUEST | {"step_tokens": [2, 3]}])), Manifest)
    assert isinstance(read(_of_two(rounds=[], drafted=[], accepted=[])), Manifest)


def test_a_manifest_without_measure_is_not_even_decoded() -> None:
    data = json.dumps(GOOD).encode()
    assert read(data + b" " * (64 << 20)) == f"it has {len(data) + (64 << 20):,} bytes"
