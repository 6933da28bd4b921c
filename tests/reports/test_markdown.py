from __future__ import annotations

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from support.expected import expected
from support.manifests import latencies
from support.summaries import KERNELS, requests, summary

from reports.asked import Asked
from reports.blocks import Table
from reports.document import of_comparison, of_summary
from reports.render.markdown import escape, name, render
from reports.units import printable
from tracer.compare.gates import check_budgets, parse_budget
from tracer.compare.pairs import compare
from tracer.summarize import summarize_file


def _rendered(markdown: str) -> str:
    return MarkdownIt("gfm-like", {"linkify": False, "html": True}).render(markdown)


EVIL = [
    "a|b", "`code`", "``", "<script>alert(1)</script>", "<img src=x onerror=1>", "[x](http://evil)", "**bold**",
    "_a_", "~~a~~", "&lt;", "\\|", "\\", "# head", "@someone", "#1", "https://evil.example", "www.evil.example",
    "![x](y)", "a\nb", "\x1b[2J", "</code><b>", ":smile:", "|---|", "$x$", "-->", "\u202eevil",
]  # fmt: skip


@pytest.mark.parametrize("evil", EVIL)
def test_an_evil_name_is_one_cell_of_plain_text(evil: str) -> None:
    for text in (escape(evil), name(evil)):
        table = _rendered(f"| a | b |\n| --- | --- |\n| {text} | c |\n")
        cells = re.findall(r"<td>(.*?)</td>", table, flags=re.DOTALL)
        assert len(cells) == 2
        plain = cells[0].removeprefix("<code>").removesuffix("</code>")
        assert "<" not in plain
        assert html.unescape(plain).replace("\u2060", "") == printable(evil)


@given(st.text(max_size=40))
def test_any_name_is_one_cell_of_plain_text(text: str) -> None:
    table = _rendered(f"| a | b |\n| --- | --- |\n| {name(text)} | c |\n")
    cells = re.findall(r"<td>(.*?)</td>", table, flags=re.DOTALL)
    assert len(cells) == 2
    plain = cells[0].removeprefix("<code>").removesuffix("</code>")
    assert "<" not in plain
    assert html.unescape(plain).replace("\u2060", "").strip() == printable(text).replace("\u2060", "").strip()


def test_nothing_is_left_for_github_to_link() -> None:
    evil = "@someone #12 https://evil.example www.evil.example WWW.evil.example"
    found = escape(evil)
    assert not re.search(r"@\w|#\d+\b(?!;)|://|www\.", found, re.IGNORECASE)
    assert (
        html.unescape(found).replace("\u2060", "")
        == "@someone #12 https://evil.example www.evil.example WWW.evil.example"
    )
    assert "@s" not in html.unescape(found)
    assert "#1" not in html.unescape(found)


def test_ordinary_names_stay_readable() -> None:
    assert name("volta_sgemm, tile (128, 64)").replace("&#95;", "_") == "<code>volta_sgemm, tile (128, 64)</code>"
    assert escape("× 1.100 µs – 5 %") == "× 1.100 µs – 5 %"


def test_a_comparison_is_tables_under_headings() -> None:
    evil = (("vision", "k|`<b>`", 33), *KERNELS[1:])
    found = compare([summary(requests(30)), summary(requests(33), path="b|<i>.json", kernels=evil)], tolerance=0.01)
    text = render(of_comparison(found), heading="tracer compare")
    assert text.startswith(
        "## tracer compare\n\n|   | file | run | requests | tokens in | out |\n| --- | --- | --- | ---: |"
    )
    assert "\n### B against A\n\n**B is slower in vision (+10 %), request (+2.4 %), ttft (+3.6 %).**\n" in text
    vision = "| 30.0 ms | 33.0 ms | +3.00 ms | × 1.100 | 1.097 – 1.103 | 0.0003 | 30.0 µs → 33.0 µs | **slower** |"
    assert f"\n| **vision** {vision}\n" in text
    assert "<code>k&#124;&#96;&#60;b&#62;&#96;</code>" in text
    assert "<b>" not in text
    page = _rendered(text)
    for table in re.findall(r"<table>.*?</table>", page, flags=re.DOTALL):
        widths = {len(re.findall(r"<t[hd]\b", row)) for row in re.findall(r"<tr>.*?</tr>", table, flags=re.DOTALL)}
        assert len(widths) == 1
    assert page.count("<table>") == 5


def test_a_summary_is_tables_too() -> None:
    run = summary([latencies(vision) for vision in (30, 31, 32)], path="a|b.json")
    text = render(
        of_summary(run, Asked(gates=check_budgets(run, [parse_budget("vision<=5%")]))), heading="tracer summarize"
    )
    assert text.startswith("## tracer summarize\n\n**eventgpt 7b, bfloat16 on GPU: 5 frames, 582 + 64 tokens in")
    assert "\n<code>a&#124;b.json</code> · <code>tracer" in text
    assert "\n| stage | calls | host | device | share | busy | idle | kernels |\n" in text
    assert "\n| clean | 1.00 ms | 2.00 ms | 31.0 ms | 50.0 ms | 40.0 ms | 124 ms |\n" in text
    assert "\n| **FAILED** | vision&#60;=5% | vision | 25 % | <code>a&#124;b.json</code> |\n" in text


def test_the_whole_summary() -> None:
    run = summary([latencies(vision) for vision in (30, 31, 32)], path="a|b.json")
    asked = Asked(gates=check_budgets(run, [parse_budget("vision<=5%")]))
    found = render(of_summary(run, asked), heading="tracer summarize")
    assert found == expected("summary.md", found)


def test_every_real_trace_is_headings_and_whole_tables(chrome_trace: object) -> None:
    blocks = of_summary(summarize_file(str(chrome_trace)))
    page = _rendered(render(blocks, heading="tracer summarize"))
    tables = [element for block in blocks for element in block.elements if isinstance(element, Table) and element.rows]
    assert page.count("<table>") == len(tables)
    assert page.count("<tr>") == sum(1 + len(table.rows) for table in tables)
    assert page.count("<h3>") == sum(bool(block.title) for block in blocks)
