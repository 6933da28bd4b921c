"""Prove that a change of structure changes no output: two checkouts, the same commands, byte for byte.

    python benchmarks/same_outputs.py OLD_CHECKOUT [TRACE_OR_FOLDER ...]

Both checkouts run every command of `COMMANDS` on every trace of `tests/data` and of the paths given, each checkout in a
process of its own. What they print, their exit codes and their messages are compared; the exit code is 1 if anything
differs.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
SUFFIXES = (".json", ".json.gz", ".sqlite")
# Behind each comes the trace.
COMMANDS = (
    ("summarize",),
    ("summarize", "--format", "json", "--all-ranges"),
    ("summarize", "--format", "markdown"),
    *[("summarize", "--by", by) for by in ("op", "module", "layer", "kernel", "category", "stream")],
    ("summarize", "--by", "kernel", "--format", "json"),
    ("summarize", "--shapes"),
    ("summarize", "--any-thread", "--clip-overlaps", "--format", "json"),
    ("summarize", "--marker", r"decode=aten::|step|Step|forward(\d+)?"),
    ("summarize", "--peak-tflops", "100", "--peak-gbs", "1000"),
    ("summarize", "--budget", "vision<=5%", "--budget", "tpot<=1ms"),
    *[("whatif", *change) for change in (
        ("--stage", "decode=0.5"), ("--launch-overhead", "0"), ("--batch-frames", "5"), ("--decode", "static"),
        ("--decode", "graph"), ("--decode", "compile"), ("--visual-tokens", "0.5"), ("--bandwidth", "2x"),
        ("--speculate", "4@0.7", "--json"),
    )],
    ("explain", "bottleneck-stage"),
    ("explain", "launch-bound"),
    ("compare", "--format", "text"),
    ("compare", "--format", "json"),
    ("compare", "--format", "markdown", "--max-regression", "5%"),
)  # fmt: skip
TWO_FILES = "compare"
WIDTHS = (80, 60, 120)

RUNNER = """
import contextlib, io, json, os, sys
from tracer.cli.main import main
out = {}
for number, (width, command) in enumerate(json.load(sys.stdin)):
    os.environ["COLUMNS"] = str(width)
    stdout, stderr = io.StringIO(), io.StringIO()
    sys.argv = ["tracer", *command]
    try:
        with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
            main()
    except SystemExit as end:
        code = end.code
    except BaseException as error:
        code = f"{type(error).__name__}: {error}"
    out[json.dumps([width, command])] = [code, stdout.getvalue(), stderr.getvalue()]
json.dump(out, open(os.environ["SAME_OUTPUTS"], "w"))
"""


def traces(paths: list[Path]) -> list[Path]:
    """The trace files, and those below the folders, each once."""
    found = []
    for path in (HERE / "tests" / "data", *paths):
        found += [one for one in sorted(path.rglob("*")) if one.name.endswith(SUFFIXES)] if path.is_dir() else [path]
    return list(dict.fromkeys(path.resolve() for path in found))


def commands(paths: list[Path]) -> list[tuple[int, list[str]]]:
    """What to run, each with the terminal's width."""
    made = []
    for number, path in enumerate(paths):
        other = paths[(number + 1) % len(paths)]
        for command in COMMANDS:
            files = [str(path), str(other)] if command[0] == TWO_FILES else [str(path)]
            widths = WIDTHS if command in (("summarize",), ("compare", "--format", "text")) else WIDTHS[:1]
            made += [(width, [*command, *files]) for width in widths]
    return made


def outputs(checkout: Path, asked: list[tuple[int, list[str]]]) -> dict[str, list[object]]:
    """What a checkout says to the commands."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "out.json")
        environment = {
            **os.environ, "PYTHONPATH": str(checkout), "SAME_OUTPUTS": str(target), "XDG_CACHE_HOME": folder,
            "PYTHONHASHSEED": "0",
        }  # fmt: skip
        subprocess.run(
            [sys.executable, "-c", RUNNER], input=json.dumps(asked), text=True, env=environment, cwd=folder, check=True
        )
        return dict(json.loads(target.read_text()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", type=Path, help="the other checkout")
    parser.add_argument("traces", type=Path, nargs="*", help="more traces, or folders of them")
    options = parser.parse_args()
    asked = commands(traces(options.traces))
    before, after = outputs(options.old.resolve(), asked), outputs(HERE, asked)
    different = [command for command in before if before[command] != after[command]]
    for command in different[:20]:
        print(f"DIFFERS: {command}")
        for old, new in zip(before[command], after[command], strict=True):
            if old != new:
                lines = zip(str(old).splitlines(), str(new).splitlines(), strict=False)
                pair = next(((a, b) for a, b in lines if a != b), ("(length)", "(length)"))
                print(f"  old: {pair[0][:300]}\n  new: {pair[1][:300]}")
    print(f"{len(before):,} outputs of {len(traces(options.traces))} traces, {len(different)} different")
    sys.exit(1 if different else 0)


if __name__ == "__main__":
    main()
