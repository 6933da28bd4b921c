"""How often the intervals that `tracer summarize` prints hold the true median, and what other intervals would hold.

    python benchmarks/interval_coverage.py

Of each distribution and number of requests so many samples are drawn, and the intervals that hold the truth are
counted. The others are of the mean: Student's t, and the bootstrap that was printed before (BCa, 2,000 resamples; here
of fewer samples, since it is slow). Results go to benchmarks/results/interval_coverage.json and .md.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from statistics import NormalDist

import numpy as np
from timing import this_machine

from tracer.statistics.intervals import median_interval

HERE = Path(__file__).parent
COUNTS = (3, 4, 5, 6, 7, 8, 10, 15, 20, 30, 40)
LEVEL = 0.95
# Student's t at 97.5 %, by degrees of freedom.
T_975 = {2: 4.302653, 3: 3.182446, 4: 2.776445, 5: 2.570582, 6: 2.446912, 7: 2.364624, 9: 2.262157, 14: 2.144787,
         19: 2.093024, 29: 2.045230, 39: 2.022691}  # fmt: skip
NORMAL = NormalDist()
Draw = Callable[[np.random.Generator, int], np.ndarray]
# Name, how it is drawn, its median, its mean.
DISTRIBUTIONS: tuple[tuple[str, Draw, float, float], ...] = (
    ("normal, 2 %", lambda random, size: random.normal(100, 2, size), 100, 100),
    ("lognormal, 0.3", lambda random, size: 100 * np.exp(random.normal(0, 0.3, size)), 100, 100 * np.exp(0.045)),
    ("lognormal, 1", lambda random, size: np.exp(random.normal(0, 1, size)), 1, np.exp(0.5)),
    ("exponential", lambda random, size: random.exponential(1, size), np.log(2), 1),
    ("t with 3 degrees", lambda random, size: random.standard_t(3, size), 0, 0),
)


def ours(sample: np.ndarray) -> tuple[float, float] | None:
    found = median_interval(sample.tolist())
    return None if found is None else (found.low, found.high)


def student(sample: np.ndarray) -> tuple[float, float]:
    half = T_975[len(sample) - 1] * sample.std(ddof=1) / len(sample) ** 0.5
    return sample.mean() - half, sample.mean() + half


def bootstrap(sample: np.ndarray, resamples: int = 2000) -> tuple[float, float]:
    apart = sample - sample.mean()
    drawn = np.random.default_rng(0).integers(len(sample), size=(resamples, len(sample)))
    means = np.sort(sample[drawn].mean(axis=1))
    below = float((means < sample.mean()).mean())
    bias = NORMAL.inv_cdf(min(max(below, 1 / resamples), 1 - 1 / resamples))
    acceleration = float((apart**3).sum()) / (6 * float((apart**2).sum()) ** 1.5)
    ends = []
    for probability in ((1 - LEVEL) / 2, (1 + LEVEL) / 2):
        shifted = bias + NORMAL.inv_cdf(probability)
        place = NORMAL.cdf(bias + shifted / (1 - acceleration * shifted))
        ends.append(float(means[min(int(place * resamples), resamples - 1)]))
    return ends[0], ends[1]


def covered(interval: Callable[..., tuple[float, float] | None], draw: Draw, true: float, count: int, samples: int,
            seed: int) -> float | None:  # fmt: skip
    random, hit = np.random.default_rng(seed), 0
    for _ in range(samples):
        found = interval(draw(random, count))
        if found is None:
            return None
        hit += found[0] <= true <= found[1]
    return hit / samples


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=20_000)
    parser.add_argument("--bootstrap-samples", type=int, default=1_000)
    parser.add_argument("--output", type=Path, default=HERE / "results/interval_coverage.json")
    options = parser.parse_args()
    rows = []
    for count in COUNTS:
        for number, (name, draw, middle, mean) in enumerate(DISTRIBUTIONS):
            seed = 100 * count + number
            rows.append({
                "requests": count,
                "distribution": name,
                "median_by_order_statistics": covered(ours, draw, middle, count, options.samples, seed),
                "mean_by_student": covered(student, draw, mean, count, options.samples, seed),
                "mean_by_bootstrap": covered(bootstrap, draw, mean, count, options.bootstrap_samples, seed),
            })  # fmt: skip
    about = (
        f"{options.samples:,} samples of each (of the bootstrap {options.bootstrap_samples:,}), on {this_machine()}. "
        f"Stated: {LEVEL:.0%}; of five requests 93.75 %, which are their first and last."
    )
    options.output.write_text(json.dumps({"about": about, "rows": rows}, indent=1) + "\n")
    options.output.with_suffix(".md").write_text(f"# What intervals hold\n\n{about}\n\n{table(rows)}\n")
    print(options.output.with_suffix(".md").read_text())


def table(rows: list[dict[str, object]]) -> str:
    kinds = {
        "median_by_order_statistics": "the median, by order statistics (printed)",
        "mean_by_student": "the mean, by Student's t",
        "mean_by_bootstrap": "the mean, by the bootstrap (BCa; printed before)",
    }
    parts = []
    for kind, title in kinds.items():
        names = [name for name, *_ in DISTRIBUTIONS]
        lines = [f"## {title}", "", f"| requests | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
        for count in COUNTS:
            found = {row["distribution"]: row[kind] for row in rows if row["requests"] == count}
            cells = ["none" if found[name] is None else f"{found[name]:.1%}" for name in names]
            lines.append(f"| {count} | {' | '.join(cells)} |")
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


if __name__ == "__main__":
    main()
