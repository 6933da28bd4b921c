"""Models that transformers has whole, behind the staged interface: features from the model's own call, spliced once.

Shape legend: B batch, S prompt length with placeholders, V visual tokens of a sequence, H text width.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any

import torch
import transformers

from model.costs import decoder_cost, tower_flops, tower_parameters
from model.decoding.answers import answer_over, decoders_for, stop_ids
from model.decoding.boundaries import step_boundaries
from model.decoding.passes import CachedPasses
from model.decoding.stops import stop_test
from model.inputs.batches import Loaded, batch_name, batches_of
from model.inputs.samples import read_sample
from model.parallel import describe, share_of
from model.registry import EAGER
from model.sizes import VLMSize
from model.staged import RequestCost, RequestShape, StageCost
from model.weights import left_pad

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from model.inputs.samples import Sample
    from model.registry import ModelOptions
    from model.vlm.family import Family


@dataclass(frozen=True, slots=True)
class VLMInputs:
    """One prepared request.

    Attributes:
        input_ids: int64 [B, S], each row with V placeholders, padded on the left.
        attention_mask: int64 [B, S], zero where padded.
        pixels: [B * F, 3, side, side] or [B, F, 3, side, side], preprocessed.
        frames: F.
    """

    input_ids: torch.Tensor
    attention_mask: torch.Tensor
    pixels: torch.Tensor
    frames: int


class StagedVLM:
    """Such a model cut at its stage boundaries; implements `model.staged.AnsweringModel`.

    Attributes:
        decoders: what makes the steps, where transformers' own way does not.
    """

    def __init__(
        self,
        family: Family,
        network: Any,
        size: VLMSize,
        options: ModelOptions,
        *,
        prompt_ids: Callable[[Sample, int], list[int]],
    ) -> None:
        self.network = network.eval().requires_grad_(False)
        self._family = family
        self._size = size
        self._options = options
        self._batches = batches_of(options)
        self._prompt_ids = prompt_ids
        self._placeholder: int = getattr(network.config, family.placeholder_key)
        self._stop_test = stop_test(network, stop_ids(network))
        eager = options.decode == EAGER
        self.decoders = None if eager else decoders_for(network, options.decode, self._lengths(), options.new_tokens)

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
        """The vision tower."""
        return [getattr(self.network.model, self._family.tower)]

    def load(self, number: int = 0) -> Loaded:
        """Read or decode the pictures of a batch, or synthesise event streams to draw."""
        batch = self._batches[number]
        return Loaded(batch, [read_sample(sample, self._frames) for sample in batch])

    def prompt_lengths(self) -> list[tuple[str, int]]:
        """Every sequence's name and the tokens of its prompt, visual ones included."""
        names = [one.name for batch in self._batches for one in batch]
        return list(zip(names, chain.from_iterable(self._lengths()), strict=True))

    def _lengths(self) -> list[list[int]]:
        """Of each batch the tokens of each prompt."""
        visual = self._frames * self._family.tokens_per_frame(self._size)
        return [[len(self._prompt_ids(one, visual)) for one in batch] for batch in self._batches]

    @property
    def _frames(self) -> int:
        return self._options.frames or self._size.frames

    def prepare(self, raw: Loaded) -> VLMInputs:
        """Run CLIP's preprocessing, and put pictures and prompts on the device."""
        pictures = list(chain.from_iterable(raw.pictures(self._frames)))
        pixels: torch.Tensor = self._processor(images=pictures, return_tensors="pt")["pixel_values"]
        pixels = pixels.to(device=self.device, dtype=self.network.dtype)
        visual_tokens = self._frames * self._family.tokens_per_frame(self._size)
        ids, mask = left_pad([self._prompt_ids(sample, visual_tokens) for sample in raw.batch], 0)
        return VLMInputs(
            input_ids=torch.tensor(ids, device=self.device),
            attention_mask=torch.tensor(mask, device=self.device),
            pixels=pixels.unflatten(0, (len(raw.batch), self._frames)) if self._family.frame_axis else pixels,
            frames=self._frames,
        )

    @cached_property
    def _processor(self) -> Any:
        # Both models' own preprocessing is CLIP's; this is the implementation that needs no torchvision.
        processor_class = getattr(transformers, "CLIPImageProcessorPil", None) or transformers.CLIPImageProcessor
        side = self._size.vision.image
        return processor_class(size={"shortest_edge": side}, crop_size={"height": side, "width": side})

    @torch.no_grad()
    def encode_vision(self, inputs: VLMInputs) -> torch.Tensor:
        """The model's own feature call, tower and projector: [B, V, H]."""
        encode = getattr(self.network.model, self._family.feature_call)
        output = encode(**{self._family.pictures_name: inputs.pixels})
        # The features of each picture; releases differ in what they wrap them in.
        features = getattr(output, "pooler_output", output)
        stacked = features if isinstance(features, torch.Tensor) else torch.cat(list(features))
        return stacked.reshape(inputs.input_ids.shape[0], -1, stacked.shape[-1])

    def answer(
        self, inputs: VLMInputs, features: torch.Tensor | None, *, max_new_tokens: int, next_step: Callable[[], None]
    ) -> torch.Tensor:
        """Greedy generation, transformers' own unless steps are made otherwise, which says when each step begins."""
        if self.decoders is not None:
            return answer_over(
                self.decoders,
                self.network,
                self._prompt(inputs, features),
                inputs.attention_mask,
                self._stop_test,
                max_new_tokens=max_new_tokens,
                next_step=next_step,
            )
        with step_boundaries(self.network, next_step):
            return self.generate(inputs, features, max_new_tokens=max_new_tokens)

    @torch.no_grad()
    def begin(self, inputs: VLMInputs, features: torch.Tensor) -> CachedPasses:
        """Splice, and run the decoder over the whole prompt, for passes over any number of tokens."""
        mask = inputs.attention_mask
        padded = bool((mask == 0).any())
        positions = (mask.cumsum(-1) - 1).clamp(min=0) if padded else None
        return CachedPasses(self.network, {"inputs_embeds": self._splice(inputs.input_ids, features)}, mask, positions)

    @torch.no_grad()
    def generate(self, inputs: VLMInputs, features: torch.Tensor | None, *, max_new_tokens: int) -> torch.Tensor:
        """transformers' own greedy generation: from the spliced prompt, or from prompt and pictures."""
        tokens: torch.Tensor = self.network.generate(
            **self._prompt(inputs, features),
            attention_mask=inputs.attention_mask,
            do_sample=False,
            max_new_tokens=max_new_tokens,
            use_cache=True,
        )
        return tokens if features is not None else tokens[:, inputs.input_ids.shape[1] :]

    def _prompt(self, inputs: VLMInputs, features: torch.Tensor | None) -> dict[str, torch.Tensor]:
        """What the prompt's pass is given: the spliced prompt, or prompt and pictures."""
        if features is None:
            return {"input_ids": inputs.input_ids, self._family.pictures_name: inputs.pixels}
        return {"inputs_embeds": self._splice(inputs.input_ids, features)}

    def _splice(self, input_ids: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        """Embed [B, S] to [B, S, H] and put the features [B, V, H] where the placeholders stand."""
        embeds: torch.Tensor = self.network.get_input_embeddings()(input_ids)
        places = (input_ids == self._placeholder)[..., None].expand_as(embeds)
        return embeds.masked_scatter(places, features.to(embeds.dtype))

    def expected_encoder_calls(self, inputs: VLMInputs) -> int:  # noqa: ARG002 -- part of the interface
        """All pictures go through the tower together."""
        return 1

    def shape(self, inputs: VLMInputs) -> RequestShape:
        """Token counts of a prepared request."""
        visual_tokens = inputs.frames * self._family.tokens_per_frame(self._size)
        return RequestShape(
            batch_size=inputs.input_ids.shape[0],
            frames=inputs.frames,
            visual_tokens=visual_tokens,
            prompt_tokens=inputs.input_ids.shape[1] - visual_tokens,
        )

    def cost(self, shape: RequestShape, *, new_tokens: int) -> RequestCost | None:
        """Analytic work of such a request, on this rank; None for a quantised network, whose bytes are others."""
        if self._quantised is not None:
            return None
        itemsize = self.network.dtype.itemsize
        text, prompt = share_of(self._size.text, self._options.ranks), shape.visual_tokens + shape.prompt_tokens
        return RequestCost(
            vision=self._vision_cost(shape, itemsize),
            prefill=decoder_cost(text, shape.batch_size, prompt, 0, itemsize),
            decode=tuple(
                decoder_cost(text, shape.batch_size, 1, prompt + step - 1, itemsize) for step in range(1, new_tokens)
            ),
        )

    def _vision_cost(self, shape: RequestShape, itemsize_bytes: int) -> StageCost:
        vision, hidden = self._size.vision, self._size.text.hidden
        pictures = shape.batch_size * shape.frames
        projector = vision.hidden * hidden + hidden * hidden
        tokens = self._family.tokens_per_frame(self._size)
        return StageCost(
            flops=pictures * (tower_flops(vision) + 2 * tokens * projector),
            weight_bytes=itemsize_bytes * (tower_parameters(vision) + projector + 2 * hidden),
            kv_bytes=0,
        )

    @property
    def _quantised(self) -> str | None:
        config = getattr(self.network.config, "quantization_config", None)
        return None if config is None else str(getattr(config, "quant_method", "unknown"))

    def describe(self) -> dict[str, Any]:
        """Name, size, weights and configuration."""
        described = {
            "name": self._family.name,
            "size": self._size.name,
            "weights": "checkpoint" if self._options.checkpoint else "random",
            "parameters": sum(parameter.numel() for parameter in self.network.parameters()),
            "config": asdict(self._size),
            "batch_frames": True,
            "decode": self._options.decode,
            "input": self.samples[0] if self._options.dataset is None else self._options.dataset.name,
            **describe(self._options),
        }
        return described if self._quantised is None else described | {"quantised": self._quantised}
