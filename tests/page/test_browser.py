"""The page in a real Chromium: what a person does with it, and what a hostile trace does not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.chrome import document
from support.hostile import MARK, TEXTS, hostile_events, hostile_metadata
from support.staged import staged_trace
from support.typed import typed

# Moves the pointer over the whole timeline, as the browser would one by one; what the tip said, each once.
POINT_EVERYWHERE = """() => {
  const canvas = document.querySelector("canvas.tracks"), told = new Set();
  canvas.scrollIntoView();
  const box = canvas.getBoundingClientRect();
  for (let y = 4; y < box.height; y += 6)
    for (let x = 20; x < box.width; x += 120) {
      const at = { clientX: box.left + x, clientY: box.top + y, bubbles: true, pointerType: "mouse", pointerId: 1 };
      canvas.dispatchEvent(new PointerEvent("pointermove", at));
      told.add(document.querySelector(".tip").innerText);
    }
  return [...told];
}"""
Visit = Callable[..., Any]
STEPS, OPS = 60, 40
WHOLE_RUN, ZOOM_IN = "button[aria-label='the whole run']", "button[aria-label='zoom in']"


def _report(folder: Path, *traces: Path) -> Path:
    page = folder / "report.html"
    done = typed("report", *traces, "-o", page)
    assert done.returncode == 0, done.stderr
    return page


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("one")
    return _report(folder, staged_trace(folder / "run.json", steps=STEPS, ops=OPS))


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("two")
    traces = [staged_trace(folder / f"{name}.json", steps=20, ops=10, seed=seed) for seed, name in enumerate("ab", 1)]
    return _report(folder, *traces)


def _window(page: Any) -> tuple[float, float]:
    page.wait_for_timeout(60)  # the next frame
    root = page.locator(".timeline").first
    return float(root.get_attribute("data-from")), float(root.get_attribute("data-to"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(1440, 900), (390, 844)])
def test_it_fits_the_window_in_the_readers_colours(
    one: Path, visit: Visit, width: int, height: int, scheme: str
) -> None:
    page = visit(one, width=width, height=height, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("canvas.tracks").bounding_box()["width"] > 0.8 * (width - 60)
    red, *_ = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    assert (red < 60) == (scheme == "dark")


def test_the_theme_is_chosen_and_kept(one: Path, visit: Visit) -> None:
    page = visit(one, color_scheme="light")
    colour = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(colour)
    page.click("#theme")  # light
    assert page.evaluate(colour) == light
    page.click("#theme")  # dark
    dark = page.evaluate(colour)
    assert dark != light
    dot = "document.querySelector('canvas.tracks').getContext('2d').getImageData(2, 2, 1, 1).data[0]"
    assert page.evaluate(dot) < 60, "canvases are drawn anew"
    page.reload()
    page.wait_for_selector("html[data-ready=yes]")
    assert page.evaluate(colour) == dark


def test_zooming_goes_down_to_one_kernel_and_back(one: Path, visit: Visit) -> None:
    page = visit(one)
    whole = _window(page)
    for _ in range(30):
        page.click(ZOOM_IN)
    low, high = _window(page)
    assert high - low <= 100  # nanoseconds
    page.click(WHOLE_RUN)
    assert _window(page) == whole


def test_the_wheel_the_keys_and_the_pointer_move_it(one: Path, visit: Visit) -> None:
    page = visit(one)
    canvas = page.locator("canvas.tracks")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    middle = (box["x"] + box["width"] / 2, box["y"] + 30)
    whole = _window(page)
    page.mouse.move(*middle)
    page.keyboard.down("Control")
    page.mouse.wheel(0, -150)
    page.keyboard.up("Control")
    low, high = _window(page)
    assert 0.3 < (high - low) / (whole[1] - whole[0]) < 0.4
    page.mouse.down()
    page.mouse.move(middle[0] + 100, middle[1], steps=4)
    page.mouse.up()
    moved = _window(page)
    assert moved[0] == pytest.approx(low - 100 * (high - low) / box["width"], abs=(high - low) / 100)
    page.locator(".timeline .scroll").focus()
    page.keyboard.press("ArrowRight")
    assert _window(page)[0] > moved[0]
    page.keyboard.press("0")
    assert _window(page) == whole
    page.keyboard.down("Shift")
    page.mouse.move(box["x"] + 200, middle[1])
    page.mouse.down()
    page.mouse.move(box["x"] + 300, middle[1], steps=4)
    page.mouse.up()
    page.keyboard.up("Shift")
    low, high = _window(page)
    assert (high - low) / (whole[1] - whole[0]) == pytest.approx(100 / box["width"], rel=0.05)


def test_a_kernel_tells_its_stage_and_its_launch(one: Path, visit: Visit) -> None:
    page = visit(one)
    page.locator("section.part:has(.kernels) td.kernel button").first.click()
    page.get_by_role("button", name="show the longest on the timeline").first.click()
    page.wait_for_timeout(800)
    box = page.locator("canvas.tracks").bounding_box()
    for y in range(0, int(box["height"]), 4):  # down through the tracks, where the kernel is
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + y)
        tip = page.locator(".tip")
        if tip.is_visible() and "launched as" in tip.inner_text():
            break
    said = tip.inner_text()
    assert "ampere_bf16_s16816gemm" in said
    assert "decode #" in said
    assert "cudaLaunchKernel on thread" in said
    assert "after its launch began" in said
    assert "grid 16 × 4 × 1, block 128 × 1 × 1, 96 registers, 49.2 KB shared, occupancy 12%" in said
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + y)
    page.mouse.move(5, 5)
    assert not page.locator(".tip").is_visible()
    assert "after its launch began" in page.locator(".told").inner_text(), "what was clicked stays told"


def test_a_finding_leads_to_its_place(one: Path, visit: Visit) -> None:
    page = visit(one)
    link = page.locator(".finding:has-text('decode steps stand out') a.place")
    assert link.inner_text().startswith("show decode step ")
    whole = _window(page)
    link.click()
    low, high = _window(page)
    assert (high - low) < (whole[1] - whole[0]) / 10
    page.wait_for_timeout(800)
    assert page.locator("canvas.tracks").evaluate("one => one.getBoundingClientRect().top < innerHeight")


def test_a_bar_of_the_decode_steps_leads_to_its_step(one: Path, visit: Visit) -> None:
    page = visit(one)
    chart = page.locator(".tokens .chart svg")
    assert chart.locator("path.outlier").count() >= 3
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    page.mouse.move(box["x"] + 58 + (box["width"] - 64) * 0.5, box["y"] + 195)
    assert "in the KV cache" in page.locator(".tip").inner_text()
    assert f"decode step #{STEPS // 2 + 1}" in page.locator(".tip").inner_text()
    before = _window(page)
    page.mouse.down()
    page.mouse.up()
    assert _window(page)[1] - _window(page)[0] < (before[1] - before[0]) / 10


def test_the_roofline_has_its_stages(visit: Visit, tmp_path: Path) -> None:
    page = visit(_report(tmp_path, staged_trace(tmp_path / "run.json", steps=8, ops=900)))
    assert page.locator(".roofline .chart .named").all_text_contents() == ["vision", "prefill", "decode"]
    page.locator(".roofline .chart .named").first.hover()
    assert "TFLOP/s" in page.locator(".tip").inner_text()


def _column(page: Any, place: int) -> list[str]:
    return [text.strip() for text in page.locator(f".kernels tbody tr td:nth-child({place})").all_inner_texts()]


def test_the_table_is_sorted_filtered_and_searched(one: Path, visit: Visit) -> None:
    page = visit(one)
    table = page.locator(".kernels table")
    heads = [text.rstrip(" ↓↑") for text in table.locator("th").all_inner_texts()]
    plain = ["kernel", "stage", "category", "count", "time", "share", "mean"]
    assert heads == [*plain, "grid", "block", "registers", "shared", "occupancy"]
    count = heads.index("count") + 1
    assert table.locator("th[aria-sort=descending]").inner_text().startswith("time")
    table.get_by_role("button", name="count").click()
    found = [int(text.replace(",", "")) for text in _column(page, count)]
    assert found == sorted(found, reverse=True)
    table.get_by_role("button", name="count").click()
    assert [int(text.replace(",", "")) for text in _column(page, count)] == sorted(found)
    page.select_option(".kernels select[aria-label='every stage']", "prefill")
    assert set(_column(page, 2)) == {"prefill"}
    page.fill(".kernels input", "native LAYER")
    assert ["layer_norm" in name for name in _column(page, 1)] == [True]
    page.fill(".kernels input", "no such kernel")
    assert _column(page, 1) == []
    assert "0 rows" in page.locator(".kernels [role=status]").inner_text()


def test_a_row_opens_to_its_whole_name_and_its_launches(one: Path, visit: Visit) -> None:
    page = visit(one)
    row = page.locator(".kernels td.kernel button", has_text="elementwise_kernel").first
    assert not row.inner_text().startswith("void ")
    row.click()
    opened = page.locator(".kernels td.kernel.open button")
    assert opened.inner_text() == "void at::native::elementwise_kernel<128, 4, MulFunctor<float>>(int)"
    assert "grid 128 × 1 × 1" in page.locator(".kernels tr.detail").inner_text()


def test_what_figures_mean_is_told_on_demand(one: Path, visit: Visit) -> None:
    page = visit(one)
    note = page.locator("details.note", has_text="launches come late").or_(page.locator("details.note")).first
    assert not note.locator("p").is_visible()
    note.locator("summary").click()
    assert note.locator("p").is_visible()


def test_of_several_files_one_is_looked_at_at_a_time(two: Path, visit: Visit) -> None:
    page = visit(two)
    assert page.locator("#comparison").is_visible()
    assert page.locator("#run-0-timeline").is_visible()
    assert not page.locator("#run-1-timeline").is_visible()
    page.click(".runs button[data-run='1']")
    assert page.locator("#run-1-timeline canvas.tracks").bounding_box()["width"] > 500
    assert not page.locator("#run-0-timeline").is_visible()
    assert page.locator(".top nav a", has_text="Timeline").get_attribute("href") == "#run-1-timeline"


def test_it_prints_on_white_with_its_notes_unfolded(one: Path, visit: Visit) -> None:
    page = visit(one, color_scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator("details.note p").first.is_visible()
    assert not page.locator(".top").is_visible()
    assert len(page.pdf()) > 20_000
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert not page.locator("details.note p").first.is_visible()


def test_two_fingers_zoom_on_a_phone(one: Path, visit: Visit) -> None:
    page = visit(one, width=390, height=844, has_touch=True, is_mobile=True)
    page.locator("canvas.tracks").scroll_into_view_if_needed()
    box = page.locator("canvas.tracks").bounding_box()
    whole = _window(page)
    session = page.context.new_cdp_session(page)
    for apart in (20, 40, 80):
        points = [{"x": box["x"] + 180 + side * apart, "y": box["y"] + 30, "id": side + 1} for side in (-1, 1)]
        kind = "touchStart" if apart == 20 else "touchMove"
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    low, high = _window(page)
    assert (high - low) / (whole[1] - whole[0]) == pytest.approx(20 / 80, rel=0.1)


def test_no_text_of_a_trace_runs_or_turns_its_surroundings(tmp_path: Path, visit: Visit) -> None:
    trace = tmp_path / "<img src=x onerror=alert(1)>.json"
    trace.write_bytes(document(*hostile_events(), **hostile_metadata()))
    page = visit(_report(tmp_path, trace))
    for button in page.locator(".kernels td.kernel button").all():
        button.click()
    for summary in page.locator("details > summary").all():
        summary.click()
    told = page.evaluate(POINT_EVERYWHERE)
    assert any(TEXTS[0] in one for one in told)
    assert page.evaluate(f"typeof window.{MARK}") == "undefined"
    assert TEXTS[0] in page.locator(".kernels tbody").inner_text()
    assert "\u202e" not in page.content()


def test_without_scripts_the_figures_stand(one: Path, browser: Any) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(one.as_uri())
    assert page.locator(".barrow .value").first.is_visible()
    assert page.locator("table").count() >= 4
    context.close()


def test_any_real_trace_opens(chrome_trace: Path, tmp_path: Path, visit: Visit) -> None:
    page = visit(_report(tmp_path, chrome_trace))
    assert page.locator("canvas.tracks").count() == 1


def test_any_export_opens(nsight_export: Path, tmp_path: Path, visit: Visit) -> None:
    page = visit(_report(tmp_path, nsight_export))
    assert page.locator("h1").is_visible()
