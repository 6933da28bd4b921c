"""Stages of several models beside each other, and what speculative decoding made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.document.comparison import ROUND_COUNTS, RoleRow, Total

if TYPE_CHECKING:
    from tracer.document.summary import RoleStage, Summary


def compare_roles(before: Summary, after: Summary) -> list[RoleRow]:
    """One call of each stage of each model, in the traces; nothing of runs of one model."""
    sides = [{(row.role, row.stage): row for row in summary.roles if row.role} for summary in (before, after)]
    found = []
    for role, stage in dict.fromkeys([*sides[0], *sides[1]]):
        first, second = (_call_ns(side.get((role, stage))) for side in sides)
        ratio = second / first if first and second is not None else None
        found.append(RoleRow(role=role, stage=stage, before_ns=first, after_ns=second, ratio=ratio))
    return found


def _call_ns(row: RoleStage | None) -> float | None:
    if row is None or row.busy_ns is None or row.idle_ns is None or not row.calls:
        return None
    return (row.busy_ns + row.idle_ns if row.ops else row.cpu_ns) / row.calls


def compare_speculation(before: Summary, after: Summary) -> list[Total]:
    """Rounds of both and what one takes, on average; nothing where neither has any."""
    first, second = _rounds(before), _rounds(after)
    names = dict.fromkeys([*first, *second])
    return [_total(name, first.get(name), second.get(name)) for name in names]


def _rounds(summary: Summary) -> dict[str, int | None]:
    told = summary.speculation
    if told is None:
        return {}
    times = {
        "drafting": told.draft_ns,
        "mapping": told.map_ns,
        "verifying": told.verify_ns,
        "waiting": told.waiting_ns,
    }
    counts = (told.rounds, told.drafted_tokens, told.accepted_tokens, told.yielded_tokens)
    tokens, took_ns = told.timed_yielded_tokens, told.took_ns
    a_token = {"a token": None if took_ns is None or not tokens else round(took_ns / tokens)}
    taken = {
        name: None if time_ns is None or not told.timed_rounds else round(time_ns / told.timed_rounds)
        for name, time_ns in times.items()
        if name != "mapping" or time_ns is not None
    }
    return {**dict(zip(ROUND_COUNTS, counts, strict=True)), **taken, **a_token}


def _total(name: str, before: int | None, after: int | None) -> Total:
    known = before is not None and after is not None and before > 0
    return Total(of=name, before=before, after=after, ratio=(after or 0) / (before or 1) if known else None)
