"""In which options two recordings differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from tracer.document.comparison import Option

if TYPE_CHECKING:
    from tracer.document.summary import Summary

# What `run` says of a recording beside its `options`.
OF_A_RUN = ("model", "size", "weights", "input", "dtype", "device", "decode", "batch_size", "frames", "batch_frames",
            "coupled", "synchronised", "samples", "rank", "world_size")  # fmt: skip
# Where a file goes changes nothing; what a run is made of stands above.
NOT_OF_THE_RUN = frozenset({"output", "force", "warmed_up", *OF_A_RUN})
LONGEST = 80


def differing_options(before: Summary, after: Summary) -> list[Option]:
    """Those that both recordings tell and tell differently; of traces that are not ours, nothing."""
    if before.run is None or after.run is None:
        return []
    first, second = _options(before.run), _options(after.run)
    names = [name for name in dict.fromkeys([*first, *second]) if first.get(name) != second.get(name)]
    return [Option(name=name, before=_word(first.get(name)), after=_word(second.get(name))) for name in names]


def _options(run: dict[str, Any]) -> dict[str, Any]:
    given = run.get("options")
    more = given if isinstance(given, dict) else {}
    return {name: run[name] for name in OF_A_RUN if name in run} | {
        name: value for name, value in more.items() if name not in NOT_OF_THE_RUN
    }


def _word(value: Any) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
