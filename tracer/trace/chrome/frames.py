"""Which Python frames of a text are worth decoding, told by their names before any of them is decoded.

Where stacks were recorded, two thirds of a trace are Python frames, of which one in fifty is wanted. Their names
repeat: most are decided on by their first bytes, all at once, and the others by a memory of the names that were met.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from tracer.arrays import int8, int64
from tracer.trace.chrome.categories import MODULE_PREFIX, SELDOM_TELLING, WAITING, Group, model_frame, telling_frame
from tracer.trace.chrome.events import UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from tracer.arrays import I8, I64, Bools

    U64 = npt.NDArray[np.uint64]

FRAME = "python_function"
# As Kineto writes it, and json.dumps: the name follows the category at once. Compared from here on, eight bytes each.
_TO_NAME = f'{FRAME}", "name": "'.encode()
_COMPARED = (len(_TO_NAME) - 16, len(_TO_NAME) - 8)
# In other layouts.
_NAME = re.compile(FRAME.encode() + rb'",\s*"name"\s*:\s*"')
# What stands in front of a category's key where it comes before the duration.
_BEFORE = re.compile(rb'\{\s*"ph":\s?"X",\s*')
_DURATION = b'"dur":'
# A longer one is decoded whatever it is, and not kept in mind; so many of the others are.
LONGEST, MOST_NAMES = 512, 1 << 15
_P, _Y = FRAME[:2].encode()
# Of four bytes at once, to tell whether all are digits: then a duration is one of `LONG_NS` or more.
_KEY_BEGINS, _KEY_ENDS = (np.uint32(int.from_bytes(part, "little")) for part in (_DURATION[:4], _DURATION[2:]))
_ZEROS, _SIXES, _UPPER_HALVES = np.uint32(0x30303030), np.uint32(0x06060606), np.uint32(0xF0F0F0F0)
# What a frame's name says of it; plain numbers, as columns of an IntEnum's are made five times as slowly.
NO, YES, IF_LONG = 0, 1, 2
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
        beside: chooses others, too, of a text that is read whole, and elsewhere those that are long. Of what begins as
            in `never` it chooses none there: of built-in functions, that is, in which no other frame begins.
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
        self._known: dict[bytes, int] = {}
        self._beside = beside
        # From the end of a name to the duration's key: the same as long as thread and digits of time are.
        self._to_duration = 0

    def chosen(self, content: bytes, places: I64, values: I64, end: int, *, whole: bool = False) -> I64:
        """Those of the places that may be wanted: all that are not of frames, and of these not many too many.

        Args:
            content: the text.
            places: of the categories' keys.
            values: where the value of each begins, behind its quote.
            end: of what may be looked at.
            whole: whether the text is read whole.
        """
        data = np.frombuffer(content, dtype=np.uint8)
        # No other category that anybody wants begins alike. What stands so near the end is for others to judge.
        frames = np.flatnonzero((data[values] == _P) & (data[values + 1] == _Y) & (values + len(_TO_NAME) + 8 <= end))
        if not len(frames):
            return places
        value = values[frames]
        verdict, behind = self._verdicts(content, value, end)
        keep = verdict == YES
        if self._beside is not None and whole:
            keep |= self._beside._verdicts(content, value, end)[0] == YES
        elif self._beside is not None:
            maybe, first = np.flatnonzero(verdict == IF_LONG), int(places[frames[0]])
            if _BEFORE.fullmatch(content, content.rfind(b"{", 0, first), first):
                maybe = maybe[self._long(content, behind[maybe])]
            keep[maybe] = True
        left = np.ones(len(places), dtype=np.bool_)
        left[frames] = keep
        return int64(places[left])

    def _verdicts(self, content: bytes, value: I64, end: int) -> tuple[I8, I64]:
        """What their names say of frames, and where a name ends whose first bytes do not say it.

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
        verdicts, behind = int8(keep), value.copy()
        verdicts[asked], behind[asked] = self._asked(content, names.tolist(), value[asked].tolist(), end)
        return verdicts, behind

    def _long(self, content: bytes, behind: I64) -> Bools:
        """Which frames are long, or may be: of what is no number nobody can tell.

        Args:
            content: the text.
            behind: where the name of each one ends, behind which the duration stands.
        """
        words = np.ndarray((len(content) - 3,), dtype="<u4", buffer=content, strides=(1,))
        last = len(words) - 1
        place = behind + self._to_duration
        is_key = words[np.minimum(place, last)] == _KEY_BEGINS
        is_key &= words[np.minimum(place + 2, last)] == _KEY_ENDS
        for row in np.flatnonzero(~is_key).tolist():
            name = int(behind[row])
            found = content.find(_DURATION, name)
            place[row] = found if found >= 0 else last
            # An event may have none.
            self._to_duration = 0 if b"{" in content[name:found] else found - name
        place = np.minimum(place + len(_DURATION), last)
        place += np.frombuffer(content, dtype=np.uint8)[place] == ord(" ")
        # Of a byte that is a digit the upper half is 3, and the lower half is less than 10.
        number = words[np.minimum(place, last)] ^ _ZEROS
        begins = (number & np.uint32(0xFF)) < 10
        return np.asarray(~begins | (((number + _SIXES) | number) & _UPPER_HALVES == 0), dtype=np.bool_)

    def _asked(self, content: bytes, names: list[int], values: list[int], end: int) -> tuple[list[int], list[int]]:
        """What the name of each frame says, and where it ends; of a very long one, where it was cut.

        Args:
            content: the text.
            names: where each name begins; -1 where that is not known.
            values: where the values of their categories begin.
            end: of what may be looked at.
        """
        if -1 in names:
            for place, name in enumerate(names):
                if name < 0:
                    match = _NAME.match(content, values[place], end)
                    # No name is like what stands there.
                    names[place] = match.end() if match is not None else values[place]
        known, find = self._known, content.find
        ends = [find(b'"', name, name + LONGEST) for name in names]
        if -1 in ends:
            ends = [last if last >= 0 else name + LONGEST for name, last in zip(names, ends, strict=True)]
        texts = [content[name:last] for name, last in zip(names, ends, strict=True)]
        try:
            return [known[text] for text in texts], ends
        except KeyError:
            return [self._learnt(text) for text in texts], ends

    def _learnt(self, text: bytes) -> int:
        known = self._known.get(text)
        if known is not None:
            return known
        # Cut at an escaped quote, or at its longest, it is not the whole name; the category stands where there is none.
        if text.endswith(b"\\") or len(text) == LONGEST or text == FRAME.encode():
            return YES
        try:
            name = msgspec.json.decode(b'"' + text + b'"', type=str)
        except UNREADABLE:
            return YES
        if len(self._known) >= MOST_NAMES:
            self._known.clear()
        found = self._known[text] = self._verdict(name)
        return found

    def _verdict(self, name: str) -> int:
        if (self._always and name.startswith(self._always)) or self._tell(name):
            return YES
        return IF_LONG if self._beside is not None and self._beside._tell(name) else NO


def _word(prefix: str) -> tuple[np.uint64, np.uint64]:
    """What to leave of eight bytes, and what that is, if they begin like this."""
    begin = prefix.encode()[:8]
    return np.uint64((1 << 8 * len(begin)) - 1), np.uint64(int.from_bytes(begin, "little"))
