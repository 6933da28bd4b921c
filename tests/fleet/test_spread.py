"""Processes: who dies loses nothing, and who is interrupted neither."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.chrome import document, kernel, launch, span
from support.fleet import content
from support.typed import python, typed

pytest.importorskip("duckdb", reason="pip install '.[fleet]'")
pytest.importorskip("distributed", reason="pip install '.[fleet]'")
pytest.importorskip("cryptography", reason="pip install '.[fleet]'")

from tracer.document.errors import MissingError, UsageError
from tracer.fleet import spread
from tracer.fleet.spread import check, probe
from tracer.fleet.store import PARTIAL, made, opened
from tracer.version import __version__

TRACES = 12
# What is read takes so long in a worker that somebody can do something meanwhile.
SLOWED = """
import os, sys, time
import tracer.fleet.take as take
summary = take._summary
def slow(path, task):
    with open(os.environ["FLEET_PIDS"], "a") as file:
        file.write(f"{os.getpid()}\\n")
    if os.environ.get("FLEET_DEADLY") and task.path.endswith(os.environ["FLEET_DEADLY"]):
        os.kill(os.getpid(), 9)
    time.sleep(0.3)
    return summary(path, task)
take._summary = slow
"""


@pytest.fixture
def traces(tmp_path: Path) -> Path:
    folder = tmp_path / "traces"
    folder.mkdir()
    for number in range(TRACES):
        (folder / f"{number}.json").write_bytes(
            document(span("tracer/prefill", 0, 40), launch(10, 2, 1), kernel("gemm", 13, 5 + number, 1))
        )
    return folder


def _start(tmp_path: Path, traces: Path, *, deadly: str = "") -> subprocess.Popen[str]:
    """`tracer fleet` over two workers, which say who they are and take their time; one trace is the death of any."""
    (tmp_path / "sitecustomize.py").write_text(SLOWED)
    path = os.pathsep.join([str(tmp_path), *sys.path])
    return subprocess.Popen(
        [python(), "-m", "tracer", "fleet", str(traces), "--store", str(tmp_path / "store"), "--workers", "2"],
        env={**os.environ, "PYTHONPATH": path, "FLEET_PIDS": str(tmp_path / "pids"), "FLEET_DEADLY": deadly},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def _pids(process: subprocess.Popen[str], tmp_path: Path, count: int) -> list[int]:
    """Whoever began to read, once so many traces were begun."""
    while not (tmp_path / "pids").exists() or len((tmp_path / "pids").read_text().split()) < count:
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    return list(map(int, (tmp_path / "pids").read_text().split()))


def test_workers_that_are_killed_lose_nothing_and_what_kills_them_is_a_row(tmp_path: Path, traces: Path) -> None:
    (traces / "deadly.json").write_bytes(document(span("tracer/prefill", 0, 40)))
    process = _start(tmp_path, traces, deadly="deadly.json")
    os.kill(_pids(process, tmp_path, 4)[-1], signal.SIGKILL)
    output, errors = process.communicate(timeout=300)
    assert (process.returncode, errors.count("\n")) == (0, 1), errors
    assert "deadly.json: each process that read it was ended" in errors
    # One may die when its rows are in the store and nobody has heard of it: then they are known.
    states = list(map(int, re.findall(r"(\d+) (?:read|known|failed)", output)))
    assert (states[0] + states[1], states[2]) == (TRACES, 1)
    rows = content(opened(tmp_path / "store"))
    assert sorted(Path(row["path"]).name for row in rows["runs"]) == sorted(path.name for path in traces.iterdir())
    assert [Path(row["path"]).name for row in rows["runs"] if row["error"]] == ["deadly.json"]
    assert len(rows["stages"]) == len(rows["kernels"]) == TRACES


def test_an_interrupt_loses_nothing_that_was_finished_and_is_one_line(tmp_path: Path, traces: Path) -> None:
    process = _start(tmp_path, traces)
    _pids(process, tmp_path, 5)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: all of them
    output, errors = process.communicate(timeout=300)
    assert (process.returncode, output, errors) == (130, "", "tracer: interrupted\n")
    store = opened(tmp_path / "store")
    finished = len(content(store)["runs"])
    assert 1 <= finished < TRACES
    done = typed("fleet", traces, "--store", store.root, "--workers", 0)
    assert f"{TRACES} traces: {TRACES - finished} read, {finished} known, 0 failed" in done.stdout
    assert len(content(store)["stages"]) == TRACES


# A scheduler of Dask's and a worker, as somebody else has them: in one process, which says their address.
CLUSTER = """
import time
from distributed import LocalCluster
if __name__ == "__main__":
    address = {"host": "127.0.0.1", "dashboard_address": None, "worker_dashboard_address": "127.0.0.1:0"}
    cluster = LocalCluster(n_workers=1, threads_per_worker=1, processes=False, protocol="tcp://", **address)
    print(cluster.scheduler_address, flush=True)
    time.sleep(600)
