"""SGLang's steps: `step[EXTEND bs=1 toks=512]`, `step[DECODE bs=32]`, and what encodes pictures inside them.

- The label is `step[MODE bs=...]`, of an EXTEND with `toks=`; the modes are those of `ForwardMode`
  (sgl-project/sglang#23419, April 2026; `utils/profile_utils.py: build_step_span_name`,
  `model_executor/forward_batch_info.py`). Its first form wrote `step[decode bs=32]`, `step[prefill bs=1 toks=512]` and
  `step[mixed bs=5 ext=512 dec=4]`, prompts' tokens and sequences.
- With `detailed_annotations` the sums of `batch` follow, `c_` of prompts and `g_` of sequences:
  `step[DECODE bs=2 g_sq=2 g_sqsq=2 g_sqsk=30 g_sk=30]`, `step[MIXED bs=2 c=1 g=1 c_sq=5 ...]` (sglang#24911, summer
  2026; `model_executor/step_span_utils.py`). Its first form left out `g_sq` and `c_sq` where `bs` and `toks` say the
  same.
  A draft's pass behind a verifying one has `c_` (`step[DRAFT_EXTEND_V2 bs=2 c_sq=5 ...]`): it is over what sequences
  that decode have accepted.
- A MIXED step of which the sums say that it holds no sequence, or no prompt, is a step of the others alone.
- A name that somebody cut off tells as much as it has whole.
- `draft` and `draft_extend` are ranges around all that a draft model does, since summer 2026
  (`speculative/spec_utils.py: spec_stage_span`): replays of its graphs, which no step's range is around, and steps of
  its own. Other engines' ranges may be called so: they count beside steps.
- Since autumn 2026 each step of a draft model is `step[DRAFT bs=2]`, and the target's that checks `step[VERIFY bs=2]`
  (sglang#38630): no DECODE step is a draft's then. Builds with sglang#32212 write `draft step[DECODE bs=2]`.
- TARGET_VERIFY checks drafted tokens: decoding. DRAFT_EXTEND and DRAFT_EXTEND_V2 run the draft model, and so do the
  DECODE steps right before one that verifies, where no range is around them: as many as a round has. All others are the
  target's own, as where the engine speculates for small batches only.
- Of a prompt the draft model makes a pass too, right behind the target's and with the same label, in far fewer kernels
  (`speculative/eagle_worker_v2.py`): where no range is around it, it is told by that.
- `step[DRAFT_LOOP raw_bs=3 bs=4 topk=1]` replays all passes of a draft (`frozen_kv_mtp_cuda_graph_runner.py`).
- IDLE and PREBUILT do no request's work.
- `sglang.vlm.mm_embedding` encodes pictures inside a prompt's step (sglang#30871, July 2026). Its neighbour
  `sglang.vlm.language_model_prefill` is the rest of that step, and may lie in steps of other modes: the step tells.
- A patched SGLang (AMD-AGI/TraceLens) puts a label of `executes` around each step, or into it, which has the sums.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tracer.charge.stages.batch import DRAFTS, NOBODY, Group, Label, label, number
from tracer.charge.stages.engine import Kind, Range, engine
from tracer.charge.stages.executes import executes
from tracer.document.names import DECODE, DRAFT, MIXED, PREFILL, VISION

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_STEP = re.compile(r"(draft )?step\[(\w++)(?:([^\[\]]*+)\]|((?: [^\[\] ]++)*) [^\[\] ]*+)")
# Modes of releases that say whose a step is.
_OF_WHOM = ("DRAFT", "VERIFY")
# Modes of steps in which no request's work is done.
_OF_NOBODY = ("IDLE", "PREBUILT")
_FIELD = re.compile(r" (\w+)=(\d+)(?= |$)")
# A draft model has fewer layers: its pass asks for so many times fewer device ops at least.
FEWER = 2
_MODES = {
    "EXTEND": PREFILL,
    "PREFILL": PREFILL,
    "SPLIT_PREFILL": PREFILL,
    "DECODE": DECODE,
    "MIXED": MIXED,
}
_PARTS = {
    "sglang.vlm.mm_embedding": Range(Kind.PART, VISION),
    **dict.fromkeys(("draft", "draft_extend", "draft_prefetch"), Range(Kind.PART, DRAFT)),
}


def _read(name: str) -> Range | None:
    if name in _PARTS:
        return _PARTS[name]
    match = _STEP.fullmatch(name)
    if match is not None:
        own, mode = match[1] is None, match[2].upper()
        mode = mode if own or mode.startswith(DRAFTS) or mode in _OF_NOBODY else f"{DRAFTS}_{mode}"
        fields = dict(_FIELD.findall(match[3] or match[4] or ""))
        stage = _stage(mode, fields)
        return Range(Kind.STEP, stage, _label(mode, stage, fields), drafting=not own or mode in _OF_WHOM)
    told = executes(name)
    return None if told is None else Range(Kind.AROUND, label=told)


def _stage(mode: str, fields: Mapping[str, str]) -> str:
    if mode.startswith(DRAFTS):
        return DRAFT
    stage = DECODE if "VERIFY" in mode else _MODES.get(mode, "")
    if stage == MIXED and number(fields.get("g")) == 0:
        return PREFILL
    return DECODE if stage == MIXED and number(fields.get("c")) == 0 else stage


def _label(mode: str, stage: str, fields: Mapping[str, str]) -> Label:
    requests = number(fields.get("raw_bs", fields.get("bs")))  # the latter is what a graph was padded to
    if mode == "MIXED":
        prompts, sequences = number(fields.get("ext")), number(fields.get("dec"))
        return label(mode, _group(fields, "c", None, prompts), _group(fields, "g", sequences, sequences), requests)
    if stage == PREFILL:
        return label(mode, _group(fields, "c", requests, number(fields.get("toks"))), NOBODY, requests)
    # What a verifying or drafting step computes for each sequence, only sums tell.
    one_each = requests if mode == "DECODE" else None
    kind = "c" if stage == DRAFT and "c_sq" in fields else "g"
    return label(mode, NOBODY, _group(fields, kind, requests, one_each), requests)


def _group(fields: Mapping[str, str], kind: str, requests: int | None, tokens: int | None) -> Group:
    sums = {name: number(fields.get(f"{kind}_{name}")) for name in ("sq", "sk", "sqsq", "sqsk")}
    counted = number(fields.get(kind))
    return Group(
        requests if counted is None else counted,
        tokens if sums["sq"] is None else sums["sq"],
        sums["sk"],
        sums["sqsq"],
        sums["sqsk"],
    )


def _settle(steps: Sequence[Range], asked: Sequence[int]) -> list[str]:
    """The stages of a thread's steps: of those that decode, a draft's are the ones that a verifying step follows.

    A round drafts equally often. What decodes in front of more than that, or is followed by something else, is the
    target by itself; the last round of a trace may have been cut off in front of its verifying step.
    """
    stages = [one.stage for one in steps]
    working = [place for place, one in enumerate(steps) if one.stage]  # what waits for other ranks lies in between
    modes = [steps[place].label.mode for place in working]
    for place in _drafted_prompts([steps[place].label for place in working], [asked[place] for place in working]):
        stages[working[place]] = DRAFT
    runs = _runs(modes)
    drafted = _drafted_each_round(modes, runs)
    if drafted is None:
        return stages
    for begin, end in runs:
        checked = end < len(modes) and "VERIFY" in modes[end]
        cut_off = end == len(modes) and end - begin <= drafted and _of_a_round(modes, begin - 1)
        first = max(begin, end - drafted) if checked else begin if cut_off else end
        for place in working[first:end]:
            stages[place] = DRAFT
    return stages


def _drafted_prompts(labels: Sequence[Label], asked: Sequence[int]) -> list[int]:
    """Which prompts' steps are the draft model's: those of the same label as the one before, of far fewer ops.

    Where nothing else shows that the engine speculates, as with a server for prompts alone, most have to come in pairs.
    """
    found: list[int] = []
    prompts = [place for place, one in enumerate(labels) if one.mode in ("EXTEND", "PREFILL")]
    for place in prompts:
        before = place - 1
        twin = before >= 0 and before not in found[-1:] and labels[before] == labels[place]
        if twin and 0 < FEWER * asked[place] <= asked[before]:
            found.append(place)
    speculates = any(_of_a_round([one.mode], 0) for one in labels)
    return found if speculates or (len(found) > 1 and 2 * len(found) >= len(prompts) - 2) else []


def _runs(modes: Sequence[str]) -> list[tuple[int, int]]:
    """Begin and end of each unbroken row of DECODE steps."""
    found: list[tuple[int, int]] = []
    for place, mode in enumerate(modes):
        if mode != "DECODE":
            continue
        if found and found[-1][1] == place:
            found[-1] = (found[-1][0], place + 1)
        else:
            found.append((place, place + 1))
    return found


def _drafted_each_round(modes: Sequence[str], runs: Sequence[tuple[int, int]]) -> int | None:
    """How many DECODE steps a round has, by most of those between rounds; None where nothing is verified.

    Where there is none between rounds, all that a verifying step follows are taken for drafting.
    """
    if not any("VERIFY" in mode for mode in modes):
        return None
    checked = [(begin, end) for begin, end in runs if end < len(modes) and "VERIFY" in modes[end]]
    between = [end - begin for begin, end in checked if _of_a_round(modes, begin - 1)]
    if not between:
        return max((end - begin for begin, end in checked), default=0)
    return max(sorted(set(between)), key=between.count)


def _of_a_round(modes: Sequence[str], place: int) -> bool:
    return place >= 0 and ("VERIFY" in modes[place] or modes[place].startswith("DRAFT"))


SOURCE = engine("sglang", 20, _read, _settle)
