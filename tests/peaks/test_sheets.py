"""The table against what its figures are made of: units, operations a clock, clocks and widths."""

from __future__ import annotations

import pytest

from tracer.peaks.find import find_peak
from tracer.peaks.peak import Peak
from tracer.peaks.sheets import SHEETS, TF32, Sheet, listed

# By architecture: operations a clock in each multiprocessor (compute unit) of 16-bit matrix products with 32-bit sums,
# of float32, and of TensorFloat-32; 0 where there is no such arithmetic. From the vendors' architecture papers.
VOLTA, TURING = (1024, 128, 0), (1024, 128, 0)
AMPERE, GA102 = (2048, 128, 1024), (1024, 256, 512)
ADA, GEFORCE = (1024, 256, 512), (512, 256, 256)
HOPPER, BLACKWELL = (4096, 256, 2048), (8192, 256, 4096)
CDNA1, CDNA2, CDNA3, CDNA4 = (1024, 256, 0), (1024, 256, 0), (2048, 256, 1024), (4096, 256, 0)
RDNA3 = (512, 256, 0)
# Driver's name: architecture, multiprocessors, clock in GHz of matrix products and of float32, bits of the memory's
# interface, Gbit/s of each.
FACTS = {
    "NVIDIA B300 SXM6 AC": (BLACKWELL, 148, 1.856, 1.98, 8192, 8.0),
    "NVIDIA GB300": (BLACKWELL, 152, 2.008, 2.06, 8192, 8.0),
    "NVIDIA B200": (BLACKWELL, 148, 1.856, None, 8192, 8.0),
    "NVIDIA GB200": (BLACKWELL, 152, 2.008, None, 8192, 8.0),
    "NVIDIA GH200 480GB": (HOPPER, 132, 1.83, 1.98, 6144, 5.24),
    "NVIDIA GH200 144G HBM3e": (HOPPER, 132, 1.83, 1.98, 6144, 6.4),
    "NVIDIA H200": (HOPPER, 132, 1.83, 1.98, 6144, 6.25),
    "NVIDIA H200 NVL": (HOPPER, 132, 1.545, 1.785, 6144, 6.25),
    "NVIDIA H100 80GB HBM3": (HOPPER, 132, 1.83, 1.98, 5120, 5.24),
    "NVIDIA H100 NVL": (HOPPER, 132, 1.545, 1.785, 6016, 5.24),
    "NVIDIA H100 PCIe": (HOPPER, 114, 1.62, 1.755, 5120, 3.19),
    "NVIDIA A100-SXM4-80GB": (AMPERE, 108, 1.41, 1.41, 5120, 3.186),
    "NVIDIA A100 80GB PCIe": (AMPERE, 108, 1.41, 1.41, 5120, 3.024),
    "NVIDIA A100-SXM4-40GB": (AMPERE, 108, 1.41, 1.41, 5120, 2.43),
    "NVIDIA A100-PCIE-40GB": (AMPERE, 108, 1.41, 1.41, 5120, 2.43),
    "NVIDIA L40S": (ADA, 142, 2.49, 2.52, 384, 18),
    "NVIDIA L40": ((512, 256, 256), 142, 2.49, 2.49, 384, 18),
    "NVIDIA L4": (ADA, 58, 2.04, 2.04, 192, 12.5),
    "NVIDIA RTX 6000 Ada Generation": (ADA, 142, 2.505, 2.505, 384, 20),
    "NVIDIA GeForce RTX 4090": (GEFORCE, 128, 2.52, 2.52, 384, 21),
    "NVIDIA GeForce RTX 5090": (GEFORCE, 170, 2.407, None, 512, 28),
    "NVIDIA RTX A6000": (GA102, 84, 1.8, 1.8, 384, 16),
    "NVIDIA A40": (GA102, 84, 1.74, 1.74, 384, 14.5),
    "NVIDIA A10": (GA102, 72, 1.695, 1.695, 384, 12.5),
    "Tesla T4": (TURING, 40, 1.59, 1.59, 256, 10),
    "Tesla V100-SXM2-16GB": (VOLTA, 80, 1.53, 1.53, 4096, 1.752),
    "Tesla V100-SXM2-32GB": (VOLTA, 80, 1.53, 1.53, 4096, 1.752),
    "Tesla V100-PCIE-16GB": (VOLTA, 80, 1.38, 1.38, 4096, 1.752),
    "AMD Instinct MI355X": (CDNA4, 256, 2.4, 2.4, 8192, 8.0),
    "AMD Instinct MI350X": (CDNA4, 256, 2.2, 2.2, 8192, 8.0),
    "AMD Instinct MI325X": (CDNA3, 304, 2.1, 2.1, 8192, 6.0),
    "AMD Instinct MI300X": (CDNA3, 304, 2.1, 2.1, 8192, 5.2),
    "AMD Instinct MI300X VF": (CDNA3, 304, 2.1, 2.1, 8192, 5.2),
    "AMD Instinct MI300A": (CDNA3, 228, 2.1, 2.1, 8192, 5.2),
    # One die of two.
    "AMD Instinct MI250X": (CDNA2, 110, 1.7, 1.7, 4096, 3.2),
    "AMD Instinct MI250": (CDNA2, 104, 1.7, 1.7, 4096, 3.2),
    "AMD Instinct MI210": (CDNA2, 104, 1.7, 1.7, 4096, 3.2),
    "AMD Instinct MI100": (CDNA1, 120, 1.502, 1.502, 4096, 2.4),
    "AMD Radeon RX 7900 XTX": (RDNA3, 96, 2.498, 2.498, 384, 20),
    "AMD Radeon PRO W7900": (RDNA3, 96, 2.495, 2.495, 384, 18),
}
# Vendors round: 1 % of arithmetic, and bandwidths down to a tenth of a TB/s.
ROUNDED, ROUNDED_DOWN = 0.01, 0.025


