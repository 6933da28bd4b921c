"""What is told of recordings without stacks and marks, beside what is right.

    python benchmarks/repetition_check.py FOLDER > benchmarks/results/repetition.md

Of each file of `gpu_repetition.py`: the confidence, the stages, which share of the device time has an answer, and of
what has one and a known truth, which share is right.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import numpy as np

RIGHT = 0.99
HERE = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(HERE), str(HERE / "tests")]

from support.truth import told_stages, true_stages  # noqa: E402

from tracer.charge.stages.find import find_stages  # noqa: E402
from tracer.charge.stages.likely import likely_steps  # noqa: E402
from tracer.charge.stages.sequence import sequence_of  # noqa: E402
from tracer.charge.work import work_of  # noqa: E402
from tracer.document.names import ALL_STAGES  # noqa: E402
from tracer.trace.columns import Want  # noqa: E402
from tracer.trace.reader import read_trace  # noqa: E402


def main() -> None:
    rows = dict(_row(path) for path in sorted(Path(sys.argv[1]).rglob("*.json*")))
    verdicts = Counter(row.rpartition(" | ")[2].removesuffix(" |") for row in rows.values())
    print("# Stages from what repeats\n")
    print(
        "`python benchmarks/repetition_check.py FOLDER`, of recordings as `benchmarks/gpu_repetition.py` makes them.\n"
    )
    print(f"{len(rows)} recordings: {', '.join(f'{count} {verdict}' for verdict, count in verdicts.most_common())}.\n")
    print(
        "| what ran | device ops | prefills and steps | confidence | told | device time with an answer | right | so |"
    )
    print("|---|---|---|---|---|---|---|---|")
    print(*rows.values(), sep="\n")


def _row(path: Path) -> tuple[str, str]:
    trace = read_trace(path, Want.SUMMARY)
    found = find_stages(trace)
    work = work_of(trace, found)
    truth = true_stages(trace, work.call_start_ns, work.call_thread)
    told = told_stages(found, work.call_start_ns, work.call_thread)
    both = (truth >= 0) & (told >= 0)
    known = Counter(trace.strings[name].partition("/")[2] for name in trace.ranges.name.tolist())
    seen = Counter(ALL_STAGES[stage] for stage in found.stage.tolist())
    sequence = sequence_of(trace)
    likely = None if sequence is None else likely_steps(sequence)
    answered = int(work.time_ns[told >= 0].sum()) / int(work.time_ns.sum())
    right = int(work.time_ns[both & (truth == told)].sum()) / max(1, int(work.time_ns[both].sum()))
    confidence = found.confidence if len(found) else None if likely is None else likely.confidence
    name = path.name.partition(".")[0]
    cells = [
        name,
        f"{len(trace.ops):,}",
        f"{known['prefill']} + {known['decode']}" if known["prefill"] else "none",
        "-" if confidence is None else f"{confidence:.2f}",
        f"{seen['prefill']} + {seen['decode']}" if len(found) else "none",
        f"{answered:.1%}",
        f"{right:.2%}" if np.any(both) else "-",
        _verdict(answers=bool(known["prefill"]), told=len(found) > 0, right=right),
    ]
    return name, f"| {' | '.join(cells)} |"


def _verdict(*, answers: bool, told: bool, right: float) -> str:
    if not told:
        return "an answer, not told" if answers else "none, none told"
    return "told right" if answers and right >= RIGHT else "WRONG"


if __name__ == "__main__":
    main()
