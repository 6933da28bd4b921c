"""From a trace's decimal microseconds to integer nanoseconds, without passing through a double.

A double holds absolute microseconds with three decimals only to the nearest 125 ns.
"""

from __future__ import annotations

import re

# Absolute microseconds near 2**53, the largest that JSON tools carry, are still inside; so is the end of any
# event that starts there. Before zero only clock skew leads.
LATEST_NS = (1 << 63) - (1 << 55)
EARLIEST_NS = -(1 << 53)

_NUMBER = re.compile(r"\s*([+-]?)(\d+)(?:\.(\d*))?(?:[eE]([+-]?\d{1,4}))?\s*", re.ASCII)


def microseconds_to_ns(text: str) -> int:
    """Read decimal microseconds as nanoseconds; digits below a nanosecond are rounded half up.

    Raises:
        ValueError: the text is no finite number, or is out of range.
    """
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise ValueError(f"{text[:40]!r} is not a number of microseconds")
    sign, whole, fraction, exponent = match.groups(default="")
    digits = whole + fraction
    # The value is digits * 10**shift nanoseconds.
    shift = 3 - len(fraction) + int(exponent or 0)
    if len(digits.lstrip("0")) + shift > 20:
        raise ValueError(f"{text[:40]!r} microseconds is out of range")
    value: int
    if shift >= 0:
        value = int(digits) * 10**shift
    elif -shift > len(digits):
        value = 0
    else:
        value = (int(digits) + 5 * 10 ** (-shift - 1)) // 10**-shift
    value = -value if sign == "-" else value
    if not EARLIEST_NS <= value <= LATEST_NS:
        raise ValueError(f"{text[:40]!r} microseconds is out of range")
    return value
