from __future__ import annotations

from support.predict import NOW, then


def test_a_stages_factor() -> None:
    assert then(stages={"vision": 0, "decode": 0.5}) == NOW | {"vision": 0, "decode": 5_000}
