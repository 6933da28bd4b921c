"""Colours of the stages, and what stands for nothing."""

from __future__ import annotations

COLOURS = {
    "load": "bright_black",
    "preprocess": "cyan",
    "vision": "magenta",
    "projector": "bright_magenta",
    "prefill": "blue",
    "decode": "green",
    "draft": "bright_green",
    "map": "bright_yellow",
    "verify": "bright_blue",
    "mixed": "yellow",
    "no stage": "bright_black",
}
NONE = "–"
