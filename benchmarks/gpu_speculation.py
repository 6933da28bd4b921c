"""EventGPT drafting for Video-LLaVA: what rounds take and yield, each way of working beside the target alone.

python benchmarks/gpu_speculation.py OUT [--tiny] [--seconds 380] [--tokens 16] [--without-both]
    [--draft-device cuda:1] [--schedules sequential]

First both are recorded together and summarised (`both.txt`, `both_summary.json`), then each alone; from these come the
predictions, `tracer whatif --speculate`. A host's speed may change between those recordings and the turns, so each
prediction is made anew from requests of either model alone just before: the same formula, with their steps, with what a
check takes of a step as the recording predicts it, and with what the rounds drafted and yielded. Then, for one number
of drafted tokens after the other, turns: in each, for each acceptance and schedule, one request of the target alone, of
the draft alone, and of both, so that a device that warms up or slows down does so for all alike. A kind's answers are
settled directly before its first request. Acceptance is forced: the weights are random. `speculation.json` has every
request, `speculation.md` the table; both are written anew after each request, into `OUT/work` until all is packed.
With `--draft-device` the draft is on another GPU than the target, which is on the first, in all of it. `--seconds`
bounds it all: no part begins after that, and no request that would not be over by then, as far as that can be known.
"""

from __future__ import annotations

import argparse
import gc
import json
import time
import traceback
from collections import defaultdict
from pathlib import Path
from typing import Any

import torch
from packed import pack, working_folder
from speculation_table import ALONE, Found, Turn, write_table

from model.registry import ModelOptions, find
from model.speculative.pair import SCHEDULES, Speculating, SpeculativePair
from model.staged import run_request
from tracer.choices import Choices
from tracer.document.errors import TracerError
from tracer.predict.asked import Changes, Speculate
from tracer.predict.whatif import predict
from tracer.recording import marks as recorders
from tracer.recording.hooks import RecorderHook
from tracer.recording.options import Drafting, RecordOptions
from tracer.recording.recorder import record
from tracer.recording.window import DecodeWindow, Schedule
from tracer.summarize import summarize_file

TARGET, DRAFT = "video_llava", "eventgpt"
COUNTS, SHARES = [4, 1, 8], [0.5, 0.24, 0.8]
TURNS = [3, 4, 4, 4]  # of each number of drafted tokens, before those of the next; then more
MS = 1e6


class _Progress:
    def begin(self, phase: str, steps: int) -> None:
        print(f"  {phase} ({steps})", flush=True)

    def advance(self) -> None:
        pass


def main() -> None:
    """Record both together and each alone, then make the turns."""
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--seconds", type=float, default=380)
    parser.add_argument("--tokens", type=int, default=16)
    parser.add_argument("--without-both", action="store_true", help="record each alone only")
    parser.add_argument("--draft-device", default=None)
    parser.add_argument("--schedules", default=",".join(SCHEDULES))
    asked = parser.parse_args()
    if asked.tiny:
        COUNTS[:], SHARES[:] = [4, 1], [0.5]
    out, tokens, on_gpu = working_folder(asked.out), asked.tokens, not asked.tiny
    parts = _Parts(out, time.monotonic() + asked.seconds)
    options = {
        "size": "7b" if on_gpu else "tiny",
        "device": "cuda:0" if on_gpu else "cpu",
        "dtype": "bfloat16" if on_gpu else "float32",
        "new_tokens": tokens,
    }
    of_draft = options | {"device": asked.draft_device or options["device"]}
    both = out / "both.json.gz"
    if not asked.without_both:
        beside = of_draft["device"]
        parts.do("recording both", lambda: _record(both, TARGET, options, tokens, verify=True, beside=beside))
        parts.do("summary of both", lambda: _summary(both))
    parts.do("recording target", lambda: _record(out / "target.json.gz", TARGET, options, tokens))
    parts.do("recording draft", lambda: _record(out / "draft.json.gz", DRAFT, of_draft, tokens))
    predicted = parts.do("predictions", lambda: _predictions(out)) or {}
    pair = parts.do("building", lambda: _pair(options, of_draft))
    if pair is not None:
        parts.do("turns", lambda: _Turns(pair, asked, predicted, out, parts.end).make())
    print("packed:", *pack(out, ["speculation.md", "speculation.json", "both.txt", "both.json.gz"]), flush=True)


