from __future__ import annotations

import pytest

from tracer.document.summary import Kernel
from tracer.measure.unfused import Unfused, unfused_kernels

ADD = "void at::native::vectorized_elementwise_kernel<4, at::native::CUDAFunctor_add<float> >(int)"
CAT = "void at::native::(anonymous namespace)::CatArrayBatchedCopy<float, unsigned int, 3, 64, 64>(float*)"
NORM = "void at::native::(anonymous namespace)::vectorized_layer_norm_kernel<float, float>(int)"


def test_counts_and_times_add_up() -> None:
    kernels = [Kernel(name=ADD, count=3, time_ns=5), Kernel(name=CAT, count=2, time_ns=7)]
    assert unfused_kernels(kernels) == Unfused(count=5, time_ns=12, shortest_ns=1)


@pytest.mark.parametrize(
    "name", [NORM, "triton_poi_fused_add_0", "Memcpy DtoD (Device -> Device)", "ampere_sgemm_64x64_nn"]
)
def test_fused_kernels_and_those_of_others_are_not_counted(name: str) -> None:
    assert unfused_kernels([Kernel(name=name, count=1, time_ns=1)]) == Unfused(count=0, time_ns=0)
