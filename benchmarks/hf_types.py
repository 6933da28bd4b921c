"""Which model types of transformers `--model hf:FOLDER` takes from a configuration alone, tried one by one.

    python benchmarks/hf_types.py [TYPE ...] [--output docs/hf-models.md]

Each type that transformers lists as image-text-to-text is made small from its own default configuration, with random
weights, and taken as a recording takes it: built, split, its answer compared with `generate`. Each in a process of
its own, with a bound on memory and time. The table says what came of it, and is written into the page between its two
marks; with TYPEs given, their rows alone are tried and written again.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import multiprocessing
import os
import re
import resource
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(HERE))
BEGIN, END = "<!-- begin: python benchmarks/hf_types.py -->", "<!-- end -->"
MEMORY_BYTES, SECONDS = 12 << 30, 60
TOKENS, ROUNDS_TOKENS = 4, 10

# Sizes by what configurations call them.
SMALL = {
    **dict.fromkeys(("num_hidden_layers", "depth", "n_layers", "num_layers", "encoder_layers", "decoder_layers"), 2),
    **dict.fromkeys(("hidden_size", "embed_dim", "d_model", "out_hidden_size", "text_hidden_size"), 64),
    **dict.fromkeys(("projection_dim", "projector_hidden_size", "vision_output_dim", "mm_hidden_size"), 64),
    **dict.fromkeys(("intermediate_size", "ffn_dim", "encoder_ffn_dim", "decoder_ffn_dim", "mlp_dim"), 128),
    **dict.fromkeys(("moe_intermediate_size", "intermediate_size_mlp", "shared_expert_intermediate_size"), 64),
    **dict.fromkeys(("num_attention_heads", "num_heads", "attention_heads", "n_heads"), 4),
    **dict.fromkeys(("encoder_attention_heads", "decoder_attention_heads"), 4),
    **dict.fromkeys(("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts"), 4),
    **dict.fromkeys(("num_experts_per_tok", "n_shared_experts", "moe_k", "moe_num_shared_experts"), 1),
    "num_key_value_heads": 2, "head_dim": 16, "vocab_size": 400, "max_position_embeddings": 2048, "image_size": 56,
    "patch_size": 14, "deepstack_visual_indexes": [0], "fullatt_block_indexes": [1], "cross_attention_layers": [1],
    "num_global_layers": 1, "intermediate_layers_indices": [0], "supported_aspect_ratios": [[1, 1]], "max_num_tiles": 1,
    "sliding_window": 64, "n_group": 1, "topk_group": 1, "first_k_dense_replace": 1, "mlp_ratio": 2,
}  # fmt: skip
MROPE = {"rope_type": "default", "mrope_section": [2, 3, 3], "rope_theta": 1e6}
# What single types want otherwise: parts whose widths must fit each other, or sections that must fit a head.
MORE: dict[str, dict[str, Any]] = {
    "llama4": {
        "vision_config": {
            "vision_output_dim": 64,
            "projector_input_dim": 64,
            "projector_output_dim": 64,
            "intermediate_size": 256,
        },
        "text_config": {"interleave_moe_layer_step": 1, "moe_layers": [0, 1], "no_rope_layers": [1, 1]},
    },
    "paddleocr_vl": {"text_config": {"head_dim": 128}},
    **{
        one: {"text_config": {"rope_parameters": MROPE}}
        for one in ("qwen2_5_vl", "glm4v", "glm4v_moe", "glm46v", "glm_ocr")
    },
    "qwen2_vl": {
        "text_config": {"rope_parameters": MROPE},
        "vision_config": {"embed_dim": 32, "hidden_size": 64, "num_heads": 2, "spatial_merge_size": 2},
    },
    "smolvlm": {"text_config": {"model_type": "llama", "pad_token_id": 0}},
    "mllama": {"vision_config": {"vision_output_dim": 128}},
    "gemma3": {"mm_tokens_per_image": 4},
    "shieldgemma2": {"mm_tokens_per_image": 4},
    "gemma3n": {
        "text_config": {"intermediate_size": 128, "num_kv_shared_layers": 0, "activation_sparsity_pattern": [0.0, 0.0]}
    },
    "glm4v_moe": {
        "text_config": {"rope_parameters": {**MROPE, "mrope_section": [1, 1, 2], "partial_rotary_factor": 0.5}}
    },
    "glmga": {"text_config": {"rope_parameters": MROPE}},
    "cosmos3_edge": {"text_config": {"rope_parameters": MROPE}},
    "qwen3_omni_moe_thinker": {"vision_start_token_id": 390, "vision_end_token_id": 391},
    "qwen2_5_omni_thinker": {
        "vision_start_token_id": 390,
        "vision_end_token_id": 391,
        "text_config": {"rope_parameters": MROPE},
    },
    # The language model is DeepSeek's, whose heads have a part that is rotated.
    "kimi_k25": {
        "projection_hidden_size": 64,
        "text_config": {"num_key_value_heads": 4, "head_dim": 8, "qk_rope_head_dim": 8, "qk_nope_head_dim": 16},
    },
    "dots3_note": {"text_config": {"num_key_value_heads": 4}},
    "step3p7": {"text_config": {"sliding_window": 64}},
    "vipllava": {"vision_feature_layers": [-1, -2]},
    "aria": {"projector_patch_to_query_dict": {"16": 8}, "max_value_projector_patch_to_query_dict": 8},
    "muse_glimmer": {"out_hidden_size": 256},
    "muse_spark": {
        "out_hidden_size": 256,
        "audio_config": {"num_hidden_layers": 4},
        "text_config": {"layer_rope_theta": [5e5, 0]},
    },
    "glm5_next": {"text_config": {"num_key_value_heads": 4}},
    "mistral_large4": {"text_config": {"num_key_value_heads": 4, "kv_source_layers": [0, 1], "no_rope_layers": [1, 1]}},
    "molmo2": {"adapter_config": {"vision_feature_layer": [1, 0]}, "text_config": {"rope_scaling_layers": [0, 1]}},
    "unlimited_ocr": {
        "vision_config": {
            "sam_config": {"image_size": 64, "patch_size": 4, "downsample_channels": [64, 64]},
            "encoder_config": {"image_size": 56},
        }
    },
    "florence2": {
        "vision_config": {
            "patch_size": [7, 3, 3, 3],
            "depths": [1, 1, 1, 1],
            "embed_dim": [16, 32, 64, 64],
            "num_heads": [2, 2, 2, 2],
            "num_groups": [2, 2, 2, 2],
            "projection_dim": 64,
        }
    },
    **{one: {"text_config": {"per_layer_config": {}}} for one in ("gemma4", "gemma4_unified", "diffusion_gemma")},
}


def small(config: dict[str, Any], first_id: int = 300) -> dict[str, Any]:
    """A configuration with the sizes of `SMALL`; ids of tokens become other ones below the vocabulary's end."""
    made: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, dict) and key.endswith("_config") and key != "per_layer_config":
            made[key] = small(value, first_id)
        elif key.endswith(("_token_id", "_token_index")) and isinstance(value, int) and not isinstance(value, bool):
            first_id += 1
            made[key] = value if 0 <= value < 300 else first_id
        elif key == "rope_parameters" and isinstance(value, dict) and "mrope_section" in value:
            made[key] = {**value, **MROPE}
        elif key in ("layer_types", "mlp_layer_types") and isinstance(value, list):
            others = [one for one in value if one != value[0]] or value
            made[key] = [value[0], "full_attention" if "full_attention" in value else others[0]]
        elif isinstance(value, dict) and value and all(str(one).isdigit() for one in value):  # by the layer's number
            made[key] = {one: inner for one, inner in value.items() if int(one) < 2}
        elif isinstance(value, float) and key in SMALL:
            made[key] = float(SMALL[key])
        elif key in SMALL and value is not None:
            made[key] = (
                [SMALL[key]] * len(value) if isinstance(value, list) and isinstance(SMALL[key], int) else SMALL[key]
            )
        else:
            made[key] = value
    return made


