"""Every finding on every trace at hand, as a page to be read line by line.

    python benchmarks/findings_table.py [FOLDER ...] > docs/findings-on-files.md

The repository's own traces, and those of the folders.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tracer.document.errors import TracerError
from tracer.summarize import summarize_file

ROOT = Path(__file__).parents[1]
DATA = ROOT / "tests" / "data"
HEAD = """# Findings on real files

What `tracer summarize` finds in the real traces at hand: those of the repository (`tests/data`), and more that are not
in it. Made by `python benchmarks/findings_table.py`, and read line by line as one who knows the runs: what is said below
each file is the reader's judgement. Silence is an answer too: `not answered` names what a file cannot support.
"""


def main() -> None:
    files = [
        path for pattern in ("kineto_*.json.gz", "nsight_h*.sqlite", "h100_*.json.gz") for path in DATA.glob(pattern)
    ]
    for folder in map(Path, sys.argv[1:]):
        files += [path for pattern in ("*.json.gz", "*.sqlite", "*/*.json.gz") for path in folder.glob(pattern)]
    seen: dict[str, Path] = {}
    for path in sorted(files):
        seen.setdefault(
            path.name if path.parent.name in ("data", "traces", "h100") else f"{path.parent.name}/{path.name}", path
        )
    print(HEAD)
    for name, path in seen.items():
        print(f"## {name.partition('.')[0]}\n")
        try:
            summary = summarize_file(path)
        except TracerError as error:
            print(f"{error}\n")
            continue
        devices = ", ".join(sorted({device.name or "unnamed" for device in summary.trace.devices})) or "no device"
        stages = ", ".join(f"{one.stage} {one.calls}" for one in summary.stages) or "none"
        print(f"{devices}; {summary.device.ops:,} ops; stages ({summary.trace.markers}): {stages}.\n")
        for finding in summary.findings:
            gain = finding.gain
            saved = (
                "" if gain is None else f" *Up to {gain.time_ns / 1e6:,.3g} of {gain.of_ns / 1e6:,.4g} ms ({gain.of}).*"
            )
            print(f"- **{finding.id}**: {_plain(finding.message)}.{saved}")
        if not summary.findings:
            print("- nothing")
        for one in summary.abstained:
            if one.what in ("stages", "latency"):
                continue
            print(f"- not answered, {_plain(one.what)}: {_plain(one.reason)}.")
        print()


def _plain(text: str) -> str:
    return text.replace("<", "&lt;").replace("*", "\\*").replace("|", "\\|")


if __name__ == "__main__":
    main()
