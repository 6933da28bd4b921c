"""Where a recording is until it is whole, so that a last write which fails does not lose it."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from tracer.document.errors import InputError
from tracer.recording.world.place import told_path
from tracer.recording.world.world import ALONE, OtherRankError, lost_another
from tracer.recording.write.output import write_run

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracer.document.manifest import Manifest
    from tracer.recording.world.world import World

# How a workspace's name begins.
WORKSPACE = "tracer-"
# Below, a damaged capture is a matter of room.
FULL_BYTES = 1 << 20


class Workspace:
    """A folder for what a profiler leaves.

    Attributes:
        folder: goes with the workspace, unless the recording had to be kept in it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kept = False

    def write(self, output: Path, captures: Sequence[Path], manifest: Manifest, world: World = ALONE) -> None:
        """Write the run to `output`, or else keep what there is.

        Of several ranks none puts its file in its place before all have written theirs: files of two runs would stand
        beside each other. Where one of them could not, the others keep theirs under a name that says so.

        Args:
            output, captures, manifest: see `write_run`.
            world: whose ranks write.

        Raises:
            InputError: it could not be written there; the message says why, and where the recording is.
            OtherRankError: another rank's could not.
        """
        first = output if world.place.alone else _free(output)
        _tell(world, first)
        failure = ""
        try:
            write_run(first, captures, manifest)
        except (OSError, InputError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            kept = self._write_elsewhere(output, captures, manifest) or self._keep(output, manifest)
            failure = f"{output}: {self._why(reason)}; {kept}"
        others = _settled(world, failure)
        if failure:
            raise InputError(failure)
        if others:
            raise OtherRankError(f"{others}; this one's recording is whole and kept in {first}")
        if first != output:
            os.replace(first, output)  # noqa: PTH105
            _tell(world, output)

    def _write_elsewhere(self, output: Path, captures: Sequence[Path], manifest: Manifest) -> str:
        """Try a packed file beside the output, which takes a tenth, and then one in the folder; "" if neither works."""
        packed = f"{_stem(output)}.json.gz"
        for path in (output.with_name(packed), self.folder / packed):
            if path.exists() or path == output:
                continue
            with suppress(OSError, InputError):
                write_run(path, captures, manifest)
                self.kept = path.parent == self.folder
                if self.kept:
                    for capture in captures:
                        capture.unlink()
                return f"the recording is kept in {path}"
        return ""

    def _keep(self, output: Path, manifest: Manifest) -> str:
        """Keep what the profiler left as it is, and the latencies in a run without events."""
        self.kept = True
        left = f"what the profiler left is kept in {self.folder}"
        name = f"{_stem(output)}.latencies.json"
        for path in (output.with_name(name), self.folder / name):
            if not path.exists():
                with suppress(OSError):
                    write_run(path, [], manifest)
                    return f"{left}, the latencies in {path}"
        return left

    def _why(self, reason: str | None) -> str:
        full = shutil.disk_usage(self.folder).free < FULL_BYTES
        return f"{reason}, and there is no room left in {self.folder.parent}" if full else str(reason)


def _settled(world: World, failure: str) -> str:
    """What is wrong with other ranks' recordings, once every rank has written its own or could not; "" if nothing."""
    try:
        said = world.gather("failed" if failure else "")
    except Exception as error:
        if not (lost := lost_another(error)):
            raise
        return f"another rank is gone ({lost})"
    failed = [str(rank) for rank, one in enumerate(said) if one and rank != world.place.rank]
    return f"the recording of rank {', '.join(failed)} could not be written" if failed else ""


def _tell(world: World, path: Path) -> None:
    """Tell whoever started the ranks in which file this one's recording is, or will be."""
    if world.place.folder is not None:
        with suppress(OSError):
            told_path(world.place.folder, world.place.rank).write_bytes(os.fsencode(path))


def _free(output: Path) -> Path:
    """A name beside the output that no file has."""
    stem, ending = _stem(output), output.name.removeprefix(_stem(output))
    names = (f"{stem}.kept{f'-{number}' if number > 1 else ''}{ending}" for number in count(1))
    return next(path for path in map(output.with_name, names) if not path.exists())


def _stem(output: Path) -> str:
    return output.name.removesuffix(".gz").removesuffix(".json")


@contextmanager
def workspace() -> Iterator[Workspace]:
    """Make a workspace, and remove it at the end unless it holds what is left of a recording.

    Raises:
        InputError: there is no folder for temporary files.
    """
    try:
        opened = Workspace(Path(tempfile.mkdtemp(prefix=WORKSPACE)))
    except OSError as error:
        raise InputError(f"no folder for temporary files ({error}); TMPDIR names one") from None
    try:
        yield opened
    finally:
        if not opened.kept:
            shutil.rmtree(opened.folder, ignore_errors=True)
