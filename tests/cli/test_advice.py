"""What outputs tell a person to type works: on the file that they speak of, and at the verb that says it."""

from __future__ import annotations

import ast
import contextlib
import io
import json
import re
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import tracer
from tracer.cli.app import VERBS, build_app
from tracer.cli.main import main
from tracer.findings.registry import findings
from tracer.measure.ways import ways

if TYPE_CHECKING:
    from collections.abc import Iterator

HOME = Path(tracer.__file__).parents[1]
PHRASE = re.compile(
    r"(?:(?P<program>tracer|nsys) (?P<verb>[a-z-]+) )?(?<![\w-])(?P<option>--[a-z][a-z-]+)(?:[ =](?P<value>[\w%.]*\w))?"
)
VERB = re.compile(r"\btracer (?P<verb>[a-z][a-z-]*)")
# Of options whose value is not beside them.
VALUES = {"--marker": "vision=.", "--peak-tflops": "100", "--peak-gbs": "1000", "--tolerance": "3%"}
READERS = ("summarize", "compare", "explain", "whatif")
# Which verbs say what the files below say; the first that a file is in counts.
SAID_BY: dict[str, tuple[str, ...]] = {
    "tracer/compare/turns.py": ("ab",),
    "reports/parts/compared/turns.py": ("ab",),
    "tracer/compare": ("compare",),
    "tracer/predict": ("whatif",),
    "tracer/recording": ("record",),
    "tracer/trace": READERS,
    "tracer/saved.py": READERS,
    "tracer/nsys.py": ("record", "summarize", "compare"),
    "tracer/findings": ("summarize",),
    "tracer/measure": ("summarize",),
    "tracer/peaks": ("summarize", "whatif"),
    "reports/parts/compared": ("compare",),
    "reports/parts/prediction.py": ("whatif",),
    "reports": ("summarize",),
}


@cache
def _options(verb: str) -> dict[str, Any]:
    import typer.main

    command = typer.main.get_command(build_app([])).commands[verb]  # type: ignore[attr-defined]
    return {name: option for option in command.params for name in (*option.opts, *option.secondary_opts)}


