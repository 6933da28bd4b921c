"""What kind of work a kernel (or CPU operator) does, read off its name.

A C++ kernel is judged by its own name, without template arguments and parameters: a MoE router whose parameters are
`cutlass::bfloat16_t` is no matrix product. Only where the own name says nothing (`elementwise_kernel`, `device_kernel`)
do the template arguments count. The first rule that matches decides, so the order matters: a fused attention kernel is
attention although it multiplies matrices, and a reduction inside a norm is the norm.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

OTHER = "other"
# Templates' names reach some ten thousand characters. The rules take a second for every megabyte.
LONGEST_NAME = 1 << 16

# Category, and what a kernel's own name matches: regular expressions, any of them, `^` at its start.
_KERNELS = (
    # Inductor's templates are matrix products and attention; the rest it fuses itself.
    ("attention", r"^triton_tem_fused_\w*attention"),
    ("gemm", r"^triton_tem_"),
    ("triton-fused", r"^triton_"),
    # ncclDevKernel_AllReduce_Sum_bf16_RING_LL, vllm::cross_device_reduce_1stage, multimem_all_reduce_kernel
    (
        "collective",
        r"""nccl rccl nvshmem all_?reduce all_?gather reduce_?scatter all_?(?:to|2)_?all cross_device_reduce multimem
        record_param_comms""",
    ),
    # Memcpy HtoD (Pageable -> Device), CatArrayBatchedCopy, cudnn::ops::nchwToNhwcKernel, __amd_rocclr_copyBuffer
    (
        "copy",
        r"""memcpy memset copy_kernel BatchedCopy ^_copy_ rocclr_(?:copy|fill) ^Copy(?:Host|Device) nchwToNhwc
        nhwcToNchw batched_transpose transpose_kernel permute_2D""",
    ),
    # flash_fwd_splitkv_kernel, vllm::paged_attention_v2_kernel, attn_fwd, BatchDecodeWithPagedKVCacheKernel,
    # cudnn_generated_fort_native_sdpa_sm90_flash_fprop, and the reduction that follows cuDNN's attention when split
    (
        "attention",
        r"""flash fmha attention attn mha_ sdpa (?:^|[_:])mla(?:_|$) paged_?kv ragged_?kv kv_?cache reshape_and_cache
        merge_?states ^_fwd_(?:grouped_)?kernel ^cudnn::fusion::lean_reduction""",
    ),
    # vectorized_layer_norm_kernel, vllm::rms_norm_kernel, cudnn::bn_fw_tr_1C11_singleread, MIOpenBatchNormFwdInfer
    (
        "norm",
        r"""(?:layer|rms|batch|group|instance|qk|l2)_?norm norm_kernel welford RowwiseMoments GammaBeta
        (?:^|:)bn_(?:fw|bw)_""",
    ),
    # cunn_SoftMaxForward, softmax_warp_forward, vllm::moe::topkGatingSoftmax
    ("softmax", r"soft_?max"),
    # ampere_sgemm_128x64_tn, nvjet_tst_64x64, cublasLt::splitKreduce_kernel and its epilogue, cutlass::Kernel2,
    # bmm_Bfloat16_... (TensorRT-LLM), sm80_xmma_fprop_implicit_gemm, Cijk_Ailk_Bljk (ROCm), igemm_fwd_gtcx2 (MIOpen),
    # volta_scudnn_winograd and fft2d_r2c (cuDNN's convolutions)
    (
        "gemm",
        r"""(?<!fb)gemm gemv ^cutlass xmma nvjet Cijk_ matmul (?:^|[_:])b?mm_ split_?k(?!v) ^cublas ^epilogue::impl
        wgrad dgrad fprop scudnn winograd conv(?!ert) ^cask_cudnn fft[12]d fused_moe_kernel marlin machete awq_ gptq""",
    ),
    # rotary_embedding_kernel turns positions into angles: no table is looked up.
    ("elementwise", r"rotary rope(?:_|$)"),
    # embedding_kernel, indexSelectLargeIndex (beams' caches are put in order by it too), vectorized_gather_kernel,
    # moe::dev::finalize (weighted un-permutation)
    (
        "embedding",
        r"""embedding index_?select gather(?!TopK) scatter index_?(?:put|add|copy|fill|func|kernel|elementwise)
        linearize_index check_indices permute_(?:pooled|indices|sparse) moe_?permute moe::dev::finalize""",
    ),
    # reduce_kernel, cub::DeviceRadixSortOnesweepKernel, rocprim, max_pool_forward_nchw, MoE routing, sampling
    (
        "reduce",
        r"""reduc(?:e|tion) arg_?max arg_?min cub:: rocprim top_?[kp] sampling sort scan cumsum histogram routing
        moe_align _pool _sum_ nll_loss cross_entropy unique write_indices""",
    ),
    # vectorized_elementwise_kernel, multi_tensor_apply_kernel, silu_and_mul, scaled_fp8_quant, MIOpen's SubTensorOp
    (
        "elementwise",
        r"""element_?wise pointwise multi_tensor_apply silu gelu swiglu relu sigmoid tanh act_and_mul activation dropout
        quant fp8 TensorOp PackedTensor clamp upsample interpolat distribution_ triu tril arange""",
    ),
)

# Kernels that are only a vessel: the vessel's name, what its template arguments contain, the category.
_VESSELS = (
    (r"^cutlass::\w*kernel|^ck_tile::kentry", r"flash|fmha|attention", "attention"),
    (r"^ck_tile::kentry", r"norm", "norm"),
    (r"^ck_tile::kentry", r"gemm", "gemm"),
    (r"element_?wise|multi_tensor_apply", r"(?<!masked_)(?:copy_kernel|CopyFunctor|FillFunctor|fill_kernel)", "copy"),
    (r"unrolled_elementwise_kernel_for_multi", r"batch_norm|layer_norm", "norm"),
)

# PyTorch's own operators that the rules for kernels would not know; a trailing underscore means in place.
_OPERATORS = {
    "copy": "copy _to_copy to clone cat stack contiguous fill zero item _local_scalar_dense pin_memory _pin_memory",
    "gemm": "mm bmm addmm addmv baddbmm linear einsum scaled_mm _scaled_mm",
    "embedding": "index take",
    "reduce": "sum mean max min all any norm var std prod logsumexp",
    "elementwise": """add sub mul div neg exp log pow sqrt rsqrt cos sin abs where eq ne lt gt le ge clamp_min clamp_max
        addcmul addcdiv rsub bitwise_and bitwise_or bitwise_not logical_and logical_or logical_not full full_like ones
        ones_like zeros zeros_like nan_to_num masked_fill square reciprocal""",
}

_RULES = tuple((category, re.compile("|".join(patterns.split()), re.IGNORECASE)) for category, patterns in _KERNELS)
_VESSEL_RULES = tuple(
    (re.compile(vessel, re.IGNORECASE), re.compile(content, re.IGNORECASE), category)
    for vessel, content, category in _VESSELS
)
_CATEGORY_OF_OPERATOR = {f"aten::{name}": category for category, names in _OPERATORS.items() for name in names.split()}
_OPEN, _CLOSE = "<([{", ">)]}"
_MANGLED = re.compile(r"_ZN?K?")
_LENGTH = re.compile(r"\d+")


def categorise(name: str) -> str:
    """The category of a kernel, copy or operator by its name; of a name longer than any real one, by its beginning."""
    return _categorise(name[:LONGEST_NAME])


# More names than real traces have; each may be 8 KB, and a process may read thousands of files.
@lru_cache(maxsize=1 << 12)
def _categorise(name: str) -> str:
    if (known := _CATEGORY_OF_OPERATOR.get(name.removesuffix("_"))) is not None:
        return known
    own = own_name(name)
    for vessel, content, category in _VESSEL_RULES:
        if vessel.search(own) and content.search(name):
            return category
    for category, pattern in _RULES:
        if pattern.search(own):
            return category
    return OTHER


def by_category(times_ns: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Add up times by the category of their names, the most time first."""
    totals: dict[str, int] = {}
    for name, time_ns in times_ns:
        category = categorise(name)
        totals[category] = totals.get(category, 0) + time_ns
    return dict(sorted(totals.items(), key=lambda item: (-item[1], item[0])))


