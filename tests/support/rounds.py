"""Marked rounds of speculative decoding, and steps of the target by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from support.chrome import kernel, launch, span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from support.chrome import Event


def rounds(
    results: Sequence[tuple[int, int] | None],
    *,
    draft: float = 10,
    verify: float = 40,
    step: float = 30,
    alone: int = 4,
    mapping: float = 0,
    draft_device: int = 0,
) -> list[Event]:
    """A request of a prompt, steps of the target alone, and rounds, each kernel behind the other without a gap.

    Args:
        results: drafted and accepted tokens of each round; None where it does not say. One that drafts none drafts one.
        draft, verify, step: microseconds of a drafted token, of a check and of a step of the target by itself.
        alone: so many of these steps.
        mapping: microseconds of mapping a draft; without any it is no stage.
        draft_device: where drafts run; all else is on device 0.
    """
    events: list[Event] = []
    at, number = 0.0, 0

    def stage(name: str, busy: float, inside: str = "", device: int = 0) -> None:
        nonlocal at, number
        number += 1
        events.append(span(name, at, busy))
        events.extend([launch(at + 0.25, 0.25, number), kernel("k", at + 0.5, busy, number, device=device)])
        if inside:
            events.append(span(inside, at + 0.75, 0.125))
        at += busy

    stage("tracer/prefill", 100)
    for index in range(1, alone + 1):
        stage(f"tracer/decode#{index}", step)
    for index, result in enumerate(results, start=1):
        drafted, accepted = result or (1, 0)
        stage(f"tracer/draft#{index}", draft * max(1, drafted), device=draft_device)
        if mapping:
            stage(f"tracer/map#{index}", mapping)
        said = "" if result is None else f"tracer/result:drafted={drafted},accepted={accepted}"
        stage(f"tracer/verify#{index}", verify, said)
    return [span("tracer/request#0", 0, at), *events]
