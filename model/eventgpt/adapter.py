"""EventGPT behind the staged interface."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
import transformers

from model.decoding.answers import decoders_for
from model.decoding.caches import cache_of, given
from model.decoding.passes import CachedPasses
from model.decoding.stops import stop_test
from model.errors import InputError
from model.eventgpt.cost import request_cost
from model.eventgpt.network import EventGPT
from model.inputs.batches import Loaded, batch_name, batches_of
from model.inputs.pictures import list_pictures
from model.inputs.samples import read_sample
from model.parallel import describe, share_of
from model.registry import EAGER
from model.sizes import VLMSize
from model.staged import DecodeState, RequestCost, RequestShape
from model.weights import left_pad

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from model.inputs.samples import Sample
    from model.registry import ModelOptions


@dataclass(frozen=True, slots=True)
class EventInputs:
    """One prepared request.

    Attributes:
        input_ids: int64 [B, S], the prompts, each with one EVENT_TOKEN_INDEX, padded on the left.
        attention_mask: int64 [B, S], zero where padded.
        frames: of each sequence, F tensors [3, side, side], preprocessed.
        ragged: whether any prompt was padded.
    """

    input_ids: torch.Tensor
    attention_mask: torch.Tensor
    frames: tuple[tuple[torch.Tensor, ...], ...]
    ragged: bool


class StagedEventGPT:
    """EventGPT cut at its stage boundaries; implements `model.staged.SteppedModel`.

    Attributes:
        decoders: what makes the steps, where transformers' own way does not.
    """

    def __init__(
        self,
        network: EventGPT,
        size: VLMSize,
        options: ModelOptions,
        *,
        prompt_ids: Callable[[Sample], list[int]],
        stop_ids: frozenset[int] = frozenset(),
    ) -> None:
        self.network = network.eval()
        self._size = size
        self._options = options
        self._batches = batches_of(options)
        self._prompt_ids = prompt_ids
        self._stop_test = stop_test(network, stop_ids)
        lengths = [[self.length(sample) for sample in batch] for batch in self._batches]
        eager = options.decode == EAGER
        self.decoders = None if eager else decoders_for(network, options.decode, lengths, options.new_tokens)

    @property
    def samples(self) -> Sequence[str]:
        """The batches' names."""
        return [batch_name(batch) for batch in self._batches]

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        device: torch.device = self.network.device
        return device

    @property
    def encoders(self) -> list[torch.nn.Module]:
        """The CLIP tower."""
        return [self.network.model.visual_tower]

    def load(self, number: int = 0) -> Loaded:
        """Read the event files, decode the pictures or videos, or synthesise streams."""
        batch = self._batches[number]
        # A folder gives all of its pictures where --frames does not say how many, a video as many as a stream.
        frames = self._options.frames
        return Loaded(batch, [read_sample(one, frames or self._frames_of(one)) for one in batch])

    def _frames_of(self, sample: Sample) -> int | None:
        return None if sample.path is not None and sample.path.is_dir() else self._size.frames

    def prepare(self, raw: Loaded) -> EventInputs:
        """Rasterise, run CLIP's preprocessing, and put frames and prompts on the device."""
        frames = self._options.frames or self._size.frames
        sequences = raw.pictures(frames)
        if len({len(pictures) for pictures in sequences}) > 1:
            raise InputError(
                f"{batch_name(raw.batch)}: the sequences of a batch need as many frames each; use --frames"
            )
        pictures = [picture for sequence in sequences for picture in sequence]
        pixels: torch.Tensor = self._processor(images=pictures, return_tensors="pt")["pixel_values"]
        pixels = pixels.to(device=self.device, dtype=self.network.dtype)
        rows = [self._prompt_ids(sample) for sample in raw.batch]
        ids, mask = left_pad(rows, 0)
        return EventInputs(
            input_ids=torch.tensor(ids, device=self.device),
            attention_mask=torch.tensor(mask, device=self.device),
            frames=tuple(part.unbind(0) for part in pixels.chunk(len(rows))),
            ragged=len(set(map(len, rows))) > 1,
        )

    @cached_property
    def _processor(self) -> Any:
        # The NumPy and Pillow implementation has its own name since the plain one came to mean torchvision's,
        # whose pixels differ and which need not be installed.
        pillow_class = getattr(transformers, "CLIPImageProcessorPil", None)
        processor_class = pillow_class or transformers.CLIPImageProcessor
        side = self._size.vision.image
        return processor_class(size={"shortest_edge": side}, crop_size={"height": side, "width": side})

    def encode_vision(self, inputs: EventInputs) -> torch.Tensor:
        """Tower, projector, adaptor and pooling: [B, F + P, H]."""
        features: torch.Tensor = self.network.encode_events(inputs.frames)
        return features

    def _spliced(
        self, inputs: EventInputs, features: torch.Tensor | None
    ) -> tuple[torch.Tensor | None, torch.Tensor, torch.Tensor | None]:
        """The embedded prompt [B, L, H], its mask [B, L], and its positions where any is padded."""
        prepared = self.network.prepare_inputs_labels_for_multimodal(
            inputs.input_ids,
            None,
            inputs.attention_mask,
            None,
            None,
            event_tensors=inputs.frames if features is None else None,
            event_features=features,
        )
        mask = prepared.attention_mask
        assert mask is not None  # noqa: S101 -- one was given
        return prepared.inputs_embeds, mask, (mask.cumsum(-1) - 1).clamp(min=0) if inputs.ragged else None

    def begin(self, inputs: EventInputs, features: torch.Tensor | None) -> CachedPasses:
        """Splice, and run the decoder over the whole prompt, for passes over any number of tokens."""
        embeds, mask, positions = self._spliced(inputs, features)
        return CachedPasses(self.network, {"inputs_embeds": embeds}, mask, positions)

    @torch.no_grad()
    def prefill(self, inputs: EventInputs, features: torch.Tensor | None) -> DecodeState:
        """Splice, run the decoder over the whole prompt, and choose token 0."""
        embeds, mask, positions = self._spliced(inputs, features)
        cache, given_mask = (None, mask) if self.decoders is None else self.decoders.begin(mask)
        output = self.network(
            inputs_embeds=embeds,
            attention_mask=given_mask,
            position_ids=positions,
            **given(cache),
            use_cache=True,
            logits_to_keep=1,
        )
        return self._state(
            tokens=_greedy(output.logits),
            attention_mask=mask,
            cache=cache_of(output),
            positions=None if positions is None else positions[:, -1:] + 1,
        )

    @torch.no_grad()
    def decode_step(self, state: DecodeState) -> DecodeState:
        """Run the decoder over the last token and choose the next.

        The mask grows and is passed on at every step although nothing is masked, because that is what
        transformers' `generate` does, and its cost is part of what a person measures there.
        """
        last = state.tokens[:, -1:]
        if self.decoders is not None:
            return self._state(
                self.decoders.step(last), before=state, attention_mask=state.attention_mask, cache=state.cache
            )
        mask = torch.cat([state.attention_mask, torch.ones_like(last)], dim=-1)
        output = self.network(
            input_ids=last,
            attention_mask=mask,
            position_ids=state.positions,
            **given(state.cache),
            use_cache=True,
            logits_to_keep=1,
        )
        return self._state(
            _greedy(output.logits),
            before=state,
            attention_mask=mask,
            cache=cache_of(output),
            positions=None if state.positions is None else state.positions + 1,
        )

    def _state(
        self,
        tokens: torch.Tensor,
        *,
        before: DecodeState | None = None,
        attention_mask: torch.Tensor,
        cache: Any,
        positions: torch.Tensor | None = None,
    ) -> DecodeState:
        """The state after these tokens, [B, 1], padded where a sequence has stopped, as `generate` pads."""
        tokens, stopped = self._stop_test(tokens, None if before is None else before.stopped)
        return DecodeState(
            tokens=tokens if before is None else torch.cat([before.tokens, tokens], dim=-1),
            attention_mask=attention_mask,
            cache=cache,
            finished=stopped is not None and bool(stopped.all()),
            positions=positions,
            stopped=stopped,
        )

    @property
    def all_samples(self) -> list[Sample]:
        """Every sequence's sample, batch by batch."""
        return [sample for batch in self._batches for sample in batch]

    def length(self, sample: Sample) -> int:
        """Positions of a sample's prompt, its visual tokens included, found without reading its pictures."""
        return self.visual_tokens(sample) + len(self._prompt_ids(sample)) - 1

    def visual_tokens(self, sample: Sample) -> int:
        """Visual tokens of a sample, found likewise."""
        frames = self._options.frames or self._frames_of(sample)
        if frames is None:
            assert sample.path is not None  # noqa: S101 -- only a folder's pictures are not counted beforehand
            frames = len(list_pictures(sample.path))
        return frames + self._size.vision.tokens

    def generate(self, inputs: EventInputs, features: torch.Tensor | None, *, max_new_tokens: int) -> torch.Tensor:
        """transformers' own greedy generation."""
        tokens: torch.Tensor = self.network.generate(
            inputs.input_ids,
            event_tensors=inputs.frames if features is None else None,
            event_features=features,
            attention_mask=inputs.attention_mask,
            do_sample=False,
            max_new_tokens=max_new_tokens,
            use_cache=True,
        )
        return tokens

    def expected_encoder_calls(self, inputs: EventInputs) -> int:
        """One for each frame, or one for each sequence with `batch_frames`."""
        return len(inputs.frames) * (1 if self.network.batch_frames else len(inputs.frames[0]))

    def shape(self, inputs: EventInputs) -> RequestShape:
        """Token counts of a prepared request."""
        frames = len(inputs.frames[0])
        return RequestShape(
            batch_size=inputs.input_ids.shape[0],
            frames=frames,
            visual_tokens=frames + self._size.vision.tokens,
            prompt_tokens=inputs.input_ids.shape[1] - 1,
        )

    def cost(self, shape: RequestShape, *, new_tokens: int) -> RequestCost:
        """Analytic work of such a request, on this rank."""
        return request_cost(
            replace(self._size, text=share_of(self._size.text, self._options.ranks)),
            shape,
            new_tokens=new_tokens,
            itemsize_bytes=self.network.dtype.itemsize,
            batch_frames=self.network.batch_frames,
        )

    def describe(self) -> dict[str, Any]:
        """Name, size, weights and configuration."""
        return {
            "name": "eventgpt",
            "size": self._size.name,
            "weights": "checkpoint" if self._options.checkpoint else "random",
            "parameters": sum(parameter.numel() for parameter in self.network.parameters()),
            "config": asdict(self._size),
            "batch_frames": self.network.batch_frames,
            "decode": self._options.decode,
            "input": self.samples[0] if self._options.dataset is None else self._options.dataset.name,
            **describe(self._options),
        }


def _greedy(logits: torch.Tensor) -> torch.Tensor:
    """The likeliest token, int64 [B, 1], from logits [B, 1, vocabulary]; in float32, as `generate` does."""
    return logits[:, -1].float().argmax(dim=-1, keepdim=True)
