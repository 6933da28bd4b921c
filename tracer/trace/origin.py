"""Where and when a trace was made, as far as its file says it."""

from __future__ import annotations

from dataclasses import dataclass, field

# Nobody recorded such traces before 2015 (in nanoseconds since 1970), and none is of a time after 2100.
EARLIEST_NS, LATEST_NS = 1_420_070_400_000_000_000, 4_102_444_800_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What a file says of its making.

    Attributes:
        base_ns: since 1970, what the trace's times count from; None where the file does not say.
        versions: by name ("cuda", "cuda_driver", "driver"), as the file spells them; untrusted.
        host: the machine's name; "" where the file does not say; untrusted.
    """

    base_ns: int | None = None
    versions: dict[str, str] = field(default_factory=dict)
    host: str = ""

    def wall_ns(self, time_ns: int) -> int | None:
        """A time of the trace in nanoseconds since 1970; None where nothing tells.

        Kineto counted from 1970 before it named a base.
        """
        for candidate in (None if self.base_ns is None else self.base_ns + time_ns, time_ns):
            if candidate is not None and EARLIEST_NS <= candidate <= LATEST_NS:
                return candidate
        return None


def dotted(number: str) -> str:
    """CUDA's numbers of versions as people write them: 12090 is 12.9; "" of what is no such number."""
    if not (number.isascii() and number.isdecimal() and len(number) <= 6):
        return ""
    return f"{int(number) // 1000}.{int(number) % 1000 // 10}"
