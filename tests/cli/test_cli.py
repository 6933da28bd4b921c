"""The command as a person types it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from importlib import import_module
from importlib.util import find_spec
from inspect import cleandoc
from pathlib import Path
from textwrap import wrap

import pytest
from support.chrome import kernel, launch, span, write
from support.rounds import rounds
from support.typed import python, typed

from tracer.cli.app import VERBS, build_app
from tracer.tables.table import tables
from tracer.version import __version__

_tracer = typed


def _modules_after(*arguments: object, code: int = 0) -> set[str]:
    script = (
        "import sys, json\n"
        "from tracer.cli.main import main\n"
        f"sys.argv = ['tracer', *{[str(argument) for argument in arguments]!r}]\n"
        f"try:\n    main()\nexcept SystemExit as end:\n    assert (end.code or 0) == {code}, end.code\n"
        "sys.stderr.write(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(json.loads(done.stderr.splitlines()[-1]))


HEAVY = {"torch", "transformers", "nvtx"}


def test_help_and_summaries_never_import_torch(tmp_path: Path) -> None:
    trace = write(tmp_path / "a.json", span("tracer/vision", 0, 9), launch(1, 1, 1), kernel("k", 3, 1, 1))
    for arguments in (["--help"], ["record", "--help"], ["--version"], ["models"]):
        assert not _modules_after(*arguments) & (HEAVY | {"numpy"}), arguments
    assert not _modules_after("compare", "--help") & (HEAVY | {"numpy"})
    for arguments in (["summarize", trace], ["summarize", trace, "--format", "json"], ["compare", trace, trace]):
        assert not _modules_after(*arguments) & HEAVY, arguments


@pytest.mark.parametrize("option", ["--checkpoint", "--events", "--model"])
def test_what_is_not_there_is_refused_before_torch_is_imported(tmp_path: Path, option: str) -> None:
    missing = tmp_path / "none.npy"
    value = f"hf:{missing}" if option == "--model" else missing
    assert not _modules_after("record", "-o", tmp_path / "a.json", option, value, code=1) & HEAVY


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short recording, for the tests that look at one."""
    path = tmp_path_factory.mktemp("run") / "run.json"
    options = "--device cpu --no-verify --max-new-tokens 4 --requests 1".split()
    assert _tracer("record", *options, "-o", path).returncode == 0
    return path


def test_calibrate_measures_and_summarize_believes_it(run: Path, tmp_path: Path) -> None:
    environment = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    done = _tracer("calibrate", "--device", "cpu", **environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"float32: \S+ TFLOP/s, \S+ GB/s", done.stdout)
    found = json.loads(_tracer("summarize", run, "--format", "json", **environment).stdout)["roofline"]
    assert found["peak_source"] == "measured by tracer calibrate"
    assert [row["stage"] for row in found["stages"]] == ["vision", "prefill", "decode"]
    assert all(row["floor_ns"] > 0 for row in found["stages"])


def test_version_and_models() -> None:
    assert _tracer("--version").stdout == f"tracer {__version__}\n"
    listed = _tracer("models").stdout
    for name in ("eventgpt", "llava15", "video_llava"):
        assert re.search(rf"^{name} +tiny, 7b  ", listed, re.MULTILINE)


RECORD_OPTIONS = """
    --acceptance --active --auto --batch-frames --batch-size --checkpoint --couple --dataset --decode
    --decode-window --device --draft --draft-checkpoint --draft-device --draft-mapping --draft-size --draft-tokens
    --dtype --energy --events --force --frames --help --input --max-new-tokens --max-samples --memory --model
    --no-limit --no-tracks --no-verify --nsys --nsys-path --output --prompt --prompt-tokens --record-shapes --repeat
    --requests --schedule --seed --shuffle-seed --size --sweep --sync-stages --tensor-parallel --tracks --verify
    --wait --warmup --with-stack
""".split()
SUMMARIZE_OPTIONS = """
    --all-ranges --any-thread --budget --by --capture --clip-overlaps --force --format --help --jobs --marker --no-limit
    --nsys-path --output --peak-gbs --peak-tflops --rank --request --shapes --solo --sort
    --stage --steady --strict --top --width
""".split()
COMPARE_OPTIONS = """
    --against --budget --force --format --help --jobs --max-regression --no-limit --nsys-path --output --recordings
    --tolerance --top --width
""".split()
AB_OPTIONS = """
    --force --format --help --max-regression --max-time --of --output --precision --seed --tolerance --top --width
""".split()
BASELINE_OPTIONS = "--force --help --jobs --no-limit --nsys-path".split()
CALIBRATE_OPTIONS = "--device --dtype --help".split()
WHATIF_OPTIONS = """
    --bandwidth --batch-frames --decode --draft --graph-decode --help --jobs --json --launch-overhead --no-limit
    --peak-gbs --peak-tflops --speculate --stage --verify --visual-tokens
""".split()


