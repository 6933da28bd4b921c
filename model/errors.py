"""The errors a staged model raises for input that cannot be right.

    ModelError
    ├── CheckpointError   a checkpoint folder lacks, or disagrees with, what the network needs
    └── InputError        an event file, image folder or prompt is not what it should be

Each message is one line that names the file or tensor, says what is wrong, and what to do.
"""


class ModelError(Exception):
    """Base of everything `model` raises on purpose."""


class CheckpointError(ModelError):
    """A checkpoint folder that cannot be loaded."""


class InputError(ModelError):
    """A sample that cannot be turned into model inputs."""
