"""What a script on a GPU wrote, as few files: those that are asked for, and one archive of the others' texts."""

from __future__ import annotations

import shutil
import tarfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MOST = 8
ARCHIVE = "results.tar.gz"
TRACES = (".json.gz", ".nsys-rep", ".sqlite")


def working_folder(out: Path) -> Path:
    """Where a script writes until it packs; a folder of its own, so that nothing else is packed or removed."""
    work = out / "work"
    work.mkdir(parents=True, exist_ok=True)
    return work


def pack(work: Path, keep: Sequence[str] = ()) -> list[str]:
    """Move the files of these names beside the archive of all but traces, and remove the working folder.

    Raises:
        ValueError: more files than are wanted would lie there.
    """
    if len(keep) >= MOST:
        raise ValueError(f"{len(keep)} files and the archive are more than {MOST}")
    out = work.parent
    with tarfile.open(out / ARCHIVE, "w:gz") as archive:
        for path in sorted(work.rglob("*")):
            if path.is_file() and not path.name.endswith(TRACES):
                archive.add(path, path.relative_to(work))
    kept = [name for name in keep if (work / name).is_file()]
    for name in kept:
        (work / name).replace(out / name)
    shutil.rmtree(work)
    return [ARCHIVE, *kept]
