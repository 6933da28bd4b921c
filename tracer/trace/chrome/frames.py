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

    from tracer.arrays import I64, Bools

    U64 = npt.NDArray[np.uint64]

FRAME = "python_function"
# As Kineto writes it, and json.dumps: the name follows the category at once. Compared from here on, eight bytes each.
_TO_NAME = f'{FRAME}", "name": "'.encode()
_COMPARED = (len(_TO_NAME) - 16, len(_TO_NAME) - 8)
# In other layouts.
_NAME = re.compile(FRAME.encode() + rb'",\s*"name"\s*:\s*"')
# What stands in front of a category's key where it comes before the duration.
_BEFORE = re.compile(rb'\{\s*"ph":\s?"X",\s*')
DURATION = b'"dur":'
# A longer one is decoded whatever it is, and not kept in mind; so many of the others are.
LONGEST, MOST_NAMES = 512, 1 << 15
_P, _Y = FRAME[:2].encode()
# Of four bytes at once, to tell whether all are digits: then a duration is one of `LONG_NS` or more.
_ZEROS, _SIXES, _UPPER_HALVES = np.uint32(0x30303030), np.uint32(0x06060606), np.uint32(0xF0F0F0F0)
# Where eight bytes stand in which names of built-in functions differ.
TELLING = 16


def frames_of(wanted: Group | None, *, some: bool = False) -> Frames | None:
    """The choice among frames that this group asks for, if it is one of frames.

    Args:
        wanted: the group.
        some: of modules, whether some of the frames that tell are asked for beside them; see `SampledFrames`.
    """
    telling = Frames(telling_frame, always="", never=("torch/",))
    if wanted is Group.MODULE:
        beside = telling if some else None
        return Frames(model_frame, always=MODULE_PREFIX, never=SELDOM_TELLING, but=WAITING, beside=beside)
    return telling if wanted is Group.FRAME else None


class Frames:
    """Chooses among frames by their names.

    Args:
        tell: whether a frame of this name is wanted.
        always: how names begin that are wanted whatever `tell` says; "" if there are none such.
        never: how names begin of which `tell` says no; eight bytes at most.
        but: how names begin of which it says yes all the same.
        beside: of the others it chooses among those that are long, or among all of a text that is read whole.
    """

    def __init__(
        self,
        tell: Callable[[str], bool],
        always: str,
        never: tuple[str, ...],
        but: tuple[str, ...] = (),
        beside: Frames | None = None,
    ) -> None:
        self._tell = tell
        self._always = always
        self._kept = [_word(always)] if always else []
        self._left = [_word(prefix) for prefix in never]
        self._but = tuple(prefix.encode() for prefix in but)
        self._telling = [_word(prefix[TELLING:]) for prefix in but]
        self._known: dict[bytes, bool] = {}
        self._beside = beside

    def chosen(self, content: bytes, places: I64, values: I64, end: int, durations: I64 | None = None) -> I64:
        """Those of the places that may be wanted: all that are not of frames, and of these not many too many.

        Args:
            content: the text.
            places: of the categories' keys.
            values: where the value of each begins, behind its quote.
            end: of what may be looked at.
            durations: where `DURATION` occurs, if of some frames the long ones alone are wanted.
        """
        data = np.frombuffer(content, dtype=np.uint8)
        # No other category that anybody wants begins alike. What stands so near the end is for others to judge.
        frames = np.flatnonzero((data[values] == _P) & (data[values + 1] == _Y) & (values + len(_TO_NAME) + 8 <= end))
        if not len(frames):
            return places
        value = values[frames]
        keep = self._kept_of(content, value, end)
        if self._beside is not None:
            rest = np.flatnonzero(~keep)
            first = int(places[frames[0]])
            if durations is not None and _BEFORE.fullmatch(content, content.rfind(b"{", 0, first), first):
                rest = rest[_long(content, value[rest], durations)]
            if len(rest):
                keep[rest] = self._beside._kept_of(content, value[rest], end)
        left = np.ones(len(places), dtype=np.bool_)
        left[frames] = keep
        return int64(places[left])

    def _kept_of(self, content: bytes, value: I64, end: int) -> Bools:
        """Which frames may be wanted by their names.

        Args:
            content: the text.
            value: where the value of each one's category begins.
            end: of what may be looked at.
        """
        words = np.ndarray((len(content) - 7,), dtype="<u8", buffer=content, strides=(1,))
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
        # Eight bytes tell nearly all names from these.
        third, may = words[np.minimum(value + (len(_TO_NAME) + TELLING), len(words) - 1)], np.zeros_like(keep)
        for mask, word in self._telling:
            may |= (third & mask) == word
        for row in np.flatnonzero(may).tolist():
            keep[row] |= content.startswith(self._but, int(value[row]) + len(_TO_NAME), end)
        asked = np.flatnonzero(~(decided & plain))
        names = np.where(plain[asked], value[asked] + len(_TO_NAME), -1)
        keep[asked] = self._wanted(content, names.tolist(), value[asked].tolist(), end)
        return keep

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
        known, find = self._known, content.find
        ends = [find(b'"', name, name + LONGEST) for name in names]
        texts = [content[name : last if last >= 0 else name + LONGEST] for name, last in zip(names, ends, strict=True)]
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


def _long(content: bytes, value: I64, durations: I64) -> Bools:
    """Which frames are long, or may be: of what is no number nobody can tell."""
    data = np.frombuffer(content, dtype=np.uint8)
    words = np.ndarray((len(content) - 3,), dtype="<u4", buffer=content, strides=(1,))
    last = len(words) - 1
    place = np.append(durations, last)[np.searchsorted(durations, value)] + len(DURATION)
    place += data[np.minimum(place, last)] == ord(" ")
    # Of a byte that is a digit the upper half is 3, and the lower half is less than 10.
    number = words[np.minimum(place, last)] ^ _ZEROS
    begins = (number & np.uint32(0xFF)) < 10
    return np.asarray(~begins | (((number + _SIXES) | number) & _UPPER_HALVES == 0), dtype=np.bool_)


def _word(prefix: str) -> tuple[np.uint64, np.uint64]:
    """What to leave of eight bytes, and what that is, if they begin like this."""
    begin = prefix.encode()[:8]
    return np.uint64((1 << 8 * len(begin)) - 1), np.uint64(int.from_bytes(begin, "little"))
