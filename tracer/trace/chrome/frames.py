"""Which Python frames of a text are worth decoding, told by their names before any of them is decoded.

Where stacks were recorded, two thirds of a trace are Python frames, of which one in fifty is wanted. Their names
repeat: most are decided on by their first bytes, all at once, and the others by a memory of the names that were met.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from tracer.arrays import int64
from tracer.trace.chrome.categories import MODULE_PREFIX, SELDOM_TELLING, WAITING, Group, model_frame, telling_frame
from tracer.trace.chrome.events import UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from tracer.arrays import I64

    U64 = npt.NDArray[np.uint64]

FRAME = "python_function"
# As Kineto writes it, and json.dumps: the name follows the category at once. Compared from here on, eight bytes each.
_TO_NAME = f'{FRAME}", "name": "'.encode()
_COMPARED = (len(_TO_NAME) - 16, len(_TO_NAME) - 8)
# In other layouts.
_NAME = re.compile(FRAME.encode() + rb'",\s*"name"\s*:\s*"')
# A longer one is decoded whatever it is, and not kept in mind; so many of the others are.
LONGEST, MOST_NAMES = 512, 1 << 15
_P, _Y = FRAME[:2].encode()


def frames_of(wanted: Group | None) -> Frames | None:
    """The choice among frames that this group asks for, if it is one of frames."""
    if wanted is Group.MODULE:
        return Frames(model_frame, always=MODULE_PREFIX, never=SELDOM_TELLING, but=WAITING)
    return Frames(telling_frame, always="", never=("torch/",)) if wanted is Group.FRAME else None


class Frames:
    """Chooses among frames by their names.

    Args:
        tell: whether a frame of this name is wanted.
        always: how names begin that are wanted whatever `tell` says; "" if there are none such.
        never: how names begin of which `tell` says no; eight bytes at most.
        but: how names begin of which it says yes all the same.
    """

    def __init__(
        self, tell: Callable[[str], bool], always: str, never: tuple[str, ...], but: tuple[str, ...] = ()
    ) -> None:
        self._tell = tell
        self._always = always
        self._kept = [_word(always)] if always else []
        self._left = [_word(prefix) for prefix in never]
        self._but = [[_word(prefix[at:]) for at in range(0, len(prefix), 8)] for prefix in but]
        self._known: dict[bytes, bool] = {}

    def chosen(self, content: bytes, places: I64, values: I64, end: int) -> I64:
        """Those of the places that may be wanted: all that are not of frames, and of these not many too many.

        Args:
            content: the text.
            places: of the categories' keys.
            values: where the value of each begins, behind its quote.
            end: of what may be looked at.
        """
        data = np.frombuffer(content, dtype=np.uint8)
        # No other category that anybody wants begins alike. What stands so near the end is for others to judge.
        frames = np.flatnonzero((data[values] == _P) & (data[values + 1] == _Y) & (values + len(_TO_NAME) + 8 <= end))
        if not len(frames):
            return places
        words = np.ndarray((len(content) - 7,), dtype="<u8", buffer=content, strides=(1,))
        value = values[frames]
        plain = np.ones(len(value), dtype=np.bool_)
        for offset in _COMPARED:
            plain &= words[value + offset] == int.from_bytes(_TO_NAME[offset : offset + 8], "little")
        head = words[value + len(_TO_NAME)]
        keep = np.zeros(len(value), dtype=np.bool_)
        for mask, word in self._kept:
            keep |= (head & mask) == word
        decided = keep.copy()
        for mask, word in self._left:
            decided |= (head & mask) == word
        for prefix in self._but:
            keep[_beginning(words, value + len(_TO_NAME), prefix)] = True
        asked = np.flatnonzero(~(decided & plain))
        names = np.where(plain[asked], value[asked] + len(_TO_NAME), -1)
        keep[asked] = self._wanted(content, names.tolist(), value[asked].tolist(), end)
        left = np.ones(len(places), dtype=np.bool_)
        left[frames] = keep
        return int64(places[left])

    def _wanted(self, content: bytes, names: list[int], values: list[int], end: int) -> list[bool]:
        """Whether each frame is wanted.

        Args:
            content: the text.
            names: where each name begins; -1 where that is not known.
            values: where the values of their categories begin.
            end: of what may be looked at.
        """
        for place, name in enumerate(names):
            if name < 0:
                match = _NAME.match(content, values[place], end)
                names[place] = match.end() if match is not None else values[place]  # no name is like what stands there
        known = self._known
        texts = [content[name : name + LONGEST].partition(b'"')[0] for name in names]
        try:
            return [known[text] for text in texts]
        except KeyError:
            return [self._learnt(text) for text in texts]

    def _learnt(self, text: bytes) -> bool:
        known = self._known.get(text)
        if known is not None:
            return known
        # Cut at an escaped quote, or at its longest, it is not the whole name; the category stands where there is none.
        if text.endswith(b"\\") or len(text) == LONGEST or text == FRAME.encode():
            return True
        try:
            name = msgspec.json.decode(b'"' + text + b'"', type=str)
        except UNREADABLE:
            return True
        if len(self._known) >= MOST_NAMES:
            self._known.clear()
        found = self._known[text] = bool(self._always and name.startswith(self._always)) or self._tell(name)
        return found


def _beginning(words: U64, at: I64, prefix: list[tuple[np.uint64, np.uint64]]) -> I64:
    """Which of the places a text begins at; those too, so near the end that it would not fit."""
    rows = np.arange(len(at))
    for number, (mask, word) in enumerate(prefix):
        place = at[rows] + 8 * number
        beyond = place >= len(words)
        rows = rows[beyond | ((words[np.minimum(place, len(words) - 1)] & mask) == word)]
    return int64(rows)


def _word(prefix: str) -> tuple[np.uint64, np.uint64]:
    """What to leave of eight bytes, and what that is, if they begin like this."""
    begin = prefix.encode()[:8]
    return np.uint64((1 << 8 * len(begin)) - 1), np.uint64(int.from_bytes(begin, "little"))
