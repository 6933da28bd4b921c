"""Decode steps of two recordings beside each other, kernel for kernel: whose each is, and what modules take.

Kernels are held together token by token, in their order, where name, grid and block are the same; of what only one of
them has (a graph's copies, which a kernel of the driver may run; what a growing cache launches otherwise) nothing is
said but how much it is.
"""

from __future__ import annotations

import statistics
from collections import Counter
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

SPIN = "spin_kernel"  # torch.cuda._sleep
LABELS = ("op", "module", "layer")
Kernel: TypeAlias = tuple[str, Any, Any]


@dataclass(frozen=True)
class Steps:
    """What ran in the decode steps of one recording, token by token in its order.

    Attributes:
        kernels: of each token the name, grid and block of each op.
        labels: of each op its operator, class of module, and layer.
        times_ns: of each op.
    """

    kernels: dict[int, list[Kernel]]
    labels: dict[int, list[tuple[str, ...]]]
    times_ns: dict[int, list[int]]

    @property
    def time_ns(self) -> int:
        """Of all ops."""
        return sum(map(sum, self.times_ns.values()))


def read_steps(path: Path) -> Steps:
    """The decode steps of a trace; without what only makes the device wait."""
    from tracer.choices import Choices
    from tracer.document.names import ALL_STAGES
    from tracer.measure.ways import ways
    from tracer.summarize import charge, read
    from tracer.trace.columns import Want
    from tracer.trace.source import Source

    with Source(path) as source:
        trace = read(source, Choices(by="module"), also=Want.CPU_OPS | Want.DETAILS | Want.LAUNCHED)
    charged = charge(trace, Choices())
    trace, work, ranges = charged.trace, charged.work, charged.ranges
    columns = []
    for by in LABELS:
        keys = ways()[by].keys(trace, work)  # type: ignore[union-attr]
        columns.append([keys.names[number] for number in keys.number.tolist()])
    decode = (work.stage_code(ranges) == ALL_STAGES.index("decode")).nonzero()[0].tolist()
    found = Steps({}, {}, {})
    for row in sorted(decode, key=lambda row: int(work.start_ns[row])):
        name = trace.strings[work.name[row]]
        if SPIN in name:
            continue
        shape = -1 if trace.launched is None or not work.on_device else int(trace.launched.of_op[row])
        launch = None if shape < 0 or trace.launched is None else trace.launched.shapes[shape]
        token = int(ranges.index[work.stage[row]])
        kernel = (name, *((None, None) if launch is None else (launch.grid, launch.block)))
        found.kernels.setdefault(token, []).append(kernel)
        found.labels.setdefault(token, []).append(tuple(column[row] for column in columns))
        found.times_ns.setdefault(token, []).append(int(work.time_ns[row]))
    return found


@dataclass(frozen=True)
class Pair:
    """An op of one recording and the same op of another: labels and times of both."""

    kernel: Kernel
    labels: tuple[tuple[str, ...], tuple[str, ...]]
    times_ns: tuple[int, int]


class Aligner:
    """Finds the same kernels in the same order; steps that are alike are held together once."""

    def __init__(self) -> None:
        self._number: dict[Kernel, int] = {}
        self._found: dict[tuple[tuple[int, ...], tuple[int, ...]], list[tuple[int, int]]] = {}

    def pairs(self, one: Steps, other: Steps) -> list[Pair]:
        """Of the tokens that both have."""
        return [
            Pair(
                one.kernels[token][left],
                (one.labels[token][left], other.labels[token][right]),
                (one.times_ns[token][left], other.times_ns[token][right]),
            )
            for token in sorted(one.kernels.keys() & other.kernels.keys())
            for left, right in self._places(one.kernels[token], other.kernels[token])
        ]

    def _places(self, one: Sequence[Kernel], other: Sequence[Kernel]) -> list[tuple[int, int]]:
        key = (self._numbers(one), self._numbers(other))
        if key not in self._found:
            blocks = SequenceMatcher(None, *key, autojunk=False).get_matching_blocks()
            self._found[key] = [(left + at, right + at) for left, right, length in blocks for at in range(length)]
        return self._found[key]

    def _numbers(self, kernels: Iterable[Kernel]) -> tuple[int, ...]:
        return tuple(self._number.setdefault(kernel, len(self._number)) for kernel in kernels)


