"""What was run and recorded, how much of it the device worked, and what was done otherwise than usual."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reports.blocks import Block, Line, Piece, block, line
from reports.units import counted, duration
from tracer.document.words import runs_of

if TYPE_CHECKING:
    from tracer.document.summary import Coverage, Summary


def part(summary: Summary) -> Block | None:
    """The run's title, the file, its work, and what to know before reading on."""
    run = summary.run or {}
    return block(
        "",
        line(_title(run), role="strong") if run else None,
        _file(summary),
        line(_work(summary)),
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
    names = [device.name or f"device {device.id}" for device in summary.trace.devices]
    unique = list(dict.fromkeys(names))
    return ", ".join(f"{names.count(name)} × {name}" if names.count(name) > 1 else name for name in unique)


def _work(summary: Summary) -> str:
    device = summary.device
    if device.kind == "gpu":
        return (
            f"{counted(device.ops, 'device op')} · {duration(device.time_ns)} device time · "
            f"{duration(device.busy_ns)} busy · {duration(device.idle_ns)} idle"
        )
    if device.ops:
        return (
            f"no device work in this trace: charged by operator self time ({counted(device.ops, 'operator')}, "
            f"{duration(device.time_ns)})"
        )
    return "no device work and no operators in this trace"


def _notes(run: dict[str, Any]) -> list[Line]:
    notes = [_verification(run)]
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
    return (
        f"{runs}: shares, findings and gains are of the whole request, in which the others are taken to be like these"
    )


def _verification(run: dict[str, Any]) -> Line:
    if run["verification"] == "passed":
        equal = counted(run["verified_tokens"], "token equals", "tokens equal")
        return line(f"verified: {equal} the model's own generate", role="good")
    if run["verification"] == "differs":
        first, tokens = run.get("first_difference"), run["verified_tokens"]
        differs = f"from token {first} of {tokens} on, the tokens differ from the model's own generate"
        return line(differs, role="caution")
    if because := run.get("not_verified_because"):
        return line(f"not verified: {because}", role="caution")
    return line("not verified against the model's own generate", role="caution")
