"""What a person may choose about a summary."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tracer.trace.limits import DEFAULT, Limits

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """All of them; as they are, nothing was chosen.

    Attributes:
        patterns: regular expressions of stage ranges, by stage; see `find_stages`.
        all_ranges: keep every annotation's row, not only the first hundred.
        any_thread: give launches of threads without ranges to the stage open elsewhere; see `attribute_ops`.
        steady: leave out ramp-up and ramp-down of a server; see `steady_part`.
        clip_overlaps: cut each op at the start of the next on its stream.
        peak_tflops, peak_gbs: what the device can do, where its data sheet is not to be asked.
        shapes: take the stages' work from the operators' recorded shapes instead of the manifest.
        by: break device time down by this as well; one of `measure.ways`.
        request: this request alone, as the stages number it; all if None.
        jobs: processes to read with; by the file's size if None.
        strict: refuse a torn file.
        nsys: the program that exports Nsight reports, or its folder; the one on PATH if None.
        limits: how much the file may ask for.
        capture: a trace of the moment in which this one's graphs were captured.
        solos: traces of models by themselves, by role, to hold against what they take together.
    """

    patterns: Mapping[str, str] = field(default_factory=dict)
    all_ranges: bool = False
    any_thread: bool = False
    steady: bool = False
    clip_overlaps: bool = False
    peak_tflops: float | None = None
    peak_gbs: float | None = None
    by: str | None = None
    shapes: bool = False
    request: int | None = None
    jobs: int | None = None
    strict: bool = False
    nsys: Path | None = None
    limits: Limits = DEFAULT
    capture: Path | None = None
    solos: Mapping[str, Path] = field(default_factory=dict)

    def in_words(self) -> list[str]:
        """Those that changed the attribution or the times."""
        words = []
        if self.any_thread:
            words.append("launches of threads without ranges were given to the stage open on another thread")
        if self.steady:
            words.append("the steady part alone: ramp-up and ramp-down are left out")
        if self.clip_overlaps:
            words.append("ops were cut at the start of the next on their stream")
        if self.request is not None:
            words.append(f"request {self.request} alone")
        return words
