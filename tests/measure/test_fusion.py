"""Which kernels fuse, and how long decode steps keep a device busy when they do."""

from __future__ import annotations

import pytest
from support.chrome import Event, kernel, launch, operator, span, trace_of

from tracer.kernels.fusible import concatenates, is_fusible
from tracer.summarize import summarize

AT = "void at::native::"
ADD = f"{AT}vectorized_elementwise_kernel<4, at::native::CUDAFunctor_add<float> >(int)"
CAT = f"{AT}(anonymous namespace)::CatArrayBatchedCopy_vectorized<at::native::OpaqueType<2u>, int, 3>(char*)"


@pytest.mark.parametrize(
    ("name", "fuses"),
    [
        (ADD, True),
        (f"{AT}(anonymous namespace)::vectorized_layer_norm_kernel<c10::BFloat16, float, false>(int, float)", True),
        (f"{AT}(anonymous namespace)::cunn_SoftMaxForward<8, float, float, float>(float*)", True),
        (f"{AT}reduce_kernel<512, 1, at::native::ReduceOp<float, at::native::MeanOps<float> > >(int)", True),
        (f"{AT}unrolled_elementwise_kernel<at::native::direct_copy_kernel_cuda(at::TensorIteratorBase&)>(int)", True),
        (f"{AT}sbtopk::gatherTopK<float, unsigned int, 2, false>(int)", False),
        (f"{AT}tensor_kernel_scan_innermost_dim<float, std::plus<float> >(float*)", False),
        ("void vllm::rms_norm_kernel<c10::BFloat16>(int)", False),
        ("triton_poi_fused_add_0", False),
        ("Memcpy DtoD (Device -> Device)", False),
        ("nvjet_sm90_tst_64x8_64x16_2x1_v_bz_splitK_TNT", False),
        ("aten::add", False),
    ],
)
def test_pytorchs_own_small_kernels_fuse(name: str, *, fuses: bool) -> None:
    assert is_fusible(name) is fuses


@pytest.mark.parametrize("name", [CAT, "aten::cat"])
def test_what_grows_a_cache(name: str) -> None:
    assert concatenates(name)
    assert not concatenates(ADD)
    assert not concatenates(f"{AT}foo<CatArrayBatchedCopy>(int)")


def _step(*kernels: tuple[str, float, float, int], step: int = 1) -> list[Event]:
    """A decode step of (name, start, length, stream)."""
    events = [span(f"tracer/decode#{step}", step * 1000, 900)]
    for number, (name, start, length, stream) in enumerate(kernels, start=step * 1000):
        events += [launch(number, 0.5, number), kernel(name, step * 1000 + start, length, number, stream=stream)]
    return events


def _fused(*events: Event) -> float | None:
    (row,) = [row for row in summarize(trace_of(*events)).budget if row.stage == "decode"]
    return row.fused_ns


def test_a_row_is_as_long_as_its_longest_kernel() -> None:
    assert _fused(*_step((ADD, 10, 2, 7), (ADD, 20, 5, 7), ("gemm", 30, 9, 7), (ADD, 40, 3, 7))) == 17_000


def test_a_row_ends_with_its_step_its_stream_and_at_a_copy() -> None:
    two = [*_step((ADD, 10, 2, 7)), *_step((ADD, 10, 4, 7), step=2)]
    assert _fused(*two) == (2_000 + 4_000) / 2
    assert _fused(*_step((ADD, 10, 2, 7), (ADD, 20, 4, 8))) == 6_000
    assert _fused(*_step((ADD, 10, 2, 7), ("Memcpy DtoH (Device -> Pinned)", 20, 1, 7), (ADD, 30, 4, 7))) == 7_000


def test_what_concatenates_is_gone_and_parts_no_row() -> None:
    assert _fused(*_step((ADD, 10, 2, 7), (CAT, 20, 9, 7), (ADD, 30, 4, 7))) == 4_000
    assert _fused(*_step((CAT, 20, 9, 7))) == 0


def test_nothing_is_said_where_nothing_ran_on_a_device() -> None:
    assert _fused(operator("aten::add", 10, 5), span("tracer/decode#1", 0, 90)) is None
    assert (
        _fused(
            span("tracer/decode#1", 0, 90), span("tracer/vision", 100, 90), launch(110, 1, 1), kernel(ADD, 112, 5, 1)
        )
        is None
    )
