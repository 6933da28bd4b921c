"""`tracer whatif`: predict what a change would gain."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tracer.cli.bars import Bars
from tracer.cli.options import Jobs, NoLimit, PeakGbs, PeakTflops
from tracer.cli.streams import write
from tracer.document.errors import UsageError
from tracer.document.names import DECODE

if TYPE_CHECKING:
    from tracer.document.summary import Prediction, Summary
    from tracer.predict.whatif import Changes, Speculate
    from tracer.summarize import Choices

_NUMBER = r"(\d{1,6}(?:\.\d{1,9})?)"


def command(
    trace: Annotated[Path, typer.Argument(help="A trace, as for summarize.", show_default=False)],
    stage: Annotated[
        list[str] | None,
        typer.Option(metavar="STAGE=FACTOR", help="This stage takes so many times as long. Repeatable."),
    ] = None,
    launch_overhead: Annotated[
        float | None, typer.Option(min=0, help="Factor of the time in which the device waits; 0 as by CUDA graphs.")
    ] = None,
    batch_frames: Annotated[int | None, typer.Option(min=1, help="Frames encoded in one call.")] = None,
    decode: Annotated[
        str | None,
        typer.Option(
            metavar="static|graph|compile",
            help="Decode steps over a static cache, from a CUDA graph, or compiled, as of record.",
        ),
    ] = None,
    graph_decode: Annotated[bool, typer.Option("--graph-decode", help="The same as --decode graph.")] = False,
    visual_tokens: Annotated[
        float | None, typer.Option(min=0, max=1, help="Share of the visual tokens that stays.")
    ] = None,
    bandwidth: Annotated[str | None, typer.Option(metavar="FACTORx", help="Memory bandwidth, for example 2x.")] = None,
    speculate: Annotated[
        str | None,
        typer.Option(
            metavar="TOKENS@RATE",
            help="Speculative decoding: tokens drafted a round, and the probability that each is accepted if those "
            "before it are; by position 4@0.9,0.7,0.5, the last going on.",
        ),
    ] = None,
    draft: Annotated[
        Path | None,
        typer.Option(help="For --speculate: a trace or a saved summary of the draft by itself.", show_default=False),
    ] = None,
    peak_tflops: PeakTflops = None,
    peak_gbs: PeakGbs = None,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify",
            help="Record the run again with the change, on this machine, and print what was measured beside it. For "
            "--batch-frames, --decode and --speculate.",
        ),
    ] = False,
    jobs: Jobs = None,
    no_limit: NoLimit = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON for programs.")] = False,
) -> None:
    """Predict stage and request times under a change, each assumption printed.

    It rests on what the trace measured and on a simple model of the change; nothing is run, but with --verify.
    """
    from tracer.predict.whatif import Changes, predict

    changes = Changes(
        stages=_factors(stage or []),
        launch_overhead=launch_overhead,
        batch_frames=batch_frames,
        decode=_decode_mode(decode, graph_decode=graph_decode),
        visual_tokens=visual_tokens,
        bandwidth=_bandwidth(bandwidth),
        speculate=_speculation(speculate),
    )
    if changes == Changes(stages={}):
        raise UsageError("nothing to change: give at least one of --stage, --launch-overhead, --batch-frames, ...")
    from tracer.summarize import Choices, summarize_file
    from tracer.trace.limits import limits

    choices = Choices(peak_tflops=peak_tflops, peak_gbs=peak_gbs, jobs=jobs, limits=limits(lifted=no_limit))
    changes = _with_draft(changes, draft, choices)
    summary = summarize_file(trace, choices)
    found = predict(summary, changes)
    if verify:
        found = _measured(found, summary, changes)
    if as_json:
        import msgspec

        write(msgspec.json.format(msgspec.json.encode(found), indent=2).decode() + "\n", json=True)
        return
    from rich.console import Console

    from reports.document import of_prediction
    from reports.render.text import render

    console = Console()
    write(render(of_prediction(found), width=console.width, colours=console.color_system))


def _measured(found: Prediction, summary: Summary, changes: Changes) -> Prediction:
    """Record the changed run and put its times beside the predicted ones.

    Raises:
        UsageError: the recorder has no switch for a change.
        InputError, MissingError: see `rerun`.
    """
    import tempfile

    import msgspec

    from tracer.predict.whatif import Changes, whole_ns
    from tracer.summarize import summarize_file

    run = summary.run
    if run is None:
        raise UsageError("--verify repeats a recording: give it a trace of tracer record")
    speculate = changes.speculate
    able = Changes(stages={}, batch_frames=changes.batch_frames, decode=changes.decode, speculate=speculate)
    if changes != able or (speculate is not None and changes.decode is not None):
        raise UsageError("--verify can record --batch-frames, and --decode or --speculate, nothing else")
    if speculate is not None and speculate.draft is None:
        raise UsageError("--verify of --speculate records both models: name the draft's own recording by --draft")
    if changes.batch_frames not in (None, run["frames"]):
        raise UsageError(f"--verify encodes all {run['frames']} frames in one call: --batch-frames {run['frames']}")
    with Bars() as bars, tempfile.TemporaryDirectory(prefix="tracer-") as folder:
        bars.begin("import", 1)
        os.environ.setdefault("KINETO_LOG_LEVEL", "99")
        from tracer.recording.rerun import rerun

        bars.advance()
        output = Path(folder) / "run.json"
        batch = bool(changes.batch_frames)
        rerun(run, output, bars, batch_frames=batch, decode=changes.decode, speculate=speculate)
        changed = summarize_file(output)
    if speculate is not None:
        return _beside_rounds(found, changed)
    measured = {row.stage: round(row.total_ns or 0) for row in changed.budget}
    stages = [msgspec.structs.replace(row, measured_ns=measured[row.stage]) for row in found.stages]
    return msgspec.structs.replace(found, stages=stages, measured_ns=whole_ns(changed))


def _beside_rounds(found: Prediction, changed: Summary) -> Prediction:
    """Put a recording of rounds beside the prediction: what its pass without a profiler measured."""
    import msgspec

    latency, told, priced = changed.latency, changed.speculation, found.speculation
    taken = {} if latency is None else latency.stages_ns
    # The draft's own stages lie in its first round there: the steps by themselves were not measured.
    unlike = (DECODE,) if any(row.role for row in found.stages) else ()
    stages = [
        row if row.role or row.stage in unlike else msgspec.structs.replace(row, measured_ns=taken.get(row.stage))
        for row in found.stages
    ]
    if priced is not None and told is not None:
        rate = told.timed_yielded_tokens
        priced = msgspec.structs.replace(
            priced,
            measured_speedup=told.speedup,
            measured_tokens=None if rate is None or not told.timed_rounds else rate / told.timed_rounds,
        )
    measured_ns = None if latency is None else latency.request_ns
    return msgspec.structs.replace(found, stages=stages, measured_ns=measured_ns, speculation=priced)


def _decode_mode(mode: str | None, *, graph_decode: bool) -> str | None:
    """One way of decoding from two options.

    Raises:
        UsageError: it is none, or they contradict each other.
    """
    from tracer.predict.whatif import DECODE_MODES

    if mode is not None and mode not in DECODE_MODES:
        raise UsageError(f"--decode {mode}: choose from {', '.join(DECODE_MODES)}")
    if graph_decode and mode not in (None, "graph"):
        raise UsageError(f"--graph-decode and --decode {mode} contradict each other: give one of them")
    return "graph" if graph_decode else mode


def _factors(options: list[str]) -> dict[str, float]:
    """Read STAGE=FACTOR options.

    Raises:
        UsageError: one is something else.
    """
    factors = {}
    for option in options:
        match = re.fullmatch(rf"(\w+)={_NUMBER}", option)
        if match is None:
            raise UsageError(f"--stage {option}: write STAGE=FACTOR, for example vision=0")
        factors[match[1]] = float(match[2])
    return factors


def _bandwidth(option: str | None) -> float | None:
    """Read FACTORx.

    Raises:
        UsageError: it is something else, or 0.
    """
    if option is None:
        return None
    match = re.fullmatch(rf"{_NUMBER}x?", option)
    if match is None or not float(match[1]):
        raise UsageError(f"--bandwidth {option}: write a factor above 0, for example 2x")
    return float(match[1])


def _speculation(option: str | None) -> Speculate | None:
    """Read TOKENS@RATE, or TOKENS@RATE,RATE,...

    Raises:
        UsageError: it is something else, drafts nothing, or has a rate above 1.
    """
    from tracer.predict.whatif import Speculate

    if option is None:
        return None
    match = re.fullmatch(rf"(\d{{1,3}})@({_NUMBER}(?:,{_NUMBER}){{0,99}})", option)
    rates = tuple(map(float, match[2].split(","))) if match else ()
    if match is None or max(rates) > 1 or not int(match[1]):
        raise UsageError(f"--speculate {option}: write TOKENS@RATE with a rate of 0 to 1, for example 4@0.7")
    return Speculate(drafted=int(match[1]), acceptance=rates)


def _with_draft(changes: Changes, draft: Path | None, choices: Choices) -> Changes:
    """Read the recording of a draft.

    Raises:
        InputError: it is none.
        UsageError: nothing is drafted.
    """
    if draft is None:
        return changes
    if changes.speculate is None:
        raise UsageError("--draft: give --speculate too, for example 4@0.7")
    from tracer.saved import load_summary

    return replace(changes, speculate=replace(changes.speculate, draft=load_summary(draft, choices)))
