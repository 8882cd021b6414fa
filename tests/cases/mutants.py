"""Wrong outcomes of a case, always the same ones: another errno, success for failure, failure for success, another value or state.

A judge that is any good allows none of them. The errnos are neighbours: such as the same call does give in other situations.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from zlib import crc32

from cases.case_files import Case

from netlab.notation.calls import CallText
from netlab.notation.constants import canonical_errno, combined, flag_names
from netlab.notation.lexer import NotationError
from netlab.notation.parse import parse_step, parse_value
from netlab.notation.signatures import SIGNATURES
from netlab.notation.values import BadPointer, Buffer, Call, Constant, Number, SocketAddress, Text

_SENDING = ("EAGAIN", "EPIPE", "ENOTCONN", "EDESTADDRREQ", "EMSGSIZE", "ECONNREFUSED", "EOPNOTSUPP", "EINVAL", "EISCONN", "EFAULT")
_RECEIVING = ("EAGAIN", "ENOTCONN", "ECONNRESET", "ECONNREFUSED", "EINVAL", "EOPNOTSUPP", "ETIMEDOUT", "EFAULT", "EMSGSIZE")
_OPTION = ("ENOPROTOOPT", "EINVAL", "EFAULT", "EOPNOTSUPP", "EPERM", "EDOM", "EISCONN", "ENOTCONN")
_DESCRIPTOR = ("EBADF", "EMFILE", "EINVAL", "EPERM", "EAGAIN")
_READY = ("EBADF", "EINVAL", "EFAULT", "EINTR", "ENOMEM")

NEIGHBOURS: dict[str, tuple[str, ...]] = {
    "socket": ("EAFNOSUPPORT", "EPROTONOSUPPORT", "EINVAL", "EPERM", "EMFILE", "ESOCKTNOSUPPORT"),
    "socketpair": ("EAFNOSUPPORT", "EPROTONOSUPPORT", "EOPNOTSUPP", "EINVAL", "ESOCKTNOSUPPORT", "EMFILE"),
    "bind": ("EADDRINUSE", "EADDRNOTAVAIL", "EAFNOSUPPORT", "EINVAL", "EACCES", "ENOENT", "EFAULT", "ENOTSOCK", "EBADF"),
    "connect": ("ECONNREFUSED", "EISCONN", "EALREADY", "EINPROGRESS", "EAFNOSUPPORT", "ENETUNREACH", "EINVAL", "EADDRNOTAVAIL",
                "ECONNABORTED", "ETIMEDOUT", "EPROTOTYPE", "ENOENT"),
    "listen": ("EADDRINUSE", "EINVAL", "EOPNOTSUPP", "EDESTADDRREQ", "EBADF", "ENOTSOCK", "EISCONN"),
    "accept": ("EAGAIN", "EINVAL", "EOPNOTSUPP", "ECONNABORTED", "EMFILE", "EFAULT", "ENOTCONN", "EBADF"),
    "accept4": ("EAGAIN", "EINVAL", "EOPNOTSUPP", "ECONNABORTED", "EMFILE", "EFAULT", "ENOTCONN", "EBADF"),
    "shutdown": ("ENOTCONN", "EINVAL", "ENOTSOCK", "EBADF", "EPIPE", "EOPNOTSUPP"),
    "close": ("EBADF", "EINTR", "EIO", "ENOTCONN"),
    "getsockname": ("ENOTCONN", "EINVAL", "EFAULT", "ENOTSOCK", "EBADF", "EOPNOTSUPP"),
    "getpeername": ("ENOTCONN", "EINVAL", "EFAULT", "ENOTSOCK", "EBADF", "EOPNOTSUPP"),
    "ioctl": ("ENOTTY", "EINVAL", "EFAULT", "EBADF", "ENODEV", "EOPNOTSUPP"),
    "epoll_ctl": ("EBADF", "EEXIST", "ENOENT", "EINVAL", "EPERM", "EFAULT", "ELOOP"),
    "epoll_wait": ("EBADF", "EINVAL", "EFAULT", "EINTR"),
    "open": ("ENOENT", "ENXIO", "EACCES", "EEXIST", "EISDIR", "EMFILE", "ENOTSOCK", "EOPNOTSUPP"),
    **dict.fromkeys(("send", "sendto", "sendmsg", "write", "pwrite"), _SENDING),
    **dict.fromkeys(("recv", "recvfrom", "recvmsg", "read", "pread"), _RECEIVING),
    **dict.fromkeys(("getsockopt", "setsockopt", "tcp_state"), _OPTION),
    **dict.fromkeys(("dup", "dup2", "dup3", "fcntl", "pipe", "epoll_create1"), _DESCRIPTOR),
    **dict.fromkeys(("poll", "select"), _READY),
}  # fmt: skip
"""Errnos that each call's page lists (POSIX.1-2024, man-pages section 2)."""

OTHERS = ("EINVAL", "EBADF", "EPERM", "EACCES")
"""For calls that have no row."""

STATES = ("ESTABLISHED", "CLOSE", "LISTEN", "SYN_SENT", "CLOSE_WAIT", "FIN_WAIT2")

_POLLED = re.compile(r"E?POLL[A-Z|]+")


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """A wrong outcome of a case, and in what it is wrong: errno, success, failure, value, out or state."""

    kind: str
    expect: dict[str, Any]


