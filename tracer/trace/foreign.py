"""What files of other profilers are that are no Chrome trace: by their first bytes, or the keys of their JSON."""

from __future__ import annotations

import re

import msgspec

# An export of Nsight Systems in another form than the one that is read.
OF_NSIGHT = "nsys export --type sqlite makes the export that is read"
TORCH = "record with torch.profiler and export_chrome_trace"
_MAGIC = {
    b"\x89HDF\r\n\x1a\n": f"HDF5; if Nsight Systems exported it, {OF_NSIGHT}",
    b"PAR1": f"Parquet; if Nsight Systems exported it, {OF_NSIGHT}",
    b"ARROW1": f"Arrow; if Nsight Systems exported it, {OF_NSIGHT}",
    b"NVR\0": "a report of Nsight Compute, which has single kernels; record the run with Nsight Systems",
    b"\x80": f"a pickle, as a snapshot of torch's memory is; pickles are not read; {TORCH}",
}
# Perfetto's and XLA's begin with the tag of their first field, which is a line's end as well.
_PROTOBUF, _BINARY = b"\x0a", re.compile(rb"[\x00-\x08]")
# As a shell of Windows writes what is redirected into a file.
_UTF_16 = re.compile(rb"\xff\xfe[^\0]\0|\xfe\xff\0[^\0]|(?:[{\[]\0|\0[{\[])[^\0]?\0")
_OF_UTF_16 = "text in UTF-16; turn it into UTF-8, as by iconv -f UTF-16 -t UTF-8"
_OF_PROTOBUF = "binary, as Perfetto's own traces and XLA's xplane.pb are; export a Chrome trace (JSON)"
_KEYS = (
    (("summary_stats", "model_stats"), f"vLLM's layerwise profile, which has sums and no times; {TORCH}"),
    (("context", "prefill"), f"vLLM's layerwise profile, which has sums and no times; {TORCH}"),
    (("Layers", "Bindings"), "trtexec's information on the layers that TensorRT built; record them running"),
    (("device_traces", "segments"), f"a snapshot of torch's memory; {TORCH}, with profile_memory=True"),
    (("schema", "nodes"), f"an execution trace (torch's ExecutionTraceObserver, Chakra), which has no times; {TORCH}"),
    (("rocprofiler-sdk-tool",), f"results of rocprofv3; {TORCH}"),
    (("profiles", "shared"), "a profile for speedscope, of samples; it has no device work"),
    (("resourceSpans",), "spans of OpenTelemetry; they have no device work"),
    (("CudaEvent",), f"an export of Nsight Systems as JSON; {OF_NSIGHT}"),
    (("NvtxEvent",), f"an export of Nsight Systems as JSON; {OF_NSIGHT}"),
    (("TraceProcessEvent",), f"an export of Nsight Systems as JSON; {OF_NSIGHT}"),
)
# In an export by lines the first ones may be of something else.
MOST_LINES = 64


def of_bytes(head: bytes) -> str:
    """What a file is that begins so, and what to do; "" where that does not tell."""
    if head.startswith(_PROTOBUF) and _BINARY.search(head[:64]):
        return _OF_PROTOBUF
    if _UTF_16.match(head) is not None:
        return _OF_UTF_16
    return next((text for magic, text in _MAGIC.items() if head.startswith(magic)), "")


def of_json(data: bytes) -> str:
    """What JSON is that is no trace, and what to do; "" where its keys do not tell. Several documents are lines."""
    keys = _keys(data)
    if not keys:
        for line in data[: 1 << 16].splitlines()[:MOST_LINES]:
            keys |= _keys(line)
    return next((text for names, text in _KEYS if keys.issuperset(names)), "")


def _keys(data: bytes) -> set[str]:
    try:
        return set(msgspec.json.decode(data, type=dict[str, msgspec.Raw]))
    except (ValueError, RecursionError):
        return set()
