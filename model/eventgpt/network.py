"""The EventGPT network.

Shape legend: B batch, F frames of a sample, P tokens a frame (patches + class token), D vision width,
H text width, V visual tokens = F + P, S text tokens, L spliced prompt length.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, cast

import torch
from torch import nn
from transformers import CLIPVisionConfig, CLIPVisionModel, LlamaConfig, LlamaForCausalLM, LlamaModel

if TYPE_CHECKING:
    pass

# Stands in the prompt where the visual tokens go (LLaVA's convention, kept by EventGPT).
EVENT_TOKEN_INDEX = -200
IGNORE_INDEX = -100

# One frame per sample [B, 3, side, side]; one sample's frames; or a list of frames for each sample.
EventTensors: TypeAlias = torch.Tensor | Sequence[torch.Tensor] | Sequence[Sequence[torch.Tensor]]


class MultimodalInputs(NamedTuple):
    """What `prepare_inputs_labels_for_multimodal` returns, in upstream's order."""

    input_ids: torch.Tensor | None
    position_ids: torch.Tensor | None
    attention_mask: torch.Tensor | None
    past_key_values: Any
    inputs_embeds: torch.Tensor | None
    labels: torch.Tensor | None


def spatio_temporal_pooling(frame_features: torch.Tensor) -> torch.Tensor:
    """Pool [F, P, H] to [F + P, H]: the mean over each frame's tokens, then the mean over the frames.

    Source: EventGPT (arXiv:2412.00832), section on the spatio-temporal aggregator.
    """
    temporal_FH = frame_features.mean(dim=1)
    spatial_PH = frame_features.mean(dim=0)
    return torch.cat([temporal_FH, spatial_PH], dim=0)


class VisualTower(nn.Module):
    """Holds the CLIP tower one level down, where upstream's checkpoints have it."""

    def __init__(self, config: CLIPVisionConfig) -> None:
        super().__init__()
        self.visual_tower = CLIPVisionModel(config)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Encode [B, 3, side, side] to [B, P, D], class token first, before the final norm."""
        features: torch.Tensor = self.visual_tower(pixels).last_hidden_state
        return features


class EventGPTBackbone(LlamaModel):
    """LLaMA's decoder with the vision tower, the projector and the feature adaptor beside it."""

    def __init__(self, text: LlamaConfig, vision: CLIPVisionConfig) -> None:
        super().__init__(text)
        self.visual_tower = VisualTower(vision)
        self.visual_projector = nn.Sequential(
            nn.Linear(vision.hidden_size, text.hidden_size),
            nn.GELU(),
            nn.Linear(text.hidden_size, text.hidden_size),
        )
        self.feature_adaptor = nn.Linear(text.hidden_size, text.hidden_size)


