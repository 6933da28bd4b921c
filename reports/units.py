"""Numbers as people read them. Conversion happens here, once, and nowhere else."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_TIMES = ((1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "µs"))
_BLOCKS = " ▏▎▍▌▋▊▉█"
_SPARKS = "▁▂▃▄▅▆▇█"


def duration(time_ns: float) -> str:
    """Three significant digits with a unit: 845 ns, 12.3 µs, 4.56 ms, 78.9 s."""
    for scale, unit in _TIMES:
        # Half a last digit below the unit rounds up into it: 999.7 µs is 1.00 ms.
        if abs(time_ns) >= scale * 0.9995:
            return f"{significant(time_ns / scale)} {unit}"
    return f"{time_ns:.0f} ns"


def counted(count: int, one: str, several: str = "") -> str:
    """So many of something: 1 launch, 1,024 launches, 3 kernels."""
    return f"{count:,} {one if count == 1 else several or f'{one}s'}"


def significant(value: float) -> str:
    """Three significant digits, without exponents."""
    magnitude = abs(value)
    digits = 2 if magnitude < 9.995 else 1 if magnitude < 99.95 else 0
    return f"{value:,.{digits}f}"


def byte_count(count: float) -> str:
    """Three significant digits with a decimal unit: 12 B, 4.10 KB, 13.5 GB."""
    for scale, unit in ((10**9, "GB"), (10**6, "MB"), (10**3, "KB")):
        if count >= scale * 0.9995:
            return f"{significant(count / scale)} {unit}"
    return f"{count:.0f} B"


def share(part: float, whole: float) -> str:
    """A percentage with one decimal, or a dash of nothing."""
    return f"{part / whole:.1%}" if whole else "–"


def percent(value: float, *, signed: bool = True) -> str:
    """A share as a percentage, with a digit behind the point only below 10 %: +2.5 %, -31 %, 5 %."""
    digits = 1 if abs(value) < 0.0995 else 0
    text = f"{value * 100:+.{digits}f}" if signed else f"{value * 100:.{digits}f}".removesuffix(".0")
    return f"{text} %"


def bar(part: float, whole: float, width: int) -> str:
    """A horizontal bar of at most `width` cells, in eighths of a cell."""
    eighths = round(part / whole * width * 8) if whole else 0
    full, rest = divmod(min(eighths, width * 8), 8)
    return (_BLOCKS[8] * full + (_BLOCKS[rest] if rest else "")).ljust(width)


def sparkline(values: Sequence[int], width: int) -> str:
    """The values over their index as one line of at most `width` cells; a cell shows its values' maximum."""
    if not values or width < 1:
        return ""
    peaks = highest(values, width)
    low, high = min(values), max(values)
    top = len(_SPARKS) - 1
    return "".join(_SPARKS[round((peak - low) / (high - low) * top) if high > low else 0] for peak in peaks)


def highest(values: Sequence[int], cells: int) -> list[int]:
    """The maximum in each of so many parts of about the same length; of fewer values, all of them."""
    cells = min(cells, len(values))
    edges = [len(values) * cell // cells for cell in range(cells + 1)]
    return [max(values[low:high]) for low, high in pairwise(edges)]


def printable(text: str) -> str:
    """Text from a file, safe to show: control characters, which could steer a terminal, are spelled out."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def short_kernel(name: str) -> str:
    """A kernel's name without return type, parameters and anonymous namespaces."""
    name = printable(name).removeprefix("void ").replace("(anonymous namespace)::", "")
    depth = 0
    for position, char in enumerate(name):
        depth += (char == "<") - (char == ">")
        if char == "(" and depth <= 0 and position and name[position - 1] != " ":
            return name[:position]
    return name


def short_kernels(names: Iterable[str]) -> dict[str, str]:
    """Kernels' names without what says nothing; whole where that would make two of them alike."""
    short = {name: short_kernel(name) for name in names}
    alike = Counter(short.values())
    return {name: text if alike[text] == 1 else printable(name) for name, text in short.items()}
