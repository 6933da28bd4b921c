"""Models from somebody's own file: what they must have, what they may lack, and whose `model` is imported."""

from __future__ import annotations

import json
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from support.silent import Silent

import model.staged
from model.registry import ModelOptions
from tracer.document.errors import InputError, UsageError, VerificationError
from tracer.document.summary import Summary
from tracer.recording.options import RecordOptions
from tracer.recording.own.spelling import parse
from tracer.recording.recorder import record
from tracer.recording.window import DecodeWindow, Schedule
from tracer.summarize import summarize_file

STAGED = """
    from types import SimpleNamespace
    import torch

    class Tiny:
        def __init__(self):
            torch.manual_seed(0)
            self.tower, self.decoder = torch.nn.Linear(8, 8), torch.nn.Linear(8, 8)
            self.encoders = [self.tower]
        def load(self, number):
            return torch.ones(1, 8)
        def prepare(self, raw):
            return raw * 2
        @torch.no_grad()
        def encode_vision(self, inputs):
            return self.tower(inputs)
        @torch.no_grad()
        def _next(self, hidden):
            return self.decoder(hidden).argmax(-1, keepdim=True)
        def prefill(self, inputs, features):
            features = self.encode_vision(inputs) if features is None else features
            return SimpleNamespace(tokens=self._next(features), features=features, finished=False)
        def decode_step(self, state):
            hidden = state.features + state.tokens[:, -1:]
            state.tokens = torch.cat([state.tokens, self._next(hidden)], dim=1)
            return state
        def generate(self, inputs, features, *, max_new_tokens):
            state = self.prefill(inputs, features)
            while state.tokens.shape[1] < max_new_tokens:
                state = self.decode_step(state)
            return state.tokens

    def build():
        return Tiny()
"""
CALLABLE = """
    import torch, tracer
    weights = torch.ones(64, 64)
    def build():
        def answer():
            with tracer.stage("vision"):
                features = weights @ weights
            with tracer.stage("prefill"):
                features = features @ weights
            for k in range(1, 4):
                with tracer.stage("decode", index=k):
                    features = features @ weights
        return answer
"""


def _write(folder: Path, source: str) -> str:
    path = folder / "mine.py"
    path.write_text(textwrap.dedent(source))
    return f"{path}:build"


def _record(folder: Path, source: str, **changes: Any) -> tuple[dict[str, Any], Summary]:
    output = folder / "run.json"
    options = ModelOptions(**{"size": "", "device": "cpu", "dtype": "float32", **changes.pop("model_options", {})})
    schedule = Schedule(wait=0, warmup=1, active=1, repeat=1)
    tokens = changes.get("max_new_tokens", 4)
    asked: dict[str, Any] = {
        "model": _write(folder, source), "model_options": options, "output": output, "requests": 2,
        "max_new_tokens": tokens, "schedule": schedule, "window": DecodeWindow(1, tokens), **changes,
    }  # fmt: skip
    record(RecordOptions(**asked), Silent())
    return json.loads(output.read_text())["tracer"], summarize_file(output)


def test_a_staged_model_is_verified_and_recorded(tmp_path: Path) -> None:
    manifest, summary = _record(tmp_path, STAGED)
    assert manifest["verification"]["status"] == "passed"
    assert (manifest["verification"]["encoder_calls"], manifest["verification"]["tokens"]) == (1, 4)
    assert manifest["model"] == {"name": "mine.py", "size": "", "weights": "own", "input": "the input"}
    assert manifest["shape"] == {
        "batch_size": 1, "frames": 0, "visual_tokens": 0, "prompt_tokens": 0, "new_tokens": 4,
    }  # fmt: skip
    assert [stage.stage for stage in summary.stages] == ["load", "preprocess", "vision", "prefill", "decode"]
    assert [token.index for token in summary.tokens] == [1, 2, 3]


