"""`tracer record`: run a model and write one trace that says where its time went."""

from __future__ import annotations

import gc
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tracer.cli.bars import Bars
from tracer.cli.choices import DTYPES, choose_device, choose_dtype
from tracer.cli.script import check_typed, record_command
from tracer.document.errors import MissingError, UsageError

if TYPE_CHECKING:
    from model.registry import ModelEntry
    from tracer.document.manifest import Manifest
    from tracer.recording.window import DecodeWindow

# So many decode steps are profiled unless --decode-window says otherwise.
DEFAULT_WINDOW_STEPS = 64

_MODEL, _INPUT, _RUN, _PROFILE, _CHECK = "Model", "Input", "Run", "Profiler", "Checks"


def command(
    context: typer.Context,
    script: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[-- COMMAND...]",
            help="A script of yours that uses tracer.request and tracer.stage, instead of a model: python my_infer.py. "
            "It runs twice, first without a profiler.",
        ),
    ] = None,
    auto: Annotated[
        bool,
        typer.Option(
            "--auto",
            help="The script needs no marks: each call of transformers' generate is a request.",
            rich_help_panel=_MODEL,
        ),
    ] = False,
    model: Annotated[
        str,
        typer.Option(
            "--model",
            "-m",
            help="A built-in model (see tracer models), hf:FOLDER, or a function that returns yours: FILE.py:FUNCTION.",
            rich_help_panel=_MODEL,
        ),
    ] = "eventgpt",
    size: Annotated[
        str | None,
        typer.Option(help="Size of the random network. [default: 7b on a GPU, else tiny]", rich_help_panel=_MODEL),
    ] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(help="Folder of a published checkpoint.", rich_help_panel=_MODEL)
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(help="cpu, cuda or cuda:N. [default: cuda if there is one]", rich_help_panel=_MODEL),
    ] = None,
    dtype: Annotated[
        str | None,
        typer.Option(help=f"{', '.join(DTYPES)}. [default: bfloat16 on a GPU, else float32]", rich_help_panel=_MODEL),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of random weights, prompt and events.", rich_help_panel=_MODEL)] = 0,
    sample: Annotated[
        Path | None,
        typer.Option(
            "--input",
            "--events",
            help="Event stream (.npy, .npz), picture, video or folder of frames. [default: a synthetic moving edge]",
            rich_help_panel=_INPUT,
        ),
    ] = None,
    dataset: Annotated[
        Path | None,
        typer.Option(
            help="Folder of samples, or instruction file (.json), instead: each is measured once.",
            rich_help_panel=_INPUT,
        ),
    ] = None,
    max_samples: Annotated[
        int | None, typer.Option(min=1, help="Of the data set, so many at most.", rich_help_panel=_INPUT)
    ] = None,
    shuffle_seed: Annotated[
        int | None, typer.Option(min=0, help="Shuffle the data set first, by this seed.", rich_help_panel=_INPUT)
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Sequences per request.", rich_help_panel=_INPUT)] = 1,
    frames: Annotated[
        int | None,
        typer.Option(min=1, help="Frames per sequence. [default: the model's]", rich_help_panel=_INPUT),
    ] = None,
    batch_frames: Annotated[
        bool, typer.Option("--batch-frames", help="Encode all frames in one call.", rich_help_panel=_INPUT)
    ] = False,
    decode: Annotated[
        str,
        typer.Option(
            help="How steps are made: eager (as transformers does), static (a static cache), graph (that, as a CUDA "
            "graph) or compile (that, by torch.compile).",
            rich_help_panel=_RUN,
        ),
    ] = "eager",
    prompt: Annotated[str | None, typer.Option(help="Question for a checkpoint.", rich_help_panel=_INPUT)] = None,
    prompt_tokens: Annotated[
        int | None,
        typer.Option(min=2, help="Length of the random prompt. [default: 64]", rich_help_panel=_INPUT),
    ] = None,
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Tokens per answer.", rich_help_panel=_RUN)] = 64,
    requests: Annotated[
        int | None,
        typer.Option(
            min=1, help="Requests measured without a profiler. [default: 5, or the data set's]", rich_help_panel=_RUN
        ),
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Trace to write, .json or .json.gz.", rich_help_panel=_RUN)
    ] = Path("run.json"),
    force: Annotated[bool, typer.Option("--force", "-f", help="Overwrite the output.", rich_help_panel=_RUN)] = False,
    wait: Annotated[int, typer.Option(min=0, help="Requests before each warm-up.", rich_help_panel=_PROFILE)] = 0,
    warmup: Annotated[
        int,
        typer.Option(min=0, help="Requests thrown away before each measurement.", rich_help_panel=_PROFILE),
    ] = 1,
    active: Annotated[int, typer.Option(min=1, help="Requests recorded per cycle.", rich_help_panel=_PROFILE)] = 1,
    repeat: Annotated[
        int, typer.Option(min=1, help="Cycles of wait, warm-up and active.", rich_help_panel=_PROFILE)
    ] = 1,
    decode_window: Annotated[
        str | None,
        typer.Option(
            metavar="START:STOP",
            help=f"Decode steps to profile. [default: the first {DEFAULT_WINDOW_STEPS}]",
            rich_help_panel=_PROFILE,
        ),
    ] = None,
    with_stack: Annotated[
        bool,
        typer.Option(
            "--with-stack",
            help="Record Python frames and modules: names lines, but the trace grows threefold and the host slows.",
            rich_help_panel=_PROFILE,
        ),
    ] = False,
    record_shapes: Annotated[
        bool,
        typer.Option(
            "--record-shapes",
            help="Record operator input shapes: the trace grows by two thirds.",
            rich_help_panel=_PROFILE,
        ),
    ] = False,
    memory: Annotated[
        bool,
        typer.Option(
            "--memory",
            help="Record every allocation: the trace grows by two thirds.",
            rich_help_panel=_PROFILE,
        ),
    ] = False,
    nsys: Annotated[
        bool,
        typer.Option(
            "--nsys",
            help="Record the same requests with Nsight Systems too, in a process of their own: run.nsys-rep.",
            rich_help_panel=_PROFILE,
        ),
    ] = False,
    nsys_path: Annotated[
        Path | None, typer.Option(help="The nsys to use. [default: the one on PATH]", rich_help_panel=_PROFILE)
    ] = None,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify/--no-verify",
            help="Prove first that the stages yield the model's own tokens.",
            rich_help_panel=_CHECK,
        ),
    ] = True,
    couple: Annotated[
        bool,
        typer.Option(
            "--couple",
            help="Give stage 4 the frames instead of features, so that it encodes them again. "
            "For teaching: shows what undecoupled timing hides.",
            rich_help_panel=_CHECK,
        ),
    ] = False,
    sync_stages: Annotated[
        bool,
        typer.Option(
            "--sync-stages",
            help="Synchronise the device at stage boundaries while profiling. For checking attribution only.",
            rich_help_panel=_CHECK,
        ),
    ] = False,
) -> None:
    """Run a model in stages and record where the time goes.

    Three passes: verify (the stages are the model, token for token), clean (latencies without a profiler),
    profiled (the trace). The result is one Chrome trace that opens in Perfetto. A command behind -- is a script of
    yours, recorded as it runs.
    """
    from tracer.recording.window import Schedule
    from tracer.recording.write.output import check_output

    gc.enable()  # what is measured runs as it would anywhere
    if script:
        check_typed(typed_options(context))
    elif auto:
        raise UsageError("--auto is for a script: tracer record --auto -- python my_infer.py")
    window = _parse_window(decode_window, None if script else max_new_tokens)
    check_output(output, force=force)
    schedule = Schedule(wait=wait, warmup=warmup, active=active, repeat=repeat)
    if script:
        from tracer.recording.own.script import ScriptOptions

        asked = ScriptOptions(
            command=tuple(script),
            output=output,
            auto=auto,
            schedule=schedule,
            window=window,
            with_stack=with_stack,
            record_shapes=record_shapes,
            memory=memory,
        )
        _report(output, record_command(asked))
        return
    program = _check_nsys(nsys_path, output, force=force) if nsys or nsys_path is not None else None
    if checkpoint is not None and (size is not None or prompt_tokens is not None):
        raise UsageError("--checkpoint brings its own size and tokenizer: drop --size and --prompt-tokens")
    if dataset is not None and sample is not None:
        raise UsageError("--dataset and --input: choose one")
    if dataset is None and (max_samples is not None or shuffle_seed is not None):
        raise UsageError("--max-samples and --shuffle-seed belong to --dataset")

    with Bars() as bars:
        bars.begin("import", 1)
        # Kineto reports every start and stop on stderr unless this is set before torch is loaded.
        os.environ.setdefault("KINETO_LOG_LEVEL", "99")
        from model import registry
        from model.errors import ModelError
        from tracer.recording.options import RecordOptions
        from tracer.recording.own import files as own
        from tracer.recording.recorder import record

        bars.advance()
        try:
            entry = None if own.parse(model) else registry.find(model)
        except ModelError as error:
            raise UsageError(str(error)) from None
        device = choose_device(device)
        on_gpu = device.startswith("cuda")
        if decode not in registry.DECODE_MODES:
            raise UsageError(f"--decode {decode}: choose from {', '.join(registry.DECODE_MODES)}")
        options = RecordOptions(
            model=model,
            model_options=registry.ModelOptions(
                size=(size or "") if entry is None else _choose_size(entry, size, on_gpu=on_gpu),
                device=device,
                dtype=choose_dtype(dtype, on_gpu=on_gpu),
                seed=seed,
                checkpoint=checkpoint,
                prompt=prompt,
                prompt_tokens=prompt_tokens or 64,
                input=sample,
                dataset=dataset,
                max_samples=max_samples,
                shuffle_seed=shuffle_seed,
                batch_size=batch_size,
                frames=frames,
                batch_frames=batch_frames,
                decode=decode,
                new_tokens=max_new_tokens,
            ),
            output=output,
            requests=requests,
            max_new_tokens=max_new_tokens,
            schedule=schedule,
            window=window,
            verify=verify,
            couple=couple,
            sync_stages=sync_stages,
            with_stack=with_stack,
            record_shapes=record_shapes,
            memory=memory,
            nsys=program,
            typed=typed_options(context),
        )
        recording = record(options, bars)
    _report(output, recording.manifest, recording.report)


