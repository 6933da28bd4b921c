"""Fixtures that several folders use."""

from __future__ import annotations

import gc
import os
import shutil
import socket
import sys
import tempfile
from collections import Counter
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from support import typed

# No test asserts how long anything takes, and hypothesis does unless it is told not to.
settings.register_profile("untimed", deadline=None, max_examples=50)
# For a law whose code has changed: `pytest --hypothesis-profile=thorough FILE`.
settings.register_profile("thorough", deadline=None, max_examples=1000)
settings.load_profile("untimed")
# For PyTorch here and in what is started from here: of networks this small, threads only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Each worker, and each of the hundreds of processes that tests start, would compile all of ours again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Nobody pulls the plug while tests run: waiting for a disk would leave a core idle.
os.fsync = lambda _: None

DATA = Path(__file__).parent / "data"
# More real traces than the repository carries: a folder of them, for the tests that take every file in.
MORE_TRACES = os.environ.get("TRACER_MORE_TRACES", "")


# What takes longest, in processor time: it starts processes that import PyTorch, or records again and again. With
# several workers it must not be what is left for one of them at the end; the other files are quick.
LONG = (
    "cli/test_cli.py", "test_readme.py", "recording/world/test_recorded.py", "recording/own/test_script.py",
    "recording/test_record.py", "fleet/test_spread.py", "test_docs_own_model.py", "perfetto/test_in_perfetto.py",
    "page/test_browser.py", "trace/test_scanner.py", "cli/test_ab.py", "test_patterns.py", "trace/test_memory.py",
    "model/decoding/test_static.py", "cli/test_streams.py", "cli/test_advice.py", "statistics/test_shift.py",
    "trace/test_hostile.py", "recording/own/test_own.py", "recording/test_nsight.py", "test_docs.py",
    "recording/test_doctor.py", "model/vlm/test_vlm.py", "model/speculative/test_speculative.py",
    "recording/test_allocator.py", "recording/energy/test_energy_pass.py",
)  # fmt: skip


def pytest_configure(config: pytest.Config) -> None:
    """What the workers share is of the process that starts them."""
    if not hasattr(config, "workerinput"):
        folder = Path(tempfile.mkdtemp(prefix="tests-"))
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
        typed.share(folder)
        if getattr(config.option, "numprocesses", 0):
            typed.python()  # starts while the workers collect: what takes longest needs it at once


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first, then those with many tests (`--no-loadscope-reorder` leaves it to us)."""
    place = {Path(__file__).parent / name: number for number, name in enumerate(LONG)}
    tests = Counter(item.path for item in items)
    items.sort(key=lambda item: (place.get(item.path, len(LONG)), -tests[item.path], str(item.path)))


def pytest_collection_finish() -> None:
    """What has been imported stays: recordings collect garbage before each request, and need not look through it."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    _make_few_events()


def _make_few_events() -> None:
    """A synthetic sample has a twentieth of its events here, made once: models are run on it by the hundred."""
    from model.inputs import samples
    from model.inputs.events import synthetic_events

    samples.synthetic_events = cache(partial(synthetic_events, count=5000))


def real_traces(pattern: str) -> list[Path]:
    """Every real trace at hand whose file is named so, each name once."""
    folders = [DATA, *map(Path, MORE_TRACES.split(os.pathsep))] if MORE_TRACES else [DATA]
    return sorted({path.name: path for folder in folders for path in folder.glob(pattern)}.values())


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    for fixture, pattern in (("chrome_trace", "kineto_*.json.gz"), ("nsight_export", "nsight_*.sqlite")):
        if fixture in metafunc.fixturenames:
            traces = real_traces(pattern)
            metafunc.parametrize(fixture, traces, ids=[path.name.partition(".")[0] for path in traces])


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here may ever reach for the network."""

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a test tried to open a network connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture(scope="session")
def data() -> Path:
    return DATA
