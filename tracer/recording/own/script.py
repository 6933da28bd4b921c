"""Recording a script that runs already: once without a profiler, once under it, each in a process of its own.

The command is started as it was typed, without a shell. Its environment tells `tracer.staging` where to find out what
to do; with `--auto`, a folder on its path has transformers hooked besides.
"""

from __future__ import annotations

import os
import shlex
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from tracer.document.errors import InputError
from tracer.recording.own.child import RESULT
from tracer.recording.own.running import run_to_end
from tracer.recording.own.sitting import Profiling, Sitting, check_marks, manifest_of
from tracer.recording.write.workspace import FULL_BYTES, workspace
from tracer.staging import TASK_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tracer.document.manifest import Manifest
    from tracer.recording.window import DecodeWindow, Schedule

INJECTED = Path(__file__).parent / "inject"
ADVICE = 'put "with tracer.request():" around each and tracer.stage in it, or try --auto'
ADVICE_AUTO = "its Python must have tracer installed, and must call generate of a transformers model"
REASON = "a script runs as it is"
UNDER_PROFILER = " in its second run, under the profiler (does it start one itself?)"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptOptions:
    """Options of a recording of a script.

    Attributes:
        command: program and arguments.
        output: the file to write, `.json` or `.json.gz`.
        auto: whether to hook transformers' `generate`.
        schedule: which of the script's requests are profiled; its `warmup` is also left out of the latencies.
        window: decode steps to profile.
        with_stack, record_shapes, memory: torch.profiler's options.
    """

    command: tuple[str, ...]
    output: Path
    auto: bool
    schedule: Schedule
    window: DecodeWindow
    with_stack: bool = False
    record_shapes: bool = False
    memory: bool = False


@dataclass(frozen=True, slots=True)
class ScriptRecording:
    """What came of it.

    Attributes:
        manifest: went into the file.
        requests: how many the script made.
        beside: how many of them were not measured, as another one was open on another thread.
    """

    manifest: Manifest
    requests: int
    beside: int


def record_script(options: ScriptOptions, tell: Callable[[str], None]) -> ScriptRecording:
    """Run the command twice and write `options.output`.

    Args:
        options: what to do.
        tell: is told which run begins.

    Raises:
        InputError: the command failed, or marked nothing.
        MissingError: there is no such program.
    """
    name = name_of(options.command)
    with workspace() as work:
        tell(f"clean run: {shlex.join(options.command)}")
        clean = _run(options, work.folder / "clean", None)
        schedule, requests = options.schedule, clean.begun
        recorded = [number for number in schedule.recorded if number < requests]
        asked = Profiling(
            recorded=recorded or list(range(max(0, requests - schedule.active), requests)),
            window=(options.window.start, options.window.stop),
            steps=clean.steps,
            with_stack=options.with_stack,
            record_shapes=options.record_shapes,
            memory=options.memory,
        )
        tell(f"profiled run: {shlex.join(options.command)}")
        profiled = _run(options, work.folder / "profiled", asked)
        if not profiled.captures:
            raise InputError(
                f"{name}: its second run, under the profiler, made {profiled.begun} requests; the first made {requests}"
            )
        manifest = manifest_of(
            clean,
            profiled,
            model={"name": name, "size": "", "weights": "own", "input": ""}
            | ({"config": {"architecture": clean.architecture}} if clean.architecture else {}),
            warmup=schedule.warmup,
            options={
                "schedule": asdict(schedule),
                "decode_window": list(asked.window),
                "recorded": asked.recorded,
                "auto": options.auto,
                "with_stack": asked.with_stack,
                "record_shapes": asked.record_shapes,
                "memory": asked.memory,
            },
            reason=REASON,
        )
        work.write(options.output, [Path(path) for path in profiled.captures], manifest)
    return ScriptRecording(manifest, requests, clean.beside)


def name_of(command: Sequence[str]) -> str:
    """What a command is called: its script, its module or its program; never its arguments, which may be private."""
    for before, word in zip(("", *command), command, strict=False):
        if word.endswith(".py") or before == "-m":
            return Path(word).name
    return Path(command[0]).name


def _run(options: ScriptOptions, folder: Path, asked: Profiling | None) -> Sitting:
    """Run the command once, with `asked` under a profiler, and read what it left."""
    folder.mkdir()
    task = folder / "task.json"
    task.write_bytes(msgspec.json.encode(asked))
    environment = {"KINETO_LOG_LEVEL": "99", **os.environ, TASK_VARIABLE: str(task)}
    if options.auto:
        paths = [str(INJECTED), os.environ.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    _start(options.command, environment, "" if asked is None else UNDER_PROFILER)
    name, advice = name_of(options.command), ADVICE_AUTO if options.auto else ADVICE
    left = _left(folder, name)
    with_requests = [sitting for sitting in left if sitting.begun]
    if not left:
        raise InputError(f"{name}: it opened no request; {advice}")
    if len(with_requests) > 1:
        raise InputError(f"{name}: {len(with_requests)} of its processes made requests; one can be recorded")
    sitting = (with_requests or left)[0]
    if asked is None:
        check_marks(sitting, name, advice)
    return sitting


def _left(folder: Path, name: str) -> list[Sitting]:
    """What the processes of a command left: each one that made requests or stages.

    Raises:
        InputError: none left anything that can be read, though there were requests.
    """
    contents = [path.read_bytes() for path in folder.glob(RESULT.format("*"))]
    left, damaged = [], False
    for content in contents:
        try:
            left.append(msgspec.json.decode(content, type=Sitting))
        except ValueError:
            damaged = True
    if damaged and not any(sitting.begun for sitting in left):
        if shutil.disk_usage(folder).free < FULL_BYTES:
            raise InputError(f"{name}: what it measured could not be kept: no room is left in {folder.parents[1]}")
        raise InputError(
            f"{name}: it made requests and ended at once (os._exit, or a signal that its starter did not pass on), so "
            "that nothing could be kept of them; let Python end by itself"
        )
    return left


def _start(command: Sequence[str], environment: dict[str, str], under: str) -> None:
    """Run a command to its end.

    Args:
        command: program and arguments.
        environment: of the process.
        under: what is added where it fails.

    Raises:
        InputError: it failed.
        MissingError: there is no such program.
    """
    code = run_to_end(command, environment)
    if code:
        ended = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        raise InputError(f"{name_of(command)}: it {ended}{under}; nothing was written")
