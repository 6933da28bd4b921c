"""Video files: frames taken evenly from the first video stream, decoded by PyAV."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from model.errors import InputError
from model.extras import install
from model.inputs.budget import PictureBudget
from model.inputs.limits import ADVICE, DEFAULT, SampleLimits, beyond

if TYPE_CHECKING:
    from pathlib import Path

    from model.inputs.pictures import Picture

# Demuxers of files that are videos by themselves. FFmpeg would also follow what looks like a playlist, a script or a
# session description, whatever it is called, and read the files and addresses that it names.
DEMUXERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi"
ALONE = {"format_whitelist": DEMUXERS, "protocol_whitelist": "file"}
SUFFIXES = {".mp4", ".avi", ".mkv", ".mov", ".webm"}


def read_video(path: Path, frames: int | None, limits: SampleLimits = DEFAULT) -> list[Picture]:
    """Decode `frames` frames, uint8 [height, width, 3], spread evenly from the first to the last; all if None.

    Of n frames those at linspace(0, n - 1, frames), rounded down. Frames are counted by decoding them, since what
    containers claim is often wrong.

    Raises:
        InputError: PyAV is missing, the file cannot be decoded, or it is too short or too large.
    """
    try:
        import av
    except ImportError:
        raise InputError(f"{path}: videos are read by PyAV, which is missing: {install('video')}") from None
    try:
        # An absolute path: a file's name may look like a protocol's.
        name = str(path.absolute())
        with av.open(name, options=ALONE) as container:
            total, width, height = _count(path, container, limits)
        wanted = total if frames is None else frames
        if not 0 < wanted <= total:
            raise InputError(f"{path}: holds {total} frames, {max(wanted, 1)} are wanted (--frames)")
        PictureBudget(limits).take(path, width, height, wanted)
        chosen = np.linspace(0, total - 1, wanted).astype(int).tolist()
        with av.open(name, options=ALONE) as container:
            return _decode(container, chosen)
    except (av.FFmpegError, OSError, ValueError, IndexError) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise InputError(f"{path}: not a video that can be decoded ({reason})") from None


def _count(path: Path, container: object, limits: SampleLimits) -> tuple[int, int, int]:
    """Frames of the first video stream, the widest's width and the highest's height."""
    total = width = height = 0
    for frame in container.decode(video=0):  # type: ignore[attr-defined]
        if beyond(frame.width * frame.height, limits.frame_pixels):
            raise InputError(f"{path}: frames of {frame.width} x {frame.height} pixels are too large ({ADVICE})")
        width, height, total = max(width, frame.width), max(height, frame.height), total + 1
        if beyond(total, limits.frames):
            raise InputError(f"{path}: more than {limits.frames:,} frames; cut it, or: {ADVICE}")
    return total, width, height


def _decode(container: object, chosen: list[int]) -> list[Picture]:
    """The frames at these positions, in order; a position may come twice."""
    pictures: list[Picture] = []
    for number, frame in enumerate(container.decode(video=0)):  # type: ignore[attr-defined]
        while len(pictures) < len(chosen) and chosen[len(pictures)] == number:
            pictures.append(frame.to_ndarray(format="rgb24"))
        if len(pictures) == len(chosen):
            break
    return pictures
