"""Many sets of files as one: a file a table and trace is more than a file system and a question can take."""

from __future__ import annotations

import hashlib
import shutil
from datetime import date
from typing import TYPE_CHECKING

from tracer.fleet.columns import TABLES, schema
from tracer.fleet.store import DAY, LISTED, MERGED, has_failed, is_run, kept, listed_in

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tracer.fleet.store import Store

# Rows of several traces are written together, so that a file's parts are not tiny.
ROWS = 200_000


def merge(store: Store, day: Path) -> int:
    """Put a day's traces, each in a set of its own, into one set; how many those were.

    Traces that failed are left as they are, to be read again. The new set counts as soon as it is there, and from then
    on those that it lists do not: whoever is killed in between loses nothing and counts nothing twice.

    Raises:
        OSError: the disk is full, or the folder not to be written to.
    """
    already = {run for path in day.glob(f"{MERGED}*/{LISTED}") for run in listed_in(path)}
    _remove(day / run for run in sorted(already) if (day / run).is_dir())
    sets = [path for path in sorted(day.iterdir()) if is_run(path.name) and not has_failed(path)]
    if len(sets) > 1:
        names = "".join(f"{path.name}\n" for path in sets)
        name = f"{MERGED}{hashlib.blake2b(names.encode(), digest_size=16).hexdigest()}"
        store.put(name, date.fromisoformat(day.name.removeprefix(DAY)), lambda folder: _write(folder, sets, names))
        _remove(sets)
        return len(sets)
    return 0


def _write(folder: Path, sets: list[Path], names: str) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    for name in TABLES:
        wanted, waiting, rows = schema(name), [], 0
        with (
            (folder / f"{name}.parquet").open("wb") as file,
            parquet.ParquetWriter(file, wanted, compression="zstd") as writer,
        ):
            for path in sets:
                waiting.append(parquet.read_table(path / f"{name}.parquet", schema=wanted))
                rows += waiting[-1].num_rows
                if rows >= ROWS:
                    writer.write_table(pa.concat_tables(waiting))
                    waiting, rows = [], 0
            if waiting:
                writer.write_table(pa.concat_tables(waiting))
        kept(folder / f"{name}.parquet")
    (folder / LISTED).write_text(names)
    kept(folder / LISTED)


def _remove(sets: Iterable[Path]) -> None:
    for path in sets:
        shutil.rmtree(path, ignore_errors=True)
