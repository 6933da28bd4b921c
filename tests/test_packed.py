from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tracer.packed as packed_columns
from tracer.arrays import I8, I32, I64, compact, int8, int32, int64, parts
from tracer.blocks import pack
from tracer.packed import (
    Blocks,
    Narrow,
    Scattered,
    chosen,
    joined,
    kept,
    minus,
    narrow_columns,
    picked,
    pieces,
    plus,
    replaced,
    rows_of_pairs,
    some,
    widened,
)
from tracer.trace.columns import MISSING, DeviceOps, HostCalls, Spans

NUMBERS = st.one_of(st.integers(0, 300), st.integers(-(1 << 63), (1 << 63) - 1), st.just(MISSING))
# Long columns are made of few different numbers, as real ones are of close ones.
LONG = st.lists(st.tuples(NUMBERS, st.integers(0, 12)), max_size=8).map(
    lambda runs: [number for number, times in runs for _ in range(times)]
)


@narrow_columns
@dataclass(frozen=True, slots=True)
class Table:
    """One column of each width, and one thing that is none."""

    time_ns: I64
    until_ns: I64
    name: I32
    kind: I8
    said: str = "as it is"


@pytest.fixture(autouse=True)
def _short_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks so short that a few rows make several."""
    monkeypatch.setattr(packed_columns, "BLOCK", 4)


def table_of(times: list[int]) -> Table:
    time_ns = int64(times)
    small = np.abs(time_ns % 100)
    return Table(time_ns, time_ns[::-1].copy(), int32(small), int8(small))


@settings(max_examples=100)
@given(st.lists(st.lists(NUMBERS, max_size=9), max_size=4))
def test_columns_come_out_as_they_were_put_in(parts: list[list[int]]) -> None:
    packed = [pack(int64(part)) for part in parts]
    assert [one.unpacked().tolist() for one in packed] == parts
    every = [number for part in parts for number in part]
    assert joined(packed, np.int64).whole().tolist() == every
    blocks = Blocks(np.int64)
    for part in parts:
        blocks.add(int64(part))
    assert blocks.column().whole().tolist() == every
    assert len(blocks.column()) == len(every)


def test_what_lies_close_together_takes_few_bytes_and_some_of_it_stays_so() -> None:
    packed = pack(int64([1 << 60, (1 << 60) + 255, (1 << 60) + 7]))
    assert packed.beyond.itemsize == 1
    assert packed.chosen(packed.beyond > 0).unpacked().tolist() == [(1 << 60) + 255, (1 << 60) + 7]
    assert pack(int64([0, 256])).beyond.itemsize == 2
    assert pack(int64([MISSING, 5])).beyond.itemsize == 1
    assert pack(int64([MISSING + 1, 5])).beyond.itemsize == 8


@settings(max_examples=100)
@given(LONG)
def test_a_table_hands_out_each_column_as_it_was_given_and_as_wide(times: list[int]) -> None:
    table = table_of(times)
    small = np.abs(int64(times) % 100)
    for name, wanted in (("time_ns", int64(times)), ("name", int32(small)), ("kind", int8(small))):
        column: Any = getattr(table, name)
        assert column.dtype == wanted.dtype
        assert column.tolist() == wanted.tolist()
        assert [number for piece in pieces(table, name) for number in piece.tolist()] == wanted.tolist()
    assert isinstance(kept(table, "time_ns"), Narrow) == (len(times) > 4)
    assert table.said == "as it is"


@given(LONG, st.integers(-3, 40), st.integers(-3, 40))
def test_some_rows_are_those_of_the_column(times: list[int], begin: int, end: int) -> None:
    table = table_of(times)
    assert some(table, "time_ns", slice(begin, end)).tolist() == times[begin:end]
    rows = int64([row for row in (begin, end) if 0 <= row < len(times)])
    assert some(table, "time_ns", rows).tolist() == [times[row] for row in rows.tolist()]


@given(st.lists(st.integers(-(1 << 61), 1 << 61), max_size=30))
def test_sums_and_differences_are_those_of_64_bits_however_narrow_the_columns_are(times: list[int]) -> None:
    table = table_of(times)
    assert minus(table, "time_ns", "until_ns").tolist() == (int64(times) - int64(times)[::-1]).tolist()
    assert plus(table, "time_ns", "until_ns").tolist() == (int64(times) + int64(times)[::-1]).tolist()
    # Of numbers that fit in 32 bits or 8 the sum does not.
    large = Table(int64([1 << 31] * 9), int64([1 << 31] * 9), int32([100] * 9), int8([100] * 9))
    assert int(large.time_ns.sum()) == 9 << 31
    assert plus(large, "time_ns", "until_ns").tolist() == [1 << 32] * 9


@given(st.lists(st.integers(0, 1 << 40), max_size=30))
def test_tables_are_replaced_and_chosen_from_as_those_of_plain_columns_are(times: list[int]) -> None:
    spans = Spans(int64(times), int64(times) + 5, int32(range(len(times))), int32(np.zeros(len(times))))
    moved = replaced(spans, start_ns=int64(times) - 1)
    assert (moved.start_ns + 1).tolist() == times
    assert moved.name.tolist() == spans.name.tolist()
    even = int64(times) % 2 == 0
    wanted = [time for time in times if time % 2 == 0]
    for found in (chosen(spans, even), spans[even], picked(spans, lambda start_ns: start_ns % 2 == 0, ["start_ns"])):
        assert found.start_ns.tolist() == wanted
        assert len(found) == len(wanted)
        assert found.name.dtype == np.int32


def test_a_column_that_is_asked_for_in_a_loop_is_not_made_anew_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed_columns, "OFTEN", 2)
    table = table_of(list(range(9)))
    assert table.time_ns is not table.time_ns
    assert table.time_ns is table.time_ns
    assert table.time_ns.tolist() == list(range(9))
    assert not table.time_ns.flags.writeable


def test_a_column_of_one_number_takes_the_memory_of_that_one() -> None:
    spans = Spans(int64([7] * 9), int64([MISSING] * 9), int32([3] * 9), int32([0] * 9))
    for name, number in (("start_ns", 7), ("end_ns", MISSING), ("name", 3)):
        column: Any = getattr(spans, name)
        assert column.strides == (0,)
        assert column.tolist() == [number] * 9


@pytest.mark.parametrize("table", [DeviceOps, HostCalls, Spans])
def test_the_tables_of_a_trace_keep_every_column_narrow(table: type) -> None:
    columns = [int32(range(9)) if "name" in one.name else int64(range(9)) for one in fields(table)]
    made = table(*columns)
    assert all(isinstance(kept(made, one.name), Narrow) for one in fields(table))


@given(st.lists(st.integers(0, 1 << 34), max_size=30), st.randoms())
def test_what_is_put_in_at_scattered_rows_comes_out_in_their_order(wanted: list[int], random: Any) -> None:
    rows = list(range(len(wanted)))
    random.shuffle(rows)
    made = Scattered(len(wanted))
    for some_rows in (rows[:7], rows[7:]):
        made.put(int32(some_rows), int64([wanted[row] for row in some_rows]))
    assert widened(made.column()).tolist() == wanted
    assert made.part(slice(3, 9)).tolist() == wanted[3:9]


@given(LONG, st.lists(st.integers(0, 39), max_size=12))
def test_rows_of_a_column_are_those_asked_for_near_each_other_or_not(times: list[int], rows: list[int]) -> None:
    table, asked = table_of(times), [row for row in rows if row < len(times)]
    for chosen_rows in (asked, sorted(asked), [row for row in asked if row < 5], [-1] if times else []):
        wanted = [times[row] for row in chosen_rows]
        assert some(table, "time_ns", int32(chosen_rows)).tolist() == wanted


@given(st.lists(st.tuples(st.integers(-2, 2), st.integers(0, 3)), max_size=30))
def test_rows_are_told_apart_by_two_columns(pairs: list[tuple[int, int]]) -> None:
    columns = [int64([pair[side] for pair in pairs]) for side in (0, 1)]
    wanted = [[row for row, pair in enumerate(pairs) if pair == one] for one in sorted(set(pairs))]
    for first, second in (columns, map(compact, columns)):
        table = Table(first, second, int32([0] * len(pairs)), int8([]))
        assert [rows.tolist() for rows in rows_of_pairs(table, "time_ns", "until_ns")] == wanted


@given(st.lists(st.integers(0, 9), max_size=30).map(sorted), st.integers(1, 9))
def test_parts_of_a_column_end_where_its_number_changes(keys: list[int], rows: int) -> None:
    found = list(parts(int64(keys), rows))
    assert [row for part in found for row in keys[part]] == keys
    assert all(keys[part.stop - 1] != keys[part.stop] for part in found[:-1])
    assert all(len(set(keys[part])) == 1 or keys[part].index(keys[part][-1]) < rows for part in found)
