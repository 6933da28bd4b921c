"""Any image-text-to-text model of transformers behind the staged interface, without editing it.

Vision is the model's own feature call. Stage 4 is its own `generate`, in which that call returns the features that
stage 3 made; whatever else a model does with its pictures stays as it is. Where a model has no such call, or encodes
all the same, the vision stage is missing, which `describe` says, and its work is prefill's.

Shape legend: B sequences, S prompt length with placeholders.
"""

from __future__ import annotations

import inspect
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from model.decoding.answers import answer_over, decoders_for, require_plain, stop_ids
from model.decoding.boundaries import step_boundaries
from model.decoding.passes import CachedPasses, cache_to_roll_back
from model.decoding.stops import stop_test
from model.errors import CheckpointError, InputError, ModelError
from model.extras import in_one_line, missing_package
from model.hf import synthetic
from model.hf.parts import FEATURE_CALL, feature_tensors, features_given, find_parts, told_by_configuration
from model.inputs.batches import Loaded, batch_name, batches_of
from model.inputs.samples import read_sample
from model.registry import EAGER
from model.staged import RequestCost, RequestShape
from model.weights import left_pad

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from model.decoding.static import StaticDecoders
    from model.inputs.pictures import Picture
    from model.inputs.samples import Sample
    from model.registry import ModelOptions

DEFAULT_PROMPT = "What is happening here?"
SCRIPT = "a script of your own that runs it is recorded by tracer record --auto -- python SCRIPT"
CROSSED = (
    "its pictures lie behind cross-attention, whose mask has a row for each token: passes over several tokens at once "
    "say others than its own generate does"
)
ENCODED = "its decoder stands behind an encoder of text, and has no prompt to go on from"
NO_CALL = f"it has no {FEATURE_CALL}"
ENCODES_AGAIN = f"it encodes pictures although {FEATURE_CALL} has been answered"


@dataclass(frozen=True, slots=True)
class FolderInputs:
    """One prepared request.

    Attributes:
        given: the arguments of `generate`, pictures and prompts, on the device.
        visual_tokens: of each sequence.
    """

    given: Mapping[str, torch.Tensor]
    visual_tokens: int

    @property
    def input_ids(self) -> torch.Tensor:
        """int64 [B, S]."""
        return self.given["input_ids"]

    @property
    def attention_mask(self) -> torch.Tensor:
        """int64 [B, S], zero where padded; of a processor that gives none all ones."""
        given = self.given.get("attention_mask")
        return torch.ones_like(self.input_ids) if given is None else given

    @property
    def prompt(self) -> dict[str, torch.Tensor]:
        """What the decoder's pass over the prompt is given beside the mask."""
        return {name: value for name, value in self.given.items() if name != "attention_mask"}


