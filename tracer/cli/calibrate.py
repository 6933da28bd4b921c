"""`tracer calibrate`: measure what this machine can do."""

from __future__ import annotations

from typing import Annotated

import typer

from tracer.cli import options
from tracer.document.errors import InputError


def command(
    device: Annotated[str | None, options.device()] = None,
    dtype: Annotated[str | None, options.dtype()] = None,
) -> None:
    """Measure peak arithmetic and memory bandwidth, and keep them for later summaries.

    A large matrix product and a large copy, ten times each; the best counts. tracer summarize then takes these in
    place of the data sheet's figures for traces of such a device; of a CPU, of the same model with as many threads.
    On a GPU also what a launch costs this host at least, by kernels that do nothing: a stage that waits for its host
    is then held to it.
    """
    from tracer.cli.choices import check_names, choose_device, choose_dtype

    check_names(device, dtype)
    device = choose_device(device)
    dtype = choose_dtype(dtype, on_gpu=device.startswith("cuda"))
    import torch

    from tracer.peaks.launches import remember_floor
    from tracer.peaks.measured import remember
    from tracer.recording.calibrate import calibrate, launch_floor
    from tracer.recording.machine import describe_device

    place = torch.device(device)
    peak = calibrate(place, getattr(torch, dtype))
    found = describe_device(place)
    name, threads = str(found["name"]), found.get("threads")
    counted = "" if threads is None else f", {threads} thread{'' if threads == 1 else 's'}"
    typer.echo(f"{name}{counted}, {dtype}: {peak.tflops:.3g} TFLOP/s, {peak.gbs:.4g} GB/s (read and written)")
    launch_ns, host = launch_floor(place), str(found.get("host", ""))
    if launch_ns is not None:
        typer.echo(f"by {host}: a launch takes {launch_ns / 1e3:.3g} us at least, {1e9 / launch_ns:,.0f} a second")
    try:
        path = remember(name, dtype, peak, threads)
        if launch_ns is not None:
            remember_floor(name, host, launch_ns)
    except OSError as error:
        raise InputError(
            f"{error.filename}: {error.strerror}, so this is not kept: give summarize --peak-tflops {peak.tflops:.4g} "
            f"--peak-gbs {peak.gbs:.4g}, or set XDG_CACHE_HOME to a folder that can be written"
        ) from None
    typer.echo(f"kept in {path}")
