"""What gpu_speculation.py has measured so far, as `speculation.json`, and as a table, `speculation.md`."""

from __future__ import annotations

import json
from statistics import median
from typing import TYPE_CHECKING, Any

from model.speculative.forced import yielded
from tracer.recording.machine import describe_device, describe_software
from tracer.statistics.intervals import median_interval

if TYPE_CHECKING:
    from pathlib import Path

    from model.speculative.pair import SpeculativePair

ALONE = ("target alone", "draft alone")
READING = (
    "Acceptance is forced. Medians of speed-ups against the target alone just before, with their 95 % interval "
    "(of fewer than five turns the extremes). Decoding: rounds against steps, as many tokens. Request: vision, "
    "prefill and all behind, the draft's too."
)
HEADINGS = (
    "k", "acceptance", "schedule", "accepted", "tokens/round (expected)", "draft/token", "verify", "decoding",
    "predicted", "off", "of what was drafted, at the steps beside", "off", "request", "same tokens",
)  # fmt: skip

# The number of drafted tokens, which turn of it, and which requests of both: each has its own of either model alone.
Turn = tuple[int, int, str]
Found = dict[str, dict[Turn, dict[str, Any]]]


def _interval(values: list[float]) -> list[float]:
    found = median_interval(values)
    ends = (min(values), max(values)) if found is None else (found.low, found.high)
    return [round(median(values), 3), *[round(one, 3) for one in ends]]


def write_table(
    out: Path,
    found: Found,
    predicted: dict[str, dict[str, float]],
    pair: SpeculativePair,
    tokens: int,
) -> None:
    """Write both anew."""
    rows = [_row(name, made, found, predicted) for name, made in found.items() if "@" in name and made]
    about = {
        "device": describe_device(pair.device),
        "software": describe_software(),
        "target": pair.target.describe()["name"],
        "draft": pair.draft.describe()["name"],
        "tokens": tokens,
        "devices": [str(pair.target.device), str(pair.draft.device)],
    }
    requests = {
        name: [{"drafted": count, "turn": turn, "beside": cell, **one} for (count, turn, cell), one in made.items()]
        for name, made in found.items()
    }
    whole = {"about": about, "rows": rows, "predicted": predicted, "requests": requests}
    (out / "speculation.json").write_text(json.dumps(whole, indent=1))
    (out / "speculation.md").write_text(_table(about, rows, found))


def _row(
    name: str,
    by_turn: dict[Turn, dict[str, Any]],
    found: Found,
    predicted: dict[str, dict[str, float]],
) -> dict[str, Any]:
    made = list(by_turn.values())
    alone, draft_alone = ([found[kind][turn] for turn in by_turn] for kind in ALONE)
    key, schedule = name.split()
    count, share = int(key.split("@")[0]), float(key.split("@")[1])
    checks = [check for one in made for check in one["checks"]]
    whole = [accepted + 1 for drafted, accepted in checks if drafted == count]
    drafted = sum(one[0] for one in checks)
    # Both yield the same number of tokens.
    decoding = [own["rounds_ms"] / one["rounds_ms"] for own, one in zip(alone, made, strict=True)]
    request = [own["request_ms"] / one["request_ms"] for own, one in zip(alone, made, strict=True)]
    price = predicted.get(key)
    speedup = _interval(decoding)
    of_turns = None
    if price is not None:
        pairs = zip(made, alone, draft_alone, decoding, strict=True)
        of_turns = [(_of_turn(price, one, _step_ms(own), _step_ms(other)), real) for one, own, other, real in pairs]
    return {
        "drafted": count,
        "acceptance": share,
        "schedule": schedule,
        "turns": len(made),
        "accepted_share": sum(one[1] for one in checks) / drafted if drafted else None,
        "tokens_a_round": sum(whole) / len(whole) if whole else None,
        "tokens_expected": yielded((share,), count),
        "draft_token_ms": _per(made, "draft#", [one[0] for one in checks]),
        "map_round_ms": _per(made, "map#", [1 for one in checks if one[0]]),
        "verify_ms": _per(made, "verify#", [1 for _ in checks]),
        "speedup_decoding": speedup,
        "speedup_request": _interval(request),
        "predicted": price,
        "predicted_off": None if price is None else price["speedup"] / speedup[0] - 1,
        "predicted_of_turns": of_turns and _interval([guess for guess, _ in of_turns]),
        "of_turns_off": of_turns and _interval([guess / real - 1 for guess, real in of_turns]),
        "same_answer": sum(own["answer"] == one["answer"] for own, one in zip(alone, made, strict=True)),
    }


def _step_ms(request: dict[str, Any]) -> float:
    return float(request["stages_ms"]["decode#"] / (len(request["answer"]) - 1))


def _of_turn(price: dict[str, Any], made: dict[str, Any], step_ms: float, draft_step_ms: float) -> float:
    """The speed-up as `whatif --speculate` reckons it, from the steps beside and what rounds drafted and yielded.

    A check in steps is as it says. The last round of an answer drafts what is left of it, and yields no more.
    """
    check_ms = price["verify_ms"] / price["step_ms"] * step_ms
    drafted = sum(one[0] for one in made["checks"])
    tokens = len(made["answer"]) - 1
    return float(tokens * step_ms / (drafted * draft_step_ms + len(made["checks"]) * check_ms))


def _per(made: list[dict[str, Any]], stage: str, counts: list[int]) -> float | None:
    total = sum(one["stages_ms"].get(stage, 0.0) for one in made)
    return round(total / sum(counts), 4) if sum(counts) else None


def _table(about: dict[str, Any], rows: list[dict[str, Any]], found: Found) -> str:
    lines = [
        f"# {about['draft']} drafting for {about['target']}",
        "",
        f"{about['device'].get('name')}, {' and '.join(about['devices'])}, {about['tokens']} tokens an answer.",
        READING,
        "",
    ]
    for name in (one for one in ALONE if found[one]):
        stages = {
            stage: median([one["stages_ms"].get(stage, 0.0) for one in found[name].values()])
            for stage in ("vision", "prefill", "decode#")
        }
        lines.append(f"{name}: " + ", ".join(f"{stage} {value:.2f} ms" for stage, value in stages.items()))
        lines.append("")
    lines += [
        f"| {' | '.join(HEADINGS)} |",
        "|--:|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        price = row["predicted"]
        cells = [
            f"{row['drafted']}",
            f"{row['acceptance']}",
            row["schedule"],
            _cell(row["accepted_share"], "{:.0%}"),
            f"{_cell(row['tokens_a_round'], '{:.2f}')} ({row['tokens_expected']:.2f})",
            _cell(row["draft_token_ms"], "{:.2f} ms"),
            _cell(row["verify_ms"], "{:.2f} ms"),
            "{} ({} to {})".format(*row["speedup_decoding"]),
            _cell(price and price["speedup"], "{:.3f}"),
            _cell(row["predicted_off"], "{:+.1%}"),
            "–" if not row["predicted_of_turns"] else "{} ({} to {})".format(*row["predicted_of_turns"]),
            "–" if not row["of_turns_off"] else "{:+.1%} ({:+.1%} to {:+.1%})".format(*row["of_turns_off"]),
            "{} ({} to {})".format(*row["speedup_request"]),
            f"{row['same_answer']} of {row['turns']}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cell(value: Any, form: str) -> str:
    return "–" if value is None else form.format(value)
