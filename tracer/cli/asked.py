"""What `tracer record` was asked: its options read, checked against each other, and completed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tracer.cli.choices import check_names, choose_device, choose_dtype
from tracer.document.errors import InputError, MissingError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    import typer

    from model.registry import ModelEntry, ModelOptions
    from tracer.recording.window import DecodeWindow

# So many decode steps are profiled unless --decode-window says otherwise.
DEFAULT_WINDOW_STEPS = 64


def typed_options(context: typer.Context) -> tuple[str, ...]:
    """Names of the options that a person gave on the command line; the rest have their defaults."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    typed = [name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE"]
    return tuple("input" if name == "sample" else name for name in typed)


def check_nsys(path: Path | None, output: Path, *, force: bool) -> Path:
    """Find nsys, and refuse what could not be recorded or written at the end, before any work is done.

    Raises:
        MissingError: there is no nsys, or it cannot record here.
        UsageError: the report exists and `force` is off.
    """
    from tracer import nsys
    from tracer.recording.doctor import examine
    from tracer.recording.nsight.watched import UNIMPORTED, report_path

    program = nsys.find(path)
    report = report_path(output)
    for written in (report, report.with_suffix(UNIMPORTED)):
        if written.exists() and not force:
            raise UsageError(f"{written}: exists already; --force overwrites it")
    for check in examine(program):
        if check.status == "failure" or (check.status == "warning" and check.subject.startswith(nsys.PROGRAM)):
            raise MissingError(f"--nsys: {check.subject}: {check.found}; {check.advice}")
    return program


def parse_window(text: str | None, max_new_tokens: int | None) -> DecodeWindow:
    """Read START:STOP; None for the length where nobody knows it, as in a script.

    Raises:
        UsageError: it is no window, or lies outside the answer's decode steps.
    """
    from tracer.recording.window import DecodeWindow

    last = DEFAULT_WINDOW_STEPS if max_new_tokens is None else max_new_tokens - 1
    if text is None:
        return DecodeWindow(1, min(last, DEFAULT_WINDOW_STEPS) + 1)
    match = re.fullmatch(r"(\d{1,9}):(\d{1,9})", text)
    if match is None:
        raise UsageError(f"--decode-window {text}: write START:STOP, for example 1:33")
    start, stop = int(match[1]), int(match[2])
    if start >= stop:
        raise UsageError(f"--decode-window {text}: START must be below STOP")
    if start < 1 and max_new_tokens is None:
        raise UsageError(f"--decode-window {text}: decode steps count from 1 (token 0 belongs to prefill)")
    if start < 1 or (max_new_tokens is not None and stop > last + 1):
        raise UsageError(
            f"--decode-window {text}: an answer of {max_new_tokens} tokens has the decode steps 1 to {last} "
            "(token 0 belongs to prefill)"
        )
    return DecodeWindow(start, stop)


def check_together(typed: Collection[str]) -> None:
    """Refuse options that contradict each other.

    Raises:
        UsageError: some do.
    """
    given = set(typed)
    if "auto" in given:
        raise UsageError("--auto is for a script: tracer record --auto -- python my_infer.py")
    if "checkpoint" in given and given & {"size", "prompt_tokens"}:
        raise UsageError("--checkpoint brings its own size and tokenizer: drop --size and --prompt-tokens")
    if {"dataset", "input"} <= given:
        raise UsageError("--dataset and --input: choose one")
    if "dataset" not in given and given & {"max_samples", "shuffle_seed"}:
        raise UsageError("--max-samples and --shuffle-seed belong to --dataset")


def check_model(model: str, size: str | None, device: str | None, dtype: str | None, decode: str) -> ModelEntry | None:
    """Refuse names that mean nothing, before torch is imported, and find the model.

    Returns:
        The built-in model; None where it is somebody's own.

    Raises:
        UsageError: there is no such model, size, device, type or way of decoding.
    """
    from model import registry
    from model.errors import ModelError
    from tracer.recording.own.spelling import parse

    check_names(device, dtype)
    if decode not in registry.DECODE_MODES:
        raise UsageError(f"--decode {decode}: choose from {', '.join(registry.DECODE_MODES)}")
    try:
        entry = None if parse(model) else registry.find(model)
    except ModelError as error:
        raise UsageError(str(error)) from None
    if entry is not None and size is not None and size not in entry.sizes:
        which = f"comes in {', '.join(entry.sizes)}" if entry.sizes else "has the size that its folder says"
        raise UsageError(f"--size {size}: {entry.name} {which}")
    return entry


def check_files(entry: ModelEntry | None, checkpoint: Path | None, sample: Path | None, dataset: Path | None) -> None:
    """Refuse what is not there, before torch is imported; a model of somebody's own may take names for what it likes.

    Raises:
        InputError: something is not.
    """
    if entry is None:
        return
    if entry.folder is not None and not entry.folder.is_dir():
        raise InputError(
            f"{entry.folder}: not a checkpoint folder; of a model on a hub, download the files first, or record a "
            "script that calls its generate: tracer record --auto -- python my_infer.py"
        )
    if checkpoint is not None and not checkpoint.is_dir():
        raise InputError(f"{checkpoint}: not a checkpoint folder")
    for path in (sample, dataset):
        if path is not None and not path.exists():
            raise InputError(f"{path}: no such file or folder")


def complete(
    build: Callable[..., ModelOptions],
    entry: ModelEntry | None,
    size: str | None,
    device: str | None,
    dtype: str | None,
) -> ModelOptions:
    """Choose what nobody chose, which takes torch.

    Args:
        build: makes the options of those that are chosen here.
        entry: the model, if it is a built-in one.
        size, device, dtype: as typed.

    Raises:
        MissingError: there is no such device here.
    """
    device = choose_device(device)
    on_gpu = device.startswith("cuda")
    sizes = entry.sizes if entry is not None else ()
    default = (sizes[-1] if on_gpu else sizes[0]) if sizes else ""
    return build(size=size or default, device=device, dtype=choose_dtype(dtype, on_gpu=on_gpu))
