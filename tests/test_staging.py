"""The public marks: what they cost where nobody records, and what they tell a recorder."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import tracer
from tracer.staging import recorded_by


class _Notes:
    def __init__(self) -> None:
        self.heard: list[tuple[object, ...]] = []

    def begin_request(self) -> None:
        self.heard.append(("request",))

    def end_request(self, *, failed: bool) -> None:
        self.heard.append(("end", failed))

    def begin_stage(self, stage: str, index: int | None) -> None:
        self.heard.append((stage, index))

    def end_stage(self, stage: str, index: int | None) -> None:
        self.heard.append(("end", stage, index))


def test_outside_a_recording_nothing_heavy_is_imported() -> None:
    script = (
        "import sys, json, tracer\n"
        "early = 'tracer.staging' in sys.modules\n"
        "with tracer.request(), tracer.stage('decode', index=3): pass\n"
        "print(json.dumps([early, sorted(sys.modules)]))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    early, modules = json.loads(done.stdout)
    assert not early
    assert not {"torch", "nvtx", "numpy", "msgspec", "model", "tracer.recording"} & set(modules)


def test_a_recorder_hears_the_marks_in_order() -> None:
    notes = _Notes()
    with recorded_by(notes), tracer.request():
        with tracer.stage("vision"):
            pass
        with tracer.stage("decode", index=1):
            pass
    with tracer.request():  # nobody listens any more
        pass
    assert notes.heard == [
        ("request",), ("vision", None), ("end", "vision", None), ("decode", 1), ("end", "decode", 1), ("end", False),
    ]  # fmt: skip


class _Whole:
    """A number as NumPy and tensors have them."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __index__(self) -> int:
        return self.value

    def __le__(self, other: object) -> bool:
        raise AssertionError("it was not made a number of Python's first")


def test_a_result_is_of_whole_numbers_of_any_kind_and_of_no_others() -> None:
    notes = _Notes()
    notes.checked = lambda *said: notes.heard.append(said)  # type: ignore[attr-defined]
    with recorded_by(notes), tracer.stage("verify", index=1) as checking:
        checking.result(drafted=_Whole(4), accepted=_Whole(2))  # type: ignore[arg-type]
        for drafted, accepted in ((4.0, 2), (4, "2"), (None, 0)):
            with pytest.raises(TypeError):
                checking.result(drafted=drafted, accepted=accepted)  # type: ignore[arg-type]
        for drafted, accepted in ((2, 3), (2, -1), (10**9, 0)):
            with pytest.raises(ValueError, match="accepted is from 0 to drafted"):
                checking.result(drafted=drafted, accepted=accepted)
    assert notes.heard[1:-1] == [(4, 2)]


def test_marks_decorate_functions_and_let_exceptions_through() -> None:
    notes = _Notes()

    @tracer.request()
    def answer(depth: int) -> int:
        return encode(depth)

    @tracer.stage("vision")
    def encode(depth: int) -> int:
        """Encode."""
        if depth == 0:
            raise KeyError("lost")
        return depth

    with recorded_by(notes):
        assert answer(7) == 7
        with pytest.raises(KeyError):
            answer(0)
    assert encode.__doc__ == "Encode."
    assert [note for note in notes.heard if note[0] == "end"] == [
        ("end", "vision", None), ("end", False), ("end", "vision", None), ("end", True),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("encode",), "no stage 'encode': choose from load, preprocess, vision, prefill, decode"),
        (("vision", 1), "only decode, draft, map and verify take an index"),
        (("decode", 0), "steps count from 1"),
        (("decode", "1"), "steps count from 1"),
    ],
)
def test_a_mark_that_means_nothing_is_refused_at_once(arguments: tuple[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tracer.stage(*arguments)


def test_what_runs_after_its_call_cannot_be_decorated() -> None:
    def generate() -> object:
        yield 1

    async def later() -> None: ...

    for function in (generate, later):
        with pytest.raises(TypeError, match="use `with` inside it"):
            tracer.stage("decode")(function)


def test_the_package_has_no_other_late_names() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'stages'"):
        tracer.stages  # noqa: B018


def test_a_pass_that_checks_a_draft_tells_a_recorder_what_came_of_it() -> None:
    told: list[tuple[int, int]] = []

    class Counts(_Notes):
        def checked(self, drafted: int, accepted: int) -> None:
            told.append((drafted, accepted))

    notes = Counts()
    with recorded_by(notes), tracer.request(), tracer.stage("verify", index=2) as checking:
        checking.result(drafted=4, accepted=2)
    assert (told, notes.heard[1]) == ([(4, 2)], ("verify", 2))
    with tracer.stage("verify") as checking:  # nobody listens
        checking.result(drafted=1, accepted=1)


def test_a_result_that_means_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="only verify has a result"), tracer.stage("decode") as step:
        step.result(drafted=1, accepted=1)
    for drafted, accepted in ((1, 2), (1, -1)):
        with pytest.raises(ValueError, match="accepted is from 0 to drafted"), tracer.stage("verify") as checking:
            checking.result(drafted=drafted, accepted=accepted)


def test_a_stage_may_be_one_of_several_models() -> None:
    notes = _Notes()
    with recorded_by(notes), tracer.stage("prefill", role="small"):
        pass
    assert notes.heard[0] == ("small/prefill", None)
    with pytest.raises(ValueError, match="role 'a/b'"):
        tracer.stage("prefill", role="a/b")
