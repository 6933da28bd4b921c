from __future__ import annotations

import pytest

from tracer.trace.api import synchronises


@pytest.mark.parametrize(
    "name",
    [
        "cudaStreamSynchronize",
        "cudaDeviceSynchronize",
        "cudaEventSynchronize",
        "cuStreamSynchronize",
        "cuCtxSynchronize",
        "hipDeviceSynchronize",
        "hipEventSynchronize",
        "cudaMemcpy",
        "cudaMemcpy2D",
        "cuMemcpyDtoH_v2",
        "hipMemcpyWithStream",
        "cudaStreamSynchronize_ptsz",
    ],
)
def test_knows_the_calls_that_wait(name: str) -> None:
    assert synchronises(name)


@pytest.mark.parametrize(
    "name",
    [
        "cudaMemcpyAsync",
        "cudaMemcpy2DAsync",
        "cuMemcpyDtoHAsync_v2",
        "cudaMemcpyPeerAsync",
        "cudaLaunchKernel",
        "hipMemcpyAsync",
        "cudaStreamWaitEvent",
        "cudaEventQuery",
        "mySynchronize",
    ],
)
def test_leaves_the_others_alone(name: str) -> None:
    assert not synchronises(name)
