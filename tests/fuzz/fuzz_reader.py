"""Fuzz the reading of Chrome traces, guided by coverage; the laws are those of tests/support/laws.py.

    pip install atheris
    python tests/fuzz/fuzz_reader.py -max_total_time=3600 -rss_limit_mb=2048 -max_len=9000 FOLDER tests/data/corpus
    python tests/fuzz/fuzz_reader.py FILE

New inputs that reach further go into FOLDER. An input that breaks a law or eats memory ends the run and is written to
the current folder as `crash-...` or `oom-...`; one that hangs is left there as `fuzz_reader_input`. With a file alone
that is tried once. All options are libFuzzer's.
"""

from __future__ import annotations

import faulthandler
import gzip
import random
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import atheris

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

with atheris.instrument_imports(include=["tracer", "reports"]):
    from support.laws import check_file

from support.chrome import call, capture, document, kernel, launch, operator, span  # noqa: E402
from support.layouts import LAYOUTS, PACKINGS  # noqa: E402

HANG_S = 20
FOREVER_S = 1_000_000
NUMBERS = (
    b"0", b"-0", b"-1", b"1e3", b"1E-3", b"1.5e400", b"0.0005", b"9007199254740993.125", b"18446744073709551616",
    b"4611686018427387904", b"-9223372036854775808", b"1" * 400, b"1" * 5000, b"0." + b"1" * 5000, b"inf", b"-nan",
    b"NaN", b"1,5", b'"7"', b'"1_0"', b'" 7 "', '"\u0663"'.encode(), b'"stream 7"', b'""', b"null", b"true", b"[1]",
    b"{}", b"01", b"+1", b".5", b"1.", b"\xef\xbc\x97",
)  # fmt: skip
STRINGS = (
    b'"', b"\\", b'\\"', b"\\u0000", b"\\ud800", b"\\ud83d\\ude00", b"\xff", b"\x00", b"\n", b"\r\n", b"\x1b[2J",
    b"}", b"{", b"]", b"[", b",", b":", b" ", b"\t", b"}, {", b"}]", b"}],", b'}], "', b'"}, {"ph": "X"',
    b'"cat": "kernel"', b'"ph":', b"}\n  ]", b'"traceEvents": [', b"[" * 200, b'{"a":' * 100, b" " * 300,
    b"execute_context_1(8)_generation_0(0)", b"step[DECODE bs=1]", b"tracer/decode#1", b"tracer/request#0",
    b"tracer/prefill", b"tracer/decode#9999999999999999999", b"cudaStreamSynchronize",
)  # fmt: skip
KEYS = (
    b"ph", b"cat", b"name", b"pid", b"tid", b"ts", b"dur", b"args", b"id", b"correlation", b"device", b"stream",
    b"bytes", b"traceEvents", b"tracer", b"deviceProperties", b"cuda_runtime_version", b"distributedInfo",
)  # fmt: skip
CATEGORIES = (
    b"kernel", b"gpu_memcpy", b"Kernel", b"cuda_runtime", b"cuda_driver", b"user_annotation", b"cpu_op", b"Trace",
    b"ac2g", b"gpu_user_annotation", b"python_function", b"cuda_sync",
)  # fmt: skip
PHASES = (b"X", b"B", b"E", b"s", b"f", b"t", b"M", b"i", b"", b"C")


def seeds() -> list[bytes]:
    """A small trace with one of everything, in every layout, and the first events of real ones."""
    arrows = [
        {"ph": phase, "id": 3, "cat": "ac2g", "name": "ac2g", "pid": pid, "tid": tid, "ts": ts}
        for phase, pid, tid, ts in (("s", 100, 1, 50), ("f", 0, 7, 60))
    ]
    edges = [
        {"ph": phase, "cat": "user_annotation", "name": "b", "pid": 1, "tid": 1, "ts": ts}
        for phase, ts in (("B", 1), ("E", 9))
    ]
    events = [
        {"ph": "M", "name": "process_name", "pid": 1, "tid": 0, "args": {"name": "python"}}, capture(0, 900),
        span("tracer/request#0", 1, 800), span("tracer/prefill", 2, 100), span("tracer/decode#1", 110, 99),
        operator("aten::mm", 3, 9), launch(4, 2, 1), launch(111, 2, 2), call("cudaStreamSynchronize", 120, 40, 5),
        call("cudaLaunchKernel", 50, 1, 0), kernel("gemm<float, 4>(int)", 10, 20.125, 1),
        kernel("gemm", 130, 7, 2, stream=8), kernel("Memcpy DtoH", 140, 5, 3, cat="gpu_memcpy", args={"bytes": 64}),
        kernel("lost", 60, 3), *arrows,
    ]  # fmt: skip
    whole = document(*events, deviceProperties=[{"id": 0, "name": "GPU"}], cuda_runtime_version=12090, traceName="x")
    made = [rewrite(data) for data in (whole, document(*events, *edges)) for rewrite in LAYOUTS.values()]
    real = [gzip.decompress(path.read_bytes()) for path in sorted((ROOT / "tests/data").glob("kineto_*.json.gz"))]
    return [*made, *(head for data in real if (head := data[: data.rfind(b"}", 0, 12_000) + 1]))]