def typed_options(context: typer.Context) -> tuple[str, ...]:
    """Names of the options that a person gave on the command line; the rest have their defaults."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    typed = [name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE"]
    return tuple("input" if name == "sample" else name for name in typed)


def _check_nsys(path: Path | None, output: Path, *, force: bool) -> Path:
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


def _parse_window(text: str | None, max_new_tokens: int | None) -> DecodeWindow:
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


def _choose_size(entry: ModelEntry, size: str | None, *, on_gpu: bool) -> str:
    if not entry.sizes:
        if size is not None:
            raise UsageError(f"--size {size}: {entry.name} has the size that its folder says")
        return ""
    if size is None:
        return entry.sizes[-1] if on_gpu else entry.sizes[0]
    if size not in entry.sizes:
        raise UsageError(f"--size {size}: {entry.name} comes in {', '.join(entry.sizes)}")
    return size


def _report(output: Path, manifest: Manifest, report: Path | None = None) -> None:
    """Say what was proved, what was written, and what to type next."""
    import shlex

    checked = manifest.verification
    if checked.status == "passed":
        runs = "once" if checked.encoder_calls == 1 else f"{checked.encoder_calls} times"
        typer.echo(
            f"verified: {checked.tokens} tokens equal the model's own generate; the encoder ran {runs} per request"
        )
    elif checked.reason:
        typer.echo(f"not verified: {checked.reason}")
    elif checked.status == "differs":
        typer.echo(
            f"from token {checked.first_difference} of {checked.tokens} on, these are not the model's own tokens"
        )
    if not manifest.options.get("warmed_up", True):
        typer.echo("nothing came before the measured requests to warm up: they hold what is slow the first time")
    typer.echo(f"wrote {output} ({output.stat().st_size / 1e6:.1f} MB), which opens in https://ui.perfetto.dev")
    if report is not None:
        how = (
            "which opens in Nsight Systems"
            if report.suffix == ".nsys-rep"
            else "of which QdstrmImporter -i makes a report"
        )
        typer.echo(f"wrote {report} ({report.stat().st_size / 1e6:.1f} MB), {how}")
    typer.echo(f"next: tracer summarize {shlex.quote(str(output))}")