class _Parts:
    """Parts, and in `parts.json` what came of each, written when it is over."""

    def __init__(self, out: Path, end: float) -> None:
        self.end = end
        self._out = out
        self._told: dict[str, Any] = {}

    def do(self, name: str, work: Any) -> Any:
        """Do a part if there is time; where it fails, say so and go on."""
        began = time.monotonic()
        print(name, flush=True)
        found, failed = None, None
        try:
            if began > self.end:
                failed = "no time"
            else:
                found = work()
        except Exception:
            failed = traceback.format_exc()
        took = round(time.monotonic() - began, 1)
        print(failed or "", f"  {name}: {took} s", flush=True)
        plain = found if isinstance(found, dict | str | int) else None
        self._told[name] = {"seconds": took, "failed": failed, "found": plain}
        (self._out / "parts.json").write_text(json.dumps(self._told, indent=1))
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        return found


def _record(
    out: Path, name: str, options: dict[str, Any], tokens: int, *, verify: bool = False, beside: str = ""
) -> str:
    """A recording of one model, or of both where the draft has a device to be on."""
    of_draft = {"model": DRAFT, "tokens": 4, "acceptance": (0.5,), "schedule": "overlapped", "device": beside}
    drafting = Drafting(**of_draft) if beside else None
    asked = RecordOptions(
        model=name,
        model_options=ModelOptions(**options),
        output=out,
        requests=2 if beside else 3,
        max_new_tokens=tokens,
        schedule=Schedule(wait=0, warmup=1, active=1, repeat=1),
        window=DecodeWindow(1, tokens),
        verify=verify,
        drafting=drafting,
    )
    said = f"verification: {record(asked, _Progress()).manifest.verification}"
    print(f"  {said}", flush=True)
    return said


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


def _pair(options: dict[str, Any], of_draft: dict[str, Any]) -> SpeculativePair:
    target, draft = (find(name).build(ModelOptions(**given)) for name, given in ((TARGET, options), (DRAFT, of_draft)))
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


class _Turns:
    """Turns of requests, and all that was measured, by kind and then by number of drafted tokens and turn."""

    def __init__(
        self,
        pair: SpeculativePair,
        asked: argparse.Namespace,
        predicted: dict[str, dict[str, float]],
        out: Path,
        end: float,
    ) -> None:
        self._pair, self._predicted, self._out, self._end = pair, predicted, out, end
        self._tokens: int = asked.tokens
        self._schedules: list[str] = asked.schedules.split(",")
        self._timed = _Timed(pair.device)
        self._found: Found = {name: {} for name in ALONE}
        self._longest: dict[str, float] = {}

    def make(self) -> int:
        """Turns of each number of drafted tokens, then some more, until there is no time; how many requests."""
        done: dict[int, int] = defaultdict(int)
        for more in TURNS:
            for count in COUNTS:
                kinds = self._kinds(count)
                for _ in range(more):
                    done[count] += 1
                    if not all(self._three(name, kind, (count, done[count], name)) for name, kind in kinds.items()):
                        return sum(len(made) for made in self._found.values())
        return sum(len(made) for made in self._found.values())

    def _kinds(self, count: int) -> dict[str, Any]:
        return {
            f"{count}@{share} {schedule}": self._pair.with_(count=count, shares=(share,), schedule=schedule)
            for share in SHARES
            for schedule in self._schedules
        }

    def _three(self, name: str, kind: Any, turn: Turn) -> bool:
        """Each model alone, and both."""
        three = zip((*ALONE, name), (self._pair.target, self._pair.draft, kind), strict=True)
        return all(self._one(each, model, turn) for each, model in three)

    def _one(self, name: str, kind: Any, turn: Turn) -> bool:
        """A request, if there is time; the first of a kind is another, which is not kept, and settles its answers."""
        if time.monotonic() + self._longest.get(name, 0.0) > self._end:
            print(f"  no time for {name} in turn {turn}", flush=True)
            return False
        if name not in self._longest:
            began = time.monotonic()
            self._timed(kind, self._tokens)
            settled = f", {kind.taught_in} answers to settle" if "@" in name else ""
            print(f"  {name}: {time.monotonic() - began:.1f} s before the first request{settled}", flush=True)
        began = time.monotonic()
        self._found.setdefault(name, {})[turn] = self._timed(kind, self._tokens)
        self._longest[name] = max(self._longest.get(name, 0.0), time.monotonic() - began)
        write_table(self._out, self._found, self._predicted, self._pair, self._tokens)
        return True


def _summary(trace: Path) -> None:
    """What `summarize` prints and writes of a trace, beside it."""
    from reports.document import of_summary
    from reports.render.text import render
    from tracer.document.summary.whole import encode

    summary = summarize_file(trace, Choices())
    trace.with_name("both_summary.json").write_bytes(encode(summary))
    trace.with_name("both.txt").write_text(render(of_summary(summary), width=120))


if __name__ == "__main__":
    main()
