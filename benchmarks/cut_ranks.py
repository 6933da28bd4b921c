"""Cuts a recording of ranks down to what `tracer ranks` reads, so that it can be kept as a fixture.

python benchmarks/cut_ranks.py OUT_FOLDER RANK.json.gz ...

Kept are the device's work, the calls that launched it, the recorder's ranges with what they lie in, the names of
processes and the groups of ranks; of an event's arguments those that say where it belongs. Times stay as they are.
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Any

ON_DEVICE = {"kernel", "gpu_memcpy", "gpu_memset"}
CALLS = {"cuda_runtime", "cuda_driver"}
ARGUMENTS = {
    "correlation", "device", "stream", "Collective name", "In msg nelems", "Out msg nelems", "Group size", "dtype",
    "Process Group Name", "Process Group Description", "Process Group Ranks", "Seq", "name", "labels", "sort_index",
}  # fmt: skip
HEAD = ("tracer", "schemaVersion", "deviceProperties", "distributedInfo", "displayTimeUnit", "baseTimeNanoseconds")


def main(folder: Path, files: list[Path]) -> None:
    """Write each file anew, of the same name."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        print(f"{folder / file.name}: {cut_file(file, folder / file.name):,} bytes")


def cut_file(file: Path, out: Path) -> int:
    """Write what is kept of a file, and say how many bytes it is."""
    text = json.dumps(cut(json.loads(gzip.decompress(file.read_bytes()))), separators=(",", ":"))
    return out.write_bytes(gzip.compress(text.encode(), 9, mtime=0))


def cut(trace: dict[str, Any]) -> dict[str, Any]:
    """What is kept of a trace."""
    events = trace["traceEvents"]
    launched = {event["args"]["correlation"] for event in events if event.get("cat") in ON_DEVICE}
    head = {key: trace[key] for key in HEAD if key in trace}
    return {**head, "traceEvents": [_less(event) for event in events if _kept(event, launched)]}


def _kept(event: dict[str, Any], launched: set[int]) -> bool:
    category = event.get("cat")
    if category in CALLS:
        return event["args"].get("correlation") in launched
    return category in ON_DEVICE or category == "user_annotation" or event["ph"] == "M"


def _less(event: dict[str, Any]) -> dict[str, Any]:
    arguments = {key: value for key, value in event.get("args", {}).items() if key in ARGUMENTS}
    return {key: arguments if key == "args" else value for key, value in event.items()}


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(one) for one in sys.argv[2:]])
