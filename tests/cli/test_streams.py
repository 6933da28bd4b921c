"""Whatever becomes of standard output: one line on stderr, an exit code, and never a traceback."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.chrome import kernel, launch, span, write

TRACER = [sys.executable, "-m", "tracer"]


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("trace") / "a.json"
    return write(path, span("tracer/vision", 0, 9), launch(1, 1, 1), kernel("kernel µ", 3, 1, 1))


def _shell(command: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run a command line in which `tracer` is ours."""
    line = f'tracer() {{ "{sys.executable}" -m tracer "$@"; }}; {command}'
    return subprocess.run(["bash", "-c", line], capture_output=True, check=False, env={**os.environ, **environment})


@pytest.mark.parametrize(
    "arguments",
    ["summarize {}", "summarize {} --format json", "compare {} {}", "models", "--help", "explain kv-growth"],
)
def test_a_full_disk_behind_standard_output_is_one_line(trace: Path, arguments: str) -> None:
    done = _shell(f"tracer {arguments.replace('{}', str(trace))} > /dev/full")
    assert (done.returncode, done.stderr) == (1, b"tracer: standard output: No space left on device\n")


def test_a_closed_standard_output_is_one_line(trace: Path) -> None:
    done = _shell(f"tracer summarize {trace} >&-")
    assert (done.returncode, done.stderr) == (1, b"tracer: standard output: it is closed\n")


def test_with_both_streams_closed_there_is_still_an_exit_code(trace: Path) -> None:
    done = _shell(f"tracer summarize {trace} >&- 2>&- <&-")
    assert (done.returncode, done.stdout, done.stderr) == (1, b"", b"")


def test_a_closed_stream_is_no_place_for_what_is_opened_later(trace: Path) -> None:
    done = _shell(f"tracer compare {trace} {trace} --jobs 2 2>&-")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
def test_what_an_encoding_lacks_becomes_a_question_mark(trace: Path, encoding: str) -> None:
    done = _shell(f"tracer summarize {trace}", PYTHONIOENCODING=encoding)
    assert (done.returncode, done.stderr) == (0, b"")
    assert re.search(rb"^vision ", done.stdout, re.MULTILINE)
    assert b"?" in done.stdout


def test_json_is_utf_8_whatever_the_encoding(trace: Path) -> None:
    done = _shell(f"tracer summarize {trace} --format json", PYTHONIOENCODING="latin-1")
    assert json.loads(done.stdout.decode("utf-8"))["stages"][0]["kernels"][0]["name"] == "kernel µ"


@pytest.mark.parametrize("output_format", ["text", "json", "markdown"])
def test_a_file_name_that_is_no_text_is_read_and_shown(trace: Path, tmp_path: Path, output_format: str) -> None:
    path = os.fsencode(tmp_path) + b"/caf\xe9.json"
    with open(path, "wb") as file:  # noqa: PTH123
        file.write(trace.read_bytes())
    done = subprocess.run(
        [*TRACER, "summarize", path, "--format", output_format],
        capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "300"},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"caf(\\udce9|&#92;udce9|\\\\udce9)\.json", done.stdout)


def test_an_error_about_a_file_name_that_is_no_text_is_one_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [*TRACER, "summarize", os.fsencode(tmp_path) + b"/caf\xe9.json"], capture_output=True, check=False
    )
    assert done.returncode == 1
    assert re.fullmatch(rb"tracer: .*caf.*\.json: No such file[^\n]*\n", done.stderr)


@pytest.mark.parametrize("module", ["tracer.cli.streams", "tracer.cli.app", "typer", "tracer.cli.summarize", "numpy"])
def test_an_interrupt_while_a_command_starts_is_one_line(trace: Path, module: str) -> None:
    """Ctrl-C at the very moment at which a module is about to be imported."""
    script = (
        "import os, signal, sys\n"
        "class Interrupt:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == {module!r}:\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Interrupt())\n"
        "from tracer.cli.main import main\n"
        f"sys.argv = ['tracer', 'summarize', {str(trace)!r}]\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "tracer: interrupted\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_who_is_ended_by_another_signal_tidies_up_and_says_so(tmp_path: Path, number: signal.Signals) -> None:
    script = (
        "import os, signal, sys\n"
        f"signal.signal({int(number)}, signal.SIG_DFL)\n"
        "from tracer.cli import app, main\n"
        "def run(arguments):\n"
        "    try:\n"
        f"        os.kill(os.getpid(), {int(number)})\n"
        "        signal.sigtimedwait([], 60)\n"
        "    finally:\n"
        f"        open({str(tmp_path / 'tidied')!r}, 'w').close()\n"
        "app.run = run\n"
        "main.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (128 + number, "", f"tracer: ended by {number.name}\n")
    assert (tmp_path / "tidied").exists()


def test_what_whoever_started_us_has_ignored_stays_so() -> None:
    script = (
        "import os, signal, sys\n"
        "signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "from tracer.cli import app, main\n"
        "app.run = lambda _: os.kill(os.getpid(), signal.SIGHUP)\n"
        "main.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_before_a_command_starts_nothing_is_imported_that_takes_time() -> None:
    """Else an interrupt would find nobody to catch it."""
    script = "import sys; before = set(sys.modules); import tracer.cli.main; print(*set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-S", "-c", script], capture_output=True, text=True, check=True)
    ours = {name for name in done.stdout.split() if name.startswith("tracer")}
    assert ours == {"tracer", "tracer.version", "tracer.cli", "tracer.cli.main"}
    assert not {"typing", "re", "contextlib", "typer"} & set(done.stdout.split())


def test_a_mistake_of_ours_is_one_line_that_says_where() -> None:
    script = (
        "import sys, tracer.saved, tracer.cli.main as m\n"
        "sys.argv = ['tracer', 'models']\n"
        "import model.registry\n"
        "model.registry.MODELS = {'a': 7}\n"
        "m.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(
        r"tracer: AttributeError: .* \(in tracer/cli/models\.py:\d+\); this is a mistake in tracer[^\n]*\n", done.stderr
    )
    shown = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False,
        env={**os.environ, "TRACER_TRACEBACK": "1"},
    )  # fmt: skip
    assert "Traceback" in shown.stderr
