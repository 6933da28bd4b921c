"""The file that a recording leaves: a Chrome trace with the manifest inside, written whole or not at all."""

from __future__ import annotations

import gzip
import os
import shutil
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeAlias

import msgspec

from tracer.document import manifest as manifests
from tracer.document.errors import InputError, UsageError
from tracer.recording.write.untangle import without_crossing_frames

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from tracer.document.manifest import Manifest

    Packer: TypeAlias = Callable[[IO[bytes]], AbstractContextManager[IO[bytes]]]

EVENTS = "traceEvents"
FRAMES = b'"python_function"'
# Level 6 takes twice as long as level 3 for a tenth less.
GZIP_LEVEL = 3


def check_output(path: Path, *, force: bool) -> None:
    """Refuse an output that could not be written at the end, before any work is done.

    Raises:
        UsageError: the name has another ending, the file exists and `force` is off, or its folder is missing or takes
            no such file.
    """
    if not path.name.endswith((".json", ".json.gz")):
        raise UsageError(f"{path}: a trace is written as .json or .json.gz")
    try:
        if path.is_dir():
            raise UsageError(f"{path}: is a folder")
        if path.exists() and not force:
            raise UsageError(f"{path}: exists already; --force overwrites it")
        if not path.parent.is_dir():
            raise UsageError(f"{path.parent}: no such folder")
        with _beside(path) as (_, name):  # a name may be too long, a folder one that holds no files
            os.unlink(name)  # noqa: PTH108
    except OSError as error:
        raise UsageError(f"{path}: cannot be written there ({error.strerror})") from None


def write_run(path: Path, captures: Sequence[Path], manifest: Manifest) -> None:
    """Join the captures into one Chrome trace with the manifest under its key.

    The metadata is the first capture's; events keep the profiler's own text, digit for digit. Without captures it is a
    run without events, which has the latencies.

    Raises:
        InputError: a capture is not the JSON that torch.profiler should have written.
    """
    documents = [_top_level(capture) for capture in captures]
    name = path.name.encode("utf-8", "replace").decode()  # names of files may be no text at all
    first = (documents[0] if documents else {}) | {"traceName": msgspec.Raw(msgspec.json.encode(name))}
    metadata = {key: value for key, value in first.items() if key not in (EVENTS, manifests.KEY)}
    with atomic_writer(path) as file:
        file.write(b'{\n"%s": %s' % (manifests.KEY.encode(), manifests.encode(manifest)))
        for key, value in metadata.items():
            file.write(b",\n%s: %s" % (msgspec.json.encode(key), bytes(value)))
        file.write(b',\n"%s": [' % EVENTS.encode())
        written = False
        for document in documents:
            events = bytes(document[EVENTS])
            if FRAMES in events:
                events = without_crossing_frames(events)
            events = events.strip()[1:-1].strip()
            if events:
                file.write((b",\n" if written else b"\n") + events)
                written = True
        file.write(b"\n]\n}\n")


def _top_level(capture: Path) -> dict[str, msgspec.Raw]:
    """The keys of a capture and the text of their values."""
    try:
        document = msgspec.json.decode(capture.read_bytes(), type=dict[str, msgspec.Raw])
        if bytes(document[EVENTS]).lstrip()[:1] == b"[":
            return document
        reason = f"{EVENTS} is no list"
    except OSError as error:
        raise InputError(f"torch.profiler wrote no trace ({error.strerror})") from None
    except (msgspec.MsgspecError, KeyError) as error:
        reason = str(error)
    raise InputError(
        f"torch.profiler wrote a trace that is not JSON ({reason}); a range name with a quote in it does that"
    )


@contextmanager
def atomic_writer(path: Path, packed: Packer | None = None) -> Iterator[IO[bytes]]:
    """Write a file beside `path` and put it in its place at the end; on any error leave nothing behind.

    A path that ends in `.gz` is compressed, by `packed` if that is given.
    """
    with _beside(path) as (file, name):
        if path.name.endswith(".gz"):
            with (packed or _zlib)(file) as inside:
                yield inside
        else:
            yield file
        file.flush()
        os.fsync(file.fileno())  # a disk that is full may say so as late as that
        _share_like_a_new_file(name)
        os.replace(name, path)  # noqa: PTH105 -- `name` is a str from mkstemp


def write_together(folder: Path, files: Mapping[str, Callable[[IO[bytes]], object]]) -> None:
    """Write several files of a folder, which is made if there is none; on any error leave nothing new behind.

    Args:
        folder: of the files.
        files: what writes each of them, by their names.
    """
    made = [place for place in (folder, *folder.parents) if not place.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        first = Path(tempfile.mkdtemp(prefix=".", suffix=".tmp", dir=folder))
        try:
            for name, write in files.items():
                with atomic_writer(first / name) as file:
                    write(file)
            for name in files:
                (first / name).replace(folder / name)
        finally:
            shutil.rmtree(first, ignore_errors=True)
    except BaseException:
        for place in made:
            with suppress(OSError):  # not empty: another process is at work there
                place.rmdir()
        raise


def _zlib(file: IO[bytes]) -> AbstractContextManager[IO[bytes]]:
    return gzip.GzipFile(filename="", mode="wb", compresslevel=GZIP_LEVEL, fileobj=file, mtime=0)  # type: ignore[return-value]


@contextmanager
def _beside(path: Path) -> Iterator[tuple[IO[bytes], str]]:
    """A new file in the same folder and its name, which on any error is removed again."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file, name
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(name)  # noqa: PTH108
        raise


def _share_like_a_new_file(name: str) -> None:
    # mkstemp makes files that only their owner may read; a result is as public as the umask says.
    umask = os.umask(0)
    os.umask(umask)
    os.chmod(name, 0o666 & ~umask)  # noqa: PTH101
