"""Fuzz what else comes from others, guided by coverage: manifests, event files, Nsight exports, and names.

    pip install atheris
    python tests/fuzz/fuzz_inputs.py -max_total_time=3600 -rss_limit_mb=2048 -max_len=20000 FOLDER
    python tests/fuzz/fuzz_inputs.py FILE

The first byte of an input says which of the four the rest is. The laws are those of tests/support/input_laws.py; the
options are libFuzzer's, as for fuzz_reader.py beside it, where an input that breaks a law is explained.
"""

from __future__ import annotations

import faulthandler
import io
import json
import pickle
import random
import sqlite3
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import atheris

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

with atheris.instrument_imports(include=["tracer", "reports", "model"]):
    from support.input_laws import CHECKS, check_input

import numpy as np  # noqa: E402
from support import manifests  # noqa: E402
from support.nsight import Export  # noqa: E402

HANG_S = 60
FOREVER_S = 1_000_000
MANIFEST, EVENTS, EXPORT, NAME = CHECKS
VALUES: tuple[Any, ...] = (
    0, 1, -1, 2, 3, 1 << 31, 1 << 53, (1 << 53) + 1, (1 << 63) - 1, 1 << 63, 1 << 64, -(1 << 63), 10**30, 10**400,
    0.0, -0.0, 1e-320, 1e308, -1e308, 0.5, True, False, None, "", "x", "\x1b]0;x\x07", "\u202e\u2066", "\u009b31m",
    "\ud800", "[bold]x[/]", "a" * 5000, "tracer.manifest/1", "cuda", "cpu", "eager", "graph", "static", "passed",
    "differs", "vision", "prefill", "decode", "load", "NVIDIA H100 80GB HBM3", [], {}, [[]], [0], ["vision"],
    {"vision": "x"}, [1] * 300,
)  # fmt: skip
PIECES = (
    "\x1b[2J", "\x1b]8;;http://x\x07", "\x07", "\x00", "\r", "\n", "\t", "\u0085", "\u2028", "\u202e", "\u2066",
    "\u200b", "\u009b", "\ufeff", "\ud83d\ude00", "[bold]", "[/]", "|", "`", "<b>", "&amp;", "https://x", "www.x.y",
    "_", "*", "\\", "tracer/decode#1", "tracer/request#0", "step[DECODE bs=1]", "step[EXTEND bs=1 toks=9]",
    "execute_context_1(8)_generation_0(0)", "cudaLaunchKernel", "cudaStreamSynchronize", "Launch", "Memcpy",
    "Synchronize", "HostFunc", "GraphLaunch", "LlamaDecoderLayer_0", "ViT", "Projector", "Adaptor", "CLIPVision",
    "void ", "(anonymous namespace)::", "<", ">", "(", ")", "::", "_ZN2at6native", "9999999999", "triton_", "gemm",
    "cutlass", "at::native::", "/site-packages/", "x.py(3): f", "<built-in method item", "nn.Module: ", "aten::mm",
    "ncclDevKernel", " ",
)  # fmt: skip
CELLS: tuple[Any, ...] = (
    None, 0, 1, -1, 2, 59, 60, 34, 75, 1 << 24, 1 << 48, 1 << 60, (1 << 63) - 1, -(1 << 63), 0.5, 1e308, "", "x", "7",
    " 7 ", "1e3", "\x1b[2J", "tracer", "tracer/prefill", "tracer/request#0", "tracer/decode#1", "tracer/manifest {}",
    b"", b"\xff\x00", "a" * 3000,
)  # fmt: skip
OPCODES = (
    b"cnumpy\nndarray\n", b"cnumpy\ndtype\n", b"cnumpy.core.multiarray\n_reconstruct\n",
    b"cnumpy.core.multiarray\nscalar\n", b"cnumpy._core.numeric\n_frombuffer\n", b"c_codecs\nencode\n",
    b"cos\nsystem\n", b"R", b"b", b".", b"(", b"t", b"l", b"d", b"0", b"\x81", b"\x85", b"\x86", b"\x87", b"\x88",
    b"\x89", b"\x93", b"\x94", b"K\x01", b"M\xff\xff", b"J\xff\xff\xff\x7f",
    b"\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f", b"C\x01\x00", b"\x8c\x02u1", b"\x8c\x01O", b"h\x00", b"h\x05", b"N",
)  # fmt: skip


