from __future__ import annotations

import pytest

from tracer.peaks.precision import product_type
from tracer.peaks.sheets import TF32

# As an H100 recorded them under torch 2.11, float32 both times: as it is, and with `allow_tf32`.
PLAIN = "sm80_xmma_gemm_f32f32_f32f32_f32_nn_n_tilesize256x128x8_stage3_warpsize4x2x1_ffma_aligna4_alignc4_execute"
ROUNDED = "sm90_xmma_gemm_f32f32_tf32f32_f32_nn_n_tilesize128x256x32_warpgroupsize2x1x1_execute_segment_k_off_kernel"
CUTLASS = "void cutlass::Kernel2<cutlass_80_tensorop_s1688gemm_256x64_16x4_nn_align4>(Params)"
CONVOLUTION = "sm80_xmma_fprop_implicit_gemm_indexed_wo_smem_tf32f32_tf32f32_f32_nhwckrsc_nhwc_tilesize128x32x16_stage1"
VECTOR = (
    "std::enable_if<!(false), void>::type internal::gemvx::kernel<int, int, float, float, float, float, false, true>"
)


@pytest.mark.parametrize("kernel", [ROUNDED, CUTLASS])
def test_rounded_products_have_the_peak_of_rounded_ones(kernel: str) -> None:
    assert product_type("float32", [(kernel, 100), (PLAIN, 50), (VECTOR, 10**6)]) == TF32


@pytest.mark.parametrize("kernel", [PLAIN, VECTOR, "fmha_cutlassF_f32_aligned_64x64_rf_sm80", "elementwise_kernel"])
def test_plain_products_have_the_plain_peak(kernel: str) -> None:
    assert product_type("float32", [(kernel, 100)]) == "float32"


def test_a_convolution_that_cudnn_rounds_does_not_make_the_run_rounded() -> None:
    assert product_type("float32", [(CONVOLUTION, 4), (PLAIN, 96)]) == "float32"
    assert product_type("float32", [(CONVOLUTION, 5), (PLAIN, 95)]) == TF32


def test_a_16_bit_product_of_the_same_instruction_shape_is_not_rounded_float32() -> None:
    assert product_type("float32", [("turing_fp16_s1688gemm_fp16_128x128_ldg8_f2f_tn", 9)]) == "float32"
    assert product_type("float32", [("cutlass_75_tensorop_s1688gemm_f16_128x128_nn_align8", 9)]) == "float32"


def test_other_types_stay_what_they_are_and_a_trace_without_kernels_says_nothing() -> None:
    assert product_type("bfloat16", [(ROUNDED, 9)]) == "bfloat16"
    assert product_type("float32", []) == "float32"
