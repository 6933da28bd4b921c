"""A page in a real Chromium."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.browsing import Window, chromium


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def window(browser: Any) -> Window:
    return Window(browser)


@pytest.fixture
def visit(window: Window) -> Iterator[Callable[..., Any]]:
    """Opens a page, and in the end holds it to having said nothing on the console and asked for nothing."""
    said: list[tuple[str, str]] = []
    hears = {
        "console": lambda message: said.append((message.type, message.text)),
        "pageerror": lambda error: said.append(("pageerror", str(error))),
        "request": lambda request: None if request.url.startswith("file:") else said.append(("asked", request.url)),
        "dialog": lambda dialog: (said.append(("dialog", dialog.message)), dialog.dismiss()),
    }
    opened = []

    def open_page(path: Path, *, width: int = 1440, height: int = 900, **options: Any) -> Any:
        page = window.enter(width, height, **options)
        opened.append(page)
        for event, hear in hears.items():
            page.on(event, hear)
        page.goto(path.as_uri())
        page.wait_for_selector("html[data-ready=yes]", timeout=20_000)
        return page

    yield open_page
    for page in opened:
        window.leave(page, hears)
    assert said == []