FLEET_OPTIONS = """
    --between --date --force --format --help --marker --no-limit --nsys-path --output --retry --scheduler --store --tag
    --tags-from --top --width --worker-memory --workers
""".split()


OPTIONS = {
    "record": RECORD_OPTIONS,
    "summarize": SUMMARIZE_OPTIONS,
    "compare": COMPARE_OPTIONS,
    "ab": AB_OPTIONS,
    "baseline": BASELINE_OPTIONS,
    "fleet": FLEET_OPTIONS,
    "calibrate": CALIBRATE_OPTIONS,
    "whatif": WHATIF_OPTIONS,
}


@pytest.mark.parametrize(("verb", "options"), OPTIONS.items())
def test_the_option_list_is_frozen(verb: str, options: list[str]) -> None:
    import typer.main

    command = typer.main.get_command(build_app([])).commands[verb]  # type: ignore[attr-defined]
    found = {name for option in command.params for name in (*option.opts, *option.secondary_opts)}
    assert sorted({name for name in found if name.startswith("--")} | {"--help"}) == options


@pytest.mark.parametrize("verb", VERBS)
def test_help_is_shown_as_it_is_written(verb: str) -> None:
    """Brackets too, which typer would take for markup."""
    import inspect

    import typer.main

    command = typer.main.get_command(build_app([])).commands[verb]  # type: ignore[attr-defined]
    written = [inspect.getdoc(import_module(command.callback.__module__).command) or ""]
    written += [option.help.replace("\\[", "[") for option in command.params if option.help]
    shown = " ".join(_tracer(verb, "--help", COLUMNS="1000").stdout.split())
    for text in written:
        assert " ".join(text.split()) in shown


@pytest.mark.parametrize("width", [80, 120])
def test_a_paragraph_of_help_is_as_wide_as_the_terminal(width: int) -> None:
    paragraph = " ".join(cleandoc(import_module("tracer.cli.ranks").command.__doc__).split("\n\n")[1].split())
    lines = [line.strip() for line in _tracer("ranks", "--help", COLUMNS=str(width)).stdout.splitlines()]
    for line in wrap(paragraph, width - 2):
        assert line in lines


@pytest.mark.parametrize("verb", ["export", "query"])
def test_help_names_every_table(verb: str) -> None:
    words = set(re.findall(r"[a-z]+", import_module(f"tracer.cli.{verb}").command.__doc__))
    assert set(tables()) <= words


def test_some_help_has_brackets() -> None:
    assert "[default: cuda if there is one]" in _tracer("calibrate", "--help", COLUMNS="200").stdout
    assert "'.[hta]'" in _tracer("critical-path", "--help", COLUMNS="200").stdout


def test_record_then_summarize(tmp_path: Path, data: Path) -> None:
    run = tmp_path / "run.json"
    options = "--model eventgpt --device cpu --max-new-tokens 4 --requests 1".split()
    done = _tracer("record", *options, "--events", data / "moving_edge.npy", "-o", run)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0].startswith("verified: 4 tokens equal")
    assert done.stdout.splitlines()[-1] == f"next: tracer summarize {run}"
    text = _tracer("summarize", run)
    assert (text.returncode, text.stderr) == (0, "")
    assert "\x1b" not in text.stdout
    assert max(map(len, text.stdout.splitlines())) <= 80
    document = json.loads(_tracer("summarize", run, "--format", "json").stdout)
    assert document["schema"] == "tracer.summary/2"
    assert [token["index"] for token in document["tokens"]] == [1, 2, 3]


