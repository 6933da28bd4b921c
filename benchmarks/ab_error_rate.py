"""How often `tracer ab` claims a difference where there is none, and how often it finds one that was planted.

    python benchmarks/ab_error_rate.py --record series.jsonl --minutes 60
    python benchmarks/ab_error_rate.py --series series.jsonl
    python benchmarks/ab_error_rate.py --simulate 500
    python benchmarks/ab_error_rate.py --constants

`--record` measures the tiny model on the CPU over and over, in one process: each line is what the clean pass of a
recording is, a request to warm up and four that count. Nothing differs between them, so a session of `tracer ab` of two
equal runs is a stretch of such lines, and whether lots are drawn before or after makes no difference to which of them
are of A and which of B. `--series` cuts the lines into sessions that follow one another, each as long as its own
stopping rule asks for, and counts those with any row called slower or faster: measured, with the drift that the
machine had. Then it takes stretches at random, again and again, which overlap: resampled. `--simulate` makes up times
with noise of a known kind, in which 0, 5, 10 and 20 % are planted in B's vision. Results go to
benchmarks/results/ab_error_rate.json and .md.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Iterator
from itertools import chain, repeat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from timing import this_machine

from tracer.compare.tested import tested_rows
from tracer.compare.turns import TIME, Asked, Session
from tracer.document.summary import RequestLatency
from tracer.statistics.blinded import BLOCK

HERE = Path(__file__).parent
RESULTS = HERE / "results/ab_error_rate.json"
STAGES = ("load", "preprocess", "vision", "prefill")
PLANTED = (0.0, 0.05, 0.10, 0.20)
# Of recordings of the same run, by minutes, on a quiet machine: see compare_error_rate_cpu_tiny_ten_in_turns.md.
NOISE = 0.03
# A session of so many recordings is given up, as one whose time is spent.
MOST = 80
# What is asked of a series: its noise decides how long a session then is.
IN_SERIES = (0.05, 0.1, 0.5)


def record(path: Path, minutes: float, requests: int) -> None:
    """Write a line a recording, until the time is over."""
    import msgspec
    import torch

    from model import registry
    from model.registry import ModelOptions
    from tracer.recording.options import RecordOptions
    from tracer.recording.passes.clean import clean_pass
    from tracer.recording.window import DecodeWindow, Schedule

    torch.set_num_threads(1)
    options = ModelOptions(size="tiny", device="cpu", dtype="float32", frames=1, new_tokens=3)
    model = registry.find("eventgpt").build(options)
    asked = RecordOptions(
        model="eventgpt", model_options=options, output=path, requests=requests, max_new_tokens=3,
        schedule=Schedule(wait=0, warmup=1, active=1, repeat=1), window=DecodeWindow(1, 3), verify=False,
    )  # fmt: skip
    end = time.time() + minutes * 60
    with path.open("a") as lines, torch.inference_mode():
        while time.time() < end:
            began = time.time()
            clean = clean_pass(model, asked, requests, lambda: None)
            line = {"took": round(time.time() - began, 3), "load": os.getloadavg()[0]}
            lines.write(json.dumps(line | {"requests": msgspec.to_builtins(clean.latencies)}) + "\n")
            lines.flush()


def request(stages_ns: dict[str, int], decode_ns: list[int]) -> RequestLatency:
    return RequestLatency(
        stages_ns={**stages_ns, "decode": sum(decode_ns)}, decode_ns=decode_ns, first_step=1, sample=0, sample_name="",
        batch_size=1, visual_tokens=0, prompt_tokens=0, new_tokens=len(decode_ns) + 1,
    )  # fmt: skip


def read(path: Path) -> list[list[RequestLatency]]:
    """The requests of each recording of a series."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [
        [request({name: one[f"{name}_ns"] for name in STAGES}, one["decode_ns"]) for one in line["requests"]]
        for line in lines
    ]