def own_name(name: str) -> str:
    """A kernel's own qualified name: no return type, template arguments or parameters; mangled names are read too.

    >>> own_name("void at::native::reduce_kernel<512, 1, at::ReduceOp<float> >(at::ReduceOp<float>)")
    'at::native::reduce_kernel'
    """
    if name.startswith("_Z"):
        return _mangled_name(name) or name
    if name.startswith(("Memcpy ", "Memset ")):  # Memcpy HtoD (Pageable -> Device): words, not a signature
        return name
    kept, depth = [], 0
    for position, char in enumerate(name):
        if char in _OPEN:
            depth += 1
        elif char in _CLOSE and not (char == ">" and name[position - 1 : position] == "-"):
            depth = max(0, depth - 1)
        elif not depth:
            kept.append(char)
    # The return type stands in front; where nothing is left, the name was no signature.
    return "".join(kept).strip().rpartition(" ")[2] or name


def _mangled_name(name: str) -> str:
    """The length-prefixed parts at the start of an Itanium-mangled name, joined: _ZN5aiter3addIfEvPT_ is aiter::add."""
    start = _MANGLED.match(name)
    place, parts = start.end() if start else 0, []
    while length := _LENGTH.match(name, place):
        place = length.end() + int(length[0][:4])
        parts.append(name[length.end() : place])
    return "::".join(parts)


def compiled(name: str) -> bool:
    """Whether a kernel was made by a compiler that writes into its name which operators it is made of."""
    return name.startswith("triton_")
