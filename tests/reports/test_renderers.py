"""What one renderer says, every renderer says."""

from __future__ import annotations

import html
import pkgutil
import re
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.chrome import operator, span, trace_of
from support.manifests import as_metadata, latencies, sample
from support.summaries import KERNELS, requests, summary

import reports.render
from reports.asked import Asked
from reports.blocks import Bar, Block, Caution, Curve, Item, Line, Note, Table
from reports.document import of_comparison, of_prediction, of_summary
from reports.render import html as page
from reports.render import markdown, text
from reports.units import printable
from tracer.compare.gates import check_budgets, parse_budget
from tracer.compare.pairs import compare
from tracer.document.errors import InputError
from tracer.predict.whatif import Changes, predict
from tracer.summarize import Choices, summarize, summarize_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


def _plain_text(blocks: Sequence[Block]) -> str:
    widest = max(len(said) for block in blocks for said in _contents(block))
    return text.render(blocks, width=2 * widest + 200)


def _plain_markdown(blocks: Sequence[Block]) -> str:
    found = markdown.render(blocks, heading="tracer summarize")
    return html.unescape(re.sub(r"</?(?:code|sub|br)>|\*\*", "", found)).replace("\u2060", "")


def _plain_html(blocks: Sequence[Block]) -> str:
    found = re.sub(r"</(?:td|th|p|h\d|summary)>", " ", page.render(blocks, heading="tracer report"))
    return html.unescape(re.sub(r"<[^>]*>", "", found))


RENDERERS: dict[str, Callable[[Sequence[Block]], str]] = {
    "text": _plain_text,
    "markdown": _plain_markdown,
    "html": _plain_html,
}


def test_every_renderer_is_held_to_it() -> None:
    names = [one.name for one in pkgutil.iter_modules(reports.render.__path__)]
    assert {name for name in names if hasattr(import_module(f"reports.render.{name}"), "render")} == set(RENDERERS)


def _contents(block: Block) -> Iterator[str]:
    """Every text of a block."""
    yield block.title
    for element in block.elements:
        match element:
            case Line():
                yield "".join(piece.text for piece in element.pieces)
            case Curve():
                yield from (element.first, element.last)
            case Table():
                yield from (column.name for column in element.columns if element.rows)
                yield from (cell.text if isinstance(cell, Bar) else cell for row in element.rows for cell in row.cells)
            case Note():
                yield element.text()
            case Caution():
                yield element.text
            case Item():
                yield from (element.text, element.name, element.more)


def _words(said: str) -> str:
    return " ".join(printable(said.replace("\n", " ")).split())


COUNTED = "ops|events|requests|launches|kernels|waits|steps|tokens|names|rows|operators|frames"
ONE_OF_MANY = re.compile(rf"(?:^|[ (])1 (?:\w+ )?(?:{COUNTED})\b")


def _hold(blocks: Sequence[Block]) -> None:
    assert blocks
    for one in blocks:  # what a finding or a warning says comes with the document
        own = Block(one.title, tuple(element for element in one.elements if not isinstance(element, Item | Caution)))
        assert not [said for said in _contents(own) if ONE_OF_MANY.search(said)]
    for name, rendered in RENDERERS.items():
        found = _words(rendered(blocks))
        missing = [said for block in blocks for said in _contents(block) if _words(said) not in found]
        assert not missing, name


CHOICES = {
    "as it is": Choices(),
    "by kernel": Choices(by="kernel"),
    "by op": Choices(by="op"),
    "by module": Choices(by="module"),
    "by shapes": Choices(shapes=True),
    "with peaks": Choices(peak_tflops=100, peak_gbs=1000),
}


@pytest.mark.parametrize("choices", CHOICES.values(), ids=CHOICES)
def test_of_a_chrome_trace(chrome_trace: Path, choices: Choices) -> None:
    try:
        found = summarize_file(chrome_trace, choices)
    except InputError:
        pytest.skip("has nothing to break down by")
    _hold(of_summary(found))


def test_of_an_nsight_export(nsight_export: Path) -> None:
    found = summarize_file(nsight_export)
    _hold(of_summary(found))
    _hold(of_comparison(compare([found, found])))


def test_of_a_recording_with_budgets_samples_and_what_was_done_on_purpose() -> None:
    clean = [latencies(30), latencies(90, sample=1), latencies(40)]
    metadata = as_metadata(clean, samples=[sample("a|b"), sample("<c>")], coupled=True, synchronised=True)
    found = summarize(trace_of(span("tracer/vision", 0, 9), operator("aten::mm", 1, 2), tracer=metadata))
    blocks = of_summary(
        found, Asked(gates=check_budgets(found, [parse_budget("vision<=5%"), parse_budget("ttft<=1s")]))
    )
    _hold(blocks)
    for rendered in RENDERERS.values():
        said = rendered(blocks)
        assert "coupled on purpose" in said
        assert "FAILED" in said
        assert "operators' own time" in said


def test_of_a_comparison() -> None:
    kernels = (("vision", "conv|<b>", 33), *KERNELS[1:])
    _hold(of_comparison(compare([summary(requests(30)), summary(requests(33), path="b.json", kernels=kernels)])))


def test_of_a_prediction() -> None:
    _hold(of_prediction(predict(summary(requests(30)), Changes(stages={"vision": 0.5}))))
