"""What is missing is named with the command that installs it, and an error is told whole."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from model import extras
from model.extras import EXTRA, LONGEST, fitting, in_one_line, install, missing_package

PROJECT = Path(__file__).parents[2] / "pyproject.toml"


def test_every_extra_that_is_named_brings_the_package() -> None:
    extras = tomllib.loads(PROJECT.read_text())["project"]["optional-dependencies"]
    for package, extra in EXTRA.items():
        assert any(requirement.startswith(package) for requirement in extras[extra]), package


@pytest.mark.parametrize(
    ("message", "advice"),
    [
        ("\nQwen2VLVideoProcessor requires the Torchvision library but it was not found.\n", install("vision")),
        ("TimmWrapperModel requires the timm library but it was not found", "needs timm, which is missing"),
        ("No module named 'sentencepiece'", install("checkpoint")),
        ("operator torchvision::nms does not exist", "does not fit torch"),
    ],
)
def test_a_missing_package_is_found_in_what_an_error_says(message: str, advice: str) -> None:
    assert advice in (missing_package(ImportError(message)) or "")


INDEX = ", with the --extra-index-url that https://pytorch.org/get-started names for "


@pytest.mark.parametrize(
    ("torch", "told"),
    [
        (
            "2.13.0+cpu",
            f" torch==2.13.0+cpu{INDEX}cpu",
        ),
        (
            "2.14.1+cu130",
            f" torch==2.14.1+cu130{INDEX}cu130",
        ),
        ("2.14.1", " torch==2.14.1"),
        ("2.9.0a0+50eac811a6.nv25.09", " torch==2.9.0a0+50eac811a6.nv25.09"),
    ],
)
def test_what_installs_torchvision_leaves_torch_as_it_is(
    monkeypatch: pytest.MonkeyPatch, torch: str, told: str
) -> None:
    monkeypatch.setattr(extras, "version", lambda _: torch)
    assert install("vision") == f"pip install '.[vision]'{told}"
    assert fitting().endswith(f"pip install --upgrade torchvision{told}")
    assert install("video") == "pip install '.[video]'"


def test_a_missing_package_is_found_where_the_error_came_from() -> None:
    try:
        try:
            raise RuntimeError("operator torchvision::nms does not exist")
        except RuntimeError as cause:
            raise ModuleNotFoundError("Could not import module 'Qwen2VLVideoProcessor'") from cause
    except ModuleNotFoundError as error:
        assert "does not fit torch" in (missing_package(error) or "")


@pytest.mark.parametrize("message", ["shapes differ", "avid readers require it", "torchvision is fine"])
def test_other_errors_name_no_package(message: str) -> None:
    assert missing_package(ValueError(message)) is None


def test_a_message_is_told_whole_and_in_one_line() -> None:
    assert in_one_line(ValueError("\nfirst\n  second \n\nthird")) == "first second third"
    assert in_one_line(ValueError()) == "ValueError"
    assert len(in_one_line(ValueError("a" * 10_000))) == LONGEST + 2
