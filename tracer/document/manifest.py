"""The manifest: what a recording says about itself, under the key `tracer` of the trace's metadata.

All durations are integer nanoseconds. A manifest read from a file is untrusted and validated by its types.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from tracer.document.bounds import LONGEST_NS, Amount, Count, Number, oversized
from tracer.document.graphs import CapturedGraph
from tracer.document.names import STAGES
from tracer.document.recorded_energy import RecordedEnergy
from tracer.document.recorded_memory import RecordedMemory

if TYPE_CHECKING:
    from collections.abc import Iterable

SCHEMA = "tracer.manifest/1"
KEY = "tracer"
MARK = "tracer/manifest "
# A thousand requests of a thousand tokens take ten; what is read takes up to thirty times as much.
MOST_BYTES = 64 << 20
UNKNOWN_VERSION = "it is of an unknown version"


class _Versioned(msgspec.Struct):
    schema: str


class Latencies(msgspec.Struct, frozen=True, kw_only=True):
    """Stage latencies of one request, by device events on the stream, or by the host clock on a CPU.

    Attributes:
        load_ns, preprocess_ns, vision_ns, prefill_ns: one run of each stage; 0 where it is not among the `stages`.
        decode_ns: the measured decode steps in order.
        first_step: token index of `decode_ns[0]`; above 1 when a decode window cut the start off.
        sample: index into the manifest's `samples`.
        decode_whole_ns: decoding that was marked as a whole, without steps.
        outside_ns, outside_later_ns: time of the request in no stage, up to the end of prefill and after it. What lies
            between two decode steps belongs to the later one.
        prefill_tokens: that were there when prefill ended.
        step_tokens: that each of `decode_ns` yielded; empty where that was one each.
    """

    load_ns: Count
    preprocess_ns: Count
    vision_ns: Count
    prefill_ns: Count
    decode_ns: list[Count]
    first_step: Count = 1
    sample: Count = 0
    decode_whole_ns: Count = 0
    outside_ns: Count = 0
    outside_later_ns: Count = 0
    prefill_tokens: Count = 1
    step_tokens: list[Count] = []


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of the verify pass.

    Attributes:
        status: "passed", "skipped", or "differs" where steps made in another way, or passes over several tokens, chose
            other tokens than transformers' own; any other failure ends the recording.
        tokens: tokens compared between the staged loop and both ways of calling `generate`.
        encoder_calls: how often the encoder ran in one staged request; of the first, where shapes differ.
        first_difference: index of the first token that differs, in the first shape that does.
        margin, rounding: of rounds whose answer differs, how far its tokens' logits lie below the likeliest, and how
            far passes over one token and over several lie apart, at most: ties that rounding decided. None elsewhere.
        expected_encoder_calls: how often it had to, to encode each picture once.
        reason: why the pass was skipped, where nobody asked for that.
        shapes: distinct shapes of the requests that were measured (tokens, sequences, padding); 0 in recordings that
            looked at their first sample alone.
        shapes_verified: so many of them gave the model's own tokens.
    """

    status: str
    tokens: Count = 0
    encoder_calls: Count = 0
    expected_encoder_calls: Count = 0
    first_difference: Count | None = None
    margin: float | None = None
    rounding: float | None = None
    reason: str = ""
    shapes: Count = 0
    shapes_verified: Count = 0


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """Token counts of a request; 0 where nobody knows, as in code that only marks its stages."""

    batch_size: Count
    frames: Count
    visual_tokens: Count
    prompt_tokens: Count
    new_tokens: Count


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """What a request was given, and the tokens that came of it; of a batch, the padded lengths.

    Attributes:
        name: of the file, or of all files of a batch.
        batch_size: sequences.
        frames, visual_tokens, prompt_tokens, new_tokens: of each sequence.
    """

    name: str
    batch_size: Count
    frames: Count
    visual_tokens: Count
    prompt_tokens: Count
    new_tokens: Count


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """Analytic work of one run of a stage (see `model.staged.StageCost`)."""

    flops: Amount
    weight_bytes: Amount
    kv_bytes: Amount
    least_flops: Amount | None = None

    @property
    def floor_flops(self) -> int:
        """What no kernel can do without."""
        return self.flops if self.least_flops is None else self.least_flops


