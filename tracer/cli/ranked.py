"""`tracer record --tensor-parallel N`, or under torchrun: the part of the verb for runs of several processes."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from tracer.document.errors import MissingError, TracerError, UsageError
from tracer.recording.world.place import Place, find_place, of_rank

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import typer

    from model.registry import ModelOptions
    from tracer.document.manifest import Manifest

OPTION = "--tensor-parallel"
TORCHRUN = "torchrun --nproc-per-node {} -m tracer record"
# Files named one by one in what to type next; of more, a pattern says them.
NAMED = 4


@dataclass(frozen=True, slots=True)
class Ranks:
    """The processes that are to record, and which of them this one is.

    Attributes:
        place: this process's.
        size: how many are to record; more than the place's where this one only starts them.
    """

    place: Place
    size: int

    @property
    def to_start(self) -> bool:
        """Whether this process records nothing itself, but starts those that do."""
        return self.place.alone and self.size > 1

    @property
    def speaks(self) -> bool:
        """Whether this process tells a person anything."""
        return self.place.rank == 0

    def own(self, output: Path) -> Path:
        """The file that this process writes."""
        return output if self.place.alone else of_rank(output, self.place.rank)

    def outputs(self, output: Path) -> list[Path]:
        """The files that this process answers for: those of the ranks that it starts, or its own."""
        return [of_rank(output, rank) for rank in range(self.size)] if self.to_start else [self.own(output)]

    def checked(self, output: Path, *, force: bool) -> Path:
        """Refuse files that could not be written, and return the own one.

        Raises:
            UsageError: there is one.
        """
        from tracer.recording.write.output import check_output

        for path in self.outputs(output):
            check_output(path, force=force)
        return self.own(output)

    def start(self, context: typer.Context, output: Path) -> None:
        """Have the same command run as each of the ranks.

        Raises:
            TracerError: one failed.
        """
        from tracer.recording.world.supervisor import run_ranks

        sys.stdout.flush()
        run_ranks(context.find_root().obj, self.outputs(output))

    def made(self, make: Callable[..., ModelOptions]) -> Callable[..., ModelOptions]:
        """What makes the model's options, which then say which part is this rank's, and on which GPU."""
        if self.place.alone:
            return make

        def build(**fields: Any) -> ModelOptions:
            own = {"device": self._device(fields["device"]), "rank": self.place.rank, "ranks": self.place.size}
            return make(**{**fields, **own})

        return build

    def _device(self, device: str) -> str:
        if device != "cuda":
            return device
        import torch

        if self.place.local >= (found := torch.cuda.device_count()):
            raise MissingError(f"each of {self.size} ranks needs a GPU of its own, and torch sees {found} here")
        return f"cuda:{self.place.local}"

    @contextmanager
    def taking_part(self, output: Path) -> Iterator[None]:
        """While open, this process ends as a rank does: at once when it is asked to, and heard when it fails."""
        if self.place.alone:
            yield
            return
        from tracer.recording.world.ending import listen, remove_temporary, remove_unfinished

        own = Path(tempfile.mkdtemp(prefix="tracer-rank-"))
        tempfile.tempdir = str(own)
        run = self.place.folder

        def tidy() -> None:
            remove_unfinished(output, own)

        def orphaned() -> None:
            tidy()
            if run is not None:
                shutil.rmtree(run, ignore_errors=True)

        listen(tidy, orphaned, pipe=None if run is None else sys.stdin.fileno())
        try:
            yield
        except BaseException as error:  # nothing may keep the others waiting
            self._fail(error, own)
        remove_temporary(own)

    def _fail(self, error: BaseException, own: Path) -> NoReturn:
        """Say what went wrong, and end without waiting for anybody."""
        import msgspec

        from tracer.cli.main import TRACEBACK_VARIABLE, words
        from tracer.cli.streams import tell
        from tracer.recording.world.ending import remove_temporary
        from tracer.recording.world.supervisor import Outcome, outcome_path
        from tracer.recording.world.world import OtherRankError, has_met, lost_another

        messages, code = words(error) if isinstance(error, Exception) else ([type(error).__name__], 1)
        if lost := lost_another(error):
            messages = [f"another rank is gone ({lost})"]
        if os.environ.get(TRACEBACK_VARIABLE):
            import traceback

            traceback.print_exception(error)
        everywhere = isinstance(error, TracerError) and not has_met() and type(error.__context__).__name__ not in MEMORY
        only_lost = bool(lost) or isinstance(error, OtherRankError)
        outcome = Outcome(messages=messages, exit_code=code, lost=only_lost, everywhere=everywhere)
        if self.place.folder is None:
            for message in messages:
                tell(f"rank {self.place.rank}: {message}")
        else:
            with suppress(OSError):
                outcome_path(self.place.folder, self.place.rank).write_bytes(msgspec.json.encode(outcome))
        remove_temporary(own)
        with suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


# One rank may run out of it where others do not.
MEMORY = ("OutOfMemoryError", "MemoryError")


def find_ranks(tensor_parallel: int | None, asked: Mapping[str, Any]) -> Ranks:
    """The ranks of the run that a person's options and the environment ask for.

    Args:
        tensor_parallel: how many; None for as many as there are.
        asked: every option of the verb, by its name.

    Raises:
        UsageError: it cannot be recorded in several processes like that.
    """
    place = find_place(os.environ)
    size = tensor_parallel or place.size
    if place.alone and size == 1:
        return Ranks(place, 1)
    if not place.alone and size != place.size:
        raise UsageError(f"{OPTION} {size}: torchrun started {place.size} processes: drop it")
    _check(place, size, asked)
    return Ranks(place, size)


def _check(place: Place, size: int, asked: Mapping[str, Any]) -> None:
    """Refuse what several processes cannot record.

    Raises:
        UsageError: so it is.
    """
    from model import registry
    from tracer.recording.own.spelling import parse

    model, decode, device = asked["model"], asked["decode"], asked["device"]
    if asked["script"]:
        raise UsageError(
            "a script is started by one recorder, not by each rank: tracer record -- torchrun --nproc-per-node "
            f"{size} my_infer.py, of which rank 0 is recorded"
        )
    if asked["nsys"] or asked["nsys_path"] is not None:
        raise UsageError("--nsys records one process: drop it, or record without ranks")
    if asked["draft"] is not None:
        raise UsageError("--draft: rounds are made by one process: drop it, or record without ranks")
    if asked["energy"]:
        raise UsageError(
            "--energy repeats each stage until its GPU's counter tells, and ranks must repeat alike: drop it, or "
            "record without ranks"
        )
    if parse(model) is not None:
        if place.alone:
            raise UsageError(f"{OPTION}: {model} divides its model itself: {TORCHRUN.format(size)} --model {model}")
        return
    if model.startswith(registry.HF_PREFIX):
        raise UsageError(
            f"{OPTION}: built-in models are divided ({', '.join(registry.MODELS)}), {registry.HF_PREFIX} ones are not; "
            f"a function that returns one divided is recorded by {TORCHRUN.format(size)} --model FILE.py:FUNCTION"
        )
    if decode in (registry.GRAPH, registry.COMPILE):
        raise UsageError(f"--decode {decode}: its steps hold no collectives here; ranks decode eager or static")
    if device is not None and ":" in device:
        raise UsageError(f"--device {device}: each rank has a GPU of its own: write --device cuda")


def say_files(output: Path, manifest: Manifest) -> str:
    """The files of all ranks, for what to type next; `output` is rank 0's."""
    import shlex

    whole = output.with_name(output.name.replace(".rank0.", ".", 1))
    if manifest.world_size <= NAMED:
        return " ".join(shlex.quote(str(of_rank(whole, rank))) for rank in range(manifest.world_size))
    beginning, _, suffix = str(output).rpartition(".rank0.")
    return f"{shlex.quote(beginning)}.rank*.{suffix}"
