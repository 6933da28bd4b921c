"""Traces into a store, however they are spread over processes."""

from __future__ import annotations

import gc
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tracer.document.errors import InputError, UsageError
from tracer.fleet import spread
from tracer.fleet.paths import found
from tracer.fleet.store import made
from tracer.fleet.take import FAILED, UNWRITTEN, Outcome, Task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import date
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to read, and how.

    Attributes:
        given: paths, patterns, folders and addresses.
        store: the store's folder, made if there is none.
        workers: processes on this machine; 0: this one alone, without Dask.
        scheduler: address of a Dask scheduler to use in their place; None for none.
        memory_bytes: that a process of ours may take.
        patterns, tags, day, nsys, unlimited, again: as of a `Task`.
        tags_from: groups of this in a path are tags as well; None for none.
    """

    given: Sequence[str]
    store: Path
    workers: int
    scheduler: str | None
    memory_bytes: int
    patterns: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    tags_from: re.Pattern[str] | None = None
    day: date | None = None
    nsys: str | None = None
    unlimited: bool = False
    again: bool = False


@dataclass(slots=True)
class Tally:
    """What became of the traces.

    Attributes:
        total: how many there are.
        states: how many were stored, known and failed.
        failures: the first of those that failed.
    """

    total: int = 0
    states: Counter[str] = field(default_factory=Counter)
    failures: list[Outcome] = field(default_factory=list)

    KEPT = 10

    def add(self, outcome: Outcome) -> None:
        """Count one."""
        self.states[outcome.state] += 1
        if outcome.state == FAILED and len(self.failures) < Tally.KEPT:
            self.failures.append(outcome)


def fill(order: Order, begun: Callable[[Tally], None], done: Callable[[Outcome], None]) -> Tally:
    """Read what is not in the store yet.

    Args:
        order: what.
        begun: called once the traces are known.
        done: called for each trace.

    Raises:
        InputError: a path means nothing, or the store is none, or takes no more.
        MissingError: Dask is not installed, or its scheduler cannot be reached.
        UsageError: the store's traces are read in another way, or workers do not see it.
        KeyboardInterrupt: by Ctrl-C; what was finished is in the store.
    """
    tally = Tally()
    paths = found(order.given)
    store = made(order.store.absolute(), order.patterns)
    store.clear()
    tasks = (_task(order, path, str(store.root)) for path in paths)
    tally.total = len(paths)

    def count(outcome: Outcome) -> None:
        if outcome.state == UNWRITTEN:  # nor would those that follow be
            raise InputError(f"--store {order.store}: {outcome.error}; what was finished before is in it")
        tally.add(outcome)
        done(outcome)

    gc.enable()  # which commands that are over soon go without
    if order.scheduler is not None:
        with spread.elsewhere(order.scheduler, store.root) as client:
            begun(tally)
            spread.spread(client, tasks, count)
    elif order.workers == 0:
        begun(tally)
        spread.here(tasks, count)
    else:
        with spread.local(min(order.workers, max(1, len(paths))), order.memory_bytes) as client:
            begun(tally)
            spread.spread(client, tasks, count)
    return tally


def _task(order: Order, path: str, store: str) -> Task:
    match = order.tags_from.search(path) if order.tags_from is not None else None
    from_path = {key: value for key, value in (match.groupdict() if match else {}).items() if value is not None}
    return Task(
        path=path, store=store, patterns=order.patterns, tags={**from_path, **order.tags}, day=order.day,
        nsys=order.nsys, unlimited=order.unlimited, again=order.again,
    )  # fmt: skip


def read_tags(given: Sequence[str]) -> dict[str, str]:
    """KEY=VALUE options.

    Raises:
        UsageError: one is none.
    """
    found_: dict[str, str] = {}
    for one in given:
        key, separator, value = one.partition("=")
        if not key or not separator or not value:
            raise UsageError(f"--tag {one}: write KEY=VALUE")
        found_[key] = value
    return found_


def read_pattern(text: str | None) -> re.Pattern[str] | None:
    """A regular expression whose named groups are tags.

    Raises:
        UsageError: it is none, or names no group.
    """
    if text is None:
        return None
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise UsageError(f"--tags-from {text}: not a regular expression ({error})") from None
    if not pattern.groupindex:
        raise UsageError(f"--tags-from {text}: name a group, which becomes the tag: (?P<machine>[^/]+)")
    return pattern


def failures_in_words(tally: Tally) -> Iterator[str]:
    """A line for each of the first failures, and one for the rest."""
    for one in tally.failures:
        yield f"{one.path}: {one.error}"
    if (more := tally.states[FAILED] - len(tally.failures)) > 0:
        yield f"{more} more failed; table runs of the store has the error of each"