class StagedFolder:
    """Such a model cut at its stage boundaries; implements `model.staged.AnsweringModel`.

    Attributes:
        decoders: what makes the steps, where transformers' own way does not.
    """

    def __init__(self, network: Any, processor: Any, options: ModelOptions, *, weights: str) -> None:
        self.network = network.eval().requires_grad_(False)
        self._processor = processor
        self._options = options
        self._weights = weights
        self._batches = batches_of(options)
        self._parts = find_parts(network)
        self._visual_tokens: int | None = None
        self._missing = self._why_inseparable()
        self._stop_test = stop_test(network, stop_ids(network))
        self.decoders = None if options.decode == EAGER else self._static_decoders(options.decode)

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
        """The vision tower, if it was found."""
        return [] if self._parts.tower is None else [self._parts.tower]

    @property
    def unfit_for_rounds(self) -> str:
        """Why this model can neither draft nor check; "" where it can, as far as its configuration tells."""
        if self.network.config.is_encoder_decoder:
            return ENCODED
        text = self.network.config.get_text_config(decoder=True)
        return CROSSED if getattr(text, "cross_attention_layers", None) else ""

    def load(self, number: int = 0) -> Loaded:
        """Read one picture for each sequence, or synthesise event streams to draw."""
        batch = self._batches[number]
        return Loaded(batch, [read_sample(sample, 1) for sample in batch])

    def prepare(self, raw: Loaded) -> FolderInputs:
        """Run the folder's own processor, or make what the configuration asks for."""
        pictures = [one[0] for one in raw.pictures(1)]
        if self._processor is None:
            with self._by_configuration():
                given = self._synthesise(raw.batch, pictures)
        else:
            given = self._process(raw.batch, pictures)
        with self._by_configuration():
            count = int((given["input_ids"][0] == synthetic.image_token(self.network.config)).sum())
        return FolderInputs({name: self._placed(value) for name, value in given.items()}, count)

    @contextmanager
    def _by_configuration(self) -> Iterator[None]:
        """Say what will take the model where its configuration does not tell enough."""
        try:
            yield
        except InputError as error:
            way = "" if self._processor is not None else "put its processor's files into the folder, or: "
            raise InputError(f"{self._folder}: {error}; {way}{SCRIPT}") from None

    def _placed(self, value: torch.Tensor) -> torch.Tensor:
        return value.to(self.device, self.network.dtype) if value.is_floating_point() else value.to(self.device)

    def _process(self, batch: Sequence[Sample], pictures: Sequence[Picture]) -> Mapping[str, torch.Tensor]:
        questions = [sample.prompt or self._options.prompt or DEFAULT_PROMPT for sample in batch]
        try:
            texts = [self._chat(question) for question in questions]
            return dict(
                self._processor(text=texts, images=[[one] for one in pictures], padding=True, return_tensors="pt")
            )
        except (ValueError, TypeError, KeyError, ImportError, RuntimeError) as error:
            if needed := missing_package(error):
                raise CheckpointError(f"{self._folder}: its processor {needed}") from None
            raise InputError(f"{self._folder}: its processor refuses the sample ({in_one_line(error)})") from None

    def _chat(self, question: str) -> str:
        """A prompt by the folder's chat template, or the placeholder and the question where there is none."""
        if getattr(self._processor, "chat_template", None):
            content = [{"type": "image"}, {"type": "text", "text": question}]
            messages = [{"role": "user", "content": content}]
            text: str = self._processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
            return text
        return f"{getattr(self._processor, 'image_token', '<image>')}\n{question}"

    def _synthesise(self, batch: Sequence[Sample], pictures: Sequence[Picture]) -> Mapping[str, torch.Tensor]:
        given = synthetic.picture_inputs(self.network, pictures)
        if self._visual_tokens is None:  # as many as there are features of a picture
            placed = {name: self._placed(value) for name, value in given.items()}
            self._visual_tokens = self._count_features(placed) // len(pictures)
        rows = [
            synthetic.prompt(self.network.config, self._visual_tokens, self._options.prompt_tokens, sample.seed)
            for sample in batch
        ]
        ids, mask = left_pad(rows, 0)
        input_ids = torch.tensor(ids)
        types = synthetic.token_types(self.network, input_ids)
        return {"input_ids": input_ids, "attention_mask": torch.tensor(mask), **types, **given}

    def _count_features(self, pictures: Mapping[str, torch.Tensor]) -> int:
        if not self._parts.owners:
            return 0
        output = self._encode(pictures)
        return sum(leaf.shape[:-1].numel() for leaf in feature_tensors(output))

    @torch.no_grad()
    def _encode(self, given: Mapping[str, torch.Tensor]) -> Any:
        encode = getattr(self._parts.owners[-1], FEATURE_CALL)
        taken = inspect.signature(encode).parameters
        told = told_by_configuration(self.network, encode)
        return encode(**told, **{name: value for name, value in given.items() if name in taken})

    def encode_vision(self, inputs: FolderInputs) -> Any:
        """The model's own feature call, as it answers; None where vision is no stage of its own."""
        return None if self._missing else self._encode(inputs.given)

    def _why_inseparable(self) -> str:
        """Why pictures are encoded in stage 4 whatever it is given, found by trying; "" where they are not."""
        inputs = self.prepare(self.load())
        features = self._encode(inputs.given) if self._parts.owners else None
        runs = self._count_runs(lambda: self.generate(inputs, features, max_new_tokens=1))
        if not self._parts.owners:
            return NO_CALL
        return ENCODES_AGAIN if runs else ""

    def _count_runs(self, work: Callable[[], object]) -> int:
        """How often the tower runs in some work."""
        runs = 0

        def count(*_: object) -> None:
            nonlocal runs
            runs += 1

        handles = [encoder.register_forward_pre_hook(count) for encoder in self.encoders]
        try:
            work()
        finally:
            for handle in handles:
                handle.remove()
        return runs

    def answer(
        self, inputs: FolderInputs, features: Any, *, max_new_tokens: int, next_step: Callable[[], None]
    ) -> torch.Tensor:
        """Greedy generation, transformers' own unless steps are made otherwise, which says when each step begins."""
        if self.decoders is not None:
            return self._answer_over(self.decoders, inputs, features, max_new_tokens, next_step)
        with step_boundaries(self.network, next_step):
            return self.generate(inputs, features, max_new_tokens=max_new_tokens)

    def _answer_over(
        self,
        decoders: StaticDecoders,
        inputs: FolderInputs,
        features: Any,
        max_new_tokens: int,
        next_step: Callable[[], None],
    ) -> torch.Tensor:
        with nullcontext() if features is None else features_given(self._parts, features):
            return answer_over(
                decoders,
                self.network,
                inputs.prompt,
                inputs.attention_mask,
                self._stop_test,
                max_new_tokens=max_new_tokens,
                next_step=next_step,
            )

    def _static_decoders(self, mode: str) -> StaticDecoders:
        """What makes the steps otherwise than transformers, tried on the first sample.

        How long a processor makes the prompts is known when all samples have been prepared.

        Raises:
            ModelError: its steps cannot be made so.
        """
        require_plain(self.network, mode)
        prepared = [self.prepare(self.load(number)) for number in range(len(self._batches))]
        lengths = [inputs.attention_mask.sum(dim=-1).tolist() for inputs in prepared]
        decoders = decoders_for(self.network, mode, lengths, self._options.new_tokens)
        tokens = min(2, self._options.new_tokens)
        features = None if self._missing else self._encode(prepared[0].given)
        try:
            self._answer_over(decoders, prepared[0], features, tokens, lambda: None)
        except (ModelError, torch.OutOfMemoryError):
            raise
        except Exception as error:  # every architecture has its own ways of refusing
            raise ModelError(
                f"--decode {mode}: {type(self.network).__name__} makes no step over a static cache "
                f"({type(error).__name__}: {in_one_line(error)}); --decode eager takes it"
            ) from error
        return decoders

    def begin(self, inputs: FolderInputs, features: Any) -> CachedPasses:
        """Run the decoder over the whole prompt, for passes over any number of tokens; with features, given these."""
        given, mask = inputs.prompt, inputs.attention_mask
        with nullcontext() if features is None else features_given(self._parts, features):
            return CachedPasses(
                self.network, given, mask, self._positions(given, mask), cache_to_roll_back(self.network)
            )

    def _positions(self, given: Mapping[str, torch.Tensor], mask: torch.Tensor) -> torch.Tensor | None:
        """Where the prompt's tokens stand, as `generate` says it; None where the decoder counts by itself."""
        prepare = getattr(self.network, "_prepare_position_ids_for_generation", None)
        if "position_ids" not in inspect.signature(self.network.forward).parameters:
            return None
        if prepare is None:  # before transformers 5
            return (mask.cumsum(-1) - 1).clamp(min=0) if bool((mask == 0).any()) else None
        positions: torch.Tensor = prepare(given["input_ids"], {**given, "attention_mask": mask})
        return positions

    @torch.no_grad()
    def generate(self, inputs: FolderInputs, features: Any, *, max_new_tokens: int) -> torch.Tensor:
        """transformers' own greedy generation; with features, its feature call returns these."""
        if features is not None:
            with features_given(self._parts, features):
                return self.generate(inputs, None, max_new_tokens=max_new_tokens)
        tokens: torch.Tensor = self.network.generate(
            **inputs.given, do_sample=False, max_new_tokens=max_new_tokens, use_cache=True
        )
        return tokens[:, inputs.input_ids.shape[1] :]

    def expected_encoder_calls(self, inputs: FolderInputs) -> int:
        """As often as the tower runs in one feature call; once where vision is no stage of its own."""
        return len(self.encoders) if self._missing else self._count_runs(lambda: self._encode(inputs.given))

    def shape(self, inputs: FolderInputs) -> RequestShape:
        """Token counts of a prepared request."""
        return RequestShape(
            batch_size=inputs.input_ids.shape[0],
            frames=1,
            visual_tokens=inputs.visual_tokens,
            prompt_tokens=inputs.input_ids.shape[1] - inputs.visual_tokens,
        )

    def cost(self, shape: RequestShape, *, new_tokens: int) -> RequestCost | None:  # noqa: ARG002 -- the interface's
        """Unknown: every architecture has its own."""
        return None

    @property
    def _folder(self) -> Path:
        folder = self._options.checkpoint
        assert folder is not None  # noqa: S101 -- that is what the model is
        return folder

    def describe(self) -> dict[str, Any]:
        """Name, weights, configuration, the parts that were found and the stages that were not."""
        described = {
            "name": str(self.network.config.model_type),
            "size": self._folder.resolve().name,
            "weights": self._weights,
            "parameters": sum(parameter.numel() for parameter in self.network.parameters()),
            "config": {"architecture": type(self.network).__name__},
            "modules": self._parts.names,
            "batch_frames": True,
            "decode": self._options.decode,
            "input": self.samples[0] if self._options.dataset is None else self._options.dataset.name,
        }
        return described | ({"missing_stages": {"vision": self._missing}} if self._missing else {})
