"""One process unpacks and hands texts to others: each text is scanned once, and they keep their order."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracer.document.errors import MissingError
from tracer.trace.chrome import handover
from tracer.trace.chrome.handover import Handover
from tracer.trace.chrome.scanner import Text
from tracer.trace.parallel import in_processes

MAX_BYTES = 64
Placed = list[tuple[int, bytes]]


def _texts(lengths: list[int]) -> list[Text]:
    """Texts that stand somewhere within their content, each of its own bytes."""
    return [
        Text(b"<" + number.to_bytes(4) * (length // 4 + 1) + b">", 1, 1 + length)
        for number, length in enumerate(lengths)
    ]


def _content(text: Text) -> bytes:
    return text.content[text.begin : text.end]


def _work(texts: list[Text], takers: int) -> tuple[Callable[[int], Placed], Handover]:
    channel = Handover(takers)

    def work(share: int) -> Placed:
        if share:
            return [(place, _content(text)) for place, text in channel.taken(share - 1)]
        kept = []
        for text in texts:
            if not channel.offer(text):
                kept.append((channel.place, _content(text)))
        channel.end()
        return kept

    return work, channel


def _in_order(shares: list[Placed]) -> bytes:
    return b"".join(content for _, content in sorted((pair for share in shares for pair in share), key=lambda p: p[0]))


@settings(max_examples=60, deadline=None)
@given(
    lengths=st.lists(st.integers(0, 2 * MAX_BYTES), max_size=60),
    takers=st.integers(0, 3),
    forked=st.booleans(),
)
def test_each_text_is_had_once_and_places_are_the_order(lengths: list[int], takers: int, forked: bool) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(handover, "RUN_BYTES", MAX_BYTES)
        texts = _texts(lengths)
        work, _ = _work(texts, takers)
        shares = in_processes(work, takers + 1) if forked else [work(share) for share in range(takers + 1)]
    assert _in_order(shares) == b"".join(map(_content, texts))
    # A run is one process' own: nobody else's text has its place.
    owners = [{place for place, _ in share} for share in shares]
    assert sum(map(len, owners)) == len(set().union(*owners))


def test_the_others_get_their_share() -> None:
    texts = _texts([handover.RUN_BYTES // 4] * 200)
    shares = [sum(len(content) for _, content in share) for share in in_processes(_work(texts, 1)[0], 2)]
    assert sum(shares) == sum(map(len, map(_content, texts)))
    assert shares[1] >= handover.SLOTS * handover.RUN_BYTES


def test_a_text_longer_than_a_run_stays_where_it_is() -> None:
    texts = _texts([10, handover.RUN_BYTES + 1, 10])
    kept, taken = in_processes(_work(texts, 1)[0], 2)
    assert kept == [(1, _content(texts[1]))]
    assert taken == [(0, _content(texts[0])), (2, _content(texts[2]))]


@pytest.mark.parametrize("dies", [True, False])
def test_a_taker_that_fails_is_not_waited_for(dies: bool) -> None:
    work, _ = _work(_texts([handover.RUN_BYTES] * 40), 1)

    def failing(share: int) -> Any:
        if not share:
            return work(0)
        if dies:
            os._exit(9)
        raise ZeroDivisionError

    with pytest.raises(MissingError if dies else ZeroDivisionError):
        in_processes(failing, 2)


def test_takers_end_when_the_giver_is_gone() -> None:
    channel = Handover(1)
    reader, writer = os.pipe()
    if (taker := os.fork()) == 0:
        try:
            list(channel.taken(0))
        except EOFError:
            os.write(writer, b"e")
        os._exit(0)
    del channel  # closes its ends, as its death would
    os.waitpid(taker, 0)
    os.close(writer)
    with os.fdopen(reader, "rb") as told:
        assert told.read() == b"e"
