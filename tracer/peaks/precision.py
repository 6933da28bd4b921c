"""In which arithmetic float32 matrix products were made, by the names of their kernels."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tracer.peaks.sheets import TF32

if TYPE_CHECKING:
    from collections.abc import Iterable

# cuBLAS and cuDNN write the type of their products into the name (sm90_xmma_gemm_f32f32_tf32f32_f32_...); CUTLASS
# writes the shape of the instruction, which for 32-bit values is TensorFloat-32's (cutlass_80_tensorop_s1688gemm_...).
_ROUNDED = re.compile(r"tf32|tensorop_s1688(?!\w*f16)", re.ASCII)
# Products of matrices; those with a vector are bound by memory and never rounded.
_PRODUCTS = re.compile(r"gemm|fprop|implicit_conv", re.ASCII)
# cuDNN rounds convolutions unless told otherwise: a patch embedding alone makes a run none of TensorFloat-32.
LEAST_SHARE = 0.05


def product_type(dtype: str, kernels: Iterable[tuple[str, int]], *, allowed: bool = False) -> str:
    """The type whose peak applies to these kernels, by name and time: `TF32` where float32 was rounded, else `dtype`.

    Where it is known that rounding was `allowed`, names are not asked: those of some libraries don't tell.

    On an H100 a float32 product reaches 52 TFLOP/s and a rounded one 414: under the peak of the former that would be an
    MFU of 600 %.
    """
    if dtype != "float32":
        return dtype
    if allowed:
        return TF32
    rounded_ns = whole_ns = 0
    for name, time_ns in kernels:
        if _PRODUCTS.search(name):
            whole_ns += time_ns
            rounded_ns += time_ns if _ROUNDED.search(name) else 0
    return TF32 if whole_ns and rounded_ns >= LEAST_SHARE * whole_ns else dtype
