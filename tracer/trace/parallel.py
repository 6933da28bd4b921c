"""The same work in several processes, each on its share."""

from __future__ import annotations

import os
import pickle
from array import array
from typing import TYPE_CHECKING, Any, TypeVar

from tracer.document.errors import MissingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from multiprocessing.connection import Connection

ResultT = TypeVar("ResultT")

# Below, starting processes costs more than they save.
WORTH_A_PROCESS_BYTES = 24 << 20
MOST_PROCESSES = 8
# So many bytes of columns are sent as one: few enough to be given back one after another, and more than lie among what
# is not.
SEGMENT_BYTES = 1 << 20


def processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def default_jobs(size_bytes: int) -> int:
    """How many processes pay for so much to read."""
    return max(1, min(processors(), MOST_PROCESSES, size_bytes // WORTH_A_PROCESS_BYTES))


def in_processes(work: Callable[[int], ResultT], count: int, *, here: bool = True) -> list[ResultT]:
    """Call `work(0)` to `work(count - 1)` at the same time, and return the results in order.

    Without `fork`, or if there is but one share, this process does all.

    Args:
        work: what to do, given the number of the share.
        count: shares.
        here: whether this process does the first one. Where it does not, what the work took beside its result is the
            system's again when it is done.

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
    for share in range(1 if here else 0, count):
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=_child, args=(work, share, sender), daemon=True)
        process.start()
        sender.close()
        children.append((process, receiver))
    try:
        results = [work(0)] if here else []
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
    _send(sender, outcome)
    sender.close()


def _send(sender: Connection, outcome: object) -> None:
    """Send what is no column, and the bytes of columns behind it, so many at once that whoever takes them has them
    where they stay, and not twice."""
    columns: list[pickle.PickleBuffer] = []
    rest = pickle.dumps(outcome, 5, buffer_callback=columns.append)
    raw = [column.raw() for column in columns]
    sender.send_bytes(rest)
    sender.send_bytes(array("q", [len(one) for one in raw]))
    for segment in _segments([len(one) for one in raw]):
        sender.send_bytes(b"".join(raw[segment]))


def _received_outcome(receiver: Connection) -> Any:
    rest, lengths, columns = receiver.recv_bytes(), array("q"), list[memoryview]()
    lengths.frombytes(receiver.recv_bytes())
    for segment in _segments(lengths):
        content, end = memoryview(bytearray(receiver.recv_bytes())), 0
        for length in lengths[segment]:
            begin, end = end, end + length
            columns.append(content[begin:end])
    return pickle.loads(rest, buffers=columns)  # noqa: S301 -- of a process that this one forked


def _segments(lengths: Sequence[int]) -> Iterator[slice]:
    """Which columns are sent together, by their lengths."""
    begin = held = 0
    for place, length in enumerate(lengths):
        held += length
        if held >= SEGMENT_BYTES:
            yield slice(begin, place + 1)
            begin, held = place + 1, 0
    if begin < len(lengths):
        yield slice(begin, len(lengths))


def _received(receiver: Connection) -> Any:
    try:
        result, error = _received_outcome(receiver)
    except EOFError:
        raise MissingError("a reading process died, likely for want of memory; try --jobs 1") from None
    if error is not None:
        raise error
    return result
