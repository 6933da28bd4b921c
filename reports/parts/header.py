"""What was run and recorded, how much of it the device worked, and what was done otherwise than usual."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from reports.blocks import Block, Line, Piece, block, line
from reports.parts.words import lost_of
from reports.units import counted, duration, share
from tracer.document.summary import UNREAD, UNSEEN
from tracer.document.words import listed, runs_of, tie_said

if TYPE_CHECKING:
    from reports.asked import Asked
    from tracer.document.summary import Coverage, Summary


# Kinds of devices named one by one.
NAMED = 8
# What told the stages apart.
FOUND_BY = {
    "tracer": "the ranges that tracer record writes",
    "vllm": "vLLM's ranges",
    "sglang": "SGLang's ranges",
    "atom": "ATOM's ranges",
    "trtllm": "TensorRT-LLM's ranges",
    "modules": "the calls of the model's modules; no range in the file says which stage it is",
    "pattern": "--marker",
    "roles": "ranges that begin with a model's name",
    "generation": "the frames of transformers' generate; no range in the file says which stage it is",
    "inferred": "what repeats; no range in the file says which stage it is",
}


def part(summary: Summary, _: Asked) -> Block | None:
    """The run's title, the file, its work, and what to know before reading on."""
    run = summary.run or {}
    return block(
        "",
        line(_title(run), role="strong") if run else None,
        _file(summary),
        line(_work(summary)),
        _copying(summary),
        _lost(summary),
        line(_found_by(summary), role="dim" if summary.trace.confidence is None else "caution")
        if summary.stages
        else None,
        *(_notes(run) if run else ()),
        *[line(_recorded(part), role="caution") for part in summary.coverage],
        *[line(f"by choice: {choice}", role="caution") for choice in summary.trace.choices],
    )


def _title(run: dict[str, Any]) -> str:
    given = []  # what code of somebody's own does not say is 0
    if run["frames"]:
        given.append(counted(run["frames"], "frame"))
    if run["visual_tokens"] or run["prompt_tokens"]:
        given.append(f"{run['visual_tokens']} + {counted(run['prompt_tokens'], 'token')} in, {run['new_tokens']} out")
    elif run["new_tokens"]:
        given.append(f"{counted(run['new_tokens'], 'token')} out")
    if run["batch_size"] != 1:
        given.append(f"batch {run['batch_size']}")
    named = " ".join(str(part) for part in (run["model"], run["size"]) if part)
    title = f"{named}, {run['dtype']} on {run['device']}" if run["dtype"] else f"{named} on {run['device']}"
    if run.get("world_size", 1) > 1:
        title = f"{title}, rank {run['rank']} of {run['world_size']}"
    several = f"; the first of {run['samples']} samples" if run.get("samples", 0) > 1 else ""
    return f"{title}: {', '.join(given)}{several}" if given else title


def _file(summary: Summary) -> Line:
    trace = summary.trace
    about = [
        Piece(trace.path, named=True),
        Piece(trace.producer, named=True),
        Piece(counted(trace.events, "event")),
        Piece("" if summary.run else _devices(summary), named=True),
    ]
    pieces: list[Piece] = []
    for piece in about:
        if piece.text:
            pieces += [Piece(" · "), piece] if pieces else [piece]
    return line(*pieces, role="dim")


def _devices(summary: Summary) -> str:
    names = [
        device.name or (f"device {device.id}" if device.id >= 0 else "a device without a number")
        for device in summary.trace.devices
    ]
    often = Counter(names)
    said = [f"{count} × {name}" if count > 1 else name for name, count in often.items()]
    return ", ".join(said[:NAMED]) + (f" and {len(said) - NAMED:,} more" if len(said) > NAMED else "")


def _work(summary: Summary) -> str:
    device, lost = summary.device, lost_of(summary)
    unread = next((one for one in summary.abstained if one.what == UNREAD), None)
    if unread is not None:
        return f"its work is not read: {unread.because}"
    if device.kind == "gpu":
        recorded = "" if lost is None else "recorded "
        return (
            f"{counted(device.ops, f'{recorded}device op')} · {duration(device.time_ns)} {recorded}device time · "
            f"{duration(device.busy_ns)} busy · "
            + ("idle time unknown" if device.idle_ns is None else f"{duration(device.idle_ns)} idle")
            + (f" ({duration(device.between.idle_ns)} of it in no stage or request)" if device.between.idle_ns else "")
        )
    unrecorded = lost is not None or any(one.what == UNSEEN for one in summary.abstained)
    none = "no device work was recorded" if unrecorded else "no device work in this trace"
    if device.ops:
        own = f"{counted(device.ops, 'operator')}, {duration(device.time_ns)}"
        return f"{none}: charged by operator self time ({own})"
    return f"{none if unrecorded else 'no device work'} and no operators in this trace"


