"""Made-up programs in the place of nsys."""

from __future__ import annotations

from pathlib import Path

VERSION = 'echo "NVIDIA Nsight Systems version 2024.5.1.113-245134619542v0"'

# Runs the command that it is to profile, as the real one does; its report is a copy of a file beside it.
PROFILES = f"""#!/bin/sh
here=$(dirname "$0")
case "$1" in
--version) {VERSION} ;;
profile)
    shift
    echo "$@" >"$here/profiled"
    while :; do
        case "$1" in
        --output=*) output=${{1#--output=}} ;;
        --*) ;;
        *) break ;;
        esac
        shift
    done
    "$@" || exit $?
    cp "$here/report" "$output.SUFFIX" ;;
export) cp "$here/export.sqlite" "$7" ;;
esac
"""
REFUSES = """#!/bin/sh
echo "Exporting..."
echo "Wrong version of the report" >&2
exit 1
"""


def install(folder: Path, text: str) -> Path:
    """Put a program named nsys into a folder."""
    program = folder / "nsys"
    program.write_text(text)
    program.chmod(0o755)
    return program


def profiling(folder: Path, export: Path, suffix: str = "nsys-rep", *, starts: bool = True) -> Path:
    """An nsys whose every report is this export; unless it `starts` what it is to profile, it only says that it did."""
    (folder / "report").write_bytes(b"NVIDIA Tegra Profiler Report 2024@5@1@113")
    (folder / "export.sqlite").write_bytes(export.read_bytes())
    program = PROFILES.replace("SUFFIX", suffix)
    return install(folder, program if starts else program.replace('"$@" || exit $?', ":"))
