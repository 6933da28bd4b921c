"""The names of the ranges that mark stages: written by `recording`, read by `analysis`.

One grammar for every back end: `tracer/<stage>` and `tracer/<stage>#<index>`. `tracer/request#3` encloses the
stages of one request; `tracer/encoder` encloses each run of the vision encoder, wherever it happens.
"""

from __future__ import annotations

REQUEST = "request"
LOAD, PREPROCESS, VISION, PREFILL, DECODE = "load", "preprocess", "vision", "prefill", "decode"
STAGES = (LOAD, PREPROCESS, VISION, PREFILL, DECODE)
ENCODER = "encoder"
# Proposing tokens for the model to check, where a trace tells it from the checking.
DRAFT = "draft"
# The checking, where it is marked as a stage of its own; elsewhere it is decoding.
VERIFY = "verify"
# Models that work together: one proposes tokens, the other checks them.
TARGET = "target"
# A serving step that holds prompts and decoding sequences at once.
MIXED = "mixed"
# What maps vision features into the language model, where it shows as modules of its own.
PROJECTOR = "projector"
# Every stage that a trace may have, in the order of a request.
ALL_STAGES = (LOAD, PREPROCESS, VISION, PROJECTOR, PREFILL, DECODE, DRAFT, VERIFY, MIXED)
# Measures of a request beside its stages: time to the first token, and per later token.
TTFT, TPOT = "ttft", "tpot"

DOMAIN = "tracer"
PREFIX = DOMAIN + "/"


def range_name(kind: str, index: int | None = None) -> str:
    """Spell a range: `tracer/vision`, `tracer/decode#17`."""
    return PREFIX + kind if index is None else f"{PREFIX}{kind}#{index}"


def parse_range(name: str) -> tuple[str, int | None] | None:
    """Take a range name apart into kind and index, or return None for a name of someone else's."""
    if not name.startswith(PREFIX):
        return None
    kind, separator, index = name[len(PREFIX) :].partition("#")
    if kind not in STAGES and kind not in (REQUEST, ENCODER):
        return None
    if not separator:
        return kind, None
    return (kind, int(index)) if index.isascii() and index.isdigit() and len(index) < 19 else None
