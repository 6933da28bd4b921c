from __future__ import annotations

from pathlib import Path

from support.chrome import write
from support.findings import found
from support.joint import both, model

from tracer.choices import Choices
from tracer.findings.models_share_a_host import FINDING

ID = FINDING.id


def _solos(folder: Path, every: float) -> Choices:
    small = write(folder / "small.json", *model("small", every))
    large = write(folder / "large.json", *model("large", 100, busy=80))
    return Choices(solos={"S": small, "L": large})


def test_a_model_whose_next_op_is_asked_for_later_beside_another_is_slow_by_its_host(tmp_path: Path) -> None:
    finding = found(ID, *both(), choices=_solos(tmp_path, 20))
    assert finding is not None
    assert "by its host and not by the device" in finding.message
    assert "threads of one process (100), which share one interpreter" in finding.message
    assert finding.gain is not None and finding.gain.time_ns == 360_000


def test_a_model_that_takes_what_it_takes_alone_is_not_named(tmp_path: Path) -> None:
    assert found(ID, *both(), choices=_solos(tmp_path, 60)) is None


def test_a_model_that_waits_for_the_others_kernels_is_not_slow_by_its_host(tmp_path: Path) -> None:
    assert found(ID, *both(small_every=20, small_busy=70), choices=_solos(tmp_path, 20)) is None


def test_without_its_own_trace_nothing_is_said() -> None:
    assert found(ID, *both()) is None
