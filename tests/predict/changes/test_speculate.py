from __future__ import annotations

import pytest
from support.predict import budget, summary_of, then


@pytest.mark.parametrize(("speculation", "tokens"), [((4, 0.7), 2.7731), ((3, 1.0), 4), ((3, 0.0), 1)])
def test_speculation_makes_several_tokens_a_step(speculation: tuple[int, float], tokens: float) -> None:
    assert then(speculate=speculation)["decode"] == pytest.approx(10_000 / tokens, rel=1e-4)


def test_however_much_is_drafted_a_step_is_left() -> None:
    assert then(summary_of(budget("decode", 3, 900, 1_000)), speculate=(9, 1.0)) == {"decode": 1_000}
    assert then(summary_of(budget("decode", 3, 900, 1_000)), speculate=(1, 1.0)) == {"decode": 1_500}
