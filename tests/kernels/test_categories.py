"""The rule table, on names as CUDA, ROCm and the libraries and compilers above them write them."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.chrome import kernel, launch, span, trace_of

from tracer.kernels.categories import OTHER, categorise, own_name
from tracer.summarize import summarize, summarize_file

AT = "void at::native::"
ANON = AT + "(anonymous namespace)::"
NAMES = {
    "gemm": [
        "ampere_sgemm_128x64_tn",
        "volta_fp16_s884gemm_fp16_128x64_ldg8_f2f_tn",
        "nvjet_sm90_tst_64x8_64x16_2x1_v_bz_splitK_TNT",
        "sm90_xmma_gemm_bf16bf16_bf16f32_f32_tn_n_tilesize128x128x64_warpgroupsize1x1x1_execute_segment_k_off_kernel__5x_cublas",
        "void cublasLt::splitKreduce_kernel<32, 16, int, float, __nv_bfloat16, float, false>(int, float const*)",
        "void gemvx::kernel<int, int, __nv_bfloat16, float, false, true>(cublasGemvParamsEx<int>)",
        "void cutlass::Kernel2<cutlass_80_simt_sgemm_128x32_8x5_tn_align1>(cutlass_80_simt_sgemm_128x32_8x5::Params)",
        "void cutlass::device_kernel<cutlass::gemm::kernel::GemmUniversal<cute::tuple<int, int> > >(int)",
        "sm80_xmma_fprop_implicit_gemm_indexed_tf32f32_tf32f32_f32_nhwckrsc_nchw_tilesize128x128x16_cudnn",
        "cudnn_infer_volta_scudnn_128x64_relu_medium_nn_v1",
        "bmm_Bfloat16_MxE2m1MxE4m3_Fp32_t128x16x256u2_s3_et128x16_m128x16x32_cga1x1x1_16dp256b_rM_TN_sm100f",
        "Cijk_Ailk_Bljk_BBS_BH_Bias_HAS_SAV_UserArgs_MT16x64x64_MI16x16x1_SN_LDSB0",
        "igemm_fwd_gtcx2_nhwc_bf16_bx0_ex1_bt64x64x64_wt16x16x16_ws1x1_wr2x2",
        "_matmul_ogs_NNT_bf16xbf16xmxfp4_128x128x128x1_swiglu",
        "triton_tem_fused_mm_2",
        "fused_moe_kernel",
        "void Marlin<256, 4, 16, 4, 4, 8>(int4 const*, int4 const*, int4*)",
        "aten::addmm",
    ],
    "attention": [
        "void flash_fwd_splitkv_kernel<Flash_fwd_kernel_traits<128, 64, 128, 4, false> >(Flash_fwd_params)",
        "void cutlass::device_kernel<flash::enable_sm90<flash::FlashAttnFwdSm90<flash::CollectiveMainloop> > >(int)",
        "cudnn_generated_fort_native_sdpa_sm90_flash_fprop_wgmma_f16_knob_7_64x128x64_4x1x1_cga1x1x1_kernel0_0",
        "void cudnn::fusion::lean_reduction_kernel<false, false, false>(void*, float*, float*)",
        "fmha_cutlassF_bf16_aligned_64x64_rf_sm80(PyTorchMemEffAttention::AttentionKernel<cutlass::bfloat16_t>::Params)",
        "void vllm::paged_attention_v2_kernel<unsigned short, unsigned char, 128, 16>(float*, float*)",
        "void vllm::reshape_and_cache_flash_kernel<__nv_bfloat16, unsigned char>(__nv_bfloat16 const*)",
        "void flashinfer::BatchDecodeWithPagedKVCacheKernel<(flashinfer::PosEncodingMode)0>(int)",
        "fmhaSm100aKernel_QkvE4m3OBfloat16H64PagedKvCausalP16VarSeqQ128Kv128PersistentContext",
        "kernel_unified_attention_2d",
        "attn_fwd",
        "_fwd_grouped_kernel_stage1",
        "triton_tem_fused_flex_attention_0",
    ],
    "norm": [
        f"{ANON}vectorized_layer_norm_kernel<c10::BFloat16, float, false>(int, float)",
        "std::enable_if<((8)>(0))&&vllm::x<int>::y, void>::type vllm::fused_add_rms_norm_kernel<c10::BFloat16>(int)",
        "_ZN5aiter24add_rmsnorm_quant_kernelIDF16bDF16bLi256ELi16ELb1ELb0ELb1ELi1EEEvPT0_PT_PfS4_S4_S4_diiiiiiib",
        "_ZN7ck_tile6kentryILi1ENS_12Rmsnorm2dFwdINS_27Rmsnorm2dFwdPipelineOnePassINS_27Rmsnorm2dFwdPipelineProblem",
        "void cudnn::bn_fw_tr_1C11_singleread<float, 512, true, 1, 2, 0>(cudnn::bn_fw_tr_1C11_args<float>)",
        f"{AT}batch_norm_backward_kernel<c10::BFloat16, c10::BFloat16, float, int>(int)",
        "aten::native_layer_norm",
    ],
    "softmax": [
        f"{ANON}cunn_SoftMaxForward<8, c10::BFloat16, float, c10::BFloat16>(c10::BFloat16*)",
        "void (anonymous namespace)::softmax_warp_forward<float, float, float, 10, false, false>(float*)",
        "void vllm::moe::topkGatingSoftmax<8, 128, 4, 16>(float const*)",
    ],
    "elementwise": [
        f"{AT}vectorized_elementwise_kernel<8, at::native::CUDAFunctor_add<c10::BFloat16> >(int)",
        f"{AT}vectorized_elementwise_kernel<4, at::native::rsqrt_kernel_cuda(int)::{{lambda()#2}}>(int)",
        f"{AT}elementwise_kernel<128, 4, at::native::masked_fill_kernel(at::TensorIterator&)::{{lambda()#1}}>(int)",
        f"{ANON}multi_tensor_apply_kernel<at::native::ListMetadata<1>, UnaryOpFunctor>(long)",
        "void vllm::act_and_mul_kernel<c10::BFloat16, &vllm::silu_kernel<c10::BFloat16>, true>(c10::BFloat16*)",
        "void vllm::rotary_embedding_kernel<c10::BFloat16, true>(long const*, c10::BFloat16*)",
        "void vllm::scaled_fp8_quant_kernel_strided<c10::BFloat16, c10::Float8_e4m3fn>(c10::Float8_e4m3fn*)",
        "SubTensorOpWithCastTensor1d",
        "aten::mul",
        "aten::mul_",
    ],
    "embedding": [
        f"{ANON}indexSelectLargeIndex<c10::BFloat16, long, unsigned int, 2, 2, -2, true>(int)",
        f"{AT}vectorized_gather_kernel<16, long>(char*, char*, long*, int, long, long, long, long, bool)",
        f"{AT}index_elementwise_kernel<128, 4, at::native::gpu_index_kernel<at::native::index_kernel_impl> >(long)",
        f"{AT}indexFuncSmallIndex<c10::BFloat16, long, unsigned int, 2, 2, -2>(int)",
        "void moe::dev::finalize::finalizeKernelVecLoad<moe::dev::finalize::KernelParams<cutlass::bfloat16_t> >(int)",
        "void split_embedding_codegen_forward_unweighted_kernel<c10::Half>(at::GenericPackedTensorAccessor<float>)",
    ],
    "reduce": [
        f"{ANON}write_indices<long>(long*)",
        f"{AT}sbtopk::gatherTopK<float, unsigned int, 1, false>(int)",
        f"{AT}reduce_kernel<512, 1, at::native::ReduceOp<float, at::native::ArgMaxOps<float>, int> >(int)",
        "void cub::DeviceRadixSortOnesweepKernel<cub::DeviceRadixSortPolicy<long, int, int>::Policy800>(int*)",
        "void moe::dev::routing::routingIndicesHistogramKernel<moe::dev::routing::routingRenormalize::P>(int)",
        "void rocprim::ROCPRIM_400200_NS::detail::trampoline_kernel<rocprim::detail::wrapped_scan_config>(int)",
        f"{ANON}max_pool_forward_nchw<float, float>(int, float const*)",
    ],
    "copy": [
        "Memcpy HtoD (Pageable -> Device)",
        "Memset (Device)",
        f"{ANON}CatArrayBatchedCopy_vectorized<at::native::OpaqueType<2u>, int, 3>(char*)",
        f"{AT}unrolled_elementwise_kernel<at::native::direct_copy_kernel_cuda(int)::{{lambda()#3}}>(int)",
        f"{AT}vectorized_elementwise_kernel<4, at::native::FillFunctor<float>, at::detail::Array<char*, 1> >(int)",
        "void cudnn::engines_precompiled::nchwToNhwcKernel<__nv_bfloat16, float, false>(int)",
        "batched_transpose_64x64_pack_4x4_ediv_4x4_half",
        "__amd_rocclr_copyBuffer",
        "aten::_to_copy",
    ],
    "collective": [
        "ncclDevKernel_AllReduce_Sum_bf16_RING_LL(ncclDevKernelArgsStorage<4096ul>)",
        "void vllm::cross_device_reduce_1stage<__nv_bfloat16, 2>(vllm::RankData*)",
        "void (anonymous namespace)::multimem_all_reduce_kernel<c10::BFloat16, 16>(c10::BFloat16*, unsigned long)",
    ],
    "triton-fused": [
        "triton_poi_fused__unsafe_view_mul_silu_2",
        "triton_red_fused__to_copy_add_mean_mul_pow_rsqrt_1",
        "triton_per_fused_native_layer_norm_0",
    ],
    OTHER: ["my_own_kernel", "aten::view", ""],
}


@pytest.mark.parametrize(
    ("name", "category"), [(name, category) for category, names in NAMES.items() for name in names]
)
def test_names(name: str, category: str) -> None:
    assert categorise(name) == category


def test_the_own_name_is_without_what_surrounds_it() -> None:
    assert own_name("void a::b<c<int>, (d)1>(float const*, e<f>)") == "a::b"
    assert own_name("void (anonymous namespace)::kernel<(lambda(int)->int)>(long)") == "::kernel"
    assert own_name("_ZN5aiter24add_rmsnorm_quant_kernelIDF16bEEvPT0_") == "aiter::add_rmsnorm_quant_kernel"
    assert own_name("_Znonsense") == "_Znonsense"
    assert own_name("[CUDA memset]") == "[CUDA memset]"


def test_cut_and_hostile_names_are_no_error() -> None:
    for name in ("void a::b<c<int", "_ZN99999999999x", "((((", "<>)))", "_ZN3abc"):
        assert categorise(name) == OTHER


def test_stages_carry_time_by_category() -> None:
    trace = trace_of(
        span("tracer/prefill", 0, 9), launch(1, 1, 1), launch(3, 1, 2),
        kernel("ampere_sgemm_64x64_nn", 10, 7, 1), kernel("my_own_kernel", 20, 1, 2),
    )  # fmt: skip
    (stage,) = summarize(trace).stages
    assert stage.categories == {"gemm": 7_000, OTHER: 1_000}


def test_little_of_any_real_trace_is_other(chrome_trace: Path) -> None:
    summary = summarize_file(chrome_trace)
    if summary.device.kind == "cpu":
        pytest.skip("no device time in it")
    assert summary.device.categories.get(OTHER, 0) < 0.05 * summary.device.time_ns
