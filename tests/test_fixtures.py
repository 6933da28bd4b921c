"""What lies in tests/data may not tell of the machine that it was recorded on."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

DATA = Path(__file__).parent / "data"
TOLD = re.compile(rb"/(tmp|home|root|usr|opt|mnt|var|etc)/|PATH=|HOME=|EXPORT_(HOST|USER|PARAM)|quadd_session")
HOLD_SECRETS = (
    "META_DATA_CAPTURE",
    "TARGET_INFO_SYSTEM_ENV",
    "PROCESSES",
    "TARGET_INFO_PROCESS",
    "ThreadNames",
    "ProcessStreams",
)


@pytest.mark.parametrize("export", sorted(DATA.glob("*.sqlite")), ids=lambda path: path.stem)
def test_an_nsight_fixture_holds_no_paths_no_environment_and_no_processes(export: Path) -> None:
    with closing(sqlite3.connect(f"{export.as_uri()}?mode=ro", uri=True)) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    assert {"StringIds", "META_DATA_EXPORT"} <= tables
    assert tables.isdisjoint(HOLD_SECRETS)
    assert TOLD.findall(export.read_bytes()) == []
