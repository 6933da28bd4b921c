"""What the reports say about a recording of ours, from its manifest alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tracer.document.manifest import Manifest


def _verified_shapes(manifest: Manifest) -> int:
    """Of so many shapes of requests it was proved that the stages are the model."""
    checked = manifest.verification
    return checked.shapes_verified if checked.shapes else int(checked.status == "passed")


def _shapes(manifest: Manifest) -> int:
    """Distinct shapes among the requests: those that verification counted, or those of the samples."""
    if manifest.verification.shapes:
        return manifest.verification.shapes
    kinds = {(one.batch_size, one.frames, one.visual_tokens, one.prompt_tokens) for one in manifest.samples}
    return max(1, len(kinds))


def describe(manifest: Manifest) -> dict[str, Any]:
    """The model, its input, how it was run and with what."""
    return {
        "model": manifest.model.get("name"),
        "size": manifest.model.get("size"),
        "weights": manifest.model.get("weights"),
        "input": manifest.model.get("input"),
        "device": manifest.device.get("name"),
        "device_type": manifest.device.get("type"),
        "dtype": manifest.dtype,
        "batch_size": manifest.shape.batch_size,
        "frames": manifest.shape.frames,
        "visual_tokens": manifest.shape.visual_tokens,
        "prompt_tokens": manifest.shape.prompt_tokens,
        "new_tokens": manifest.shape.new_tokens,
        "coupled": manifest.coupled,
        "synchronised": manifest.synchronised,
        "verification": manifest.verification.status,
        "not_verified_because": manifest.verification.reason,
        "warmed_up": manifest.options.get("warmed_up", True),
        "verified_tokens": manifest.verification.tokens,
        "verified_shapes": _verified_shapes(manifest),
        "shapes": _shapes(manifest),
        "first_difference": manifest.verification.first_difference,
        "tie": _tie(manifest),
        "decode": manifest.model.get("decode", "eager"),
        "batch_frames": manifest.model.get("batch_frames", False),
        "missing_stages": manifest.model.get("missing_stages", {}),
        "samples": len(manifest.samples),
        "seed": manifest.seed,
        "software": manifest.software,
        "options": manifest.options,
        **({} if manifest.world_size == 1 else {"rank": manifest.rank, "world_size": manifest.world_size}),
    }


def _tie(manifest: Manifest) -> dict[str, float] | None:
    """How near the tokens that differ are to the model's own, in logits; None where nothing was measured."""
    checked = manifest.verification
    if checked.margin is None or checked.rounding is None:
        return None
    return {"margin": checked.margin, "rounding": checked.rounding}
