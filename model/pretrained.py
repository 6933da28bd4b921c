"""Networks that transformers loads whole, from folders on the disk alone."""

from __future__ import annotations

import importlib.util
import json
import re
from typing import TYPE_CHECKING, Any

import torch

from model.errors import CheckpointError, ModelError
from model.extras import in_one_line, install, missing_package
from model.weights import DTYPES, only_this_folder

if TYPE_CHECKING:
    from pathlib import Path

    from model.registry import ModelOptions

# Packages that a quantised checkpoint needs, by the method its configuration names.
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
QUANTISERS = {"bitsandbytes": ("bitsandbytes", "accelerate")}


def load_network(network_class: Any, folder: Path, options: ModelOptions) -> Any:
    """Load a network and its weights; nothing is fetched, and no code in the folder runs.

    Raises:
        CheckpointError: the folder is no such checkpoint, lacks weights, or needs a package that is missing.
        ModelError: the device has no room for it.
    """
    check_folder(folder)
    only_this_folder()
    try:
        network, found = network_class.from_pretrained(
            folder,
            local_files_only=True,
            trust_remote_code=False,
            weights_only=True,
            output_loading_info=True,
            dtype=DTYPES[options.dtype],
            # A quantised network is put in its place while it is loaded, and cannot be moved.
            **({"device_map": {"": options.device}} if _quantiser(folder) else {}),
        )
    except torch.OutOfMemoryError:
        raise ModelError(f"{options.device} has no room for {folder} in {options.dtype}") from None
    except Exception as error:  # damaged configurations and weights raise nearly anything
        if needed := missing_package(error):
            raise CheckpointError(f"{folder}: its network {needed}") from None
        raise CheckpointError(f"{folder}: cannot be loaded ({in_one_line(error)})") from None
    for key, what in (("missing_keys", "no tensor named"), ("mismatched_keys", "a tensor of another shape:")):
        if names := sorted(str(name) for name in found.get(key) or ()):
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            raise CheckpointError(f"{folder}: {what} {names[0]}{more}")
    try:
        return network if _quantiser(folder) else network.to(options.device)
    except torch.OutOfMemoryError:
        raise ModelError(f"{options.device} has no room for {folder} in {options.dtype}") from None


def check_folder(folder: Path) -> None:
    """Refuse what is no checkpoint folder, or one whose quantisation cannot be read here.

    Raises:
        CheckpointError: so it is.
    """
    if not folder.exists() and HUB_ID.fullmatch(str(folder)):
        raise CheckpointError(
            f"{folder}: no such folder, and nothing is fetched from the Hub: download it "
            f"(hf download {folder} --local-dir FOLDER) and give that folder"
        )
    if not folder.is_dir():
        raise CheckpointError(f"{folder}: not a checkpoint folder")
    method = _quantiser(folder)
    missing = [name for name in QUANTISERS.get(method or "", ()) if importlib.util.find_spec(name) is None]
    if missing:
        raise CheckpointError(
            f"{folder}: its weights are quantised by {method}, and {' and '.join(missing)} is missing; "
            f"{install('quantised')}"
        )


def _quantiser(folder: Path) -> str | None:
    """The method that a folder's configuration says its weights are quantised by."""
    path = folder / "config.json"
    try:
        config = json.loads(path.read_bytes())
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror or error}; a checkpoint folder needs it") from None
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: not JSON ({error})") from None
    if not isinstance(config, dict):
        raise CheckpointError(f"{path}: holds a JSON {type(config).__name__}, not an object")
    quantisation = config.get("quantization_config")
    if not isinstance(quantisation, dict):
        return None
    return str(quantisation.get("quant_method", "bitsandbytes"))