def _tracer(*arguments: object) -> tuple[int, str]:
    """Exit code, and all that was said."""
    said = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        patch.setattr(sys, "argv", ["tracer", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
    return int(str(end.value.code)), said.getvalue()


def _advised(said: str, verb: str, path: Path) -> Iterator[tuple[str, ...]]:
    """The commands that are named in what a verb said of a file; of `record` the options alone are looked up."""
    assert {match["verb"] for match in VERB.finditer(said)} - {"record"} <= {*VERBS}, said
    for match in PHRASE.finditer(said):
        if match["program"] == "nsys":
            continue
        of, option = match["verb"] or verb, match["option"]
        if option == "--help":
            yield of, option
            continue
        assert option in _options(of), f"tracer {of} has no {option}: {match[0]}"
        if of == "record" or option == "--capture":  # the trace that it names is still to be recorded
            continue
        value = [] if _options(of)[option].is_flag else [VALUES.get(option) or match["value"]]
        yield (of, str(path), option, *value)


def _heeded(said: str, verb: str, path: Path) -> None:
    for command in set(_advised(said, verb, path)):
        code, output = _tracer(*command)
        assert code == 0, (command, output)
        if of_file := command[2:]:
            assert f"{of_file[0]} {of_file[-1]}" not in output, (command, output)  # once heeded, it is not given again


@pytest.mark.parametrize("asked", [["--width", "1000"], ["--format", "markdown"]])
def test_what_the_summary_of_a_trace_names_works_on_that_trace(chrome_trace: Path, asked: list[str]) -> None:
    code, said = _tracer("summarize", chrome_trace, *asked)
    assert code == 0
    _heeded(said, "summarize", chrome_trace)


def test_what_the_summary_of_an_export_names_works_on_that_export(nsight_export: Path) -> None:
    code, said = _tracer("summarize", nsight_export, "--width", 1000)
    assert code == 0
    _heeded(said, "summarize", nsight_export)


def test_what_a_saved_summary_names_works_on_it(tmp_path: Path, data: Path) -> None:
    saved = tmp_path / "saved.json"
    _tracer("summarize", data / "nsight_h200_gemms.sqlite", "--format", "json", "-o", saved)
    code, said = _tracer("summarize", saved, "--width", 1000)
    assert code == 0
    _heeded(said, "summarize", saved)


# One for each way in which a file lacks something: stages, a device, operators, modules, host calls.
SMALL = (
    "kineto_alexnet.json.gz", "kineto_cpu_only.json.gz", "kineto_mi210_gpu_only.json.gz",
    "kineto_mi300x_sglang_decode_graph.json.gz", "kineto_mi355x_compiled_triton.json.gz",
    "nsight_cpu_nvtx.sqlite", "nsight_h200_gemms.sqlite",
)  # fmt: skip
CHANGES = (["--stage", "decode=0.5"], ["--launch-overhead", "0.1"], ["--visual-tokens", "0.5"], ["--batch-frames", "5"])


def _without(said: str, asked: list[str]) -> str:
    """What was said, but for what it repeats of the question, which is no advice."""
    return said.replace(" ".join(asked), "").replace(f"{asked[0]}: ", "")


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("asked", [*(["--by", way] for way in ways()), ["--shapes"]], ids=" ".join)
def test_what_a_breakdown_or_its_refusal_names_works_on_that_file(data: Path, name: str, asked: list[str]) -> None:
    code, said = _tracer("summarize", data / name, *asked, "--width", 1000)
    assert code in (0, 1)
    _heeded(_without(said, asked), "summarize", data / name)


@pytest.mark.parametrize("name", SMALL)
def test_what_an_explanation_names_works_on_the_file_that_it_is_of(data: Path, name: str) -> None:
    _, said = _tracer("summarize", data / name, "--format", "json")
    for finding in json.loads(said)["findings"]:
        code, said = _tracer("explain", finding["id"], data / name)
        assert code == 0
        _heeded(said, "explain", data / name)


@pytest.mark.parametrize("finding", findings())
def test_an_explanation_names_options_of_the_verb_that_has_them(finding: str, data: Path) -> None:
    code, said = _tracer("explain", finding)
    assert code == 0
    _heeded(said, "explain", data / SMALL[-1])


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("asked", CHANGES, ids=" ".join)
def test_what_a_prediction_or_its_refusal_names_works_on_that_file(data: Path, name: str, asked: list[str]) -> None:
    code, said = _tracer("whatif", data / name, *asked)
    assert code in (0, 1, 2)
    _heeded(_without(said, asked), "whatif", data / name)


# Each is wrong in one way.
WRONG = (
    *(f"summarize {rest}".strip() for rest in (
        "", "TRACE --bye", "TRACE --by x", "TRACE --budget decode<=1ms", "TRACE --budget x", "TRACE --marker x=(",
        "TRACE --marker decode=nothing", "TRACE --rank 0", "FOLDER --rank 7", "TRACE -o FOLDER", "TRACE -o THERE",
        "none.json",
    )),
    *(f"compare {rest}" for rest in ("TRACE", "TRACE TRACE --recordings 3", "TRACE TRACE --max-regression 5%",
                                     "TRACE TRACE --budget tpot<=1s")),
    *(f"whatif TRACE {rest}".strip() for rest in (
        "", "--stage x=1", "--stage decode=1", "--decode graph --verify",
    )),
    *(f"record {rest}" for rest in ("--model x", "--prompt x", "--decode-window 3", "-o THERE")),
    "explain x", "explain launch-bound none.json", "critical-path none.json", "x",
)  # fmt: skip


@pytest.mark.parametrize("typed", WRONG)
def test_what_an_error_names_works(data: Path, tmp_path: Path, typed: str) -> None:
    trace, there = data / "kineto_alexnet.json.gz", tmp_path / "there.json"
    there.write_text("{}")
    places = {"TRACE": str(trace), "FOLDER": str(tmp_path), "THERE": str(there)}
    words = [places.get(word, word) for word in typed.split()]
    code, said = _tracer(*words)
    assert code in (1, 2, 3)
    verb = words[0] if words[0] in VERBS else "summarize"
    told = said.splitlines()[-1]
    for word in words[1:]:
        told = told.replace(word, "")  # what it repeats of the question is no advice
    for command in set(_advised(told, verb, trace)):
        if None in command or command[-1].isupper():  # an option alone, or with a word for its value, is looked up
            continue
        more = words[2:] if command[-1] == "--force" else [trace] if command[0] == "compare" else []
        assert _tracer(*command, *more)[0] == 0, command
    assert (there.read_text() == "{}") is (typed != "summarize TRACE -o THERE")  # `--force` overwrote it, as it says


@pytest.mark.parametrize("by", ["op", "module", "layer"])
def test_what_a_trace_lacks_is_recorded_by_an_option_that_there_is(data: Path, by: str) -> None:
    export = data / "nsight_h200_gemms.sqlite"
    code, said = _tracer("summarize", export, "--by", by)
    assert code == 1
    assert "Chrome trace" in said  # no export has them, however it is recorded
    assert "with_modules" not in said  # modules of TorchScript alone
    options = set(_options("record"))
    assert {match["option"] for match in PHRASE.finditer(said)} - {"--by"} <= options


def test_traces_without_stages_are_compared_once_they_have_been_named(tmp_path: Path, data: Path) -> None:
    """As the note says: stages are named to `summarize`, and what that saves is compared."""
    trace = data / "kineto_alexnet.json.gz"
    code, said = _tracer("compare", trace, trace, "--width", 1000)
    assert code == 0
    assert "tracer summarize --marker" in said
    saved = tmp_path / "saved.json"
    assert _tracer("summarize", trace, "--marker", "vision=.*", "--format", "json", "-o", saved)[0] == 0
    code, said = _tracer("compare", saved, saved, "--width", 1000)
    assert code == 0
    assert "--marker" not in said


@cache
def _texts(path: Path) -> list[str]:
    """String constants of a file that are no documentation, f-strings with their values left out."""
    return list(_constants(path))


def _constants(path: Path) -> Iterator[str]:
    nodes = list(ast.walk(ast.parse(path.read_text())))
    silent = {
        id(node.body[0].value)
        for node in nodes
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in nodes:
        if isinstance(node, ast.JoinedStr):
            silent |= {id(value) for value in node.values}
            yield "".join(value.value if isinstance(value, ast.Constant) else "…" for value in node.values)
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in silent:
            yield node.value


def _misnamed(text: str, verbs: tuple[str, ...]) -> list[str]:
    return [
        match[0]
        for match in PHRASE.finditer(text)
        if match["program"] != "nsys"
        and not all(match["option"] in _options(verb) for verb in ((match["verb"],) if match["verb"] else verbs))
    ]


def _files(place: str) -> list[Path]:
    root = HOME / place
    return [root] if root.is_file() else sorted(root.rglob("*.py"))


@pytest.mark.parametrize("place", SAID_BY)
def test_an_option_that_a_message_names_is_one_of_the_verb_that_says_it(place: str) -> None:
    earlier = [*SAID_BY][: [*SAID_BY].index(place)]
    # Their lines of options are nsys's own; `doctor` tries nsys, and speaks to all.
    foreign = {
        HOME / "tracer/recording/nsight/watched.py",
        HOME / "tracer/recording/doctor.py",
        HOME / "tracer/nsys.py",
    }
    found = {}
    for path in _files(place):
        if path in foreign or any(path.is_relative_to(HOME / before) for before in earlier):
            continue
        if wrong := [phrase for text in _texts(path) for phrase in _misnamed(text, SAID_BY[place])]:
            found[str(path.relative_to(HOME))] = wrong
    assert not found


def test_an_option_of_another_verb_is_found_out() -> None:
    assert _misnamed("name them by --marker", ("compare",)) == ["--marker"]
    assert not _misnamed("name them by tracer summarize --marker", ("compare",))
    assert not _misnamed("nsys profile --cuda-graph-trace=node", ("summarize",))
