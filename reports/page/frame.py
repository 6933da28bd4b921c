"""What every page is: one file that needs nothing else, and may load nothing else.

Its policy (Content-Security-Policy) admits one script and one style, both by their hash, and no address at all. Data
stands in elements that no browser runs.
"""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files as resources
from typing import TYPE_CHECKING

from reports.render.html import escape

if TYPE_CHECKING:
    from collections.abc import Sequence

STYLES = ("page.css", "parts.css", "print.css")
SCRIPTS = (
    "base.js",
    "columns.js",
    "lanes.js",
    "timeline.js",
    "told.js",
    "tokens.js",
    "roofline.js",
    "kernels.js",
    "main.js",
)
# Of a page on which nothing but the theme and printing takes a script.
PLAIN_SCRIPTS = ("base.js", "main.js")
NO_DATA = "[]"


def framed(title: str, links: str, within: str, *, scripts: Sequence[str], data: str = NO_DATA, more: str = "") -> str:
    """A page's text.

    Args:
        title: untrusted.
        links: to the sections, as HTML.
        within: what is on it, as HTML.
        scripts: files of the folder `static`.
        data: what they are given, as JSON that is safe inside an element.
        more: elements behind that.
    """
    style, script = _static(STYLES), f'(() => {{\n"use strict";\n{_static(scripts)}\n}})();\n'
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark"><meta name="referrer" content="no-referrer">\n'
        f"<title>{escape(title)} · tracer</title>\n<style>{style}</style></head>\n<body>\n"
        f"{_top(links)}\n<main>\n{within}</main>\n"
        f'<script type="application/json" id="data">{data}</script>\n'
        f"{more}<script>{script}</script>\n</body></html>\n"
    )


def _top(links: str) -> str:
    return (
        '<header class="top"><span class="brand">tracer</span>'
        f'<nav aria-label="sections">{links}</nav>'
        '<button type="button" id="theme" aria-label="colours: as the system has them">◐</button></header>'
    )


def _static(names: Sequence[str]) -> str:
    folder = resources("reports.page").joinpath("static")
    return "\n".join(folder.joinpath(name).read_text(encoding="utf-8") for name in names)


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
