"""Which kernels a compiler would fuse, by their names."""

from __future__ import annotations

import re

from tracer.kernels.categories import categorise, own_name

FUSIBLE = ("elementwise", "norm", "softmax", "copy")
# torch.cat's kernel of NVIDIA and AMD devices alike, and its operator on a CPU.
_CONCATENATES = re.compile(r"\bCatArrayBatchedCopy|^aten::cat$")
# Sorting, scanning and selecting stay kernels of their own.
_REDUCES = re.compile(r"\breduce_kernel$")


def concatenates(name: str) -> bool:
    """Whether a kernel (or CPU operator) of this name is torch.cat's, which is how a dynamic cache grows."""
    return _CONCATENATES.search(own_name(name)) is not None


def is_fusible(name: str) -> bool:
    """Whether a kernel of this name is one of PyTorch's own that Inductor writes anew and fuses."""
    if "at::native::" not in name:
        return False
    category = categorise(name)
    return category in FUSIBLE or (category == "reduce" and _REDUCES.search(own_name(name)) is not None)
