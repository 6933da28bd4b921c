"""Data sheets: dense arithmetic and memory bandwidth of devices, by the names that drivers give them."""

from __future__ import annotations

import re

from tracer.peaks.peak import Peak

# Vendors' own figures, never those with 2:4 sparsity (where only such are published, half of them).
_H100 = "https://resources.nvidia.com/en-us-tensor-core/nvidia-tensor-core-gpu-datasheet"
_BLACKWELL = "https://resources.nvidia.com/en-us-blackwell-architecture/blackwell-architecture-technical-brief"
_A100 = (
    "https://www.nvidia.com/content/dam/en-zz/Solutions/Data-Center/a100/pdf/"
    "nvidia-a100-datasheet-us-nvidia-1758950-r4-web.pdf"
)
_V100 = "https://images.nvidia.com/content/technologies/volta/pdf/volta-v100-datasheet-update-us-1165301-r5.pdf"
_T4 = "https://www.nvidia.com/content/dam/en-zz/Solutions/Data-Center/tesla-t4/t4-tensor-core-datasheet-951643.pdf"
_ADA = "https://images.nvidia.com/aem-dam/Solutions/geforce/ada/nvidia-ada-gpu-architecture.pdf"
_AMD = "https://www.amd.com/content/dam/amd/en/documents"
_RADEON = "https://www.amd.com/en/products/graphics"

# Name as the driver spells it, TFLOP/s of 16-bit matrix products (32-bit accumulation; of float16 and of bfloat16 where
# they differ), TFLOP/s of float32 (of matrix products where the sheet has them apart), GB/s.
_TABLE: tuple[tuple[str, float | tuple[float, float], float | None, float, str], ...] = (
    (r"\bGB200\b", 2500, 90, 8000, _BLACKWELL),
    (r"\bB200\b", 2250, 80, 8000, _BLACKWELL),
    (r"\bH200$", 989.5, 67, 4800, "https://www.nvidia.com/en-us/data-center/h200/"),
    (r"\bH100 80GB HBM3\b", 989.4, 66.9, 3350, _H100),
    (r"\bH100 PCIe\b", 756, 51.2, 2000, _H100),
    (r"\bA100-SXM4-80GB\b", 312, 19.5, 2039, _A100),
    (r"\bA100 80GB PCIe\b", 312, 19.5, 1935, _A100),
    (r"\bA100-(?:SXM4|PCIE)-40GB\b", 312, 19.5, 1555, _A100),
    (r"\bL40S$", 362.05, 91.6, 864, "https://www.nvidia.com/en-us/data-center/l40s/"),
    (r"\bL40$", 181.05, 90.5, 864, "https://www.nvidia.com/en-us/data-center/l40/"),
    (r"\bL4$", 121, 30.3, 300, "https://www.nvidia.com/en-us/data-center/l4/"),
    (
        r"\bA40$",
        149.7,
        37.4,
        696,
        "https://images.nvidia.com/content/Solutions/data-center/a40/nvidia-a40-datasheet.pdf",
    ),
    (
        r"\bA10$",
        125,
        31.2,
        600,
        "https://www.nvidia.com/content/dam/en-zz/Solutions/Data-Center/a10/pdf/a10-datasheet.pdf",
    ),
    (r"\bV100-SXM2\b", 125, 15.7, 900, _V100),
    (r"\bV100-PCIE\b", 112, 14, 900, _V100),
    (r"\bT4$", 65, 8.1, 320, _T4),
    (r"\bRTX 4090$", 165.2, 82.6, 1008, _ADA),
    (
        r"\bRTX 5090$",
        209.5,
        None,
        1792,
        "https://images.nvidia.com/aem-dam/Solutions/geforce/blackwell/nvidia-rtx-blackwell-gpu-architecture.pdf",
    ),
    (
        r"\bMI355X\b",
        2516.6,
        157.3,
        8000,
        f"{_AMD}/instinct-tech-docs/product-briefs/amd-instinct-mi355x-gpu-brochure.pdf",
    ),
    (
        r"\bMI350X\b",
        2309.6,
        144.2,
        8000,
        f"{_AMD}/instinct-tech-docs/product-briefs/amd-instinct-mi350x-gpu-brochure.pdf",
    ),
    (r"\bMI325X\b", 1307.4, 163.4, 6000, f"{_AMD}/instinct-tech-docs/data-sheets/amd-instinct-mi325x-datasheet.pdf"),
    (r"\bMI300X\b", 1307.4, 163.4, 5300, f"{_AMD}/instinct-tech-docs/data-sheets/amd-instinct-mi300x-data-sheet.pdf"),
    (r"\bMI300A\b", 980.6, 122.6, 5300, f"{_AMD}/instinct-tech-docs/data-sheets/amd-instinct-mi300a-data-sheet.pdf"),
    # Two dies a module, each a device of its own to ROCm: half of the data sheet. What ROCm calls MI250X/MI250 may be
    # either, so it is neither.
    (r"\bMI250X$", 191.5, 47.85, 1600, f"{_AMD}/instinct-tech-docs/data-sheets/amd-instinct-mi250x-datasheet.pdf"),
    (r"(?<!/)\bMI250$", 181.05, 45.25, 1600, "https://www.amd.com/en/products/accelerators/instinct/mi200/mi250.html"),
    (r"\bMI210\b", 181, 45.3, 1600, f"{_AMD}/instinct-business-docs/product-briefs/instinct-mi210-brochure.pdf"),
    (
        r"\bMI100\b",
        (184.6, 92.3),
        46.1,
        1228.8,
        f"{_AMD}/instinct-business-docs/product-briefs/instinct-mi100-brochure.pdf",
    ),
    (r"\bRX 7900 XTX$", 122.8, 61.4, 960, f"{_RADEON}/desktops/radeon/7000-series/amd-radeon-rx-7900xtx.html"),
    (r"\bP(?:RO|ro) W7900\b", 122.6, 61.3, 864, f"{_RADEON}/workstations/radeon-pro/w7900.html"),
)


def listed(device: str, dtype: str) -> Peak | None:
    """What the vendor says of a device; None of one that is not in the table."""
    for pattern, half, single, gbs, source in _TABLE:
        if re.search(pattern, device):
            float16, bfloat16 = half if isinstance(half, tuple) else (half, half)
            tflops = {"float32": single, "bfloat16": bfloat16}.get(dtype, float16)
            return Peak(tflops=tflops, gbs=gbs, source=source)
    return None
