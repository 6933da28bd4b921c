from __future__ import annotations

import os
import pickle
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.errors import InputError
from model.inputs.events import read_events, synthetic_events
from model.inputs.limits import NO_LIMITS, SampleLimits

COLUMNS = {
    "x": np.array([1, 2, 3], dtype=np.uint16),
    "y": np.array([4, 5, 6], dtype=np.uint16),
    "t": np.array([10, 20, 30], dtype=np.uint16),
    "p": np.array([0, 1, 1], dtype=np.uint8),
}


def _save_pickled(path: Path, content: Any) -> Path:
    np.save(path, np.array(content, dtype=object), allow_pickle=True)
    return path


def _check(path: Path) -> None:
    events = read_events(path)
    assert events.x.tolist() == [1, 2, 3]
    assert events.y.tolist() == [4, 5, 6]
    assert events.positive.tolist() == [False, True, True]
    assert events.t.tolist() == [10, 20, 30]


def test_reads_the_pickled_dict_of_published_files(tmp_path: Path) -> None:
    _check(_save_pickled(tmp_path / "a.npy", COLUMNS))


def _save_with_protocol(path: Path, protocol: int) -> Path:
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|O", "fortran_order": False, "shape": ()})
        pickle.dump(np.array(COLUMNS, dtype=object), file, protocol=protocol)
    return path


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_reads_every_pickle_protocol(tmp_path: Path, protocol: int) -> None:
    _check(_save_with_protocol(tmp_path / "a.npy", protocol))


@pytest.mark.parametrize("spelling", [b"numpy.core.", b"numpy._core."])
def test_reads_both_spellings_of_numpys_modules(tmp_path: Path, spelling: bytes) -> None:
    path = _save_with_protocol(tmp_path / "a.npy", 2)  # names end at a newline here, so their length may change
    content = re.sub(rb"numpy\._?core\.", spelling, path.read_bytes())
    path.write_bytes(content)
    assert spelling in content
    _check(path)


def test_reads_structured_arrays_and_archives(tmp_path: Path) -> None:
    table = np.zeros(3, dtype=[("t", "u8"), ("x", "u2"), ("y", "u2"), ("p", "i1")])
    for field, column in COLUMNS.items():
        table[field] = column
    np.save(tmp_path / "a.npy", table)
    np.savez_compressed(tmp_path / "b.npz", **COLUMNS)
    _check(tmp_path / "a.npy")
    _check(tmp_path / "b.npz")


def test_the_published_polarities_mean_the_same(tmp_path: Path) -> None:
    path = _save_pickled(tmp_path / "a.npy", COLUMNS | {"p": np.array([-1, 1, 1])})
    _check(path)


def test_events_are_put_in_the_order_of_time(tmp_path: Path) -> None:
    path = _save_pickled(tmp_path / "a.npy", COLUMNS | {"t": np.array([30, 10, 20])})
    assert read_events(path).x.tolist() == [2, 3, 1]


class _Attack:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("echo owned",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (_Attack(), "system; only NumPy arrays are admitted"),
        ({"x": _Attack()}, "only NumPy arrays are admitted"),
        (print, "builtins.print"),
        (np.load, "only NumPy arrays"),
    ],
)
def test_a_pickle_that_asks_for_anything_else_is_refused_unrun(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], content: Any, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        read_events(_save_pickled(tmp_path / "a.npy", content))
    assert "owned" not in capfd.readouterr().out


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "not a dict"),
        (COLUMNS | {"x": [[1], [2], [3]]}, "no array or list of numbers"),
        (COLUMNS | {"x": {"a": 1}}, "no array or list of numbers"),
        ({"x": COLUMNS["x"]}, "no array named y, p, t"),
        (COLUMNS | {"x": np.array([1])}, "not one common length"),
        (COLUMNS | {"x": np.array([[1], [2], [3]])}, "not one common length"),
        (COLUMNS | {"x": np.array([1, 2, 100_000])}, "not pixel coordinates"),
        (COLUMNS | {"y": np.array([-1, 2, 3])}, "not pixel coordinates"),
        (COLUMNS | {"x": np.array(["a", "b", "c"])}, "not numbers"),
        (COLUMNS | {"t": np.array([1.0, np.nan, 3.0])}, "not finite"),
        ({field: column[:0] for field, column in COLUMNS.items()}, "no events"),
    ],
)
def test_what_is_no_event_stream_is_refused_by_name(tmp_path: Path, content: Any, message: str) -> None:
    path = _save_pickled(tmp_path / "a.npy", content)
    with pytest.raises(InputError, match=message) as error:
        read_events(path)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", [b"", b"hello", b"\x93NUMPY", b"\x93NUMPY\x01\x00\xff\xff{", b"PK\x03\x04junk"])
def test_damaged_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.npy"
    path.write_bytes(content)
    with pytest.raises(InputError, match="a.npy"):
        read_events(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        read_events(tmp_path / "none.npy")


def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", b"\0" * 10_000)
    with pytest.raises(InputError, match="unpacks to 10,000 bytes"):
        read_events(tmp_path / "a.npz", SampleLimits(events=30))
    with pytest.raises(InputError, match="has no array named y, p, t"):
        read_events(tmp_path / "a.npz", NO_LIMITS)


def test_columns_may_be_lists_of_numbers(tmp_path: Path) -> None:
    _check(_save_pickled(tmp_path / "a.npy", {field: column.tolist() for field, column in COLUMNS.items()}))


def test_more_events_than_a_stream_has_are_refused(tmp_path: Path) -> None:
    path = _save_pickled(tmp_path / "a.npy", COLUMNS)
    with pytest.raises(InputError, match="holds 3 events, more than 2; cut it"):
        read_events(path, SampleLimits(events=2))
    assert len(read_events(path, NO_LIMITS)) == 3


def test_the_synthetic_stream_is_seeded_and_ordered() -> None:
    one, same, other = synthetic_events(1), synthetic_events(1), synthetic_events(2)
    assert np.array_equal(one.x, same.x)
    assert not np.array_equal(one.x, other.x)
    assert (np.diff(one.t) >= 0).all()
    assert one.x.max() < 640
    assert one.y.max() < 480
