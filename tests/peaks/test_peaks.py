from __future__ import annotations

from pathlib import Path

import pytest

from tracer.peaks.find import find_peak
from tracer.peaks.measured import cache_file, remember
from tracer.peaks.peak import Peak


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


@pytest.mark.parametrize(
    ("device", "dtype", "tflops", "gbs"),
    [
        ("NVIDIA H200", "bfloat16", 989.5, 4800),
        ("NVIDIA H200", "float32", 67, 4800),
        ("NVIDIA B200", "float16", 2250, 8000),
        ("NVIDIA H100 80GB HBM3", "bfloat16", 989.4, 3350),
        ("NVIDIA H100 PCIe", "bfloat16", 756, 2000),
        ("NVIDIA A100-SXM4-80GB", "bfloat16", 312, 2039),
        ("NVIDIA A100-PCIE-40GB", "bfloat16", 312, 1555),
        ("NVIDIA GeForce RTX 4090", "bfloat16", 165.2, 1008),
        ("NVIDIA GeForce RTX 5090", "float32", None, 1792),
        ("AMD Instinct MI300X VF", "bfloat16", 1307.4, 5300),
        ("AMD Instinct MI300X", "float32", 163.4, 5300),
        ("AMD Instinct MI300A", "float16", 980.6, 5300),
        ("AMD Instinct MI325X", "bfloat16", 1307.4, 6000),
        ("AMD Instinct MI350X", "float16", 2309.6, 8000),
        ("AMD Instinct MI355X", "bfloat16", 2516.6, 8000),
        ("AMD Instinct MI355X", "float32", 157.3, 8000),
        # One die of two: half a module.
        ("AMD Instinct MI250X", "bfloat16", 191.5, 1600),
        ("AMD Instinct MI250", "float32", 45.25, 1600),
        ("AMD Instinct MI210", "bfloat16", 181, 1600),
        ("AMD Instinct MI100", "float16", 184.6, 1228.8),
        ("AMD Instinct MI100", "bfloat16", 92.3, 1228.8),
        ("AMD Instinct MI100", "float32", 46.1, 1228.8),
        ("AMD Radeon RX 7900 XTX", "float16", 122.8, 960),
        ("AMD Radeon PRO W7900", "float32", 61.3, 864),
        ("Tesla T4", "float16", 65, 320),
    ],
)
def test_data_sheets_by_the_names_that_drivers_use(device: str, dtype: str, tflops: float | None, gbs: float) -> None:
    peak = find_peak(device, dtype)
    assert (peak.tflops, peak.gbs) == (tflops, gbs)
    assert peak.source.startswith("https://")


@pytest.mark.parametrize(
    "device",
    [
        "",
        "x86_64",
        "NVIDIA H100 NVL",
        "NVIDIA GeForce RTX 4090 Laptop GPU",
        "NVIDIA A10G",
        "NVIDIA GH200 480GB",
        "AMD Instinct MI250X/MI250",
        "AMD Instinct MI308X",
        "AMD Radeon RX 7900 XT",
        "AMD Radeon Graphics",
    ],
)
def test_relatives_that_differ_are_not_taken_for_each_other(device: str) -> None:
    assert find_peak(device, "bfloat16") == Peak(tflops=None, gbs=None, source="")


def test_what_was_given_counts_before_what_was_measured_before_the_data_sheet() -> None:
    assert remember("NVIDIA H200", "bfloat16", Peak(tflops=700, gbs=4000, source="measured")) == cache_file()
    assert find_peak("NVIDIA H200", "bfloat16").gbs == 4000
    assert find_peak("NVIDIA H200", "float16").gbs == 4800
    half = find_peak("NVIDIA H200", "bfloat16", gbs=1)
    assert (half.tflops, half.gbs, half.source) == (700, 1, "--peak-gbs, else measured")
    whole = find_peak("NVIDIA H200", "bfloat16", tflops=2, gbs=1)
    assert (whole.tflops, whole.gbs, whole.source) == (2, 1, "--peak-tflops and --peak-gbs")
    assert find_peak("abacus", "float32", gbs=3) == Peak(tflops=None, gbs=3, source="--peak-gbs")


def test_measurements_of_other_devices_are_kept() -> None:
    one, two = (Peak(tflops=value, gbs=value, source="s") for value in (1, 2))
    remember("a", "float32", one)
    remember("b", "float32", two)
    assert (find_peak("a", "float32"), find_peak("b", "float32")) == (one, two)


def test_a_damaged_cache_is_no_cache() -> None:
    cache_file().parent.mkdir(parents=True)
    cache_file().write_bytes(b'{"a/float32": {"tflops": "many"}}')
    assert find_peak("a", "float32").tflops is None


def test_what_the_trace_says_of_memory_is_the_last_resort() -> None:
    assert find_peak("abacus", "float32", traced_gbs=3) == Peak(tflops=None, gbs=3, source="the trace")
    assert find_peak("NVIDIA H200", "float16", traced_gbs=3).gbs == 4800
    assert find_peak("abacus", "float32", gbs=2, traced_gbs=3).gbs == 2
