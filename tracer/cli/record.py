"""`tracer record`: run a model and write one trace that says where its time went."""

from __future__ import annotations

import gc
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tracer.cli import drafting
from tracer.cli import options as shared
from tracer.cli.asked import (
    DEFAULT_WINDOW_STEPS,
    check_files,
    check_model,
    check_nsys,
    check_together,
    complete,
    parse_window,
    typed_options,
)
from tracer.cli.bars import Bars
from tracer.cli.options import offering
from tracer.cli.ranked import find_ranks, say_files
from tracer.cli.script import check_typed, record_command
from tracer.cli.tracks import add_tracks

if TYPE_CHECKING:
    from collections.abc import Callable

    from model.registry import ModelOptions
    from tracer.document.manifest import Manifest
    from tracer.recording.options import RecordOptions
    from tracer.recording.recorder import Recording

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
            autocompletion=offering("eventgpt", "llava15", "video_llava", "hf:"),
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
    device: Annotated[str | None, shared.device(_MODEL)] = None,
    dtype: Annotated[str | None, shared.dtype(_MODEL)] = None,
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
            autocompletion=offering("eager", "static", "graph", "compile"),
            rich_help_panel=_RUN,
        ),
    ] = "eager",
    draft: drafting.Draft = None,
    draft_tokens: drafting.DraftTokens = 4,
    draft_size: drafting.DraftSize = None,
    draft_checkpoint: drafting.DraftCheckpoint = None,
    draft_device: drafting.DraftDevice = None,
    draft_mapping: drafting.DraftMapping = None,
    acceptance: drafting.Acceptance = None,
    together: drafting.Together = "sequential",
    sweep: drafting.Sweep = None,
    no_limit: Annotated[
        bool, typer.Option("--no-limit", help="Read samples of any size.", rich_help_panel=_INPUT)
    ] = False,
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
    tensor_parallel: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Divide the model among so many processes, on a GPU each, and record each of them: run.rank0.json, "
            "run.rank1.json. [default: as many as torchrun started, else 1]",
            rich_help_panel=_RUN,
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
    tracks: Annotated[
        bool,
        typer.Option(
            "--tracks/--no-tracks",
            help="Put the stages into the trace as tracks of Perfetto, as tracer annotate does.",
            rich_help_panel=_PROFILE,
        ),
    ] = True,
    energy: Annotated[
        bool,
        typer.Option(
            "--energy",
            help="Measure the device's energy too: joules by stage, token and request. Takes half a minute more.",
            rich_help_panel=_RUN,
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
    nsys_path: Annotated[Path | None, shared.nsys_path("to use", _PROFILE)] = None,
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
            help="Give the language model the frames in place of their features, so that they are encoded again. "
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

    Examples:

    tracer record --model eventgpt --events sample1.npy

    tracer record --model hf:FOLDER --input picture.png --max-new-tokens 128 -o run.json.gz

    tracer record --model my_model.py:build --dataset folder --max-samples 20

    tracer record --model video_llava --draft eventgpt --draft-tokens 4 --acceptance 0.5

    tracer record --auto -- python my_infer.py
    """
    from tracer.recording.window import Schedule

    gc.enable()  # what is measured runs as it would anywhere
    typed = typed_options(context)
    check_typed(typed) if script else check_together(typed)
    window = parse_window(decode_window, None if script else max_new_tokens)
    ranks = find_ranks(tensor_parallel, context.params)
    output = ranks.checked(output, force=force)
    schedule = Schedule(wait=wait, warmup=warmup, active=active, repeat=repeat)
    profiled: dict[str, Any] = {"schedule": schedule, "window": window}
    checks: dict[str, Any] = {"verify": verify, "couple": couple, "sync_stages": sync_stages, "energy": energy}
    profiled |= {"with_stack": with_stack, "record_shapes": record_shapes, "memory": memory}
    if script:
        manifest = record_command(script, output, auto=auto, **profiled)
        _report(output, manifest, tracks=tracks)
        return
    entry = check_model(model, size, device, dtype, decode)
    check_files(entry, checkpoint, sample, dataset)
    of_draft: dict[str, Any] = {"draft_tokens": draft_tokens, "draft_size": draft_size, "sweep": sweep}
    of_draft |= {"draft_device": draft_device, "draft_mapping": draft_mapping, "draft_checkpoint": draft_checkpoint}
    of_draft |= {"draft": draft, "acceptance": acceptance, "together": together, "decode": decode}
    drafted = drafting.asked(model, of_draft, typed)
    if ranks.to_start:
        ranks.start(context, output)
        return
    program = check_nsys(nsys_path, output, force=force) if nsys or nsys_path is not None else None
    from model.registry import ModelOptions
    from tracer.recording.options import RecordOptions

    given: dict[str, Any] = {"input": sample, "dataset": dataset}
    given |= {"max_samples": max_samples, "shuffle_seed": shuffle_seed}
    model_options = partial(
        ranks.made(ModelOptions),
        seed=seed, checkpoint=checkpoint, prompt=prompt, prompt_tokens=prompt_tokens or 64, **given,
        batch_size=batch_size, frames=frames, batch_frames=batch_frames, decode=decode, new_tokens=max_new_tokens,
        no_limit=no_limit,
    )  # fmt: skip
    options = partial(
        RecordOptions,
        model=model,
        output=output,
        requests=requests,
        max_new_tokens=max_new_tokens,
        **checks,
        nsys=program,
        drafting=drafted,
        place=ranks.place,
        typed=typed,
        **profiled,
    )
    with ranks.taking_part(output):
        with Bars(shown=ranks.speaks) as bars:
            recording = _record(options, partial(complete, model_options, entry, size, device, dtype), bars)
        _report(output, recording.manifest, recording.report, tracks=tracks)


def _record(
    options: Callable[..., RecordOptions], model_options: Callable[[], ModelOptions], progress: Bars
) -> Recording:
    """Import torch, which takes seconds, choose what nobody chose, and record."""
    progress.begin("import", 1)
    # Kineto reports every start and stop on stderr unless this is set before torch is loaded.
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")
    from tracer.recording.recorder import record

    progress.advance()
    asked = options(model_options=model_options())
    drafting.check_device(asked.drafting, asked.model_options.device)
    return record(asked, progress)


def _report(output: Path, manifest: Manifest, report: Path | None = None, *, tracks: bool) -> None:
    """Add the tracks if asked to; say what was proved, what was written, and what to type next."""
    import shlex

    from tracer.document.words import tie_said

    if tracks:
        add_tracks(output)
    if manifest.rank:  # rank 0 speaks for all
        return
    checked = manifest.verification
    if checked.status == "passed":
        runs = "once" if checked.encoder_calls == 1 else f"{checked.encoder_calls} times"
        shapes, encoded = "", f"the encoder ran {runs} per request"
        if checked.shapes > 1:
            shapes = f", in all {checked.shapes} shapes of requests"
            encoded = f"every picture was encoded {'twice, on purpose' if manifest.coupled else 'once'}"
        shapes += f", on each of {manifest.world_size} ranks" if manifest.world_size > 1 else ""
        typer.echo(f"verified: {checked.tokens} tokens equal the model's own generate{shapes}; {encoded}")
    elif checked.reason:
        typer.echo(f"not verified: {checked.reason}")
    elif checked.status == "differs":
        alike = f"; in {checked.shapes_verified} of {checked.shapes} shapes they are" if checked.shapes > 1 else ""
        typer.echo(
            f"from token {checked.first_difference} of {checked.tokens} on, these are not the model's own tokens{alike}"
            f"{tie_said(checked.margin, checked.rounding)}"
        )
    if not manifest.options.get("warmed_up", True):
        typer.echo("nothing came before the measured requests to warm up: they hold what is slow the first time")
    if manifest.energy is not None and manifest.energy.reason:
        typer.echo(f"no energy: {manifest.energy.reason}; {manifest.energy.next_step}")
    for warning in manifest.warnings:
        typer.echo(f"warning: {warning}")
    typer.echo(f"wrote {output} ({output.stat().st_size / 1e6:.1f} MB), which opens in https://ui.perfetto.dev")
    if report is not None:
        how = (
            "which opens in Nsight Systems"
            if report.suffix == ".nsys-rep"
            else "of which QdstrmImporter -i makes a report"
        )
        typer.echo(f"wrote {report} ({report.stat().st_size / 1e6:.1f} MB), {how}")
    if manifest.world_size > 1:
        typer.echo(f"wrote a trace of each of {manifest.world_size} ranks: {say_files(output, manifest)}")
        typer.echo(f"next: tracer ranks {say_files(output, manifest)}")
    else:
        typer.echo(f"next: tracer summarize {shlex.quote(str(output))}")
