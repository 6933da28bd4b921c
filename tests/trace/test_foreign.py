"""Files of other profilers that are no Chrome trace are called by what they are."""

from __future__ import annotations

import json

import pytest
from support.chrome import document, kernel, read_bytes

from tracer.document.errors import InputError
from tracer.trace.foreign import of_bytes, of_json

FILES = {
    "layerwise profile": json.dumps({"metadata": {}, "summary_stats": [], "model_stats": []}).encode(),
    "snapshot of torch's memory": json.dumps({"segments": [], "device_traces": []}).encode(),
    "execution trace": json.dumps({"schema": "1.1.0-chakra.0.0.4", "pid": 1, "nodes": []}).encode(),
    "rocprofv3": json.dumps({"rocprofiler-sdk-tool": []}).encode(),
    "speedscope": json.dumps({"$schema": "x", "profiles": [], "shared": {}}).encode(),
    "Nsight Systems": b'{"Type": 1, "id": "0"}\n{"CudaEvent": {"startNs": "1"}, "Type": 79}\n',
    "HDF5": b"\x89HDF\r\n\x1a\n" + bytes(64),
    "Parquet": b"PAR1" + bytes(64),
    "Nsight Compute": b"NVR\0" + bytes(64),
    "a pickle": b"\x80\x04\x95" + bytes(64),
    "UTF-16": '{"traceEvents": []}'.encode("utf-16"),
    "UTF-8": "[]".encode("utf-16-be"),
    "xplane.pb": b"\x0a\x0c\x01binary" + bytes(64),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_another_profiler_is_refused_by_its_name_and_with_what_to_do(name: str) -> None:
    with pytest.raises(InputError, match=r"not a (?:Chrome )?trace \(") as refused:
        read_bytes(FILES[name])
    assert name in str(refused.value)
    assert ";" in str(refused.value)


@pytest.mark.parametrize("text", [b"hello", b"\n\nhello", b"[1, 2]", b'{"a": 1}', b'{"nodes": []}', b"\xff\xfe"])
def test_of_what_nothing_tells_nothing_is_said(text: bytes) -> None:
    assert (of_bytes(text), of_json(text)) == ("", "")


def test_a_trace_that_has_such_keys_beside_its_events_is_read() -> None:
    keys = {"profiles": [], "shared": {}, "nodes": [], "schema": 1, "segments": [], "device_traces": []}
    assert len(read_bytes(document(kernel("k", 1, 2, 3), **keys)).ops) == 1