def test_record_a_function_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(
        "import torch, tracer\n"
        "def build(seed):\n"
        "    return tracer.stage('vision')(lambda: torch.ones(seed, 9).sum())\n"
    )  # fmt: skip
    done = _tracer("record", "--model", "mine.py:build", "--device", "cpu", "--seed", "5")
    assert (done.returncode, done.stderr) == (2, "tracer: --device: mine.py:build has no parameter device\n")
    done = _tracer("record", "--model", "mine.py:build", "--events", "a.npy")
    assert (done.returncode, done.stderr) == (2, "tracer: --input: mine.py:build has no parameter input\n")
    done = _tracer("record", "--model", "mine.py:build", "--seed", "5")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("not verified: a plain callable has no generate to compare with\nwrote run.json")
    text = _tracer("summarize", "run.json")
    assert (text.returncode, text.stderr) == (0, "")
    assert text.stdout.startswith("mine.py on ")
    assert re.search(r"^vision .* 100.0% ", text.stdout, re.MULTILINE)


def test_the_json_document_has_the_published_keys(tmp_path: Path) -> None:
    trace = write(
        tmp_path / "a.json",
        span("tracer/request#0", 0, 30), span("tracer/vision", 0, 9), span("tracer/decode#1", 10, 9),
        launch(1, 1, 1), launch(11, 1, 2), kernel("k", 3, 1, 1), kernel("k", 13, 1, 2), kernel("k", 20, 1, 9),
    )  # fmt: skip
    document = json.loads(_tracer("summarize", trace, "--format", "json").stdout)
    assert set(document) >= {
        "schema", "trace", "window", "device", "stages", "tokens", "ranges", "latency", "findings",
    }  # fmt: skip
    assert set(document["trace"]) >= {"path", "format", "producer", "events", "devices", "markers"}
    assert document["window"] == {"start_ns": 3000, "end_ns": 21000}
    device = document["device"]
    assert set(device) >= {"kind", "ops", "time_ns", "busy_ns", "idle_ns", "unattributed"}
    assert device["unattributed"]["reasons"]["no_launch_record"] == {"ops": 1, "time_ns": 1000}
    assert device["unattributed"]["reasons"]["outside_ranges"] == {"ops": 0, "time_ns": 0}
    vision, decode = document["stages"]
    assert vision["idle"] == {"host_ns": 0, "sync_ns": 0, "launch_ns": 0, "unknown_ns": 0}
    assert decode["idle"] == {"host_ns": 7000, "sync_ns": 0, "launch_ns": 2000, "unknown_ns": 0}
    assert decode["kernels"] == [{"name": "k", "count": 1, "time_ns": 1000}]
    assert decode["counts"] == {
        "launches": 1, "graphs": 0, "kernels": 1, "waits": 0, "wait_ns": 0, "to_device_bytes": 0, "to_host_bytes": 0,
    }  # fmt: skip
    (token,) = document["tokens"]
    assert sum(taken or 0 for layer, taken in token.pop("host").items() if layer.endswith("_ns")) == token["cpu_ns"]
    assert token == {
        "request": 0, "index": 1, "ops": 1, "device_time_ns": 1000, "busy_ns": 1000, "idle_ns": 9000,
        "idle": decode["idle"], "cpu_ns": 9000, "counts": decode["counts"],
    }  # fmt: skip
    assert document["ranges"][0] == {
        "name": "tracer/request#0", "count": 1, "ops": 2, "device_time_ns": 2000, "style": "push_pop",
        "projected_ns": 11000, "kernel_ns": 2000, "cpu_ns": 30000,
    }  # fmt: skip
    assert document["latency"] is None


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ("summarize", 2, "Missing argument"),
        ("summarize none.json", 1, "none.json: No such file"),
        ("summarize empty", 1, "empty: no trace"),
        ("summarize none.json --format xml", 2, "--format"),
        ("summarize none.json --marker x=y", 2, "write STAGE=REGEX"),
        ("summarize none.json --marker vision=(", 2, "not a regular expression"),
        ("summarize none.json --marker vision=", 2, "would match every range"),
        ("summarize none.json --marker decode=a --marker decode=b", 2, "join both by |"),
        ("summarize none.json --budget vision", 2, "--budget vision: write NAME<=LIMIT"),
        ("compare", 2, "Missing argument"),
        ("compare none.json", 2, "compare takes two files or more"),
        ("compare none.json none.json", 1, "none.json: No such file"),
        ("compare empty empty", 1, "empty: a folder; name the trace in it"),
        ("compare bad.npy bad.npy", 1, "bad.npy: "),
        ("compare none.json none.json --budget tpot<=5%", 2, "give a time such as 20ms"),
        ("compare none.json none.json --max-regression 5", 2, "write a percentage, for example 5%"),
        ("compare none.json none.json --tolerance some", 2, "--tolerance some: write a percentage"),
        ("nonsense", 2, "nonsense"),
        ("record --frames 0", 2, "--frames"),
        ("record --model gpt-9", 2, "choose from eventgpt"),
        ("record --model mine.py", 2, "mine.py:build"),
        ("record --model mine.py:build --device cpu", 1, "mine.py: no such file"),
        ("record --auto", 2, "--auto is for a script"),
        ("record --size tiny -- python none.py", 2, "--size says nothing to a script"),
        ("record --input a.npy -- python none.py", 2, "--input says nothing to a script"),
        ("record -o there.json -- python none.py", 2, "exists already; --force"),
        ("record --decode-window 0:5 -- python none.py", 2, "token 0 belongs to prefill"),
        ("record -- no-such-program none.py", 1, "no-such-program: no such program"),
        ("record bad.npy", 1, "bad.npy: no such program"),
        ("record --size huge", 2, "comes in tiny, 7b"),
        ("record --dtype int8", 2, "choose from float32"),
        ("record --device tpu", 2, "choose cpu, cuda"),
        ("record --device cuda:99", 1, "use --device cpu"),
        ("record --output run.txt", 2, ".json or .json.gz"),
        ("record --output none/run.json", 2, "no such folder"),
        ("record --output there.json", 2, "exists already; --force"),
        ("record --decode-window 5", 2, "START:STOP"),
        ("record --decode-window 9:5", 2, "START must be below STOP"),
        ("record --decode-window 0:5", 2, "token 0 belongs to prefill"),
        ("record --decode-window 1:99 --max-new-tokens 8", 2, "decode steps 1 to 7"),
        ("record --checkpoint . --size tiny", 2, "drop --size"),
        ("record --checkpoint . --device cpu", 1, "config.json"),
        ("record --checkpoint none --device cpu", 1, "not a checkpoint folder"),
        ("record --events bad.npy --device cpu", 1, "bad.npy: not a .npy or .npz file"),
        ("record --events none.npy --device cpu", 1, "no such file"),
        ("record --prompt hello --device cpu", 1, "needs a checkpoint"),
        ("record --acceptance 0.5", 2, "--acceptance is about a draft: name it by --draft"),
        ("record --schedule overlapped", 2, "--schedule is about a draft"),
        ("record --draft gpt-9", 2, "choose from eventgpt"),
        ("record --draft mine.py:build", 2, "a cache that can be rolled back"),
        ("record --model mine.py:build --draft eventgpt", 2, "a cache that can be rolled back"),
        ("record --draft eventgpt --couple", 2, "--couple is for one model"),
        ("record --draft eventgpt --decode static", 2, "--decode is for one model"),
        ("record --draft eventgpt --tensor-parallel 2", 2, "--draft: rounds are made by one process"),
        ("record --draft eventgpt --decode eager --tensor-parallel 1 --draft-size huge", 2, "comes in tiny, 7b"),
        ("record --draft eventgpt --draft-size tiny --draft-checkpoint .", 2, "drop --draft-size"),
        ("record --draft hf:. --draft-checkpoint .", 2, "--draft hf:. is one already"),
        ("record --draft eventgpt --draft-size huge", 2, "comes in tiny, 7b"),
        ("record --draft eventgpt --draft-device gpu", 2, "--draft-device gpu: choose cpu, cuda or cuda:N"),
        ("record --draft eventgpt --acceptance 1.5", 2, "a share from 0 to 1"),
        ("record --draft eventgpt --schedule both", 2, "choose from sequential, overlapped"),
        ("record --draft eventgpt --sweep k=0:4", 2, "write k=FROM:TO"),
        ("record --draft eventgpt --sweep k=1:4,acceptance=0.5:2", 2, "write k=FROM:TO"),
        ("record --draft eventgpt --draft-mapping map.py", 2, "write FILE.py:FUNCTION"),
        ("record --draft eventgpt --draft-mapping map.py:build", 1, "map.py: no such file"),
    ],
)
def test_what_cannot_be_right_is_one_line_and_an_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: str, code: int, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    Path("there.json").touch()
    Path("bad.npy").write_bytes(b"not events")
    done = _tracer(*arguments.split())
    assert done.returncode == code
    assert message in done.stderr
    assert done.stderr.startswith("tracer: ")
    assert len(done.stderr.splitlines()) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.npy", "empty", "there.json"]


