"""getsockopt() and setsockopt(): how the tables of options are read, in the order in which Linux checks.

What an option is and takes is in options/, by level. Every reason for which an option can be refused is a rule here.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

import msgspec

from netlab.model.sockets.objects import Socket, Unknown
from netlab.model.sockets.options import ip_level, ipv6_level, socket_level, tcp_level, udp_level
from netlab.model.sockets.options.given import UNSURE, Given, given
from netlab.model.sockets.options.shape import Option, Refused
from netlab.model.sockets.options.shown import show
from netlab.model.sockets.outcomes import Outcome
from netlab.model.sockets.rules import SOCKETS, Guard, Rule, fails, gives, unmodelled
from netlab.model.sockets.situation import Situation
from netlab.model.sockets.world import World
from netlab.notation.constants import constant

_SOCKET, _IP, _IPV6 = constant("SOL_SOCKET"), constant("IPPROTO_IP"), constant("IPPROTO_IPV6")
_TCP, _UDP, _RAW = constant("IPPROTO_TCP"), constant("IPPROTO_UDP"), constant("SOL_RAW")
_ERROR = constant("SO_ERROR")
_LEVELS = {_SOCKET: socket_level, _IP: ip_level, _IPV6: ipv6_level, _TCP: tcp_level, _UDP: udp_level}
_INT = 4
_LOOSE = {"", "loose int"}
_WITH_OWN_LENGTH = {"device", "name", "group", "sender", "unmodelled"}
_STRUCTURED = {"name", "device", "group", "sender", "linger", "timeval"}

_BUFFERS = ("SO_SNDBUF", "SO_SNDBUFFORCE", "SO_RCVBUF", "SO_RCVBUFFORCE")
_KEPT_UNDER = {
    "SO_BINDTODEVICE": (_SOCKET, constant("SO_BINDTOIFINDEX")),
    "IP_DROP_MEMBERSHIP": (_IP, constant("IP_ADD_MEMBERSHIP")),
}

Found = Mapping[str, Any]
"""What may come of a call: reasons (the last part of a rule's id) to what belongs to them."""


@cache
def every_option() -> Mapping[tuple[int, int], Option]:
    """All rows, by level and number."""
    rows: dict[tuple[int, int], Option] = {}
    for level in _LEVELS.values():
        rows |= {row.key: row for row in level.ROWS}
    return MappingProxyType(rows)


def _left_out(level: int, number: int) -> bool:
    return level == _RAW or (level in _LEVELS and number in _LEVELS[level].LEFT_OUT)


def _has_level(one: Socket, level: int) -> bool:
    """Whether this kind of socket hands the level to whoever knows it."""
    if level == _SOCKET:
        return True
    if one.family == "unix":
        return False
    if level == _IP:
        return one.family == "inet" or one.kind != "raw"
    if level == _IPV6:
        return one.family == "inet6"
    return (level, one.kind) in ((_TCP, "tcp"), (_UDP, "udp")) or (level == _RAW and one.kind == "raw")


# setsockopt()


def _setting(s: Situation) -> Found:
    """Why an option is not taken, or the options as they are then."""
    level, number = s.number("level"), s.number("option")
    value = given(s)
    if value is None:
        return {"other-value": None}
    if value.length < 0:
        return {"negative-length EINVAL": None}
    if not _has_level(s.socket, level):
        return {"no-level EOPNOTSUPP" if s.socket.family == "unix" else "no-level ENOPROTOOPT": None}
    row = every_option().get((level, number))
    if row is None and _left_out(level, number):
        return {"left-out": None}
    wrong = _unreadable(s, level, row, value)
    if wrong:
        return {wrong: None}
    if row is None or not row.writes:
        return {"no-option ENOPROTOOPT": None}
    if not row.belongs(s.socket):
        return {f"no-option {row.lacking}": None}
    if row.writes == "unmodelled":
        return {"left-out": None}
    return _weighed(s, row, value)


def _unreadable(s: Situation, level: int, row: Option | None, value: Given) -> str:
    """Whether the value cannot be read before the option is looked at: each level has its own way (net/core/sock.c and others)."""
    if row is not None and row.writes in _WITH_OWN_LENGTH:
        return ""
    if level in (_SOCKET, _TCP, _UDP):
        if value.length < _INT:
            return "too-short EINVAL"
        return "bad-pointer EFAULT" if value.bad else ""
    if level == _IP:
        known = row is not None and row.writes
        return "bad-pointer EFAULT" if known and value.bad and value.length else ""
    null = value.null and not (row is not None and row.kinds == ("raw",) and s.kind == "raw")
    if value.bad and not null and value.length >= _INT:
        return "bad-pointer EFAULT"
    return "too-short EINVAL" if _short_six(s, row, value) else ""


def _short_six(s: Situation, row: Option | None, value: Given) -> bool:
    """IPv6 looks at the length where the option is, and some options do not (do_ipv6_setsockopt())."""
    if row is None or row.writes in _LOOSE or value.length >= _INT or not row.belongs(s.socket):
        return False
    refused = row.needs(s, 0) if row.needs is not None else None
    return refused is None or refused.reason != "kind"


def _weighed(s: Situation, row: Option, value: Given) -> Found:
    kept = value.read(s, row)
    if not isinstance(kept, Refused) and row.writes not in _STRUCTURED:
        refused = row.needs(s, kept) if row.needs is not None else None
        kept = refused if refused is not None and refused.certain else _both(refused, row.takes(s, kept) if row.takes else kept)
    if isinstance(kept, Refused):
        if kept.otherwise is UNSURE and not kept.certain:
            return {"left-out": None}
        found: dict[str, Any] = {f"{kept.reason} {kept.errno}": None}
        return found if kept.certain else found | {"set": (row, kept.otherwise)}
    return {"set": (row, kept)}


def _both(refused: Refused | None, kept: Any) -> Any:
    """Refused for want of a privilege, perhaps: else ``kept``."""
    if refused is None or isinstance(kept, Refused):
        return kept
    return msgspec.structs.replace(refused, otherwise=kept)


def _set(s: Situation) -> Iterable[Outcome]:
    row, kept = s.found["set"]
    options = dict(s.socket.options)
    also = row.also(s, kept) if row.also is not None else {}
    options[_KEPT_UNDER.get(row.name, row.key)] = kept
    options |= also
    world = s.world.with_object(s.socket_id, msgspec.structs.replace(s.socket, options=options))
    if row.name in _BUFFERS:
        world = _with_room(s, world)
    elif row.name in ("IP_RECVERR", "IPV6_RECVERR") and not kept and "errors" in s.socket.note:
        world = _without_errors(s, world)
    yield Outcome(kind="returns", value=0, world=world)


def _without_errors(s: Situation, world: World) -> World:
    """Who wants no errors any more loses those that are kept (do_ip_setsockopt())."""
    one = world.objects[s.socket_id]
    assert isinstance(one, Socket)
    note = {name: value for name, value in one.note.items() if name != "errors"}
    return world.with_object(s.socket_id, msgspec.structs.replace(one, note=note))


def _with_room(s: Situation, world: World) -> World:
    """A buffer of another size may take what the old one did not (sock_setsockopt() wakes whoever waits for room)."""
    connection = s.connection
    if connection is None or not any(flow.full for flow in connection.flows):
        return world
    first, second = (msgspec.structs.replace(flow, full=False) for flow in connection.flows)
    world.connections[s.socket.connection] = msgspec.structs.replace(connection, flows=(first, second))
    return world


# getsockopt()


def _getting(s: Situation) -> Found:
    """Why an option is not told, or what is told."""
    level, number = s.number("level"), s.number("option")
    one = s.socket
    if not _has_level(one, level):
        return {"no-level ENOPROTOOPT" if one.family == "inet6" else "no-level EOPNOTSUPP": None}
    room = s.args.get("length")
    if getattr(room, "size", None) is not None or (room is not None and not isinstance(room, int)):
        return {"bad-length EFAULT": None}
    if isinstance(room, int) and room < 0 and level != _IPV6:
        return {"negative-length EINVAL": None}
    row = every_option().get((level, number))
    if row is None and _left_out(level, number):
        return {"left-out": None}
    if row is None or not row.reads:
        return {"no-option ENOPROTOOPT": None}
    if not row.belongs(one):
        return {f"no-option {row.lacking}": None}
    value = current(s, row)
    if isinstance(value, Refused):
        found: dict[str, Any] = {f"{value.reason} {value.errno}": None}
        return found if value.certain else found | dict(show(s, row, value.otherwise))
    return show(s, row, value)


def current(s: Situation, row: Option) -> Any:
    """An option's value: what was set, what can be worked out, or the default."""
    if row.shows is not None:
        return row.shows(s)
    if row.key in s.socket.options:
        return s.socket.options[row.key]
    return row.default(s) if callable(row.default) else row.default


def _got(s: Situation) -> Iterable[Outcome]:
    row, out = s.found["got"]
    world = s.world
    if row.key == (_SOCKET, _ERROR) and s.socket.error:
        world = world.with_object(s.socket_id, msgspec.structs.replace(s.socket, error=""))
    if row.key == (_SOCKET, constant("SO_PEERPIDFD")):
        world, _ = world.opened(s.process_name, Unknown(why="a process"), cloexec=True)
    yield Outcome(kind="returns", value=0, world=world, out=out)


# The rules


def _found(call: str, reason: str) -> Guard:
    find = _setting if call == "setsockopt" else _getting

    def guard(s: Situation) -> bool | None:
        if s.found is None:
            s.found = find(s)
        if reason not in s.found:
            return False
        return True if len(s.found) == 1 else None

    return guard


_REFUSED = (
    ("no-level", "EOPNOTSUPP", "the socket's protocol has no options of this level",
          "getsockopt(2); do_sock_setsockopt() in net/socket.c"),
    ("no-level", "ENOPROTOOPT", "nobody knows the level", "POSIX.1-2024 {}() ENOPROTOOPT; getsockopt(2)"),
    ("negative-length", "EINVAL", "the length is negative", "getsockopt(2) EINVAL"),
    ("bad-length", "EFAULT", "the pointer to the length is bad", "getsockopt(2) EFAULT"),
    ("too-short", "EINVAL", "the value is shorter than an int", "POSIX.1-2024 setsockopt() EINVAL; getsockopt(2)"),
    ("bad-pointer", "EFAULT", "the value's pointer is bad", "getsockopt(2) EFAULT"),
    ("no-option", "ENOPROTOOPT", "the level has no such option, or not for this call", "POSIX.1-2024 {}() ENOPROTOOPT"),
    ("no-option", "EOPNOTSUPP", "only other kinds of sockets have the option", "unix(7); sk_setsockopt() in net/core/sock.c"),
    ("kind", "EOPNOTSUPP", "only other kinds of sockets have the option", "socket(7); sk_setsockopt() in net/core/sock.c"),
    ("kind", "ENOPROTOOPT", "only other kinds of sockets have the option", "ip(7) ENOPROTOOPT, ipv6(7)"),
    ("kind", "EINVAL", "a stream has no use for the option", "ip(7) EINVAL; do_ip_setsockopt() in net/ipv4/ip_sockglue.c"),
    ("kind", "EPROTO", "a stream cannot join a group", "ip_mc_join_group() in net/ipv4/igmp.c"),
    ("value", "EINVAL", "the value is out of its range", "POSIX.1-2024 {}() EINVAL; getsockopt(2)"),
    ("value", "EDOM", "the timeout's microseconds are no part of a second", "POSIX.1-2024 setsockopt() EDOM"),
    ("state", "EINVAL", "it is too late, or too early, in the socket's life", "POSIX.1-2024 setsockopt() EINVAL; tcp(7), ipv6(7)"),
    ("state", "ENOTCONN", "the socket has no peer", "ip(7) IP_MTU ENOTCONN; ipv6(7)"),
    ("state", "ENODATA", "nobody is known at the other end", "unix(7) SO_PEERCRED; sk_getsockopt() in net/core/sock.c"),
    ("privilege", "EPERM", "the process may not", "socket(7), ip(7): CAP_NET_ADMIN, CAP_NET_RAW"),
    ("privilege", "EACCES", "the process may not", "socket(7) SO_DEBUG: CAP_NET_ADMIN"),
    ("name", "ENOENT", "there is nothing of this name", "tcp(7) TCP_CONGESTION; socket(7) SO_DETACH_FILTER"),
    ("name", "ENOPROTOOPT", "there is no such encapsulation", "udp(7) UDP_ENCAP; udp_lib_setsockopt() in net/ipv4/udp.c"),
    ("device", "ENODEV", "there is no such interface", "socket(7) SO_BINDTODEVICE; ip(7) ENODEV"),
    ("device", "EADDRNOTAVAIL", "there is no such interface, or no such membership", "ip(7) EADDRNOTAVAIL"),
    ("joined", "ENOBUFS", "the socket is in as many groups as it can be", "ip(7), IP_ADD_MEMBERSHIP; net/ipv4/igmp.c"),
    ("joined", "EADDRINUSE", "the socket is in the group already", "ip_mc_join_group() in net/ipv4/igmp.c"),
)  # fmt: skip
_ONLY = {
    "setsockopt": {("too-short", "EINVAL"), ("value", "EDOM"), ("privilege", "EPERM"), ("privilege", "EACCES"), ("name", "ENOENT"),
                   ("name", "ENOPROTOOPT"), ("kind", "ENOPROTOOPT"), ("kind", "EINVAL"), ("kind", "EPROTO"), ("state", "EINVAL"),
                   ("device", "EADDRNOTAVAIL"), ("joined", "EADDRINUSE"), ("joined", "ENOBUFS")},
    "getsockopt": {("bad-length", "EFAULT"), ("state", "ENOTCONN"), ("state", "ENODATA")},
}  # fmt: skip


def _refusals(call: str) -> Iterable[Rule]:
    other = "getsockopt" if call == "setsockopt" else "setsockopt"
    for reason, errno, says, source in _REFUSED:
        if (reason, errno) not in _ONLY[other]:
            name = f"{call}.{reason}-{errno.lower()}"
            yield fails(name, errno, _found(call, f"{reason} {errno}"), says, source.format(call), kinds=SOCKETS)


# What is found out excludes the rest, unless it is not certain: what is usual can be looked at first.
RULES: tuple[Rule, ...] = (
    gives("setsockopt.set", _set, "the option has the value", "POSIX.1-2024 setsockopt()", when=_found("setsockopt", "set"),
          kinds=SOCKETS),
    *_refusals("setsockopt"),
    unmodelled("setsockopt.left-out", _found("setsockopt", "left-out"), "the option is not modelled", kinds=SOCKETS),
    unmodelled("setsockopt.other-value", _found("setsockopt", "other-value"), "nothing is known of the value", kinds=SOCKETS),
    gives("getsockopt.got", _got, "the option's value, cut to the room there is", "POSIX.1-2024 getsockopt()",
          when=_found("getsockopt", "got"), kinds=SOCKETS),
    *_refusals("getsockopt"),
    unmodelled("getsockopt.left-out", _found("getsockopt", "left-out"), "the option is not modelled", kinds=SOCKETS),
)  # fmt: skip
