"""One run recorded twice, by torch.profiler and by Nsight Systems: do the two tell the same?

    python benchmarks/compare_recorders.py CHROME NSIGHT OUTPUT.md [--nsys-path NSYS]

Both are traces, or summaries saved with --format json. Writes a table: device time and ops per stage, with the
difference, and the kernels that only one of them has or has more often.
"""

from __future__ import annotations

import argparse
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec

Summary = dict[str, Any]


def read(path: Path, nsys: Path | None) -> Summary:
    """A summary that was saved, or that of a trace."""
    if path.suffix == ".json" and b'"tracer.summary/' in path.open("rb").read(200):
        return json.loads(path.read_bytes())
    from tracer.document.summary import encode
    from tracer.summarize import Choices, summarize_file

    return msgspec.json.decode(encode(summarize_file(path, Choices(nsys=nsys))))


def counts(summary: Summary, stage: str) -> Counter[str]:
    """How often each kernel ran; the two demangle differently, so by their bare names."""
    found: Counter[str] = Counter()
    for row in summary["stages"]:
        if row["stage"] == stage:
            for kernel in row["kernels"]:
                found[bare(kernel["name"])] += kernel["count"]
    return found


def bare(name: str) -> str:
    """A kernel's name without its return type, template and parameters."""
    name = name.replace("(anonymous namespace)", "<unnamed>").replace("<unnamed>", "unnamed")
    if name.startswith("Mem"):
        return name
    return re.split(r"[<(]", name.removeprefix("void "))[0].strip()


def table(chrome: Summary, nsight: Summary) -> str:
    """The comparison in Markdown."""
    rows = [
        ("stage", "device ms, torch.profiler", "device ms, Nsight", "difference", "ops, torch.profiler", "ops, Nsight")
    ]
    other = {row["stage"]: row for row in nsight["stages"]}
    pairs = [(row["stage"], row, other[row["stage"]]) for row in chrome["stages"]]
    pairs.append(("no stage", *(summary["device"]["unattributed"] for summary in (chrome, nsight))))
    for stage, *sides in pairs:
        mine, theirs = (side.get("device_time_ns", side.get("time_ns")) / 1e6 for side in sides)
        difference = f"{100 * (theirs - mine) / mine:+.2f} %" if mine else ""
        rows.append((stage, f"{mine:.3f}", f"{theirs:.3f}", difference, *(f"{side['ops']:,}" for side in sides)))
    different = [
        (stage, f"`{name}`", f"{mine[name]:,}", f"{theirs[name]:,}")
        for stage in other
        for mine, theirs in [(counts(chrome, stage), counts(nsight, stage))]
        for name in sorted(mine.keys() | theirs.keys())
        if mine[name] != theirs[name]
    ]
    if not different:
        return markdown(rows) + "\nEvery kernel and copy ran equally often in every stage of both.\n"
    return markdown(rows) + "\n" + markdown([("stage", "op", "torch.profiler", "Nsight"), *different])


def markdown(rows: list[tuple[str, ...]]) -> str:
    """A table whose first row is its head."""
    lines = [f"| {' | '.join(row)} |\n" for row in rows]
    return "".join([lines[0], "|---" * len(rows[0]) + "|\n", *lines[1:]])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("chrome", type=Path)
    parser.add_argument("nsight", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--nsys-path", type=Path)
    parser.add_argument("--remark", default="", help="a sentence to put below")
    options = parser.parse_args()
    summaries = [read(path, options.nsys_path) for path in (options.chrome, options.nsight)]
    run = summaries[0]["run"] or {}
    what = f"{run.get('model')} {run.get('size')}, {run.get('dtype')} on {run.get('device')}"
    size = f"{run.get('frames')} frames, {run.get('new_tokens')} tokens"
    producers = " beside ".join(summary["trace"]["producer"] for summary in summaries)
    text = f"# One run, two recorders\n\n{what}: {size}. {producers}.\n\n{table(*summaries)}"
    text += f"\n{options.remark}\n" if options.remark else ""
    options.output.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
