"""Speculative decoding: one model proposes tokens, another checks them, in rounds."""

from __future__ import annotations

import msgspec


class RoleWork(msgspec.Struct, frozen=True, kw_only=True):
    """What one of several models did; None is what nothing tells, or work that was not recorded.

    Attributes:
        passes: forward passes.
        ops, device_time_ns: of all its stages, whatever they asked for.
        forward_ops, forward_time_ns: of that the passes themselves, where the calls of modules were recorded.
    """

    passes: int | None
    ops: int
    device_time_ns: int | None
    forward_ops: int | None = None
    forward_time_ns: int | None = None


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """A draft and the pass that checks it; None is what nothing tells, or time of work that was not recorded.

    Attributes:
        request: that it belongs to; -1 where the trace does not say.
        index: of the round in its request, from 1.
        prompt: whether the pass that checks processes a prompt too, so that its time is no check's.
        drafted, accepted, yielded: tokens of a sequence.
        draft_ns, verify_ns: busy and idle time as charged; of a draft None too where no range shows it.
        map_ns: likewise of translating the draft into the target's vocabulary; None where no stage says that, too.
        waiting_ns: idle time within all of them.
    """

    request: int
    index: int
    prompt: bool
    drafted: int | None
    accepted: int | None
    yielded: int | None
    draft_ns: int | None
    verify_ns: int | None
    waiting_ns: int | None
    map_ns: int | None = None

    @property
    def took_ns(self) -> int | None:
        """Drafting, mapping and checking."""
        return _took(self.draft_ns, self.map_ns, self.verify_ns)


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """What it takes to check so many drafted tokens in one pass.

    Attributes:
        drafted: tokens; the pass has one position more.
        rounds: that drafted so many, of the timed ones.
        verify_ns: their median.
    """

    drafted: int
    rounds: int
    verify_ns: int


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """Idle time of the device in the timed rounds, by the part of a round whose work ended it."""

    draft_ns: int
    map_ns: int
    verify_ns: int


class BeforePrefill(msgspec.Struct, frozen=True, kw_only=True):
    """Drafting beside the target's own prompt, which is what drafting early is for.

    Attributes:
        requests: in which the target processes a prompt and something is drafted.
        drafted_tokens: whose work was over before the target's prefill was, asked for by another thread or run on
            another stream than the prefill; None where nothing tells how many tokens a draft proposed.
        drafts: the drafts, or the draft's own steps, that proposed them.
    """

    requests: int
    drafted_tokens: int | None
    drafts: int


class Speculation(msgspec.Struct, frozen=True, kw_only=True):
    """Rounds of speculative decoding. Counts are None unless they can be told of every round.

    Attributes:
        rounds: how many: drafts with the passes that check them.
        drafted_tokens, accepted_tokens, yielded_tokens: of a sequence, in all rounds.
        told_rounds: those of which both are told; with `told_drafted_tokens` and `told_accepted_tokens` of these.
        acceptance_by_position: the share of rounds that drafted so far in which the token at each position was
            accepted; empty where nothing tells.
        roles: by the model's role.
        target_alone_ns: what the target alone would take for the tokens that the timed rounds yielded.
        clean_took_ns: what rounds take for as many tokens without a profiler, where both were recorded so; None
            where `target_alone_ns` is of the trace too.
        speedup: that against what these rounds took; below 1 they lose.
        break_even_acceptance: the share of drafted tokens that has to be accepted for the rounds to take as long as the
            target alone; above 1 no acceptance is enough.
        timed_rounds: those that the times below are of: without the prompt's, those whose draft a range shows.
        timed_drafted_tokens, timed_yielded_tokens: of these.
        draft_ns, verify_ns: their busy and idle time.
        map_ns: likewise of mapping; None where no stage says that, too.
        map_cpu_ns: of mapping on the host, which is in the others' idle time where the device waits for it.
        waiting_ns: idle time within all of them.
        waiting: the same by part.
        target_step_ns: the median step of the target by itself.
        rejected_token_ns: what drafting a token takes, which is lost with each that is not accepted.
        wasted_ns: drafting and mapping of the tokens that were not accepted.
        checks: what a check takes, by the tokens that it checks; empty where nothing tells how many these are.
        best_drafted: how many tokens a round should draft, up to what was drafted, at what `checks` say that takes.
        before_prefill: what was drafted while the target processed its prompt; None where no range says when it did.
        unknown: why a figure is None, by its name.
        each: the rounds one by one, the first of them (`MOST_ROUNDS`).
    """

    rounds: int
    drafted_tokens: int | None
    accepted_tokens: int | None
    yielded_tokens: int | None
    acceptance_by_position: list[float]
    roles: dict[str, RoleWork]
    target_alone_ns: int | None
    speedup: float | None
    break_even_acceptance: float | None
    timed_rounds: int
    draft_ns: int | None
    verify_ns: int | None
    waiting_ns: int | None
    target_step_ns: int | None = None
    clean_took_ns: int | None = None
    rejected_token_ns: int | None = None
    map_ns: int | None = None
    map_cpu_ns: int | None = None
    waiting: Waiting | None = None
    wasted_ns: int | None = None
    told_rounds: int = 0
    told_drafted_tokens: int = 0
    told_accepted_tokens: int = 0
    timed_drafted_tokens: int | None = None
    timed_yielded_tokens: int | None = None
    checks: list[Check] = []
    before_prefill: BeforePrefill | None = None
    best_drafted: int | None = None
    unknown: dict[str, str] = {}
    each: list[Round] = []

    @property
    def compared_ns(self) -> int | None:
        """What is set against the target alone, measured as that was."""
        return self.took_ns if self.clean_took_ns is None else self.clean_took_ns

    @property
    def took_ns(self) -> int | None:
        """All timed rounds."""
        return _took(self.draft_ns, self.map_ns, self.verify_ns)


def _took(draft_ns: int | None, map_ns: int | None, verify_ns: int | None) -> int | None:
    return None if draft_ns is None or verify_ns is None else draft_ns + (map_ns or 0) + verify_ns


MOST_ROUNDS = 1000
