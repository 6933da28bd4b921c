"""What is told of recordings of which a part is missing, or in which names change, beside what is right.

    python benchmarks/repetition_perturbed.py FOLDER

Of each file of `gpu_repetition.py`: the first or the last ops cut off with the calls that asked for them, both, some
lost with theirs, and most kernels of matrix products under another name from some time on, always or at times.
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

HERE = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(HERE), str(HERE / "tests")]

from support.truth import told_stages, true_stages  # noqa: E402

from tracer.charge.launches import find_launches  # noqa: E402
from tracer.charge.stages.find import find_stages  # noqa: E402
from tracer.charge.stages.sequence import PRODUCT  # noqa: E402
from tracer.charge.work import work_of  # noqa: E402
from tracer.trace.columns import Want  # noqa: E402
from tracer.trace.reader import read_trace  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracer.arrays import Bools
    from tracer.trace.columns import Trace

RIGHT = 0.99
CUTS, LOST = (0.03, 0.2, 0.5, 0.8), (1, 5, 40)


def main() -> None:
    counts: Counter[tuple[str, str]] = Counter()
    for path in sorted(Path(sys.argv[1]).rglob("*.json*")):
        whole = read_trace(path, Want.SUMMARY)
        for kind, trace in _perturbed(whole, random.Random(path.name)):
            verdict = _verdict(trace)
            counts[kind, verdict] += 1
            if verdict == "wrong":
                print(path.name, kind, verdict, flush=True)
    print("| what was done | told right | not told | wrong |\n|---|---|---|---|")
    for kind in dict.fromkeys(kind for kind, _ in counts):
        print(f"| {kind} | {counts[kind, 'right']} | {counts[kind, 'none']} | {counts[kind, 'wrong']} |")


def _verdict(trace: Trace) -> str:
    found = find_stages(trace)
    if not len(found):
        return "none"
    work = work_of(trace, found)
    truth = true_stages(trace, work.call_start_ns, work.call_thread)
    told = told_stages(found, work.call_start_ns, work.call_thread)
    both = (truth >= 0) & (told >= 0)
    right = int(work.time_ns[both & (truth == told)].sum())
    return "right" if np.any(both) and right >= RIGHT * int(work.time_ns[both].sum()) else "wrong"


def _perturbed(trace: Trace, noise: random.Random) -> Iterator[tuple[str, Trace]]:
    launch, asked = find_launches(trace), trace.calls.start_ns
    at = np.where(launch >= 0, asked[launch], trace.ops.start_ns)
    order = np.sort(at)
    for share in CUTS:
        edge = order[min(len(order) - 1, int(share * len(order)) + noise.randint(0, 40))]
        yield f"the first {share:.0%} cut off", _part(trace, at >= edge, asked >= edge)
        yield f"all but the first {share:.0%} cut off", _part(trace, at <= edge, asked <= edge)
    low, high = order[int(0.3 * len(order))], order[int(0.7 * len(order))]
    yield "30% at either end cut off", _part(trace, (at >= low) & (at <= high), (asked >= low) & (asked <= high))
    for count in LOST:
        gone = launch[noise.sample(range(len(at)), min(count, len(at) // 20))]
        gone = gone[gone >= 0]
        yield (
            f"{count} launches lost with their ops",
            _part(trace, ~np.isin(launch, gone), ~np.isin(np.arange(len(asked)), gone)),
        )
    for share in (1.0, 0.3):
        since = order[int(noise.uniform(0.3, 0.8) * len(order))]
        names, strings = np.array(trace.ops.name), list(trace.strings)
        later = (at >= since) & (np.array([noise.random() for _ in names]) < share)
        for code in np.unique(names).tolist():
            if PRODUCT.search(strings[code]) and noise.random() < 0.6:
                names[later & (names == code)] = len(strings)
                strings.append(f"{strings[code]}_tuned")
        yield (
            f"products renamed from some time on, {share:.0%}",
            replace(trace, strings=strings, ops=replace(trace.ops, name=names)),
        )


def _part(trace: Trace, ops: Bools, calls: Bools) -> Trace:
    kept = {one.name: np.asarray(getattr(trace.calls, one.name))[calls] for one in fields(trace.calls)}
    return replace(trace, ops=trace.ops[np.flatnonzero(ops)], calls=replace(trace.calls, **kept))


if __name__ == "__main__":
    main()
