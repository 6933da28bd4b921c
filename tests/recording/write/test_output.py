from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pytest

from tracer.document.errors import InputError, UsageError
from tracer.document.manifest import SCHEMA, Latencies, Manifest, Shape, Verification, decode, encode
from tracer.recording.write.output import atomic_writer, check_output, write_run


def manifest() -> Manifest:
    return Manifest(
        schema=SCHEMA, version="0", model={"name": "m"}, software={}, device={}, dtype="float32", seed=0,
        shape=Shape(batch_size=1, frames=1, visual_tokens=2, prompt_tokens=3, new_tokens=4),
        coupled=False, synchronised=False, clock="host", options={}, verification=Verification(status="skipped"),
        clean=[Latencies(load_ns=1, preprocess_ns=2, vision_ns=3, prefill_ns=4, decode_ns=[5, 6])], profiled=[],
    )  # fmt: skip


def _capture(path: Path, *events: str, metadata: str = "") -> Path:
    path.write_text(f'{{ "schemaVersion": 1, {metadata}\n "traceEvents": [\n {", ".join(events)} ]}}')
    return path


def test_captures_become_one_trace_digit_for_digit(tmp_path: Path) -> None:
    one = _capture(tmp_path / "1", '{"ts": 4550342860317.427}', metadata='"baseTimeNanoseconds": 17, ')
    two = _capture(tmp_path / "2", '{"ts": 1.500}', '{"ts": 2}')
    none = _capture(tmp_path / "3")
    write_run(tmp_path / "run.json", [one, none, two], manifest())
    text = (tmp_path / "run.json").read_text()
    run = json.loads(text)
    assert list(run) == ["tracer", "schemaVersion", "baseTimeNanoseconds", "traceName", "traceEvents"]
    assert [event["ts"] for event in run["traceEvents"]] == [4550342860317.427, 1.5, 2]
    assert '{"ts": 1.500}' in text
    assert decode(json.dumps(run["tracer"]).encode()) == manifest()
    assert run["traceName"] == "run.json"


def test_gz_is_compressed_and_the_same(tmp_path: Path) -> None:
    capture = _capture(tmp_path / "1", '{"ts": 1}')
    write_run(tmp_path / "run.json", [capture], manifest())
    write_run(tmp_path / "run.json.gz", [capture], manifest())
    plain, packed = (tmp_path / "run.json").read_text(), gzip.decompress((tmp_path / "run.json.gz").read_bytes())
    assert json.loads(plain)["traceEvents"] == json.loads(packed)["traceEvents"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "run.json"
    path.write_text("old")
    with pytest.raises(error), atomic_writer(path) as file:
        file.write(b"half")
        raise error
    assert [entry.name for entry in tmp_path.iterdir()] == ["run.json"]
    assert path.read_text() == "old"


def test_a_written_file_has_the_rights_of_any_new_file(tmp_path: Path) -> None:
    with atomic_writer(tmp_path / "a.json") as file:
        file.write(b"x")
    (tmp_path / "b.json").write_text("x")
    assert (tmp_path / "a.json").stat().st_mode == (tmp_path / "b.json").stat().st_mode


def test_a_capture_that_is_not_json_is_refused(tmp_path: Path) -> None:
    bad = tmp_path / "bad"
    bad.write_text('{"traceEvents": [{"name": "a "quote""}]}')
    with pytest.raises(InputError, match="quote"):
        write_run(tmp_path / "run.json", [bad], manifest())
    assert not (tmp_path / "run.json").exists()


def test_outputs_that_cannot_be_right_are_refused_beforehand(tmp_path: Path) -> None:
    existing = tmp_path / "there.json"
    existing.touch()
    (tmp_path / "folder.json").mkdir()
    for path, message in [
        (tmp_path / "run.txt", ".json or .json.gz"),
        (existing, "exists already; --force"),
        (tmp_path / "none" / "run.json", "no such folder"),
        (tmp_path / "folder.json", "is a folder"),
        (tmp_path / f"{'a' * 245}.json", "cannot be written there .File name too long"),  # the file beside is longer
        (tmp_path / f"{'a' * 300}.json", "cannot be written there .File name too long"),
        (Path("/proc/run.json"), "cannot be written there"),  # whose rights say otherwise
    ]:
        with pytest.raises(UsageError, match=message):
            check_output(path, force=False)
    check_output(existing, force=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.json", "there.json"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_write_permission_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(UsageError, match="cannot be written there .Permission denied"):
        check_output(tmp_path / "run.json", force=False)


def test_manifests_survive_the_round_trip_and_strangers_are_none() -> None:
    assert decode(encode(manifest())) == manifest()
    for stranger in (b"", b"{}", b"[]", b'{"schema": "tracer.manifest/1"}', b"[" * 10_000):
        assert decode(stranger) is None
