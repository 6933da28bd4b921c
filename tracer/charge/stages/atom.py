"""ATOM's steps (ROCm/ATOM, `model_engine/model_runner.py: run_model`), which writes Kineto traces as vLLM does.

- `prefill[bs=2 tok=14721 ctx=[7803, 6918]]`, `decode[bs=117/128 tok=117 d=117]` (padded to what a graph holds),
  `eager_decode[bs=4 tok=4 ctx=...]` where no graph is replayed.
- A step of `p` prompts beside `d` sequences is called `decode`, too: it is mixed, and how its tokens part is not said.
- `spec=3`: each sequence has so many drafted tokens to check; `draft[1/3 bs=4]` behind a step drafts them.
- With ATOM_ENABLE_DETAILED_ANNOTATION=1 the sums of `batch` follow: `sqsq=64 sqsk=131072 sk=131072`.
"""

from __future__ import annotations

import re

from tracer.charge.stages.batch import NOBODY, Group, Label, label, number
from tracer.charge.stages.engine import Kind, Range, engine
from tracer.document.names import DECODE, DRAFT, MIXED, PREFILL

_STEP = re.compile(r"(prefill|decode|eager_decode|draft)\[(?:\d+/\d+ )?(bs=\d.*)")
_FIELD = re.compile(r"\b(\w{1,16})=(\d{1,20})(?:/\d{1,20})?(?= |$)")
_STAGES = {"prefill": PREFILL, "decode": DECODE, "eager_decode": DECODE}


def _read(name: str) -> Range | None:
    match = _STEP.fullmatch(name)
    if match is None:
        return None
    if match[1] == "draft":
        return Range(Kind.PART, DRAFT)
    # The last field of a name that somebody cut off may lack digits.
    told = match[2][:-1] if match[2].endswith("]") else match[2].rpartition(" ")[0]
    fields = {name: number(digits) for name, digits in _FIELD.findall(told)}
    stage = MIXED if match[1] == "decode" and fields.get("p") else _STAGES[match[1]]
    return Range(Kind.STEP, stage, _label(match[1], stage, fields))


def _label(mode: str, stage: str, fields: dict[str, int | None]) -> Label:
    requests = fields.get("bs")
    if stage == MIXED:
        return label(mode, Group(fields.get("p")), Group(fields.get("d")), requests)
    group = Group(requests, *(fields.get(name) for name in ("tok", "sk", "sqsq", "sqsk")))
    return label(mode, group, NOBODY, requests) if stage == PREFILL else label(mode, NOBODY, group, requests)


SOURCE = engine("atom", 34, _read)
