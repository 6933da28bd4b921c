"""Recording two models: building the pair, proving it, and the clean passes that set ways of working side by side."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

from model import registry
from model.speculative.loop import stops_of
from model.speculative.pair import SCHEDULES, Speculating, SpeculativePair
from model.staged import run_request
from tracer.document.errors import InputError, VerificationError
from tracer.document.manifest import DRAFT_ALONE, TARGET_ALONE, Cell, Drafting, Verification, Way
from tracer.recording.own.files import called
from tracer.recording.own.spelling import parse
from tracer.recording.passes.clean import Clean, clean_pass
from tracer.recording.passes.ties import Tie, tie_of
from tracer.recording.passes.verify import STEPS, deterministic_kernels, first_difference, verify_pass
from tracer.recording.write.output import atomic_writer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import torch

    from model.registry import ModelOptions
    from model.speculative.mapping import Vocabularies
    from tracer.recording import options as asked
    from tracer.recording.options import RecordOptions
    from tracer.recording.progress import Progress

SWEEP = ".sweep.json"


def paired(target: Any, options: RecordOptions, drafting: asked.Drafting) -> SpeculativePair:
    """The target with its draft.

    Raises:
        ModelError: the draft cannot be built, or does not suit.
        TracerError: the mapping cannot be loaded.
    """
    # Whether they can be a pair is asked there.
    draft: Any = registry.find(drafting.model).build(draft_options(options.model_options, drafting))
    how = Speculating(
        count=drafting.tokens,
        shares=drafting.acceptance,
        schedule=drafting.schedule,
        seed=options.model_options.seed,
    )
    pair = SpeculativePair(target, draft, how)
    if drafting.mapping is None:
        return pair
    return SpeculativePair(target, draft, how, _mapping(drafting.mapping, *pair.vocabularies))


def draft_options(target: ModelOptions, drafting: asked.Drafting) -> ModelOptions:
    """The target's options, but those that are the draft's own."""
    entry = registry.find(drafting.model)
    size = drafting.size or (target.size if target.size in entry.sizes else next(iter(entry.sizes), ""))
    return replace(
        target,
        size=size,
        checkpoint=drafting.checkpoint,
        device=drafting.device or target.device,
        frames=None,
        prompt=target.prompt if drafting.checkpoint or entry.folder else None,
    )


def _mapping(text: str, draft_size: int, target_size: int) -> Vocabularies:
    file = parse(text)
    assert file is not None  # noqa: S101 -- the command line has looked at it
    mapping: Vocabularies = called(file, draft_size, target_size)
    if missing := [name for name in ("to_target", "to_draft") if not callable(getattr(mapping, name, None))]:
        raise InputError(f"{text}: what it returns has no {' and no '.join(missing)}")
    return mapping


def verify_both(
    pair: SpeculativePair, options: RecordOptions, numbers: Sequence[int], progress: Progress
) -> Verification:
    """Prove that target and draft are their models, and that the rounds yield the target's own tokens.

    Raises:
        VerificationError: it is not so.
    """
    for name, model in (("verify target", pair.target), ("verify draft", pair.draft)):
        progress.begin(name, STEPS * len(numbers))
        verify_pass(model, options, numbers, progress.advance)
    progress.begin("verify", len(numbers))
    with deterministic_kernels():
        proofs = [_verify_rounds(pair, number, options.max_new_tokens, progress.advance) for number in numbers]
    differing = next((proof for proof in proofs if proof.first_difference is not None), proofs[0])
    return msgspec.structs.replace(
        differing,
        tokens=sum(proof.tokens for proof in proofs),
        shapes=len(proofs),
        shapes_verified=sum(proof.status == "passed" for proof in proofs),
    )


def _verify_rounds(
    pair: SpeculativePair, number: int, max_new_tokens: int, advance: Callable[[], None]
) -> Verification:
    said = run_request(pair, number, max_new_tokens=max_new_tokens)
    inputs = pair.prepare(pair.load(number))
    features = pair.encode_vision(inputs)
    stock = pair.generate(inputs, features, max_new_tokens=max_new_tokens)
    first, tie = first_difference(said, stock), None
    if first is not None:
        if why := _no_tie(pair, said, first, max_new_tokens, stock.shape[1]):
            raise _differs(pair.samples[number], why)
        passes = pair.how.count + 1
        tie = tie_of(lambda: pair.target.begin(inputs.target, features[0]), pair.target.network, said, passes)
        if not tie.by_rounding:
            raise _differs(pair.samples[number], _otherwise(tie, first))
    advance()
    calls = pair.expected_encoder_calls(inputs)
    return Verification(
        status="passed" if first is None else "differs",
        tokens=said.numel(),
        first_difference=first,
        margin=None if tie is None else tie.margin,
        rounding=None if tie is None else tie.rounding,
        encoder_calls=calls,
        expected_encoder_calls=calls,
    )


def _no_tie(pair: SpeculativePair, said: torch.Tensor, first: int, limit: int, stock_tokens: int) -> str:
    """Where an answer differs that no rounding explains: in token 0, which no round yields, or its length; else ""."""
    if first == 0:
        return "in token 0"
    stops = stops_of(pair.target.network)[0]
    ended = all(any(token in stops for token in row) for row in said.tolist())
    return "" if ended or said.shape[1] == limit else f"in its end, behind {said.shape[1]} tokens of {stock_tokens}"


def _otherwise(tie: Tie, first: int) -> str:
    """Where an answer differs, and why that is no tie."""
    text = f"from token {first} on: {tie.said}"
    if tie.exact:
        return f"{text}, and weights of this type must give the same"
    return f"{text}: that is no rounding" if tie.alike else f"{text}, which is more than their type rounds"


def _differs(sample: str, where: str) -> VerificationError:
    return VerificationError(
        f"{sample}: what the rounds yield differs from the target's own generate {where}; --no-verify records it all "
        "the same"
    )


def drafting_passes(
    pair: SpeculativePair, options: RecordOptions, requests: int, progress: Progress, *, verified: bool
) -> Drafting:
    """The clean passes beside the one that was asked for: each model alone, both in the other schedule, and a sweep."""
    drafting = options.drafting
    assert drafting is not None  # noqa: S101 -- there is a pair
    turns = options.schedule.warmup + requests

    def measured(name: str, model: Any) -> Way:
        progress.begin(name, turns)
        return way(name, clean_pass(model, options, requests, progress.advance))

    ways = [measured(TARGET_ALONE, pair.target), measured(DRAFT_ALONE, pair.draft)]
    ways += [
        measured(schedule, pair.with_(schedule=schedule)) for schedule in SCHEDULES if schedule != pair.how.schedule
    ]
    counts, acceptances = drafting.sweep
    cells = []
    for count in counts:
        for acceptance in acceptances:
            one = measured(
                f"k={count}" + (f" at {acceptance[0]:.0%}" if acceptance else ""),
                pair.with_(count=count, shares=acceptance),
            )
            cells.append(Cell(tokens=count, acceptance=list(acceptance), way=one))
    return Drafting(
        draft=dict(pair.draft.describe()),
        device=str(pair.draft.device),
        tokens=pair.how.count,
        schedule=pair.how.schedule,
        mapping=drafting.mapping or pair.mapping_name,
        acceptance=list(pair.how.shares),
        seed=pair.how.seed,
        verified=verified,
        ways=ways,
        sweep=cells,
    )


def with_clean(drafting: Drafting, clean: Clean) -> Drafting:
    """Beside the others, the pass that was asked for."""
    return msgspec.structs.replace(drafting, ways=[*drafting.ways, way(drafting.schedule, clean)])


def way(name: str, clean: Clean) -> Way:
    """What a clean pass measured, by the name of what worked in it."""
    rounds = [request for request in clean.checks if request]
    return Way(
        name=name,
        requests=clean.latencies,
        rounds=[len(request) for request in rounds],
        drafted=[sum(drafted for drafted, _ in request) for request in rounds],
        accepted=[sum(accepted for _, accepted in request) for request in rounds],
        beside=clean.beside,
    )


def sweep_path(output: Path) -> Path:
    """Where the points of a sweep go: beside the trace, under its stem."""
    return output.with_name(output.name.removesuffix(".gz").removesuffix(".json") + SWEEP)


def write_sweep(output: Path, drafting: Drafting | None) -> None:
    """The points of a sweep as JSON of their own, where there are any; they are in the manifest too."""
    if drafting is not None and drafting.sweep:
        encoded = msgspec.json.format(msgspec.json.encode(drafting.sweep), indent=1)
        with atomic_writer(sweep_path(output)) as file:
            file.write(encoded + b"\n")
