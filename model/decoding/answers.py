"""Stage 4 over a static cache, of any decoder of transformers: the prompt's pass, then a step for each token.

Shape legend: B sequences, L prompt length, N new tokens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from model.decoding.caches import given
from model.decoding.passes import greedy
from model.decoding.static import StaticDecoder, StaticDecoders
from model.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from model.decoding.stops import StopTest

# What `generate` does to the logits beside taking the likeliest token, as a generation configuration asks for it.
PLAIN: Mapping[str, tuple[Any, ...]] = {
    "num_beams": (1,),
    "repetition_penalty": (1.0,),
    "encoder_repetition_penalty": (1.0,),
    "no_repeat_ngram_size": (0,),
    "encoder_no_repeat_ngram_size": (0,),
    "min_length": (0,),
    "min_new_tokens": (0,),
    "bad_words_ids": ([],),
    "sequence_bias": ({}, []),
    "suppress_tokens": ([],),
    "begin_suppress_tokens": ([],),
    "forced_bos_token_id": (),
    "forced_eos_token_id": (),
    "exponential_decay_length_penalty": (),
    "guidance_scale": (1, 1.0),
    "prompt_lookup_num_tokens": (),
}


def require_plain(network: Any, mode: str) -> None:
    """Refuse a model that a loop of plain greedy steps is not.

    Raises:
        ModelError: so it is.
    """
    if getattr(network.config, "is_encoder_decoder", False):
        raise ModelError(
            f"--decode {mode}: {type(network).__name__} has an encoder's cache too; --decode eager takes it"
        )
    told = network.generation_config
    asked = [
        name for name, plain in PLAIN.items() if (value := getattr(told, name, None)) is not None and value not in plain
    ]
    if asked:
        raise ModelError(
            f"--decode {mode}: its generation configuration asks for {', '.join(asked)}, and these steps take the "
            "likeliest token; --decode eager does what it asks for"
        )


def decoders_for(network: Any, mode: str, lengths: Sequence[Sequence[int]], new_tokens: int) -> StaticDecoders:
    """What makes the steps of batches whose sequences have these lengths; caches as long as request and answer.

    All have the longest request's length, so that a step has the same shapes whatever it is given.

    Args:
        network: a decoder of transformers.
        mode: one of `DECODE_MODES`, not eager.
        lengths: of each batch the positions of each of its prompts, visual tokens included.
        new_tokens: of the longest answer.

    Raises:
        ModelError: the model, this machine or this transformers cannot do it.
    """
    positions = max(map(max, lengths)) + new_tokens
    sizes = sorted(set(map(len, lengths)))
    padded = {size: any(len(set(batch)) > 1 for batch in lengths if len(batch) == size) for size in sizes}
    return StaticDecoders(
        {
            size: StaticDecoder(network, mode, batch_size=size, positions=positions, padded=padded[size])
            for size in sizes
        }
    )


def stop_ids(network: Any) -> Iterable[int]:
    """The tokens at which `generate` of the network stops, in its order."""
    told: int | list[int] | None = network.generation_config.eos_token_id
    return () if told is None else (told,) if isinstance(told, int) else told


@torch.no_grad()
def answer_over(
    decoders: StaticDecoders,
    network: Any,
    prompt: Mapping[str, Any],
    mask: torch.Tensor,
    stop: StopTest,
    *,
    max_new_tokens: int,
    next_step: Callable[[], None],
) -> torch.Tensor:
    """The greedy answer, int64 [B, N].

    Args:
        decoders: what makes the steps.
        network: a decoder of transformers.
        prompt: what the prompt's pass is given beside mask and positions.
        mask: int64 [B, L], zero where padded.
        stop: its stopping test.
        max_new_tokens: of the answer, at most.
        next_step: called where a decode step ends and the next begins.

    Raises:
        ModelError: the cache is too short, or the step cannot be captured.
    """
    cache, given_mask = decoders.begin(mask)
    output = network(
        **prompt,
        attention_mask=given_mask,
        position_ids=None if given_mask is None else (mask.cumsum(-1) - 1).clamp(min=0),
        **given(cache),
        use_cache=True,
        logits_to_keep=1,
    )
    token, stopped = stop(greedy(output.logits[:, -1:]), None)
    tokens = [token]
    for _ in range(1, max_new_tokens):
        if stopped is not None and bool(stopped.all()):
            break
        next_step()
        token, stopped = stop(decoders.step(token), stopped)
        tokens.append(token)
    return torch.cat(tokens, dim=-1)