def compare(rounds: Sequence[tuple[Steps, Steps]], least_share: float) -> dict[str, Any]:
    """One way of decoding beside another, each recorded once in every round.

    Args:
        rounds: of each the way that is asked about, and the one that it is held to.
        least_share: of the time; a module with less is not among the worst.
    """
    aligner = Aligner()
    paired = [aligner.pairs(one, other) for one, other in rounds]
    return {
        "named_alike": _named_alike(rounds, paired),
        "by_module": _by_module(paired, least_share),
        "by_kernel": _by_kernel(paired),
    }


def _named_alike(rounds: Sequence[tuple[Steps, Steps]], paired: Sequence[Sequence[Pair]]) -> dict[str, Any]:
    """How much of the first way's time is of kernels that the second has at the same place, and of the same names."""
    whole = sum(one.time_ns for one, _ in rounds)
    every = [pair for pairs in paired for pair in pairs]
    same = sum(pair.times_ns[0] for pair in every)
    found: dict[str, Any] = {
        "time_ns": whole,
        "ops": sum(len(ops) for one, _ in rounds for ops in one.kernels.values()),
        "ops_at_the_same_place": len(every),
        "share_of_time_at_the_same_place": same / whole if whole else None,
    }
    for number, label in enumerate(LABELS):
        others = Counter[str]()
        for pair in every:
            own, its = (labels[number] for labels in pair.labels)
            if own != its:
                others[f"{own} | {its} | {pair.kernel[0][:60]}"] += pair.times_ns[0]
        wrong = sum(others.values())
        found[label] = {"share_alike": 1 - wrong / same if same else None, "others": dict(others.most_common(8))}
    return found


def _by_module(paired: Sequence[Sequence[Pair]], least_share: float) -> dict[str, Any]:
    """Time of each module, of kernels at the same place: mean of the rounds, how far apart, how far rounds differ.

    `off_by_names` is what the names alone make: the first way's time by its own names against the same time by the
    second's. `off` has the different times of the same kernels in it.
    """
    module = LABELS.index("module")
    own, its, by_its = [], [], []
    for pairs in paired:
        for found in (own, its, by_its):
            found.append(Counter[str]())
        for pair in pairs:
            own[-1][pair.labels[0][module]] += pair.times_ns[0]
            its[-1][pair.labels[1][module]] += pair.times_ns[1]
            by_its[-1][pair.labels[1][module]] += pair.times_ns[0]
    rows = {}
    for name in sorted({name for one in (*own, *its) for name in one}, key=lambda name: -sum(one[name] for one in own)):
        left, right, named = ([one[name] for one in column] for column in (own, its, by_its))
        rows[name] = {
            "time_ns": [statistics.fmean(left), statistics.fmean(right)],
            "off": _off(sum(left), sum(right)),
            "off_by_round": [_off(*both) for both in zip(left, right, strict=True)],
            "off_by_names": _off(sum(left), sum(named)),
            "spread": [_spread(left), _spread(right)],
        }
    most = sum(statistics.fmean([one[name] for one in own]) for name in rows)
    large = [row for row in rows.values() if row["time_ns"][0] >= least_share * most]
    return {"rows": rows} | {
        f"worst_{key}": max((abs(row[key]) for row in large if row[key] is not None), default=None)
        for key in ("off", "off_by_names")
    }


def _by_kernel(paired: Sequence[Sequence[Pair]], most: int = 14) -> list[dict[str, Any]]:
    """Median time of the kernels that take the most."""
    times: dict[Kernel, list[tuple[int, int]]] = {}
    for pairs in paired:
        for pair in pairs:
            times.setdefault(pair.kernel, []).append(pair.times_ns)
    largest = sorted(times.items(), key=lambda item: -sum(one for one, _ in item[1]))[:most]
    return [
        {
            "kernel": kernel[0][:80],
            "grid": kernel[1],
            "ops": len(both),
            "median_ns": [statistics.median(column) for column in zip(*both, strict=True)],
        }
        for kernel, both in largest
    ]


def _off(one: float, other: float) -> float | None:
    return one / other - 1 if other else None


def _spread(values: Sequence[float]) -> float | None:
    """How far the rounds are apart: the largest less the smallest, of their mean."""
    mean = statistics.fmean(values)
    return (max(values) - min(values)) / mean if mean else None
