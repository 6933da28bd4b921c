"""Which findings there are, and in which order they are told."""

from __future__ import annotations

import json
import pkgutil
import subprocess
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from support.chrome import operator, span, trace_of
from support.findings import GEMM, stage

import tracer.findings
from tracer.findings import find as module_of_find
from tracer.findings.find import find
from tracer.findings.registry import findings
from tracer.findings.rule import Found, Rule, Saving
from tracer.summarize import summarize

if TYPE_CHECKING:
    from pathlib import Path

MACHINERY = {"documentation", "engines", "evidence", "find", "registry", "rule"}
HEAVY = {"numpy", "msgspec", "torch", "transformers"}
NEW = """
from tracer.findings.rule import Found, Rule

FINDING = Rule(id="ends-well", severity="info", rule="always", reason="why not", next_step="rejoice")


def find(evidence):
    return Found(f"{len(evidence.stages)} stages", {})
"""


@pytest.mark.parametrize("name", sorted({m.name for m in pkgutil.iter_modules(tracer.findings.__path__)} - MACHINERY))
def test_every_file_beside_the_machinery_is_a_finding_named_as_its_file_and_in_full(name: str) -> None:
    rule = findings()[name.replace("_", "-")].FINDING
    assert rule.id == name.replace("_", "-")
    assert all((rule.rule, rule.reason, rule.next_step))


def test_no_two_ranks_are_the_same() -> None:
    ranks = [file.FINDING.rank for file in findings().values()]
    assert ranks == sorted(set(ranks))


def test_a_new_finding_is_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ends_well.py").write_text(NEW)
    with monkeypatch.context() as patch:
        patch.setattr(tracer.findings, "__path__", [*tracer.findings.__path__, str(tmp_path)])
        patch.setattr(module_of_find, "findings", findings.__wrapped__)  # the cache stays as it is
        found = summarize(trace_of(*stage("tracer/vision", 0, 5, [GEMM]))).findings
    del sys.modules["tracer.findings.ends_well"]
    assert [(one.id, one.message, one.next_step) for one in found] == [("ends-well", "1 stages", "rejoice")]
    assert "ends-well" not in findings()


def test_errors_come_first_then_what_leads_then_the_largest_gain_then_rank(monkeypatch: pytest.MonkeyPatch) -> None:
    def file(id: str, gain_ns: int | None = None, severity: Any = "info", leads: bool = False) -> SimpleNamespace:
        gain = None if gain_ns is None else Saving(gain_ns, of_ns=100, of="the trace", basis="a guess")
        rule = Rule(id=id, severity=severity, rule="r", reason="r", next_step="n", leads=leads)
        return SimpleNamespace(FINDING=rule, find=lambda _: Found(id, {}, gain))

    files = [
        file("none"), file("none-too"), file("small", 1), file("large", 9), file("leads", leads=True),
        file("error", 1, "error"), file("worse", 2, "error"),
    ]  # fmt: skip
    monkeypatch.setattr(module_of_find, "findings", lambda: {one.FINDING.id: one for one in files})
    order = [one.id for one in find(SimpleNamespace(maker=""))]  # type: ignore[arg-type]
    assert order == ["worse", "error", "leads", "large", "small", "none", "none-too"]


def test_the_first_finding_names_the_biggest_stage() -> None:
    events = stage("tracer/vision", 0, 5, [GEMM] * 2) + stage("tracer/prefill", 100, 5, [GEMM] * 8, first=50)
    found = summarize(trace_of(*events)).findings
    assert found[0].id == "bottleneck-stage"
    assert "LLM prefill takes 80.0 %" in found[0].message


def test_operators_of_a_cpu_raise_nothing_about_devices() -> None:
    events = [span("tracer/decode#1", 0, 100), *[operator("aten::mm", 30 * i, 5) for i in range(3)]]
    assert summarize(trace_of(*events)).findings == []


def test_the_words_of_all_findings_are_read_without_anything_heavy() -> None:
    code = (
        "import json, sys\n"
        "sys.argv = ['tracer', 'explain', 'kv-growth']\n"
        "from tracer.cli.main import main\n"
        "try:\n    main()\n"
        "finally:\n    print(json.dumps(sorted(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stderr))
    assert done.stdout.startswith("kv-growth\n\nrule: device time grows with the cache")
    assert {f"tracer.findings.{id.replace('-', '_')}" for id in findings()} < loaded
    assert not {name for name in loaded if name.split(".")[0] in HEAVY}
    assert not {name for name in loaded if name.startswith(("tracer.measure", "tracer.charge", "tracer.trace"))}
