"""Which of the processes of a run this one is, by its environment."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tracer.document.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

# What torchrun sets; others set a part of it for jobs whose processes know nothing of each other.
RANK, SIZE, LOCAL, ADDRESS = "RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR"
# The folder of a run whose ranks we started ourselves.
FOLDER = "TRACER_RANKS"
MOST_RANKS = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A process's place in its run.

    Attributes:
        rank: its number.
        size: how many there are; 1 where it is alone.
        local: its number among those of its machine.
        folder: of the run, where we started its processes; None where torchrun did.
    """

    rank: int = 0
    size: int = 1
    local: int = 0
    folder: Path | None = None

    @property
    def alone(self) -> bool:
        """Whether there are no others."""
        return self.size == 1


ALONE = Place()


def find_place(environment: Mapping[str, str]) -> Place:
    """The place that the environment says, as torchrun sets it.

    Raises:
        UsageError: what it says cannot be.
    """
    names = (RANK, SIZE, LOCAL) if FOLDER in environment else (RANK, SIZE, LOCAL, ADDRESS)
    if not all(environment.get(name) for name in names):
        return ALONE
    if not all(re.fullmatch(r"\d{1,6}", environment[name]) for name in (RANK, SIZE, LOCAL)):
        said = ", ".join(f"{name}={environment[name][:20]}" for name in (RANK, SIZE, LOCAL))
        raise UsageError(f"the environment says {said}, which torchrun would not: unset them, or start with torchrun")
    rank, size, local = (int(environment[name]) for name in (RANK, SIZE, LOCAL))
    if not rank < size <= MOST_RANKS:
        raise UsageError(f"the environment says {RANK}={rank} and {SIZE}={size}, which torchrun would not: unset them")
    folder = environment.get(FOLDER)
    return ALONE if size == 1 else Place(rank=rank, size=size, local=local, folder=Path(folder) if folder else None)


def told_path(folder: Path, rank: int) -> Path:
    """Where in its run's folder a rank tells in which file its recording is, or will be as soon as it is whole."""
    return folder / f"rank{rank}.recording"


def of_rank(output: Path, rank: int) -> Path:
    """The file of one rank: run.json becomes run.rank0.json."""
    suffix = ".json.gz" if output.name.endswith(".json.gz") else output.suffix
    return output.with_name(f"{output.name.removesuffix(suffix)}.rank{rank}{suffix}")
