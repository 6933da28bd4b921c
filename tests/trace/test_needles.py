from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tracer.trace.chrome.needles import Needles

WANTED = (b'"ph": ', b'"cat"', b'"dur":', b"abcde")


@given(st.lists(st.sampled_from([*WANTED, b'"', b'"c', b'"ca', b"at", b'"dur"', b"x"])), st.data())
def test_all_that_lies_within_is_found_and_nothing_else(parts: list[bytes], data: st.DataObject) -> None:
    text = b"".join(parts)
    # Near the beginnings of parts, where it matters.
    near = sorted({min(max(0, sum(map(len, parts[:at])) + by), len(text)) for at in range(9) for by in (-1, 0, 1)})
    begin, end = sorted((data.draw(st.sampled_from(near)), data.draw(st.sampled_from(near))))
    expected = [[at for at in range(begin, end - len(one) + 1) if text.startswith(one, at)] for one in WANTED]
    assert [found.tolist() for found in Needles(*WANTED).places(text, begin, end)] == expected
    assert [Needles(one).places(text, begin, end)[0].tolist() for one in WANTED] == expected
