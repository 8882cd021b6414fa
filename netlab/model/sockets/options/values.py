"""What the options of a socket are worth to other calls: timeouts, lingering, flags, what accept() copies. It checks no argument.

An int is kept as getsockopt() shows it; SO_RCVTIMEO and SO_SNDTIMEO in nanoseconds, None where there is no limit; SO_LINGER as
(on, seconds); names as text.
"""

from collections.abc import Mapping
from typing import Any

from netlab.model.sockets.objects import Socket
from netlab.notation.constants import constant

_SOCKET = constant("SOL_SOCKET")
_LINGER = (_SOCKET, constant("SO_LINGER"))
_MOST = (1 << 31) - 1
_BUFFERS = {"SO_RCVBUF": (_SOCKET, constant("SO_RCVBUF")), "SO_SNDBUF": (_SOCKET, constant("SO_SNDBUF"))}


def given(one: Socket, level: str, name: str, default: Any = 0) -> Any:
    """What setsockopt() made of an option, by the constants' names; ``default`` where nobody set it."""
    return one.options.get((constant(level), constant(name)), default)


def timeout(one: Socket, name: str) -> int | None:
    """SO_RCVTIMEO or SO_SNDTIMEO in nanoseconds; 0 where a negative one was given (do not wait), None without one (socket(7)).

    The kernel counts in ticks and may end a wait up to one tick early: 10 ms where HZ is 100.
    """
    value: int | None = one.options.get((_SOCKET, constant(name)))
    return value


def linger(one: Socket) -> int | None:
    """SO_LINGER's seconds, None where it is off (POSIX.1-2024 2.10.16)."""
    on, seconds = one.options.get(_LINGER, (0, 0))
    return seconds if on else None


def buffer_size(one: Socket, name: str) -> int | None:
    """SO_RCVBUF or SO_SNDBUF as setsockopt() fixed it (doubled, socket(7)); None where the kernel chooses."""
    value = one.options.get(_BUFFERS[name])
    return value if isinstance(value, int) else None


def buffer_bounds(one: Socket, name: str) -> tuple[int, int] | None:
    """The least and the most that it may be, where setsockopt() fixed it: more than the kernel allows is cut off, to what nobody
    knows (net.core.wmem_max and rmem_max, socket(7))."""
    value = one.options.get(_BUFFERS[name])
    if value is None or isinstance(value, int):
        return None if value is None else (value, value)
    least, most = getattr(value, "least", None), getattr(value, "most", None)
    return least or 0, _MOST if most is None else most


def inherited(listener: Socket) -> Mapping[tuple[int, int], Any]:
    """The options that a connection which accept() gives has from its listener (Linux: all that belong to struct sock)."""
    return {option: value for option, value in listener.options.items() if option not in _NOT_INHERITED}


_TCP = constant("IPPROTO_TCP")
_NOT_INHERITED = frozenset(
    [(_SOCKET, constant("SO_PRIORITY")), (_TCP, constant("TCP_FASTOPEN")), (_TCP, constant("TCP_DEFER_ACCEPT"))]
)
"""What sk_clone_lock() clears, and what belongs to a listener's queue."""
