"""What a row of the tables of options says: who has it, what setsockopt() takes, what it makes of it, what getsockopt() gives.

The rows are in the modules by level; calls/options.py reads them. Here are only the shape and the small functions rows are made of.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec

from netlab.model.sockets.objects import Kind, Socket
from netlab.model.sockets.situation import Situation
from netlab.notation.constants import constant

Writes = Literal[
    "",
    "int",
    "byte",
    "some byte",
    "four bytes",
    "loose int",
    "long",
    "linger",
    "timeval",
    "name",
    "device",
    "group",
    "sender",
    "unmodelled",
]
"""How setsockopt() reads the value. "": it never does (ENOPROTOOPT). "int": an int, EINVAL for less. "byte": an int, or its low
byte where the length is below 4, or 0 for none (ip(7)); "some byte": likewise, but EINVAL for none. "four bytes": exactly so many.
"loose int": 0 where the length is below 4. "long": an int or an unsigned long. "unmodelled": the model does not say."""

Reads = Literal["", "int", "byte", "long", "linger", "timeval", "string", "name", "credentials", "bytes", "address", "tcp_info"]
"""How getsockopt() writes the value. "": it does not have the option (ENOPROTOOPT). "byte": one byte into 1 to 3 (ip(7))."""

INTERNET: tuple[Kind, ...] = ("tcp", "udp", "raw")
UNIX: tuple[Kind, ...] = ("unix-stream", "unix-dgram", "unix-seqpacket")
ALL: tuple[Kind, ...] = INTERNET + UNIX


class Bounds(msgspec.Struct, frozen=True):
    """A value of which only this is known: ``least`` to ``most``, one of ``values``, or nothing (neither)."""

    least: int | None = None
    most: int | None = None
    values: tuple[Any, ...] = ()


ANYTHING = Bounds()

Takes = Callable[[Situation, int], Any]
"""What the kernel keeps of a number, or Refused."""

Shows = Callable[[Situation], Any]
"""What getsockopt() gives that setsockopt() did not fix: a value, Bounds, an Out, or Refused."""


class Refused(msgspec.Struct, frozen=True):
    """The option is refused: with this errno, for this reason ("value", "state", "privilege", "kind", "name", "device").

    ``certain`` is false where it may be taken all the same, and is then worth ``otherwise``.
    """

    errno: str
    reason: str = "value"
    certain: bool = True
    otherwise: Any = None


class Option(msgspec.Struct, frozen=True, kw_only=True):
    """One option. ``kinds`` and ``family`` ("" for any) say which sockets have it, ``lacking`` what others get.

    ``takes`` turns the number that was given into the value kept; ``needs`` may refuse before that. ``default`` is its value while
    nobody has set it; ``shows``, where it is there, is asked instead, whatever was set. ``also`` gives other options' values that
    change with it. ``stays`` is false where accept() does not hand it on. ``source`` is where it is described.
    """

    level: int
    number: int
    name: str
    source: str
    kinds: tuple[Kind, ...] = ALL
    family: str = ""
    lacking: str = "ENOPROTOOPT"
    writes: Writes = "int"
    reads: Reads = "int"
    takes: Takes | None = None
    needs: Callable[[Situation, Any], Refused | None] | None = None
    default: Any = 0
    shows: Shows | None = None
    also: Callable[[Situation, Any], Mapping[tuple[int, int], Any]] | None = None
    stays: bool = True

    @property
    def key(self) -> tuple[int, int]:
        """(level, number), as Socket.options has it."""
        return self.level, self.number

    def belongs(self, one: Socket) -> bool:
        """Whether this socket has the option."""
        return one.kind in self.kinds and self.family in ("", one.family)


def flag(_: Situation, number: int) -> int:
    """Any number but 0 is 1."""
    return 1 if number else 0


def strict_flag(_: Situation, number: int) -> Any:
    """0 or 1."""
    return number if number in (0, 1) else Refused("EINVAL")


def whole(_: Situation, number: int) -> int:
    """The number as it is."""
    return number


def within(least: int, most: int) -> Takes:
    """The number, if it is within these bounds; else EINVAL."""

    def take(_: Situation, number: int) -> Any:
        return number if least <= number <= most else Refused("EINVAL")

    return take


def reset_or_within(reset: int, least: int, most: int, by: int = -1) -> Takes:
    """The number, if it is within these bounds; ``by`` stands for the default, ``reset``; else EINVAL."""

    def take(_: Situation, number: int) -> Any:
        if number == by:
            return reset
        return number if least <= number <= most else Refused("EINVAL")

    return take


def shared(level: str, name: str) -> Callable[[Situation, Any], Mapping[tuple[int, int], Any]]:
    """Another option is the same bit of the socket (inet_flags in include/net/inet_sock.h)."""
    other = constant(level), constant(name)
    return lambda _, kept: {other: kept}


def option(level: str, name: str, source: str, **settings: Any) -> Option:
    """A row, by the constants' names."""
    return Option(level=constant(level), number=constant(name), name=name, source=source, **settings)


def read_only(level: str, name: str, source: str, **settings: Any) -> Option:
    """A row of an option that setsockopt() does not know."""
    return option(level, name, source, writes="", **settings)


def flags(level: str, names: str, source: str, **settings: Any) -> tuple[Option, ...]:
    """Rows of options that are on or off, and off at first."""
    return tuple(option(level, name, source, **{"takes": flag, **settings}) for name in names.split())


def sysctl(situation: Situation, name: str, default: int) -> int:
    """A sysctl of the socket's host: what the world says, else Linux's default (ip-sysctl)."""
    value = situation.world.hosts[situation.socket.host].sysctls.get(name)
    return default if value is None else int(value.split()[0])


def from_accept(situation: Situation) -> bool:
    """Whether the socket came from accept(): it has some values from the packet that made its connection."""
    connection = situation.connection
    return situation.kind == "tcp" and connection is not None and situation.side == 1


def privileged(situation: Situation) -> bool:
    """Whether the process may do what CAP_NET_ADMIN or CAP_NET_RAW allows: the user is root."""
    return situation.process.uid == 0
