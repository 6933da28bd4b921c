"""What of this machine will serve a recording, found out by trying, and what to do about the rest."""

from __future__ import annotations

import os
import platform
import re
import sys
import tempfile
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from model.extras import fitting, in_one_line, install
from tracer import nsys
from tracer.document.errors import TracerError
from tracer.recording.extras import FOR_DEVELOPERS, OPTIONAL
from tracer.recording.requirements import unmet
from tracer.trace.columns import Want
from tracer.trace.reader import read_trace

if TYPE_CHECKING:
    from collections.abc import Iterator

Status = Literal["ok", "note", "warning", "failure"]

DRIVER = Path("/proc/driver/nvidia")
PERF_PARANOIA = Path("/proc/sys/kernel/perf_event_paranoid")
# Above, the kernel lets no ordinary user sample processors.
MOST_PARANOID_FOR_SAMPLING = 2
# What nsys sets in the processes that it watches.
WATCHED_BY_NSYS = ("NSYS_PROFILING_SESSION_ID", "CUDA_INJECTION64_PATH")
PROBE = "tracer/probe"
_PROBE_CODE = f"import nvtx\nwith nvtx.annotate({PROBE!r}, domain='tracer'): pass"
NVTX_FOR_OLD_NSYS = "0.2.11"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at.

    Attributes:
        subject: what.
        status: "failure" means that `record` would fail, "warning" that a part of it would, "note" neither.
        found: in words.
        advice: what to do, where something is to be done.
    """

    subject: str
    status: Status
    found: str
    advice: str = ""


def examine(program: Path | None = None) -> Iterator[Check]:
    """Look at everything, one thing after another.

    Args:
        program: the nsys to look at, or its folder; the one on PATH if None.
    """
    yield Check("python", "ok", f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    libraries = [check_library(name) for name in ("torch", "transformers", "nvtx")]
    yield from libraries
    if libraries[0].status == "ok":
        yield check_gpu()
        yield check_profiler()
    yield from (check_optional(name, one.use) for name, one in OPTIONAL.items())
    yield Check("for developers", "note", f"extras not looked at: {', '.join(FOR_DEVELOPERS)}")
    yield from check_permissions()
    yield from check_nsys(program)


def check_library(name: str) -> Check:
    """Whether it is there, imports, and is new enough."""
    try:
        found = version(name)
    except PackageNotFoundError:
        return Check(name, "failure", "not installed", f"pip install {name}")
    try:
        import_module(name)
    except Exception as error:  # whatever a broken library raises
        return Check(name, "failure", f"{found} does not import: {error}", f"pip install --force-reinstall {name}")
    needed = unmet(name, found)
    if needed is not None:
        return Check(name, "failure", f"{found} is too old or too new", f"pip install '{needed}'")
    return Check(name, "ok", found)


def check_optional(name: str, use: str) -> Check:
    """Whether a library that only some models and inputs need is there, and imports."""
    try:
        found = version(name)
    except PackageNotFoundError:
        return Check(name, "note", f"not installed: {use} want it", install(OPTIONAL[name].extra))
    try:
        import_module(OPTIONAL[name].module or name)
    except Exception as error:  # torchvision beside another torch than its own raises what torch raises
        advice = fitting() if name == "torchvision" else f"pip install --force-reinstall {name}"
        return Check(name, "warning", f"{found} does not import: {in_one_line(error)}", advice)
    return Check(name, "ok", found)


def check_gpu() -> Check:
    """Whether torch sees one."""
    import torch

    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
        runtime = f"CUDA {torch.version.cuda}" if torch.version.cuda else f"HIP {torch.version.hip}"
        return Check("gpu", "ok", f"{', '.join(names)}; torch is built for {runtime}")
    if DRIVER.exists():
        built = f"built for CUDA {torch.version.cuda}" if torch.version.cuda else "a CPU build"
        return Check(
            "gpu", "warning", f"there is an NVIDIA driver, but torch ({built}) sees no GPU",
            "install a torch that fits the driver (nvidia-smi says its CUDA version); look at CUDA_VISIBLE_DEVICES",
        )  # fmt: skip
    return Check("gpu", "note", "none: recordings run on the CPU, at tiny size unless told otherwise")


def check_profiler() -> Check:
    """Whether torch.profiler sees what it should: operators, and kernels where there is a GPU."""
    import torch
    from torch.profiler import ProfilerActivity, profile

    on_gpu = torch.cuda.is_available()
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]
    with profile(activities=activities, acc_events=True) as profiled:
        torch.ones(8, device="cuda" if on_gpu else "cpu").add_(1)
        if on_gpu:
            torch.cuda.synchronize()
    events = profiled.events() or []
    if not on_gpu:
        return Check("torch.profiler", "ok", f"records operators ({len(events)} in the probe)")
    kernels = [event for event in events if event.device_type.name == "CUDA"]
    if kernels:
        return Check("torch.profiler", "ok", f"records kernels ({len(kernels)} in the probe): CUPTI works")
    watched = [name for name in WATCHED_BY_NSYS if name in os.environ]
    cause = f"this process is watched by nsys ({watched[0]} is set)" if watched else "CUPTI gave it none"
    return Check(
        "torch.profiler", "failure", f"records no kernels: {cause}",
        "CUPTI serves one profiler at a time: end nsys, ncu, DCGM profiling or the debugger that has it",
    )  # fmt: skip


def check_permissions() -> Iterator[Check]:
    """What the system allows profilers; tracing kernels and ranges needs none of it."""
    parameters = DRIVER / "params"
    if parameters.is_file():
        admin_only = re.search(r"RmProfilingAdminOnly: (\d)", parameters.read_text(errors="replace"))
        if admin_only is not None and admin_only[1] == "1":
            yield Check("driver", "note", "hardware counters are for administrators only; tracing needs none")
        else:
            yield Check("driver", "ok", "hardware counters are open to all")
    if PERF_PARANOIA.is_file():
        level = PERF_PARANOIA.read_text().strip()
        if level.lstrip("-").isdigit() and int(level) > MOST_PARANOID_FOR_SAMPLING:
            yield Check("perf_event", "note", f"paranoia {level}: nsys cannot sample processors; we do not ask it to")
        else:
            yield Check("perf_event", "ok", f"paranoia {level}")


def check_nsys(program: Path | None = None) -> Iterator[Check]:
    """Whether nsys is there, and records our ranges: for `record --nsys` and for reading .nsys-rep."""
    try:
        found = nsys.find(program)
        number = ".".join(map(str, nsys.version(found)))
    except TracerError as error:
        yield Check("nsys", "note" if program is None else "warning", str(error), "only --nsys and .nsys-rep need it")
        return
    yield Check("nsys", "ok", f"{number} at {found}")
    yield _probe_ranges(found)


def _probe_ranges(program: Path) -> Check:
    """Have nsys record one range, and look for it."""
    subject = "nsys and nvtx"
    with tempfile.TemporaryDirectory(prefix="tracer-") as name:
        folder = Path(name)
        options = ["--trace=nvtx", "--sample=none", "--cpuctxsw=none", "--export=none", f"--output={folder}/probe"]
        answer = nsys.run([program, "profile", *options, sys.executable, "-P", "-c", _PROBE_CODE])
        if (folder / "probe.qdstrm").exists():
            advice = "turn run.qdstrm into run.nsys-rep with QdstrmImporter on a machine that has a whole nsys"
            return Check(subject, "note", "nsys has no importer here: it leaves .qdstrm files", advice)
        report = folder / "probe.nsys-rep"
        if answer.returncode or not report.exists():
            return Check(subject, "warning", f"nsys records nothing: {nsys.last_line(answer)}", "look at its message")
        try:
            recorded = PROBE in read_trace(report, Want.RANGES, nsys=program).strings
        except TracerError as error:
            return Check(subject, "warning", str(error), "look at its message")
    if recorded:
        return Check(subject, "ok", "nsys records our ranges")
    advice = f"install a newer nsys, or pip install nvtx=={NVTX_FOR_OLD_NSYS}, which old ones understand"
    return Check(subject, "warning", f"this nsys records no range of nvtx {version('nvtx')}", advice)
