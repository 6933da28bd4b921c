"""The same work in several processes, each on its share."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, TypeVar

from tracer.document.errors import MissingError

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

ResultT = TypeVar("ResultT")

# Below, starting processes costs more than they save.
WORTH_A_PROCESS_BYTES = 24 << 20
MOST_PROCESSES = 8


def processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def default_jobs(size_bytes: int) -> int:
    """How many processes pay for so much to read."""
    return max(1, min(processors(), MOST_PROCESSES, size_bytes // WORTH_A_PROCESS_BYTES))


def in_processes(work: Callable[[int], ResultT], count: int) -> list[ResultT]:
    """Call `work(0)` to `work(count - 1)` at the same time, and return the results in order.

    The first share is done by this process. Without `fork`, all are.

    Raises:
        MissingError: a process died, which on Linux usually means that memory ran out.
        Exception: what `work` raised.
    """
    if count == 1:
        return [work(0)]
    import multiprocessing

    if "fork" not in multiprocessing.get_all_start_methods():
        return [work(share) for share in range(count)]
    context = multiprocessing.get_context("fork")
    children = []
    for share in range(1, count):
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=_child, args=(work, share, sender), daemon=True)
        process.start()
        sender.close()
        children.append((process, receiver))
    try:
        results = [work(0)]
        for _, receiver in children:
            results.append(_received(receiver))
        return results
    finally:
        for process, receiver in children:
            receiver.close()
            process.terminate()
            process.join()


def _child(work: Callable[[int], Any], share: int, sender: Connection) -> None:
    try:
        outcome: tuple[Any, BaseException | None] = (work(share), None)
    except Exception as error:
        outcome = (None, error)
    sender.send(outcome)
    sender.close()


def _received(receiver: Connection) -> Any:
    try:
        result, error = receiver.recv()
    except EOFError:
        raise MissingError("a reading process died, likely for want of memory; try --jobs 1") from None
    if error is not None:
        raise error
    return result
