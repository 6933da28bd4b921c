"""Reading a Chrome trace as one JSON document, whatever its layout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from tracer import manifest as manifests
from tracer.errors import InputError
from tracer.trace.chrome.builder import Builder
from tracer.trace.chrome.events import NOTHING, Event
from tracer.trace.columns import Device, Trace, Want

if TYPE_CHECKING:
    from tracer.manifest import Manifest


class _Document(msgspec.Struct, rename={"events": "traceEvents", "manifest": manifests.KEY}):
    events: list[Event]
    manifest: msgspec.Raw = NOTHING
    deviceProperties: msgspec.Raw = NOTHING  # noqa: N815 -- the JSON's own names
    cuda_runtime_version: msgspec.Raw = NOTHING
    hip_runtime_version: msgspec.Raw = NOTHING


class _DeviceProperties(msgspec.Struct):
    id: int
    name: str = ""


def read_document(path: str, data: bytes, want: Want) -> Trace:
    """Read a Chrome trace, an object with `traceEvents` or a bare list of events.

    Raises:
        InputError: the bytes are not JSON, or not a Chrome trace.
    """
    document = _decode(path, data)
    builder = Builder(want)
    builder.add(document.events)
    manifest = manifests.decode(document.manifest) if bytes(document.manifest) else None
    warnings = builder.warnings()
    if bytes(document.manifest) and manifest is None:
        warnings.append("its manifest is of an unknown version and was ignored")
    return Trace(
        path=path,
        format="chrome",
        producer=_producer(document, manifest),
        events=builder.events,
        strings=builder.strings,
        threads=builder.threads,
        devices=_devices(document.deviceProperties),
        ops=builder.ops(),
        calls=builder.calls(),
        ranges=builder.ranges(),
        cpu_ops=builder.cpu_ops(),
        captures=builder.captures(),
        manifest=manifest,
        warnings=warnings,
    )


def _decode(path: str, data: bytes) -> _Document:
    head = data[:64].lstrip()
    try:
        if head.startswith(b"["):
            return _Document(events=msgspec.json.decode(data, type=list[Event]))
        return msgspec.json.decode(data, type=_Document)
    except msgspec.ValidationError as error:
        raise InputError(f"{path}: JSON, but not a Chrome trace ({error})") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not JSON ({error})") from None
    except RecursionError:
        raise InputError(f"{path}: nested too deeply for a trace") from None


def _devices(properties: msgspec.Raw) -> list[Device]:
    try:
        found = msgspec.json.decode(properties, type=list[_DeviceProperties])
    except msgspec.MsgspecError:
        return []
    return [Device(device.id, device.name) for device in found]


def _producer(document: _Document, manifest: Manifest | None) -> str:
    if manifest is not None:
        return f"tracer {manifest.version} (torch {manifest.software.get('torch', '?')})"
    if bytes(document.hip_runtime_version):
        return "torch.profiler (HIP)"
    if bytes(document.cuda_runtime_version):
        return f"torch.profiler (CUDA {_cuda_version(document.cuda_runtime_version)})"
    return "torch.profiler" if bytes(document.deviceProperties) else "unknown"


def _cuda_version(raw: msgspec.Raw) -> str:
    """12090 means 12.9."""
    value: Any = msgspec.json.decode(raw)
    return f"{value // 1000}.{value % 1000 // 10}" if isinstance(value, int) else "?"
