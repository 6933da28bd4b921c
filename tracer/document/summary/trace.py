"""The file, and the window of its work."""

from __future__ import annotations

import msgspec

TOKENS, PASSES = "tokens", "passes"


class DeviceRef(msgspec.Struct, frozen=True, kw_only=True):
    """A device that the trace describes or uses.

    Attributes:
        id, name: as the trace has them.
        memory_bandwidth: peak bytes a second, where the trace says it.
        multiprocessors: their number, likewise.
    """

    id: int
    name: str
    memory_bandwidth: int | None = None
    multiprocessors: int | None = None


class TraceInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The file.

    Attributes:
        path: as given.
        format: "chrome" or "nsight".
        producer: what wrote it.
        events: events in the file.
        devices: those that ran something, or all that are described if none did.
        markers: whose ranges gave the stages: "tracer", "vllm", "sglang", "atom", "trtllm", "generation" (frames of
            transformers' `generate`), "modules", "pattern", "inferred" (from what repeats) or "none".
        warnings: what was read around.
        steps: "tokens" where a decode step yields one token of each sequence; "passes" where it is a forward pass,
            which may yield none or several, and so nothing is said of the time per token.
        choices: options that changed the attribution or the times, in words.
        confidence: from 0 to 1, that inferred stages are some at all; None of others.
        versions: of the driver and the device's runtime, as the file says them: "driver", "cuda_driver", "cuda".
        host: name of the machine; "" where the file does not say it.
        began_ns: when the first work began, since 1970 (UTC); None where nothing tells.
    """

    path: str
    format: str
    producer: str
    events: int
    devices: list[DeviceRef]
    markers: str
    warnings: list[str] = []
    choices: list[str] = []
    steps: str = TOKENS
    confidence: float | None = None
    versions: dict[str, str] = {}
    host: str = ""
    began_ns: int | None = None


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """First start and last end of all work, on the trace's clock."""

    start_ns: int
    end_ns: int
