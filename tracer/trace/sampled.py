"""Python frames of a large file by which some of its waits can be located, without a second reading of the file.

Frames that tell are a fifth of a file with stacks, and decoding all of them takes as long as everything else. So the
long ones are read everywhere, and the short ones of one text in sixty-four. Profilers write the frames of a thread in
the order in which they begin: so of a time that lies `LONG_NS` behind the first frame of such a text, and in front of
the last, each frame that holds it is read; but for built-in functions that began before, which by then have called
Python, and do more than wait. Where frames are in no order nothing is known, and the file is read again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int64, is_ascending, rows_of_each

if TYPE_CHECKING:
    from tracer.arrays import I64

# A frame is long whose duration in microseconds has four digits or more in front of the point.
LONG_NS = 1_000_000
# Of so many texts one is sampled.
EVERY = 64


def windows_of(start_ns: I64, track: I64) -> tuple[I64, I64, I64, I64]:
    """The windows of a text of which every frame that tells was read: start, end, name and track.

    Args:
        start_ns, track: of its frames, in their order.
    """
    found = []
    for number, rows in rows_of_each(track):
        own = start_ns[rows]
        if is_ascending(own) and own[0] + LONG_NS < own[-1]:
            found.append((int(own[0]) + LONG_NS, int(own[-1]), 0, number))
    columns = np.array(found, dtype=np.int64).reshape(-1, 4)
    start, end, name, tracks = (int64(columns[:, number]) for number in range(4))
    return start, end, name, tracks