def test_a_staged_model_that_strays_from_its_own_generate_is_refused(tmp_path: Path) -> None:
    wrong = STAGED.replace("state.features + state.tokens[:, -1:]", "state.features * -7")
    wrong = wrong.replace("state = self.decode_step(state)", "state = Tiny.right_step(self, state)")
    right = STAGED[STAGED.index("        def decode_step") : STAGED.index("        def generate")]
    wrong = wrong.replace("        def generate", right.replace("decode_step", "right_step") + "        def generate")
    with pytest.raises(VerificationError, match="disagrees with the model's own generate"):
        _record(tmp_path, wrong, max_new_tokens=8)
    assert not (tmp_path / "run.json").exists()


def test_without_generate_the_verification_is_skipped_and_says_why(tmp_path: Path) -> None:
    manifest, summary = _record(tmp_path, STAGED.replace("def generate", "def other"))
    assert manifest["verification"]["status"] == "skipped"
    assert summary.run["not_verified_because"] == "its model has no generate to compare with"


def test_a_model_may_answer_in_a_loop_of_its_own_and_say_what_it_knows(tmp_path: Path) -> None:
    source = """
        import torch
        class Mine:
            samples, dtype, device = ["a", "b"], torch.bfloat16, "cpu"
            def load(self, number): return number
            def prepare(self, raw): return raw
            def encode_vision(self, inputs): return torch.ones(4)
            def answer(self, inputs, features, *, max_new_tokens, next_step):
                for _ in range(max_new_tokens - 1):
                    features.sum()
                    next_step()
                return torch.ones(1, max_new_tokens, dtype=torch.int64)
            def shape(self, inputs): return {"visual_tokens": 7, "prompt_tokens": 3 + inputs}
            def describe(self): return {"name": "mine", "size": "4b"}
        def build(): return Mine()
    """
    manifest, summary = _record(tmp_path, source)
    assert [(sample["name"], sample["prompt_tokens"]) for sample in manifest["samples"]] == [("a", 3), ("b", 4)]
    assert (manifest["dtype"], manifest["model"]["name"]) == ("bfloat16", "mine")
    assert [token.index for token in summary.tokens] == [1, 2, 3]


def test_a_callable_is_recorded_by_its_marks(tmp_path: Path) -> None:
    manifest, summary = _record(tmp_path, CALLABLE)
    assert manifest["stages"] == ["vision", "prefill", "decode"]
    assert manifest["verification"] == {
        "status": "skipped", "tokens": 0, "encoder_calls": 0, "expected_encoder_calls": 0, "first_difference": None,
        "margin": None, "rounding": None, "reason": "a plain callable has no generate to compare with",
        "shapes": 0, "shapes_verified": 0,
    }  # fmt: skip
    assert len(manifest["clean"]) == 2
    assert [stage.stage for stage in summary.stages] == ["vision", "prefill", "decode"]
    assert [(token.request, token.index) for token in summary.tokens] == [(1, 1), (1, 2), (1, 3)]
    assert summary.latency is not None
    assert set(summary.latency.stages_ns) == {"vision", "prefill", "decode"}
    assert summary.device.unattributed.ops == 0


def test_each_recorded_call_is_a_capture_of_its_own_and_windows_hold(tmp_path: Path) -> None:
    numbered = CALLABLE.replace("def answer():", "def answer(number):").replace("range(1, 4)", "range(1, 4 + number)")
    schedule = Schedule(wait=1, warmup=0, active=2, repeat=2)
    _, summary = _record(tmp_path, numbered, schedule=schedule, window=DecodeWindow(2, 4))
    assert sorted({token.request for token in summary.tokens}) == [1, 2, 4, 5]
    assert {token.index for token in summary.tokens} == {2, 3}
    assert [stage.calls for stage in summary.stages] == [4, 4, 8]


