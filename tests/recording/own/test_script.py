"""Scripts in processes of their own: what is recorded of them, and what is said where nothing can be."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from reports.text import render
from tracer.document.errors import InputError, MissingError
from tracer.recording.own import child, script
from tracer.recording.own.script import ScriptOptions, ScriptRecording, name_of, record_script
from tracer.recording.pieces import plan_apart
from tracer.recording.window import DecodeWindow, Schedule
from tracer.summarize import summarize_file

MARKED = """
    import os, sys
    import torch, tracer
    import model

    assert model.THEIRS
    weights = torch.ones(64, 64)

    def answer(steps):
        with tracer.request():
            with tracer.stage("vision"):
                features = weights @ weights
            with tracer.stage("prefill"):
                features = features @ weights
            for k in range(1, 1 + steps):
                with tracer.stage("decode", index=k):
                    features = features @ weights

    for number in range(int(sys.argv[1])):
        answer(3 + number)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the command is typed; the temporary folders of a recording lie within."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    return tmp_path


def _write(folder: Path, source: str) -> None:
    (folder / "my_infer.py").write_text(textwrap.dedent(source))
    (folder / "model.py").write_text("THEIRS = True")


def _record(folder: Path, *arguments: str, **changes: Any) -> ScriptRecording:
    options: dict[str, Any] = {
        "command": (sys.executable, "my_infer.py", *arguments), "output": folder / "run.json", "auto": False,
        "schedule": Schedule(wait=0, warmup=1, active=1, repeat=1), "window": DecodeWindow(1, 65), **changes,
    }  # fmt: skip
    return record_script(ScriptOptions(**options), lambda _: None)


def test_a_marked_script_is_recorded_with_the_requests_that_the_schedule_asks_for(folder: Path) -> None:
    _write(folder, MARKED)
    window, schedule = DecodeWindow(2, 4), Schedule(wait=0, warmup=1, active=2, repeat=1)
    recording = _record(folder, "4", window=window, schedule=schedule)
    manifest = json.loads((folder / "run.json").read_text())["tracer"]
    assert (recording.requests, recording.beside) == (4, 0)
    assert manifest["model"] == {"name": "my_infer.py", "size": "", "weights": "own", "input": ""}
    assert manifest["verification"]["reason"] == "a script runs as it is"
    assert [len(request["decode_ns"]) for request in manifest["clean"]] == [4, 5, 6]
    assert [(request["first_step"], len(request["decode_ns"])) for request in manifest["profiled"]] == [(2, 2), (2, 2)]
    summary = summarize_file(folder / "run.json")
    assert [(token.request, token.index) for token in summary.tokens] == [(1, 2), (1, 3), (2, 2), (2, 3)]
    assert summary.device.unattributed.ops == 0
    assert list((folder / "temporary").iterdir()) == []


def test_the_only_request_is_recorded_though_nothing_warms_it_up(folder: Path) -> None:
    _write(folder, MARKED)
    manifest = _record(folder, "1").manifest
    assert (manifest.options["warmed_up"], manifest.options["recorded"]) == (False, [0])
    assert len(manifest.clean) == 1
    summary = summarize_file(folder / "run.json")
    assert summary.stages[0].calls == 1
    assert "measured without a warm-up" in render(summary, width=100)


AUTO = """
    import sys
    import torch
    from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration
    assert "sitecustomize" not in sys.modules or sys.modules["sitecustomize"].THEIRS
    torch.manual_seed(0)
    vision = CLIPVisionConfig(
        hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2, image_size=56, patch_size=14
    )
    text = LlamaConfig(
        hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4, vocab_size=300
    )
    model = LlavaForConditionalGeneration(LlavaConfig(vision_config=vision, text_config=text, image_token_id=299))
    ids = torch.tensor([[1, *[299] * 16, 5, 6, 7]])
    for _ in range(2):
        model.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), pixel_values=torch.zeros(1, 3, 56, 56),
            max_new_tokens=6, do_sample=False, eos_token_id=None, pad_token_id=0,
        )
"""


def test_auto_finds_the_stages_of_generate_and_leaves_the_environments_own_start_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write(folder, AUTO)
    (folder / "site").mkdir()
    (folder / "site/sitecustomize.py").write_text("THEIRS = True\nprint('theirs ran')")
    monkeypatch.setenv("PYTHONPATH", f"{folder / 'site'}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    manifest = _record(folder, auto=True).manifest
    assert manifest.stages == ["vision", "prefill", "decode"]
    shape = manifest.shape
    assert (shape.visual_tokens, shape.prompt_tokens, shape.new_tokens, shape.batch_size) == (16, 4, 6, 1)
    assert (manifest.dtype, manifest.model["config"]["architecture"]) == ("float32", "LlavaForConditionalGeneration")
    summary = summarize_file(folder / "run.json")
    assert [(stage.stage, stage.calls) for stage in summary.stages] == [("vision", 1), ("prefill", 1), ("decode", 5)]
    assert summary.device.unattributed.ops == 0


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("import sys; sys.exit(3)", "my_infer.py: it ended with exit code 3; nothing was written"),
        ("import os; os.kill(os.getpid(), 9)", "it was killed by signal 9"),
        ("print('no marks')", "it opened no request; put"),
        ("import tracer\nwith tracer.stage('load'): pass", "opened no request, though 1 stages outside of any"),
        ("import tracer\nwith tracer.request(): pass", "its requests opened no stage"),
        (
            "import tracer\ntry:\n  with tracer.request(): 1 / 0\nexcept ZeroDivisionError: pass",
            "each of its 1 requests ended in an exception",
        ),
    ],
)
def test_a_script_that_fails_or_marks_nothing_leaves_nothing(folder: Path, source: str, message: str) -> None:
    _write(folder, source)
    with pytest.raises(InputError, match=message):
        _record(folder)
    assert not (folder / "run.json").exists()
    assert list((folder / "temporary").iterdir()) == []


