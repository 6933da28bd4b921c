"""The options of `tracer record` that are about a second model, which drafts for the recorded one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tracer.cli.options import offering
from tracer.document.errors import InputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from tracer.recording.options import Drafting

_PANEL = "Draft"
SCHEDULES = ("sequential", "overlapped")
MOST_DRAFTED, MOST_POINTS = 64, 200


def _option(text: str, *names: str, **more: Any) -> Any:
    return typer.Option(*names, help=text, rich_help_panel=_PANEL, **more)


Draft = Annotated[
    str | None,
    _option(
        "A model that drafts for --model: a built-in one or hf:FOLDER. Both are verified and measured alone too.",
        autocompletion=offering("eventgpt", "llava15", "video_llava", "hf:"),
    ),
]
DraftTokens = Annotated[int, _option("Tokens drafted a round.", min=1, max=MOST_DRAFTED)]
DraftSize = Annotated[str | None, _option("Size of the draft's random network. [default: as --size]")]
DraftCheckpoint = Annotated[Path | None, _option("Folder of a published checkpoint of the draft.")]
DraftDevice = Annotated[str | None, _option("Where the draft is, such as cuda:1. [default: as --device]")]
DraftMapping = Annotated[
    str | None,
    _option(
        "FILE.py:FUNCTION that maps one vocabulary to the other. [default: the ids that both have]",
        metavar="FILE.py:FUNCTION",
    ),
]
Acceptance = Annotated[
    str | None,
    _option(
        "Force this share of drafted tokens to be right, if those before are: 0.24, or by position 0.9,0.7,0.5, the "
        "last going on. What that costs is measured, since nothing else is made up.",
        metavar="SHARE",
    ),
]
Together = Annotated[
    str,
    _option(
        "sequential, or overlapped: the draft encodes, prefills and drafts on a thread and stream of its own while the "
        "target prefills.",
        "--schedule",
        autocompletion=offering(*SCHEDULES),
    ),
]
Sweep = Annotated[
    str | None,
    _option(
        "Measure a grid besides, without a profiler: k=1:8,acceptance=0.1:0.9 (a third number is the step).",
        metavar="k=FROM:TO,...",
    ),
]
# Options that say nothing without --draft.
OF_A_DRAFT = (
    "draft_tokens", "draft_size", "draft_checkpoint", "draft_device", "draft_mapping", "acceptance", "together",
    "sweep",
)  # fmt: skip
SPELLED = {"together": "schedule"}
# What two models cannot do.
ALONE = {
    "couple": "the draft's pictures are no target's",
    "decode": "both caches must be rolled back",
    "energy": "stages are repeated of one model alone",
}


def asked(model: str, given: Mapping[str, Any], typed: Collection[str]) -> Drafting | None:
    """What is asked of the draft; None of one model alone.

    Args:
        model: the target's name.
        given: the options, by their names.
        typed: names of those that a person gave.

    Raises:
        InputError: a file or folder is not there.
        UsageError: the options contradict each other, or mean nothing.
    """
    draft = given["draft"]
    if draft is None:
        if said := [name for name in OF_A_DRAFT if name in typed]:
            raise UsageError(
                f"--{SPELLED.get(said[0], said[0]).replace('_', '-')} is about a draft: name it by --draft"
            )
        return None
    from model.registry import EAGER

    if refused := [name for name in ALONE if name in typed and (name != "decode" or given[name] != EAGER)]:
        raise UsageError(f"--{refused[0].replace('_', '-')} is for one model: with --draft, {ALONE[refused[0]]}")
    _check_models(model, draft, given)
    from tracer.recording.options import Drafting

    acceptance = _acceptance(given["acceptance"])
    return Drafting(
        model=draft,
        size=given["draft_size"],
        device=given["draft_device"],
        checkpoint=given["draft_checkpoint"],
        tokens=given["draft_tokens"],
        mapping=_mapping(given["draft_mapping"]),
        acceptance=acceptance,
        schedule=given["together"],
        sweep=((), ()) if given["sweep"] is None else _sweep(given["sweep"], acceptance),
    )


def _check_models(model: str, draft: str, given: Mapping[str, Any]) -> None:
    from model import registry
    from model.errors import ModelError
    from tracer.cli.choices import check_names

    if given["together"] not in SCHEDULES:
        raise UsageError(f"--schedule {given['together']}: choose from {', '.join(SCHEDULES)}")
    for option, name in (("--model", model), ("--draft", draft)):
        if re.search(r"\.py(:|$)", name):
            raise UsageError(
                f"{option} {name}: drafts and checks need passes over a cache that can be rolled back, which built-in "
                "models and hf:FOLDER have; a script of yours is recorded by tracer record --auto -- python SCRIPT"
            )
    try:
        entry = registry.find(draft)
    except ModelError as error:
        raise UsageError(f"--draft: {error}") from None
    size, device, folder = given["draft_size"], given["draft_device"], given["draft_checkpoint"]
    if folder is not None and (size is not None or entry.folder is not None):
        other = "drop --draft-size" if entry.folder is None else f"--draft {draft} is one already"
        raise UsageError(f"--draft-checkpoint brings its own size: {other}")
    if size is not None and size not in entry.sizes:
        raise UsageError(f"--draft-size {size}: {draft} comes in {', '.join(entry.sizes) or 'the size of its folder'}")
    if device is not None:
        check_names(device, None, option="--draft-device")
    for path in (entry.folder, folder):
        if path is not None and not path.is_dir():
            raise InputError(f"{path}: not a checkpoint folder")


def check_device(drafting: Drafting | None, of_target: str) -> None:
    """Look for the draft's own device. Imports torch.

    Args:
        drafting: what is asked of it; None of one model alone.
        of_target: the target's device.

    Raises:
        MissingError: there is none.
        UsageError: one of them is a GPU alone, whose trace has nothing of the other.
    """
    from tracer.cli.choices import choose_device

    if drafting is None or drafting.device is None:
        return
    choose_device(drafting.device, option="--draft-device")
    if drafting.device.startswith("cuda") != of_target.startswith("cuda"):
        raise UsageError(
            f"--draft-device {drafting.device}: the target is on {of_target}, and a trace is of GPUs or of the CPU: "
            "put both on the one or the other"
        )


def _mapping(text: str | None) -> str | None:
    if text is None:
        return None
    path, _, name = text.rpartition(":")
    if not path.endswith(".py") or not name.isidentifier():
        raise UsageError(f"--draft-mapping {text}: write FILE.py:FUNCTION")
    if not Path(path).is_file():
        raise InputError(f"{path}: no such file")
    return text


def _acceptance(text: str | None) -> tuple[float, ...]:
    if text is None:
        return ()
    shares = [_number(part) for part in text.split(",")]
    if not all(share is not None and 0 <= share <= 1 for share in shares):
        raise UsageError(f"--acceptance {text}: write a share from 0 to 1, or one for each position: 0.9,0.7,0.5")
    return tuple(share for share in shares if share is not None)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _sweep(text: str, acceptance: tuple[float, ...]) -> tuple[tuple[int, ...], tuple[tuple[float, ...], ...]]:
    """Read k=1:8,acceptance=0.1:0.9."""
    wrong = UsageError(
        f"--sweep {text}: write k=FROM:TO,acceptance=FROM:TO, for example k=1:8,acceptance=0.1:0.9 (steps of 1 and "
        f"0.1, or a third number), of at most {MOST_POINTS} points"
    )
    parts = dict(part.partition("=")[::2] for part in text.split(","))
    if "k" not in parts or set(parts) - {"k", "acceptance"}:
        raise wrong
    counts = _points(parts["k"], 1.0)
    shares = _points(parts["acceptance"], 0.1) if "acceptance" in parts else None
    if not counts or any(one % 1 or not 1 <= one <= MOST_DRAFTED for one in counts) or shares == []:
        raise wrong
    if shares is not None and not all(0 <= one <= 1 for one in shares):
        raise wrong
    if len(counts) * len(shares or [0]) > MOST_POINTS:
        raise wrong
    return tuple(map(int, counts)), tuple((one,) for one in shares) if shares is not None else (acceptance,)


def _points(text: str, step: float) -> list[float]:
    """FROM:TO[:STEP], both ends included, or one number; nothing of what is none."""
    numbers = [_number(part) for part in text.split(":")]
    known = [one for one in numbers if one is not None]
    if len(known) != len(numbers) or len(known) > 3 or not all(abs(one) < 1e6 for one in known):
        return []
    if len(known) == 1:
        return known
    first, last = known[:2]
    by = known[2] if len(known) == 3 else step
    if by <= 0 or last < first or (last - first) / by > MOST_POINTS:
        return []
    return [round(first + by * number, 6) for number in range(int((last - first) / by + 1e-6) + 1)]
