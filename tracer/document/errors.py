"""The errors that end a command, with the exit code each one means.

    TracerError            1
    ├── InputError         1   a file that cannot be read as what it should be
    ├── MissingError       1   this machine lacks something the command needs
    ├── VerificationError  1   the staged model disagrees with the model's own generate
    ├── UsageError         2   options that contradict each other or the input
    └── GateError          3   a budget or regression gate failed

An interrupt exits with 130. `tracer.cli.main` catches this tree in one place and prints one line on
stderr, so each message names the file, says what is wrong, and what to do. Errors of `model` are turned
into these where recording calls it.
"""


class TracerError(Exception):
    """Base of everything that ends a command with a message instead of a traceback."""

    exit_code = 1


class InputError(TracerError):
    """A file is missing, damaged, or not what it should be."""


class MissingError(TracerError):
    """This machine lacks a device, a library or a program that the command needs."""


class VerificationError(TracerError):
    """The staged run and the model's own generation disagree."""


class UsageError(TracerError):
    """The options cannot be right."""

    exit_code = 2


class GateError(TracerError):
    """Budgets or regression limits were exceeded; one message for each."""

    exit_code = 3
