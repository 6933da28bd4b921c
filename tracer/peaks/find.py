"""A device's best, from a person, a measurement, a data sheet or the trace."""

from __future__ import annotations

import re

from tracer.peaks.measured import measured
from tracer.peaks.peak import Peak
from tracer.peaks.sheets import listed

_SLICE = re.compile(r"\bMIG\b", re.ASCII)


def find_peak(
    device: str,
    dtype: str,
    *,
    tflops: float | None = None,
    gbs: float | None = None,
    traced_gbs: float | None = None,
    threads: int | None = None,
) -> Peak:
    """The peak of a device: what was given counts first, then what was measured, then the data sheet.

    Args:
        device: its name; "" of several kinds, which have none in common.
        dtype: that matrix products reckon in.
        tflops, gbs: peaks of one device that a person gave: 10^12 operations and 10^9 bytes a second.
        traced_gbs: what the trace says of the memory, which is better than nothing at all.
        threads: of a CPU; what was measured counts for as many only.
    """
    if _SLICE.search(device):
        traced_gbs = None  # that of the whole device
    traced = Peak(tflops=None, gbs=traced_gbs, source="the trace" if traced_gbs else "")
    known = measured(device, dtype, threads) or listed(device, dtype) or traced
    if tflops is None and gbs is None:
        return known
    given = " and ".join(name for name, value in (("--peak-tflops", tflops), ("--peak-gbs", gbs)) if value is not None)
    both = tflops is not None and gbs is not None
    return Peak(
        tflops=known.tflops if tflops is None else tflops,
        gbs=known.gbs if gbs is None else gbs,
        source=given if both or not known.source else f"{given}, else {known.source}",
    )
