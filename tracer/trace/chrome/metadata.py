"""What a Chrome trace says about itself, before and behind its events."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Annotated

import msgspec

from tracer.document import manifest as manifests
from tracer.document.bounds import Number
from tracer.document.manifest import Manifest
from tracer.trace import part as parts
from tracer.trace.chrome import merged
from tracer.trace.chrome.communication import distributed
from tracer.trace.chrome.events import UNREADABLE, end_of_value, escaped
from tracer.trace.collectives import Distributed
from tracer.trace.columns import Device
from tracer.trace.names import cut
from tracer.trace.origin import Origin, dotted
from tracer.trace.part import Part


class _Keys(msgspec.Struct, rename={"manifest": manifests.KEY, "part": parts.KEY, "merged": merged.KEY}):
    manifest: msgspec.Raw = msgspec.Raw(b"")
    part: msgspec.Raw = msgspec.Raw(b"")
    merged: msgspec.Raw = msgspec.Raw(b"")
    deviceProperties: msgspec.Raw = msgspec.Raw(b"")  # noqa: N815 -- the JSON's own names
    distributedInfo: msgspec.Raw = msgspec.Raw(b"")  # noqa: N815
    baseTimeNanoseconds: msgspec.Raw = msgspec.Raw(b"")  # noqa: N815
    host_name: msgspec.Raw = msgspec.Raw(b"")
    cuda_runtime_version: msgspec.Raw = msgspec.Raw(b"")
    cuda_driver_version: msgspec.Raw = msgspec.Raw(b"")
    hip_runtime_version: msgspec.Raw = msgspec.Raw(b"")
    with_stack: msgspec.Raw = msgspec.Raw(b"")
    with_modules: msgspec.Raw = msgspec.Raw(b"")
    profile_memory: msgspec.Raw = msgspec.Raw(b"")
    schemaVersion: msgspec.Raw = msgspec.Raw(b"")  # noqa: N815
    span_indx: msgspec.Raw = msgspec.Raw(b"")


# PaddlePaddle's profiler writes these too, and a key of its own (`span_indx`).
_KINETOS = ("manifest", "deviceProperties", "distributedInfo", "schemaVersion")


class _DeviceProperties(msgspec.Struct):
    id: Number
    name: str = ""
    multiprocessors: msgspec.Raw = msgspec.field(default=msgspec.Raw(b""), name="numSms")


@dataclass(frozen=True, slots=True)
class Metadata:
    """The metadata that reports show; `kinetos`: whether it is such as torch.profiler writes."""

    producer: str = "unknown"
    kinetos: bool = False
    devices: list[Device] = field(default_factory=list)
    manifest: Manifest | None = None
    stacks: bool = False
    memory: bool = False
    part: Part | None = None
    distributed: Distributed | None = None
    origin: Origin = field(default_factory=Origin)
    warnings: list[str] = field(default_factory=list)


def read_metadata(*documents: bytes) -> Metadata:
    """Read the metadata of JSON objects; the first that has a key counts. Damaged ones are passed over."""
    found = [keys for document in documents if (keys := _decode(document)) is not None]

    def first(key: str) -> msgspec.Raw:
        return next((value for keys in found if bytes(value := getattr(keys, key))), msgspec.Raw(b""))

    raw = first("manifest")
    manifest = manifests.read(raw) if bytes(raw) else None
    warnings = []
    if isinstance(manifest, str):
        warnings.append(f"its manifest was ignored: {manifest}")
        manifest = None
    part = parts.read(raw_part) if bytes(raw_part := first("part")) else None
    if isinstance(part, str):
        warnings.append(f"that it is a part of another trace was ignored: {part}")
        part = None
    elif part is not None:
        warnings.append(f"a part of a trace: {part.of}; totals are of this part and of what ran beside it")
    ranked = distributed(
        bytes(first("distributedInfo")), bytes(first("baseTimeNanoseconds")), bytes(first("host_name"))
    )
    if bytes(joined := first("merged")):
        warnings += merged.said(bytes(joined))
    kinetos = any(bytes(first(key)) for key in _KINETOS) and not bytes(first("span_indx"))
    return Metadata(
        producer=_producer(manifest, first("cuda_runtime_version"), first("hip_runtime_version"), kinetos=kinetos),
        kinetos=kinetos,
        devices=_devices(first("deviceProperties")),
        manifest=manifest,
        part=part,
        distributed=ranked,
        origin=Origin(
            base_ns=ranked.base_ns or None,
            versions=_versions(cuda=first("cuda_runtime_version"), cuda_driver=first("cuda_driver_version")),
        ),
        stacks=any(_stacked(keys) for keys in found),
        memory=any(_on(keys.profile_memory) for keys in found),
        warnings=warnings,
    )


def without_marks(document: bytes) -> bool:
    """Whether metadata says that stacks were recorded, and is not of a recording of ours, which has marks."""
    keys = _decode(document)
    return keys is not None and _stacked(keys) and not bytes(keys.manifest)


def _stacked(keys: _Keys) -> bool:
    return any(_on(key) for key in (keys.with_stack, keys.with_modules))


def _on(key: msgspec.Raw) -> bool:
    return bytes(key) not in (b"", b"0", b"false")


def _decode(document: bytes) -> _Keys | None:
    try:
        return msgspec.json.decode(document, type=_Keys)
    except UNREADABLE:
        return _picked_out(document)


def _picked_out(document: bytes) -> _Keys | None:
    """The keys of a text that is no JSON as a whole, each value by itself; None where it has none of them."""
    document = escaped(document)
    found = {}
    for field_ in msgspec.structs.fields(_Keys):
        key = re.search(rb'"' + field_.encode_name.encode() + rb'"\s*:\s*', document)
        value = b"" if key is None else document[key.end() :]
        end = end_of_value(value)
        if end is not None:
            found[field_.name] = msgspec.Raw(value[:end])
    return _Keys(**found) if found else None


def _devices(properties: msgspec.Raw) -> list[Device]:
    try:
        found = msgspec.json.decode(properties, type=list[_DeviceProperties])
    except UNREADABLE:
        return []
    return [Device(device.id, cut(device.name), multiprocessors=_count(device.multiprocessors)) for device in found]


def _count(raw: msgspec.Raw) -> int | None:
    """A number above 0 that a device may have of anything; None of what is none."""
    try:
        found: int = msgspec.json.decode(raw, type=Annotated[int, msgspec.Meta(gt=0, lt=1 << 20)])
    except UNREADABLE:
        return None
    return found


def _producer(manifest: Manifest | None, cuda: msgspec.Raw, hip: msgspec.Raw, *, kinetos: bool) -> str:
    if manifest is not None:
        return f"tracer {manifest.version} (torch {manifest.software.get('torch', '?')})"
    if bytes(hip):
        return "torch.profiler (HIP)"
    if bytes(cuda):
        return f"torch.profiler (CUDA {_cuda_version(cuda)})"
    return "torch.profiler" if kinetos else "unknown"


def _cuda_version(raw: msgspec.Raw) -> str:
    return dotted(bytes(raw).decode("ascii", "replace")) or "?"


def _versions(**numbers: msgspec.Raw) -> dict[str, str]:
    """Those that the file says, by name."""
    found = {name: _cuda_version(raw) for name, raw in numbers.items() if bytes(raw)}
    return {name: version for name, version in found.items() if version != "?"}
