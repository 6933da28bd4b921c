"""Which samples a folder, an instruction file or an option gives, in which order and batches."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from model.errors import InputError
from model.inputs.batches import batch_name, batches_of
from model.inputs.datasets import read_dataset
from model.inputs.events import EventStream, synthetic_events
from model.inputs.limits import NO_LIMITS, SampleLimits
from model.inputs.samples import Sample, as_pictures, read_sample
from model.inputs.videos import read_video
from model.registry import ModelOptions


def _options(**more: Any) -> ModelOptions:
    return ModelOptions(size="tiny", device="cpu", dtype="float32", **more)


def _picture(path: Path, shade: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((12, 16, 3), shade, dtype=np.uint8)).save(path)
    return path


def _video(path: Path, frames: int) -> Path:
    av = pytest.importorskip("av")
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for number in range(frames):
            picture = np.full((32, 32, 3), 20 * number, dtype=np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


@pytest.fixture
def folder(tmp_path: Path, data: Path) -> Path:
    shutil.copy(data / "moving_edge.npy", tmp_path / "10.npy")
    _picture(tmp_path / "9.png")
    _picture(tmp_path / "11" / "0.png")
    (tmp_path / "notes.txt").write_text("not a sample")
    (tmp_path / "empty").mkdir()
    return tmp_path


def test_a_folders_files_are_its_samples_in_natural_order(folder: Path) -> None:
    assert [sample.name for sample in read_dataset(folder)] == ["9.png", "10.npy", "11"]


def test_samples_are_batched_in_order_and_the_last_batch_may_be_smaller(folder: Path) -> None:
    batches = batches_of(_options(dataset=folder, batch_size=2))
    assert [batch_name(batch) for batch in batches] == ["9.png, 10.npy", "11"]
    assert [batch_name(batch) for batch in batches_of(_options(dataset=folder, max_samples=1))] == ["9.png"]


def test_a_seed_shuffles_before_the_first_are_taken(folder: Path) -> None:
    def order(seed: int) -> list[str]:
        return [batch_name(batch) for batch in batches_of(_options(dataset=folder, shuffle_seed=seed))]

    assert order(1) == order(1)
    assert {tuple(order(seed)) for seed in range(20)} > {tuple(order(0))}
    first = batches_of(_options(dataset=folder, shuffle_seed=1, max_samples=1))
    assert [batch_name(batch) for batch in first] == order(1)[:1]


def test_without_a_data_set_each_sequence_of_a_batch_has_its_own_seed() -> None:
    (batch,) = batches_of(_options(batch_size=3, seed=7))
    assert [sample.seed for sample in batch] == [7, 8, 9]
    assert batch_name(batch) == "synthetic"


ENTRY = {"id": 1, "event_data": "a.npy", "conversations": [{"from": "human", "value": "<event>\nWhat moves?"}]}


@pytest.mark.parametrize("place", [".", "event_data"])
def test_an_instruction_file_names_data_and_questions(tmp_path: Path, data: Path, place: str) -> None:
    (tmp_path / place).mkdir(exist_ok=True)
    shutil.copy(data / "moving_edge.npy", tmp_path / place / "a.npy")
    (tmp_path / "set.json").write_text(json.dumps([ENTRY]))
    for path in (tmp_path, tmp_path / "set.json"):
        (sample,) = read_dataset(path)
        assert (sample.name, sample.prompt) == ("1", "What moves?")
        assert isinstance(read_sample(sample, None), EventStream)


@pytest.mark.parametrize(
    ("given", "name"), [("edge-7", "edge-7"), (0, "0"), ("", "a.npy"), ({}, "a.npy"), (None, "a.npy")]
)
def test_a_sample_is_called_by_its_id_or_by_its_data(tmp_path: Path, given: object, name: str) -> None:
    (tmp_path / "a.npy").touch()
    (tmp_path / "set.json").write_text(json.dumps([ENTRY | {"id": given}]))
    assert [sample.name for sample in read_dataset(tmp_path)] == [name]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not JSON"),
        ("{}", "not a list of samples"),
        ("[]", "not a list of samples"),
        ("[1]", "entry 0 is no object"),
        (json.dumps([{"id": 1}]), "entry 0 names no data"),
        (json.dumps([ENTRY | {"event_data": "../a.npy"}]), "lies outside"),
        (json.dumps([ENTRY | {"event_data": "/etc/passwd"}]), "lies outside"),
        (json.dumps([ENTRY | {"event_data": "none.npy"}]), "no 'none.npy' in"),
        (json.dumps([ENTRY | {"conversations": "?"}]), "no list of turns"),
        (json.dumps([ENTRY | {"conversations": [{"from": "gpt", "value": "hi"}]}]), "no question by a human"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_instruction_files_that_cannot_be_right_are_refused(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "a.npy").touch()
    (tmp_path / "set.json").write_text(content)
    with pytest.raises(InputError, match=message):
        read_dataset(tmp_path)


def test_folders_without_samples_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no samples here"):
        read_dataset(tmp_path)
    with pytest.raises(InputError, match="neither a folder of samples"):
        read_dataset(tmp_path / "nowhere")


def test_every_kind_of_sample_gives_pictures(folder: Path) -> None:
    for sample, frames, shape in zip(read_dataset(folder), (3, 3, 1), ((12, 16, 3), None, (12, 16, 3)), strict=True):
        pictures = as_pictures(read_sample(sample, frames), frames)
        assert len(pictures) == frames
        assert shape is None or all(picture.shape == shape for picture in pictures)


def test_frames_of_a_video_are_taken_evenly(tmp_path: Path) -> None:
    path = _video(tmp_path / "ramp.mp4", 10)
    chosen = [round(float(picture.mean()) / 20) for picture in read_video(path, 4)]
    assert chosen == [0, 3, 6, 9]
    assert len(read_video(path, None)) == 10
    assert read_video(path, 1)[0].shape == (32, 32, 3)
    with pytest.raises(InputError, match="holds 10 frames, 11 are wanted"):
        read_video(path, 11)


def _pointing_at(other: Path) -> dict[str, str]:
    """What FFmpeg takes for a video, and reads another file for."""
    return {
        "a script": f"ffconcat version 1.0\nfile {other.name}\n",
        "a script with a path": f"ffconcat version 1.0\nfile {other}\n",
        "a playlist": f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{other}\n#EXT-X-ENDLIST\n",
        "a playlist of addresses": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:9/x.ts\n#EXT-X-ENDLIST\n",
        "a session": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
    }


@pytest.mark.parametrize("kind", _pointing_at(Path("/x.mp4")))
def test_a_video_that_points_at_other_files_is_none(tmp_path: Path, kind: str) -> None:
    other = _video(tmp_path / "other.mp4", 4)
    assert len(read_video(other, 2)) == 2
    path = tmp_path / "video.mp4"
    path.write_text(_pointing_at(other)[kind])
    with pytest.raises(InputError, match=r"video\.mp4: not a video that can be decoded"):
        read_video(path, 2)


def test_a_videos_name_is_no_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = _video(tmp_path / "other.mp4", 4)
    monkeypatch.chdir(tmp_path)
    for name in ("concat:other.mp4", f"file:{other}"):
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("nothing")
        with pytest.raises(InputError, match="not a video that can be decoded"):
            read_video(path, 2)


@pytest.mark.parametrize("suffix", ["avi", "mkv", "mov", "mp4"])
def test_every_kind_of_video_that_is_offered_is_read(tmp_path: Path, suffix: str) -> None:
    assert len(read_video(_video(tmp_path / f"a.{suffix}", 4), 2)) == 2


def _within(picture_bytes: int) -> SampleLimits:
    return SampleLimits(picture_bytes=picture_bytes)


def test_the_pictures_of_a_sample_share_one_bound_on_memory(tmp_path: Path) -> None:
    for number in range(3):
        _picture(tmp_path / "folder" / f"{number}.png")
    sample = Sample("folder", tmp_path / "folder")
    one = 12 * 16 * 3
    assert len(read_sample(replace(sample, limits=_within(3 * one)), None)) == 3
    tight = replace(sample, limits=_within(3 * one - 1))
    with pytest.raises(InputError, match=r"2\.png: 16 x 12 pixels would .* beyond 1,727 bytes; use fewer .*--no-limit"):
        read_sample(tight, None)
    assert len(read_sample(tight, 2)) == 2
    assert len(read_sample(replace(sample, limits=NO_LIMITS), None)) == 3


def test_frames_of_videos_and_of_event_streams_have_the_same_bound(tmp_path: Path) -> None:
    path = _video(tmp_path / "a.mp4", 4)
    stream = synthetic_events(0, count=1000)
    two, three = _within(2 * 640 * 480 * 3), _within(3 * 32 * 32 * 3)
    assert len(read_video(path, 4, two)) == len(as_pictures(stream, 2, two)) * 2
    with pytest.raises(InputError, match="an event stream: .* pixels, 5 times, would"):
        as_pictures(stream, 5, two)
    with pytest.raises(InputError, match=r"a\.mp4: 32 x 32 pixels, 4 times, would"):
        read_video(path, 4, three)
    for limits in (SampleLimits(frames=3), SampleLimits(frame_pixels=32 * 32 - 1)):
        with pytest.raises(InputError, match=r"a\.mp4: .*--no-limit reads it all the same"):
            read_video(path, 4, limits)
    assert len(read_video(path, 4, NO_LIMITS)) == 4


def test_limits_lifted_by_the_option_are_lifted_for_pillow_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:

    _picture(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 50)  # of which Pillow lets twice as many through
    asked = ModelOptions(size="tiny", device="cpu", dtype="float32", input=tmp_path / "a.png")
    with pytest.raises(InputError, match="not a picture that can be read"):
        read_sample(batches_of(asked)[0][0], 1)
    assert len(read_sample(batches_of(replace(asked, no_limit=True))[0][0], 1)) == 1
    assert Image.MAX_IMAGE_PIXELS == 50


@pytest.mark.parametrize("content", [b"", b"not a video", b"\x00\x00\x00\x18ftypmp42" + bytes(64)])
def test_damaged_videos_are_refused(tmp_path: Path, content: bytes) -> None:
    pytest.importorskip("av")
    (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.mp4: not a video that can be decoded"):
        read_video(tmp_path / "a.mp4", 4)


def test_a_torn_video_gives_an_error_or_its_frames(tmp_path: Path) -> None:
    whole = _video(tmp_path / "ramp.avi", 10).read_bytes()
    for keep in (len(whole) // 3, len(whole) // 2, len(whole) - 50):
        (tmp_path / "torn.avi").write_bytes(whole[:keep])
        try:
            assert len(read_video(tmp_path / "torn.avi", 2)) == 2
        except InputError as error:
            assert "torn.avi" in str(error)


def test_without_pyav_a_video_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(InputError, match=r"PyAV, which is missing: pip install '\.\[video\]'$"):
        read_video(tmp_path / "a.mp4", 4)