# As from a terminal: a shell has what it starts in the background ignore interrupts, and what that starts too.
INTERRUPTIBLE = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); import tracer.__main__ as m; m.main()"
)


def test_an_interrupt_leaves_no_file_and_exits_130(tmp_path: Path) -> None:
    options = "--device cpu --no-verify --requests 1 --active 5000 --max-new-tokens 4 -o run.json"
    with subprocess.Popen(
        [python(), "-c", INTERRUPTIBLE, "record", *options.split()],
        cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    ) as process:  # fmt: skip
        try:
            deadline = time.monotonic() + 600
            while not list(tmp_path.glob("tracer-*")):  # the folder of the profiled pass
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=600)
        finally:
            process.kill()
    assert (process.returncode, errors) == (130, "tracer: interrupted\n")
    assert not [path for path in tmp_path.rglob("*") if "tracer-" in path.name or "run.json" in path.name]


def test_a_reader_that_leaves_early_is_no_error(tmp_path: Path) -> None:
    trace = write(tmp_path / "a.json", *[span(f"range {i}", i, 1) for i in range(5000)], kernel("k", 0, 1))
    command = f"{sys.executable} -m tracer summarize {trace} --format json --all-ranges | head -n 1"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("{\n", "")


def test_a_users_own_model_package_is_not_shadowed_by_the_command_line() -> None:
    assert not {name for name in _modules_after("--help") if name.split(".")[0] == "model"}


