"""What may be said of a difference."""

from __future__ import annotations

from dataclasses import dataclass

ERROR_RATE = 0.05
SLOWER, FASTER, WITHIN, UNTESTED, ONE_SIDE = "slower", "faster", "within noise", "not tested", "one side only"
CANNOT_TELL, UNLIKE, UNKNOWN = "cannot tell", "other lengths", "unknown"
# A difference that is not shown to be none of so much is not called noise.
MATTERS = 0.1


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a test found of one measure.

    Attributes:
        ratio: after over before.
        interval: of the ratio, by itself; None where it may be anything.
        allowance: drift that is allowed for, as a share.
        p: adjusted for all rows; 1 where the allowance covers the difference.
        drifted: whether that is what a recording drifts by within itself, which nobody has said does not matter.
    """

    ratio: float
    interval: tuple[float, float] | None
    allowance: float
    p: float
    drifted: bool = False


def judge(evidence: Evidence, *, alone: bool) -> str:
    """The verdict on a measure that was tested.

    Args:
        evidence: of it.
        alone: whether nothing tells what changes from one recording to the next (clocks, heat, other programs) from
            what changed between the runs. It may hide a difference as well as make one.
    """
    if alone:
        return CANNOT_TELL
    if evidence.p <= ERROR_RATE and _is_one_sided(evidence):
        return SLOWER if evidence.ratio > 1 else FASTER
    return WITHIN if _leaves_no_room(evidence) else CANNOT_TELL


def _is_one_sided(evidence: Evidence) -> bool:
    """Whether requests say what the medians say: of two humps, medians may jump up while most requests go down."""
    if evidence.interval is None:
        return False
    low, high = evidence.interval
    return low > 1 if evidence.ratio > 1 else high < 1


def _leaves_no_room(evidence: Evidence) -> bool:
    """Whether no difference is a likely truth, and one that matters none."""
    if evidence.interval is None:
        return False
    low, high = evidence.interval
    allowed = 1 + evidence.allowance
    most = 1 + (MATTERS if evidence.drifted else max(evidence.allowance, MATTERS))
    return low <= allowed and high >= 1 / allowed and low >= 1 / most and high <= most
