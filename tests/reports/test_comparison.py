from __future__ import annotations

import re

import msgspec
import pytest
from support.chrome import kernel, launch, operator, span, trace_of
from support.expected import expected
from support.manifests import as_metadata
from support.summaries import KERNELS, requests, summary

from reports.document import of_comparison
from reports.parts.gates import sentence
from reports.render.text import render
from tracer.compare.gates import check_budgets, check_regressions, parse_budget
from tracer.compare.pairs import compare
from tracer.document.comparison import Comparison, Gate
from tracer.document.summary import Summary
from tracer.summarize import Choices, summarize

AFTER = (("vision", "conv", 33), *KERNELS[1:3], ("decode#2", "gemv", 26))


def _compare(*summaries: Summary, tolerance: float | None = 0.01) -> Comparison:
    given = summaries or (summary(requests(30)), summary(requests(33), path="b.json", kernels=AFTER))
    return compare(given, tolerance=tolerance)


def _text(found: Comparison, width: int = 80) -> str:
    return render(of_comparison(found), width=width)


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_the_whole_comparison(width: int) -> None:
    long = (("vision", f"{'very_' * 20}long", 33), *KERNELS[1:3], ("decode#2", f"{'very_' * 20}longer", 26))
    after = summary(requests(33), path=f"{'folder/' * 20}b.json", kernels=long)
    found = _text(_compare(summary(requests(30)), after), width)
    assert found == expected(f"comparison_{width}.txt", found)


def test_the_stage_table() -> None:
    text = _text(_compare())
    lines = text.splitlines()
    assert lines[0].split() == ["file", "run", "requests", "tokens", "in", "out"]
    assert lines[1].split() == "A a.json eventgpt 7b, bfloat16 on GPU 8 582 + 64 3".split()
    assert lines[4:6] == ["B against A", "B is slower in vision (+10 %), request (+2.4 %), ttft (+3.6 %)."]
    assert lines[6].split() == "A B delta ratio 95 % verdict".split()
    assert lines[9:11] == [
        "vision              30.0 ms  33.0 ms  +3.00 ms  × 1.100  1.097 – 1.103  slower",
        "  per visual token  51.6 µs  56.7 µs  +5.16 µs  × 1.100  1.097 – 1.103  slower",
    ]
    words = " ".join(text.split())
    assert "called slower or faster is at most 5 %" in words
    assert "Allowed for as drift between recordings: 1 %." in words
    assert "95 %: an interval of the ratio" in words
    wide = _text(_compare(), 120).splitlines()
    assert wide[6].split() == "A B delta ratio 95 % p on the device verdict".split()
    assert wide[9].split()[-7:] == ["0.0003", "30.0", "µs", "→", "33.0", "µs", "slower"]


def test_one_recording_of_each_without_a_tolerance_is_said_to_tell_nothing() -> None:
    words = " ".join(_text(_compare(tolerance=None)).split())
    assert "Whether B differs from A cannot be told: one recording of each run." in words
    assert "one recording of each run" in words
    assert "differ by if that is more (here up to 1 %)" in words


def test_a_difference_that_is_the_hosts_is_said_to_be() -> None:
    lead = "The device did the same work in the same time in "
    one = " ".join(_text(_compare(summary(requests()), summary(requests(prefill_ms=70)))).split())
    assert f"{lead}prefill (50.0 µs and 50.0 µs): this difference is the host's." in one
    two = " ".join(_text(_compare(summary(requests()), summary(requests(40, prefill_ms=70)))).split())
    assert f"{lead}vision (30.0 µs and 30.0 µs), prefill (50.0 µs and 50.0 µs): these differences are the" in two
    assert lead not in _text(_compare())


def test_options_that_differ_are_listed_and_cannot_steer_the_terminal() -> None:
    after = summary(requests(), dtype="\x1b[2J[red]")
    text = _text(_compare(summary(requests()), after))
    table = text.split("what B was recorded with otherwise than A\n")[1].splitlines()
    assert table[0].split() == ["option", "A", "B"]
    assert table[1].split() == ["dtype", "bfloat16", "\\x1b[2J[red]"]
    assert "otherwise" not in _text(_compare())


def test_traces_without_stages_are_tables_of_totals_and_kernels() -> None:
    one, other = (
        summarize(trace_of(launch(0, 1, 1), kernel("gemm", 5, length, 1)), Choices(by="kernel"))
        for length in (100, 150)
    )
    text = _text(_compare(one, other))
    assert "A and B have no stages in common." in text
    assert text.split("whole traces, B against A\n")[1].splitlines()[:3] == [
        "                  A       B    ratio",
        "ops               1       1  × 1.000",
        "device time  100 µs  150 µs  × 1.500",
    ]
    assert "slower  gemm    100 µs (1)  150 µs (1)  +50.0 µs" in text
    assert "Times (and how often) in the whole trace" in " ".join(text.split())


