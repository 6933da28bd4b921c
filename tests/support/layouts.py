"""The same trace written again in other layouts; numbers keep their digits."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import Callable
from functools import lru_cache

import msgspec
import zstandard

Rewriter = Callable[[bytes], bytes]


def _parts(data: bytes) -> tuple[dict[str, msgspec.Raw], list[dict[str, msgspec.Raw]]]:
    keys = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
    events = msgspec.json.decode(keys.pop("traceEvents"), type=list[dict[str, msgspec.Raw]])
    return keys, events


def _object(keys: dict[str, msgspec.Raw]) -> bytes:
    return b"{" + b", ".join(_key(key) + bytes(value) for key, value in keys.items()) + b"}"


@lru_cache(1000)
def _key(key: str) -> bytes:
    """A key as it is written, with its colon."""
    return json.dumps(key).encode() + b": "


def _joined(keys: dict[str, msgspec.Raw], events: list[bytes], separator: bytes) -> bytes:
    return _object(keys | {"traceEvents": msgspec.Raw(b"[" + separator.join(events) + b"]")})


def one_line(data: bytes) -> bytes:
    return msgspec.json.format(data, indent=0)


def compact(data: bytes) -> bytes:
    return msgspec.json.format(data, indent=-1)


def indented(data: bytes) -> bytes:
    return msgspec.json.format(data, indent=4)


def event_per_line(data: bytes) -> bytes:
    keys, events = _parts(data)
    return _joined(keys, [msgspec.json.format(_object(event), indent=-1) for event in events], b",\n")


def sorted_keys(data: bytes) -> bytes:
    keys, events = _parts(data)
    return msgspec.json.format(
        _joined(keys, [_object(dict(sorted(event.items()))) for event in events], b","), indent=2
    )


def bare_list(data: bytes) -> bytes:
    _, events = _parts(data)
    return b"[" + b",\n".join(map(_object, events)) + b"]"


def metadata_behind(data: bytes) -> bytes:
    keys, events = _parts(data)
    listed = b"[" + b", ".join(map(_object, events)) + b"]"
    return msgspec.json.format(_object({"traceEvents": msgspec.Raw(listed)} | keys), indent=2)


def unit_first(data: bytes) -> bytes:
    keys, events = _parts(data)
    return _joined({"displayTimeUnit": msgspec.Raw(b'"ms"')} | keys, [_object(event) for event in events], b",")


def windows_lines(data: bytes) -> bytes:
    return b"\xef\xbb\xbf" + msgspec.json.format(data, indent=2).replace(b"\n", b"\r\n")


LAYOUTS: dict[str, Rewriter] = {
    "as it is": bytes,
    "one line": one_line,
    "compact": compact,
    "indented": indented,
    "an event a line": event_per_line,
    "sorted keys": sorted_keys,
    "a bare list": bare_list,
    "metadata behind": metadata_behind,
    "unit first": unit_first,
    "Windows lines": windows_lines,
}


def zipped(data: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("trace.json", data)
    return file.getvalue()


PACKINGS: dict[str, Rewriter] = {
    "gzip": lambda data: gzip.compress(data, 1),
    "two gzip members": lambda data: gzip.compress(data[:1000]) + gzip.compress(data[1000:], 1),
    "zstandard": zstandard.ZstdCompressor().compress,
    "zip": zipped,
}
