"""Quantities with their units: "200ms" is a Duration, never a bare number.

Durations are whole nanoseconds, because the kernel's stamps are. The module refuses to know what a quantity is for.
"""

import re
from dataclasses import dataclass
from typing import Self

_NANOSECONDS = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000, "min": 60_000_000_000}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ns|us|ms|s|min)")


@dataclass(frozen=True, slots=True, order=True)
class Duration:
    """A length of time in nanoseconds."""

    ns: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read "200ms", "1.5s", "10us"; raises ValueError for anything else, a bare number included."""
        match = _DURATION.fullmatch(text.strip())
        if match is None:
            raise ValueError(f"{text!r} is not a duration: a number and a unit (ns, us, ms, s, min), such as 200ms")
        whole = float(match[1]) * _NANOSECONDS[match[2]]
        return cls(round(whole))

    @property
    def seconds(self) -> float:
        """The same length in seconds."""
        return self.ns / 1e9

    def __str__(self) -> str:
        for unit in ("min", "s", "ms", "us"):
            size = _NANOSECONDS[unit]
            if self.ns >= size:
                return f"{self.ns / size:.6g}{unit}"
        return f"{self.ns}ns"


def milliseconds(count: float) -> Duration:
    """A Duration of so many milliseconds."""
    return Duration(round(count * 1_000_000))
