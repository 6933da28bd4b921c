"""Unpickling what NumPy saved, from files that nobody vouches for.

A pickle is a program. Of what it may call nothing is left here but stand-ins for the few functions that NumPy's pickles
name, and these give out no more memory than a few times the file's length: a class that may be *called* would let a few
bytes ask for any amount.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from model.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

# Numbers, and the objects that hold them.
PLAIN = re.compile(r"[<>=|]?(?:b1|[iu][1248]|f[248]|\?|O8?)", re.ASCII)
# Of one file: arrays take a few dozen, columns that are lists one for each number.
MOST_STEPS = 20_000_000
# Copies that the calls of a pickle may make, in lengths of the file: text turned to bytes, and numbers made native.
MOST_COPIES = 4
MEMO = {"PUT", "BINPUT", "LONG_BINPUT"}


class PickledType:
    """A plain type of numbers; what stands in for `numpy.dtype`."""

    def __init__(self, name: Any, align: Any = False, copy: Any = False) -> None:  # noqa: ARG002 -- numpy.dtype's own
        if not isinstance(name, str) or not PLAIN.fullmatch(name):
            raise InputError(f"its pickle holds values of type {str(name)[:40]!r}, not numbers")
        self.type = np.dtype(name)

    def __setstate__(self, state: Any) -> None:
        """Take the byte order out of the state of a `numpy.dtype`; plain types have nothing else."""
        order = state[1] if isinstance(state, tuple) and len(state) > 1 else "="
        if order == "<":
            self.type = self.type.newbyteorder("<")
        elif order == ">":
            self.type = self.type.newbyteorder(">")


class PickledArray:
    """An array that is still to be made of its bytes, or the objects of one of objects."""

    def __init__(self, spend: Callable[[int], None]) -> None:
        self._spend = spend
        self.value: Any = np.zeros(0)

    def __setstate__(self, state: Any) -> None:
        """Take the state of a `numpy.ndarray`: version, shape, type, whether in Fortran's order, content."""
        _, shape, kind, fortran, content = state
        if not isinstance(kind, PickledType):
            raise InputError("its pickle holds an array without a type")
        if kind.type.hasobject:
            self.value = content
            return
        if not isinstance(content, bytes):
            raise InputError("its pickle holds an array without bytes")
        self.value = _array(content, kind, shape, fortran=bool(fortran), spend=self._spend)


def _array(
    content: Any, kind: PickledType, shape: Any, *, fortran: bool, spend: Callable[[int], None]
) -> np.ndarray[Any, Any]:
    array = np.frombuffer(content, dtype=kind.type).reshape(shape, order="F" if fortran else "C")
    if not array.dtype.isnative:
        spend(array.nbytes)
        array = array.astype(array.dtype.newbyteorder("="))
    return array


class _Admitted(pickle.Unpickler):
    """An unpickler whose only globals are stand-ins for those that NumPy needs to rebuild arrays of plain numbers."""

    def __init__(self, file: Any, budget: int) -> None:
        super().__init__(file)
        self._left = budget

    def _spend(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise InputError("its pickle asks for more memory than its arrays need")

    def find_class(self, module: str, name: str) -> Any:
        """Resolve a global, or refuse."""
        module = module.replace("numpy._core", "numpy.core")
        if (module, name) == ("numpy", "ndarray"):
            return _never_called
        allowed: dict[tuple[str, str], Callable[..., Any]] = {
            ("numpy", "dtype"): PickledType,
            # Pickled arrays start empty and get their shape with their bytes.
            ("numpy.core.multiarray", "_reconstruct"): lambda *_: PickledArray(self._spend),
            ("numpy.core.multiarray", "scalar"): _scalar,
            ("numpy.core.numeric", "_frombuffer"): self._from_buffer,
            ("_codecs", "encode"): self._latin1,
            ("__builtin__", "bytes"): _no_bytes,
        }
        try:
            return allowed[module, name]
        except KeyError:
            raise InputError(f"its pickle asks for {module}.{name}; only NumPy arrays are admitted") from None

    def _from_buffer(self, buffer: Any, kind: Any, shape: Any, order: Any) -> Any:
        if not isinstance(kind, PickledType) or kind.type.hasobject:
            raise InputError("its pickle holds an object buffer")
        return _array(buffer, kind, shape, fortran=order == "F", spend=self._spend)

    def _latin1(self, text: Any, encoding: Any) -> bytes:
        # Python 2 and old protocols spell bytes as text in latin1; other codecs have no business here.
        if encoding not in ("latin1", "latin-1") or not isinstance(text, str):
            raise InputError(f"its pickle uses the codec {encoding!r}")
        self._spend(len(text))
        return text.encode("latin1")


def _never_called(*_: Any) -> None:
    # numpy.ndarray is named as an argument of _reconstruct; a call of it would make memory of any size.
    raise InputError("its pickle calls numpy.ndarray; only NumPy arrays are admitted")


def _no_bytes() -> bytes:
    # How old protocols spell the content of an empty array; with an argument it would be memory of any size.
    return b""


def _scalar(kind: Any, data: Any) -> Any:
    if not isinstance(kind, PickledType) or kind.type.hasobject:
        raise InputError("its pickle holds an object scalar")
    return np.frombuffer(data, dtype=kind.type, count=1)[0]


def unpickle(content: bytes) -> Any:
    """What a pickle of NumPy's holds: arrays of plain numbers, and dicts, lists and numbers of Python.

    Raises:
        InputError: it asks for anything else, or for more memory than its length explains.
        Exception: it is damaged, in any way that pickles can be.
    """
    _check_steps(content)
    return _made(_Admitted(io.BytesIO(content), MOST_COPIES * len(content)).load())


def _check_steps(content: bytes) -> None:
    """Refuse what makes the unpickler itself allocate: numbers of memos beyond all, lengths beyond the file's end."""
    for count, (step, argument, _) in enumerate(pickletools.genops(content)):
        if count >= MOST_STEPS:
            raise InputError(f"its pickle holds more than {MOST_STEPS:,} objects; save columns as arrays")
        if step.name in MEMO and isinstance(argument, int) and argument > len(content):
            raise InputError("its pickle asks for more memory than its arrays need")


def _made(content: Any) -> Any:
    """An array in place of what stands for it, and of what an array of one object or a dict holds."""
    if isinstance(content, PickledArray):
        value = content.value
        if not isinstance(value, list):
            return value
        return _made(value[0]) if len(value) == 1 else value
    if isinstance(content, dict):
        return {key: one.value if isinstance(one, PickledArray) else one for key, one in content.items()}
    return content
