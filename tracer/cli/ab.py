"""`tracer ab`: record two runs in turns until their difference is known, and judge."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tracer.cli.options import Format, OutputFormat, Top, Width, offering
from tracer.cli.sides import Side, parse_sides
from tracer.document.errors import InputError, UsageError

if TYPE_CHECKING:
    from tracer.compare.turns import Session
    from tracer.document.comparison import Comparison
    from tracer.document.summary import Summary

LOG, JUDGED = "recordings.log", "comparison.json"
_KEPT = re.compile(r"[ab]\d{3,}\.json\.gz")
_TIME = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)\s*(s|min|h)", re.ASCII)
_SECONDS = {"s": 1, "min": 60, "h": 3600}


def command(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="-- A... -- B...",
            help="Options of tracer record for either run, or a script in their place: my_infer.py, or --auto "
            "my_infer.py.",
            show_default=False,
        ),
    ],
    precision: Annotated[
        str,
        typer.Option(
            metavar="PERCENT", help="Record until the difference is known to so much: half of its 95 % interval."
        ),
    ] = "2%",
    of: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="The measure to know so well: a stage, request, ttft or tpot.",
            autocompletion=offering("request", "ttft", "tpot", "vision", "prefill", "decode"),
        ),
    ] = "request",
    max_time: Annotated[str, typer.Option(metavar="TIME", help="Spend no more: 90s, 20min, 2h.")] = "20min",
    seed: Annotated[int, typer.Option(min=0, help="Of the order in which the runs take turns.")] = 0,
    tolerance: Annotated[
        str | None,
        typer.Option(metavar="PERCENT", help="A difference of so much does not matter. [default: none]"),
    ] = None,
    max_regression: Annotated[
        str | None,
        typer.Option(
            metavar="PERCENT",
            help="Exit with 3 if anything of B is slower than A by more, or if that cannot be judged.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder that the recordings and the comparison are kept in.")
    ] = Path("ab"),
    force: Annotated[bool, typer.Option("--force", "-f", help="Overwrite an earlier session in that folder.")] = False,
    output_format: OutputFormat = Format.TEXT,
    top: Top = None,
    width: Width = None,
) -> None:
    """Record two runs in turns, in an order drawn by lot, until their difference is known; then say what it is.

    Each recording is a process of its own. What drifts on the machine meanwhile is noise to both, so that a difference
    is claimed falsely in at most one session of 20; one of twice the precision is found in 9 of 10. Ctrl-C ends it
    early: what was recorded until then is kept and judged.

    Examples:

    tracer ab -- --model eventgpt -- --model eventgpt --batch-frames

    tracer ab --of tpot --precision 1% -- --auto old.py -- --auto new.py
    """
    sides = parse_sides(runs)
    from tracer.compare.gates import NAMES, parse_percent
    from tracer.compare.turns import INTERRUPT, Asked, Session

    if of not in NAMES:
        raise UsageError(f"--of {of[:80]}: choose from {', '.join(NAMES)}")
    limit = None if max_regression is None else parse_percent("--max-regression", max_regression)
    asked = Asked(
        of=of,
        precision=_precision(parse_percent("--precision", precision)),
        most_s=_seconds(max_time),
        seed=seed,
        tolerance=None if tolerance is None else parse_percent("--tolerance", tolerance),
    )
    _prepare(output, force=force)

    def record(run: str, number: int) -> Summary:
        return _record(sides["AB".index(run)], output / f"{run.lower()}{number:03d}.json.gz", first=not number)

    session = Session(asked, record)
    _run(session, output)
    found = _gated(_judged(session, limit), limit)
    _report(found, output, output_format, top=top, width=width)
    if session.ended == INTERRUPT:
        raise KeyboardInterrupt
    _end(session, found)


def _judged(session: Session, limit: float | None) -> Comparison:
    """What was recorded says.

    Raises:
        GateError: nothing, and a limit was to be held to it, unless a recording failed.
        InputError: nothing.
    """
    from tracer.document.errors import GateError

    try:
        return session.judged()
    except InputError as error:
        if limit is None or session.reason:
            raise
        raise GateError(f"--max-regression {limit * 100:g}% cannot be judged: {error}") from None


def _run(session: Session, folder: Path) -> None:
    """Record.

    Raises:
        KeyboardInterrupt: before there was anything to compare, which is said.
        TracerError: see `Session.run`.
    """
    from tracer.cli.streams import tell
    from tracer.compare.turns import INTERRUPT

    try:
        session.run(_tell)
        if session.ended == INTERRUPT and not session.comparable:
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        tell(f"nothing can be judged: both runs must have had a turn; what was recorded is in {folder}")
        raise


def _precision(share: float) -> float:
    if not 0 < share <= 1:
        raise UsageError("--precision: write a percentage above 0 and up to 100%, for example 2%")
    return share


def _seconds(text: str) -> float:
    match = _TIME.fullmatch(text.strip())
    if match is None or not float(match[1]):
        raise UsageError(f"--max-time {text[:80]}: write a time such as 90s, 20min or 2h")
    return float(match[1]) * _SECONDS[match[2]]


def _prepare(folder: Path, *, force: bool) -> None:
    """Make the folder, or empty it of an earlier session.

    Raises:
        InputError: it cannot be made.
        UsageError: there is an earlier session in it and `force` is off, or something else has its name.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"--output {folder}: is no folder")
    try:
        folder.mkdir(exist_ok=True)
        earlier = [path for path in folder.iterdir() if _KEPT.fullmatch(path.name) or path.name in (LOG, JUDGED)]
        if earlier and not force:
            raise UsageError(f"--output {folder}: holds an earlier session; --force overwrites it")
        for path in earlier:
            path.unlink()
    except OSError as error:
        raise InputError(f"--output {folder}: {error.strerror}") from None


def _record(side: Side, path: Path, *, first: bool) -> Summary:
    """Make one recording, and read it."""
    from tracer.recording.fresh import record_afresh
    from tracer.summarize import Choices, summarize_file

    record_afresh(side.arguments(path, first=first), path.with_name(LOG))
    return summarize_file(path, Choices(by="kernel"))


def _tell(line: str) -> None:
    from tracer.cli.streams import tell

    if sys.stderr.isatty():
        tell(line)


def _gated(found: Comparison, limit: float | None) -> Comparison:
    import msgspec

    from tracer.compare.gates import check_regressions

    return found if limit is None else msgspec.structs.replace(found, gates=check_regressions(found, limit))


def _report(found: Comparison, folder: Path, output_format: Format, *, top: int | None, width: int | None) -> None:
    """Keep the comparison beside the recordings, and print it."""
    from tracer.cli.compare import text_of
    from tracer.cli.printed import put
    from tracer.document.comparison import encode

    put(encode(found).decode(), folder / JUDGED)
    text = text_of(found, output_format, heading="tracer ab", top=top, width=width)
    put(text, None, json=output_format is Format.JSON)


def _end(session: Session, found: Comparison) -> None:
    """Say by the exit code what failed.

    Raises:
        GateError: a limit was exceeded, or cannot be judged.
        InputError: a recording failed.
    """
    from tracer.cli.gated import refuse
    from tracer.compare.turns import FAILURE

    if session.ended == FAILURE:
        raise InputError(session.reason)
    refuse(found.gates)
