"""What runs of stages are called: by the stage, and where several models work in it by the model too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int64
from tracer.charge.intervals import distinct
from tracer.document.names import ALL_STAGES, in_role

if TYPE_CHECKING:
    from tracer.arrays import I64
    from tracer.charge.stages.ranges import StageRanges


def named_stages(ranges: StageRanges) -> tuple[list[str], I64]:
    """All names, those of `ALL_STAGES` first, and of each range its own as an index into them."""
    names, codes = list(ALL_STAGES), ranges.stage.copy()
    if not ranges.roles:
        return names, int64(codes)
    roles = np.array(ranges.roles, dtype=np.str_)
    for code in distinct(codes[codes >= 0]):
        own = np.flatnonzero(ranges.stage == code)
        found = list(dict.fromkeys(roles[own].tolist()))
        for role in [role for role in found if role] if len(found) > 1 else []:
            codes[own[roles[own] == role]] = len(names)
            names.append(in_role(role, ALL_STAGES[code]))
    return names, int64(codes)
