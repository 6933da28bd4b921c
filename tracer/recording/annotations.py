"""Ranges as NVTX has them."""

from __future__ import annotations

import nvtx

from tracer.document.names import DOMAIN, range_name


def annotation(kind: str, index: int | None) -> nvtx.annotate:
    """A range of the grammar, to be entered: in our domain, its kind as category and its index as payload."""
    # Not Domain.push_range: it came with nvtx 0.2.12, of which Nsight Systems 2023 and older record no range.
    return nvtx.annotate(range_name(kind, index), domain=DOMAIN, category=kind, payload=index)
