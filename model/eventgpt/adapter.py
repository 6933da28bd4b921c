"""EventGPT behind the staged interface."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
import transformers

from model.errors import CheckpointError, InputError, ModelError
from model.eventgpt import checkpoint
from model.eventgpt.cost import request_cost
from model.eventgpt.decoding import StaticDecoder
from model.eventgpt.events import EventStream, read_events, synthetic_events
from model.eventgpt.frames import Picture, list_pictures, rasterise, read_picture
from model.eventgpt.network import EVENT_TOKEN_INDEX, EventGPT, text_config, vision_config
from model.eventgpt.sizes import SIZES, EventGPTSize
from model.registry import EAGER
from model.staged import DecodeState, RequestCost, RequestShape

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from model.registry import ModelOptions

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model")
DEFAULT_PROMPT = "What are the key elements in this scene?"
# Vicuna v1.1's template, which LLaVA and EventGPT were tuned with.
TEMPLATE = (
    "A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, "
    "detailed, and polite answers to the user's questions. USER: <event>\n{prompt} ASSISTANT:"
)


@dataclass(frozen=True, slots=True)
class EventInputs:
    """One prepared request.

    Attributes:
        input_ids: int64 [1, S], the prompt with one EVENT_TOKEN_INDEX.
        frames: F tensors [3, side, side], preprocessed.
    """

    input_ids: torch.Tensor
    frames: tuple[torch.Tensor, ...]


class StagedEventGPT:
    """EventGPT cut at its stage boundaries; implements `model.staged.StagedModel`."""

    def __init__(
        self,
        network: EventGPT,
        size: EventGPTSize,
        options: ModelOptions,
        *,
        prompt_ids: Sequence[int],
        stop_ids: frozenset[int] = frozenset(),
    ) -> None:
        self.network = network.eval()
        self._size = size
        self._options = options
        self._prompt_ids = list(prompt_ids)
        self._decoder: StaticDecoder | None = None
        self._stop_ids = torch.tensor(sorted(stop_ids), device=network.device) if stop_ids else None

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        device: torch.device = self.network.device
        return device

    @property
    def encoders(self) -> list[torch.nn.Module]:
        """The CLIP tower."""
        return [self.network.model.visual_tower]

    def load(self) -> EventStream | list[Picture]:
        """Read the event file, decode the pictures of a folder, or synthesise a stream."""
        events = self._options.events
        if events is None:
            return synthetic_events(self._options.seed)
        if not events.is_dir():
            return read_events(events)
        pictures = list_pictures(events)
        wanted = self._options.frames or len(pictures)
        if len(pictures) < wanted:
            raise InputError(f"{events}: holds {len(pictures)} pictures, --frames asks for {wanted}")
        return [read_picture(path) for path in pictures[:wanted]]

    def prepare(self, raw: EventStream | list[Picture]) -> EventInputs:
        """Rasterise, run CLIP's preprocessing, and put frames and prompt on the device."""
        frames = self._options.frames or self._size.frames
        pictures = rasterise(raw, frames) if isinstance(raw, EventStream) else raw
        pixels: torch.Tensor = self._processor(images=pictures, return_tensors="pt")["pixel_values"]
        pixels = pixels.to(device=self.device, dtype=self.network.dtype)
        return EventInputs(
            input_ids=torch.tensor([self._prompt_ids], device=self.device),
            frames=tuple(pixels.unbind(0)),
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
        """Tower, projector, adaptor and pooling: [1, F + P, H]."""
        features: torch.Tensor = self.network.encode_events(inputs.frames)
        return features

    @torch.no_grad()
    def prefill(self, inputs: EventInputs, features: torch.Tensor | None) -> DecodeState:
        """Splice, run the decoder over the whole prompt, and choose token 0."""
        prepared = self.network.prepare_inputs_labels_for_multimodal(
            inputs.input_ids,
            None,
            torch.ones_like(inputs.input_ids),
            None,
            None,
            event_tensors=inputs.frames if features is None else None,
            event_features=features,
        )
        decoder = self._static_decoder(inputs)
        output = self.network(
            inputs_embeds=prepared.inputs_embeds,
            attention_mask=None if decoder else prepared.attention_mask,
            past_key_values=decoder.empty_cache() if decoder else None,
            use_cache=True,
            logits_to_keep=1,
        )
        token = _greedy(output.logits)
        return DecodeState(
            tokens=token,
            attention_mask=prepared.attention_mask,
            cache=output.past_key_values,
            finished=self._all_stopped(token),
        )

    def _static_decoder(self, inputs: EventInputs) -> StaticDecoder | None:
        """What makes the steps when transformers' own way is not wanted; its cache is as long as request and answer."""
        if self._options.decode == EAGER:
            return None
        if self._decoder is None:
            shape = self.shape(inputs)
            positions = shape.visual_tokens + shape.prompt_tokens + self._options.new_tokens
            self._decoder = StaticDecoder(self.network, self._options.decode, positions)
        return self._decoder

    @torch.no_grad()
    def decode_step(self, state: DecodeState) -> DecodeState:
        """Run the decoder over the last token and choose the next.

        The mask grows and is passed on at every step although nothing is masked, because that is what
        transformers' `generate` does, and its cost is part of what a person measures there.
        """
        last = state.tokens[:, -1:]
        if self._decoder is not None:
            token = self._decoder.step(last)
            return replace(state, tokens=torch.cat([state.tokens, token], dim=-1), finished=self._all_stopped(token))
        mask = torch.cat([state.attention_mask, torch.ones_like(last)], dim=-1)
        output = self.network(
            input_ids=last,
            attention_mask=mask,
            past_key_values=state.cache,
            use_cache=True,
            logits_to_keep=1,
        )
        token = _greedy(output.logits)
        return DecodeState(
            tokens=torch.cat([state.tokens, token], dim=-1),
            attention_mask=mask,
            cache=output.past_key_values,
            finished=self._all_stopped(token),
        )

    def _all_stopped(self, token: torch.Tensor) -> bool:
        # Without stop tokens there is nothing to read back from the device, so no synchronisation either.
        return self._stop_ids is not None and bool(torch.isin(token, self._stop_ids).all())

    def generate(self, inputs: EventInputs, features: torch.Tensor | None, *, max_new_tokens: int) -> torch.Tensor:
        """transformers' own greedy generation."""
        tokens: torch.Tensor = self.network.generate(
            inputs.input_ids,
            event_tensors=inputs.frames if features is None else None,
            event_features=features,
            attention_mask=torch.ones_like(inputs.input_ids),
            do_sample=False,
            max_new_tokens=max_new_tokens,
            use_cache=True,
        )
        return tokens

    def expected_encoder_calls(self, inputs: EventInputs) -> int:
        """One for each frame, or one in all with `batch_frames`."""
        return 1 if self.network.batch_frames else len(inputs.frames)

    def shape(self, inputs: EventInputs) -> RequestShape:
        """Token counts of a prepared request."""
        return RequestShape(
            batch_size=inputs.input_ids.shape[0],
            frames=len(inputs.frames),
            visual_tokens=len(inputs.frames) + self._size.vision.tokens,
            prompt_tokens=int((inputs.input_ids != EVENT_TOKEN_INDEX).sum()),
        )

    def cost(self, shape: RequestShape, *, new_tokens: int) -> RequestCost:
        """Analytic work of such a request."""
        return request_cost(
            self._size,
            shape,
            new_tokens=new_tokens,
            itemsize_bytes=self.network.dtype.itemsize,
            batch_frames=self.network.batch_frames,
        )

    def describe(self) -> dict[str, Any]:
        """Name, size, weights and configuration."""
        events = self._options.events
        return {
            "name": "eventgpt",
            "size": self._size.name,
            "weights": "checkpoint" if self._options.checkpoint else "random",
            "parameters": sum(parameter.numel() for parameter in self.network.parameters()),
            "config": asdict(self._size),
            "batch_frames": self.network.batch_frames,
            "decode": self._options.decode,
            "input": "synthetic" if events is None else events.name,
        }


def _greedy(logits: torch.Tensor) -> torch.Tensor:
    """The likeliest token, int64 [B, 1], from logits [B, 1, vocabulary]; in float32, as `generate` does."""
    return logits[:, -1].float().argmax(dim=-1, keepdim=True)


def build_staged(options: ModelOptions) -> StagedEventGPT:
    """Build EventGPT from a checkpoint folder, or at a published size with seeded random weights.

    Raises:
        ModelError: the options, the checkpoint or the events cannot be right.
    """
    if options.frames is not None and options.frames < 1:
        raise InputError("--frames must be at least 1")
    if options.events is not None and not options.events.exists():
        raise InputError(f"{options.events}: no such file or folder")
    model = _from_checkpoint(options) if options.checkpoint else _random(options)
    _check_input(model)
    return model


def _check_input(model: StagedEventGPT) -> None:
    """Prepare the sample once before anything is timed, so that a bad file stops the run at once."""
    shape = model.shape(model.prepare(model.load()))
    positions = model.network.config.max_position_embeddings
    if shape.visual_tokens + shape.prompt_tokens >= positions:
        raise InputError(
            f"{shape.visual_tokens} visual and {shape.prompt_tokens} prompt tokens do not fit the decoder's "
            f"{positions} positions: use a shorter prompt or fewer frames"
        )


def _random(options: ModelOptions) -> StagedEventGPT:
    if options.prompt is not None:
        raise InputError("--prompt needs a checkpoint with a tokenizer; without one, use --prompt-tokens")
    try:
        size = SIZES[options.size]
    except KeyError:
        raise ModelError(f"eventgpt has no size {options.size!r}: choose from {', '.join(SIZES)}") from None
    network = _allocate(size, options, eos_token_id=None)
    _randomise(network, options.seed)
    generator = torch.Generator().manual_seed(options.seed)
    # Ids 0 to 2 are <unk>, <s> and </s>; the prompt opens with <s> as LLaMA's do.
    ids = torch.randint(3, size.text.vocabulary, (options.prompt_tokens - 1,), generator=generator).tolist()
    half = len(ids) // 2
    return StagedEventGPT(network, size, options, prompt_ids=[1, *ids[:half], EVENT_TOKEN_INDEX, *ids[half:]])


def _from_checkpoint(options: ModelOptions) -> StagedEventGPT:
    folder = options.checkpoint
    assert folder is not None  # noqa: S101 -- the caller chose by it
    if not folder.is_dir():
        raise CheckpointError(f"{folder}: not a checkpoint folder")
    size = checkpoint.read_size(folder)
    checkpoint.find_shards(folder)  # a folder without weights is refused before gigabytes are allocated
    tokenizer = _tokenizer(folder)
    stop_id = tokenizer.eos_token_id
    network = _allocate(size, options, eos_token_id=stop_id)
    checkpoint.load_weights(network, folder)
    return StagedEventGPT(
        network,
        size,
        options,
        prompt_ids=tokenize(tokenizer, TEMPLATE.format(prompt=options.prompt or DEFAULT_PROMPT)),
        stop_ids=frozenset() if stop_id is None else frozenset({stop_id}),
    )


def _tokenizer(folder: Path) -> Any:
    if not any((folder / name).is_file() for name in TOKENIZER_FILES):
        raise CheckpointError(f"{folder}: no usable tokenizer files ({' or '.join(TOKENIZER_FILES)})")
    os.environ["HF_HUB_OFFLINE"] = "1"  # a folder is all that is ever read
    # The published model_type is one that transformers does not know, and it says so at length.
    transformers.logging.set_verbosity_error()
    try:
        return transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except ImportError as error:
        raise CheckpointError(
            f"{folder}: its tokenizer needs a package that is missing ({_first_line(error)}); "
            "pip install 'vlm-tracer[checkpoint]'"
        ) from None
    except Exception as error:  # tokenizers raise nearly anything on damaged files
        raise CheckpointError(f"{folder}: no usable tokenizer files ({_first_line(error)})") from None


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def tokenize(tokenizer: Any, prompt: str) -> list[int]:
    """Token ids of a prompt, with EVENT_TOKEN_INDEX where `<event>` stands and one leading <s>."""
    before, after = prompt.split("<event>", 1)
    tail: list[int] = tokenizer(after, add_special_tokens=False).input_ids
    return [*tokenizer(before).input_ids, EVENT_TOKEN_INDEX, *tail]


def _allocate(size: EventGPTSize, options: ModelOptions, *, eos_token_id: int | None) -> EventGPT:
    """Build the network with uninitialised meaning: its weights are about to be overwritten."""
    default = torch.get_default_dtype()
    torch.set_default_dtype(DTYPES[options.dtype])
    try:
        with torch.device(options.device):
            network = EventGPT(
                text_config(size.text, bos_token_id=1, eos_token_id=eos_token_id, pad_token_id=0),
                vision_config(size.vision),
                batch_frames=options.batch_frames,
            )
    except torch.OutOfMemoryError:
        raise ModelError(
            f"{options.device} has no room for EventGPT {size.name} in {options.dtype}: use --size tiny"
        ) from None
    finally:
        torch.set_default_dtype(default)
    # None in the configuration would be filled in again from transformers' defaults.
    network.generation_config.eos_token_id = eos_token_id
    return network


@torch.no_grad()
def _randomise(network: EventGPT, seed: int) -> None:
    """Draw weights whose greedy tokens depend on the pictures and on all that came before.

    Comparing tokens proves nothing when a network repeats one token whatever it sees, which is what evenly
    drawn weights do: attention is then uniform, and averages hundreds of positions to nearly zero. So signals
    keep their size from layer to layer (standard deviation 1/sqrt(fan in)), attention is sharp (queries and
    keys twice that), and the token's own embedding is small beside what the blocks add (LLaMA's 0.02).
    """
    generator = torch.Generator(network.device).manual_seed(seed)
    for name, parameter in network.named_parameters():
        if parameter.ndim > 1:
            deviation = parameter[0].numel() ** -0.5
            if "q_proj" in name or "k_proj" in name:
                deviation *= 2
            elif "embed_tokens" in name:
                deviation = 0.02
            parameter.normal_(0.0, deviation, generator=generator)
        elif name.endswith("bias"):
            parameter.zero_()
        elif "class_embedding" in name:
            parameter.normal_(0.0, 1.0, generator=generator)
        else:
            parameter.fill_(1.0)
