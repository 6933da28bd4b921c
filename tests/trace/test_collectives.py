"""What is read of NCCL's arguments and of the metadata of a run; damaged ones say nothing."""

from __future__ import annotations

from typing import Any

import pytest
from support.chrome import document, kernel, launch, read_bytes

from tracer.trace.collectives import Collective, Distributed
from tracer.trace.columns import Trace, Want

WANT = Want.SUMMARY | Want.COLLECTIVES
SAID: dict[str, Any] = {
    "Collective name": "allreduce", "In msg nelems": 8, "Out msg nelems": 8, "Group size": 2, "dtype": "Float",
    "Process Group Name": "0", "Process Group Ranks": "[0, 1]",
}  # fmt: skip


def trace_with(args: dict[str, Any], want: Want = WANT, **metadata: Any) -> Trace:
    events = [launch(0, 1, 1), kernel("gemm", 2, 1, 1), launch(3, 1, 2), kernel("ncclDevKernel", 5, 1, 2, args=args)]
    return read_bytes(document(*events, **metadata), want)


@pytest.mark.parametrize("more", [Want(0), Want.LAUNCHED, Want.DETAILS, Want.LAUNCHED | Want.DETAILS | Want.CPU_OPS])
def test_a_collective_is_read_whatever_else_is_wanted(more: Want) -> None:
    found = trace_with({**SAID, "grid": [1, 2, 3], "External id": 7}, WANT | more).collectives
    assert found is not None
    assert found.of_op.tolist() == [-1, 0]
    assert found.kinds == [
        Collective(name="allreduce", group="0", ranks=(0, 1), size=2, sent=8, received=8, dtype="Float")
    ]


def test_unless_asked_for_nothing_is_read_of_them() -> None:
    assert trace_with(SAID, Want.SUMMARY).collectives is None


@pytest.mark.parametrize("ranks", ["[0, 1, ...]", "[0, 0]", "[-1, 2]", "{", 5, None, [1e300], "[" * 5000])
def test_members_that_are_not_listed_whole_are_unknown(ranks: object) -> None:
    found = trace_with({**SAID, "Process Group Ranks": ranks}).collectives
    assert found is not None
    assert [kind.ranks for kind in found.kinds] == [None]


def test_the_metadata_say_the_rank_and_the_groups() -> None:
    info = {
        "rank": 1,
        "world_size": 4,
        "pg_config": [{"pg_name": "tp", "ranks": [0, 1]}, {"pg_name": "x", "ranks": [[]]}],
    }
    trace = trace_with(SAID, distributedInfo=info, baseTimeNanoseconds=1790857026000000000)
    assert trace.distributed == Distributed(rank=1, world_size=4, groups={"tp": (0, 1)}, base_ns=1790857026000000000)


@pytest.mark.parametrize("info", [[], "rank 1", {"rank": -1, "world_size": "many", "pg_config": 3}, {"rank": True}])
def test_damaged_metadata_say_nothing(info: object) -> None:
    assert trace_with(SAID, distributedInfo=info).distributed == Distributed()