def test_explain_gives_the_rule_and_with_a_trace_its_figures(tmp_path: Path) -> None:
    done = _tracer("explain", "launch-bound")
    assert (done.returncode, done.stderr) == (0, "")
    assert "rule: more than half of a stage's time on the device is idle" in done.stdout
    late = [event for i in range(9) for event in (launch(40 * i, 1, i + 1), kernel("k", 40 * i + 5, 5, i + 1))]
    trace = write(tmp_path / "a.json", span("tracer/vision", 0, 400), *late)
    found = _tracer("explain", "launch-bound", trace).stdout
    assert "vision waits for launches" in found
    assert "\n  stages.vision.waiting_ns = 280000\n" in found
    assert "gain: up to 280 µs of 325 µs (the trace), estimated" in found
    assert "not found there" in _tracer("explain", "kv-growth", trace).stdout


def test_explain_with_a_trace_says_what_to_do_there(data: Path) -> None:
    done = _tracer("explain", "launch-bound", data / "kineto_b200_vllm_eager.json.gz")
    assert "\ndo: have the engine replay CUDA graphs" in done.stdout
    assert "\ndo: launch less" in _tracer("explain", "launch-bound", data / "kineto_cpu_only.json.gz").stdout


def test_explain_of_an_unknown_finding_lists_those_there_are() -> None:
    done = _tracer("explain", "nonsense")
    assert (done.returncode, done.stdout) == (2, "")
    assert "tracer: nonsense: no such finding; there are acceptance-falls-by-position, " in done.stderr


def test_whatif_prints_what_it_assumes(tmp_path: Path) -> None:
    late = [event for i in range(9) for event in (launch(40 * i, 1, i + 1), kernel("k", 40 * i + 5, 5, i + 1))]
    trace = write(tmp_path / "a.json", span("tracer/vision", 0, 400), *late)
    done = _tracer("whatif", trace, "--launch-overhead", "0")
    assert (done.returncode, done.stderr) == (0, "")
    assert "vision     325 µs  45.0 µs  -86.2%" in done.stdout
    assert "• --launch-overhead 0: all the time in which the device waits" in done.stdout
    found = json.loads(_tracer("whatif", trace, "--stage", "vision=0.5", "--json").stdout)
    assert (found["now_ns"], found["then_ns"]) == (325_000, 162_500)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "nothing to change"),
        (["--stage", "vision"], "--stage vision: write STAGE=FACTOR"),
        (["--stage", "decode=1"], "has no stage decode; it has vision"),
        (["--bandwidth", "0x"], "--bandwidth 0x: write a factor above 0"),
        (["--speculate", "4@1.5"], "--speculate 4@1.5: write TOKENS@RATE"),
        (["--speculate", "0@0.5"], "--speculate 0@0.5: write TOKENS@RATE"),
        (["--speculate", "4@0.5,"], "--speculate 4@0.5,: write TOKENS@RATE"),
        (["--stage", "decode=1", "--draft", "x.json"], "--draft: give --speculate too"),
        (["--decode", "fast"], "--decode fast: choose from static, graph, compile"),
        (["--decode", "static", "--graph-decode"], "contradict each other"),
    ],
)
def test_whatif_refuses_what_makes_no_sense(tmp_path: Path, options: list[str], message: str) -> None:
    trace = write(tmp_path / "a.json", span("tracer/vision", 0, 9), launch(1, 1, 1), kernel("k", 3, 1, 1))
    done = _tracer("whatif", trace, *options)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr


