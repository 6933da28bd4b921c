"""What the tests cost in processor time: each test, each file, each fixture, and what comes before the first of them.

`PYTHONPATH=benchmarks python -m pytest -p suite_time --suite-time FILE ...` appends a line of JSON to FILE for each
test and each costly fixture; `python benchmarks/suite_time.py FILE [FILE ...]` adds them up. Processor time is that of
the process and of all that it started, as Linux tells it; the clock would say how busy the machine is. What nobody
waits for (forks of a process that was there before, browsers, clusters) is in the figure of the machine alone: how long
its cores were busy, with whatever it was.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest


def processor_s() -> float:
    """User and system seconds of this process, of those that it started and of those that they started."""
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    running = sum(_ticks(process) for process in _below(os.getpid()))
    return sum(used.ru_utime + used.ru_stime for used in both) + running / os.sysconf("SC_CLK_TCK")


def _below(process: int) -> Iterator[int]:
    """What runs that this process started, directly or not."""
    for task in Path(f"/proc/{process}/task").glob("*/children"):
        with suppress(OSError):
            for child in map(int, task.read_text().split()):
                yield child
                yield from _below(child)


def _ticks(process: int) -> int:
    """User and system time, its own and that of the children it has waited for."""
    with suppress(OSError):
        return sum(map(int, Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:15]))
    return 0


def busy_s() -> float:
    """Seconds that all cores together were not idle, since the machine started."""
    user, nice, system, _, _, *interrupts = map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9])
    return (user + nice + system + sum(interrupts)) / os.sysconf("SC_CLK_TCK")


BEFORE_S = busy_s()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--suite-time", default="", help="append what each test costs, in processor time, to this file")


def _note(config: pytest.Config, kind: str, name: str, seconds: float) -> None:
    if out := config.getoption("--suite-time"):
        with Path(out).open("a", encoding="utf-8") as file:  # one short write: workers append to the same file
            file.write(json.dumps({"kind": kind, "name": name, "s": round(seconds, 4), "process": os.getpid()}) + "\n")


def pytest_collection_finish(session: pytest.Session) -> None:
    _note(session.config, "before", "imports and collection", processor_s())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    before = processor_s()
    result = yield
    _note(item.config, "test", item.nodeid, processor_s() - before)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: Any, request: pytest.FixtureRequest) -> Iterator[object]:
    before = processor_s()
    result = yield
    if (seconds := processor_s() - before) > 0.05:
        where = request.node.nodeid.partition("::")[0]
        _note(request.config, "fixture", f"{where} {fixturedef.argname} ({fixturedef.scope})", seconds)
    return result


def pytest_unconfigure(config: pytest.Config) -> None:
    _note(config, "whole", "process", processor_s())
    if not hasattr(config, "workerinput"):
        _note(config, "machine", "all cores", busy_s() - BEFORE_S)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--top", type=int, default=40)
    asked = parser.parse_args()
    lines = [json.loads(line) for file in asked.files for line in file.read_text().splitlines()]
    for kind in ("machine", "whole", "before", "file", "test", "fixture"):
        sums: Counter[str] = Counter()
        for line in lines:
            if line["kind"] == kind:
                sums[line["name"]] += line["s"]
            elif kind == "file" and line["kind"] == "test":
                sums[line["name"].partition("::")[0]] += line["s"]
        print(f"{kind}: {sum(sums.values()):.1f} s")
        for name, seconds in sums.most_common(asked.top):
            print(f"  {seconds:7.2f}  {name}")


if __name__ == "__main__":
    main()