SEEDS = seeds()


def mutate(data: bytes, max_size: int, seed: int) -> bytes:
    """Change a trace in a way that a profiler, a tool, a disk or an enemy might."""
    random.seed(seed)
    if data.startswith(b"\x1f\x8b") and random.random() < 0.7:
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error):
            return bytes(atheris.Mutate(data, max_size))
    for _ in range(random.choice((1, 1, 2, 3, 8))):
        data = random.choice(MUTATIONS)(data)
    if random.random() < 0.06:
        data = random.choice(tuple(PACKINGS.values()))(data)
        data = random.choice((bytes, _flip, _cut, _flip))(data)
    return bytes(atheris.Mutate(data, max_size)) if random.random() < 0.1 else data[:max_size]


def _flip(data: bytes) -> bytes:
    changed = bytearray(data or b"0")
    for _ in range(random.choice((1, 1, 1, 4))):
        changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


def _cut(data: bytes) -> bytes:
    return data[: random.randrange(len(data) + 1)]


def _replace(data: bytes, start: int, end: int, piece: bytes) -> bytes:
    return data[:start] + piece + data[end:]


def _token(data: bytes, kinds: tuple[bytes, ...], pieces: tuple[bytes, ...]) -> bytes:
    """Replace one of the tokens that begin behind such a byte."""
    places = [place for place, byte in enumerate(data) if data[place : place + 1] in kinds]
    if not places:
        return data + random.choice(pieces)
    start = end = random.choice(places)
    while (end < len(data) and data[end : end + 1] not in (b",", b"}", b"]", b"\n", b'"')) or end == start:
        end += 1
    return _replace(data, start, end, random.choice(pieces))


def _number(data: bytes) -> bytes:
    return _token(data, tuple(b"%d" % digit for digit in range(10)), NUMBERS)


def _insert(data: bytes) -> bytes:
    place = random.randrange(len(data) + 1)
    return _replace(data, place, place, random.choice(random.choice((STRINGS, NUMBERS, KEYS, CATEGORIES))))


def _delete(data: bytes) -> bytes:
    start = random.randrange(len(data) + 1)
    return _replace(data, start, start + random.choice((1, 1, 2, 9, 300)), b"")


def _value_of(key_choices: tuple[bytes, ...], values: tuple[bytes, ...]) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        key = b'"' + random.choice(key_choices) + b'":'
        places = [place for place in range(len(data)) if data.startswith(key, place)]
        if not places:
            return data
        start = random.choice(places) + len(key)
        ends = [end for end in (data.find(stop, start + 2) for stop in (b",", b"}", b"\n")) if end > 0]
        value = random.choice(values)
        return _replace(data, start, min(ends, default=len(data)), b" " + value)

    return change


def _quoted(values: tuple[bytes, ...]) -> tuple[bytes, ...]:
    return tuple(b'"' + value + b'"' for value in values)


def _events(data: bytes) -> bytes:
    """Double, drop, move or borrow whole events, or pieces that look like some."""
    other = random.choice((data, random.choice(SEEDS)))
    starts = [
        place for place in range(len(other)) if other.startswith(b'{"ph"', place) or other.startswith(b'"ph"', place)
    ]
    if not starts:
        return data
    start = random.choice(starts)
    end = other.find(b"}", start + random.choice((1, 60, 250))) + 1
    piece = other[start : end or None] + random.choice((b",", b", ", b",\n", b"\n", b""))
    place = data.find(b"{", random.randrange(len(data) + 1))
    place = len(data) if place < 0 else place
    return _replace(data, place, place + random.choice((0, 0, len(piece))), piece * random.choice((1, 1, 1, 2, 20)))


def _splice(data: bytes) -> bytes:
    other = random.choice(SEEDS)
    return data[: random.randrange(len(data) + 1)] + other[random.randrange(len(other)) :]


def _layout(data: bytes) -> bytes:
    try:
        return random.choice(tuple(LAYOUTS.values()))(data)
    except Exception:
        return data


def _fresh(_: bytes) -> bytes:
    return random.choice(SEEDS)


MUTATIONS: tuple[Callable[[bytes], bytes], ...] = (
    _flip, _cut, _number, _number, _number, _insert, _insert, _delete, _events, _events, _splice, _layout, _fresh,
    _value_of(KEYS, NUMBERS), _value_of((b"ts", b"dur"), NUMBERS), _value_of((b"cat",), _quoted(CATEGORIES)),
    _value_of((b"ph",), _quoted(PHASES)), _value_of((b"name",), _quoted(STRINGS)), _value_of(KEYS, _quoted(STRINGS)),
)  # fmt: skip


def main() -> None:
    path = Path("fuzz_reader_input")

    def check(data: bytes) -> None:
        path.write_bytes(data)
        # libFuzzer's own alarm cannot interrupt a regular expression.
        faulthandler.dump_traceback_later(HANG_S, exit=True)
        check_file(path)
        faulthandler.cancel_dump_traceback_later()

    atheris.Setup([*sys.argv, f"-timeout={FOREVER_S}"], check, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
