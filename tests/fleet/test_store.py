"""A store has each trace once, whole or not at all."""

from __future__ import annotations

import gzip
import json
import os
import random
import time
from pathlib import Path

import pytest
from support.chrome import document, kernel, launch, span
from support.fleet import DAY, content, filled, saved_run
from support.room import room_for

pytest.importorskip("pyarrow", reason="pip install '.[fleet]'")

from tracer.document.errors import InputError, UsageError
from tracer.fleet.fill import Order, fill
from tracer.fleet.identity import identity
from tracer.fleet.merge import merge
from tracer.fleet.paths import found
from tracer.fleet.store import LISTED, MARK, PARTIAL, STALE_S, made, opened
from tracer.fleet.take import FAILED, KNOWN, STORED, Outcome


def _trace(path: Path, length: float = 5, *more: object) -> Path:
    path.parent.mkdir(exist_ok=True, parents=True)
    events = [span("tracer/prefill", 0, 40), launch(10, 2, 1), kernel("gemm", 13, length, 1), *more]
    path.write_bytes(document(*events))  # type: ignore[arg-type]
    return path


def test_a_trace_is_a_row_and_its_stages_kernels_and_findings_are_rows_of_it(tmp_path: Path) -> None:
    store, (outcome,) = filled(tmp_path / "store", _trace(tmp_path / "a.json"), tags={"build": "7"})
    assert outcome.state == STORED
    rows = content(store)
    (run,) = rows["runs"]
    assert (run["path"], run["date"], run["error"]) == (str(tmp_path / "a.json"), DAY, None)
    assert (run["device_time_ns"], run["ops"], dict(run["tags"])) == (5000, 1, {"build": "7"})
    assert [(row["run"], row["stage"], row["device_time_ns"]) for row in rows["stages"]] == [
        (run["run"], "prefill", 5000)
    ]
    assert [(row["stage"], row["name"], row["category"], row["time_ns"]) for row in rows["kernels"]] == [
        ("prefill", "gemm", "gemm", 5000)
    ]


def test_reading_twice_is_reading_once_whatever_a_file_is_called(tmp_path: Path) -> None:
    first = _trace(tmp_path / "a.json")
    store, _ = filled(tmp_path / "store", first)
    before, files = content(store), sorted(store.root.rglob("*"))
    same = tmp_path / "b.json"
    same.write_bytes(first.read_bytes())
    _, outcomes = filled(store.root, first, same)
    assert [one.state for one in outcomes] == [KNOWN, KNOWN]
    assert content(store) == before
    assert sorted(store.root.rglob("*")) == files


def test_the_order_in_which_traces_are_read_does_not_matter(tmp_path: Path) -> None:
    traces = [_trace(tmp_path / f"{length}.json", length) for length in (3, 5, 7, 11)]
    forth, _ = filled(tmp_path / "forth", *traces)
    random.Random(1).shuffle(traces)
    back, _ = filled(tmp_path / "back", *traces[:1])
    filled(tmp_path / "back", *traces)
    assert content(forth) == content(back)


