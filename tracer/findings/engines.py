"""What to do with a serving engine: its program is not the person's, its settings are."""

from __future__ import annotations

# By the names that their Python interfaces have for the settings.
REPLAY = "have the engine replay CUDA graphs (vLLM: without enforce_eager; SGLang: without disable_cuda_graph)"
COMPILE = "have the engine compile its model (vLLM: without enforce_eager; SGLang: with enable_torch_compile)"
CHOSEN = (
    "nothing, where it is little and from pinned memory: the engine's scheduler chooses each batch, whose ids, "
    "positions and block tables go to the device"
)
LATER = (
    "start the profiler some steps after the load (vLLM: delay_iterations in its profiler's configuration; SGLang: "
    "start_step), or leave the first steps out"
)
AHEAD = "let the engine prepare a step while the one before runs (vLLM's async scheduling, SGLang's overlap schedule)"
KEEP = (
    "keep weights and caches on the device (vLLM and SGLang: without cpu_offload_gb): what the host keeps is copied in "
    "each step"
)