def _peak(device: str, dtype: str) -> Peak:
    found = listed(device, dtype)
    assert found is not None, device
    return found


@pytest.mark.parametrize("device", FACTS)
def test_arithmetic_is_units_times_clock_times_operations_a_clock(device: str) -> None:
    (half, single, rounded), units, clock, clock_of_single, _, _ = FACTS[device]
    assert _peak(device, "float16").tflops == pytest.approx(units * half * clock / 1e3, rel=ROUNDED)
    if clock_of_single is not None:
        assert _peak(device, "float32").tflops == pytest.approx(units * single * clock_of_single / 1e3, rel=ROUNDED)
    tf32 = _peak(device, TF32).tflops
    assert tf32 == (pytest.approx(units * rounded * clock / 1e3, rel=0.02) if rounded else None)


@pytest.mark.parametrize("device", FACTS)
def test_bandwidth_is_the_memorys_width_times_its_rate(device: str) -> None:
    *_, bits, rate = FACTS[device]
    assert _peak(device, "bfloat16").gbs == pytest.approx(bits * rate / 8, rel=ROUNDED_DOWN)


def test_every_row_of_the_table_is_held_to_facts_and_names_a_vendors_page() -> None:
    unheld = [row for row in SHEETS if not any(_is(device, row) for device in FACTS)]
    assert unheld == []
    vendors = ("https://www.nvidia.com/", "https://resources.nvidia.com/", "https://images.nvidia.com/",
               "https://www.amd.com/")  # fmt: skip
    assert all(row.source.startswith(vendors) for row in SHEETS)


def _is(device: str, row: Sheet) -> bool:
    peak = _peak(device, "float16")
    return (peak.source, peak.tflops, peak.gbs) == (row.source, row.half, row.gbs)


@pytest.mark.parametrize("device", ["Tesla V100-SXM2-16GB", "Tesla V100-PCIE-32GB", "Tesla T4"])
def test_devices_without_bfloat16_have_no_peak_of_it_and_one_of_float16(device: str) -> None:
    assert _peak(device, "bfloat16").tflops is None
    assert (_peak(device, "float16").tflops or 0) > 60


def test_bfloat16_is_float16s_rate_but_where_the_sheet_has_it_apart() -> None:
    assert _peak("NVIDIA H200", "bfloat16") == _peak("NVIDIA H200", "float16")
    # 120 units, 512 operations a clock, half of float16's.
    assert _peak("AMD Instinct MI100", "bfloat16").tflops == pytest.approx(120 * 512 * 1.502 / 1e3, rel=ROUNDED)


@pytest.mark.parametrize("dtype", ["float64", "float8_e4m3fn", "int8", ""])
def test_of_a_type_that_the_table_does_not_hold_only_the_bandwidth_is_known(dtype: str) -> None:
    peak = _peak("NVIDIA H100 80GB HBM3", dtype)
    assert (peak.tflops, peak.gbs) == (None, 3350)


@pytest.mark.parametrize(
    "slice_of",
    [
        "NVIDIA A100-SXM4-80GB MIG 1g.10gb",
        "NVIDIA H100 80GB HBM3 MIG 3g.40gb",
        "NVIDIA H200 MIG 1g.18gb",
        "NVIDIA H100 NVL MIG 2g.24gb",
        "NVIDIA A100 80GB PCIe MIG 7g.80gb",
        "NVIDIA GB200 MIG 1g.23gb",
        # Virtual GPUs, which share theirs.
        "NVIDIA A100-40C",
        "GRID T4-16Q",
        "NVIDIA L40S-24Q",
        "NVIDIA A10-12Q",
    ],
)
def test_a_part_of_a_device_does_not_get_the_peak_of_the_whole(slice_of: str) -> None:
    assert find_peak(slice_of, "float16") == Peak(tflops=None, gbs=None, source="")


@pytest.mark.parametrize(
    "device",
    [
        "",
        "x86_64",
        "NVIDIA GeForce RTX 4090 Laptop GPU",
        "NVIDIA GeForce RTX 4090 D",
        "NVIDIA A10G",
        "NVIDIA A100-PG509-200",
        "NVIDIA H800",
        "NVIDIA H20",
        "Tesla V100S-PCIE-32GB",
        "Quadro RTX 6000",
        "NVIDIA RTX PRO 6000 Blackwell Server Edition",
        "NVIDIA GB10",
        "AMD Instinct MI250X/MI250",
        "AMD Instinct MI308X",
        "AMD Radeon RX 7900 XT",
        "AMD Radeon Graphics",
        "NVIDIA H200\n",
    ],
)
def test_relatives_that_differ_are_not_taken_for_each_other(device: str) -> None:
    assert find_peak(device, "bfloat16") == Peak(tflops=None, gbs=None, source="")
