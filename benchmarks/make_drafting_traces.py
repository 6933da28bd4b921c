"""Record transformers' `generate` where tokens are drafted, with networks of a few thousand weights, on a CPU.

    python benchmarks/make_drafting_traces.py OUT_FOLDER [NAME ...]

Writes `drafting_<major>_<minor>_<name>.json.gz` for the transformers installed, as make_generate_traces.py does. Each
forward pass lies in a range `truth/target` or `truth/draft`, and each round says by ranges without extent what was
drafted and accepted, `truth/drafted#k` and `truth/accepted#k`, out of generation's own counts.
"""

from __future__ import annotations

import copy
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import transformers
from make_generate_traces import VOCABULARY, _around, _llama, _write
from torch.profiler import ProfilerActivity, profile, record_function
from transformers import Qwen2Config, Qwen2ForCausalLM
from transformers.generation import candidate_generator

if TYPE_CHECKING:
    from collections.abc import Callable

LENGTH, TOKENS, DRAFTED = 12, 10, 3


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for generator in (
        candidate_generator.AssistedCandidateGenerator,
        candidate_generator.PromptLookupCandidateGenerator,
    ):
        _tell(generator)
    for name in sys.argv[2:] or WAYS:
        torch.manual_seed(0)
        run = WAYS[name]()
        with torch.no_grad():
            run()  # what happens the first time alone is left out
            with profile(activities=[ProfilerActivity.CPU], with_stack=True, record_shapes=True) as profiler:
                run()
        major, minor = transformers.__version__.split(".")[:2]
        path = folder / f"drafting_{major}_{minor}_{name}.json.gz"
        _write(profiler, path)
        print(path, path.stat().st_size)


def _tell(generator: Any) -> None:
    """Have a drafting class say what it drafts, and what is accepted of that."""
    drafts, updates = generator.get_candidates, generator.update_candidate_strategy

    def get_candidates(self: Any, input_ids: torch.Tensor, *rest: Any, **named: Any) -> Any:
        found = drafts(self, input_ids, *rest, **named)
        with record_function(f"truth/drafted#{found[0].shape[-1] - input_ids.shape[-1]}"):
            return found

    def update_candidate_strategy(self: Any, input_ids: Any, scores: Any, num_matches: int) -> None:
        with record_function(f"truth/accepted#{int(num_matches)}"):
            updates(self, input_ids, scores, num_matches)

    generator.get_candidates = get_candidates
    generator.update_candidate_strategy = update_candidate_strategy


def _with(draft: Any, target: Any, *, do_sample: bool = False, tokens: int = TOKENS) -> Callable[[], None]:
    draft.generation_config.num_assistant_tokens = DRAFTED
    draft.generation_config.num_assistant_tokens_schedule = "constant"
    draft.generation_config.assistant_confidence_threshold = 0.0
    _around(target, lambda: "truth/target")
    _around(draft, lambda: "truth/draft")
    prompt = torch.randint(2, 100, (1, LENGTH))

    def run() -> None:
        target.generate(
            prompt, assistant_model=draft, do_sample=do_sample, max_new_tokens=tokens, min_new_tokens=tokens
        )

    return run


def _twins() -> Callable[[], None]:
    """Two instances of one class with the same weights: all that is drafted is accepted."""
    target = _llama()
    return _with(copy.deepcopy(target), target)


def _sampled() -> Callable[[], None]:
    """Sampled drafts of a twin that is a little off: some are accepted."""
    target = _llama()
    draft = copy.deepcopy(target)
    for weights in draft.parameters():
        weights.data.add_(0.02 * torch.randn_like(weights))
    return _with(draft, target, do_sample=True)


def _other() -> Callable[[], None]:
    """A draft of another class."""
    config = Qwen2Config(
        vocab_size=VOCABULARY, hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=1, max_position_embeddings=256, pad_token_id=0, eos_token_id=1, bos_token_id=None,
    )  # fmt: skip
    draft = Qwen2ForCausalLM(config).eval()
    draft.generation_config.pad_token_id = 0
    return _with(draft, _llama(2), tokens=4)


def _lookup() -> Callable[[], None]:
    """What is drafted stands in the prompt, and there is no draft's model."""
    target, tokens = _llama(), 6
    _around(target, lambda: "truth/target")
    prompt = torch.randint(2, 100, (1, LENGTH)).repeat(1, 2)

    def run() -> None:
        target.generate(
            prompt, prompt_lookup_num_tokens=DRAFTED, do_sample=False, max_new_tokens=tokens, min_new_tokens=tokens
        )

    return run


WAYS: dict[str, Callable[[], Callable[[], None]]] = {
    "twins": _twins,
    "sampled": _sampled,
    "other": _other,
    "lookup": _lookup,
}

if __name__ == "__main__":
    main()