def slowed(recording: list[RequestLatency], share: float) -> list[RequestLatency]:
    """The same with so much more of vision."""
    return [
        request({name: round(one.stages_ns[name] * (1 + share * (name == "vision"))) for name in STAGES}, one.decode_ns)
        for one in recording
    ]


def claims(session: Session) -> dict[str, float] | None:
    """Run a session over recordings that are there already, and return the rows called slower or faster.

    None where the source has no more for it.
    """
    try:
        session.run(lambda _: None)
    except RuntimeError:
        return None
    first, second = session.sides()
    sides = [[session.recorded[number].requests for number in side] for side in (first, second)]
    tested = tested_rows(*sides, None, blocks=[number // BLOCK for number in (*first, *second)])
    found = {f"{row.of} per {row.per}".removesuffix(" per "): row for row in tested.rows}
    return {name: round(row.ratio or 0, 4) for name, row in found.items() if row.verdict in ("slower", "faster")}


def session_of(source: Iterator[list[RequestLatency]], precision: float, seed: int, planted: float) -> Session:
    """A session that takes its recordings from a source; a second each."""
    seconds = iter(range(1 << 30))
    warm: list[list[RequestLatency]] = []

    def take(run: str, number: int) -> Any:
        if not number and warm:  # the first of either run is not compared, so one will do
            return SimpleNamespace(requests=warm[0])
        made = next(source, None)
        if made is None:
            raise RuntimeError
        if not number:
            warm.append(made)
        return SimpleNamespace(requests=slowed(made, planted) if run == "B" and planted else made)

    asked = Asked(of="vision", precision=precision, most_s=3 * MOST, seed=seed)
    return Session(asked, take, clock=lambda: float(next(seconds)))


def count(
    sessions: int, source: Callable[[np.random.Generator], Iterator[list[RequestLatency]]], precision: float,
    planted: float,
) -> dict[str, Any]:  # fmt: skip
    """Sessions with claims, and how long they were; fewer where a source has no more."""
    found, lengths, spent = [], [], 0
    for number in range(sessions):
        drawn = source(np.random.default_rng([7, number]))
        session = session_of(drawn, precision, number, planted)
        claimed = claims(session)
        if claimed is None:
            break
        found.append(claimed)
        lengths.append(len(session.recorded))
        spent += session.ended == TIME
    return {
        "planted": planted, "precision": precision, "sessions": len(found),
        "with_claims": sum(bool(one) for one in found), "vision_slower": sum(one.get("vision", 0) > 1 for one in found),
        "recordings": float(np.median(lengths)) if lengths else None, "ended_by_time": spent,
    }  # fmt: skip


def _drifting(random: np.random.Generator) -> Iterator[float]:
    """A machine that is slow for some recordings in a row: a first-order process, 0.9 from one to the next."""
    drift = 0.0
    while True:
        drift = 0.9 * drift + random.normal() * NOISE * (1 - 0.9**2) ** 0.5
        yield drift


def _warming_up(_: np.random.Generator) -> Iterator[float]:
    """A third more at first, then ever less, and 1 % less from one recording to the next besides."""
    for number in range(1 << 30):
        yield 0.3 * float(np.exp(-number / 4)) - 0.01 * number


def _stepping(random: np.random.Generator) -> Iterator[float]:
    """Clocks that are set anew, by a tenth, every dozen recordings or so."""
    step = 0.0
    while True:
        step = random.normal() * 0.1 if random.random() < 0.08 else step
        yield step


def _swinging(random: np.random.Generator) -> Iterator[float]:
    """A tenth up and down, in a period of two to nine recordings: as a timer, or a fan."""
    phase, period = random.uniform(0, 2 * np.pi), random.uniform(2, 9)
    for number in range(1 << 30):
        yield 0.1 * float(np.sin(2 * np.pi * number / period + phase))


def _blocks_of_four(random: np.random.Generator) -> Iterator[float]:
    """The same in the very period in which runs take turns."""
    phase = random.uniform(0, 2 * np.pi)
    for number in range(1 << 30):
        yield 0.1 * float(np.sin(2 * np.pi * number / BLOCK + phase))


def _two_clocks(random: np.random.Generator) -> Iterator[float]:
    """A fifth more in some recordings in a row."""
    slow = False
    while True:
        slow ^= random.random() < 0.15
        yield 0.2 * slow


def _steady(_: np.random.Generator) -> Iterator[float]:
    while True:
        yield 0.0


# What all stages of a recording have in common, as a logarithm; and what is planted besides nothing.
COMMON: dict[str, tuple[Callable[[np.random.Generator], Iterator[float]], tuple[float, ...]]] = {
    "normal": (_steady, PLANTED),
    "heavy tails": (_steady, PLANTED),
    "drifting": (_drifting, PLANTED),
    "warming up": (_warming_up, (0.0, 0.10)),
    "stepping": (_stepping, (0.0, 0.10)),
    "swinging": (_swinging, (0.0, 0.10)),
    "swinging by blocks": (_blocks_of_four, (0.0, 0.10)),
    "two clocks": (_two_clocks, (0.0, 0.10)),
}


def made_up(random: np.random.Generator, kind: str) -> Iterator[list[RequestLatency]]:
    """Recordings of 100 ms whose stages vary together and apart by `NOISE`."""
    for common in COMMON[kind][0](random):
        tail = random.standard_t(3, size=5) / 3**0.5 if kind == "heavy tails" else random.normal(size=5)
        factors = np.exp(common + NOISE * tail)
        stages = {name: round(20e6 * factor) for name, factor in zip(STAGES, factors[:4], strict=True)}
        yield [request(stages, [round(10e6 * factors[4])] * 2)]


def stretches(series: list[list[RequestLatency]], random: np.random.Generator) -> Iterator[list[RequestLatency]]:
    """A stretch of the series from a place drawn at random, and round."""
    start = int(random.integers(len(series)))
    return chain.from_iterable(repeat([*series[start:], *series[:start]]))


def of_series(series: list[list[RequestLatency]], sessions: int) -> dict[str, list[dict[str, Any]]]:
    """Sessions in a series: one after the other, and from anywhere."""
    results: dict[str, list[dict[str, Any]]] = {"measured": [], "resampled": []}
    for precision in IN_SERIES:
        following = iter(series)
        measured = count(10**6, lambda _, rest=following: rest, precision, 0.0)
        again = count(sessions, lambda random: stretches(series, random), precision, 0.0)
        results["measured"].append({"of": "recordings"} | measured)
        results["resampled"].append({"of": "recordings"} | again)
        print(results, flush=True)
    return results


def simulated(sessions: int) -> dict[str, list[dict[str, Any]]]:
    """Sessions of made-up recordings; fewer with something planted, as their share is stated less finely."""
    rows = []
    for kind, (_, shares) in COMMON.items():
        for planted in shares:
            many = sessions if not planted else max(1, sessions * 15 // 100)
            made = count(many, lambda random, of=kind: made_up(random, of), planted / 2 or 0.05, planted)
            rows.append({"of": kind} | made)
            print(rows[-1], flush=True)
    return {"simulated": rows}


def table(results: dict[str, list[dict[str, Any]]]) -> str:
    lines = [
        "| | of | planted | --precision | sessions | with a claim | planted found | recordings (median) |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for how, rows in results.items():
        for row in rows:
            claim = "–" if row["planted"] else f"{row['with_claims']} ({interval(row['with_claims'], row['sessions'])})"
            found = f"{row['vision_slower']} ({row['vision_slower'] / row['sessions']:.1%})" if row["planted"] else "–"
            cells = [how, row["of"], f"{row['planted']:.0%}", f"{row['precision']:.1%}", row["sessions"], claim, found]
            lines.append(f"| {' | '.join(map(str, [*cells, round(row['recordings'])]))} |")
    return "\n".join(lines)


def interval(found: int, of: int) -> str:
    """A share with its 95 % interval (Wilson, 1927)."""
    share, z = found / of, 1.959964
    middle, half = share + z * z / (2 * of), z * (share * (1 - share) / of + z * z / (4 * of * of)) ** 0.5
    low, high = (middle - half) / (1 + z * z / of), (middle + half) / (1 + z * z / of)
    return f"{share:.1%}, {low:.1%} to {high:.1%}"


def constants() -> None:
    """What four normal values lie apart: the figures of `statistics.blinded`."""
    random = np.random.default_rng(1)
    for apart in (0.0, 1.0, 2.0, 3.0, 4.0, 10.0):
        values = random.normal(size=(400_000, BLOCK)) + np.array([0, 0, apart, apart])
        ordered = np.sort(values, axis=1)
        outer = np.median((ordered[:, 1] - ordered[:, 0] + ordered[:, 3] - ordered[:, 2]) / 2)
        inner = np.median(ordered[:, 2] - ordered[:, 1])
        print(f"{apart:4.1f} apart: outer {outer:.3f}, inner / outer {inner / outer:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--record", type=Path, help="the series to write, or to go on with")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--requests", type=int, default=4, help="of a recording")
    parser.add_argument("--series", type=Path, help="a series to judge")
    parser.add_argument("--resample", type=int, default=1000, help="stretches of the series")
    parser.add_argument("--simulate", type=int, help="sessions of each kind to make up")
    parser.add_argument("--remark", default="", help="what else to know about the machine, for the results")
    parser.add_argument("--constants", action="store_true")
    options = parser.parse_args()
    if options.constants:
        constants()
    if options.record:
        record(options.record, options.minutes, options.requests)
    if options.simulate:
        write(simulated(options.simulate), "")
    if options.series:
        series = read(options.series)
        write(of_series(series, options.resample), about(series, options.remark))


def about(series: list[list[RequestLatency]], remark: str) -> str:
    logs = np.log([np.median([one.stages_ns["vision"] for one in recording]) for recording in series])
    return (
        f"Series: {len(series)} recordings of eventgpt tiny, float32, {len(series[0])} requests each, one process, one "
        f"thread, {this_machine()}. From one recording to the next vision differs by "
        f"{np.expm1(np.median(np.abs(np.diff(logs)))):.0%} (median). {remark}"
    ).strip()


def write(results: dict[str, list[dict[str, Any]]], said: str) -> None:
    """Put results in the place of earlier ones of their kind."""
    before = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"about": "", "results": {}}
    said, results = said or before["about"], {**before["results"], **results}
    note = (
        "With a claim: sessions, their share and its 95 % interval. Measured: sessions of two equal runs that follow "
        "one another in the series. Resampled: sessions that begin "
        f"anywhere in it. Simulated: made-up recordings with a standard deviation of {NOISE:.0%}, normal, of Student's "
        "t with 3 degrees of freedom, or besides with something that all stages of a recording have in common: "
        "drifting by as much (a first-order process, 0.9 from one recording to the next), warming up (30 % more at "
        "first, and 1 % less each time), stepping (by 10 %, every dozen recordings), swinging (by 10 %, in a period of "
        "two to nine recordings, or of the four in which runs take turns), two clocks (a fifth apart, for some "
        "recordings in a row). "
        "A claim: any row of the table called slower or faster, stated at 5 % of sessions at most. Stated "
        f"of a difference of twice the precision: found in 90 %. A session of {MOST} recordings has spent its time, "
        "however well the difference is known then."
    )
    RESULTS.write_text(json.dumps({"about": said, "results": results}, indent=1) + "\n")
    ordered = {how: results[how] for how in ("measured", "resampled", "simulated") if how in results}
    text = f"# What tracer ab claims\n\n{said}\n\n{table(ordered)}\n\n{note}\n"
    RESULTS.with_suffix(".md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
