"""What the verify pass proves, of every shape that requests have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from support.questions import ask

from model.decoding.static import StaticDecoder
from model.eventgpt.adapter import StagedEventGPT
from model.registry import ModelOptions
from model.staged import DecodeState
from tracer.document.errors import VerificationError
from tracer.document.manifest import Manifest, Sample, Shape, Verification
from tracer.measure.recording import describe
from tracer.recording.options import RecordOptions
from tracer.recording.passes.verify import STEPS, distinct_shapes, verify_pass
from tracer.recording.window import DecodeWindow, Schedule

TOKENS = 4
# Three lengths; the third has its own shape, the last the first one's.
QUESTIONS = ["what", "what is this", "what is this what is this . what", "USER"]


def _options(decode: str = "eager") -> RecordOptions:
    return RecordOptions(
        model="eventgpt",
        model_options=ModelOptions(size="", device="cpu", dtype="float32", decode=decode),
        output=Path("nowhere.json"),
        requests=None,
        max_new_tokens=TOKENS,
        schedule=Schedule(wait=0, warmup=0, active=1, repeat=1),
        window=DecodeWindow(1, TOKENS),
    )


def _wrong_beyond(length: int) -> Callable[[Any, DecodeState], DecodeState]:
    step = StagedEventGPT.decode_step

    def wrong(self: Any, state: DecodeState) -> DecodeState:
        after = step(self, state)
        if state.attention_mask.shape[1] - state.tokens.shape[1] + 1 > length:
            after.tokens[:, -1] = (after.tokens[:, -1] + 1) % 60
        return after

    return wrong


def test_each_shape_is_proved_once(tmp_path: Path) -> None:
    model = ask(tmp_path, QUESTIONS)
    numbers = distinct_shapes(model, range(4))
    assert numbers == [0, 1, 2]
    answers: list[int] = []
    checked = verify_pass(model, _options(), numbers, lambda: answers.append(1))
    assert (checked.status, checked.shapes, checked.shapes_verified) == ("passed", 3, 3)
    assert (checked.tokens, len(answers)) == (3 * TOKENS, 3 * STEPS)


def test_batches_of_one_size_that_are_padded_otherwise_are_shapes_of_their_own(tmp_path: Path) -> None:
    long = "what is this what is this . what"
    model = ask(tmp_path, ["what", long, long, "USER", long, long], batch_size=2)
    shapes = [model.shape(model.prepare(model.load(number))) for number in range(3)]
    assert shapes[0] == shapes[1] == shapes[2]
    assert distinct_shapes(model, range(3)) == [0, 1, 2]
    assert distinct_shapes(model, [1]) == [1]


def test_a_loop_that_strays_in_a_later_shape_alone_is_caught_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = ask(tmp_path, QUESTIONS)
    lengths = [model.length(sample) for sample in model.all_samples]
    monkeypatch.setattr(StagedEventGPT, "decode_step", _wrong_beyond(lengths[1]))
    verify_pass(model, _options(), [0, 1], lambda: None)
    with pytest.raises(VerificationError, match="^2: the staged run disagrees .*, given features: token 1 is"):
        verify_pass(model, _options(), [0, 1, 2], lambda: None)


def test_steps_made_in_another_way_that_stray_in_one_shape_are_said_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = ask(tmp_path, QUESTIONS, decode="static", new_tokens=TOKENS)
    longest = model.length(model.all_samples[2])
    step = StaticDecoder.step

    def other(self: StaticDecoder, token: torch.Tensor) -> torch.Tensor:
        chosen = step(self, token)
        return chosen if int(self._cache.layers[0].get_seq_length()) <= longest + 1 else (chosen + 1) % 60

    monkeypatch.setattr(StaticDecoder, "step", other)
    checked = verify_pass(model, _options("static"), [0, 1, 2], lambda: None)
    assert (checked.status, checked.first_difference) == ("differs", 2)
    assert (checked.shapes, checked.shapes_verified) == (3, 2)


def _manifest(verification: Verification, lengths: list[int]) -> Manifest:
    shape = {"batch_size": 1, "frames": 1, "visual_tokens": 4, "new_tokens": 3}
    return Manifest(
        schema="tracer.manifest/1", version="1", model={}, software={}, device={}, dtype="float32", seed=0,
        shape=Shape(**shape, prompt_tokens=lengths[0]), coupled=False, synchronised=False, clock="host", options={},
        samples=[Sample(name=str(length), **shape, prompt_tokens=length) for length in lengths],
        verification=verification, clean=[], profiled=[],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("verification", "lengths", "verified", "shapes"),
    [
        (Verification(status="passed", shapes=3, shapes_verified=3), [7, 8, 9], 3, 3),
        (Verification(status="differs", shapes=3, shapes_verified=2), [7, 8, 9], 2, 3),
        (Verification(status="passed"), [7, 8, 7], 1, 2),
        (Verification(status="passed"), [7], 1, 1),
        (Verification(status="skipped"), [7, 8], 0, 2),
    ],
    ids=["all", "some", "an old recording, which looked at its first sample", "an old one of one shape", "none"],
)
def test_a_summary_says_of_how_many_shapes_how_many_were_verified(
    verification: Verification, lengths: list[int], verified: int, shapes: int
) -> None:
    said = describe(_manifest(verification, lengths))
    assert (said["verified_shapes"], said["shapes"]) == (verified, shapes)
