"""The `tracer` command: its verbs, and the one place where errors become a line and an exit code."""

from __future__ import annotations

import gc
import os
import sys
from importlib import import_module
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperCommand

from tracer.document.errors import TracerError
from tracer.version import __version__

INTERRUPTED = 130
BUDGET = "--budget"
# Each verb's module has a function `command`; its signature is the verb's options, its docstring the help.
VERBS = ("record", "summarize", "compare", "explain", "whatif", "critical-path", "calibrate", "models", "doctor")


class LiteralCommand(TyperCommand):
    """A verb whose help means what it says: typer takes brackets for markup, and `[default: …]` vanished."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        if self.rich_markup_mode != "rich":
            return
        self.help = _escaped(self.help)
        for parameter in self.params:
            if hasattr(parameter, "help"):
                parameter.help = _escaped(parameter.help)


def _escaped(text: str | None) -> str | None:
    return text and text.replace("[", r"\[")


def build_app(arguments: list[str]) -> typer.Typer:
    """The command line with the verb that the arguments name, or with all of them where they name none."""
    app = typer.Typer(
        name="tracer",
        help="Where does a multimodal LLM's inference time go, and what should I do about it?",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_options)
    # Reading the options of a verb that is not asked for would take longer than many a summary.
    named = arguments[0] if arguments and arguments[0] in VERBS else None
    for verb in VERBS if named is None else (named,):
        app.command(verb, cls=LiteralCommand)(import_module(f"tracer.cli.{verb.replace('-', '_')}").command)
    return app


def _print_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"tracer {__version__}\n")
        raise typer.Exit


def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    pass


def spread_budgets(arguments: list[str]) -> list[str]:
    """Give each limit behind `--budget` the option's name, so that several may follow one.

    >>> spread_budgets(["run.json", "--budget", "vision<=5%", "tpot<=20ms"])
    ['run.json', '--budget', 'vision<=5%', '--budget', 'tpot<=20ms']
    """
    spread: list[str] = []
    for argument in arguments:
        limit = "<=" in argument and not argument.startswith("-")
        if limit and len(spread) > 1 and spread[-2] == BUDGET:
            spread.append(BUDGET)
        spread.append(argument)
    return spread


def main() -> NoReturn:
    """Run the command line and exit with the code that `tracer.document.errors` documents."""
    gc.disable()  # most commands are over before garbage matters; `record` turns it on again
    try:
        arguments = spread_budgets(sys.argv[1:])
        code = build_app(arguments)(arguments, standalone_mode=False)
        sys.stdout.flush()
        if code == INTERRUPTED:  # newer typer turns the exception into this code by itself
            _complain("interrupted")
    except TracerError as error:
        for message in error.args:  # of gates, one for each that failed
            _complain(str(message))
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
        if message := error.format_message():  # none where the help was all that could be said
            _complain(f"{message} (see tracer --help)")
        code = 2
    sys.exit(code or 0)


def _complain(message: str) -> None:
    line = " ".join(message.split())
    sys.stderr.write(f"tracer: {line}\n")
