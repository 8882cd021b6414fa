"""What an event loop needs to wake to the microsecond: a timer as a descriptor, a way past other threads, a processor to stay on,
and one clock's time as another's. It knows nothing of what is due.
"""

import ctypes
import os
import struct
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Self

__all__ = ["Haste", "Timer", "on_processor", "to_monotonic"]

_TFD_NONBLOCK, _TFD_CLOEXEC, _TFD_TIMER_ABSTIME = os.O_NONBLOCK, os.O_CLOEXEC, 1
_ITIMERSPEC = struct.Struct("=qqqq")
_SECOND = 1_000_000_000
_libc = ctypes.CDLL(None, use_errno=True)
_SWITCH = 0.0002
_READINGS, _CLOSE = 10, 2_000


class Timer:
    """One timer on CLOCK_MONOTONIC (timerfd_create(2), which Python has a function for only from 3.13); its descriptor is readable
    once its time has come, until it is set again.

    epoll's own time-out counts whole milliseconds: held against that, a delay came out 1.1 ms late, by a timer 0.1 ms.
    """

    def __init__(self) -> None:
        self._fd = _libc.timerfd_create(time.CLOCK_MONOTONIC, _TFD_NONBLOCK | _TFD_CLOEXEC)
        if self._fd < 0:
            raise _failed("timerfd_create")
        self._at: int | None = None

    def fileno(self) -> int:
        """Its descriptor."""
        return int(self._fd)

    def set(self, at: int | None) -> None:
        """Go off at this time, in ns of time.monotonic_ns (at once where it has passed), and at no other; None: never."""
        if at == self._at:
            return
        self._at = at
        when = 0 if at is None else max(at, 1)  # zero would disarm it
        new = _ITIMERSPEC.pack(0, 0, when // _SECOND, when % _SECOND)
        if _libc.timerfd_settime(self._fd, _TFD_TIMER_ABSTIME, new, None) < 0:
            raise _failed("timerfd_settime")

    def close(self) -> None:
        """Let the descriptor go."""
        os.close(self._fd)


class Haste:
    """Lets the thread that calls ``set`` go before others while it is in haste; use it in a ``with`` statement, which leaves all as
    it was found.

    Among the machine's threads by sched(7), where this process may: at a load of 7 on two processors, 1 in 100 packets left 6 to
    15 ms late without, and 0.4 ms with it. Among those of this process by a shorter sys.setswitchinterval: beside one that was busy
    in Python, half of all packets left 3.2 ms late with Python's own 5 ms, and 0.3 ms with this.
    """

    def __init__(self) -> None:
        self._is = False
        self._found = os.SCHED_OTHER, os.sched_param(0)
        self._interval: float | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.set(False)

    def set(self, wanted: bool) -> None:
        """Be in haste from now on, or no longer. It costs next to nothing where that is so already."""
        if wanted:
            found = sys.getswitchinterval()
            if found > _SWITCH * 1.01:  # also where another that was in haste has left it as it had found it
                self._interval = found
                sys.setswitchinterval(_SWITCH)
        elif self._interval is not None:
            sys.setswitchinterval(self._interval)
            self._interval = None
        if wanted != self._is:
            self._is = wanted
            if wanted:
                self._found = os.sched_getscheduler(0), os.sched_getparam(0)
            policy, parameter = (os.SCHED_RR, os.sched_param(1)) if wanted else self._found
            with suppress(PermissionError):
                os.sched_setscheduler(0, policy | os.SCHED_RESET_ON_FORK, parameter)


@contextmanager
def on_processor(number: int) -> Iterator[None]:
    """Keep the calling thread on one processor meanwhile."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {number})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def to_monotonic() -> int:
    """What to add to a time of CLOCK_REALTIME for that of CLOCK_MONOTONIC at the same moment, in ns.

    Two readings between which the thread was not interrupted: else a packet would leave earlier by as long as that took.
    """
    best, found = 1 << 62, 0
    for _ in range(_READINGS):
        before, real, after = time.monotonic_ns(), time.time_ns(), time.monotonic_ns()
        if after - before < best:
            best, found = after - before, (before + after) // 2 - real
        if best < _CLOSE:
            break
    return found


def _failed(what: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number), what)
