"""Which files are the ranks of one run, and whether they are."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tracer.document.errors import InputError
from tracer.ranks.rank import read_ranks_of
from tracer.trace.collectives import MOST_RANKS
from tracer.trace.folder import TRACES, named_rank
from tracer.trace.parallel import MOST_PROCESSES, in_processes, processors

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tracer.choices import Choices
    from tracer.ranks.rank import RankTrace

GIVE_ALL = "ranks are compared with each other; give the traces of all, or their folder"


def of_paths(paths: Sequence[Path]) -> list[Path]:
    """The files, and those in the folders, each once.

    Raises:
        InputError: a folder cannot be read, or no file is there.
    """
    found: dict[Path, None] = {}
    for path in paths:
        try:
            inside = _in_folder(path) if path.is_dir() else [path]
        except OSError as error:
            raise InputError(f"{path}: {error.strerror or error}") from None
        found.update(dict.fromkeys(sorted(inside)))
    if not found:
        raise InputError(f"no trace ({', '.join(TRACES)}) in {paths[0]}: {GIVE_ALL}")
    return list(found)


def _in_folder(folder: Path) -> list[Path]:
    """Those whose names say a rank, where several do: what lies beside them is something else."""
    traces = [path for path in folder.iterdir() if path.name.endswith(TRACES)]
    named = [path for path in traces if named_rank(path) is not None]
    return named if len(named) > 1 else traces


def read_ranks(paths: Sequence[Path], choices: Choices) -> dict[int, RankTrace]:
    """Read the ranks, several at once, by their number.

    Raises:
        InputError: a file is no trace, does not say its rank, is a rank twice, they are not of one run, or there is
            only one.
    """
    jobs = min(len(paths), choices.jobs or min(processors(), MOST_PROCESSES))
    # What reads one of several files has no processes of its own.
    each = replace(choices, jobs=1) if jobs > 1 else choices

    def work(share: int) -> list[RankTrace]:
        return [one for path in paths[share::jobs] for one in read_ranks_of(path, each)]

    read = [one for own in in_processes(work, jobs) for one in own]
    if len(read) < 2:
        raise InputError(f"{paths[0]} alone: {GIVE_ALL}")
    traces: dict[int, RankTrace] = {}
    for one in sorted(read, key=lambda one: one.path):
        if one.rank is None:
            raise InputError(f"{one.path}: it does not say which rank it is; name it rank0.json, rank1.json, ...")
        if one.rank in traces:
            raise InputError(
                f"{one.path}: rank {one.rank}, as is {traces[one.rank].path}; give each rank of one run once"
            )
        traces[one.rank] = one
    _one_run(traces)
    return dict(sorted(traces.items()))


def _one_run(traces: dict[int, RankTrace]) -> None:
    """Refuse ranks whose files contradict each other.

    Raises:
        InputError: they do.
    """
    said = [trace for trace in traces.values() if trace.distributed.world_size]
    for other in said[1:]:
        first = said[0]
        if other.distributed.world_size != first.distributed.world_size:
            raise InputError(
                f"{other.path}: of a run of {other.distributed.world_size} ranks, {first.path} of one of "
                f"{first.distributed.world_size}; give ranks of one run"
            )
        both = first.distributed.groups.keys() & other.distributed.groups.keys()
        apart = [name for name in sorted(both) if first.distributed.groups[name] != other.distributed.groups[name]]
        # A group of the same name may be another one on each half of the ranks.
        members = {rank for name in apart for rank in first.distributed.groups[name]}
        if apart and other.rank in members:
            raise InputError(
                f"{other.path}: its process group {apart[0]!r} has other ranks than in {first.path}; "
                "give ranks of one run"
            )


def world_of(traces: dict[int, RankTrace]) -> int:
    """How many ranks the run has, as the traces say; as many as there are where none says it."""
    said = [trace.distributed.world_size for trace in traces.values()]
    sizes = [max(kind.size, max(kind.ranks or (0,)) + 1) for trace in traces.values() for kind in trace.kinds]
    return max([len(traces), max(traces) + 1, *said, *[size for size in sizes if size <= MOST_RANKS]])
