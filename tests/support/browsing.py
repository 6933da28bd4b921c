"""A real Chromium, without a window, that takes no more of the processor than what is looked at needs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
S2 = os.environ.get("S2ARGS", "").split()


@contextmanager
def chromium() -> Iterator[Any]:
    """The browser; skips where there is none."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed: pip install '.[browser]'"
    )
    program = os.environ.get("TRACER_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip("no Chromium on PATH (Debian: apt-get install chromium)")
    with playwright.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=program, args=["--no-sandbox", *S2])
        yield opened
        opened.close()


class Window:
    """A page in which one file after the other is opened.

    A page of its own for each is two new processes of Chromium, and four times the work.
    """

    def __init__(self, browser: Any) -> None:
        self._browser = browser
        self._kept: Any = None

    def enter(self, width: int, height: int, **options: Any) -> Any:
        """The page as if it were new; one of its own for whoever wants more than a size and a colour scheme."""
        size = {"width": width, "height": height}
        scheme = options.pop("color_scheme", "light")
        if options:
            return self._browser.new_page(viewport=size, color_scheme=scheme, **options)
        self._kept = self._kept or self._browser.new_page()
        self._kept.set_viewport_size(size)
        self._kept.emulate_media(media="null", color_scheme=scheme)
        self._kept.mouse.move(0, 0)
        return self._kept

    def leave(self, page: Any, heard: Mapping[str, Callable[..., object]]) -> None:
        """Have the page forget what was done to it, and whoever listens to it."""
        page.evaluate("localStorage.clear()")  # by then all that it said has been heard
        for event, hear in heard.items():
            page.remove_listener(event, hear)
        if page is not self._kept:
            page.close()
