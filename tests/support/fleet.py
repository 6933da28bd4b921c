"""Traces and stores of fleets that never were."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest

from support.summaries import requests, save, summary
from tracer.fleet import take
from tracer.fleet.spread import here
from tracer.fleet.store import Store, made
from tracer.fleet.take import Outcome, Task

DAY = date(2026, 11, 27)


def saved_run(folder: Path, name: str, *, vision_ms: float = 30, host: str = "", **stages: Any) -> Path:
    """A saved summary of a run of ours, on the machine `host`."""
    found = summary(requests(vision_ms, **stages), path=name)
    found = msgspec.structs.replace(found, trace=msgspec.structs.replace(found.trace, host=host))
    return save(found, folder / f"{name}.json")


def filled(root: Path, *paths: Path, **changes: Any) -> tuple[Store, list[Outcome]]:
    """A store with these traces, read in this process, whose memory nobody needs back after each of them."""
    store, outcomes = made(root, {}), []
    tasks = (Task(path=str(path), store=str(root), **{"day": DAY, **changes}) for path in paths)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(take, "_give_memory_back", lambda: None)
        here(tasks, outcomes.append)
    return store, outcomes


def content(store: Store) -> dict[str, list[Any]]:
    """All rows of a store but what depends on when and how fast it was read, in an order of their own."""
    found = {}
    for name in ("runs", "stages", "tokens", "kernels", "findings"):
        scanned = store.scanned(name)
        table = scanned.to_table() if hasattr(scanned, "to_table") else scanned
        rows = table.drop_columns([one for one in ("read_ns",) if one in table.column_names]).to_pylist()
        found[name] = sorted(rows, key=str)
    return found