def test_times_of_operators_are_not_called_those_of_a_device() -> None:
    def of_a_cpu(length_us: float) -> Summary:
        steps = [span(f"tracer/decode#{k}", 100 * k, 100) for k in (1, 2, 3)]
        work = [operator("aten::mm", 100 * k + 10, length_us) for k in (1, 2, 3)]
        return summarize(trace_of(*steps, *work, tracer=as_metadata(requests())))

    found = _compare(of_a_cpu(20), of_a_cpu(30))
    text = _text(found)
    assert found.pairs[0].work == "operators"
    assert "operators, B against A" in text
    assert re.search(r"^operator time +3 ", text, re.MULTILINE)
    assert "device time" not in text
    assert _compare().pairs[0].work == "device"
    assert _compare(summary(requests()), of_a_cpu(20)).pairs[0].work == "mixed"


def test_a_gate_that_cannot_be_judged_says_why() -> None:
    found = _compare(tolerance=None)
    gates = check_regressions(found, 0.05)
    row, *why = _text(msgspec.structs.replace(found, gates=gates)).split("\ngates\n")[1].splitlines()[1:]
    assert row.split() == "cannot be judged max-regression 5% – – b.json".split()
    said = sentence(gates[0])
    assert said.startswith("b.json: --max-regression 5% cannot be judged: one recording of each run: ")
    assert "--tolerance 3%" in said
    assert " ".join(why) == f"{said}."


def test_a_limit_that_was_kept_says_what_it_was_not_held_against() -> None:
    kept = Gate(
        gate="max-regression 5%", path="b.json", of="load", kind="regression", value=0.0, limit=0.05, passed=True,
        reason="vision may be slower by more: that cannot be told", next_step="record more",
    )  # fmt: skip
    text = _text(msgspec.structs.replace(_compare(), gates=[kept])).split("\ngates\n")[1]
    assert text.splitlines()[-1] == "b.json: vision may be slower by more: that cannot be told; record more."
    assert text.splitlines()[1].startswith("kept")


def test_steps_kernels_and_overlap_windows() -> None:
    text = _text(_compare())
    assert "latency          2  20.0 ms  20.0 ms     +0 ns  × 1.000  beyond 1 %: nowhere\n" in text
    assert "vision  appeared  conv              –  33.0 µs (1)  +33.0 µs\n" in text
    assert "decode  slower    gemv    20.0 µs (1)  23.0 µs (1)  +3.00 µs\n" in text
    assert "1 appeared, 1 vanished, 1 slower, 0 faster, 1 alike" in " ".join(text.split())
    assert "A           50.0 ms         B  20.0 ms    2\n" in text


def test_gates_are_listed_with_what_was_found() -> None:
    found = _compare()
    after = summary(requests(33), path="b.json")
    gates = check_budgets(after, [parse_budget("vision<=20%"), parse_budget("tpot<=1s")]) + check_regressions(
        found, 0.05
    )
    text = _text(msgspec.structs.replace(found, gates=gates))
    assert text.split("\ngates\n")[1].splitlines() == [
        "        gate               of        found  file",
        "FAILED  vision<=20%        vision     26 %  b.json",
        "kept    tpot<=1s           tpot    20.0 ms  b.json",
        "FAILED  max-regression 5%  vision    +10 %  b.json",
    ]
    assert [sentence(gate) for gate in gates if not gate.passed] == [
        "b.json: vision takes 26 % of the request; --budget vision<=20% allows 20 %",
        "b.json: vision is 10 % slower than the baseline; --max-regression 5% allows 5 %",
    ]


def test_what_could_not_be_tested_is_said_first() -> None:
    text = _text(_compare(summary(), summary(kernels=AFTER)))
    assert "A and B beside each other; nothing could be tested." in text
    assert "note: times are of the traces" in text
    assert "untested" in text
    same = _text(_compare(summary(requests()), summary(requests())))
    assert "No difference between A and B that exceeds the noise." in same


@pytest.mark.parametrize("width", [20, 40, 60, 77, 78, 80, 120, 200])
def test_no_line_is_wider_than_the_terminal_and_wide_ones_keep_every_figure(width: int) -> None:
    long = (("vision", "k" * 300, 30), *KERNELS[1:])
    found = _compare(summary(requests(30), path="p" * 300), summary(requests(33), kernels=long))
    text = _text(found, width)
    assert max(map(len, text.splitlines())) <= width
    if width >= 60:
        assert "30.0 ms  33.0 ms" in text
        assert "× 1.100" in text


def test_names_cannot_steer_the_terminal_or_the_markup() -> None:
    name = "\x1b[2J[red]evil[/red]\n"
    text = render(of_comparison(_compare(summary(path=name), summary(kernels=(("vision", name, 5),)))), width=120)
    assert "\x1b" not in text
    assert "\\x1b[2J[red]evil[/red]\\n" in text


def test_colours_come_only_when_asked_for() -> None:
    found = of_comparison(_compare())
    assert "\x1b" not in render(found)
    assert "\x1b[1;31m" in render(found, colours="standard")


def test_every_pair_has_its_sections() -> None:
    three = _compare(summary(requests()), summary(requests(33)), summary(requests(27)))
    titles = [block.title for block in of_comparison(three)]
    assert [title for title in titles if title.endswith("against A") and "," not in title] == [
        "B against A", "C against A",
    ]  # fmt: skip
    assert "C is faster in vision (-10 %)" in _text(three)