def seeds() -> list[bytes]:
    """One good input of each kind, or some."""
    cost = {"flops": 10**9, "weight_bytes": 100, "kv_bytes": 10}
    good = manifests.as_metadata(
        [manifests.latencies(sample=number % 2) for number in range(5)], profiled=[manifests.latencies()],
        cost={"vision": cost, "prefill": cost, "decode": [cost] * 2},
        samples=[manifests.sample("a"), manifests.sample("b", batch_size=2)],
    )  # fmt: skip
    found = [MANIFEST + json.dumps(good).encode()]
    columns = {key: np.arange(9, dtype=kind) for key, kind in (("x", "u2"), ("y", "u2"), ("p", "u1"), ("t", "i8"))}
    for protocol in (2, 4):
        file = io.BytesIO()
        np.lib.format.write_array_header_1_0(file, {"descr": "|O", "fortran_order": False, "shape": ()})
        found.append(EVENTS + file.getvalue() + pickle.dumps(np.array(columns), protocol=protocol))
    table = np.zeros(9, dtype=[(key, column.dtype) for key, column in columns.items()])
    for save in (lambda file: np.save(file, table), lambda file: np.savez_compressed(file, **columns)):
        file = io.BytesIO()
        save(file)
        found.append(EVENTS + file.getvalue())
    found += [NAME + text.encode() for text in ("gemm", "\x1b[2J", "void at::native::k<float>(int)")]
    return [*found, EXPORT + _export()]


def _export() -> bytes:
    export = Export().kernel("gemm", 10, 20, 1).kernel("b", 30, 40, 2, contextId=2).copy(50, 60, 3).fill(70, 80, 4)
    export.call(1, 2, 1).call(3, 4, 2, "cudaMemcpyAsync_v3020").call(5, 90, 9, "cudaStreamSynchronize_v3020").graph(
        81, 85, 5
    )
    export.span("tracer/request#0", 0, 95).span("tracer/prefill", 0, 45).span("a" * 900, 46, None)
    export.nvtx(75, 0, None, "tracer", domainId=3).nvtx(34, 5, None, "tracer/manifest {}", domainId=3)
    export.row("TARGET_INFO_GPU", id=0, cuDevice=0, name="GPU", memoryBandwidth=10**12, smCount=132)
    with tempfile.TemporaryDirectory() as folder, sqlite3.connect(export.write(Path(folder, "x.sqlite"))) as connection:
        connection.execute("PRAGMA page_size = 512")
        connection.commit()
        connection.execute("VACUUM")
        return connection.serialize()


SEEDS = seeds()


def mutate(data: bytes, max_size: int, seed: int) -> bytes:
    """Change an input of any kind in a way of its own, or byte by byte."""
    random.seed(seed)
    if data[:1] not in CHECKS or random.random() < 0.02:
        data = random.choice(SEEDS)
    kind, rest = data[:1], data[1:]
    for _ in range(random.choice((1, 1, 2, 3, 6))):
        rest = random.choice(MUTATIONS[kind])(rest)
    return (kind + rest)[:max_size]


def _bytes(data: bytes) -> bytes:
    changed = bytearray(data or b"0")
    for _ in range(random.choice((1, 1, 2, 8))):
        changed[random.randrange(len(changed))] = random.choice((0, 1, 5, 13, 127, 128, 255, random.randrange(256)))
    return bytes(changed)


def _cut(data: bytes) -> bytes:
    return data[: random.randrange(len(data) + 1)]


def _guided(data: bytes) -> bytes:
    return bytes(atheris.Mutate(data, len(data) + 64)) if data else b"0"