def _with(config: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """A configuration with other values; those of a part within that part, and those that hold values whole."""
    parts = {
        key: _with(config.get(key) or {}, value) if key.endswith("_config") and key != "per_layer_config" else value
        for key, value in more.items()
    }
    return {**config, **parts}


def try_type(model_type: str) -> tuple[str, str]:
    """What came of a type, in a word and a line."""
    import torch
    import transformers

    transformers.logging.set_verbosity_error()
    torch.set_num_threads(1)
    from model.errors import ModelError
    from model.registry import ModelOptions, find
    from model.staged import run_request
    from tracer.document.words import counted

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            default = transformers.AutoConfig.for_model(model_type).to_dict()
            config = small(default)
            config = _with(config, MORE.get(model_type, {}))
            (folder / "config.json").write_text(json.dumps(config))
            transformers.AutoConfig.from_pretrained(folder, local_files_only=True)
        except Exception as error:
            return (
                "not made small",
                f"this script's configuration: {type(error).__name__}: {' '.join(str(error).split())[:160]}",
            )
        options = ModelOptions(size="", device="cpu", dtype="float32", prompt_tokens=12)
        try:
            model = find(f"hf:{folder}").build(options)
            inputs = model.prepare(model.load())
            staged = run_request(model, max_new_tokens=TOKENS)
            same = torch.equal(staged, model.generate(inputs, None, max_new_tokens=TOKENS))
        except ModelError as error:
            line = " ".join(str(error).replace(str(folder), "FOLDER").split())
            return (
                ("unsettled", line.partition("; its processor's")[0])
                if "cannot be fed here" in line
                else ("told", line)
            )
        if not same:
            return "differs", "its tokens are not those of its own generate"
        missing = model.describe().get("missing_stages", {}).get("vision")
        how = str(missing) if missing else counted(model.shape(inputs).visual_tokens, "visual token")
        return "whole" if missing else "split", f"{how}; {rounds(model)}"


def rounds(model: Any) -> str:
    """Whether a model can draft and check: with itself, some of what it drafts being wrong."""
    import torch

    from model.errors import ModelError
    from model.speculative.pair import Speculating, SpeculativePair

    inputs = model.prepare(model.load())
    try:
        said = SpeculativePair(model, model, Speculating(count=3, shares=(0.6,))).run(max_new_tokens=ROUNDS_TOKENS)
        same = torch.equal(said, model.generate(inputs, None, max_new_tokens=ROUNDS_TOKENS))
    except ModelError as error:
        return f"no rounds: {' '.join(str(error).split())}"
    except Exception as error:  # every architecture has its own ways of refusing
        return f"**rounds fail**: {type(error).__name__}: {' '.join(str(error).split())[:160]}"
    return "drafts and checks" if same else "**rounds differ**"


def _in_child(model_type: str, pipe: Any) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
        try:
            pipe.send(try_type(model_type))
        except BaseException as error:
            pipe.send(("raised", f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"))


def outcome(model_type: str) -> tuple[str, str]:
    """What came of a type, tried in a process of its own."""
    context = multiprocessing.get_context("fork")
    mine, its = context.Pipe()
    child = context.Process(target=_in_child, args=(model_type, its))
    child.start()
    its.close()
    found: tuple[str, str]
    try:
        found = mine.recv() if mine.poll(SECONDS) else ("too long", f"more than {SECONDS} s")
    except EOFError:
        found = "died", "out of memory, or worse"
    finally:
        child.kill()
        child.join()
    print(model_type, *found, file=sys.stderr, flush=True)
    return found


WORDS = {
    "split": "vision is a stage of its own; tokens equal its own `generate`'s",
    "whole": "runs, vision inside prefill",
    "told": "refused in one line",
    "unsettled": "fails as it runs, told in one line: by its small configuration, or by how it is fed; not looked into",
    "not made small": "not tried: its default configuration could not be made small",
}


def rows_of(page: str) -> dict[str, tuple[str, str]]:
    """The rows that a page has."""
    rows = re.findall(r"^\| `([^`]+)` \| ([^|]+) \| ([^|]*) \|$", page, re.MULTILINE)
    return {model_type: (word, line) for model_type, word, line in rows}


def table(types: list[str], known: dict[str, tuple[str, str]]) -> str:
    """The table of the page, with versions; of types that are not tried now the rows that are known."""
    found = known | {model_type: outcome(model_type) for model_type in types}
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("transformers", "torch"))
    all_words = [word for word, _ in found.values()]
    order = list(dict.fromkeys([*WORDS, *all_words]))
    counts = {word: all_words.count(word) for word in order if word in all_words}
    lines = [f"Tried with {versions}: " + ", ".join(f"{count} {word}" for word, count in counts.items()) + ".", ""]
    lines += [f"- *{word}*: {WORDS[word]}" for word in counts if word in WORDS]
    lines += ["", "| type | what came of it | |", "| --- | --- | --- |"]
    for model_type, (word, line) in sorted(found.items(), key=lambda one: (order.index(one[1][0]), one[0])):
        lines.append(f"| `{model_type}` | {word} | {line.replace('|', '/')} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("types", nargs="*")
    parser.add_argument("--output", type=Path, help="the page whose table is written again")
    given = parser.parse_args()
    import transformers  # once, for all children
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES as KNOWN

    import model.hf.builder  # noqa: F401

    transformers.logging.set_verbosity_error()
    known = rows_of(given.output.read_text()) if given.output and given.types else {}
    text = table(given.types or sorted(KNOWN), known)
    print(text)
    if given.output:
        page = given.output.read_text()
        before, rest = page.split(BEGIN)
        given.output.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.split(END, 1)[1]}")


if __name__ == "__main__":
    main()
