from __future__ import annotations

from support.predict import NOW, budget, summary_of, then


def test_fewer_visual_tokens_shrink_prefill_and_the_cache() -> None:
    assert then(visual_tokens=0.5) == NOW | {"prefill": 9_000 - 3_200, "decode": 10 * (1_000 - 100)}
    waiting = summary_of(budget("prefill", 1, 1_000, 9_000))
    assert then(waiting, visual_tokens=0.5) == {"prefill": 9_000}
