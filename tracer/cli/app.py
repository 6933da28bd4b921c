"""The command line as typer sees it: verbs, their options, and what typer makes of mistakes in them."""

from __future__ import annotations

import sys
from importlib import import_module
from inspect import cleandoc
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from tracer.document.errors import UsageError
from tracer.version import __version__

INTERRUPTED = 130
BUDGET = "--budget"
# Factors, percentages, peaks of devices.
LARGEST = 1e9
# The first of the verbs, as help lists them.
ORDER = (
    "record",
    "summarize",
    "report",
    "ranks",
    "compare",
    "ab",
    "baseline",
    "explain",
    "whatif",
    "critical-path",
    "calibrate",
    "models",
    "doctor",
)


def _verbs() -> tuple[str, ...]:
    """Every file beside this one with a function `command`: its signature is the options, its docstring the help.

    The text says so: importing all of them would take longer than many a summary.
    """
    texts = {path.stem.replace("_", "-"): path.read_bytes() for path in Path(__file__).parent.glob("*.py")}
    found = {name for name, text in texts.items() if b"\ndef command(" in text}
    return (*[verb for verb in ORDER if verb in found], *sorted(found - set(ORDER)))


VERBS = _verbs()


class LiteralCommand(TyperCommand):
    """A verb whose help means what it says, its paragraphs as wide as the terminal.

    typer takes brackets for markup, by which `[default: …]` vanished, and keeps the breaks of a docstring's lines.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.help = _unbroken(self.help)
        if self.rich_markup_mode != "rich":
            return
        self.help = _escaped(self.help)
        for parameter in self.params:
            if hasattr(parameter, "help"):
                parameter.help = _escaped(parameter.help)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """See `TyperCommand`; infinity, and what is no number (nan), are within no bounds, but typer lets them through.

        Raises:
            BadParameter: an option is one of these, or so large that what it multiplies would be.
        """
        left: list[str] = super().parse_args(ctx, args)
        for parameter in self.params:
            value = ctx.params.get(parameter.name)
            if isinstance(value, float) and not abs(value) <= LARGEST:
                said = f"{value:g} is no number up to {LARGEST:g}"
                raise typer.BadParameter(said, ctx=ctx, param=parameter)
        return left


def _unbroken(text: str | None) -> str | None:
    """A docstring with each paragraph in one line."""
    return text and "\n\n".join(" ".join(paragraph.split()) for paragraph in cleandoc(text).split("\n\n"))


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


def _help(arguments: list[str]) -> str:
    """Where the help on a mistake in these arguments is: at the verb that they begin with, if they begin with one.

    Errors of click know the verb only sometimes: not where an option lacks its value.
    """
    return f"tracer {arguments[0]} --help" if arguments and arguments[0] in VERBS else "tracer --help"


def run(arguments: list[str]) -> int:
    """Run a verb and return its exit code.

    Raises:
        TracerError: what the verb raises; a `UsageError` also for options that there are not.
        KeyboardInterrupt: by Ctrl-C.
    """
    try:
        code = build_app(arguments)(arguments, standalone_mode=False, obj=tuple(arguments))
    except typer.Abort:
        raise KeyboardInterrupt from None
    except Exception as error:
        # Usage errors come from click, which typer carries inside since 0.26 and imported before.
        if not hasattr(error, "format_message"):
            raise
        message = error.format_message()  # none where the help was all that could be said
        raise UsageError(*[f"{message} (see {_help(arguments)})"] if message else []) from None
    if code == INTERRUPTED:  # newer typer turns the exception into this code by itself
        raise KeyboardInterrupt
    return code or 0
