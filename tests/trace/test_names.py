"""Names that nobody can have given in earnest are cut where they are numbered, in either kind of file."""

from __future__ import annotations

from support.chrome import kernel, launch, span, trace_of
from support.nsight import Export

from tracer.trace.names import LONGEST_NAME, cut

LONG = "void k<" + "a" * 200_000 + ">(int)_12"


def test_the_longest_name_of_a_real_trace_stays_as_it_is() -> None:
    name = "k" * LONGEST_NAME
    assert cut(name) is name
    assert cut(name + "k") != name + "k"


def test_a_cut_name_keeps_its_ends_and_says_what_was_cut() -> None:
    short = cut(LONG)
    assert len(short) < LONGEST_NAME
    assert short.startswith("void k<aaa")
    assert short.endswith("aaa>(int)_12")
    assert f"[{len(LONG) - 6144 - 1024:,} characters, " in short


def test_names_that_differ_only_where_they_are_cut_stay_two() -> None:
    other = LONG[:100_000] + "b" + LONG[100_001:]
    trace = trace_of(
        launch(0, 1, 1), kernel(LONG, 1, 1, 1), launch(2, 1, 2), kernel(other, 3, 1, 2), kernel(LONG, 5, 1)
    )
    first, second, third = trace.ops.name.tolist()
    assert first == third != second
    assert {len(trace.strings[number]) for number in (first, second)} == {len(cut(LONG))}


def test_half_a_surrogate_pair_in_a_long_name_is_no_obstacle() -> None:
    assert len(cut("\ud800" * 100_000)) < LONGEST_NAME


def test_every_name_and_thread_of_a_chrome_trace() -> None:
    trace = trace_of(
        span(LONG, 0, 9), launch(0, 1, 1), {**launch(2, 1, 2), "name": "cuda" + LONG, "tid": LONG},
        kernel(LONG, 1, 1, 1), deviceProperties=[{"id": 0, "name": LONG}],
    )  # fmt: skip
    given = [*trace.strings, *(part for thread in trace.threads for part in thread), trace.devices[0].name]
    assert max(map(len, given)) < LONGEST_NAME


def test_every_name_of_an_nsight_export_but_a_mark() -> None:
    export = Export().kernel(LONG, 0, 5, 1).call(0, 1, 1, name=LONG).span(LONG, 0, 9)
    export.row("TARGET_INFO_GPU", id=0, cuDevice=0, name=LONG)
    export.nvtx(75, 0, None, LONG, domainId=3).span("x", 1, 2, domainId=3).span(LONG, 1, 2, domainId=3)
    trace = export.trace()
    assert max(map(len, [*trace.strings, trace.devices[0].name])) < LONGEST_NAME


def test_a_long_domain_is_not_copied_in_front_of_every_range() -> None:
    export = Export().nvtx(75, 0, None, "d" * 1_000_000, domainId=3)
    for number in range(200):
        export.span(f"x{number}", number, number + 1, domainId=3)
    assert sum(map(len, export.trace().strings)) < 200 * LONGEST_NAME
