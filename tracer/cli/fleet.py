"""`tracer fleet`: many traces as one store, and questions to it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tracer.cli.options import Force, Format, NoLimit, NsysPath, Output, OutputFormat, Width
from tracer.document.errors import InputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from tracer.fleet.fill import Order, Tally

QUERY, MERGE = "query", "merge"
WORKER_MB = 667
READING, ASKING = "Reading", "Asking"


def command(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH... | query STORE QUESTION | merge STORE",
            help="Traces, folders, patterns, or addresses such as s3://. "
            "Or query, a store, and SQL or slowest, regressions, outliers or kernels. "
            "Or merge and a store: its small files become large ones.",
            show_default=False,
        ),
    ],
    store: Annotated[
        Path | None,
        typer.Option(help="The store's folder; made if there is none.", show_default=False, rich_help_panel=READING),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=0, max=256, help="Processes to read with; 0: this one. [default: processors]", rich_help_panel=READING
        ),
    ] = None,
    worker_memory: Annotated[
        int | None,
        typer.Option(
            min=256,
            metavar="MB",
            help=f"A process that takes more is ended. [default: {WORKER_MB}]",
            rich_help_panel=READING,
        ),
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS", help="Of a Dask cluster that shares the store's folder.", rich_help_panel=READING
        ),
    ] = None,
    tag: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE",
            help="Keep this with each trace: model and machine where it does not say them. Repeatable.",
            rich_help_panel=READING,
        ),
    ] = None,
    tags_from: Annotated[
        str | None,
        typer.Option(
            metavar="REGEX",
            help="Named groups of this in a path are tags: '(?P<build>[^/]+)/'.",
            rich_help_panel=READING,
        ),
    ] = None,
    day: Annotated[
        str | None,
        typer.Option(
            "--date", metavar="DAY", help="File them under this day. [default: the trace's]", rich_help_panel=READING
        ),
    ] = None,
    marker: Annotated[
        list[str] | None,
        typer.Option(
            metavar="STAGE=REGEX",
            help="Take ranges whose name matches as this stage; the same for a whole store. Repeatable.",
            rich_help_panel=READING,
        ),
    ] = None,
    retry: Annotated[
        bool, typer.Option("--retry", help="Read again what could not be read before.", rich_help_panel=READING)
    ] = False,
    between: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="A B", help="Two days, two A..B of days, or two tags KEY=VALUE.", rich_help_panel=ASKING),
    ] = None,
    output_format: OutputFormat = Format.TEXT,
    top: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Rows to show. [default: 40 of a ready question, 100 of SQL]",
            rich_help_panel=ASKING,
        ),
    ] = None,
    output: Output = None,
    force: Force = False,
    width: Width = None,
    nsys_path: NsysPath = None,
    no_limit: NoLimit = False,
) -> None:
    """Read many traces into one Parquet store, in several processes, and ask it.

    What is in the store is not read again, whatever its name. A trace that fails is a row with its error. Ctrl-C loses
    nothing that was finished.

    Examples:

    tracer fleet traces/ --store store --tag build=1.2

    tracer fleet query store regressions --between build=1.1 build=1.2
    """
    reading = {
        "--store": store, "--workers": workers, "--worker-memory": worker_memory, "--scheduler": scheduler,
        "--tag": tag, "--tags-from": tags_from, "--date": day, "--marker": marker, "--retry": retry or None,
        "--nsys-path": nsys_path, "--no-limit": no_limit or None,
    }  # fmt: skip
    asking = {
        "--between": between, "--top": top, "--output": output, "--width": width, "--force": force or None,
        "--format": None if output_format is Format.TEXT else output_format,
    }  # fmt: skip
    if paths[0] == QUERY:
        if len(paths) != 3:
            raise UsageError(f"{QUERY} takes a store and a question: tracer fleet {QUERY} STORE slowest")
        _refuse(reading, f"is for reading traces; {QUERY} reads a store")
        _query(Path(paths[1]), paths[2], between, output_format, top, output, force=force, width=width)
        return
    if paths[0] == MERGE:
        _refuse({**reading, **asking}, f"{MERGE} takes a store and no options")
        _merge(paths)
        return
    if store is None:
        raise UsageError("--store FOLDER: say where the tables go")
    _refuse(asking, f"is for questions, as in tracer fleet {QUERY} {store} regressions --between A B")
    if scheduler is not None:
        own = {"--workers": workers, "--worker-memory": worker_memory}
        _refuse(own, "is for processes of our own; the workers of --scheduler are as they were started")
    from tracer.cli.summarize import patterns_of
    from tracer.fleet.fill import Order, read_pattern, read_tags
    from tracer.trace.parallel import processors

    order = Order(
        given=paths,
        store=store,
        workers=processors() if workers is None else workers,
        scheduler=scheduler,
        memory_bytes=(worker_memory or WORKER_MB) * 1_000_000,
        patterns=patterns_of(marker or []),
        tags=read_tags(tag or []),
        tags_from=read_pattern(tags_from),
        day=_day(day),
        nsys=None if nsys_path is None else str(nsys_path),
        unlimited=no_limit,
        again=retry,
    )
    _read(order)


def _refuse(options: Mapping[str, object], why: str) -> None:
    """Refuse what is given of these and would change nothing."""
    for name, value in options.items():
        if value is not None:
            raise UsageError(f"{name}: {why}")


def _merge(words: list[str]) -> None:
    from tracer.fleet.merge import merge
    from tracer.fleet.store import opened
    from tracer.tables.optional import INSTALL_FLEET, require

    if len(words) != 2:
        raise UsageError(f"{MERGE} takes a store: tracer fleet {MERGE} STORE")
    require("pyarrow", "fleet merge", INSTALL_FLEET)
    store = opened(Path(words[1]))
    try:
        merged = sum(merge(store, day) for day in store.days())
    except OSError as error:
        raise InputError(f"{words[1]}: {error.strerror or error}") from None
    typer.echo(f"{merged:,} sets of files merged")


def _day(text: str | None) -> date | None:
    from datetime import date

    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"--date {text}: write it as 2026-11-27") from None


def _read(order: Order) -> None:
    from tracer.cli.bars import Bars
    from tracer.cli.streams import tell
    from tracer.fleet.fill import failures_in_words, fill
    from tracer.tables.optional import INSTALL_FLEET, require

    require("pyarrow", "fleet", INSTALL_FLEET)
    with Bars() as bars:
        tally = fill(order, lambda found: bars.begin("reading", found.total), lambda _: bars.advance())
    for words in failures_in_words(tally):
        tell(words)
    typer.echo(_told(tally, order.store))
    if tally.states["failed"] == tally.total:
        raise InputError(f"{order.store}: none of the traces could be read")


def _told(tally: Tally, store: Path) -> str:
    from reports.units import counted, printable

    states = tally.states
    total = counted(tally.total, "trace")
    return (
        f"{total}: {states['stored']:,} read, {states['known']:,} known, {states['failed']:,} failed\n"
        f"next: tracer fleet {QUERY} {printable(str(store))} slowest"
    )


def _query(
    store: Path, question: str, between: tuple[str, str] | None, output_format: Format, top: int | None,
    output: Path | None, *, force: bool, width: int | None,
) -> None:  # fmt: skip
    from tracer.cli.printed import check_output, put, rendered
    from tracer.fleet.question import ask, questions, select
    from tracer.fleet.sides import read_side
    from tracer.fleet.store import opened
    from tracer.tables.optional import INSTALL_FLEET, require

    check_output(output, force=force)
    sides = () if between is None else tuple(map(read_side, between))
    for library in ("pyarrow", "duckdb"):
        require(library, "fleet query", INSTALL_FLEET)
    there, known = opened(store), questions()
    if question not in known:
        if sides:
            raise UsageError(f"--between: is for {' and '.join(one for one in known if known[one].compares)}")
        _print_table(select(there, question), output_format, top, output, width=width)
        return
    answer = ask(there, known[question], sides)
    if output_format is Format.JSON:
        from tracer.document.fleet import encode

        put(encode(answer).decode(), output, json=True)
        return
    from reports.document import of_answer

    put(rendered(of_answer(answer, top), output_format, heading="tracer fleet", width=width, output=output), output)


def _print_table(
    answer: Any, output_format: Format, top: int | None, output: Path | None, *, width: int | None
) -> None:
    from tracer.cli.printed import put, rendered
    from tracer.cli.query import SHOWN, as_block, as_json

    if output_format is Format.JSON:
        put(as_json(answer), output, json=True)
        return
    blocks = [as_block(answer, top or SHOWN)]
    put(rendered(blocks, output_format, heading="tracer fleet", width=width, output=output), output)
