"""What is worth knowing about the ranks of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.document.ranks import CPU, DEVICE, HOST
from tracer.document.summary import Finding
from tracer.document.words import title
from tracer.ranks.stragglers import median

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracer.document.ranks import Rank, RankStage, Straggler

# Of a stage's device time: half is most of it; a fourth of it, waited, is worth a word; ranks a fifth apart are uneven.
MOST, MUCH, UNEVEN = 0.5, 0.25, 1.2
RUN_AHEAD = "let the ranks' hosts run ahead of their devices: CUDA graphs, fewer launches"
WHY = {
    HOST: "its host launches late",
    DEVICE: "its device takes longer before the collectives",
    "network": "its transfers take longer",
}
DO = {
    HOST: (
        "look at that rank's host: other work on its cores, where its process is pinned, what it alone does (logging, "
        "sampling); tracer summarize of its trace says what its steps wait for"
    ),
    DEVICE: "look at that rank's share of the work and its device's clock and temperature",
    "network": "look at that rank's link: nvidia-smi topo -m and nvlink --status, and nccl-tests between the ranks",
}
# Of ranks on CPUs, whose work is operators and whose transfers are gloo's.
WHY_ON_CPU = {**WHY, DEVICE: "its operators take longer before the collectives"}
DO_ON_CPU = {
    **DO,
    DEVICE: "look at that rank's share of the work, and at what else runs on its cores",
    "network": "look at that rank's cores, of which gloo's threads need some, and at its network interface",
}
RULES = {
    "rank-straggler": (
        "in most runs of a stage one rank is later than the others by a twentieth of what the run takes (a fiftieth, "
        "where its host loses much the same at one place of each), and by more than the clocks' residual: in more than "
        "half of them beyond chance (sign test, p 0.05), in all of fewer than five"
    ),
    "communication-bound": "transfers take more than half of a stage's device time on the median rank",
    "collective-waits": "waiting in collectives is more than a quarter of a stage's device time, of all ranks together",
    "imbalance": "a rank's device time without collectives is more than a fifth above the median of a stage",
}


def find(ranks: Sequence[Rank], stragglers: Sequence[Straggler], *, complete: bool) -> list[Finding]:
    """All findings, stragglers first; of ranks of which some are missing, none that rests on transfers alone."""
    on_cpu = all(rank.device == CPU for rank in ranks)
    found = [_straggler(one, on_cpu=on_cpu) for one in stragglers]
    for stage in dict.fromkeys(row.stage for rank in ranks for row in rank.stages if row.stage):
        rows = {rank.rank: row for rank in ranks for row in rank.stages if row.stage == stage}
        if len(rows) > 1 and not any(row.lost for row in rows.values()):
            found += _of_stage(stage, rows, complete=complete, on_cpu=on_cpu)
    return found


def _straggler(one: Straggler, *, on_cpu: bool) -> Finding:
    why, do = (WHY_ON_CPU, DO_ON_CPU) if on_cpu else (WHY, DO)
    stage = one.stage or "work outside stages"
    each = (
        f"{one.pass_ns / 1e6:.2f} ms in a run of {one.stage_pass_ns / 1e6:.1f} ms, in {one.passes} of {one.of_passes}"
    )
    where = "" if one.place is None else f", at one go before collective {one.place} of a run"
    if one.pace_ns:
        where += f" ({one.pace_ns / one.of_passes / 1e6:.2f} ms a run more by launching everything later)"
    return Finding(
        id="rank-straggler",
        severity="warning",
        message=f"the others wait for rank {one.rank} in {stage}, {why[one.cause]}: {each}{where}",
        evidence={
            "rank": one.rank,
            "stage": one.stage,
            "cause": one.cause,
            "late_ns": one.late_ns,
            "passes": one.passes,
        },
        rule=RULES["rank-straggler"],
        next_step=do[one.cause],
    )


def _of_stage(stage: str, rows: dict[int, RankStage], *, complete: bool, on_cpu: bool) -> Iterator[Finding]:
    matched = not any(row.unmatched_ns for row in rows.values()) and len({row.runs for row in rows.values()}) == 1
    device_ns = sum(row.device_time_ns or 0 for row in rows.values())
    waits_ns = {rank: row.wait_ns or 0 for rank, row in rows.items()}
    wait_ns = sum(waits_ns.values())
    moved = median([round(1000 * (row.transfer_ns or 0) / (row.device_time_ns or 1)) for row in rows.values()]) / 1000
    if moved > MOST and complete and matched:
        yield _found(
            "communication-bound",
            f"{title(stage)} is bound by communication: transfers are {moved:.0%} of the median rank's device time",
            {"stage": stage, "share": moved},
            "split over fewer ranks, or quantise what is sent; see the bus bandwidth by size",
        )
    if wait_ns > MUCH * device_ns:
        worst = max(waits_ns, key=lambda rank: waits_ns[rank])
        yield _found(
            "collective-waits",
            f"{title(stage)}: {wait_ns / device_ns:.0%} of all ranks' device time is waiting in collectives, most on "
            f"rank {worst} ({waits_ns[worst] / 1e6:.1f} ms): it is not transfer, and no faster link would help",
            {"stage": stage, "wait_ns": wait_ns, "share": wait_ns / device_ns, "rank": worst},
            "see who is late" if on_cpu else f"{RUN_AHEAD}; and see who is late",
            "info",
        )
    own = {rank: row.own_ns or 0 for rank, row in rows.items()}
    middle, most = median(list(own.values())), max(own, key=lambda rank: own[rank])
    if matched and middle > 0 and own[most] > UNEVEN * middle:
        work = "operators" if on_cpu else "kernels"
        yield _found(
            "imbalance",
            f"{title(stage)}: rank {most}'s own {work} take {own[most] / middle:.2f} times the median rank's",
            {"stage": stage, "rank": most, "time_ns": own[most], "median_ns": middle},
            "split the work evenly: heads, experts or tokens by rank; or its device is slower",
        )


def _found(id: str, message: str, evidence: dict[str, object], next_step: str, severity: str = "warning") -> Finding:
    return Finding(id=id, severity=severity, message=message, evidence=evidence, rule=RULES[id], next_step=next_step)
