"""The `tracer` command: its verbs, and the one place where errors become a line and an exit code."""

from __future__ import annotations

import os
import sys
from typing import Annotated, NoReturn

import typer

from tracer.cli import models, record, summarize
from tracer.errors import TracerError
from tracer.version import __version__

INTERRUPTED = 130

app = typer.Typer(
    name="tracer",
    help="Where does a multimodal LLM's inference time go, and what should I do about it?",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("record")(record.command)
app.command("summarize")(summarize.command)
app.command("models")(models.command)


def _print_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"tracer {__version__}\n")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    pass


def main() -> NoReturn:
    """Run the command line and exit with the code that `tracer.errors` documents."""
    try:
        code = app(standalone_mode=False)
        sys.stdout.flush()
        if code == INTERRUPTED:  # newer typer turns the exception into this code by itself
            _complain("interrupted")
    except TracerError as error:
        _complain(str(error))
        code = error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        _complain("interrupted")
        code = INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has seen enough; Python would complain again while shutting down.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Exception as error:
        # Usage errors come from click, which typer carries inside since 0.26 and imported before.
        if not hasattr(error, "format_message"):
            raise
        _complain(f"{error.format_message()} (see tracer --help)")
        code = 2
    sys.exit(code or 0)


def _complain(message: str) -> None:
    line = " ".join(message.split())
    sys.stderr.write(f"tracer: {line}\n")
