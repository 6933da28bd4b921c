"""The names of the ranges that mark stages: written by `recording`, read by `charge`.

One grammar for every back end: `tracer/<stage>` and `tracer/<stage>#<index>`, of one of several models
`tracer/<role>/<stage>#<index>`. `tracer/request#3` encloses the stages of one request; `tracer/encoder` encloses each
run of the vision encoder, wherever it happens; `tracer/result:drafted=4,accepted=2` says in a stage that checks a draft
what came of it, `tracer/passes:made=4` in any stage of a model how many forward passes it made.
"""

from __future__ import annotations

import re

REQUEST = "request"
LOAD, PREPROCESS, VISION, PREFILL, DECODE = "load", "preprocess", "vision", "prefill", "decode"
STAGES = (LOAD, PREPROCESS, VISION, PREFILL, DECODE)
ENCODER = "encoder"
# Proposing tokens for the model to check, where a trace tells it from the checking.
DRAFT = "draft"
# Translating what one model proposed into the vocabulary of the other, where that is marked.
MAP = "map"
# The checking, where it is marked as a stage of its own; elsewhere it is decoding.
VERIFY = "verify"
# Models that work together: one proposes tokens, the other checks them.
TARGET = "target"
# A serving step that holds prompts and decoding sequences at once.
MIXED = "mixed"
# What maps vision features into the language model, where it shows as modules of its own.
PROJECTOR = "projector"
# Every stage that a trace may have, in the order of a request.
ALL_STAGES = (LOAD, PREPROCESS, VISION, PROJECTOR, PREFILL, DECODE, DRAFT, MAP, VERIFY, MIXED)
# Measures of a request beside its stages: time to the first token, and per later token.
TTFT, TPOT = "ttft", "tpot"

DOMAIN = "tracer"
PREFIX = DOMAIN + "/"
# The stages that marks may open.
MARKED = (*STAGES, DRAFT, MAP, VERIFY)
# What came of checking a draft.
RESULT = "result"
# How many passes a stage made, where that is not one, or nobody would know.
PASSES_MADE = "passes"
# So many digits may not fit 64 bits; so many letters a role has at most.
DIGITS, ROLE_LETTERS = 19, 32
_ROLE = re.compile(rf"[A-Za-z][\w.-]{{0,{ROLE_LETTERS - 1}}}", re.ASCII)
_PASSES = re.compile(rf"{PREFIX}{PASSES_MADE}:made=(\d{{1,9}})", re.ASCII)
_RESULT = re.compile(rf"{PREFIX}{RESULT}:drafted=(\d{{1,9}}),accepted=(\d{{1,9}})", re.ASCII)


def range_name(kind: str, index: int | None = None) -> str:
    """Spell a range: `tracer/vision`, `tracer/decode#17`."""
    return PREFIX + kind if index is None else f"{PREFIX}{kind}#{index}"


def parse_range(name: str) -> tuple[str, int | None] | None:
    """Take a range name apart into kind and index, or return None for a name of someone else's.

    The kind of a model's own stage is `ROLE/STAGE`; see `in_role`.
    """
    return parse_kind(name[len(PREFIX) :]) if name.startswith(PREFIX) else None


def parse_kind(text: str) -> tuple[str, int | None] | None:
    """The same of what stands behind the prefix."""
    kind, separator, index = text.partition("#")
    role, _, stage = kind.rpartition("/")
    if stage not in MARKED if role else kind not in (*MARKED, REQUEST, ENCODER):
        return None
    if role and not is_role(role):
        return None
    if not separator:
        return kind, None
    return (kind, int(index)) if index.isascii() and index.isdigit() and len(index) < DIGITS else None


def is_role(text: str) -> bool:
    """Whether that can be a model's name: a letter, then letters, digits, `_`, `.` or `-`."""
    return _ROLE.fullmatch(text) is not None


def in_role(role: str, stage: str) -> str:
    """The kind of range of one of several models: `draft/prefill`.

    Raises:
        ValueError: that is no name for a role.
    """
    if not is_role(role):
        raise ValueError(f"role {role!r}: a letter, then letters, digits, `_`, `.` or `-`, {ROLE_LETTERS} at most")
    return f"{role}/{stage}"


def result_kind(drafted: int, accepted: int) -> str:
    """The kind of the range without extent in which a checking stage says what came of it."""
    return f"{RESULT}:drafted={drafted},accepted={accepted}"


def parse_result(name: str) -> tuple[int, int] | None:
    """Drafted and accepted tokens of such a name; None of any other, and where more is accepted than was drafted."""
    match = _RESULT.fullmatch(name)
    drafted, accepted = (int(match[1]), int(match[2])) if match is not None else (-1, 0)
    return (drafted, accepted) if accepted <= drafted else None


def passes_kind(made: int) -> str:
    """The kind of the range without extent in which a stage says how many forward passes it made."""
    return f"{PASSES_MADE}:made={made}"


def parse_passes(name: str) -> int | None:
    """That number, of such a name; None of any other."""
    match = _PASSES.fullmatch(name)
    return None if match is None else int(match[1])
