"""The sizes EventGPT comes in: the published one, and one that runs anywhere in seconds."""

from __future__ import annotations

from model.sizes import CLIP_VIT_L_14_336, TextSize, VisionSize, VLMSize

# Pictures that an event stream is cut into.
FRAMES = 5

SIZES = {
    size.name: size
    for size in (
        VLMSize(
            name="7b",
            vision=CLIP_VIT_L_14_336,
            text=TextSize(layers=32, hidden=4096, mlp=11008, heads=32, kv_heads=32, vocabulary=32000, positions=2048),
            frames=FRAMES,
        ),
        # The same pictures, patches and visual tokens (577 a frame, 582 in all), a narrow network.
        VLMSize(
            name="tiny",
            vision=VisionSize(layers=2, hidden=64, mlp=256, heads=4, image=336, patch=14),
            text=TextSize(layers=2, hidden=128, mlp=344, heads=4, kv_heads=4, vocabulary=1000, positions=2048),
            frames=FRAMES,
        ),
    )
}
