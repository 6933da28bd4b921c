"""Bounds of what a document from a file may claim."""

from __future__ import annotations

from typing import Annotated

import msgspec

# None below 0, and none that a double does not hold exactly (as a time, 104 days).
Count = Annotated[int, msgspec.Meta(ge=0, le=1 << 53)]
