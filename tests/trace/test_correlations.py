"""A correlation below one is an id where it joins one op to one call, and none elsewhere."""

from __future__ import annotations

import pytest
from support.chrome import call, kernel, launch, trace_of

from tracer.charge.launches import find_launches


@pytest.mark.parametrize("number", [0, -1, -7])
def test_one_op_and_one_call_of_a_number_are_joined_whatever_it_is(number: int) -> None:
    trace = trace_of(launch(1, 2, number), kernel("k", 5, 2, number), launch(7, 2, 1), kernel("l", 9, 2, 1))
    assert find_launches(trace).tolist() == [0, 1]


def test_a_call_and_the_drivers_call_inside_it_are_one() -> None:
    inner = call("cuLaunchKernel", 2, 1, 0)
    trace = trace_of(launch(1, 5, 0), inner, kernel("k", 9, 2, 0))
    assert find_launches(trace).tolist() == [0]


@pytest.mark.parametrize("number", [0, -1])
def test_a_number_of_several_calls_or_ops_is_a_way_to_say_none(number: int) -> None:
    calls = [launch(1, 2, number), call("cudaLaunchKernelExC", 4, 1, number)]
    assert find_launches(trace_of(*calls, kernel("k", 9, 2, number))).tolist() == [-1]
    ops = [kernel("k", 9, 2, number), kernel("l", 15, 2, number)]
    assert find_launches(trace_of(launch(1, 2, number), *ops)).tolist() == [-1, -1]
