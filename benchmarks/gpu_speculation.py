"""EventGPT drafting for Video-LLaVA: what rounds take and yield, each way of working beside the target alone.

python benchmarks/gpu_speculation.py OUT [--tiny] [--seconds 380]

Every turn makes one request of each kind: the target alone, the draft alone, and both for each number of drafted
tokens, acceptance and schedule, so that a device that warms up or slows down does so for all alike. Acceptance is
forced: the weights are random. `OUT/speculation.json` has every request, `OUT/speculation.md` the table; both are
written anew after each turn. The prediction is `tracer whatif --speculate` from recordings of each
model alone, which are made first.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
import traceback
from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import Any

import torch

from model.registry import ModelOptions, find
from model.speculative.forced import yielded
from model.speculative.pair import SCHEDULES, Speculating, SpeculativePair
from model.staged import run_request
from tracer.choices import Choices
from tracer.document.errors import TracerError
from tracer.predict.asked import Changes, Speculate
from tracer.predict.whatif import predict
from tracer.recording import marks as recorders
from tracer.recording.hooks import RecorderHook
from tracer.recording.machine import describe_device, describe_software
from tracer.recording.options import Drafting, RecordOptions
from tracer.recording.recorder import record
from tracer.recording.window import DecodeWindow, Schedule
from tracer.statistics.intervals import median_interval
from tracer.summarize import summarize_file

TARGET, DRAFT = "video_llava", "eventgpt"
COUNTS, SHARES, TURNS = [1, 4, 8], [0.24, 0.5, 0.8], 7
MS = 1e6
READING = (
    "Acceptance is forced. Medians of speed-ups against the target alone in the same turn, with their 95 % interval "
    "(of fewer than five turns the extremes). Decoding: rounds against steps, as many tokens. Request: vision, "
    "prefill and all behind, the draft's too."
)
HEADINGS = (
    "k", "acceptance", "schedule", "accepted", "tokens/round (expected)", "draft/token", "verify", "decoding",
    "predicted", "off", "request", "same tokens",
)  # fmt: skip


class _Progress:
    def begin(self, phase: str, steps: int) -> None:
        print(f"  {phase} ({steps})", flush=True)

    def advance(self) -> None:
        pass


def main() -> None:
    """Record each model alone and both together, then make the turns."""
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--seconds", type=float, default=380)
    parser.add_argument("--tokens", type=int, default=32)
    asked = parser.parse_args()
    end = time.monotonic() + asked.seconds
    if asked.tiny:
        COUNTS[:], SHARES[:] = [1, 4], [0.5]
    asked.out.mkdir(parents=True, exist_ok=True)
    on_gpu = not asked.tiny
    options = {
        "size": "7b" if on_gpu else "tiny",
        "device": "cuda" if on_gpu else "cpu",
        "dtype": "bfloat16" if on_gpu else "float32",
        "new_tokens": asked.tokens,
    }
    tokens = asked.tokens
    for name, work in (
        ("target.json.gz", lambda out: _record(out, TARGET, options, tokens)),
        ("draft.json.gz", lambda out: _record(out, DRAFT, options, tokens)),
        ("both.json.gz", lambda out: _record(out, TARGET, options, tokens, verify=True, both=True)),
    ):
        _part(f"recording {name}", lambda work=work, name=name: work(asked.out / name))
    predicted = _part("predictions", lambda: _predictions(asked.out)) or {}
    pair = _part("building", lambda: _pair(options))
    if pair is not None:
        _part("turns", lambda: _turns(pair, tokens, predicted, asked.out, end))
    _part("summary of both", lambda: _summary(asked.out))


def _part(name: str, work: Any) -> Any:
    """Do a part; where it fails, say so and go on."""
    began = time.monotonic()
    print(name, flush=True)
    try:
        return work()
    except Exception:
        traceback.print_exc(file=sys.stdout)
        return None
    finally:
        print(f"  {name}: {time.monotonic() - began:.1f} s", flush=True)
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def _record(
    out: Path, name: str, options: dict[str, Any], tokens: int, *, verify: bool = False, both: bool = False
) -> None:
    drafting = Drafting(model=DRAFT, tokens=4, acceptance=(0.5,), schedule="overlapped") if both else None
    asked = RecordOptions(
        model=name,
        model_options=ModelOptions(**options),
        output=out,
        requests=2 if both else 5,
        max_new_tokens=tokens,
        schedule=Schedule(wait=0, warmup=1, active=1, repeat=1),
        window=DecodeWindow(1, tokens),
        verify=verify,
        drafting=drafting,
    )
    print(f"  verification: {record(asked, _Progress()).manifest.verification}", flush=True)


def _predictions(out: Path) -> dict[str, dict[str, float]]:
    target, draft = (summarize_file(out / f"{name}.json.gz", Choices()) for name in ("target", "draft"))
    found = {}
    for count in COUNTS:
        for share in SHARES:
            speculate = Speculate(drafted=count, acceptance=(share,), draft=draft)
            try:
                priced = predict(target, Changes(stages={}, speculate=speculate)).speculation
            except TracerError as error:
                print(f"  {count}@{share}: {error}")
                continue
            if priced is not None and priced.speedup is not None:
                found[f"{count}@{share}"] = {
                    "speedup": priced.speedup,
                    "tokens_a_round": priced.tokens,
                    "verify_ms": priced.verify_ns / MS,
                    "draft_token_ms": priced.draft_token_ns / MS,
                    "step_ms": (priced.step_ns or 0) / MS,
                    "verify_source": priced.verify_source,
                }
    return found


def _pair(options: dict[str, Any]) -> SpeculativePair:
    target, draft = (find(name).build(ModelOptions(**options)) for name in (TARGET, DRAFT))
    return SpeculativePair(target, draft, Speculating(count=1))


class _Timed:
    """Requests timed by laps, a list of stage and nanoseconds each."""

    def __init__(self, device: torch.device) -> None:
        self._marks = recorders.Marks(device, adjoining=True)
        self._hook = RecorderHook(self._marks)
        self._laps: list[tuple[str, int]] = []
        measure = recorders.measure

        def listen(labels: Any, laps_ns: Any, counted: Any = None) -> Any:
            self._laps = [
                (stage if index is None else f"{stage}#", lap)
                for (stage, index), lap in zip(labels, laps_ns, strict=True)
            ]
            return measure(labels, laps_ns, counted)

        recorders.measure = listen  # type: ignore[attr-defined]

    def __call__(self, model: Any, tokens: int) -> dict[str, Any]:
        """What a request took, stage by stage, and what it yielded."""
        answer = run_request(model, max_new_tokens=tokens, hook=self._hook)
        times: dict[str, float] = defaultdict(float)
        for stage, lap in self._laps:
            times[stage] += lap / MS
        checks = self._marks.requests[-1].checks
        rounds = sum(times[one] for one in ("draft#", "map#", "verify#", "decode#"))
        return {
            "stages_ms": {stage: round(value, 4) for stage, value in times.items()},
            "rounds_ms": round(rounds, 4),
            "request_ms": round(sum(v for s, v in times.items() if "load" not in s and "preprocess" not in s), 4),
            "checks": checks,
            "answer": answer[0].tolist(),
        }


def _turns(pair: SpeculativePair, tokens: int, predicted: dict[str, dict[str, float]], out: Path, end: float) -> None:
    kinds: dict[str, Any] = {"target alone": pair.target, "draft alone": pair.draft}
    for schedule in SCHEDULES:
        for count in COUNTS:
            for share in SHARES:
                kinds[f"{count}@{share} {schedule}"] = pair.with_(count=count, shares=(share,), schedule=schedule)
    timed = _Timed(pair.device)
    for name, kind in kinds.items():
        if hasattr(kind, "teach"):
            began = time.monotonic()
            kind.teach(0, tokens)
            print(f"  {name}: {kind.taught_in} answers to settle, {time.monotonic() - began:.1f} s", flush=True)
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in kinds}
    longest = 0.0
    for turn in range(TURNS + 1):
        began = time.monotonic()
        if turn and began + longest > end:
            print(f"  no time for turn {turn}", flush=True)
            break
        for name, kind in kinds.items():
            if turn == 0 and hasattr(kind, "teach") and " overlapped" not in name:
                continue  # to settle its answers has warmed it up
            made = timed(kind, tokens)
            if turn:
                found[name].append(made)
        longest = max(longest, time.monotonic() - began)
        print(f"  turn {turn}: {time.monotonic() - began:.1f} s", flush=True)
        if turn:
            _write(out, found, predicted, pair, tokens)


def _interval(values: list[float]) -> list[float]:
    found = median_interval(values)
    ends = (min(values), max(values)) if found is None else (found.low, found.high)
    return [round(median(values), 3), *[round(one, 3) for one in ends]]


def _write(
    out: Path,
    found: dict[str, list[dict[str, Any]]],
    predicted: dict[str, dict[str, float]],
    pair: SpeculativePair,
    tokens: int,
) -> None:
    alone = found["target alone"]
    rows = [_row(name, made, alone, predicted) for name, made in found.items() if "@" in name]
    about = {
        "device": describe_device(pair.device),
        "software": describe_software(),
        "target": pair.target.describe()["name"],
        "draft": pair.draft.describe()["name"],
        "tokens": tokens,
        "turns": len(alone),
    }
    whole = {"about": about, "rows": rows, "predicted": predicted, "requests": found}
    (out / "speculation.json").write_text(json.dumps(whole, indent=1))
    (out / "speculation.md").write_text(_table(about, rows, found))


def _row(
    name: str, made: list[dict[str, Any]], alone: list[dict[str, Any]], predicted: dict[str, dict[str, float]]
) -> dict[str, Any]:
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
    return {
        "drafted": count,
        "acceptance": share,
        "schedule": schedule,
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
        "same_answer": sum(own["answer"] == one["answer"] for own, one in zip(alone, made, strict=True)),
    }


def _per(made: list[dict[str, Any]], stage: str, counts: list[int]) -> float | None:
    total = sum(one["stages_ms"].get(stage, 0.0) for one in made)
    return round(total / sum(counts), 4) if sum(counts) else None


def _table(about: dict[str, Any], rows: list[dict[str, Any]], found: dict[str, list[dict[str, Any]]]) -> str:
    lines = [
        f"# {about['draft']} drafting for {about['target']}",
        "",
        f"{about['device'].get('name')}, {about['turns']} turns, {about['tokens']} tokens an answer.",
        READING,
        "",
    ]
    for name in ("target alone", "draft alone"):
        stages = {
            stage: median([one["stages_ms"].get(stage, 0.0) for one in found[name]])
            for stage in ("vision", "prefill", "decode#")
        }
        lines.append(f"{name}: " + ", ".join(f"{stage} {value:.2f} ms" for stage, value in stages.items()))
        lines.append("")
    lines += [
        f"| {' | '.join(HEADINGS)} |",
        "|--:|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
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
            "{} ({} to {})".format(*row["speedup_request"]),
            f"{row['same_answer']} of {about['turns']}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cell(value: Any, form: str) -> str:
    return "–" if value is None else form.format(value)


def _summary(out: Path) -> None:
    from reports.document import of_summary
    from reports.render.text import render

    text = render(of_summary(summarize_file(out / "both.json.gz", Choices())), width=120)
    (out / "both.txt").write_text(text)


if __name__ == "__main__":
    main()
