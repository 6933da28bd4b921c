from __future__ import annotations

import pytest
from support.chrome import Event, call, kernel
from support.findings import found, steps

from tracer.findings.host_to_device_copies_in_decode import FINDING

ID = FINDING.id
TO_DEVICE, TO_HOST = "Memcpy HtoD (Pinned -> Device)", "Memcpy DtoH (Device -> Pinned)"


def _copies(name: str, every: int, count: int = 12) -> list[Event]:
    def copy(k: int, at: float) -> list[Event]:
        if k % every:
            return []
        number = 1000 + k
        copied = kernel(name, at + 96, 1, number, cat="gpu_memcpy", args={"bytes": 64})
        return [call("cudaMemcpyAsync", at + 3, 1, number), copied]

    return steps(more=copy, count=count)


def test_copies_to_the_device_in_each_step() -> None:
    finding = found(ID, *_copies(TO_DEVICE, every=1))
    assert finding is not None
    assert finding.message.endswith("copies 64 bytes from the host to the device")
    assert found(ID, *_copies(TO_HOST, every=1)) is None
    assert found(ID, *_copies(TO_DEVICE, every=4)) is None


@pytest.mark.parametrize(("count", "raised"), [(2, False), (3, True)])
def test_two_steps_are_too_few_to_speak_of_each(count: int, raised: bool) -> None:
    assert (found(ID, *_copies(TO_DEVICE, every=1, count=count)) is not None) == raised


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("Memcpy HtoD (Pageable -> Device)", True),
        ("Memcpy M2D (MEMORY(Unknown) -> DEVICE)", True),
        ("Memcpy H2D (HOST -> DEVICE)", False),
        ("Memcpy HtoD (Host -> Device)", False),
    ],
)
def test_memory_that_is_known_not_to_be_pinned_is_called_so(name: str, told: bool) -> None:
    finding = found(ID, *_copies(name, every=1))
    assert finding is not None
    assert finding.message.endswith(", of memory that is not pinned") is told
    assert ("pin_memory" in finding.next_step) is told