class EventGPT(LlamaForCausalLM):
    """EventGPT with `generate` taking raw frames (`event_tensors`) or features (`event_features`)."""

    def __init__(self, text: LlamaConfig, vision: CLIPVisionConfig, *, batch_frames: bool = False) -> None:
        # Past LlamaForCausalLM's own __init__, which would allocate a second decoder to throw away.
        super(LlamaForCausalLM, self).__init__(text)
        self.model = EventGPTBackbone(text, vision)
        self.vocab_size = text.vocab_size
        self.lm_head = nn.Linear(text.hidden_size, text.vocab_size, bias=False)
        self.vision_config = vision
        self.batch_frames = batch_frames
        self.post_init()
        self.requires_grad_(False)

    @torch.no_grad()
    def visval_encode(self, event_tensor: torch.Tensor) -> torch.Tensor:
        """Tower and projector: [B, 3, side, side] to [B, P, H]. (The name is upstream's.)"""
        features: torch.Tensor = self.model.visual_projector(self.model.visual_tower(event_tensor))
        return features

    @torch.no_grad()
    def encode_events(self, event_tensors: EventTensors) -> torch.Tensor:
        """Stage 3: everything between the frames and what the decoder splices in.

        A list of [3, side, side] frames is one sample, a list of such lists is a batch; both give
        [B, V, H] with V = F + P. A tensor [B, 3, side, side] is one frame per sample and, as upstream,
        skips adaptor and pooling: [B, P, H].
        """
        if isinstance(event_tensors, torch.Tensor):
            return self.visval_encode(event_tensors)
        single = isinstance(event_tensors[0], torch.Tensor)
        samples = cast("Sequence[Sequence[torch.Tensor]]", [event_tensors] if single else event_tensors)
        return torch.stack([spatio_temporal_pooling(self._frame_features(frames)) for frames in samples])

    def _frame_features(self, frames: Sequence[torch.Tensor]) -> torch.Tensor:
        """Encode F frames [3, side, side] to [F, P, H], one call per frame unless `batch_frames`."""
        groups = [torch.stack(list(frames))] if self.batch_frames else [frame[None] for frame in frames]
        return torch.cat([self.model.feature_adaptor(self.visval_encode(group)) for group in groups])

    def prepare_inputs_labels_for_multimodal(
        self,
        input_ids: torch.Tensor,
        position_ids: torch.Tensor | None,
        attention_mask: torch.Tensor | None,
        past_key_values: Any,
        labels: torch.Tensor | None,
        event_tensors: EventTensors | None = None,
        event_image_sizes: Any = None,  # noqa: ARG002 -- part of upstream's signature
        event_features: torch.Tensor | None = None,
    ) -> MultimodalInputs:
        """Splice visual features into the embedded prompt where EVENT_TOKEN_INDEX stands.

        `event_features` ([B, V, H], from `encode_events`) is used as it is; the tower does not run.
        Otherwise `event_tensors` is encoded here. Without either, or for a single token (a decode step),
        the arguments come back unchanged. Prompts longer than the decoder's positions are cut there, and
        shorter ones of a ragged batch are padded on the left, which is what generation needs (upstream
        pads on the right, which only suits training).

        Raises:
            ValueError: there are fewer feature blocks than placeholders.
        """
        if event_features is None and event_tensors is not None and input_ids.shape[1] > 1:
            event_features = self.encode_events(event_tensors)
        if event_features is None or input_ids.shape[1] == 1:
            return MultimodalInputs(input_ids, position_ids, attention_mask, past_key_values, None, labels)

        keep_BS = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        rows = [ids[keep.bool()] for ids, keep in zip(input_ids, keep_BS, strict=True)]
        label_rows: Sequence[torch.Tensor | None] = [None] * len(rows)
        if labels is not None:
            label_rows = [row[keep.bool()] for row, keep in zip(labels, keep_BS, strict=True)]

        features = iter(event_features)
        spliced = [self._splice(ids, row, features) for ids, row in zip(rows, label_rows, strict=True)]
        limit = self.config.max_position_embeddings
        embeds = [embeds[:limit] for embeds, _ in spliced]
        ragged = len({row.shape[0] for row in embeds}) > 1
        mask_BL = _left_pad([torch.ones(row.shape[0], dtype=keep_BS.dtype) for row in embeds], 0)
        mask_BL = mask_BL.to(input_ids.device)
        return MultimodalInputs(
            input_ids=None,
            position_ids=None if position_ids is None else _positions(mask_BL),
            attention_mask=mask_BL if ragged or attention_mask is not None else None,
            past_key_values=past_key_values,
            inputs_embeds=_left_pad(embeds, 0),
            labels=None if labels is None else _left_pad([row[:limit] for _, row in spliced], IGNORE_INDEX),
        )

    def _splice(
        self, ids: torch.Tensor, labels: torch.Tensor | None, features: Iterator[torch.Tensor]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Embed one prompt [S] to [L, H], replacing each placeholder by the next feature block [V, H]."""
        if labels is None:
            labels = torch.full_like(ids, IGNORE_INDEX)
        places = (ids == EVENT_TOKEN_INDEX).nonzero().flatten().tolist()
        bounds = list(zip([-1, *places], [*places, ids.shape[0]], strict=True))
        text = self.model.embed_tokens(ids[ids != EVENT_TOKEN_INDEX])
        pieces, label_pieces, taken = [], [], 0
        for number, (before, end) in enumerate(bounds):
            length = end - before - 1
            pieces.append(text[taken : taken + length])
            label_pieces.append(labels[before + 1 : end])
            taken += length
            if number < len(places):
                block = next(features, None)
                if block is None:
                    raise ValueError("the prompts have more event placeholders than there are features")
                pieces.append(block)
                label_pieces.append(labels.new_full((block.shape[0],), IGNORE_INDEX))
        if not places:
            next(features, None)  # upstream: a sample without a placeholder still uses up its block
        return torch.cat(pieces), torch.cat(label_pieces)

    @torch.no_grad()
    def generate(
        self,
        inputs: torch.Tensor,
        event_tensors: EventTensors | None = None,
        event_image_sizes: Any = None,
        event_features: torch.Tensor | None = None,
        **kwargs: Any,
    ) -> Any:
        """Generate from a prompt with placeholders and its frames, or features already encoded.

        Args:
            inputs: int64 [B, S] prompt ids with EVENT_TOKEN_INDEX where the visual tokens go.
            event_tensors: frames, see `encode_events`; encoded here, inside stage 4.
            event_image_sizes: accepted for upstream's sake, unused.
            event_features: [B, V, H] from `encode_events`; then the tower does not run.
            **kwargs: for transformers' `generate`.

        Raises:
            NotImplementedError: neither frames nor features were given, or `inputs_embeds` was.
        """
        if "inputs_embeds" in kwargs:
            raise NotImplementedError("`inputs_embeds` is not supported")
        if event_tensors is None and event_features is None:
            raise NotImplementedError("pass `event_tensors` or `event_features`")
        prepared = self.prepare_inputs_labels_for_multimodal(
            inputs,
            kwargs.pop("position_ids", None),
            kwargs.pop("attention_mask", None),
            None,
            None,
            event_tensors=event_tensors,
            event_image_sizes=event_image_sizes,
            event_features=event_features,
        )
        return super().generate(
            position_ids=prepared.position_ids,
            attention_mask=prepared.attention_mask,
            inputs_embeds=prepared.inputs_embeds,
            **kwargs,
        )


def _left_pad(rows: Sequence[torch.Tensor], value: int) -> torch.Tensor:
    """Stack rows of unequal length, filling `value` in on the left."""
    longest = max(row.shape[0] for row in rows)
    return torch.stack(
        [torch.cat([row.new_full((longest - row.shape[0], *row.shape[1:]), value), row]) for row in rows]
    )


def _positions(mask_BL: torch.Tensor) -> torch.Tensor:
    """Positions [B, L] that count from 0 at the first unmasked column of each row."""
    return (mask_BL.long().cumsum(-1) - 1).clamp(min=0)
