from __future__ import annotations

import pytest

from tracer.trace.api import launches, launches_graph, moves_bytes, starts_work, synchronises


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
        "cudaFree",
        "cudaFreeHost",
        "cuMemFree_v2",
        "cuMemFreeHost",
        "hipFree",
        "hipHostFree",
        "urQueueFinish",
        "urEventWait",
        "piEventsWait",
        "zeCommandListHostSynchronize",
        "zeEventHostSynchronize",
        "musaStreamSynchronize",
        "aclrtSynchronizeStream",
        "orDeviceSynchronize",
        "mcMemcpy",
        "synchronizeStream",
        "device_synchronize",
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
        "cudaFreeAsync",
        "cuMemFreeAsync_ptsz",
        "hipFreeAsync",
        "cudaMalloc",
        "cuMemFreed",
        "mySynchronize",
        "mcMemcpyAsync",
        "orient",
        "synchronize streams",
        "urEnqueueEventsWait",
        "urEnqueueEventsWaitWithBarrierExt",
        "urEnqueueUSMMemcpy",
        "zeCommandListAppendWaitOnEvents",
        "aten::synchronize",
    ],
)
def test_leaves_the_others_alone(name: str) -> None:
    assert not synchronises(name)


@pytest.mark.parametrize(
    "name",
    [
        "cudaLaunchKernel",
        "cudaLaunchKernelExC_v11060",
        "cuLaunchKernelEx",
        "hipModuleLaunchKernel",
        "hipGraphLaunch",
        "urEnqueueKernelLaunchWithArgsExp",
        "piEnqueueKernelLaunch",
        "launchKernel",
        "LaunchKernelWithHandle",
        "zeCommandListAppendLaunchKernelWithArguments",
        "runFunction - job_prep_and_submit_for_execution",
        "aiuLaunchControlBlocks",
        "orLaunchKernel",
        "mcGraphLaunch",
    ],
)
def test_knows_the_calls_that_start_kernels(name: str) -> None:
    assert launches(name)


@pytest.mark.parametrize(
    "name",
    ["cudaLaunchHostFunc", "cuLaunchHostFunc", "cudaMemcpyAsync", "myLaunchKernel", "organLaunch", "mclaunchKernel"],
)
def test_what_starts_no_kernel(name: str) -> None:
    assert not launches(name)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cuLaunchKernel", True),
        ("cudaLaunchCooperativeKernelMultiDevice", True),
        ("cudaLaunchHostFunc", False),
        ("cudaLaunchHostFuncThenLaunchKernel", True),
        ("cudaGraphLaunch_ptsz", True),
        ("hipExtLaunchMultiKernelMultiDevice", True),
        ("Launch", False),
        ("cudaMalloc", False),
        ("cudaLaunchKernel (2)", False),
    ],
)
def test_the_last_launch_in_a_name_says_what_is_launched(name: str, expected: bool) -> None:
    assert launches(name) is expected


@pytest.mark.parametrize(
    "name",
    [
        "cudaMemcpyAsync", "cuMemcpyHtoDAsync_v2", "hipMemsetAsync", "urEnqueueUSMMemcpy", "urEnqueueUSMFill2D",
        "urEnqueueMemBufferCopy", "urEnqueueMemBufferRead", "piextUSMEnqueueMemcpy", "zeCommandListAppendMemoryCopy",
        "zeCommandListAppendMemoryFill", "zeCommandListAppendImageCopyToMemory", "musaMemcpyAsync", "aclrtMemcpyAsync",
    ],
)  # fmt: skip
def test_knows_the_calls_that_copy_and_fill(name: str) -> None:
    assert moves_bytes(name)
    assert starts_work(name)


@pytest.mark.parametrize(
    "name",
    [
        "cudaMemcpyToSymbolSetNode", "urEnqueueUSMPrefetch", "urEnqueueUSMAdvise", "urQueueFinish",
        "urUSMDeviceAlloc", "urEnqueueMemUnmap", "zeCommandListAppendMemoryPrefetch", "zeCommandListAppendBarrier",
        "aclrtMalloc",
    ],
)  # fmt: skip
def test_what_is_fetched_ahead_or_given_moves_nothing_that_is_recorded(name: str) -> None:
    assert not starts_work(name)


@pytest.mark.parametrize("name", ["cudaGraphLaunch", "cudaGraphLaunch_v10000", "hipGraphLaunch"])
def test_a_graph_is_launched_by_any_name_that_the_call_has(name: str) -> None:
    assert launches_graph(name)
    assert not launches_graph(name.replace("Launch", "Upload"))
