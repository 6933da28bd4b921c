"""Event streams: reading them from untrusted files, and a synthetic one.

An event camera reports single pixels: (x, y, polarity, time). Files in the wild are `.npy` pickles of
a dict with the keys x, y, p, t; those are read with an unpickler that can build NumPy arrays and
nothing else (`unpickle.py`).
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from model.errors import InputError
from model.inputs.limits import ADVICE, DEFAULT, SampleLimits, beyond
from model.inputs.unpickle import unpickle

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FIELDS = ("x", "y", "p", "t")
# No event sensor comes near; a larger coordinate means the file is something else.
MAX_SIDE_PX = 8192
# Of an event, unpacked: four columns of the widest numbers.
EVENT_BYTES = 4 * 8


@dataclass(frozen=True, slots=True)
class EventStream:
    """Events in the order of time.

    Attributes:
        x: int64 [n], column, pixels.
        y: int64 [n], row, pixels.
        positive: bool [n], whether the pixel got brighter.
        t: [n], time in the file's own unit (microseconds by custom).
    """

    x: np.ndarray[Any, np.dtype[np.int64]]
    y: np.ndarray[Any, np.dtype[np.int64]]
    positive: np.ndarray[Any, np.dtype[np.bool_]]
    t: np.ndarray[Any, np.dtype[Any]]

    def __len__(self) -> int:
        return int(self.x.shape[0])


def read_events(path: Path, limits: SampleLimits = DEFAULT) -> EventStream:
    """Read an event stream from a `.npy` (pickled dict or structured array) or `.npz` file.

    Raises:
        InputError: the file is missing, damaged, unsafe, too large, or not an event stream.
    """
    try:
        with path.open("rb") as file:
            magic = file.read(6)
            file.seek(0)
            if magic.startswith(b"PK"):
                columns = _read_npz(path, limits)
            elif magic == b"\x93NUMPY":
                columns = _read_npy(file)
            else:
                raise InputError("not a .npy or .npz file")
        return _stream(columns, limits)
    except InputError as error:
        raise InputError(f"{path}: {error}; events are a dict or structured array of x, y, p, t") from None
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from None
    # NumPy, zipfile and the unpickler raise nearly anything on damaged bytes, and all of it means the same.
    except Exception as error:
        raise InputError(f"{path}: damaged event file ({type(error).__name__}: {error})") from None


def _read_npz(path: Path, limits: SampleLimits) -> Mapping[str, Any]:
    with zipfile.ZipFile(path) as archive:
        size = sum(info.file_size for info in archive.infolist())
    if limits.events is not None and size > EVENT_BYTES * limits.events:
        raise InputError(f"unpacks to {size:,} bytes, which is more than an event stream needs ({ADVICE})")
    with np.load(path, allow_pickle=False) as archive:
        missing = [field for field in FIELDS if field not in archive]
        if missing:
            raise InputError(f"has no array named {', '.join(missing)}")
        return {field: archive[field] for field in FIELDS}


def _read_npy(file: io.BufferedReader) -> Mapping[str, Any]:
    version = np.lib.format.read_magic(file)
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else _read_header_2_0
    _, _, dtype = read_header(file)
    if not dtype.hasobject:
        file.seek(0)
        return _columns_of_array(np.load(file, allow_pickle=False))
    content = unpickle(file.read())
    if not isinstance(content, dict):
        raise InputError(f"holds a pickled {type(content).__name__}, not a dict")
    missing = [field for field in FIELDS if field not in content]
    if missing:
        raise InputError(f"has no array named {', '.join(missing)}")
    return {field: content[field] for field in FIELDS}


def _read_header_2_0(file: io.BufferedReader) -> Any:
    return np.lib.format.read_array_header_2_0(file)


def _columns_of_array(array: np.ndarray[Any, Any]) -> Mapping[str, Any]:
    if array.dtype.names is None or not set(FIELDS) <= set(array.dtype.names):
        raise InputError(f"holds an array of {array.dtype}, without the fields x, y, p, t")
    return {field: array[field] for field in FIELDS}


def _stream(columns: Mapping[str, Any], limits: SampleLimits) -> EventStream:
    """Check the columns and put them in the order of time.

    Raises:
        InputError: they are no event stream.
    """
    arrays = {field: _column(field, column) for field, column in columns.items()}
    lengths = {array.shape for array in arrays.values()}
    if len(lengths) != 1 or len(next(iter(lengths))) != 1:
        raise InputError(f"its columns have the shapes {sorted(lengths)}, not one common length")
    if arrays["x"].shape[0] == 0:
        raise InputError("holds no events")
    if beyond(arrays["x"].shape[0], limits.events):
        raise InputError(f"holds {arrays['x'].shape[0]:,} events, more than {limits.events:,}; cut it, or: {ADVICE}")
    for field, array in arrays.items():
        if array.dtype.kind not in "buif":
            raise InputError(f"its column {field} is of {array.dtype}, not numbers")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise InputError(f"its column {field} has values that are not finite")
    for field in ("x", "y"):
        low, high = arrays[field].min(), arrays[field].max()
        if low < 0 or high >= MAX_SIDE_PX:
            raise InputError(f"its column {field} runs from {low} to {high}, not pixel coordinates")
    x, y = (arrays[field].astype(np.int64) for field in ("x", "y"))
    positive, t = arrays["p"] > 0, arrays["t"]  # polarity is 0/1 or -1/1
    if (t[1:] < t[:-1]).any():
        order = np.argsort(t, kind="stable")
        x, y, positive, t = x[order], y[order], positive[order], t[order]
    return EventStream(x, y, positive, t)


def _column(field: str, column: Any) -> np.ndarray[Any, Any]:
    if isinstance(column, np.ndarray):
        return column
    # A list of lists that hold one another would be an array of any size.
    if not isinstance(column, list | tuple) or not all(isinstance(one, int | float | np.number) for one in column):
        raise InputError(f"its column {field} is no array or list of numbers")
    return np.asarray(column)


def synthetic_events(seed: int, *, count: int = 100_000, width_px: int = 640, height_px: int = 480) -> EventStream:
    """A bright vertical edge that crosses the sensor in 50 ms, with a twentieth of noise."""
    random = np.random.default_rng(seed)
    t = np.sort(random.integers(0, 50_000, count))
    edge = (t / 50_000 * width_px + random.normal(0, 2, count)).astype(np.int64)
    noise = random.random(count) < 0.05
    x = np.where(noise, random.integers(0, width_px, count), edge).clip(0, width_px - 1)
    y = random.integers(0, height_px, count)
    positive = np.where(noise, random.random(count) < 0.5, edge >= t / 50_000 * width_px)
    return EventStream(x.astype(np.int64), y.astype(np.int64), positive.astype(np.bool_), t)
