from __future__ import annotations

from itertools import count

from support.summaries import requests, summary

from reports.document import of_comparison
from reports.render.markdown import render as render_markdown
from reports.render.text import render
from tracer.compare.turns import Asked, Session
from tracer.document.comparison import Comparison
from tracer.document.summary import Summary


def _judged(most_s: float = 1e9, precision: float = 0.05) -> Comparison:
    seconds = count()

    def record(run: str, number: int) -> Summary:
        return summary(requests(33 if run == "B" else 30, 2, louder=number % 5))

    asked = Asked(of="vision", precision=precision, most_s=most_s, seed=0)
    session = Session(asked, record, clock=lambda: float(next(seconds)))
    session.run(lambda _: None)
    return session.judged()


def test_how_it_was_recorded_and_how_well_it_is_known_is_said_in_every_renderer() -> None:
    found = _judged()
    for text in (render(of_comparison(found)), render_markdown(of_comparison(found), heading="tracer ab")):
        words = " ".join(text.split())
        assert "6 recordings of each run, in " in words
        assert "to know vision to ± 5 %." in words
        assert "It is known to ± " in words
        assert "order: " in words
        assert "within the blocks in which their order was drawn" in words
        assert "Allowed for" not in words


def test_what_was_not_reached_is_said_with_its_reason() -> None:
    words = " ".join(render(of_comparison(_judged(most_s=16))).split())
    assert "The time was spent before that was reached." in words
    assert "nothing can be judged. Give it more time (--max-time)." in words
    assert "slower" not in words.split("B against A")[1].split("ratio")[0]


def test_of_runs_that_took_no_turns_nothing_is_said_of_turns() -> None:
    from tracer.compare.pairs import compare

    words = render(of_comparison(compare([summary(requests(30)), summary(requests(33))])))
    assert "in turns\n" not in words
