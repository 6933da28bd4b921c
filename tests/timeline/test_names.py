"""The names of a timeline have a bounded room."""

from __future__ import annotations

from tracer.arrays import int64
from tracer.timeline.names import LONGEST_NAME, MOST_CHARACTERS, OTHER, chosen, short


def test_those_that_are_used_are_there_those_with_the_most_time_first() -> None:
    names, numbers, place = chosen(["a", "unused", "b"], [(int64([0, 2]), int64([5, 50]))])
    assert names == [OTHER, "b", "a"]
    assert numbers == [-1, 2, 0]
    assert place.tolist() == [2, 0, 1]


def test_a_long_name_keeps_its_beginning_and_its_end() -> None:
    cut = short("b" * 300 + "x" * 9000 + "e" * 100)
    assert len(cut) <= LONGEST_NAME
    assert (cut[:200], cut[-50:]) == ("b" * 200, "e" * 50)
    assert short("kernel") == "kernel"


def test_beyond_the_room_that_there_is_names_are_not_spelled_out() -> None:
    strings = [f"{number:06}{'n' * 394}" for number in range(3000)]
    names, _, place = chosen(strings, [(int64(range(3000)), int64(range(3000, 0, -1)))])
    assert sum(map(len, names)) <= MOST_CHARACTERS + len(OTHER)
    assert place.tolist()[0] == 1
    assert place.tolist()[-1] == 0
