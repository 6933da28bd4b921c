"""The stages that tracer's own recordings mark: `tracer/vision`, `tracer/decode#17`."""

from __future__ import annotations

from tracer.charge.stages.named import by_name
from tracer.document.names import parse_range

SOURCE = by_name("tracer", 10, parse_range, count_steps=False)
