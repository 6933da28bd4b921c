"""Speculative decoding: the rounds, what they yield, and whether they pay."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.blocks import Block, Column, Element, Line, Row, Sentence, Table, block, line, note
from reports.palette import NONE
from reports.parts.words import known, on_cpu
from reports.units import counted, duration, share

if TYPE_CHECKING:
    from reports.asked import Asked
    from tracer.document.summary import Round, Speculation, Summary

# So many rounds are shown one by one.
SHOWN = 8
# What rounds may say of their tokens; columns of which none does are left out, narrow terminals leave out the highest.
COUNTS = {"drafted": 3, "accepted": 1, "yielded": 2}


def part(summary: Summary, _: Asked) -> Block | None:
    """The rounds, all of them together, what each model did, and what the target alone would take."""
    found = summary.speculation
    if found is None:
        return None
    return block("speculative decoding", *_parts(found, cpu=on_cpu(summary)))


def _parts(found: Speculation, *, cpu: bool) -> list[Element | None]:
    lines = [*_waits(found, cpu=cpu), *_checks(found), *_early(found)]
    return [*_counts(found), _rounds(found), *_pays(found), *lines, _roles(found, cpu=cpu), _reading(found)]


def _counts(found: Speculation) -> list[Line]:
    said = [
        counted(found.rounds, "round"),
        f"drafted {_count(found.drafted_tokens)}",
        f"accepted {_count(found.accepted_tokens)}{_rate(found)}",
        f"tokens {_count(found.yielded_tokens)}",
    ]
    lines = [line(" · ".join(said), role="strong")]
    if found.accepted_tokens is None and found.told_rounds:
        said_of = f"{found.told_rounds:,} of {counted(found.rounds, 'round')} say what was accepted"
        told = f"{found.told_accepted_tokens:,} of {counted(found.told_drafted_tokens, 'drafted token')}"
        lines.append(line(f"{said_of}: {told}"))
    if found.acceptance_by_position:
        shares = " · ".join(f"{place} {at:.0%}" for place, at in enumerate(found.acceptance_by_position[:16], start=1))
        lines.append(line(f"accepted by position: {shares}"))
    return lines


def _rate(found: Speculation) -> str:
    if found.accepted_tokens is None or not found.drafted_tokens:
        return ""
    return f" ({found.accepted_tokens / found.drafted_tokens:.0%})"


def _rounds(found: Speculation) -> Table:
    shown = found.each[:SHOWN] if _tell(found) else []
    told = [name for name in COUNTS if any(getattr(one, name) is not None for one in shown)]
    columns = [
        Column("round", right=False),
        *[Column(name, rank=COUNTS[name]) for name in told],
        *map(Column, ("drafting", *(("mapping",) if _mapped(found) else ()), "verifying", "waiting")),
    ]
    rows = [_row(found, one, told) for one in shown]
    times = [found.draft_ns, *([found.map_ns] if _mapped(found) else []), found.verify_ns, found.waiting_ns]
    if found.timed_rounds:
        of = [None if time_ns is None else round(time_ns / found.timed_rounds) for time_ns in times]
        rows.append(Row(["on average", *("" for _ in told), *map(known, of)], "strong"))
    return Table(columns, rows, ruled=True)


def _tell(found: Speculation) -> bool:
    """Whether rounds say of their tokens what is worth a row each."""
    return any(one.drafted is not None for one in found.each[1:SHOWN])


def _mapped(found: Speculation) -> bool:
    """Whether a stage says what mapping takes."""
    return found.map_ns is not None or any(one.map_ns is not None for one in found.each[:SHOWN])


def round_name(found: Speculation, one: Round) -> str:
    """Its number, and of which request where there are several."""
    several = len({other.request for other in found.each}) > 1
    return f"{one.index}{f' of request {one.request}' if several and one.request >= 0 else ''}"


def _row(found: Speculation, one: Round, told: list[str]) -> Row:
    name = f"{round_name(found, one)}{' (with the prompt)' if one.prompt else ''}"
    counts = [_count(getattr(one, name), NONE) for name in told]
    times = [one.draft_ns, *([one.map_ns] if _mapped(found) else []), one.verify_ns, one.waiting_ns]
    return Row([name, *counts, *map(known, times)])


def _waits(found: Speculation, *, cpu: bool) -> list[Line]:
    """Where the device waits (of a CPU: where no operator runs), and what mapping takes of the host."""
    waiting, took_ns = found.waiting, found.took_ns
    if waiting is None or not took_ns or not found.waiting_ns:
        return []
    parts = [("drafting", waiting.draft_ns), ("mapping", waiting.map_ns), ("verifying", waiting.verify_ns)]
    said = " · ".join(f"{name} {duration(time_ns)}" for name, time_ns in parts if time_ns)
    waits = "no operator runs in" if cpu else "the device waits for"
    lines = [line(f"{waits} {share(found.waiting_ns, took_ns)} of the rounds: {said}")]
    if found.map_cpu_ns:
        lines.append(line(f"mapping takes {duration(found.map_cpu_ns / found.timed_rounds)} of the host a round"))
    return lines


def _checks(found: Speculation) -> list[Line]:
    if len(found.checks) < 2:
        return []
    said = " · ".join(f"{one.drafted} in {duration(one.verify_ns)}" for one in found.checks[:SHOWN])
    return [line(f"drafted tokens checked: {said}")]


def _early(found: Speculation) -> list[Line]:
    early = found.before_prefill
    if early is None:
        return []
    count = "an unknown number of tokens" if early.drafted_tokens is None else counted(early.drafted_tokens, "token")
    said = count if early.drafts else "nothing"
    return [line(f"drafted beside the target's prompt, before its prefill ended: {said}")]


def _pays(found: Speculation) -> list[Element]:
    lines = []
    if found.speedup is not None and found.target_alone_ns is not None and found.compared_ns is not None:
        same = f"{found.speedup:.2f}" == "1.00"
        pays = "changes nothing" if same else "gains" if found.speedup > 1 else "loses"
        text = (
            f"the target alone: {duration(found.target_alone_ns)} for the tokens of rounds that "
            f"{'took' if found.clean_took_ns is None else 'take, both without a profiler,'} "
            f"{duration(found.compared_ns)}: drafting {pays}, {found.speedup:.2f} x"
        )
        lines.append(line(text, role="good" if found.speedup > 1 and not same else "caution"))
    said = []
    if found.break_even_acceptance is not None:
        even = found.break_even_acceptance
        said.append(f"breaks even at an acceptance of {even:.0%}" if even <= 1 else "breaks even at no acceptance")
    if found.best_drafted is not None:
        best = "best, if it drafts at all" if found.speedup is not None and found.speedup < 1 else "best"
        said.append(f"{best}: {counted(found.best_drafted, 'drafted token')} a round")
    if found.rejected_token_ns is not None:
        of_all = (
            f", all of them {duration(found.wasted_ns)} ({share(found.wasted_ns, found.took_ns)})"
            if found.wasted_ns and found.took_ns
            else ""
        )
        said.append(f"a rejected token costs {duration(found.rejected_token_ns)} of drafting{of_all}")
    return [*lines, *([line(" · ".join(said))] if said else [])]


def _roles(found: Speculation, *, cpu: bool) -> Table | None:
    if not found.roles:
        return None
    whole_ns = sum(work.device_time_ns or 0 for work in found.roles.values())
    rows = [
        Row(
            [
                role,
                _count(work.passes),
                f"{work.ops:,}",
                known(work.device_time_ns),
                NONE if work.device_time_ns is None else share(work.device_time_ns, whole_ns),
            ]
        )
        for role, work in found.roles.items()
    ]
    time = Column("self" if cpu else "device")
    columns = [Column("role", right=False), Column("passes"), Column("ops", rank=1), time, Column("share")]
    return Table(columns, rows)


def _count(count: int | None, without: str = "unknown") -> str:
    return without if count is None else f"{count:,}"


def _averaged(found: Speculation) -> str | None:
    """Which rounds the average is of, where not of all."""
    left_out = ["those with a prompt"] if any(one.prompt for one in found.each) else []
    if any(one.draft_ns is None and one.verify_ns is not None for one in found.each):
        left_out.append("those whose draft no range shows")
    return f"On average: without {' and '.join(left_out)}." if left_out and found.timed_rounds else None


def _reading(found: Speculation) -> Element:
    return note(
        "round: a draft and the pass of the target that checks it.",
        f"The first {SHOWN} of {found.rounds:,} are listed." if found.rounds > SHOWN and _tell(found) else None,
        f"drafting,{' mapping,' if _mapped(found) else ''} verifying: busy and idle time as charged to each, in the "
        "trace, under the profiler.",
        "waiting: idle time within them.",
        _averaged(found),
        Sentence("yielded", "yielded: accepted tokens and the target's own one.") if found.accepted_tokens else None,
        "Without a profiler: by the rounds behind the first, in whose time the draft's prompt is."
        if found.clean_took_ns is not None
        else None,
        "Best: by acceptance at each position and what checks took; one of fewer tokens than any is taken to cost the "
        "same."
        if found.best_drafted is not None
        else None,
    )
