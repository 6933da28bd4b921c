"""What is installed for the tests, and what pyproject.toml allows."""

from __future__ import annotations

import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
NEEDED = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["test"]]
ALLOWED = {one.name.lower(): one.specifier for one in map(Requirement, NEEDED)}
# What only recording, tables and notebooks need; the lowest run is without it.
RECORDING = {"torch", "transformers", "nvtx", "pillow", "safetensors", "tokenizers", "av"}
ABSENT = RECORDING | {
    "pyarrow", "duckdb", "pandas", "nbclient", "ipykernel", "dask", "distributed", "fsspec", "cryptography",
}  # fmt: skip


def _pinned(name: str) -> dict[str, Version]:
    lines = [line for line in (ROOT / name).read_text().splitlines() if line and not line.startswith("#")]
    return {name.lower(): Version(version) for name, version in (line.split("==") for line in lines)}


def test_the_lowest_versions_are_the_lowest_that_are_allowed() -> None:
    floors = {
        name: Version(one.version)
        for name, allowed in ALLOWED.items() if name not in ABSENT
        for one in allowed if one.operator == ">="
    }  # fmt: skip
    assert _pinned("constraints-lowest.txt") == floors


def test_every_dependency_is_pinned_to_a_version_that_is_allowed() -> None:
    pinned = _pinned("constraints.txt")
    assert set(ALLOWED) <= set(pinned)
    assert [name for name, allowed in ALLOWED.items() if pinned[name] not in allowed] == []