def test_a_second_run_that_does_something_else_is_said(folder: Path) -> None:
    once = "    import pathlib\n    first = not pathlib.Path('ran').exists(); pathlib.Path('ran').touch()\n"
    _write(folder, once + MARKED.replace("int(sys.argv[1])", "3 if first else 1"))
    with pytest.raises(InputError, match="under the profiler, made 1 requests; the first made 3"):
        _record(folder)


def test_requests_in_several_processes_are_refused(folder: Path) -> None:
    again = "\n    import subprocess\n    sys.argv[2:] or subprocess.run([sys.executable, __file__, '1', 'child'])\n"
    _write(folder, MARKED + again)
    with pytest.raises(InputError, match="2 of its processes made requests"):
        _record(folder, "1")


def test_a_program_that_cannot_be_started_is_one_line(folder: Path) -> None:
    _write(folder, "")
    with pytest.raises(MissingError, match="no-such-python: no such program"):
        _record(folder, command=("no-such-python", "my_infer.py"))
    with pytest.raises(MissingError, match="for a script, type: python ./my_infer.py"):
        _record(folder, command=("./my_infer.py",))


def test_a_command_is_called_by_its_script_and_never_by_its_arguments() -> None:
    assert name_of(["python", "-u", "folder/my_infer.py", "--token", "secret"]) == "my_infer.py"
    assert name_of(["python", "-m", "package.infer", "x.py"]) == "package.infer"
    assert name_of(["/usr/bin/infer", "--key"]) == "infer"


def test_only_the_first_rank_records_and_forks_do_not(folder: Path) -> None:
    check = "import tracer.staging as s, os; print(s._recorder is None, flush=True)\n"
    check += (
        "child = os.fork()\nif child: os.waitpid(child, 0)\nelse: print(s._recorder is None, flush=True); os._exit(0)"
    )
    for rank, expected in (("0", "False\nTrue\n"), ("1", "True\nTrue\n")):
        environment = {**os.environ, "TRACER_TASK": str(folder / "task.json"), "RANK": rank}
        done = subprocess.run(
            [sys.executable, "-c", check], env=environment, capture_output=True, text=True, check=True
        )
        assert done.stdout == expected


def test_recorded_requests_are_captures_of_their_own_with_a_warm_up_before_each() -> None:
    pieces = plan_apart([2, 5], DecodeWindow(3, 5), steps=9)
    assert [(piece.request, piece.before_step, piece.action.name) for piece in pieces] == [
        (-3, None, "NONE"), (-3, None, "WARMUP"),
        (2, None, "RECORD_AND_SAVE"), (2, 1, "WARMUP"), (2, 3, "RECORD_AND_SAVE"), (2, 5, "NONE"),
        (-6, None, "NONE"), (-6, None, "WARMUP"),
        (5, None, "RECORD_AND_SAVE"), (5, 1, "WARMUP"), (5, 3, "RECORD_AND_SAVE"), (5, 5, "NONE"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "free", "message"),
    [
        (b"", 1 << 30, "it made requests and ended at once"),
        (b'{"numbers": [0', 1 << 30, "it made requests and ended at once"),
        (b"", 0, "no room is left in"),
    ],
)
def test_requests_of_which_nothing_could_be_kept_are_not_called_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, free: int, message: str
) -> None:
    (tmp_path / "sitting-1.json").write_bytes(content)
    monkeypatch.setattr(script.shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    with pytest.raises(InputError, match=message):
        script._left(tmp_path, "my_infer.py")
    made = {**child.NO_REQUEST, "begun": 1, "strays": 0}
    (tmp_path / "sitting-2.json").write_text(json.dumps(made))
    assert [sitting.begun for sitting in script._left(tmp_path, "my_infer.py")] == [1]


def test_a_process_that_makes_requests_is_known_however_it_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = tmp_path / "task.json"
    task.write_text("null")
    recorder = child._Waiting(task)
    monkeypatch.setattr(child.staging, "attach", lambda _: None)
    recorder.begin_request()
    assert [path.read_bytes() for path in tmp_path.glob("sitting-*.json")] == [b""]
    assert recorder._noticing is not None
    recorder._noticing.__exit__(None, None, None)
