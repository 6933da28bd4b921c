"""Data sets: the samples of a folder, or those that an instruction file names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model.errors import InputError
from model.inputs.pictures import SUFFIXES as PICTURES
from model.inputs.pictures import in_natural_order
from model.inputs.samples import EVENTS, Sample
from model.inputs.videos import SUFFIXES as VIDEOS

if TYPE_CHECKING:
    from collections.abc import Mapping

# The keys under which instruction files name a sample's data; the first that an entry has counts.
DATA_KEYS = ("event_data", "event", "video", "image", "event_image")
PLACEHOLDERS = ("<event>", "<image>", "<video>")


def read_dataset(path: Path, *, seed: int = 0) -> list[Sample]:
    """The samples of a folder, in the natural order of their names, or of an instruction file in theirs.

    A folder with one JSON file in it is described by that file: a list of entries as EventGPT's instruction data has
    them, with `event_data` (or `video`, `image`, `event_image`), `conversations` and an `id` to call the sample by. Any
    other folder's event files, pictures and videos are its samples, and so are folders of pictures inside it.

    Raises:
        InputError: there is nothing to read, or the instruction file is none.
    """
    if path.is_dir():
        described = sorted(path.glob("*.json"))
        if len(described) == 1:
            return _instructions(described[0], path, seed)
        return _files(path, seed)
    if path.suffix.lower() == ".json" and path.is_file():
        return _instructions(path, path.parent, seed)
    raise InputError(f"{path}: neither a folder of samples nor an instruction file (.json)")


def _files(folder: Path, seed: int) -> list[Sample]:
    try:
        found = [path for path in folder.iterdir() if _is_data(path)]
    except OSError as error:
        raise InputError(f"{folder}: {error.strerror or error}") from None
    if not found:
        kinds = ", ".join(sorted(EVENTS | PICTURES | VIDEOS))
        raise InputError(f"{folder}: no samples here ({kinds}, or folders of pictures)")
    return [Sample(path.name, path, None, seed + number) for number, path in enumerate(in_natural_order(found))]


def _is_data(path: Path) -> bool:
    if path.is_dir():
        return any(inner.suffix.lower() in PICTURES for inner in path.iterdir())
    return path.suffix.lower() in EVENTS | PICTURES | VIDEOS


def _instructions(path: Path, folder: Path, seed: int) -> list[Sample]:
    try:
        entries = json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not JSON ({error})") from None
    if not isinstance(entries, list) or not entries:
        raise InputError(f"{path}: not a list of samples with event_data and conversations")
    return [_instruction(path, folder, number, entry, seed) for number, entry in enumerate(entries)]


def _instruction(path: Path, folder: Path, number: int, entry: Any, seed: int) -> Sample:
    place = f"{path}: entry {number}"
    if not isinstance(entry, dict):
        raise InputError(f"{place} is no object with event_data and conversations")
    key = next((key for key in DATA_KEYS if isinstance(entry.get(key), str)), None)
    if key is None:
        raise InputError(f"{place} names no data ({', '.join(DATA_KEYS)})")
    named = Path(entry[key])
    if named.is_absolute() or ".." in named.parts:
        raise InputError(f"{place}: {entry[key]!r} lies outside {folder}")
    # Upstream keeps the data beside the file, or in a folder called like the key.
    data = next((base / named for base in (folder, folder / key) if (base / named).exists()), None)
    if data is None:
        raise InputError(f"{place}: no {entry[key]!r} in {folder}")
    return Sample(_name(entry) or str(named), data, _question(place, entry), seed + number)


def _name(entry: Mapping[str, Any]) -> str | None:
    """An entry's id: several may ask about the same data."""
    given = entry.get("id")
    return str(given) if isinstance(given, str | int) and given != "" else None


def _question(place: str, entry: Mapping[str, Any]) -> str | None:
    """What the human asks first, without the placeholder of the data."""
    turns = entry.get("conversations")
    if turns is None:
        return None
    if not isinstance(turns, list) or not all(isinstance(turn, dict) for turn in turns):
        raise InputError(f"{place}: conversations is no list of turns")
    text = next((turn.get("value") for turn in turns if turn.get("from") in ("human", "user")), None)
    if not isinstance(text, str):
        raise InputError(f"{place}: no question by a human in conversations")
    for placeholder in PLACEHOLDERS:
        text = text.replace(placeholder, "")
    return text.strip()