def mutants(case: Case) -> tuple[Mutant, ...]:
    """The wrong outcomes of one case. None contradicts itself; none is what the case says."""
    made = Call(case.call)
    said = parse_step(case.call)
    if isinstance(said, CallText):
        made = said.call.inner or said.call
    right = case.expect
    failed = bool(right.get("errno"))
    found = list(_errnos(case, made, "errno" if failed else "failure"))
    if failed:
        found.append(Mutant(kind="success", expect={"ret": success(made), "errno": None}))
    else:
        found += _values(right) + _outs(right) + _states(right)
    return tuple(found)


def _errnos(case: Case, call: Call, kind: str) -> Iterator[Mutant]:
    """Three errnos that are not the right one; where any is right, none."""
    right = case.expect.get("errno")
    if right == "any":
        return
    row = [name for name in NEIGHBOURS.get(call.name, OTHERS) if not right or canonical_errno(name) != canonical_errno(right)]
    start = crc32(case.id.encode()) % len(row)
    for step in range(min(3, len(row))):
        yield Mutant(kind=kind, expect={"ret": -1, "errno": row[(start + step) % len(row)]})


def success(call: Call) -> Any:
    """What the call would give if it succeeded."""
    returns = SIGNATURES[call.name].returns
    if returns == "fd" or (call.name == "fcntl" and _is(call, 1, "F_DUPFD", "F_DUPFD_CLOEXEC")):
        return "fd"
    if returns == "count":
        return next((size for value in call.arguments[1:] if (size := _size(value)) is not None), 0)
    return 0


def _is(call: Call, place: int, *names: str) -> bool:
    value = call.arguments[place] if len(call.arguments) > place else None
    return isinstance(value, Constant) and bool(set(value.names) & set(names))


def _size(value: object) -> int | None:
    match value:
        case Text(data):
            return len(data)
        case Buffer(size):
            return size
        case BadPointer(_, size):
            return size
    return None


def _values(right: dict[str, Any]) -> list[Mutant]:
    """Another number, the flag the other way."""
    if right.get("signal"):
        return [Mutant(kind="value", expect={"ret": 0, "errno": None})]
    ret = right["ret"]
    if isinstance(ret, str):
        other = ret.removeprefix("!") if ret.startswith("!&") else f"!{ret}" if ret.startswith("&") else None
        return [] if other is None else [Mutant(kind="value", expect={**right, "ret": other})]
    numbers = [ret + 1, *([ret - 1] if ret > 0 else [])]
    return [Mutant(kind="value", expect={**right, "ret": number, "out": None, "state": None}) for number in numbers]


def _outs(right: dict[str, Any]) -> list[Mutant]:
    out = right.get("out")
    return [] if out is None else [Mutant(kind="out", expect={**right, "out": other, "state": None}) for other in other_outs(out)]


def other_outs(out: str) -> tuple[str, ...]:
    """What a call could have given besides its value, but did not."""
    part, equals, rest = out.partition("=")
    if equals and part in ("addrlen", "flags", "len"):
        return tuple(f"{part}={other}" for other in other_outs(rest))
    if out == "*":
        return ("0",)
    if out.startswith(">="):
        return (str(int(out.removeprefix(">=")) - 1),)
    if out.startswith("@"):
        return ("192.0.2.1:9",)
    if out in STATES or out in ("SYN_RECV", "FIN_WAIT1", "TIME_WAIT", "LAST_ACK", "CLOSING"):
        return tuple(state for state in STATES if state != out)[:2]
    if _POLLED.fullmatch(out):
        return _other_events(out)
    if re.fullmatch(r"-?\d+", out):
        return str(int(out) + 1), str(int(out) - 1)
    return _other_address(out) or (f"{out}x",)


def _other_events(out: str) -> tuple[str, ...]:
    prefix = "EPOLL" if out.startswith("E") else "POLL"
    bits = combined(tuple(out.split("|")))
    lowest = bits & -bits
    toggled = combined((f"{prefix}IN",)) ^ bits
    others = {other for other in (bits & ~lowest, toggled, bits ^ combined((f"{prefix}OUT",))) if other != bits}
    return tuple(flag_names(prefix, other) for other in sorted(others))


def _other_address(out: str) -> tuple[str, ...]:
    try:
        address = parse_value(out.replace(":*", ":9"))
    except NotationError:
        return ()
    if not isinstance(address, SocketAddress) or address.form != "ip":
        return ()
    port = out.rpartition(":")[2]
    host = "[2001:db8::1]" if ":" in address.host else "192.0.2.1"
    same = f"[{address.host}]" if ":" in address.host else address.host
    return (f"{host}:{port}", *((f"{same}:9",) if port == "0" else (f"{same}:0",) if port == "*" else ()))


def _states(right: dict[str, Any]) -> list[Mutant]:
    states = right.get("state") or {}
    return [
        Mutant(kind="state", expect={**right, "state": {**states, name: other}})
        for name, state in states.items()
        for other in [one for one in STATES if one != state][:2]
    ]


def number_of(text: str) -> int | None:
    """The number that a text of the notation stands for: 16, POLLIN|POLLHUP; None where it is none."""
    try:
        value = parse_value(text)
    except NotationError:
        return None
    match value:
        case Number(number):
            return number
        case Constant(names):
            return combined(names)
    return None
