"""Hooking `generate`: what a recorder hears of it, and that nothing else changes. The model is a stand-in."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from tracer.recording.own import child
from tracer.recording.own.auto import hook
from tracer.staging import recorded_by


class _Notes:
    def __init__(self) -> None:
        self.heard: list[str] = []

    def begin_request(self) -> None:
        self.heard.append("request")

    def end_request(self, *, failed: bool) -> None:
        self.heard.append("failed" if failed else "done")

    def begin_stage(self, stage: str, index: int | None) -> None:
        self.heard.append(stage if index is None else f"{stage}#{index}")

    def end_stage(self, stage: str, index: int | None) -> None:
        self.heard.append("/" if index is None else f"/{stage[0]}{index}")

    def yielded(self, tokens: int) -> None:
        self.heard.append(f"+{tokens}")


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A model whose `generate` goes through the motions of transformers' own."""
    monkeypatch.setattr(child, "note", lambda **_: None)

    class Mixin:
        def generate(self, steps: int, assistant: Any = None) -> str:
            for step in range(steps):
                self.prepare_inputs_for_generation(step)
                if step == 0:
                    self.get_image_features()
                    if assistant is not None:
                        assistant.generate(2)
            return "answer"

    class Network(Mixin):
        config = SimpleNamespace()
        dtype = "torch.float32"

        def __init__(self) -> None:
            self.base_model = SimpleNamespace(get_image_features=lambda: "features")

        def prepare_inputs_for_generation(self, step: int) -> int:
            if step > 5:
                raise RuntimeError("too long")
            return step

        def get_image_features(self) -> str:
            return str(self.base_model.get_image_features())

    hook(SimpleNamespace(GenerationMixin=Mixin))
    return Network()


def test_each_forward_pass_is_a_stage_and_vision_is_within_the_first(network: Any) -> None:
    notes = _Notes()
    with recorded_by(notes):
        assert network.generate(3) == "answer"
    assert notes.heard == "request prefill vision / / decode#1 /d1 decode#2 /d2 done".split()


def test_an_assistants_generate_is_part_of_the_request(network: Any) -> None:
    notes = _Notes()
    with recorded_by(notes):
        network.generate(2, assistant=type(network)())
    assert notes.heard == "request prefill vision / / decode#1 /d1 done".split()


def test_an_error_closes_what_is_open_and_the_next_call_is_recorded(network: Any) -> None:
    notes = _Notes()
    with recorded_by(notes):
        with pytest.raises(RuntimeError, match="too long"):
            network.generate(9)
        network.generate(1)
    assert notes.heard[-5:] == "prefill vision / / done".split()
    assert notes.heard[notes.heard.index("decode#6") :][:2] == ["decode#6", "/d6"]
    assert "failed" in notes.heard


def test_nothing_is_left_behind_and_methods_of_the_instance_come_back(network: Any) -> None:
    def own(step: int) -> int:
        return step

    before = vars(network.base_model)["get_image_features"]
    network.prepare_inputs_for_generation = own
    network.generate(2)
    assert network.prepare_inputs_for_generation is own
    assert set(vars(network)) == {"base_model", "prepare_inputs_for_generation"}
    assert vars(network.base_model) == {"get_image_features": before}


def test_without_a_recorder_generate_answers_as_ever(network: Any) -> None:
    assert network.generate(2) == "answer"
    assert network.generate.__name__ == "generate"


class _NotesOfThreads(_Notes):
    """What each thread's marks say, apart."""

    def __init__(self) -> None:
        self._own = threading.local()
        self.of: list[list[str]] = []

    @property
    def heard(self) -> list[str]:  # type: ignore[override]
        if not hasattr(self._own, "heard"):
            self._own.heard = []
            self.of.append(self._own.heard)
        return self._own.heard  # type: ignore[no-any-return]


def test_calls_on_two_threads_at_once_have_steps_of_their_own(network: Any) -> None:
    """The second begins and ends within the first, on the same model."""
    notes = _NotesOfThreads()
    other = threading.Thread(target=lambda: network.generate(3))

    class Meanwhile:
        def generate(self, _: int) -> None:
            other.start()
            other.join()

    with recorded_by(notes):
        network.generate(2, assistant=Meanwhile())
        network.generate(1)
    assert [" ".join(heard) for heard in notes.of] == [
        "request prefill vision / / decode#1 /d1 done request prefill vision / / done",
        "request prefill vision / / decode#1 /d1 decode#2 /d2 done",
    ]
    assert set(vars(network)) == {"base_model"}


def test_a_call_that_outlives_the_one_it_began_in_leaves_nothing_behind(network: Any) -> None:
    notes = _NotesOfThreads()
    begun, over = threading.Event(), threading.Event()

    class Waiting:
        def generate(self, _: int) -> None:
            begun.set()
            assert over.wait(10)

    with recorded_by(notes):
        other = threading.Thread(target=lambda: network.generate(3, assistant=Waiting()))
        other.start()
        assert begun.wait(10)
        network.generate(2)
        over.set()
        other.join()
        network.generate(1)
    assert sorted(" ".join(heard) for heard in notes.of) == [
        "request prefill vision / / decode#1 /d1 decode#2 /d2 done",
        "request prefill vision / / decode#1 /d1 done request prefill vision / / done",
    ]
    assert set(vars(network)) == {"base_model"}
