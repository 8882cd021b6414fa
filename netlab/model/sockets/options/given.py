"""How a value reaches setsockopt(): the bytes behind the pointer, and what the kernel reads out of them. It keeps nothing."""

import struct
import sys
from typing import Any

import msgspec

from netlab.model.sockets.objects import Connection, Socket
from netlab.model.sockets.options.memory import (
    INT,
    LONG,
    LONGEST_NAME,
    POINTER_LENGTH,
    ROOMS,
    SECOND,
    STRUCTURES,
    UNSIGNED,
    integer,
)
from netlab.model.sockets.options.shape import Option, Refused
from netlab.model.sockets.situation import Situation
from netlab.notation.constants import constant
from netlab.notation.pattern import pattern
from netlab.notation.values import BadPointer, Structure

_BY_NAME = (constant("SOL_SOCKET"), constant("SO_BINDTODEVICE"))
_SWAPPED = (
    (constant("IPPROTO_IP"), constant("IP_UNICAST_IF")),
    (constant("IPPROTO_IPV6"), constant("IPV6_UNICAST_IF")),
)


class Given(msgspec.Struct, frozen=True):
    """A value as setsockopt() gets it: the bytes behind the pointer, and the length that is said."""

    raw: bytes = b""
    length: int = 0
    bad: bool = False
    null: bool = False

    def read(self, s: Situation, row: Option) -> Any:
        """The number, pair or text that the kernel reads out of it, or Refused."""
        return _READERS[row.writes](self, s, row)


def given(s: Situation) -> Given | None:
    """The value of a call of setsockopt(); None where it is not known."""
    value, length = s.args.get("value"), s.args.get("length")
    raw = b""
    if isinstance(value, BadPointer) or value == "NONE":
        null = value == "NONE" or (isinstance(value, BadPointer) and value.null)
        size = 0 if not isinstance(value, BadPointer) else POINTER_LENGTH if value.size is None else value.size
        return Given(b"", length if isinstance(length, int) else size, bad=True, null=null)
    if isinstance(value, int):
        raw = (value & (UNSIGNED - 1)).to_bytes(INT, sys.byteorder)
    elif isinstance(value, str):
        raw = _interface(s, value)
    elif isinstance(value, Structure):
        if value.name not in STRUCTURES or not all(isinstance(member, int) for member in value.members):
            return None
        raw = _packed(value.name, [member for member in value.members if isinstance(member, int)])
    elif hasattr(value, "size"):
        content = getattr(value, "content", None)
        raw = content if content is not None else pattern(getattr(value, "size", 0))
    else:
        return None
    size = length if isinstance(length, int) else len(raw)
    return Given(raw.ljust(max(size, 0), b"\0")[: max(size, 0)], size)


def _interface(s: Situation, name: str) -> bytes:
    """if:lo as the option wants it: the name, or the index, in the network's byte order for two."""
    option = s.number("level"), s.number("option")
    if option == _BY_NAME:
        return name.encode() + b"\0"
    index = s.world.hosts[s.process.host].interfaces.get(name, 0)
    return index.to_bytes(INT, "big" if option in _SWAPPED else sys.byteorder)


def _packed(name: str, members: list[int]) -> bytes:
    limits = {"I": UNSIGNED, "B": 256}
    codes = [code for code in STRUCTURES[name] if code.isalpha()]
    wrapped = [one % limits[code] if code in limits else one for one, code in zip(members, codes, strict=True)]
    raw = b""
    for part in STRUCTURES[name].split():
        raw += struct.pack(part, *wrapped[: len(part) - 1])
        wrapped = wrapped[len(part) - 1 :]
    return raw


def _read_int(value: Given, s: Situation, row: Option) -> Any:
    return 0 if value.bad or value.length < INT else integer(value.raw[:INT])


def _read_long(value: Given, s: Situation, row: Option) -> Any:
    """Of an int, -1 is all bits of the longer number, too (SO_MAX_PACING_RATE)."""
    if value.length >= LONG:
        return int.from_bytes(value.raw[:LONG], sys.byteorder)
    number = integer(value.raw[:INT])
    return -1 if number == -1 else number % UNSIGNED


def _read_byte(value: Given, s: Situation, row: Option) -> Any:
    if row.writes == "some byte" and value.length < 1:
        return Refused("EINVAL")
    return integer(value.raw[:INT]) if value.length >= INT else value.raw[0] if value.raw else 0


def _read_four(value: Given, s: Situation, row: Option) -> Any:
    if value.length != INT:
        return Refused("EINVAL")
    return 0 if value.bad else integer(value.raw)


def _read_linger(value: Given, s: Situation, row: Option) -> Any:
    """Switching it off leaves the seconds as they were (sk_setsockopt())."""
    if value.length < ROOMS["linger"]:
        return Refused("EINVAL")
    on, seconds = struct.unpack_from("=iI", value.raw)
    return (1, seconds) if on else (0, s.socket.options.get(row.key, (0, 0))[1])


def _read_timeval(value: Given, s: Situation, row: Option) -> Any:
    if value.length < ROOMS["timeval"]:
        return Refused("EINVAL")
    seconds, micro = struct.unpack_from("@ll", value.raw)
    if not 0 <= micro < 1_000_000:
        return Refused("EDOM")
    if seconds < 0:
        return 0
    return (seconds * SECOND + micro * 1000) or None


def _text(value: Given) -> str:
    return value.raw[: LONGEST_NAME - 1].split(b"\0")[0].decode(errors="backslashreplace")


