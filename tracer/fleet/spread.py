"""Tasks over processes, by Dask: a cluster on this machine, or any other.

The scheduler holds a few tasks for each worker at a time, whatever their number, and no results: those are in
the store.
"""

from __future__ import annotations

import logging
import os
import signal
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracer.document.errors import MissingError, UsageError
from tracer.fleet.store import MARK
from tracer.fleet.take import Outcome, failed, take
from tracer.tables.optional import INSTALL_FLEET, require
from tracer.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tracer.fleet.take import Task

# Tasks that the scheduler knows, for each thread of a worker: one that runs, and one that is to run next.
IN_FLIGHT = 2
CONNECT_S = 20
# Any free port: Dask serves metrics over HTTP, on every interface unless it is told where.
LOOPBACK = "127.0.0.1:0"
# A trace that so many workers died of is not tried again; when it is tried by itself, that is its own doing.
DEATHS = 2
SETTINGS = {
    "distributed.scheduler.allowed-failures": DEATHS - 1,
    # Nothing of a trace can be put on disk or waited for; a worker that takes too much is ended.
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": 0.95,
    "distributed.worker.profile.enabled": False,
    "distributed.worker.preload": ["tracer.fleet.spread"],
    "distributed.admin.tick.limit": "1h",
}


class _GoneError(Exception):
    """The scheduler is gone, and what was under way with it."""


def dask_setup(_: Any) -> None:
    """Called by Dask in each of our own workers: Ctrl-C is for the process that asked, and so is standard error.

    A worker that starts again while all is being closed says so with a traceback.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    os.close(null)


def here(tasks: Iterable[Task], done: Callable[[Outcome], None]) -> None:
    """Do them in this process, one after another."""
    for task in tasks:
        done(take(task))


@contextmanager
def local(workers: int, memory_bytes: int) -> Iterator[Any]:
    """A Dask client of so many processes on this machine, each with one thread, each ended beyond this memory.

    Scheduler and workers listen on the loopback interface, and know each other by a certificate that is made for this
    once: Dask runs whatever it is sent, and others may have accounts here.

    Raises:
        MissingError: Dask is not installed.
    """
    distributed = _dask()
    import dask

    _silence()
    with dask.config.set(SETTINGS):
        cluster = distributed.LocalCluster(
            n_workers=workers, threads_per_worker=1, processes=True, memory_limit=memory_bytes, host="127.0.0.1",
            protocol="tls://", security=distributed.security.Security.temporary(), dashboard_address=LOOPBACK,
            worker_dashboard_address=LOOPBACK,
            scheduler_kwargs={"dashboard": False}, silence_logs=logging.CRITICAL,
        )  # fmt: skip
        with cluster, distributed.Client(cluster) as client:
            yield client


@contextmanager
def elsewhere(address: str, store: Path) -> Iterator[Any]:
    """A Dask client of a scheduler that runs.

    Raises:
        MissingError: Dask is not installed, nobody answers, it went away, or its workers lack this version of tracer.
        UsageError: its workers do not see the store.
    """
    distributed = _dask()
    _silence()
    try:
        client = distributed.Client(address, timeout=CONNECT_S)
    except (OSError, ValueError) as error:
        raise MissingError(f"--scheduler {address}: {str(error) or 'no answer'}") from None
    with client:
        check(client, address, store)
        try:
            yield client
        except _GoneError:
            raise MissingError(
                f"--scheduler {address}: it is gone; what was finished is in {store}: the same command goes on there"
            ) from None


def _silence() -> None:
    """Dask's own words are tracebacks, beside the line that says the same."""
    for name in ("distributed", "distributed.client"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def check(client: Any, address: str, store: Path) -> None:
    """Refuse workers that could not do it, before each trace is a failure."""
    try:
        answers = client.run(probe, str(store), on_error="return")
    except Exception as error:
        raise MissingError(f"--scheduler {address}: {error}") from None
    if not answers:
        raise MissingError(f"--scheduler {address}: it has no workers")
    for worker, answer in answers.items():
        if not isinstance(answer, tuple) or answer[0] != __version__:
            said = f"has tracer {answer[0]}" if isinstance(answer, tuple) else f"has no tracer ({answer})"
            raise MissingError(f"--scheduler {address}: {worker} {said}; install {__version__} there")
        if not answer[1]:
            raise UsageError(f"--store {store}: {worker} does not see it; give a folder that all workers share")


def probe(store: str) -> tuple[str, bool]:
    """What a worker says of itself: its version of tracer, and whether it sees the store."""
    return __version__, (Path(store) / MARK).is_file()


def spread(client: Any, tasks: Iterable[Task], done: Callable[[Outcome], None]) -> None:
    """Have the workers do them; of each, when it is done, `done` is called here.

    Dask lays a worker's death to every task that it held. Those that were held by several which died are done again in
    the end, one at a time: what kills a worker then is known.

    On an interrupt what is under way is given up, and nothing that was finished is lost.
    """
    suspects: list[Task] = []

    def settle(future: Any, task: Task) -> None:
        # Others may restart the cluster's workers, which takes their tasks away.
        if future.cancelled() or _killed(future):
            suspects.append(task)
        else:
            done(_outcome(future, task))

    _run(client, tasks, max(1, sum(client.nthreads().values())) * IN_FLIGHT, settle)
    for suspect in suspects:
        _run(client, [suspect], 1, lambda future, task: done(_outcome(future, task)))


def _run(client: Any, tasks: Iterable[Task], at_once: int, settle: Callable[[Any, Task], None]) -> None:
    """So many at once; `settle` is called with each one's future.

    Raises:
        _GoneError: the scheduler is.
    """
    waiting = iter(tasks)
    of_future: dict[str, Task] = {}
    running = _dask().as_completed(raise_errors=False)

    def begin() -> None:
        task = next(waiting, None)
        if task is not None:
            future = client.submit(take, task, pure=False)
            of_future[future.key] = task
            running.add(future)

    try:
        for _ in range(at_once):
            begin()
        for future in running:
            if future.cancelled() and client.status != "running":
                raise _GoneError
            settle(future, of_future.pop(future.key))
            future.release()
            begin()
    except BaseException as error:
        with suppress(Exception):  # of a client that is closed there is nothing to give up
            client.cancel(list(running.futures), force=True)
        # Whoever asks the scheduler for something in that moment hears of it first.
        gone = isinstance(error, _dask().comm.CommClosedError) or client.status != "running"
        if gone and isinstance(error, Exception):
            raise _GoneError from error
        raise


def _killed(future: Any) -> bool:
    return future.status != "finished" and type(future.exception()).__name__ == "KilledWorker"


def _outcome(future: Any, task: Task) -> Outcome:
    if future.status == "finished":
        found: Outcome = future.result()
        return found
    if future.cancelled():
        return failed(task, "its reading was cancelled on the cluster, twice")
    if _killed(future):
        return failed(
            task, "each process that read it was ended, most likely for its memory; --worker-memory gives more"
        )
    error = future.exception()
    return failed(task, f"{type(error).__name__}: {error}")


def _dask() -> Any:
    require("cryptography", "tracer fleet", INSTALL_FLEET)
    require("dask", "tracer fleet", INSTALL_FLEET)
    return require("distributed", "tracer fleet", INSTALL_FLEET)
