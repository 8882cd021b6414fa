"""Kernel time stamps as CLOCK_REALTIME: which helper a probe calls, and what to subtract from what it gives."""

import time
from dataclasses import dataclass
from typing import Self

from netlab.observe.assembler import Helper

_SECOND = 1_000_000_000


@dataclass(frozen=True, kw_only=True)
class ProbeClock:
    """The clock that probes read and its distance from CLOCK_REALTIME in ns."""

    helper: Helper
    offset: int

    @classmethod
    def measure(cls, *, has_tai: bool) -> Self:
        """TAI where probes can read it (Linux 6.1): it follows every step of CLOCK_REALTIME, whole seconds away. Else MONOTONIC."""
        if has_tai:
            distance = time.clock_gettime_ns(time.CLOCK_TAI) - time.time_ns()
            return cls(helper=Helper.TAI, offset=round(distance / _SECOND) * _SECOND)
        return cls(helper=Helper.MONOTONIC, offset=min(_monotonic_distance() for _ in range(16))[1])


def _monotonic_distance() -> tuple[int, int]:
    before = time.time_ns()
    monotonic = time.monotonic_ns()
    after = time.time_ns()
    return after - before, monotonic - (before + after) // 2
