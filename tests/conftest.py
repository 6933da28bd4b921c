"""Fixtures that several folders use."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest

DATA = Path(__file__).parent / "data"
# More real traces than the repository carries: a folder of them, for the tests that take every file in.
MORE_TRACES = os.environ.get("TRACER_MORE_TRACES", "")


def chrome_traces() -> list[Path]:
    """Every real Chrome trace at hand, each name once."""
    folders = [DATA, *map(Path, MORE_TRACES.split(os.pathsep))] if MORE_TRACES else [DATA]
    return sorted({path.name: path for folder in folders for path in folder.glob("kineto_*.json.gz")}.values())


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "chrome_trace" in metafunc.fixturenames:
        traces = chrome_traces()
        metafunc.parametrize("chrome_trace", traces, ids=[path.name.removesuffix(".json.gz") for path in traces])


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here may ever reach for the network."""

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a test tried to open a network connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture
def data() -> Path:
    return DATA
