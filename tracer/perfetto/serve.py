"""One trace, handed over to Perfetto's UI by HTTP and to nobody else.

The UI may fetch from one address of this machine alone, 127.0.0.1:9001. A page of any other origin is refused, as is
whoever does not say where it comes from, and any path but the trace's, which nobody can guess. Where the UI itself is
served from here, it is of this origin.
"""

from __future__ import annotations

import secrets
import shutil
import sys
import threading
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from mimetypes import guess_type
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tracer.document.errors import MissingError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HOST, PORT = "127.0.0.1", 9001
PERFETTO = "https://ui.perfetto.dev"
HERE = f"http://{HOST}:{PORT}"
HOSTS = (f"{HOST}:{PORT}", f"localhost:{PORT}")
# Perfetto before 2026 sorts processes by the number of their slices; pinned, our tracks are at the top of any.
PIN = '[{"id":"dev.perfetto.PinTracksByRegex","args":["^(stages|idle|findings)( |$)"]}]'
# A page of ours says that it is; a person who types the address says "none".
OWN_SITE = ("same-origin", "none")
# The UI goes on to load parts of itself while it has the trace.
QUIET_S = 10.0
SILENT_S = 60.0


@dataclass(slots=True)
class Offer:
    """What is served.

    Attributes:
        trace: the file.
        ui: files of the UI by their paths; none where the UI is elsewhere.
        token: in the trace's path, so that nobody guesses it.
        fetched: set once all of the trace has been sent.
        asked: set by each request that is answered; Perfetto's pages look here for a server of their own all the time.
    """

    trace: Path
    ui: dict[str, Path] = field(default_factory=dict)
    token: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    fetched: threading.Event = field(default_factory=threading.Event)
    asked: threading.Event = field(default_factory=threading.Event)

    @property
    def origin(self) -> str:
        """Of the page that may fetch the trace."""
        return HERE if self.ui else PERFETTO

    @property
    def path(self) -> str:
        """Of the trace; the UI shows what it ends with."""
        return f"/{self.token}/{quote(self.trace.name.encode('utf-8', 'surrogateescape'), safe='')}"

    def address(self, window_ns: tuple[int, int] | None = None) -> str:
        """What to open in a browser, zoomed to a window in the trace's own nanoseconds."""
        asked = {"url": HERE + self.path, "startupCommands": PIN}
        if window_ns is not None:
            asked |= {"visStart": str(window_ns[0]), "visEnd": str(window_ns[1])}
        return f"{self.origin}/#!/?" + "&".join(f"{key}={quote(value, safe='')}" for key, value in asked.items())


def allowed(offer: Offer, method: str, path: str, headers: dict[str, str]) -> HTTPStatus:
    """What to answer a request with.

    Args:
        offer: what is served.
        method, path: of the request.
        headers: its headers by their names in small letters.
    """
    if method != "GET":
        return HTTPStatus.METHOD_NOT_ALLOWED
    if headers.get("host") not in HOSTS:
        return HTTPStatus.FORBIDDEN
    origin = headers.get("origin")
    if offer.ui:
        if origin not in (None, HERE) or headers.get("sec-fetch-site", "none") not in OWN_SITE:
            return HTTPStatus.FORBIDDEN
    elif origin != PERFETTO:
        return HTTPStatus.FORBIDDEN
    return HTTPStatus.OK if path == offer.path or path in offer.ui else HTTPStatus.NOT_FOUND


def handler_of(offer: Offer) -> type[BaseHTTPRequestHandler]:
    """The class that answers requests for an offer."""

    class Handler(BaseHTTPRequestHandler):
        server_version, sys_version = "tracer", ""
        timeout = SILENT_S

        def log_message(self, *_: Any) -> None:
            """Say nothing of each request."""

        def parse_request(self) -> bool:
            """Read a request; what is not allowed is answered at once, whatever its method is."""
            if not super().parse_request():
                return False
            path = self.path.partition("?")[0]
            headers = {name.lower(): value for name, value in self.headers.items()}
            status = allowed(offer, self.command, path, headers)
            if status is HTTPStatus.OK:
                offer.asked.set()
                return True
            self.send_error(status)
            return False

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            whole = path == offer.path
            file = offer.trace if whole else offer.ui[path]
            with file.open("rb") as content:
                self.send_response(HTTPStatus.OK)
                self.send_header("Content-Type", guess_type(file.name)[0] or "application/octet-stream")
                self.send_header("Content-Length", str(file.stat().st_size))
                self.end_headers()
                shutil.copyfileobj(content, self.wfile, 1 << 20)
            if whole:
                offer.fetched.set()

        def end_headers(self) -> None:
            """Add what every answer has."""
            self.send_header("Access-Control-Allow-Origin", offer.origin)
            self.send_header("Vary", "Origin")
            self.send_header("Cache-Control", "no-store")
            self.send_header("X-Content-Type-Options", "nosniff")
            super().end_headers()

    return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever hung up has been told enough; other errors are shown."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


def serve(offer: Offer, ready: Callable[[], None]) -> None:
    """Serve until the trace has been fetched; the UI, where it is served as well, until nobody asks for more.

    Args:
        offer: what to serve.
        ready: called once somebody may come.

    Raises:
        MissingError: the address is taken.
    """
    try:
        server = _Server((HOST, PORT), handler_of(offer))
    except OSError as error:
        raise MissingError(
            f"{HOST}:{PORT}: {error.strerror or error}; Perfetto's UI fetches from there alone: end what else uses it"
        ) from None
    with server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            ready()
            while not offer.fetched.wait(0.2):  # an interrupt gets through in between
                pass
            while offer.ui and _asked_again(offer):
                pass
        finally:
            server.shutdown()


def _asked_again(offer: Offer) -> bool:
    offer.asked.clear()
    return offer.asked.wait(QUIET_S)
