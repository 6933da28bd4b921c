"""Cut an Nsight Systems export down to what a fixture may hold: the events, and the strings that they name.

    python benchmarks/strip_nsight.py run.sqlite tests/data/nsight_NAME.sqlite

An export carries the whole environment of its machine (passwords among it), its processes, threads, paths and the
host's name. Whatever is not in the lists below goes, and the file is written anew so that nothing stays in free pages.
What people put into NVTX names remains: look at it before publishing somebody's export.
"""

from __future__ import annotations

import argparse
import shutil
import sqlite3
import tempfile
from pathlib import Path

TABLES = (
    "ANALYSIS_DETAILS",
    "CUDA_GRAPH_EVENTS",
    "CUPTI_ACTIVITY_KIND_GRAPH_TRACE",
    "CUPTI_ACTIVITY_KIND_KERNEL",
    "CUPTI_ACTIVITY_KIND_MEMCPY",
    "CUPTI_ACTIVITY_KIND_MEMSET",
    "CUPTI_ACTIVITY_KIND_OVERHEAD",
    "CUPTI_ACTIVITY_KIND_RUNTIME",
    "CUPTI_ACTIVITY_KIND_SYNCHRONIZATION",
    "META_DATA_EXPORT",
    "NVTX_EVENTS",
    "PROFILER_OVERHEAD",
    "StringIds",
    "TARGET_INFO_CUDA_CONTEXT_INFO",
    "TARGET_INFO_CUDA_DEVICE",
    "TARGET_INFO_CUDA_STREAM",
    "TARGET_INFO_GPU",
    "TARGET_INFO_SESSION_START_TIME",
)
# Columns that name a string. Whatever no kept row names goes: paths, host names, the output of the program.
STRING_IDS = ("nameId", "textId", "jsonTextId", "demangledName", "shortName", "mangledName")
EXPORT_FACTS = ("EXPORT_PRODUCT_%", "EXPORT_SCHEMA_%", "EXPORT_PLATFORM", "EXPORT_ARCH")
BLANKED = {"TARGET_INFO_GPU": "uuid", "TARGET_INFO_CUDA_DEVICE": "uuid", "TARGET_INFO_SESSION_START_TIME": "localTime"}


def strip(export: sqlite3.Connection) -> None:
    """Drop from an export what is not listed above. Needs a connection without transactions of its own."""
    # Real exports have no indexes but those of primary keys; other tools add theirs.
    found = export.execute("SELECT type, name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY type")
    for kind, name in found.fetchall():
        if name not in TABLES:
            export.execute(f'DROP {kind} IF EXISTS "{name}"')
    strings = []
    for table in TABLES:
        columns = {row[1] for row in export.execute(f"PRAGMA table_info({table})")}
        strings += [
            f"SELECT {column} FROM {table} WHERE {column} NOT NULL" for column in STRING_IDS if column in columns
        ]
        if BLANKED.get(table) in columns:
            export.execute(f"UPDATE {table} SET {BLANKED[table]} = NULL")
    export.execute(f"DELETE FROM StringIds WHERE id NOT IN ({' UNION '.join(strings)})")
    export.execute(f"DELETE FROM META_DATA_EXPORT WHERE {' AND '.join(['name NOT LIKE ?'] * 4)}", EXPORT_FACTS)
    export.execute("VACUUM")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("export", type=Path)
    parser.add_argument("output", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "copy.sqlite")
        shutil.copyfile(options.export, copy)
        connection = sqlite3.connect(copy, isolation_level=None)
        strip(connection)
        connection.close()
        shutil.move(copy, options.output)
    print(f"{options.output}: {options.output.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
