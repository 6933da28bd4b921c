"""Make a trace of any size out of a real one: copies behind each other in time, in Kineto's own layout.

    python benchmarks/multiply_trace.py tests/data/kineto_b200_vllm_eager.json.gz big.json --megabytes 1000

Timestamps are shifted and ids (correlation, External id, flow ids) offset, so that every copy is a run of its own.
Events are laid out as Kineto has done since 2021: two spaces deep, two lines of keys, arguments in a block.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from isal import igzip

Render = Callable[[int, int, int], str]
RANGES = ("user_annotation", "gpu_user_annotation")
OFFSET_ARGS = ("correlation", "External id", "Ev Idx", "Python id", "Python parent id")


def read(path: Path) -> dict[str, Any]:
    data = path.read_bytes()
    text = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    document: dict[str, Any] = json.loads(text, parse_float=Decimal)
    return document


def nanoseconds(value: Any) -> int:
    return int(Decimal(str(value)) * 1000)


def renderer(event: dict[str, Any]) -> Render:
    """Lays an event out once, and returns a function that fills in a copy's time and ids."""

    def plain(value: Any) -> str:
        return json.dumps(value, default=float).replace("%", "%%")

    head = [f'"{key}": {plain(event[key])}' for key in ("ph", "cat", "name", "pid", "tid", "s") if key in event]
    tail, numbers = [], []
    if "id" in event:
        tail.append('"id": %(id)d')
        numbers.append(("id", event["id"]))
    if "ts" in event:
        tail.append('"ts": %(us)d.%(ns)03d')
    if "dur" in event:
        duration = nanoseconds(event["dur"])
        tail.append(f'"dur": {duration // 1000}.{duration % 1000:03}')
    arguments = []
    for place, (key, value) in enumerate(event.get("args", {}).items()):
        if key in OFFSET_ARGS and isinstance(value, int):
            numbers.append((f"a{place}", value))
            arguments.append(f"{plain(key)}: %(a{place})d")
        else:
            arguments.append(f"{plain(key)}: {plain(value)}")
    block = ""
    if arguments:
        lines = ",\n      ".join(", ".join(arguments[i : i + 3]) for i in range(0, len(arguments), 3))
        block = f',\n    "args": {{\n      {lines}\n    }}'
    template = f"  {{\n    {', '.join(head)},\n    {', '.join(tail)}{block}\n  }}"
    start = nanoseconds(event.get("ts", 0))

    def render(copy: int, period_ns: int, id_step: int) -> str:
        time = start + copy * period_ns
        values = {name: value + copy * id_step for name, value in numbers}
        return template % {"us": time // 1000, "ns": time % 1000, **values}

    return render


def pieces(document: dict[str, Any], target_bytes: int) -> Iterator[str]:
    """The text of the large trace, in pieces."""
    events = document.pop("traceEvents")
    timed = [event for event in events if "ts" in event]
    ends = [nanoseconds(event["ts"]) + nanoseconds(event.get("dur", 0)) for event in timed]
    period = max(ends) - min(nanoseconds(event["ts"]) for event in timed) + 1_000_000
    largest = max(
        [value for event in events for key, value in event.get("args", {}).items()
         if key in OFFSET_ARGS and isinstance(value, int)] or [1]
    )  # fmt: skip
    id_step = largest + 1
    renders = [renderer(event) for event in events]
    metadata = json.dumps(document, indent=2, default=float).rstrip().removesuffix("}").rstrip()
    yield metadata + (",\n" if document else "\n") + '  "traceEvents": [\n'
    written, copy = 0, 0
    while written < target_bytes:
        text = ",\n".join(render(copy, period, id_step) for render in renders)
        yield text if copy == 0 else ",\n" + text
        written, copy = written + len(text), copy + 1
    yield '\n  ],\n  "traceName": "multiplied"\n}\n'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("output", type=Path, help="ends in .json or .json.gz")
    parser.add_argument("--megabytes", type=float, required=True)
    parser.add_argument("--unmarked", action="store_true", help="leave out the ranges, by which stages are told")
    options = parser.parse_args()
    document = read(options.source)
    if options.unmarked:
        document["traceEvents"] = [one for one in document["traceEvents"] if one.get("cat") not in RANGES]
    opened = igzip.open(options.output, "wt") if options.output.suffix == ".gz" else options.output.open("w")
    with opened as file:
        for piece in pieces(document, int(options.megabytes * 1e6)):
            file.write(piece)


if __name__ == "__main__":
    main()