class Costs(msgspec.Struct, frozen=True, kw_only=True):
    """Analytic work of a request; `decode` has one entry per step, step 1 first."""

    vision: Cost
    prefill: Cost
    decode: list[Cost]


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """Clean requests of one or two models in one way of working.

    Attributes:
        name: `TARGET_ALONE`, `DRAFT_ALONE`, or the schedule of both.
        requests: their latencies.
        drafted, accepted: tokens of each request, in all its rounds; empty of one model.
        rounds: of each request.
        beside: where the draft works on a thread of its own at first, what it took there.
    """

    name: str
    requests: list[Latencies]
    rounds: list[Count] = []
    drafted: list[Count] = []
    accepted: list[Count] = []
    beside: list[Latencies] = []


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One point of a sweep.

    Attributes:
        tokens: drafted in a round.
        acceptance: that was forced, by position; empty for the draft's own.
        way: what was measured.
    """

    tokens: Count
    acceptance: list[float]
    way: Way


class Drafting(msgspec.Struct, frozen=True, kw_only=True):
    """A recording of two models, one of which drafts for the other.

    Attributes:
        draft: what the draft says of itself, as the manifest's `model` is of the target.
        device: where the draft is.
        tokens: drafted in a round.
        schedule: "sequential" or "overlapped".
        mapping: how ids of the draft become the target's.
        acceptance: that was forced, by position; empty for the draft's own.
        seed: of the decisions which tokens are accepted.
        verified: whether draft and target by themselves were proved to be their models.
        ways: clean requests of each model alone and of both together.
        sweep: more of both together.
        cost: the target's work in a request by itself; None where it cannot tell.
    """

    draft: dict[str, Any]
    device: str
    tokens: Count
    schedule: str
    mapping: str
    acceptance: list[float] = []
    seed: Number = 0
    verified: bool = False
    ways: list[Way] = []
    sweep: list[Cell] = []
    cost: Costs | None = None


TARGET_ALONE, DRAFT_ALONE = "target alone", "draft alone"


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a recording says about itself.

    Attributes:
        schema: `SCHEMA`.
        version: of tracer.
        model: name, size, weights, configuration.
        software: versions of Python, torch, transformers, nvtx and CUDA.
        device: type, name and, on a GPU, memory and compute capability.
        dtype: of the weights.
        seed: of weights, prompt and synthetic input.
        shape: token counts; of the first sample where there are several.
        samples: those that were measured, in order; empty where every request was given the same one.
        coupled: whether stage 4 was given pictures instead of features (a teaching mode).
        synchronised: whether the device was synchronised at each stage boundary (a checking mode).
        clock: "cuda_event" or "host": what `clean` and `profiled` were measured with.
        options: the recording's options.
        verification: outcome of the verify pass.
        clean: latencies without a profiler; the headline figures.
        profiled: latencies of the profiled requests, for the profiler's distortion.
        cost: analytic work, where the model can tell.
        stages: those that are marked, in their order; the latencies of the others say nothing.
        warnings: what makes figures doubtful, in words, for whoever reads the trace later.
        drafting: the draft, and how both worked together, where two models were recorded.
        memory: of the device, by the counters of its allocator; None where it has none (a CPU).
        energy: of the device; None where nobody asked for it.
        graphs: what the nodes of the graphs are that decode steps replay.
        graphs_unnamed: why that is not known, where steps replay graphs of which it is not.
        rank, world_size: which process of the run this is, and of how many; they record together, a file each.
    """

    schema: str
    version: str
    model: dict[str, Any]
    software: dict[str, str]
    device: dict[str, Any]
    dtype: str
    seed: Number
    shape: Shape
    coupled: bool
    synchronised: bool
    clock: str
    options: dict[str, Any]
    verification: Verification
    clean: list[Latencies]
    profiled: list[Latencies]
    cost: Costs | None = None
    samples: list[Sample] = []
    stages: list[str] = msgspec.field(default_factory=lambda: list(STAGES))
    warnings: list[str] = []
    drafting: Drafting | None = None
    memory: RecordedMemory | None = None
    energy: RecordedEnergy | None = None
    graphs: list[CapturedGraph] = []
    graphs_unnamed: str = ""
    rank: Count = 0
    world_size: Count = 1


