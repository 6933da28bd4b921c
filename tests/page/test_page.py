"""The page as a text: it holds everything, loads nothing, and lets no text from a file mean anything."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import zlib
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from support.chrome import call, document, kernel, launch, span
from support.hostile import PAIRED, TEXTS, UNSEEN, hostile_events, hostile_metadata
from support.packed import columns
from support.staged import staged_trace
from support.summaries import requests, summary

from reports.document import SUMMARY, of_comparison
from reports.page import sections
from reports.page.bars import bar_rect, interval_whisker
from reports.page.data import MOST_STEPS, as_columns, as_json
from reports.page.frame import SCRIPTS, STYLES
from reports.page.notebook import STYLE, fragment
from reports.page.notes import IDLE_UNKNOWN
from reports.page.page import render
from reports.page.shown import Page, Shown
from reports.render.html import escape
from tracer.choices import Choices
from tracer.compare.pairs import compare
from tracer.document.summary import Summary
from tracer.summarize import charge, frames_of, read, summarize_charged, summarize_file
from tracer.timeline.draw import NEEDS, Most, timeline_of
from tracer.trace.source import Source

STATIC = Path(sections.__file__).parent / "static"


def shown(path: Path, number: int = 0) -> Shown:
    with Source(path) as source:
        trace = read(source, Choices(), also=NEEDS)
        charged = charge(trace, Choices())
        found = summarize_charged(charged, Choices(), frames=frames_of(source, trace, Choices()))
    return Shown(number, found, timeline_of(charged, found, Most()))


class Elements(HTMLParser):
    """Every element with its attributes, and the text of scripts and styles; tags must match."""

    VOID = frozenset({"meta", "input", "br"})

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.raw: dict[str, list[str]] = {"script": [], "style": []}
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        assert len(dict(attributes)) == len(attributes)
        self.found.append((tag, dict(attributes)))
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attributes)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] in self.raw:
            self.raw[self._open[-1]].append(data)


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = staged_trace(tmp_path_factory.mktemp("page") / "run.json", steps=12, ops=10)
    return render(Page((shown(path),)))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("hostile") / "<b>run.json"
    path.write_bytes(document(*hostile_events(), **hostile_metadata()))
    return render(Page((shown(path),)))


def test_it_admits_one_script_and_one_style_by_their_hash_and_no_address(text: str) -> None:
    found = Elements(text)
    policy = next(one["content"] for tag, one in found.found if tag == "meta" and "http-equiv" in one)
    assert policy is not None
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    hashes = {"script-src": found.raw["script"][-1], "style-src": "".join(found.raw["style"])}
    for name, content in hashes.items():
        assert rules.pop(name) == f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
    assert rules == {"default-src": "'none'", "img-src": "data:", "base-uri": "'none'", "form-action": "'none'"}
    assert text.index("Content-Security-Policy") < text.index("<style>")


def _check_elements(text: str) -> None:
    """What holds of each element, and that one script alone runs."""
    found = Elements(text).found
    _check_tags(found)
    assert sum(tag == "script" and not attributes for tag, attributes in found) == 1


def _check_tags(found: list[tuple[str, dict[str, str | None]]]) -> None:
    """Nothing is loaded, nothing has a handler or a style of its own, and every address is one of the page."""
    allowed = {
        "html", "head", "meta", "title", "style", "body", "header", "nav", "main", "article", "section", "span", "div",
        "p", "h1", "h2", "h3", "a", "b", "small", "bdi", "code", "button", "dl", "dt", "dd", "ol", "li", "table",
        "thead", "tbody", "tr", "th", "td", "details", "summary", "svg", "rect", "line", "path", "text", "g",
        "noscript", "script",
    }  # fmt: skip
    assert {tag for tag, _ in found} <= allowed
    for tag, attributes in found:
        assert not [
            name for name in attributes if name.startswith("on") or name in ("style", "src", "srcdoc", "action")
        ]
        if "href" in attributes:
            assert (attributes["href"] or "").startswith("#")
        if tag == "script":
            assert attributes.get("type") in (None, "application/json", "application/octet-stream")


def test_nothing_is_loaded_and_nothing_has_a_handler(text: str) -> None:
    _check_elements(text)


def test_ids_are_one_of_a_kind_and_links_lead_to_them(text: str) -> None:
    found = Elements(text).found
    ids = [attributes["id"] for _, attributes in found if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {(attributes["href"] or "")[1:] for tag, attributes in found if tag == "a"} <= set(ids)


def test_no_text_from_a_file_is_markup(hostile: str) -> None:
    _check_elements(hostile)
    assert not [char for char in UNSEEN if char in hostile]
    outside = re.sub(r"<script>\(\(\) => .*?</script>", "", hostile, flags=re.DOTALL)
    for planted in TEXTS[:9]:
        assert planted not in outside or "<" not in planted
    assert [text for text in PAIRED if escape(text) not in hostile] == [], "they are shown as they are"


def test_the_data_of_a_hostile_trace_is_what_the_trace_says(hostile: str) -> None:
    (file,) = _data(hostile)
    assert TEXTS[0] in file["timeline"]["names"]
    assert TEXTS[0] in {row[0] for row in file["kernels"]}


def _data(text: str) -> Any:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, flags=re.DOTALL)
    assert found is not None
    assert not set(found[1]) & set("<>&")
    return json.loads(found[1])


def test_every_part_of_the_reports_is_on_the_page(text: str, tmp_path: Path) -> None:
    named = [*sections.ELSEWHERE, *(part for section in sections.SECTIONS for part in section.parts)]
    assert {*named, *sections.rest()} == set(SUMMARY)
    found = summarize_file(staged_trace(tmp_path / "run.json", steps=12, ops=10))
    for finding in found.findings:
        assert escape(finding.message) in text
        assert escape(finding.rule) in text
    for stage in found.stages:
        assert f">{stage.stage}<" in text


def test_the_columns_are_those_of_the_tracks_behind_each_other(tmp_path: Path) -> None:
    one = shown(staged_trace(tmp_path / "run.json", steps=4, ops=5))
    assert one.timeline is not None
    packed = zlib.decompress(base64.b64decode(as_columns(one.timeline)))
    (data,) = json.loads(as_json([one]))
    at = 0
    for drawn, track in zip(data["timeline"]["tracks"], one.timeline.tracks, strict=True):
        for name, length in drawn["columns"]:
            assert packed[at : at + length] == track.columns[name]
            at += length
        assert columns(track)
    assert at == len(packed)


def test_of_100_000_device_ops_all_are_drawn_in_less_than_5_mb(tmp_path: Path) -> None:
    one = shown(staged_trace(tmp_path / "run.json", steps=100, ops=990))
    assert one.summary.device.ops > 100_000
    assert one.timeline is not None
    assert all(track.items == track.of for track in one.timeline.tracks)
    assert len(render(Page((one,))).encode()) < 5_000_000


def test_of_a_larger_trace_it_is_said_what_is_drawn_together(tmp_path: Path) -> None:
    path = staged_trace(tmp_path / "run.json", steps=20, ops=50)
    with Source(path) as source:
        charged = charge(read(source, Choices()), Choices())
    found = summarize_charged(charged, Choices())
    few = timeline_of(charged, found, Most(ops=300, calls=300, gaps=300, ranges=300, stages=300))
    assert "neighbours that are short are drawn as one" in render(Page((Shown(0, found, few),)))
    assert "drawn as one" not in render(Page((shown(path),)))


def test_of_any_trace_there_is_a_page(chrome_trace: Path) -> None:
    _check_elements(render(Page((shown(chrome_trace),))))


def test_of_any_export_there_is_a_page(nsight_export: Path) -> None:
    _check_elements(render(Page((shown(nsight_export),))))


def _saved(found: Summary, number: int = 0) -> Shown:
    return Shown(number, found, None)


def test_a_saved_summary_has_a_page_that_says_what_it_lacks() -> None:
    said = render(Page((_saved(summary(requests(30))),)))
    _check_elements(said)
    assert "A saved summary has no timeline" in said
    (file,) = _data(said)
    assert file["timeline"] is None
    assert {row[0] for row in file["kernels"]} == {"gemm", "gemv"}


def test_what_was_not_recorded_is_unknown_and_not_nought(tmp_path: Path) -> None:
    path = tmp_path / "lost.json"
    path.write_bytes(
        document(
            span("tracer/request#0", 0, 900), span("tracer/prefill", 0, 100), launch(10, 5, 1), kernel("k", 20, 9, 1),
            span("tracer/decode#1", 200, 100), call("cudaGraphLaunch", 210, 5, 2),
        )
    )  # fmt: skip
    said = render(Page((shown(path),)))
    _check_elements(said)
    assert "unknown not all was recorded" in said
    assert escape(IDLE_UNKNOWN) in said
    assert "record without graphs: device ops of decode are missing" in said
    assert "Of what could be asked nothing stands out." in said
    assert "<dt>recorded device ops</dt>" in said
    (data,) = _data(said)
    assert (data["unknown"], data["tokens"]) == (["decode"], [])


def test_of_nothing_there_is_a_page(tmp_path: Path) -> None:
    for name, data in {"empty.json": document(), "lonely.json": document(span("lonely", 1, 1))}.items():
        (tmp_path / name).write_bytes(data)
        _check_elements(render(Page((shown(tmp_path / name),))))


def test_of_work_that_was_not_read_nothing_is_known_and_of_what_was_nothing_stands_out(data: Path) -> None:
    said = render(Page((shown(data / "cases/ascend_trace_view.json"),)))
    assert "Its work was not read, so nothing is known of it." in said
    assert "Nothing stands out." not in said
    assert "Nothing stands out." in render(Page((shown(data / "cases/hpu_op.json"),)))


def test_of_several_files_the_comparison_comes_first_and_each_has_its_sections() -> None:
    files = [summary(requests(30)), summary(requests(36), path="b.json")]
    found = compare(files)
    said = render(Page(tuple(_saved(one, number) for number, one in enumerate(files)), found), of_comparison(found))
    _check_elements(said)
    assert said.index('id="comparison"') < said.index('id="run-0-head"') < said.index('id="run-1-head"')
    assert "B against A" in said
    assert "A · vision" in html.unescape(re.sub(r"<[^>]*>", "", said))


def test_the_cache_of_a_step_is_told_where_it_is_known(tmp_path: Path) -> None:
    (data,) = json.loads(as_json([shown(staged_trace(tmp_path / "run.json", steps=5, ops=3))]))
    assert [step[:3] for step in data["tokens"]] == [[0, index, 646 + index] for index in range(1, 6)]
    path = tmp_path / "foreign.json"
    path.write_bytes(document(span("tracer/decode#1", 0, 9), launch(1, 1, 1), kernel("k", 3, 1, 1)))
    (data,) = json.loads(as_json([shown(path)]))
    assert [step[2] for step in data["tokens"]] == [None]


def test_a_bar_is_as_long_as_its_share_and_its_interval_lies_around_its_end() -> None:
    found = summary(requests(30))
    said = render(Page((_saved(found),)))
    assert found.latency is not None
    (vision,) = [row for row in found.latency.statistics if row.of == "vision"]
    (whole,) = [row for row in found.latency.statistics if row.of == "request"]
    longest = max(whole.p50_ns, whole.high_ns or 0)
    assert f'width="{vision.p50_ns / longest:.3%}"' in said
    assert f'x1="{(vision.low_ns or 0) / longest:.3%}"' in said


def test_where_requests_take_no_time_their_bars_have_no_length() -> None:
    """As a manifest may say; the page of such a file is still a page."""
    assert 'width="0.000%"' in bar_rect(0, 0, 0, "fill")
    assert 'x1="0.000%"' in interval_whisker(0, 0, 0)


def test_steps_beyond_what_a_chart_can_hold_are_left_out() -> None:
    found = summary(requests(30))
    import msgspec

    many = msgspec.structs.replace(found, tokens=found.tokens * (MOST_STEPS // len(found.tokens) + 1))
    (data,) = json.loads(as_json([_saved(many)]))
    assert len(data["tokens"]) == MOST_STEPS


def test_every_file_of_the_page_is_used_and_short() -> None:
    assert {path.name for path in STATIC.iterdir()} == {*STYLES, *SCRIPTS, STYLE}
    assert max(len(path.read_text().splitlines()) for path in STATIC.iterdir()) <= 400


def test_in_a_notebook_a_run_shows_its_report_and_nothing_that_runs(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_bytes(document(*hostile_events(), **hostile_metadata()))
    said = fragment(summarize_file(path))
    _check_tags(Elements(said).found)
    assert "<script" not in said
    assert [text for text in PAIRED[:3] if escape(text) not in said] == []


def test_the_script_writes_no_markup() -> None:
    for name in SCRIPTS:
        said = (STATIC / name).read_text()
        for means in (
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "Function(",
            "DOMParser",
        ):
            assert means not in said, name
