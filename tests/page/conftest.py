"""A real Chromium, without a window."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed: pip install '.[browser]'"
    )
    program = os.environ.get("TRACER_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip("no Chromium on PATH (Debian: apt-get install chromium)")
    with playwright.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def visit(browser: Any) -> Iterator[Callable[..., Any]]:
    """Opens a page, and in the end holds it to having said nothing on the console and asked for nothing."""
    opened, said = [], []

    def open_page(path: Path, *, width: int = 1440, height: int = 900, **options: Any) -> Any:
        page = browser.new_page(viewport={"width": width, "height": height}, **options)
        page.on("console", lambda message: said.append((message.type, message.text)))
        page.on("pageerror", lambda error: said.append(("pageerror", str(error))))
        page.on(
            "request", lambda request: None if request.url.startswith("file:") else said.append(("asked", request.url))
        )
        page.on("dialog", lambda dialog: (said.append(("dialog", dialog.message)), dialog.dismiss()))
        page.goto(path.as_uri())
        page.wait_for_selector("html[data-ready=yes]", timeout=20_000)
        opened.append(page)
        return page

    yield open_page
    for page in opened:
        page.close()
    assert said == []
