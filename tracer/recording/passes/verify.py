"""The verify pass: proof that the stages are the model."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec
import torch
from torch.utils._pytree import tree_flatten

from model.registry import EAGER
from model.staged import run_request
from tracer.document.errors import VerificationError
from tracer.document.manifest import Verification
from tracer.recording.encoders import EncoderWatch
from tracer.recording.world.world import ALONE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from model.staged import StagedModel
    from tracer.recording.options import RecordOptions
    from tracer.recording.world.world import World


# Answers that each shape's proof takes: the stages', and the model's own from features and from pictures.
STEPS = 3


def distinct_shapes(model: StagedModel[Any, Any], numbers: Iterable[int]) -> list[int]:
    """Of these samples the first of each shape: token counts, sequences, and where shorter ones are padded."""
    first: dict[Any, int] = {}
    for number in numbers:
        inputs = model.prepare(model.load(number))
        first.setdefault((model.shape(inputs), _padding(inputs)), number)
    return list(first.values())


def _padding(inputs: Any) -> tuple[int, ...]:
    """The tokens of each sequence, where the inputs have a mask."""
    mask = getattr(inputs, "attention_mask", None)
    return tuple(mask.sum(dim=-1).tolist()) if isinstance(mask, torch.Tensor) else ()


def verify_pass(
    model: StagedModel[Any, Any],
    options: RecordOptions,
    numbers: Sequence[int],
    advance: Callable[[], None],
    world: World = ALONE,
) -> Verification:
    """Prove that the stages are the model: same tokens, same features, each picture encoded once.

    The comparison runs on deterministic kernels. Others may give the same model other tokens from run to run
    (cuDNN's attention does, on an H200), which says nothing about the stages.

    Args:
        model: to be recorded.
        options: of the recording.
        numbers: of the samples, one of each shape that is going to be measured (`distinct_shapes`).
        advance: is told of each answer, `STEPS` for each sample.
        world: the other ranks, whose tokens must be the same.

    Raises:
        VerificationError: they are not.
    """
    with deterministic_kernels():
        proofs = [_verify(model, options, number, advance, world, several=len(numbers) > 1) for number in numbers]
    differing = next((proof for proof in proofs if proof.first_difference is not None), None)
    return msgspec.structs.replace(
        differing or proofs[0],
        tokens=sum(proof.tokens for proof in proofs),
        shapes=len(proofs),
        shapes_verified=sum(proof.status == "passed" for proof in proofs),
    )


def _verify(
    model: StagedModel[Any, Any],
    options: RecordOptions,
    number: int,
    advance: Callable[[], None],
    world: World,
    *,
    several: bool,
) -> Verification:
    name = f"{model.samples[number]}: " if several else ""
    with EncoderWatch(model.encoders) as encoder:
        staged = run_request(model, number, max_new_tokens=options.max_new_tokens, couple=options.couple)
    if (other := world.alike(staged.cpu().numpy().tobytes())) is not None:
        raise VerificationError(f"{name}rank {other} chose other tokens than rank 0, of logits that must be the same")
    advance()
    inputs = model.prepare(model.load(number))
    features = model.encode_vision(inputs)
    if not _same(features, model.encode_vision(inputs)):
        raise VerificationError(f"{name}encoding the same pictures twice gave different features")
    difference = None
    for argument, given in (("features", features), ("pictures", None)):
        stock = model.generate(inputs, given, max_new_tokens=options.max_new_tokens)
        if options.model_options.decode == EAGER:
            _compare(staged, stock, name, argument)
        else:  # other kernels, whose rounding may choose another token: said, not refused
            difference = first_difference(staged, stock) if difference is None else difference
        advance()
    expected = model.expected_encoder_calls(inputs) * (2 if options.couple else 1)
    if encoder.calls != expected:
        raise VerificationError(f"{name}the vision encoder ran {encoder.calls} times in a request, not {expected}")
    return Verification(
        status="passed" if difference is None else "differs",
        tokens=staged.numel(),
        first_difference=difference,
        encoder_calls=encoder.calls,
        expected_encoder_calls=expected,
    )


def _same(one: Any, other: Any) -> bool:
    """Whether two trees of tensors are equal."""
    (leaves, spec), (others, other_spec) = tree_flatten(one), tree_flatten(other)
    return spec == other_spec and all(
        torch.equal(a, b) if isinstance(a, torch.Tensor) else bool(a == b) for a, b in zip(leaves, others, strict=True)
    )


@contextmanager
def deterministic_kernels() -> Iterator[None]:
    """Ask torch for kernels that give the same bits each time, and put everything back afterwards."""
    algorithms = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    cudnn_attention = torch.backends.cuda.cudnn_sdp_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cuda.enable_cudnn_sdp(False)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*deterministic.*")
            yield
    finally:
        torch.use_deterministic_algorithms(algorithms, warn_only=warn_only)
        torch.backends.cuda.enable_cudnn_sdp(cudnn_attention)


def first_difference(staged: torch.Tensor, stock: torch.Tensor) -> int | None:
    """The first token index at which two answers [B, N] differ, the shorter one's end included; None if nowhere."""
    length = min(staged.shape[1], stock.shape[1])
    different = (staged[:, :length] != stock[:, :length]).any(dim=0).nonzero()
    if len(different):
        return int(different[0])
    return None if staged.shape == stock.shape else length


def _compare(staged: torch.Tensor, stock: torch.Tensor, name: str, argument: str) -> None:
    """Raise VerificationError unless the tokens [B, N] are equal."""
    if torch.equal(staged, stock):
        return
    if staged.shape != stock.shape:
        found = f"{staged.shape[1]} tokens instead of {stock.shape[1]}"
    else:
        row, step = (staged != stock).nonzero()[0].tolist()
        found = f"token {step} is {staged[row, step]} instead of {stock[row, step]}"
    raise VerificationError(
        f"{name}the staged run disagrees with the model's own generate, given {argument}: {found}; "
        "--no-verify records it all the same"
    )