def test_the_functions_parameters_are_the_options_it_takes(tmp_path: Path) -> None:
    source = CALLABLE.replace(
        "def build():", "def build(device, *, seed, max_new_tokens, extra=1):\n        print(seed)"
    )
    _record(tmp_path, source, model_options={"seed": 3}, typed=("seed", "device"))
    with pytest.raises(UsageError, match="--batch-size: .*mine.py:build has no parameter batch_size"):
        _record(tmp_path, source, typed=("batch_size",))
    with pytest.raises(InputError, match="its parameter colour is none of"):
        _record(tmp_path, CALLABLE.replace("def build():", "def build(colour):"))
    with pytest.raises(UsageError, match="--couple: .*returns a callable"):
        _record(tmp_path, CALLABLE, typed=("couple",))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("def build(): return 7", "the int that it returns lacks load, prepare, encode_vision, prefill, decode_step"),
        ("import torch\ndef build(): return torch.nn.Bilinear(1, 1, 1)", "the Bilinear that it returns needs arg"),
        ("def other(): pass", "it has no function build"),
        ("def build(:", r"mine.py:1: SyntaxError"),
        ("import lost_package", r"mine.py:1: in <module>: ModuleNotFoundError: No module named 'lost_package'"),
        ("def build():\n  raise KeyError('a')", r"mine.py:2: in build: KeyError: 'a'"),
        ("import sys\ndef build():\n  sys.exit('no')", r"mine.py:3: in build: SystemExit: no"),
        ("def build():\n  def f():\n    1 / 0\n  return f", r"mine.py:3: in f: ZeroDivisionError"),
        ("def build(): return lambda: None", "its requests opened no stage"),
        (STAGED.replace("def encode_vision(self, inputs)", "def encode_vision(self)"), r"must take \(inputs\), not"),
        (STAGED.replace("def encode_vision", "def encode"), "lacks encode_vision; a staged model has"),
        (STAGED.replace(", finished=False", ""), "what prefill returns has no finished"),
        (STAGED.replace("def load", "describe = lambda s: {'a': s}\n        def load"), "what JSON can hold"),
    ],
)
def test_what_is_missing_is_said_in_one_line(tmp_path: Path, source: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        _record(tmp_path, source)
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "__pycache__") == ["mine.py"]


def test_their_package_called_model_lives_beside_ours(tmp_path: Path) -> None:
    package = tmp_path / "model"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "early.py").write_text("NAME = 'theirs'")
    (package / "late.py").write_text("NAME = 'theirs, late'")
    source = CALLABLE.replace("import torch, tracer", "import torch, tracer, helper\nfrom model import early")
    source = source.replace("def answer():", "def answer():\n            from model.late import NAME")
    (tmp_path / "helper.py").write_text("")
    source = textwrap.dedent(source.replace("tracer, helper\nfrom", "tracer, helper\n    from"))
    before, path = sys.modules["model.staged"], list(sys.path)
    _record(tmp_path, source)
    assert sys.modules["model.staged"] is before is model.staged
    assert Path(str(sys.modules["model"].__file__)).parent != package
    assert not {"model.early", "model.late", "helper", "mine"} & set(sys.modules)
    assert sys.path == path


def test_a_spelling_without_a_function_or_a_file_is_refused(tmp_path: Path) -> None:
    assert parse("eventgpt") is None
    assert parse("hf:folder") is None
    for text in ("mine.py", "mine.py:", "mine.py:a-b"):
        with pytest.raises(UsageError, match="name the function that returns the model: mine.py:build"):
            parse(text)
    with pytest.raises(InputError, match="lost.py: no such file"):
        record(
            RecordOptions(
                model="lost.py:build", model_options=ModelOptions(size="", device="cpu", dtype="float32"),
                output=tmp_path / "run.json", requests=1, max_new_tokens=1, schedule=Schedule(0, 0, 1, 1),
                window=DecodeWindow(1, 1),
            ),
            Silent(),
        )  # fmt: skip
