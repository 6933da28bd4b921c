from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from support.chrome import span, write
from support.summaries import requests, save, summary

from tracer.compare.pairs import compare
from tracer.document.comparison import encode as encode_comparison
from tracer.document.errors import InputError
from tracer.saved import load_summary


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    return save(summary(requests()), tmp_path / "a.json")


def test_a_saved_summary_is_the_summary(saved: Path, tmp_path: Path) -> None:
    assert load_summary(saved) == summary(requests(), path=str(saved))
    packed = tmp_path / "a.json.gz"
    packed.write_bytes(gzip.compress(saved.read_bytes()))
    assert load_summary(packed) == summary(requests(), path=str(packed))
    saved.write_bytes(b"\xef\xbb\xbf" + saved.read_bytes())
    assert load_summary(saved) == summary(requests(), path=str(saved))


def test_a_trace_is_summarised(tmp_path: Path) -> None:
    found = load_summary(write(tmp_path / "t.json", span("tracer/vision", 0, 9)))
    assert [stage.stage for stage in found.stages] == ["vision"]


def test_a_trace_whose_metadata_begins_alike_is_still_a_trace(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    path.write_bytes(b'{"schemaVersion": 1, "schema": "tracer.summary/1", "traceEvents": []}')
    assert load_summary(path).trace.events == 0


def test_every_summary_kept_beside_the_benchmarks_can_be_read() -> None:
    kept = list((Path(__file__).parents[1] / "benchmarks/results").rglob("summary.json"))
    assert kept
    assert all(load_summary(path).stages for path in kept)


def _changed(saved: Path, change: Any) -> None:
    document = json.loads(saved.read_text())
    change(document)
    saved.write_text(json.dumps(document))


def _requests(key: str, value: Any) -> Any:
    return lambda document: document["requests"][0].update({key: value})


@pytest.mark.parametrize(
    "change",
    [
        lambda document: document.update(schema="tracer.summary/3"),
        lambda document: document.update(schema="tracer.summary/1 "),
        lambda document: document.pop("stages"),
        lambda document: document["latency"].update(stages_ns={"vision": "long"}),
        lambda document: document["latency"].update(tpot_ns=-1),
        lambda document: document["latency"].update(request_ns=10**400),
        lambda document: document["run"].update(visual_tokens="many"),
        lambda document: document.update(run={}),
        _requests("stages_ns", {"vision": -1}),
        _requests("stages_ns", {"vision": 1 << 60}),
        _requests("stages_ns", {"nonsense": 1}),
        _requests("decode_ns", [1.5]),
        _requests("decode_ns", {}),
        _requests("batch_size", 10**30),
        _requests("sample", None),
        lambda document: document["stages"][0]["kernels"][0].update(time_ns=-5),
        lambda document: document["stages"][0].update(calls=-5),
        lambda document: document["tokens"][0].update(device_time_ns=1 << 62),
    ],
)
def test_what_no_summary_says_is_refused_in_one_line(saved: Path, change: Any) -> None:
    _changed(saved, change)
    with pytest.raises(InputError) as refused:
        load_summary(saved)
    assert str(refused.value).startswith(f"{saved}: not a summary as this version of tracer writes it (")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("keep", [0.3, 0.9, 0.999])
def test_a_torn_summary_is_refused(saved: Path, keep: float) -> None:
    data = saved.read_bytes()
    saved.write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(InputError, match="not a summary as this version"):
        load_summary(saved)


def test_a_torn_packed_summary_is_refused(saved: Path) -> None:
    saved.write_bytes(gzip.compress(saved.read_bytes())[:-20])
    with pytest.raises(InputError, match="damaged"):
        load_summary(saved)


def test_deep_nesting_is_refused(saved: Path) -> None:
    saved.write_bytes(b'{"schema": "tracer.summary/1", "run": ' + b"[" * 100_000)
    with pytest.raises(InputError, match="not a summary"):
        load_summary(saved)


def test_a_saved_comparison_is_no_summary(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    path.write_bytes(encode_comparison(compare([summary(), summary()])))
    with pytest.raises(InputError, match="a saved comparison, not a summary or a trace"):
        load_summary(path)


def test_a_document_of_the_first_schema_is_read_with_nothing_between(saved: Path) -> None:
    def older(document: dict[str, Any]) -> None:
        document.update(schema="tracer.summary/1")
        del document["device"]["between"]

    _changed(saved, older)
    assert load_summary(saved).device.between.idle_ns == 0
