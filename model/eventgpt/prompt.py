"""EventGPT's prompt: its words, and where the events go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from model.eventgpt.network import EVENT_TOKEN_INDEX

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_PROMPT = "What are the key elements in this scene?"
PATCH, START, END = "<ev_patch>", "<ev_start>", "<ev_end>"
# The template `eventgpt_v1` of EventGPT's own code (dataset/conversation.py of its repository): Vicuna v1.1's with a
# human for the user, and the events between their two marks, in front of the question.
TEMPLATE = (
    "A chat between a curious human and an artificial intelligence assistant. The assistant gives helpful, "
    "detailed, and polite answers to the human's questions. USER: <ev_start><event><ev_end>\n{prompt} ASSISTANT:"
)


def add_marks(tokenizer: Any, config: Mapping[str, Any]) -> None:
    """Make the events' two marks tokens where config.json says that they are; elsewhere they are text.

    In the order of EventGPT's own code (inference.py of its repository), which decides their ids.
    """
    if config.get("mm_use_im_start_end"):
        patch = [PATCH] if config.get("mm_use_im_patch_token", True) else []
        tokenizer.add_tokens([*patch, START, END], special_tokens=True)


def tokenize(tokenizer: Any, prompt: str) -> list[int]:
    """Token ids of a prompt, with EVENT_TOKEN_INDEX where `<event>` stands and one leading <s>."""
    before, after = prompt.split("<event>", 1)
    tail: list[int] = tokenizer(after, add_special_tokens=False).input_ids
    return [*tokenizer(before).input_ids, EVENT_TOKEN_INDEX, *tail]
