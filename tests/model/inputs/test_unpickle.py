"""What a pickle may do: rebuild arrays of plain numbers, in the memory that these take."""

from __future__ import annotations

import io
import pickle
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from model.errors import InputError
from model.inputs.events import read_events
from model.inputs.unpickle import unpickle

PLAIN = st.one_of(arrays.integer_dtypes(), arrays.unsigned_integer_dtypes(), arrays.boolean_dtypes(),
                  arrays.floating_dtypes(sizes=(16, 32, 64)))  # fmt: skip


@given(
    PLAIN.flatmap(lambda dtype: arrays.arrays(dtype, arrays.array_shapes(max_dims=3, min_side=0))),
    st.sampled_from("CF"),
    st.integers(0, pickle.HIGHEST_PROTOCOL),
)
def test_arrays_of_plain_numbers_come_back(array: np.ndarray[Any, Any], order: Any, protocol: int) -> None:
    given = {"a": np.asarray(array, order=order)}
    assert np.array_equal(unpickle(pickle.dumps(given, protocol))["a"], array, equal_nan=array.dtype.kind == "f")


class _Call:
    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


MUCH = 1 << 40
HOSTILE = {
    "an array class that is called": pickle.dumps(_Call(np.ndarray, (MUCH,), np.dtype("u1"), b"\0", 0, (0,))),
    "a list of copies of a text": b"(X\xe8\x03\0\0" + b"a" * 1000 + b"q\0X\x06\0\0\0latin1q\x01"
    + b"c_codecs\nencode\n(h\0h\x01tR" * 100 + b"l.",
    "bytes of any length": b"c__builtin__\nbytes\n(L1099511627776L\ntR.",
    "a memo of a number beyond all": b"]r\xff\xff\xff\x7f.",
    "bytes beyond the end of the file": b"\x80\x05\x96" + struct.pack("<Q", 1 << 33) + b"abc.",
    "a type of any size": b"cnumpy\ndtype\n(S'V1099511627776'\ntR.",
    "a type made of others": b"cnumpy\ndtype\n((S'i8'\n(I1000000\ntttR.",
    "objects in a scalar": b"cnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\n(S'O8'\ntRS'abcdefgh'\ntR.",
}  # fmt: skip


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_a_pickle_cannot_ask_for_memory(content: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises((InputError, ValueError, TypeError)):
            unpickle(content)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


def test_an_empty_array_is_all_that_a_shape_alone_gives() -> None:
    # _reconstruct(ndarray, (2**40,), b"b") would allocate a terabyte.
    attack = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(L1099511627776L\ntS'b'\ntR."
    assert unpickle(attack).size == 0


def test_columns_of_zero_strides_are_refused_in_a_file(tmp_path: Path) -> None:
    column = _Call(np.ndarray, (MUCH,), np.dtype("u1"), b"\0", 0, (0,))
    path = tmp_path / "a.npy"
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|O", "fortran_order": False, "shape": ()})
        pickle.dump(dict.fromkeys("xypt", column), file, protocol=4)
    assert path.stat().st_size < 400
    with pytest.raises(InputError, match="a.npy"):
        read_events(path)


def test_bytes_of_the_other_order_are_copied_no_more_often_than_the_file_is_long() -> None:
    stored = np.arange(10_000, dtype=">i8" if np.little_endian else "<i8")
    assert unpickle(pickle.dumps({"a": stored}, 4))["a"][-1] == 9_999
    file = io.BytesIO()
    pickler = pickle.Pickler(file, 4)
    pickler.dump([stored, *[_Copy(stored) for _ in range(8)]])
    with pytest.raises(InputError, match="more memory"):
        unpickle(file.getvalue())


class _Copy:
    """An array of its own, whose bytes are another's."""

    data: bytes = b""

    def __init__(self, array: np.ndarray[Any, Any]) -> None:
        type(self).data = type(self).data or array.tobytes()
        self._array = array

    def __reduce__(self) -> Any:
        function, arguments, (version, shape, kind, fortran, _) = self._array.__reduce__()
        return function, arguments, (version, shape, kind, fortran, type(self).data)
