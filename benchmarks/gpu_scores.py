"""What only repeats, for `gpu_repetition.py`: language models that embed, score and fill in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import transformers as tf
from gpu_truth import causal, over_batches, ready, words
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[[], None]

HALF = torch.float16


def _short_texts(kind: str) -> Run:
    """One long text, then short ones, a class of each read."""
    lengths = (300, *[12] * 20)
    if kind == "bert":
        model: Any = ready(tf.BertForSequenceClassification(tf.BertConfig(num_hidden_layers=6)))
        return over_batches(
            model, [{"input_ids": words(1, n, 30000)} for n in lengths], lambda out: out.logits.argmax(-1).item()
        )
    model = causal("llama", layers=6)
    batches = [{"input_ids": words(1, n)} for n in lengths]
    return over_batches(model, batches, lambda out: out.logits[:, -1].argmax(-1).item())


def _experts_score() -> Run:
    model = causal("mixtral", layers=6, num_local_experts=8)
    batches = [{"input_ids": words(1, 128)}] * 16
    return over_batches(model, batches, lambda out: out.logits[:, -1].argmax(-1).item())


def _experts_score_in_turn() -> Run:
    model = causal("mixtral", layers=6, num_local_experts=8)
    model.set_experts_implementation("eager")
    batches = [{"input_ids": words(1, 128)} for _ in range(16)]
    return over_batches(model, batches, lambda out: out.logits[:, -1].argmax(-1).item())


def _switch_encodes() -> Run:
    config = tf.SwitchTransformersConfig(d_model=512, d_kv=64, d_ff=1024, num_layers=6, num_heads=8, num_experts=8)
    model = ready(tf.SwitchTransformersEncoderModel(config))
    return over_batches(
        model, [{"input_ids": words(4, 64)}] * 12, lambda out: out.last_hidden_state.mean(1).float().cpu()
    )


def _rewards() -> Run:
    config = causal("qwen2", layers=6).config
    config.num_labels, config.pad_token_id = 1, 0
    model = ready(tf.AutoModelForSequenceClassification.from_config(config))
    return over_batches(
        model, [{"input_ids": words(4, length)} for length in (300, *[200] * 16)], lambda out: out.logits.tolist()
    )


def _embeds(kind: str, batch: int, lengths: list[int]) -> Run:
    config = tf.AutoConfig.for_model(kind, num_hidden_layers=6, vocab_size=32000)
    model = ready(tf.AutoModel.from_config(config), HALF)
    batches = [{"input_ids": words(batch, length)} for length in lengths]
    return over_batches(model, batches, lambda out: functional.normalize(out.last_hidden_state.mean(1), dim=-1).cpu())


def _reranks(one: bool) -> Run:
    """A language model that says yes or no of pairs."""
    model = causal("qwen2", layers=6)
    batches = [{"input_ids": words(1 if one else 8, length)} for length in (900, *[128] * 20)]
    return over_batches(model, batches, lambda out: out.logits[:, -1, :2].argmax(-1).tolist())


def _answer_spans() -> Run:
    model = ready(tf.BertForQuestionAnswering(tf.BertConfig(num_hidden_layers=6)))
    batches = [{"input_ids": words(1, 384, 30000)}] * 24
    return over_batches(
        model, batches, lambda out: (out.start_logits.argmax(-1).item(), out.end_logits.argmax(-1).item())
    )


def _perplexity(*, rest: bool = True, stride: int = 256) -> Run:
    """Windows over a long text; the last is shorter."""
    model = causal("llama", layers=8)
    text = words(1, 4096 + (77 if rest else 0))
    windows = [{"input_ids": text[:, at : at + 512], "labels": text[:, at : at + 512]} for at in range(0, 4096, stride)]
    return over_batches(model, windows, lambda out: out.loss.item())


def _choices() -> Run:
    """Four endings of each question scored behind the cached question, as benchmarks of knowledge do."""
    model = causal("llama", layers=8)
    question, endings = words(1, 300), [words(1, length) for length in (6, 5, 8, 6)]

    @torch.no_grad()
    def run() -> None:
        for _ in range(6):
            for ending in endings:
                out = model(torch.cat([question, ending], 1)).logits[:, 300:-1].log_softmax(-1)
                out.gather(-1, ending[:, 1:, None]).sum().item()

    return run


def _masked_diffusion(*, reads: bool) -> Run:
    """A language model that fills masks in over the whole text again and again."""
    model = ready(tf.BertForMaskedLM(tf.BertConfig(num_hidden_layers=8, vocab_size=32000)))
    start = words(1, 256)

    @torch.no_grad()
    def run() -> None:
        text = start.clone()
        for step in range(24):
            logits = model(text).logits
            sure, best = logits.softmax(-1).max(-1)
            at = sure.topk(8 + step % 2).indices
            text.scatter_(1, at, best.gather(1, at))
            logits.argmax(-1)
            if reads and (text == -1).any().item():
                break

    return run


SCORES: dict[str, Callable[[], Run]] = {
    "no_short_texts": lambda: _short_texts("bert"),
    "no_short_scores": lambda: _short_texts("llama"),
    "no_experts_score": _experts_score,
    "no_experts_score_in_turn": _experts_score_in_turn,
    "no_switch_encodes": _switch_encodes,
    "no_rewards": _rewards,
    "no_embeds_one": lambda: _embeds("bert", 1, [200, *[32] * 20]),
    "no_embeds_batches": lambda: _embeds("xlm-roberta", 16, [128] * 12),
    "no_embeds_single_words": lambda: _embeds("bert", 1, [200, *[1] * 20]),
    "no_reranks": lambda: _reranks(False),
    "no_reranks_one": lambda: _reranks(True),
    "no_answer_spans": _answer_spans,
    "no_perplexity": _perplexity,
    "no_perplexity_equal": lambda: _perplexity(rest=False, stride=512),
    "no_choices": _choices,
    "no_masked_diffusion": lambda: _masked_diffusion(reads=True),
    "no_masked_diffusion_unread": lambda: _masked_diffusion(reads=False),
}
