"""Data sheets: dense arithmetic and memory bandwidth of devices, by the names that drivers give them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tracer.peaks.peak import Peak

# float32 whose matrix products round their inputs to TensorFloat-32 (`torch.backends.cuda.matmul.allow_tf32`).
TF32 = "tf32"
# Vendors' own figures, never those with 2:4 sparsity (where only such are published, half of them).
_NVIDIA = "https://www.nvidia.com/en-us/data-center"
_SHEETS = "https://www.nvidia.com/content/dam/en-zz/Solutions"
_H100 = "https://resources.nvidia.com/en-us-tensor-core/nvidia-tensor-core-gpu-datasheet"
_BLACKWELL = "https://resources.nvidia.com/en-us-blackwell-architecture/blackwell-architecture-technical-brief"
_HGX = f"{_NVIDIA}/hgx/"
_ULTRA = f"{_NVIDIA}/gb300-nvl72/"
_A100 = f"{_SHEETS}/Data-Center/a100/pdf/nvidia-a100-datasheet-us-nvidia-1758950-r4-web.pdf"
_GH200 = "https://resources.nvidia.com/en-us-grace-cpu/grace-hopper-superchip"
_V100 = "https://images.nvidia.com/content/technologies/volta/pdf/volta-v100-datasheet-update-us-1165301-r5.pdf"
_T4 = f"{_SHEETS}/Data-Center/tesla-t4/t4-tensor-core-datasheet-951643.pdf"
_A40 = "https://images.nvidia.com/content/Solutions/data-center/a40/nvidia-a40-datasheet.pdf"
_ADA = "https://images.nvidia.com/aem-dam/Solutions/geforce/ada/nvidia-ada-gpu-architecture.pdf"
_RTX_50 = "https://images.nvidia.com/aem-dam/Solutions/geforce/blackwell/nvidia-rtx-blackwell-gpu-architecture.pdf"
_A6000 = f"{_SHEETS}/design-visualization/quadro-product-literature/proviz-print-nvidia-rtx-a6000-datasheet.pdf"
_RTX_6000 = f"{_SHEETS}/design-visualization/rtx-6000/proviz-print-rtx6000-datasheet-web.pdf"
_AMD = "https://www.amd.com/content/dam/amd/en/documents"
_INSTINCT = f"{_AMD}/instinct-tech-docs"
_RADEON = "https://www.amd.com/en/products/graphics"


@dataclass(frozen=True, slots=True)
class Sheet:
    """What a vendor says of a device.

    Attributes:
        name: as the driver spells it, whole: what is added to it (a MIG slice, a virtual GPU's profile, "Laptop GPU")
            makes it another device.
        half: TFLOP/s of 16-bit matrix products with 32-bit accumulation.
        single: of float32, of matrix products where the sheet has them apart; None where it is not said.
        tf32: of float32 rounded to TensorFloat-32; None where the device has no such or the sheet is silent.
        gbs: memory bandwidth.
        source: where that stands.
        bfloat16: where it differs from float16; 0 where the device has no such arithmetic.
    """

    name: str
    half: float
    single: float | None
    tf32: float | None
    gbs: float
    source: str
    bfloat16: float | None = None

    def tflops(self, dtype: str) -> float | None:
        """Of a type by its name in torch, or `TF32`; None of what the device or the sheet does not know."""
        bfloat16 = self.half if self.bfloat16 is None else self.bfloat16 or None
        known = {"float16": self.half, "bfloat16": bfloat16, "float32": self.single, TF32: self.tf32}
        return known.get(dtype)


SHEETS = (
    Sheet(r"GB300", 2500, 80, 1250, 8000, _ULTRA),
    # A baseboard of eight: 36 PFLOP/s and 18 PFLOP/s with sparsity, 600 TFLOP/s.
    Sheet(r"B300(?: SXM6(?: AC)?)?", 2250, 75, 1125, 8000, _HGX),
    Sheet(r"GB200", 2500, 90, 1250, 8000, _BLACKWELL),
    Sheet(r"B200", 2250, 80, 1125, 8000, _BLACKWELL),
    Sheet(r"GH200 (?:120|480)GB", 990, 67, 494.7, 4000, _GH200),
    Sheet(r"GH200 144G HBM3e", 990, 67, 494.7, 4900, _GH200),
    Sheet(r"H200", 989.5, 67, 494.7, 4800, f"{_NVIDIA}/h200/"),
    Sheet(r"H200 NVL", 835.5, 60, 417.5, 4800, f"{_NVIDIA}/h200/"),
    Sheet(r"H100 80GB HBM3", 989.4, 66.9, 494.7, 3350, _H100),
    Sheet(r"H100 NVL", 835.5, 60, 417.5, 3900, f"{_NVIDIA}/h100/"),
    Sheet(r"H100 PCIe", 756, 51.2, 378, 2000, _H100),
    Sheet(r"A100-SXM4-80GB", 312, 19.5, 156, 2039, _A100),
    Sheet(r"A100 80GB PCIe", 312, 19.5, 156, 1935, _A100),
    Sheet(r"A100-(?:SXM4|PCIE)-40GB", 312, 19.5, 156, 1555, _A100),
    Sheet(r"L40S", 362.05, 91.6, 183, 864, f"{_NVIDIA}/l40s/"),
    Sheet(r"L40", 181.05, 90.5, 90.5, 864, f"{_NVIDIA}/l40/"),
    Sheet(r"L4", 121, 30.3, 60, 300, f"{_NVIDIA}/l4/"),
    Sheet(r"A40", 149.7, 37.4, 74.8, 696, _A40),
    Sheet(r"A10", 125, 31.2, 62.5, 600, f"{_SHEETS}/Data-Center/a10/pdf/a10-datasheet.pdf"),
    Sheet(r"RTX 6000 Ada Generation", 364.2, 91.1, 182.1, 960, _RTX_6000),
    Sheet(r"RTX A6000", 154.8, 38.7, 77.4, 768, _A6000),
    Sheet(r"V100-SXM2(?:-(?:16|32)GB)?", 125, 15.7, None, 900, _V100, bfloat16=0),
    Sheet(r"V100-PCIE(?:-(?:16|32)GB)?", 112, 14, None, 900, _V100, bfloat16=0),
    Sheet(r"T4", 65, 8.1, None, 320, _T4, bfloat16=0),
    Sheet(r"GeForce RTX 4090", 165.2, 82.6, 82.6, 1008, _ADA),
    Sheet(r"GeForce RTX 5090", 209.5, None, 104.8, 1792, _RTX_50),
    Sheet(r"MI355X", 2516.6, 157.3, None, 8000, f"{_INSTINCT}/product-briefs/amd-instinct-mi355x-gpu-brochure.pdf"),
    Sheet(r"MI350X", 2309.6, 144.2, None, 8000, f"{_INSTINCT}/product-briefs/amd-instinct-mi350x-gpu-brochure.pdf"),
    Sheet(r"MI325X", 1307.4, 163.4, 653.7, 6000, f"{_INSTINCT}/data-sheets/amd-instinct-mi325x-datasheet.pdf"),
    Sheet(r"MI300X", 1307.4, 163.4, 653.7, 5300, f"{_INSTINCT}/data-sheets/amd-instinct-mi300x-data-sheet.pdf"),
    Sheet(r"MI300A", 980.6, 122.6, 490.3, 5300, f"{_INSTINCT}/data-sheets/amd-instinct-mi300a-data-sheet.pdf"),
    # Two dies a module, each a device of its own to ROCm: half of the data sheet. What ROCm calls MI250X/MI250 may be
    # either, so it is neither.
    Sheet(r"MI250X", 191.5, 47.85, None, 1600, f"{_INSTINCT}/data-sheets/amd-instinct-mi250x-datasheet.pdf"),
    Sheet(
        r"MI250", 181.05, 45.25, None, 1600, "https://www.amd.com/en/products/accelerators/instinct/mi200/mi250.html"
    ),
    Sheet(r"MI210", 181, 45.3, None, 1600, f"{_AMD}/instinct-business-docs/product-briefs/instinct-mi210-brochure.pdf"),
    Sheet(
        r"MI100",
        184.6,
        46.1,
        None,
        1228.8,
        f"{_AMD}/instinct-business-docs/product-briefs/instinct-mi100-brochure.pdf",
        bfloat16=92.3,
    ),
    Sheet(r"RX 7900 XTX", 122.8, 61.4, None, 960, f"{_RADEON}/desktops/radeon/7000-series/amd-radeon-rx-7900xtx.html"),
    Sheet(r"P(?:RO|ro) W7900", 122.6, 61.3, None, 864, f"{_RADEON}/workstations/radeon-pro/w7900.html"),
)
# What drivers write before the name; and behind it, where a guest has the whole of an MI300X ("VF").
_NAMED = re.compile(r"(?:NVIDIA )?(?:Tesla )?(?:AMD )?(?:Instinct |Radeon )?(.{1,80}?)(?: VF)?", re.ASCII)


def listed(device: str, dtype: str) -> Peak | None:
    """What the vendor says of a device, for a type; None of one that is not in the table."""
    named = _NAMED.fullmatch(device)
    if named is None:
        return None
    for sheet in SHEETS:
        if re.fullmatch(sheet.name, named[1]):
            return Peak(tflops=sheet.tflops(dtype), gbs=sheet.gbs, source=sheet.source)
    return None