def test_whatif_prices_rounds_by_a_recording_of_the_draft(tmp_path: Path) -> None:
    steps = [span("tracer/prefill", 0, 9), launch(1, 1, 1), kernel("k", 2, 10, 1)]
    for index in range(1, 4):
        at = 10.0 * index
        steps += [span(f"tracer/decode#{index}", at, 9), launch(at + 1, 1, index + 1)]
        steps += [kernel("k", at + 2, 10, index + 1)]
    draft = write(tmp_path / "draft.json", *steps)
    target = write(tmp_path / "target.json", *rounds([(2, 1), (2, 2)], step=30))
    done = _tracer("whatif", target, "--speculate", "2@0.5,0.25", "--draft", draft, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)["speculation"]
    assert (found["acceptance"], found["tokens"]) == ([0.5, 0.25], 1.625)
    assert (found["draft_token_ns"], found["verify_ns"]) == (10_000, 40_000)
    assert found["round_ns"] == 60_000
    assert found["speedup"] == pytest.approx(1.625 / 2)


def test_whatif_verify_records_the_change_and_puts_it_beside_the_prediction(run: Path) -> None:
    done = _tracer("whatif", run, "--batch-frames", "5", "--verify", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert [row["stage"] for row in found["stages"]] == ["load", "preprocess", "vision", "prefill", "decode"]
    assert all(row["measured_ns"] > 0 for row in found["stages"])
    # The median request, to which medians of stages do not add up; it is no shorter than that of any of them.
    assert found["measured_ns"] >= max(row["measured_ns"] for row in found["stages"])
    for more, message in (
        (["--batch-frames", "3"], "encodes all 5 frames in one call"),
        (["--batch-frames", "5", "--bandwidth", "2x", "--peak-tflops", "1", "--peak-gbs", "1"], "nothing else"),
    ):
        refused = _tracer("whatif", run, *more, "--verify")
        assert (refused.returncode, refused.stdout) == (2, "")
        assert message in refused.stderr


def test_whatif_verify_decodes_otherwise_where_this_machine_can(run: Path) -> None:
    done = _tracer("whatif", run, "--decode", "static", "--verify", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert found["assumptions"][0].startswith("--decode static: what torch.cat copies in a step")
    assert found["stages"][-1]["stage"] == "decode"
    assert found["stages"][-1]["measured_ns"] > 0
    for mode in ("graph", "compile"):
        refused = _tracer("whatif", run, "--decode", mode, "--verify")
        assert (refused.returncode, refused.stdout) == (1, "")
        assert re.fullmatch(rf"tracer: .*run.json: --decode {mode}: [^\n]* no device work\n", refused.stderr)


def test_the_critical_path_needs_hta_and_says_so(data: Path) -> None:
    trace = data / "kineto_alexnet.json.gz"
    done = _tracer("critical-path", trace, "--range", "[param|pytorch.model.alex_net|0|0|0|measure|forward]")
    if find_spec("hta") is None:
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == "tracer: critical-path needs HolisticTraceAnalysis: pip install '.[hta]'\n"
        return
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"^cpu bound +\S+ ms +95.\d%$", done.stdout, re.MULTILINE)
    missing = _tracer("critical-path", trace, "--range", "no such range")
    assert (missing.returncode, missing.stdout) == (1, "")


def test_a_shell_completes_what_can_be_chosen() -> None:
    from tracer.cli.options import offering

    assert offering("eager", "static", "graph")("g") == ["graph"]
    assert offering("cpu", "cuda")("") == ["cpu", "cuda"]
