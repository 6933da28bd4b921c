"""Tables in the room that there is: columns go before digits do."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.summaries import KERNELS, requests, summary

from reports.blocks import Bar, Block, Column, Row, Table, block, note
from reports.blocks import Sentence as Of
from reports.document import of_comparison, of_summary
from reports.render.fit import fit
from reports.render.text import render
from tracer.compare.pairs import compare
from tracer.document.errors import InputError
from tracer.summarize import Choices, summarize_file

WIDTHS = (60, 80, 120, 200)
KERNEL = "at::native::elementwise_kernel"


def _shown(table: Table, width: int) -> list[str]:
    found = block("", table)
    assert found is not None
    return render([found], width=width).splitlines()


def test_the_highest_rank_goes_first_and_is_named_below() -> None:
    columns = [Column("stage", right=False), Column("host", rank=1), Column("busy"), Column("calls", rank=2)]
    table = Table(columns, [Row(["decode", "12.3 ms", "45.6 ms", "1,024"])])
    assert _shown(table, 40) == ["stage      host     busy  calls", "decode  12.3 ms  45.6 ms  1,024"]
    assert _shown(table, 30) == [
        "stage      host     busy", "decode  12.3 ms  45.6 ms", "left out for want of room:", "calls",
    ]  # fmt: skip
    assert _shown(table, 20)[:2] == ["stage      busy", "decode  45.6 ms"]


def test_what_is_said_of_a_column_goes_with_it() -> None:
    table = Table([Column("stage", right=False), Column("host", rank=1)], [Row(["decode", "12.3 ms"])])
    found = [Block("", (table, note("Always.", Of("host", "Of the host."))))]
    assert render(found, width=40).splitlines()[-1] == "Always. Of the host."
    assert render(found, width=12).splitlines()[-1] == "Always."


def test_names_give_way_before_columns_go_and_stay_different() -> None:
    columns = [Column("kernel", right=False, named=True), Column("ops", rank=1), Column("device")]
    rows = [Row([f"{KERNEL}<{kind}, 4>(int, Functor{kind})", "1,024", "12.3 ms"]) for kind in ("float", "half", "int")]
    lines = _shown(Table(columns, rows), 40)
    assert lines[0].split() == ["kernel", "ops", "device"]
    assert len({line.split()[0] for line in lines[1:]}) == 3
    assert all(line.endswith("1,024  12.3 ms") for line in lines[1:])


def test_bars_take_what_is_left_and_go_before_columns_do() -> None:
    table = Table([Column("stage", right=False), Column("share", right=False), Column("busy", rank=1)], [
        Row(["decode", Bar("50.0%", 1, 2), "12.3 ms"]),
    ])  # fmt: skip
    assert _shown(table, 80)[1] == f"decode  {'█' * 12}{' ' * 12}  50.0%  12.3 ms"
    assert _shown(table, 34)[1] == f"decode  {'█' * 5}{' ' * 5}  50.0%  12.3 ms"
    assert _shown(table, 24)[1] == "decode    50.0%  12.3 ms"


def test_figures_stay_with_their_units() -> None:
    found = block("", note("wwwww 12.3 ms wwww 5 % of 7 MB"))
    assert found is not None
    assert render([found], width=9).splitlines() == ["wwwww", "12.3 ms", "wwww 5 %", "of 7 MB"]


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 3), st.text("ab ", max_size=30)), min_size=1, max_size=9),
    st.integers(40, 200),
)
def test_a_table_is_never_wider_than_its_room_and_loses_no_column_without_need(
    columns: list[tuple[bool, int, str]], width: int
) -> None:
    table = Table(
        [Column("c", named=named, rank=rank) for named, rank, _ in columns], [Row([text for _, _, text in columns])]
    )
    widths = fit(table, width).widths
    assert sum(widths.values()) + 2 * (len(widths) - 1) <= width
    kept = [rank for i, (_, rank, _) in enumerate(columns) if i in widths]
    lost = [rank for i, (_, rank, _) in enumerate(columns) if i not in widths]
    assert all(lost)
    assert max(kept, default=0) <= min(lost, default=3)


def _hold(blocks: list[Block]) -> None:
    """No figure is cut at any width, and no line is too wide."""
    for width in WIDTHS:
        text = render(blocks, width=width)
        assert max(map(len, text.splitlines())) <= width
        for table in [element for one in blocks for element in one.elements if isinstance(element, Table)]:
            for i in fit(table, width).widths:
                column = table.columns[i]
                for cell in [row.cells[i] for row in table.rows if not (column.named or column.wraps)]:
                    assert (cell.text if isinstance(cell, Bar) else cell) in text, (width, column.name)


CHOICES = (Choices(), Choices(by="kernel"), Choices(shapes=True, peak_tflops=100, peak_gbs=1000))


@pytest.mark.parametrize("choices", CHOICES, ids=["as it is", "by kernel", "by shapes"])
def test_no_figure_of_a_real_trace_is_cut(chrome_trace: Path, choices: Choices) -> None:
    try:
        found = summarize_file(chrome_trace, choices)
    except InputError:
        pytest.skip("has nothing to break down by")
    _hold(of_summary(found))


def test_no_figure_of_a_recording_or_a_comparison_is_cut() -> None:
    kernels = (("vision", "conv_" * 40, 33), *KERNELS[1:])
    found = [summary(requests(1234.5), path="p" * 90), summary(requests(33_000.7), kernels=kernels)]
    _hold(of_comparison(compare(found)))
    for one in found:
        _hold(of_summary(one))
