"""The stages as tracks of Perfetto in what was recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def add_tracks(output: Path) -> None:
    """Put the stages as tracks into what was recorded, which stays as it is where that fails."""
    from tracer.choices import Choices
    from tracer.cli.streams import tell
    from tracer.document.errors import InputError
    from tracer.perfetto.annotate import annotate

    try:
        annotate(output, output, Choices(jobs=1))  # other processes would be forks of one that has used a GPU
    except InputError as error:
        tell(f"the trace has no tracks for the stages: {error}")
