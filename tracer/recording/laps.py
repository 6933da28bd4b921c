"""Laps: the times between the clock marks of a request, sorted by stage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.document.manifest import Latencies
from tracer.document.names import DECODE, DRAFT, MAP, PREFILL, STAGES, VERIFY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Label = tuple[str, int | None]
# The time between two marks that lies in no stage, that in which something is drafted for the prompt's pass to check,
# and that in which the profiler was being switched.
GAP: Label = ("", None)
AHEAD: Label = ("ahead", None)
SWITCHING: Label = ("switching", None)


def measure(
    labels: Sequence[Label], laps_ns: Sequence[int], yielded: Mapping[Label, int] | None = None
) -> tuple[Latencies, frozenset[str]]:
    """Sort the laps of one request by stage.

    Args:
        labels: what each lap is called.
        laps_ns: how long it took.
        yielded: tokens of a sequence that prefill and steps yielded, where somebody counted them; else one each.

    Returns:
        The latencies, and the stages that were marked. A gap directly before a decode step, and behind prefill or
        another step, belongs to that step: token k is there when step k ends, counted from the token before. A round of
        speculative decoding, its draft, its mapping and the pass that checks it, is a step that yields several tokens;
        where not all rounds say how many, decoding is known as a whole. What is drafted before the prompt's pass, which
        checks it, is outside of the target's stages and before the first token.
    """
    counts = yielded or {}
    labels = _with_rounds(labels, counts)
    counts = {**counts, **{(DECODE, index): tokens for (stage, index), tokens in counts.items() if stage == VERIFY}}
    times = dict.fromkeys(STAGES, 0)
    steps: dict[int, int] = {}
    outside = later = pending = 0
    prefilled = False
    for (stage, index), lap_ns in zip(labels, laps_ns, strict=True):
        if (stage, index) == AHEAD:
            outside += lap_ns
        elif (stage, index) == GAP or stage not in (*times, SWITCHING[0]):  # another model's stage is none of these
            pending += lap_ns
        elif stage == DECODE and index is not None:
            steps[index] = steps.get(index, 0) + lap_ns + (pending if prefilled else 0)
            outside += 0 if prefilled else pending
            pending = 0
        elif (stage, index) == SWITCHING:
            pending = 0
        else:
            times[stage] += lap_ns
            later, outside = (later + pending, outside) if prefilled else (later, outside + pending)
            pending = 0
        prefilled = prefilled or stage == PREFILL
    later, outside = (later + pending, outside) if prefilled else (later, outside + pending)
    step_tokens = [counts.get((DECODE, index), 1) for index in sorted(steps)]
    marked = frozenset(stage for stage, _ in labels if stage in STAGES)
    latencies = Latencies(
        load_ns=times["load"],
        preprocess_ns=times["preprocess"],
        vision_ns=times["vision"],
        prefill_ns=times[PREFILL],
        decode_ns=[steps[index] for index in sorted(steps)],
        first_step=min(steps, default=1),
        decode_whole_ns=times[DECODE],
        outside_ns=outside,
        outside_later_ns=later,
        prefill_tokens=counts.get((PREFILL, None), 1),
        step_tokens=[] if all(tokens == 1 for tokens in step_tokens) else step_tokens,
    )
    return latencies, marked


def _with_rounds(labels: Sequence[Label], yielded: Mapping[Label, int]) -> list[Label]:
    """The labels, those of drafts and checks as the decode steps that they are parts of."""
    first = next((place for place, (stage, _) in enumerate(labels) if stage in (DECODE, VERIFY)), len(labels))
    prompt = max((place for place, (stage, _) in enumerate(labels[:first]) if stage == PREFILL), default=0)
    ahead = [AHEAD if stage in (DRAFT, MAP) else (stage, index) for stage, index in labels[:prompt]]
    labels = [*ahead, *labels[prompt:]]
    checks = {(stage, index) for stage, index in labels if stage == VERIFY}
    told = all(check in yielded and check[1] is not None for check in checks) and all(
        (VERIFY, index) in checks for stage, index in labels if stage in (DRAFT, MAP)
    )
    return [
        (DECODE, index if told else None) if stage in (DRAFT, MAP, VERIFY) else (stage, index)
        for stage, index in labels
    ]