def _json(data: bytes) -> bytes:
    """Change a value, a key or a list somewhere in a document."""
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        return SEEDS[0][1:]
    places: list[tuple[Any, Any]] = []
    waiting = [content]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict | list):
            keys = list(value) if isinstance(value, dict) else list(range(min(len(value), 9)))
            places += [(value, key) for key in keys]
            waiting += [value[key] for key in keys]
    if not places:
        return SEEDS[0][1:]
    holder, key = random.choice(places)
    how = random.random()
    if how < 0.6:
        holder[key] = random.choice(VALUES)
    elif how < 0.75:
        del holder[key]
    elif isinstance(holder, list):
        holder += holder[: random.choice((1, 3, 50))]
    else:
        holder[random.choice(("x", "samples", "cost", "name", "missing_stages", "decode"))] = random.choice(VALUES)
    return json.dumps(content).encode()


def _insert(pieces: tuple[bytes, ...]) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        place = random.randrange(len(data) + 1)
        keep = random.choice((place, place, place + 1, place + 8))
        return data[:place] + random.choice(pieces) * random.choice((1, 1, 1, 2, 40)) + data[keep:]

    return change


def _cell(data: bytes) -> bytes:
    """Change a database as SQLite itself would."""
    connection = sqlite3.connect(":memory:")
    try:
        connection.deserialize(data)
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        table = random.choice(tables)
        column = random.choice([row[1] for row in connection.execute(f'PRAGMA table_info("{table}")')])
        how = random.choice((
            'UPDATE "{0}" SET "{1}" = ? WHERE abs(random()) % 2', 'UPDATE "{0}" SET "{1}" = ?',
            'DELETE FROM "{0}" WHERE ? OR 1', 'INSERT INTO "{0}" ("{1}") VALUES (?)',
            'INSERT INTO "{0}" SELECT * FROM "{0}" WHERE rowid > ?',
        ))  # fmt: skip
        connection.execute(how.format(table, column), (random.choice(CELLS),))
        connection.commit()
        if random.random() < 0.1:
            connection.execute(f'ALTER TABLE "{table}" DROP COLUMN "{column}"')
        return connection.serialize()
    except Exception:  # of what was mutated before, SQLite raises nearly anything
        return _bytes(data)
    finally:
        connection.close()


def _page(data: bytes) -> bytes:
    """Put a page, or a piece of one, in the place of another."""
    size = 512
    source, target = (random.randrange(max(1, len(data) // size)) * size for _ in range(2))
    length = random.choice((size, 8, 4, 40))
    offset = random.choice((0, 0, random.randrange(size)))
    return data[: target + offset] + data[source + offset : source + offset + length] + data[target + offset + length :]


MUTATIONS: dict[bytes, tuple[Callable[[bytes], bytes], ...]] = {
    MANIFEST: (_json, _json, _json, _json, _bytes, _cut, _guided),
    EVENTS: (_insert(OPCODES), _insert(OPCODES), _bytes, _bytes, _cut, _guided),
    EXPORT: (_cell, _cell, _cell, _page, _bytes, _bytes, _cut, _guided),
    NAME: (_insert(tuple(piece.encode("utf-8", "surrogatepass") for piece in PIECES)), _bytes, _cut, _guided),
}


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    last = Path("fuzz_inputs_input")

    def check(data: bytes) -> None:
        last.write_bytes(data)
        # libFuzzer's own alarm cannot interrupt a regular expression.
        faulthandler.dump_traceback_later(HANG_S, exit=True)
        check_input(data, folder)
        faulthandler.cancel_dump_traceback_later()

    folders = [Path(argument) for argument in sys.argv[1:] if Path(argument).is_dir()]
    for number, data in enumerate(SEEDS if folders else ()):
        (folders[0] / f"seed-{number}").write_bytes(data)
    atheris.Setup([*sys.argv, f"-timeout={FOREVER_S}"], check, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
