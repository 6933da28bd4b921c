"""Advice in the words of the device at hand: rules speak in those of CUDA, which PyTorch has for AMD's devices too."""

from __future__ import annotations

# Whose runtime launched the work; "" where nothing tells.
NVIDIA, AMD, INTEL, META, OTHER = "NVIDIA", "AMD", "Intel", "Meta", "other"

_GRAPHS = "graphs of its runtime, where it has them, or torch.compile"
# Longer ones first, so that none is taken for a part of another.
_OF_NONE_OF_CUDAS = (
    ("a CUDA graph (torch.compile(mode='reduce-overhead') over a static cache)", f"one launch ({_GRAPHS})"),
    ("CUDA graphs or torch.compile(mode='reduce-overhead') over a static cache", f"{_GRAPHS} over a static cache"),
    (
        "torch.cuda.synchronize() before cudaProfilerStop(), or before the program or nsys profile --duration ends",
        "torch.accelerator.synchronize() before the profiler stops",
    ),
    ("torch.cuda.synchronize()", "torch.accelerator.synchronize()"),
    ("CUDA graphs", "graphs"),
    (" (nvidia-smi -lgc)", " with its maker's tool"),
    ("; a newer ROCm", ""),
)
_ACTIVITY = "ProfilerActivity.CUDA, or XPU"
_WORDS = {
    AMD: ((" (nvidia-smi -lgc)", " (rocm-smi --setperfdeterminism)"), (_ACTIVITY, "ProfilerActivity.CUDA, ROCm's too")),
    INTEL: ((_ACTIVITY, "ProfilerActivity.XPU"), *_OF_NONE_OF_CUDAS),
    META: ((_ACTIVITY, "ProfilerActivity.MTIA"), *_OF_NONE_OF_CUDAS),
    OTHER: ((_ACTIVITY, "ProfilerActivity.PrivateUse1, or as its maker calls it"), *_OF_NONE_OF_CUDAS),
}


def in_words_of(maker: str, text: str) -> str:
    """What to do, as a person does it on a device of this maker.

    Args:
        maker: of the device, as above.
        text: in CUDA's words.
    """
    for cudas, own in _WORDS.get(maker, ()):
        text = text.replace(cudas, own)
    return text
