"""One recording from options to file."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import torch

from model.errors import ModelError
from model.parallel import fingerprint
from model.speculative.pair import SpeculativePair
from tracer.document.errors import InputError
from tracer.document.manifest import SCHEMA, Cost, Costs, Manifest, Sample, Shape, Verification
from tracer.recording.drafting import drafting_passes, verify_both, with_clean, write_sweep
from tracer.recording.footprint import recorded_memory
from tracer.recording.graphs import graphs_of
from tracer.recording.machine import describe_device, describe_software
from tracer.recording.marks import current_device
from tracer.recording.models import opened
from tracer.recording.nsight.watched import nsight_pass
from tracer.recording.options import REQUESTS
from tracer.recording.own.adapter import OwnCallable, OwnStaged
from tracer.recording.own.functions import record_calls
from tracer.recording.passes.clean import clean_pass
from tracer.recording.passes.energy import STEPS as ENERGY_STEPS
from tracer.recording.passes.energy import energy_pass, states_of
from tracer.recording.passes.profiled import profiled_pass
from tracer.recording.passes.verify import STEPS, distinct_shapes, verify_pass
from tracer.recording.world.world import joined
from tracer.recording.write.workspace import workspace
from tracer.staging import Silence, recorded_by
from tracer.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator

    from model.staged import RequestShape, StageCost, StagedModel
    from tracer.document.manifest import Drafting
    from tracer.recording.options import RecordOptions
    from tracer.recording.passes.clean import Clean
    from tracer.recording.progress import Progress
    from tracer.recording.window import Schedule
    from tracer.recording.world.world import World
    from tracer.recording.write.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Recording:
    """What a recording leaves.

    Attributes:
        manifest: went into every file.
        report: of Nsight Systems, if one was asked for.
    """

    manifest: Manifest
    report: Path | None = None


def record(options: RecordOptions, progress: Progress) -> Recording:
    """Run all passes and write `options.output`.

    Raises:
        InputError: the model, its checkpoint or its input cannot be used, or nsys recorded nothing.
        VerificationError: the staged run disagrees with the model's own.
    """
    progress.begin("build", 1)
    with _model_errors(), opened(options) as model:
        progress.advance()
        if isinstance(model, OwnCallable):
            with joined(options.place, current_device()) as world:
                return Recording(record_calls(model, options, progress, world))
        with recorded_by(Silence()), joined(options.place, model.device) as world:
            _check_weights(model, world)
            manifest = _record_stages(model, options, progress, world)
    del model  # two of them may not fit on the device
    if options.nsys is None:
        return Recording(manifest)
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    progress.begin("nsight", 1)
    report = nsight_pass(options, manifest, options.nsys)
    progress.advance()
    return Recording(manifest, report)


def _check_weights(model: StagedModel[Any, Any], world: World) -> None:
    """Refuse ranks whose weights are not of one model.

    Raises:
        InputError: so it is.
    """
    if world.place.alone or isinstance(model, OwnStaged):
        return
    found = fingerprint(getattr(model, "network"))  # noqa: B009 -- built-in models have one
    if (other := world.alike(msgspec.json.encode(found))) is not None:
        raise InputError(
            f"rank {other} has other weights than rank 0: GPUs of different kinds draw different random ones; use GPUs "
            "of one kind, or --checkpoint"
        )


def _record_stages(model: StagedModel[Any, Any], options: RecordOptions, progress: Progress, world: World) -> Manifest:
    """Run the three passes and write the trace."""
    with workspace() as work:  # before anything that takes minutes
        return _run_passes(model, options, progress, work, world)


def _verify(
    model: StagedModel[Any, Any], options: RecordOptions, requests: int, progress: Progress, world: World
) -> Verification:
    """Prove every shape of request that the other two passes are going to run."""
    if not options.verify:
        return Verification(status="skipped")
    if why := getattr(model, "unverifiable", ""):
        return Verification(status="skipped", reason=why)
    turns = [*range(requests), *map(options.schedule.turn, range(options.schedule.requests))]
    numbers = distinct_shapes(model, sorted({turn % len(model.samples) for turn in turns}))
    if isinstance(model, SpeculativePair):
        return verify_both(model, options, numbers, progress)
    progress.begin("verify", STEPS * len(numbers))
    return verify_pass(model, options, numbers, progress.advance, world)


def _run_passes(
    model: StagedModel[Any, Any], options: RecordOptions, progress: Progress, work: Workspace, world: World
) -> Manifest:
    shape = model.shape(model.prepare(model.load()))
    several = options.model_options.dataset is not None or len(model.samples) > 1
    requests = options.requests or (len(model.samples) if several else REQUESTS)
    verification = _verify(model, options, requests, progress, world)
    drafting = None
    if isinstance(model, SpeculativePair):
        drafting = drafting_passes(model, options, requests, progress, verified=verification.status == "passed")
    with states_of(model.device, asked=options.energy, alone=options.place.alone) as states:
        progress.begin("clean", options.schedule.warmup + requests)
        clean = clean_pass(model, options, requests, states.telling("clean", progress.advance), world)
        # Of two models' memory its counters do not say whose it is.
        memory = recorded_memory(model, model.device, clean.memory if drafting is None else ())
        energy = None
        if states.meter is not None:
            progress.begin("energy", ENERGY_STEPS)
            energy = energy_pass(model, states.meter, options, progress.advance)
        graphs, unnamed = graphs_of(model, work.folder)
        progress.begin("profiled", options.schedule.requests)
        profiled = profiled_pass(model, options, work.folder, states.telling("profiled", progress.advance), world)
    manifest = Manifest(
        schema=SCHEMA,
        version=__version__,
        model=dict(model.describe()),
        software=describe_software(),
        device=describe_device(model.device),
        dtype=model.dtype if isinstance(model, OwnStaged) else options.model_options.dtype,
        seed=options.model_options.seed,
        shape=Shape(**asdict(shape), new_tokens=clean.samples[0].new_tokens),
        samples=clean.samples if several else [],
        coupled=options.couple,
        synchronised=options.sync_stages,
        clock="cuda_event" if model.device.type == "cuda" else "host",
        options=_settings(options, requests),
        verification=verification,
        clean=clean.latencies,
        profiled=profiled.latencies,
        cost=_costs(model, shape, clean.samples, options.schedule),
        memory=memory,
        energy=states.recorded(energy),
        graphs=graphs,
        graphs_unnamed=unnamed,
        rank=options.place.rank,
        world_size=options.place.size,
        drafting=_drafting(drafting, model, options, clean, shape),
    )
    progress.begin("write", 1)
    work.write(options.output, profiled.captures, manifest, world)
    write_sweep(options.output, manifest.drafting)
    progress.advance()
    return manifest


@contextmanager
def _model_errors() -> Iterator[None]:
    """Turn the errors of `model`, which knows nothing of ours, into ours."""
    try:
        yield
    except ModelError as error:
        raise InputError(str(error)) from None
    except torch.OutOfMemoryError as error:
        raise InputError(f"out of memory on the device ({str(error).splitlines()[0]})") from None


def _drafting(
    drafting: Drafting | None, model: Any, options: RecordOptions, clean: Clean, shape: RequestShape
) -> Drafting | None:
    """With the pass that was asked for, and the work of the target by itself."""
    if drafting is None:
        return None
    cost = _costs(model.target, shape, clean.samples, options.schedule)
    return msgspec.structs.replace(with_clean(drafting, clean), cost=cost)


def _settings(options: RecordOptions, requests: int) -> dict[str, Any]:
    return {
        "requests": requests,
        "schedule": asdict(options.schedule),
        "decode_window": [options.window.start, options.window.stop],
        "with_stack": options.with_stack,
        "record_shapes": options.record_shapes,
        "memory": options.memory,
    }


def _costs(
    model: StagedModel[Any, Any], shape: RequestShape, samples: list[Sample], schedule: Schedule
) -> Costs | None:
    """The work of the recorded requests; None where they differ in shape, or the model cannot tell."""
    recorded = {schedule.turn(request) % len(model.samples) for request in schedule.recorded}
    counts = {msgspec.structs.astuple(sample)[1:] for number, sample in enumerate(samples) if number in recorded}
    cost = model.cost(shape, new_tokens=samples[0].new_tokens)
    if cost is None or len(counts) > 1:
        return None
    return Costs(
        vision=_cost(cost.vision),
        prefill=_cost(cost.prefill),
        decode=[_cost(step) for step in cost.decode],
    )


def _cost(cost: StageCost) -> Cost:
    return Cost(**asdict(cost))