def test_bytes_are_what_a_trace_is_and_a_longer_one_is_another(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_bytes(b"a" * (3 << 20))
    other.write_bytes(b"a" * (3 << 20) + b"a")
    assert identity(one) != identity(other)
    other.write_bytes(one.read_bytes())
    assert identity(one) == identity(other)


def test_a_file_that_fails_is_a_row_with_its_error_and_the_others_go_on(tmp_path: Path) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text("no trace at all")
    store, outcomes = filled(tmp_path / "store", bad, _trace(tmp_path / "good.json"))
    assert [one.state for one in outcomes] == [FAILED, STORED]
    rows = {Path(row["path"]).name: row for row in content(store)["runs"]}
    assert rows["bad.json"]["error"] == outcomes[0].error != ""
    assert rows["bad.json"]["device_time_ns"] is None
    assert rows["good.json"]["error"] is None


def test_what_failed_is_read_again_only_where_that_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = _trace(tmp_path / "a.json")
    with monkeypatch.context() as patched:
        patched.setattr("tracer.fleet.take.summarize_source", _no_memory)
        store, (outcome,) = filled(tmp_path / "store", trace)
    assert "memory" in outcome.error
    assert [one.state for one in filled(store.root, trace)[1]] == [KNOWN]
    assert [one.state for one in filled(store.root, trace, again=True)[1]] == [STORED]
    assert [row["error"] for row in content(store)["runs"]] == [None]


def _no_memory(*_: object) -> None:
    raise MemoryError


def test_a_file_that_is_not_there_is_a_row_until_it_is(tmp_path: Path) -> None:
    trace = tmp_path / "late.json"
    store, (outcome,) = filled(tmp_path / "store", trace)
    assert outcome.state == FAILED
    assert [row["error"] for row in content(store)["runs"]] == ["No such file or directory"]
    _, outcomes = filled(store.root, _trace(trace))
    assert [one.state for one in outcomes] == [STORED]
    assert [row["error"] for row in content(store)["runs"]] == [None]


def test_a_stage_with_lost_work_is_null(tmp_path: Path) -> None:
    trace = _trace(tmp_path / "a.json", 5, launch(20, 2, 2))
    store, _ = filled(tmp_path / "store", trace)
    (stage,), (run,) = content(store)["stages"], content(store)["runs"]
    assert (stage["lost_launches"], stage["device_time_ns"], stage["run_ns"]) == (1, None, None)
    assert (run["lost_launches"], run["device_time_ns"], run["busy_ns"]) == (1, None, None)
    assert content(store)["kernels"] == []


def test_what_dies_while_it_writes_leaves_nothing_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trace = _trace(tmp_path / "a.json")
    store = made(tmp_path / "store", {})
    child = os.fork()
    if not child:
        monkeypatch.setattr(os, "fsync", lambda _: os._exit(9))  # after the first table's bytes
        filled(store.root, trace)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert any((store.root / PARTIAL).iterdir())
    assert all(rows == [] for rows in content(store).values())
    assert [one.state for one in filled(store.root, trace)[1]] == [STORED]
    assert len(content(store)["runs"]) == 1


def test_a_saved_summary_and_a_packed_trace_are_read_too(tmp_path: Path) -> None:
    packed = tmp_path / "a.json.gz"
    packed.write_bytes(gzip.compress(_trace(tmp_path / "plain" / "a.json").read_bytes()))
    store, outcomes = filled(tmp_path / "store", packed, saved_run(tmp_path, "run", host="node7"))
    assert [one.state for one in outcomes] == [STORED, STORED]
    (row,) = [row for row in content(store)["runs"] if row["model"]]
    assert (row["model"], row["size"], row["torch"], row["machine"]) == ("eventgpt", "7b", "2.13.0", "node7")
    assert row["tpot_ns"] is not None


def test_a_folder_means_the_traces_below_it_less_those_of_a_store(tmp_path: Path) -> None:
    traces = [_trace(tmp_path / "t" / name) for name in ("b.json", "deep/a.json.gz", "notes.txt")][:2]
    filled(tmp_path / "t" / "store", *traces)
    assert found([str(tmp_path / "t")]) == sorted(map(str, traces))
    assert found([str(tmp_path / "t" / "**" / "*.gz"), str(traces[1])]) == [str(traces[1])]
    assert found([str(tmp_path / "t" / "notes.txt")]) == [str(tmp_path / "t" / "notes.txt")]
    with pytest.raises(InputError, match="no such file"):
        found([str(tmp_path / "nowhere")])
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no trace in this folder"):
        found([str(tmp_path / "empty")])


def test_addresses_are_read_through_fsspec(tmp_path: Path) -> None:
    fsspec = pytest.importorskip("fsspec", reason="pip install '.[fleet]'")
    memory = fsspec.filesystem("memory")
    memory.pipe("/fleet/a.json", _trace(tmp_path / "a.json").read_bytes())
    memory.pipe("/fleet/deep/b.json", b"no trace")
    memory.pipe("/fleet/notes.txt", b"no trace")
    names = found(["memory://fleet"])
    assert names == ["memory:///fleet/a.json", "memory:///fleet/deep/b.json"]
    store, outcomes = filled(tmp_path / "store", *names)  # type: ignore[arg-type]
    assert [one.state for one in outcomes] == [STORED, FAILED]
    assert {row["path"] for row in content(store)["runs"]} == set(names)
    assert "tracer-fleet-" not in outcomes[1].error, "the copy's name is nobody's business"
    assert found(["memory://fleet/*.json"]) == names[:1]
    with pytest.raises(InputError, match="no trace there"):
        found(["memory://nowhere"])
    with pytest.raises(UsageError):
        found(["nosuch://fleet"])


def test_a_folder_of_something_else_is_no_store(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="holds files"):
        made(tmp_path, {})
    with pytest.raises(InputError, match="no store"):
        opened(tmp_path)
    (tmp_path / MARK).write_text("{")
    with pytest.raises(InputError, match="damaged"):
        opened(tmp_path)


def test_all_traces_of_a_store_are_read_with_the_same_markers(tmp_path: Path) -> None:
    made(tmp_path / "store", {"decode": r"step (\d+)"})
    assert made(tmp_path / "store", {"decode": r"step (\d+)"}).patterns == {"decode": r"step (\d+)"}
    with pytest.raises(UsageError, match="--marker decode"):
        made(tmp_path / "store", {})


def test_the_day_is_that_of_the_trace_else_of_the_file(tmp_path: Path) -> None:
    known, unknown = _trace(tmp_path / "known.json"), _trace(tmp_path / "unknown.json", 6)
    text = known.read_text().replace(
        '"schemaVersion": 1', '"schemaVersion": 1, "baseTimeNanoseconds": 1790857026000000000'
    )
    known.write_text(text)
    os.utime(known, (0, 0))
    os.utime(unknown, (1_700_000_000, 1_700_000_000))
    store, _ = filled(tmp_path / "store", known, unknown, day=None)
    days = {Path(row["path"]).stem: (row["date"].isoformat(), row["date_from"]) for row in content(store)["runs"]}
    assert days == {"known": ("2026-10-01", "trace"), "unknown": ("2023-11-14", "file")}
    assert [path.name for path in store.days()] == ["date=2023-11-14", "date=2026-10-01"]


def test_a_merged_store_says_the_same_and_still_knows_each_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    traces = [_trace(tmp_path / f"{length}.json", length) for length in (3, 5, 7)]
    bad = tmp_path / "bad.json"
    bad.write_text("no trace")
    store, _ = filled(tmp_path / "store", *traces, bad)
    before = content(store)
    (day,) = store.days()
    with monkeypatch.context() as patched:
        patched.setattr("tracer.fleet.merge._remove", lambda _: None)  # as if it had died before that
        assert merge(store, day) == 3
    assert content(store) == before
    assert len(list(day.iterdir())) == 5
    assert merge(store, day) == 0
    assert content(store) == before
    assert len(list(day.iterdir())) == 2
    more = _trace(tmp_path / "more.json", 11)
    assert [one.state for one in filled(store.root, *traces, bad, more)[1]] == [KNOWN] * 4 + [STORED]
    assert [one.state for one in filled(store.root, bad, again=True)[1]] == [FAILED]
    assert len(content(store)["runs"]) == 5


def test_a_list_in_a_store_removes_nothing_but_sets_of_the_store(tmp_path: Path) -> None:
    store, _ = filled(tmp_path / "store", _trace(tmp_path / "a.json"))
    (day,) = store.days()
    mine = tmp_path / "mine"
    mine.mkdir()
    merged = day / "merged-of-somebody"
    merged.mkdir()
    (merged / LISTED).write_text(f"{mine}\n../../mine\n")
    assert merge(store, day) == 0
    assert mine.is_dir()


def test_what_was_begun_long_ago_is_removed_from_the_store_and_from_nowhere_else(tmp_path: Path) -> None:
    store, mine = made(tmp_path / "store", {}), tmp_path / "mine"
    for folder in (mine, store.root / PARTIAL):
        (folder / "old").mkdir(parents=True)
        os.utime(folder / "old", (0, time.time() - 2 * STALE_S))
    store.clear()
    assert not any((store.root / PARTIAL).iterdir())
    (store.root / PARTIAL).rmdir()
    (store.root / PARTIAL).symlink_to(mine)
    store.clear()
    assert (mine / "old").is_dir()


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    _, (outcome,) = filled(tmp_path / "store", tmp_path / "pipe.json")
    assert (outcome.state, outcome.error) == (FAILED, "not a regular file")


def test_tags_that_are_no_text_are_kept_as_far_as_they_are(tmp_path: Path) -> None:
    store, outcomes = filled(
        tmp_path / "store", _trace(tmp_path / "a.json"), tmp_path / "b", tags={"m\udcfe": "x\udcff"}
    )
    assert [one.state for one in outcomes] == [STORED, FAILED]
    assert [dict(row["tags"]) for row in content(store)["runs"]] == [{"m?": "x?"}] * 2


def test_a_summary_with_figures_that_no_table_holds_is_a_row_with_its_error(tmp_path: Path) -> None:
    document = json.loads(saved_run(tmp_path, "run").read_text())
    document["device"]["ops"] = 1 << 70
    (tmp_path / "large.json").write_text(json.dumps(document))
    document["device"]["ops"], document["trace"]["began_ns"] = 1, 10**25
    (tmp_path / "late.json").write_text(json.dumps(document))
    store, outcomes = filled(tmp_path / "store", tmp_path / "large.json", tmp_path / "late.json", day=None)
    assert [one.state for one in outcomes] == [FAILED, STORED]
    assert {row["date_from"] for row in content(store)["runs"]} == {"file"}


def test_a_set_that_another_process_merged_a_moment_ago_counts_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This one looked before that, and does not look again for a minute."""
    traces = [_trace(tmp_path / f"{length}.json", length) for length in (3, 5)]
    store, _ = filled(tmp_path / "store", *traces)
    before = content(store)
    with monkeypatch.context() as patched:
        patched.setattr("tracer.fleet.store._merged_of", {})
        merge(store, store.days()[0])
    assert [one.state for one in filled(store.root, *traces)[1]] == [STORED, STORED]
    assert content(store) == before
    monkeypatch.setattr("tracer.fleet.store.LOOKED_S", -1.0)
    assert [one.state for one in filled(store.root, *traces)[1]] == [KNOWN, KNOWN]


@pytest.mark.parametrize("listed", ["", "cut"])
def test_a_list_of_a_merged_set_that_is_empty_or_cut_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, listed: str
) -> None:
    monkeypatch.setattr("tracer.fleet.store.LOOKED_S", -1.0)
    store, _ = filled(tmp_path / "store", _trace(tmp_path / "a.json"))
    (day,) = store.days()
    merged = day / "merged-of-somebody"
    merged.mkdir()
    (merged / LISTED).write_text(listed)
    with pytest.raises(InputError, match="not the list of a merged set: it is empty or was cut"):
        store.has("0" * 32)


def test_where_the_store_takes_no_more_the_reading_ends(tmp_path: Path) -> None:
    """None of the traces is to blame, and nothing half is left."""
    store = made(tmp_path / "store", {})
    traces = [_trace(tmp_path / f"{number}.json", number) for number in (3, 5)]
    order = Order(
        given=[str(path) for path in traces], store=store.root, workers=0, scheduler=None, memory_bytes=1 << 30
    )
    done: list[Outcome] = []
    with room_for(100), pytest.raises(InputError, match="store: File too large; what was finished before is in it$"):
        fill(order, lambda _: None, done.append)
    assert (done, store.days(), list((store.root / PARTIAL).iterdir())) == ([], [], [])


def test_a_store_that_cannot_be_made_leaves_nothing(tmp_path: Path) -> None:
    with room_for(10), pytest.raises(InputError, match="store: File too large"):
        made(tmp_path / "store", {})
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InputError, match="no such folder as "):
        made(tmp_path / "no" / "store", {})
