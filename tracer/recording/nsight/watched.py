"""The pass under Nsight Systems: the profiled requests once more, in a process that `nsys profile` watches.

nsys and torch.profiler both need CUPTI, which serves one of them at a time; hence a process of its own. It is told what
to do by a file, warms up, and has nsys record the same requests that the profiled pass recorded, with the same numbers.
The manifest travels in the report, as a mark.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import torch

from model.staged import run_request
from tracer import nsys
from tracer.document import manifest as manifests
from tracer.document.errors import InputError, TracerError, UsageError
from tracer.recording.clocks import synchronise
from tracer.recording.encoders import EncoderWatch
from tracer.recording.hooks import RecorderHook
from tracer.recording.models import opened
from tracer.recording.options import from_json
from tracer.recording.own.adapter import OwnCallable
from tracer.recording.ranged import RangedMarks
from tracer.recording.ranges import RangeEmitter
from tracer.staging import Silence, recorded_by

if TYPE_CHECKING:
    from collections.abc import Iterator

    from model.staged import StagedModel
    from tracer.document.manifest import Manifest
    from tracer.recording.options import RecordOptions

REPORT, UNIMPORTED = ".nsys-rep", ".qdstrm"
COMMON = ["--sample=none", "--cpuctxsw=none", "--force-overwrite=true", "--export=none"]
ON_GPU = [
    "--trace=cuda,nvtx,cublas,cudnn",
    # Kernels of a graph as rows of their own; the default is one row for the whole graph.
    "--cuda-graph-trace=node",
    "--capture-range=cudaProfilerApi",
    "--capture-range-end=stop",
]
ON_CPU = ["--trace=nvtx"]


def report_path(output: Path) -> Path:
    """Where the report goes: beside the trace, under its stem."""
    return output.with_name(output.name.removesuffix(".gz").removesuffix(".json") + REPORT)


def nsight_pass(options: RecordOptions, manifest: Manifest, program: Path) -> Path:
    """Record the profiled requests under nsys, and return the path of the report.

    That ends in `.qdstrm` where nsys lacks its importer, as on machines that only collect.

    Raises:
        InputError: nsys recorded nothing.
        MissingError: nsys does not run.
    """
    target = report_path(options.output)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as folder:
        task = Path(folder, "task.json")
        task.write_text(
            json.dumps({"options": asdict(options), "manifest": msgspec.to_builtins(manifest)}, default=str)
        )
        traced = ON_GPU if manifest.device["type"] == "cuda" else ON_CPU
        # -P: a folder that the command is typed in may hold packages of our names.
        child: list[str | Path] = [sys.executable, "-P", "-m", "tracer.recording.nsight.watched", task]
        answer = nsys.run([program, "profile", *COMMON, *traced, f"--output={folder}/report", *child])
        for suffix in (REPORT, UNIMPORTED):
            if not answer.returncode and (made := Path(folder, f"report{suffix}")).exists():
                return Path(shutil.move(made, target.with_suffix(suffix)))
    raise InputError(f"{target}: nsys recorded nothing ({nsys.last_line(answer)}); tracer doctor may know why")


def run_profiled(options: RecordOptions, manifest: Manifest) -> None:
    """What the watched process does."""
    with opened(options) as model:
        if isinstance(model, OwnCallable):  # refused before the first pass
            raise UsageError(f"--nsys: {model.source} returns a callable, not a staged model")
        with recorded_by(Silence()):
            _run_requests(model, options, manifest)


def _run_requests(model: StagedModel[Any, Any], options: RecordOptions, manifest: Manifest) -> None:
    numbers = options.schedule.recorded
    emitter = RangeEmitter()
    marks = RangedMarks(model.device, adjoining=True, numbers=numbers, emitter=emitter, sync_stages=options.sync_stages)
    hook = RecorderHook(marks)
    for _ in range(options.schedule.wait + options.schedule.warmup):
        run_request(model, max_new_tokens=options.max_new_tokens, couple=options.couple)
    with _captured(model.device), EncoderWatch(model.encoders, emitter):
        for request in numbers:
            number = options.schedule.turn(request) % len(model.samples)
            run_request(model, number, max_new_tokens=options.max_new_tokens, hook=hook, couple=options.couple)
            synchronise(model.device)
        profiled = [
            msgspec.structs.replace(
                request.latencies, sample=options.schedule.turn(request.number) % len(model.samples)
            )
            for request in marks.requests
        ]
        emitter.mark(manifests.to_mark(msgspec.structs.replace(manifest, profiled=profiled)))


@contextmanager
def _captured(device: torch.device) -> Iterator[None]:
    """The part that nsys records, where it waits to be told."""
    synchronise(device)
    if device.type == "cuda":
        torch.cuda.profiler.start()
    yield
    if device.type == "cuda":
        torch.cuda.profiler.stop()


def main(task: Path) -> None:
    """Do what the file says."""
    content = json.loads(task.read_bytes())
    run_profiled(from_json(content["options"]), msgspec.convert(content["manifest"], manifests.Manifest))


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]))
    except TracerError as error:
        sys.exit(str(error))
