"""Texts that mean something to a page, if it lets them: planted wherever a file can carry a text."""

from __future__ import annotations

from typing import Any

from support.chrome import call, kernel, span
from support.manifests import as_metadata, latencies, sample

# What runs sets this, which nothing else does.
MARK = "tracerWasHere"
TEXTS = (
    f"</script><script>window.{MARK}=1</script>",
    f"<img src=x onerror=window.{MARK}=1>",
    f'"><svg onload="window.{MARK}=1">',
    f"javascript:window.{MARK}=1",
    f'<a href="javascript:window.{MARK}=1">click</a>',
    f"<!--<script>window.{MARK}=1//-->",
    f"</style><script>window.{MARK}=1</script>",
    f"]]></title><script>window.{MARK}=1</script>",
    f"{{{{constructor.constructor('window.{MARK}=1')()}}}}",
    f"`${{window.{MARK}=1}}`",
    "abc\u202edcb\u2066x\u2069\u200f",
    "a\x00b\x07c\x1b[31md\x9b",
    "line\u2028end\u2029",
    "half \ud800",
    "\\u003cscript\\u003e",
    "__proto__",
    "constructor",
)
# Half of a pair spoils what JSON it stands in, so the one of these that has it would take the manifest with it.
PAIRED = [text for text in TEXTS if text.isprintable() or "\ud800" not in text]
# What a text of these looks like on a page: spelled out.
UNSEEN = ("\u202e", "\u2066", "\u2069", "\u200f", "\x00", "\x07", "\x1b", "\x9b", "\u2028", "\u2029")


def hostile_events() -> list[dict[str, Any]]:
    """Each text as a kernel, a call, a range, a category of threads; in stages, and with an odd launch."""
    events: list[dict[str, Any]] = [span("tracer/request#0", 0, 10_000), span("tracer/vision", 1, 9_000)]
    for number, text in enumerate(TEXTS, 1):
        at = 100 * number
        events += [
            span(text, at, 60),
            call(text, at + 1, 3, 1000 + number),
            call("cudaLaunchKernel", at + 5, 3, number),
        ]
        how = {"grid": [1, 1, text], "block": text, "registers per thread": text}
        events += [kernel(text, at + 20, 30, number, args=how), {**span("x", at, 5), "pid": text, "tid": text}]
    return events


def hostile_metadata() -> dict[str, Any]:
    """The same in a manifest and in what a trace says of its devices."""
    return {
        "deviceProperties": [{"id": 0, "name": "".join(PAIRED)}],
        "tracer": as_metadata(
            [latencies(30), latencies(31), latencies(32, sample=1)],
            samples=[sample(TEXTS[0]), sample(TEXTS[1] + TEXTS[10])],
            model={"name": TEXTS[0], "size": TEXTS[1], "weights": "random", "input": TEXTS[2]},
            device={"type": "cuda", "name": TEXTS[3]},
            dtype=TEXTS[5],
            warnings=PAIRED,
        ),
    }