def encode(manifest: Manifest) -> bytes:
    """The manifest as JSON."""
    return msgspec.json.encode(manifest)


def decode(data: bytes | msgspec.Raw) -> Manifest | None:
    """Read a manifest, or return None where it is none that can be."""
    manifest = read(data)
    return manifest if isinstance(manifest, Manifest) else None


def read(data: bytes | msgspec.Raw) -> Manifest | str:
    """Read a manifest, or say why it is none that can be.

    It may be of another version, have a value out of its bounds, or lists that should be of one length and are not.
    """
    size_bytes = memoryview(data).nbytes
    if size_bytes > MOST_BYTES:
        return f"it has {size_bytes:,} bytes"
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    except (ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
        version = _version(data)
        return UNKNOWN_VERSION if version is not None and version != SCHEMA else str(error).partition("\n")[0]
    if manifest.schema != SCHEMA:
        return UNKNOWN_VERSION
    if oversized((manifest.model, manifest.device, manifest.options)):
        return "it holds a number of more than 64 bits"
    return _misfit(manifest) or manifest


def _misfit(manifest: Manifest) -> str:
    """What of its requests cannot be, though each value by itself can; "" where all can."""
    told = manifest.drafting
    ways = [] if told is None else [*told.ways, *(cell.way for cell in told.sweep)]
    requests = [*manifest.clean, *manifest.profiled, *(one for way in ways for one in (*way.requests, *way.beside))]
    if any(_whole_ns(request) > LONGEST_NS for request in requests):
        return "one of its requests took more than 104 days"
    counts = [(len(way.requests), column) for way in ways for column in (way.rounds, way.drafted, way.accepted)]
    tokens = [(len(request.decode_ns), request.step_tokens) for request in requests]
    if any(sum(column) > LONGEST_NS for _, column in (*counts, *tokens)):
        return "one of its counts adds up to more than can be"
    if any(column and len(column) != steps for steps, column in tokens):
        return "one of its requests has not as many steps as it has counts of their tokens"
    if any(column and len(column) != made for made, column in counts):
        return "one of its ways of working has not as many requests as it has counts of their rounds"
    return ""


def _whole_ns(request: Latencies) -> int:
    """All that a request took."""
    stages = (request.load_ns, request.preprocess_ns, request.vision_ns, request.prefill_ns, request.decode_whole_ns)
    return sum(stages) + request.outside_ns + request.outside_later_ns + sum(request.decode_ns)


def _version(data: bytes | msgspec.Raw) -> str | None:
    """What a manifest says that it is, where nothing else of it can be read."""
    try:
        return msgspec.json.decode(data, type=_Versioned).schema
    except (ValueError, RecursionError):
        return None


def to_mark(manifest: Manifest) -> str:
    """The manifest as the text of a mark, in which it travels in Nsight reports."""
    return MARK + encode(manifest).decode()


def from_marks(marks: Iterable[str]) -> Manifest | None:
    """The manifest out of the texts of marks; the last one counts."""
    found = [decode(mark.removeprefix(MARK).encode()) for mark in marks if mark.startswith(MARK)]
    return next((manifest for manifest in reversed(found) if manifest is not None), None)
