"""What kind of work a kernel (or CPU operator) does, read off its name.

The first rule that matches decides, so the order matters: a fused attention kernel is attention although it
multiplies matrices, and a reduction inside a norm is the norm.
"""

from __future__ import annotations

import re
from functools import lru_cache

OTHER = "other"

_RULES = tuple(
    (category, re.compile(pattern, re.IGNORECASE))
    for category, pattern in (
        ("collective", r"nccl|rccl|all_?reduce|all_?gather|reduce_?scatter|all_?to_?all|cross_device_reduce"),
        (
            "copy",
            r"^mem(?:cpy|set)|memcpy|memset|\bcopy_|copy_kernel|_copy\b|CatArray|aten::(?:copy_|_to_copy|to|clone|cat|contiguous|fill_|zero_|stack)$",
        ),
        ("attention", r"flash|fmha|attention|attn|mha_|paged_|kv_?cache|reshape_and_cache|\bmla\b|sdpa"),
        (
            "gemm",
            r"gemm|gemv|cutlass|cublas|xmma|nvjet|Cijk_|matmul|wgrad|dgrad|splitk|conv\d?d?\b|convolution|conv_|implicit|winograd|aten::(?:mm|bmm|addmm|baddbmm|linear|matmul|conv2d)$",
        ),
        ("norm", r"norm|rsqrt|welford"),
        ("softmax", r"softmax|topk_gating"),
        ("triton-fused", r"^triton_"),
        (
            "embedding",
            r"embedding|index_?select|gather|scatter|vectorized_gather|index_put|index_kernel|aten::index",
        ),
        ("reduce", r"reduce|argmax|argmin|cub::|topk|sort|scan|cumsum|aten::(?:sum|mean|max|min|all|any)"),
        (
            "elementwise",
            r"elementwise|pointwise|CUDAFunctor|silu|gelu|relu|sigmoid|rotary|rope|act_and_mul|aten::\w*(?:add|sub|mul|div|neg|exp|pow|cos|sin|where|clamp|eq|ne|lt|gt|le|ge|bitwise\w*|arange|full|ones|zeros|empty|masked_fill)_?$",
        ),
    )
)


@lru_cache(maxsize=1 << 16)
def categorise(name: str) -> str:
    """The category of a kernel, copy or operator by its name."""
    for category, pattern in _RULES:
        if pattern.search(name):
            return category
    return OTHER
