"""Quantities with their units: "200ms" is a Duration, never a bare number; "10mbit" is a rate, "0.1%" a fraction.

Durations are whole nanoseconds, because the kernel's stamps are. The module refuses to know what a quantity is for.
"""

import re
from dataclasses import dataclass
from typing import Self

_NANOSECONDS = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000, "min": 60_000_000_000}
_DURATION = re.compile(r"([0-9]{1,20}(?:\.[0-9]{1,20})?)\s*(ns|us|ms|s|min)")
_POWERS = {"bit": 0, "kbit": 3, "mbit": 6, "gbit": 9}
_RATE = re.compile(r"([0-9]{1,20}(?:\.[0-9]{1,20})?)\s*([a-z]+)")
_PERCENTAGE = re.compile(r"([0-9]{1,20}(?:\.[0-9]{1,20})?)\s*%")


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


def parse_rate(text: str) -> int:
    """Read "10mbit", "1.5gbit" or "500kbit" as bits a second, in powers of ten as tc(8) does; raises ValueError for all else."""
    match = _RATE.fullmatch(text.strip().lower())
    power = _POWERS.get(match[2]) if match is not None else None
    if match is None or power is None:
        raise ValueError(f"{text!r} is not a rate: a number and a unit ({', '.join(_POWERS)}), such as 10mbit")
    return round(float(f"{match[1]}e{power}"))


def parse_percentage(text: str) -> float:
    """Read "0.1%" as the fraction 0.001; raises ValueError for anything else, a number without its % included."""
    match = _PERCENTAGE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a percentage: a number and %, such as 0.1%")
    return float(f"{match[1]}e-2")  # dividing by 100 would round twice: 0.7% is not 0.7 / 100