"""


def test_a_cluster_that_goes_away_is_one_line_and_loses_nothing_that_was_finished(tmp_path: Path, traces: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(SLOWED)
    (tmp_path / "cluster.py").write_text(CLUSTER)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    with subprocess.Popen(
        [python(), tmp_path / "cluster.py"], env={**environment, "FLEET_PIDS": str(tmp_path / "pids")},
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ) as cluster:  # fmt: skip
        assert cluster.stdout is not None
        address = cluster.stdout.readline().strip()
        command = ["fleet", str(traces), "--store", str(tmp_path / "store"), "--scheduler", address]
        process = subprocess.Popen(
            [python(), "-m", "tracer", *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        _pids(process, tmp_path, 4)
        cluster.kill()
    output, errors = process.communicate(timeout=300)
    assert (process.returncode, output, errors.count("\n")) == (1, "", 1), errors
    assert f"--scheduler {address}: it is gone; what was finished is in {tmp_path / 'store'}" in errors
    store = opened(tmp_path / "store")
    finished = len(content(store)["runs"])
    assert 3 <= finished < TRACES
    done = typed(*command[:4], "--workers", 0)
    assert f"{TRACES} traces: {TRACES - finished} read, {finished} known, 0 failed" in done.stdout


def test_commands_as_they_are_typed(tmp_path: Path, traces: Path) -> None:
    store = tmp_path / "store"
    (traces / "bad\x1b[31m.json").write_text("no trace")
    done = typed("fleet", traces, "--store", store, "--workers", 0, "--tags-from", r"/(?P<number>\d+)\.json$")
    assert (done.returncode, done.stderr.count("\n")) == (0, 1)
    assert f"{TRACES + 1} traces: {TRACES} read, 0 known, 1 failed\nnext: tracer fleet query" in done.stdout
    assert "\x1b" not in done.stderr + done.stdout
    assert not (store / PARTIAL).exists() or not any((store / PARTIAL).iterdir())
    assert "\nslowest\n" in "\n" + typed("fleet", "query", store, "slowest").stdout
    asked = typed("fleet", "query", store, "select path from runs where error is not null")
    assert asked.returncode == 0
    assert "\x1b" not in asked.stdout
    number = typed("fleet", "query", store, "select tags['number'] as n from runs where n = '7'", "--format", "json")
    assert number.stdout.split() == ["[", "{", '"n":', '"7"', "}", "]"]
    for wrong in (
        ["fleet", traces],
        ["fleet", "query", store],
        ["fleet", "query", store, "delete from runs"],
        ["fleet", "query", store, "regressions"],
        ["fleet", traces, "--store", store, "--tag", "x"],
        ["fleet", traces, "--store", store, "--tags-from", "("],
        ["fleet", traces, "--store", store, "--date", "today"],
        ["fleet", "query", store, "slowest", "--tag", "a=b"],
        ["fleet", "query", store, "slowest", "--retry"],
        ["fleet", "query", store, "slowest", "--worker-memory", 667],
        ["fleet", "merge", store, "--format", "json"],
        ["fleet", traces, "--store", store, "--format", "json"],
        ["fleet", traces, "--store", store, "--scheduler", "tcp://127.0.0.1:1", "--workers", 2],
        ["fleet", "merge", store, "--output", store / "x"],
        ["fleet", traces, "--store", store, "--between", "a=1", "a=2"],
    ):
        refused = typed(*wrong)
        assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (2, "", 1), wrong


def test_nothing_that_can_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text("no trace")
    done = typed("fleet", tmp_path / "bad.json", "--store", tmp_path / "store", "--workers", 0)
    assert done.returncode == 1
    assert "none of the traces could be read" in done.stderr


class _Cluster:
    """What answers for somebody's workers."""

    def __init__(self, **answers: object) -> None:
        self._answers = answers

    def run(self, *_: object, **__: object) -> dict[str, object]:
        return dict(self._answers)


def test_workers_that_could_not_do_it_are_refused_before_anything_is_read(tmp_path: Path) -> None:
    made(tmp_path / "store", {})
    assert probe(str(tmp_path / "store")) == (__version__, True)
    assert probe(str(tmp_path / "elsewhere")) == (__version__, False)
    check(_Cluster(one=probe(str(tmp_path / "store"))), "tcp://x:1", tmp_path / "store")
    for answers, error, words in (
        ({}, MissingError, "no workers"),
        ({"one": ModuleNotFoundError("tracer")}, MissingError, "one has no tracer"),
        ({"one": ("0.0.1", True)}, MissingError, "has tracer 0.0.1"),
        ({"one": (__version__, False)}, UsageError, "does not see it"),
    ):
        with pytest.raises(error, match=words):
            check(_Cluster(**answers), "tcp://x:1", tmp_path / "store")


def test_an_interrupt_while_the_processes_start_waits_until_they_can_be_ended_and_they_never_hear_it() -> None:
    asks = "import signal; print(int(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])))"
    with spread._undisturbed() as late:
        done = subprocess.run([sys.executable, "-S", "-c", asks], capture_output=True, text=True, check=True)
        os.kill(os.getpid(), signal.SIGINT)
    assert done.stdout.strip() == "1"
    with pytest.raises(KeyboardInterrupt):
        late()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])