def _lost(summary: Summary) -> Line | None:
    """What was launched and not recorded, and what of the report is unknown for it."""
    lost = lost_of(summary)
    if lost is None:
        return None
    text = f"{lost.reason}; {_unknown(summary)} are unknown"
    if lost.steps:
        whole = lost.of_steps - lost.steps
        text += f" ({lost.steps:,} of {lost.of_steps:,} decode steps"
        text += f"; figures per step are of the other {whole:,})" if whole else ")"
    return line(text, role="caution")


def _unknown(summary: Summary) -> str:
    """What of which stage."""
    work = [stage.stage for stage in summary.stages if stage.device_time_ns is None]
    idle = [stage.stage for stage in summary.stages if stage.device_time_ns is not None and stage.idle_ns is None]
    also = f"idle time of {listed(idle)}"
    if idle and not work:
        return f"device, busy and idle time there, and {also},"
    of = f" of {listed(work)}" if work else " there"
    return f"device, busy and idle time{of}{f', and {also},' if idle else ''}"


def _copying(summary: Summary) -> Line | None:
    """That most of the device's time is no computing, where it is so."""
    device = summary.device
    copied_ns = device.categories.get("copy", 0)
    if lost_of(summary) is not None or device.kind != "gpu" or copied_ns * 2 < device.time_ns or not copied_ns:
        return None
    return line(f"{share(copied_ns, device.time_ns)} of the device time is copying and filling memory", role="caution")


def _found_by(summary: Summary) -> str:
    markers = summary.trace.markers
    found = f"stages: by {FOUND_BY.get(markers, markers)}"
    confidence = summary.trace.confidence
    return found if confidence is None else f"{found} (inferred, confidence {confidence:.2f} of 1)"


def _notes(run: dict[str, Any]) -> list[Line]:
    notes = [_verification(run)]
    if run.get("weights") == "random":
        notes.append(line("random weights: the times are a model's of this size, its answers mean nothing", role="dim"))
    if run.get("warmed_up", True) is not True:
        notes.append(line("measured without a warm-up: the latencies hold what is slow the first time", role="caution"))
    if run.get("decode", "eager") != "eager":
        notes.append(line(f"decode steps by {run['decode']}, not as transformers makes them", role="caution"))
    if run["coupled"]:
        notes.append(line("coupled on purpose: stage 4 was given the frames, not the features", role="caution"))
    missing = run.get("missing_stages")
    for stage, reason in missing.items() if isinstance(missing, dict) else ():
        notes.append(line(f"{stage} is no stage of its own here: {reason}", role="caution"))
    if run["synchronised"]:
        notes.append(line("synchronised at stage boundaries: for checking, not for measuring", role="caution"))
    return notes


def _recorded(part: Coverage) -> str:
    """How much of a stage was, and what that means for what follows."""
    runs = f"{part.recorded_runs:,} of {part.of_runs:,} {runs_of(part.stage)} recorded"
    if not part.recorded_runs:
        return f"{runs}: nothing here says how long they take on the device"
    return f"{runs}: shares, findings and gains are of the whole request, the others taken to be like these"


def _verification(run: dict[str, Any]) -> Line:
    verified, shapes = run.get("verified_shapes", 1), run.get("shapes", 1)
    if run["verification"] == "passed" and verified < shapes:
        equal = counted(run["verified_tokens"], "token equals", "tokens equal")
        some = f"{equal} the model's own generate, in {verified} of {counted(shapes, 'shape')} of requests alone"
        return line(f"verified in part: {some}", role="caution")
    if run["verification"] == "passed" and shapes > 1:
        equal = counted(run["verified_tokens"], "token equals", "tokens equal")
        return line(f"verified: {equal} the model's own generate, in all {shapes} shapes of requests", role="good")
    if run["verification"] == "passed":
        equal = counted(run["verified_tokens"], "token equals", "tokens equal")
        return line(f"verified: {equal} the model's own generate", role="good")
    if run["verification"] == "differs":
        first, tokens = run.get("first_difference"), run["verified_tokens"]
        differs = f"from token {first} of {tokens} on, the tokens differ from the model's own generate"
        if shapes > 1:
            differs += f"; in {verified} of {shapes} shapes of requests they do not"
        tie = run.get("tie")
        if isinstance(tie, dict):
            differs += tie_said(tie.get("margin"), tie.get("rounding"))
        return line(differs, role="caution")
    if because := run.get("not_verified_because"):
        return line(f"not verified: {because}", role="caution")
    return line("not verified against the model's own generate", role="caution")
