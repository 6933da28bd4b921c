"""EventGPT's prompt: its words, and where the events go."""

from __future__ import annotations

from typing import Any

from model.eventgpt.network import EVENT_TOKEN_INDEX

DEFAULT_PROMPT = "What are the key elements in this scene?"
# Vicuna v1.1's template, which LLaVA and EventGPT were tuned with.
TEMPLATE = (
    "A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, "
    "detailed, and polite answers to the user's questions. USER: <event>\n{prompt} ASSISTANT:"
)


def tokenize(tokenizer: Any, prompt: str) -> list[int]:
    """Token ids of a prompt, with EVENT_TOKEN_INDEX where `<event>` stands and one leading <s>."""
    before, after = prompt.split("<event>", 1)
    tail: list[int] = tokenizer(after, add_special_tokens=False).input_ids
    return [*tokenizer(before).input_ids, EVENT_TOKEN_INDEX, *tail]