def _read_name(value: Given, s: Situation, row: Option) -> Any:
    """TCP_CONGESTION and TCP_ULP: only "reno" is in every kernel; which others there are, and may be used, is not known."""
    if value.length < 1:
        return Refused("EINVAL")
    if value.bad:
        return Refused("EFAULT", "bad-pointer")
    name = _text(value)
    if name == "reno" and row.name == "TCP_CONGESTION":
        return name
    known = name in _NAMES.get(row.name, ())
    return Refused("ENOENT", "name", certain=not known, otherwise=name)


_NAMES = {
    "TCP_CONGESTION": ("bbr", "bic", "cdg", "cubic", "dctcp", "highspeed", "htcp", "hybla", "illinois", "lp", "nv", "scalable",
                       "vegas", "veno", "westwood", "yeah"),
    "TCP_ULP": ("tls", "mptcp", "smc", "espintcp"),
}  # fmt: skip


def _read_device(value: Given, s: Situation, row: Option) -> Any:
    """An interface's name; none ends the binding. Only who has CAP_NET_RAW may change one (socket(7))."""
    if value.bad and value.length:
        return Refused("EFAULT", "bad-pointer")
    name = _text(value)
    index = s.world.hosts[s.socket.host].interfaces.get(name) if name else 0
    if index is None:
        return Refused("ENODEV", "device")
    bound = s.socket.options.get((row.level, constant("SO_BINDTOIFINDEX")), 0)
    return bound_to(s, index) if not bound or s.process.uid == 0 else Refused("EPERM", "privilege")


def bound_to(s: Situation, index: int) -> Any:
    """The interface, unless a connection gets it afterwards: what comes in at another is then answered by a reset."""
    connection = s.connection if s.kind == "tcp" else None
    if not index or connection is None or (index == s.host.interfaces.get("lo") and _both_here(s, connection)):
        return index
    return Refused("ENODEV", "device", certain=False, otherwise=UNSURE)


def _both_here(s: Situation, connection: Connection) -> bool:
    """Whether both ends of a connection are on the socket's host, so that its segments come in at the loopback interface."""
    ends = [s.world.objects.get(end) for end in connection.ends]
    return all(isinstance(one, Socket) and one.host == s.socket.host for one in ends)


def _dotted(raw: bytes) -> str:
    return ".".join(str(byte) for byte in raw)


def _read_group(value: Given, s: Situation, row: Option) -> Any:
    """Membership of a multicast group: struct ip_mreq, or ip_mreqn with an interface's index (ip(7)); all there are are kept."""
    if s.kind == "tcp":
        return Refused("EPROTO", "kind")
    if value.length < struct.calcsize(STRUCTURES["ip_mreq"]):
        return Refused("EINVAL")
    if value.bad:
        return Refused("EFAULT", "bad-pointer")
    group, address, index = value.raw[:4], _dotted(value.raw[4:8]), integer(value.raw[8:12].ljust(4, b"\0"))
    joined: tuple[Any, ...] = s.socket.options.get(_JOINED, ())
    member = (_dotted(group), index or address)
    joins = row.name == "IP_ADD_MEMBERSHIP"
    if joins and group[0] >> 4 != _CLASS_D:
        return Refused("EINVAL")
    if joins and index and index not in s.host.interfaces.values():
        return Refused("ENODEV", "device")
    if not index and address == _WILDCARD:
        # The route to the group chooses the interface: which, only its kernel knows.
        several = bool(s.host.default or s.host.networks)
        return Refused("ENODEV", "device", certain=not several, otherwise=UNSURE)
    if not index and not s.host.owns(address) and joins:
        return Refused("ENODEV", "device")
    if joins and member in joined:
        return Refused("EADDRINUSE", "joined")
    if joins:
        return Refused("ENOBUFS", "joined") if len(joined) >= _most_groups(s) else (*joined, member)
    return tuple(one for one in joined if one != member) if member in joined else Refused("EADDRNOTAVAIL", "device")


def _most_groups(s: Situation) -> int:
    """How many groups a socket can be in: net.ipv4.igmp_max_memberships, 20 where nobody changed it (ip(7))."""
    written = s.host.sysctls.get("net.ipv4.igmp_max_memberships", "")
    return int(written) if written.isdigit() else _MOST_GROUPS


def _read_sender(value: Given, s: Situation, row: Option) -> Any:
    """The interface that multicast leaves by: struct in_addr, ip_mreq or ip_mreqn (ip(7), IP_MULTICAST_IF). What is kept is its
    address as a number and its index, or 0 for none."""
    if s.kind == "tcp" or value.length < INT:
        return Refused("EINVAL", "kind" if s.kind == "tcp" else "value")
    if value.bad:
        return Refused("EFAULT", "bad-pointer")
    raw = value.raw[:4] if value.length < 8 else value.raw[4:8]
    index = integer(value.raw[8:12]) if value.length >= 12 else 0
    known = index in s.host.interfaces.values() if index else _dotted(raw) == _WILDCARD or s.host.owns(_dotted(raw))
    if not known:
        return Refused("EADDRNOTAVAIL", "device")
    return (integer(raw), index) if index or integer(raw) else 0


UNSURE = object()
"""What is kept where the model cannot say: nothing is known of the socket then."""
_CLASS_D = 0xE  # RFC 1112 section 4
_WILDCARD = "0.0.0.0"
_MOST_GROUPS = 20
_JOINED = (constant("IPPROTO_IP"), constant("IP_ADD_MEMBERSHIP"))

_READERS = {
    "int": _read_int, "loose int": _read_int, "long": _read_long, "byte": _read_byte, "some byte": _read_byte,
          "four bytes": _read_four,
    "linger": _read_linger, "timeval": _read_timeval, "name": _read_name, "device": _read_device, "group": _read_group,
        "sender": _read_sender,
}  # fmt: skip
