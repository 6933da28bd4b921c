from __future__ import annotations

from pathlib import Path

import pytest

from tracer.peaks.find import find_peak
from tracer.peaks.measured import cache_file, remember
from tracer.peaks.peak import Peak


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


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


def test_what_a_cpu_did_with_other_threads_says_nothing() -> None:
    eight = Peak(tflops=1, gbs=40, source="measured")
    remember("Some Processor", "float32", eight, threads=8)
    assert find_peak("Some Processor", "float32", threads=8) == eight
    for threads in (1, 80, None):
        assert find_peak("Some Processor", "float32", threads=threads).tflops is None


def test_a_damaged_cache_is_no_cache() -> None:
    cache_file().parent.mkdir(parents=True)
    cache_file().write_bytes(b'{"a/float32": {"tflops": "many"}}')
    assert find_peak("a", "float32").tflops is None


def test_what_the_trace_says_of_memory_is_the_last_resort() -> None:
    assert find_peak("abacus", "float32", traced_gbs=3) == Peak(tflops=None, gbs=3, source="the trace")
    assert find_peak("NVIDIA H200", "float16", traced_gbs=3).gbs == 4800
    assert find_peak("abacus", "float32", gbs=2, traced_gbs=3).gbs == 2


def test_what_the_trace_says_of_the_memory_of_a_whole_device_is_not_that_of_its_slice() -> None:
    slice_of = "NVIDIA H100 80GB HBM3 MIG 1g.10gb"
    assert find_peak(slice_of, "bfloat16", traced_gbs=3350) == Peak(tflops=None, gbs=None, source="")
    assert find_peak(slice_of, "bfloat16", gbs=400, traced_gbs=3350).gbs == 400
    own = Peak(tflops=100, gbs=380, source="measured")
    remember(slice_of, "bfloat16", own)
    assert find_peak(slice_of, "bfloat16", traced_gbs=3350) == own
    assert find_peak("NVIDIA H100 80GB HBM3e", "bfloat16", traced_gbs=3350).gbs == 3350
