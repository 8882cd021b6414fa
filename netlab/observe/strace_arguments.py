"""What a call was asked and what it gave, from strace's words to the names and shapes that SystemCall.arguments has. Pure.

Words become numbers first and then words again, by the tables of the BPF source (call_values), so that both give the same for the
same call (call_arguments). What strace printed as a bare pointer (it was bad, or the call failed before it filled it) is left out,
never guessed.
"""

import ipaddress
import struct
from collections.abc import Callable, Sequence
from typing import Any

from netlab.notation.constants import constant
from netlab.observe.call_values import (
    INT_REQUESTS,
    clone_flags,
    close_range_flags,
    command_name,
    flag_list,
    named,
    option_names,
    option_value,
    request_name,
    status_flags,
)
from netlab.observe.strace_parse import Outcome, descriptor, fields, given, inode, items, number, string, words

Arguments = dict[str, Any]
_LEVELS = {"SOL_TCP": "IPPROTO_TCP", "SOL_IP": "IPPROTO_IP", "SOL_IPV6": "IPPROTO_IPV6", "SOL_UDP": "IPPROTO_UDP"}
_INTERNET = ("AF_INET", "AF_INET6")
# strace's names of what the headers that netlab's table is from have otherwise, or not at all.
_NUMBERS = {
    **{f"NETLINK_{name}": number for number, name in enumerate(("ROUTE", "UNUSED", "USERSOCK", "FIREWALL", "SOCK_DIAG"))},
    "ETH_P_ALL": 3,
    "ETH_P_IP": 0x800,
    "ETH_P_ARP": 0x806,
    "ETH_P_IPV6": 0x86DD,
    "SOCK_PACKET": 10,
    "CLOSE_RANGE_UNSHARE": 2,
    "CLOSE_RANGE_CLOEXEC": 4,
}
_PREFIXES = ("l_", "tv_")


def call_arguments(call: str, texts: Sequence[str], outcome: Outcome | None) -> Arguments:
    """The arguments of a call by their names; ``outcome`` is None where it did not return."""
    reader = _READERS.get(call)
    values = reader(_Given(texts, outcome)) if reader is not None else {}
    return {name: value for name, value in values.items() if value is not None}


class _Given:
    """A call's arguments by position; what lies beyond those that there are is the empty text."""

    def __init__(self, texts: Sequence[str], outcome: Outcome | None) -> None:
        self._texts, self.outcome = texts, outcome

    def __getitem__(self, index: int) -> str:
        return self._texts[index] if index < len(self._texts) else ""

    @property
    def result(self) -> int:
        return -1 if self.outcome is None or self.outcome.value is None else self.outcome.value

    @property
    def succeeded(self) -> bool:
        return self.outcome is not None and not self.outcome.errno


def bits(text: str) -> int:
    """The number behind names and numbers that strace joins with "|"; names that nobody knows are left out."""
    total = 0
    for word in words(text):
        value = number(word)
        if value is None:
            value = _constant(word)
        total |= value or 0
    return total


def _constant(name: str) -> int | None:
    if name in _NUMBERS:
        return _NUMBERS[name]
    try:
        return constant(name)
    except ValueError:
        return None


def _named(prefix: str, text: str) -> str | int | None:
    """A constant's name as netlab has it; the number of one without."""
    value = number(text)
    if value is None:
        value = _constant(given(text))
    return (given(text) or None) if value is None else named(prefix, value)


def _flags(prefix: str, text: str) -> list[str] | None:
    return flag_list(prefix, bits(text))


def address(text: str) -> Arguments:
    """{"address": [IP address, port]} or the path of a Unix socket ("@name" an abstract one); {"family": ...} for others."""
    members = fields(text)
    family = given(members.get("sa_family", ""))
    if family in _INTERNET:
        quoted = members.get("sin_addr" if family == "AF_INET" else "inet_pton", "").partition('"')
        port = number(members.get("sin_port" if family == "AF_INET" else "sin6_port", ""))
        host = ipaddress.ip_address(quoted[2].partition('"')[0])
        mapped = host.ipv4_mapped if isinstance(host, ipaddress.IPv6Address) else None
        return {"address": [str(mapped or host), port]}
    if family == "AF_UNIX" and "sun_path" in members:
        path = members["sun_path"]
        return {"address": "@" * path.startswith("@") + (string(path.removeprefix("@")) or b"").decode(errors="replace")}
    return {"family": _named("AF_", family)} if family else {}


def _socket(a: _Given) -> Arguments:
    domain, kind = _named("AF_", a[0]), bits(a[1])
    protocol = _named("IPPROTO_", a[2]) if domain in _INTERNET else bits(a[2])
    return {
        "domain": domain,
        "type": named("SOCK_", kind & 0xF),
        "flags": flag_list("SOCK_", kind & ~0xF),
        "protocol": "IPPROTO_IP" if protocol == "IPPROTO_HOPOPTS" else protocol,
    }


def _socketpair(a: _Given) -> Arguments:
    made = [descriptor(item) for item in items(a[3])]
    if not made:
        return _socket(a)
    return {**_socket(a), "descriptors": [fd for fd, _ in made], "inodes": [inode(target) for _, target in made]}


def _accept4(a: _Given) -> Arguments:
    return {**address(a[1]), "flags": _flags("SOCK_", a[3])}


def _option(a: _Given) -> Arguments:
    level, option = given(a[1]), given(a[2]).removesuffix("_OLD")
    level_number = bits(_LEVELS.get(level, level))
    name, option_name = option_names(level_number, bits(option))
    # A name that netlab has no number of is better told as strace has it.
    option_name = option if not bits(option) and number(option) is None else option_name
    return {"level": name, "option": option_name, "value": _value(str(option_name), a[3])}


def _value(option: str, text: str) -> Any:
    members = fields(text)
    if members:
        return {_short(name): bits(value) for name, value in members.items()}
    quoted = string(text)
    if quoted is not None:
        return option_value(option, quoted)
    if not text.startswith("["):
        return None  # a pointer: nothing was read from it
    inside = given(text[1:].rpartition("]")[0])
    value = number(inside)
    if value is None:
        # strace names some values: SO_ERROR's [ECONNREFUSED], SO_TYPE's [SOCK_STREAM].
        return inside if option == "SO_ERROR" else _constant(inside) if "|" not in inside else bits(inside)
    return option_value(option, struct.pack("=i" if value < 1 << 31 else "=q", value))


def _short(name: str) -> str:
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    return name


def _vector(a: _Given) -> Arguments:
    return {"length": _capacity(a[1])}


def _capacity(iov: str) -> int | None:
    """The room in an array of iovecs; None where strace shows only where they are."""
    if not iov.startswith("["):
        return 0 if iov == "NULL" else None
    lengths = [number(fields(item).get("iov_len", "")) for item in items(iov)]
    return None if None in lengths else sum(length or 0 for length in lengths)


def _message(a: _Given) -> Arguments:
    members = fields(a[1])
    iov = members.get("msg_iov")
    gave = bits(members.get("msg_flags", "")) & ~constant("MSG_CMSG_CLOEXEC")
    return {
        "length": None if iov is None else _capacity(iov),
        "flags": _flags("MSG_", a[2]),
        "message_flags": flag_list("MSG_", gave) if a.succeeded else None,
        **(_passed(members) or address(members.get("msg_name", ""))),
    }


def _passed(members: dict[str, str]) -> Arguments:
    """The descriptors that a message's SCM_RIGHTS carries, and the inodes of the sockets behind them."""
    controls = [fields(item) for item in items(members.get("msg_control", ""))]
    rights = [control for control in controls if control.get("cmsg_type") == "SCM_RIGHTS"]
    found = [descriptor(item) for control in rights for item in items(control.get("cmsg_data", ""))]
    return {"descriptors": [fd for fd, _ in found], "inodes": [inode(target) for _, target in found]} if found else {}


def _fcntl(a: _Given) -> Arguments:
    command = command_name(bits(a[1]))
    value: Any = None
    if command in ("F_SETFD", "F_SETFL"):
        value = status_flags(str(command), bits(a[2]))
    elif command in ("F_GETFD", "F_GETFL"):
        value = status_flags(str(command), a.result) if a.succeeded else None
    elif a[2]:
        value = bits(a[2])
    return {"command": command, "value": value}


def _ioctl(a: _Given) -> Arguments:
    known = [one for word in given(a[1]).split(" or ") if (one := number(word) or _constant(word)) is not None]
    command = request_name(known[0]) if known else given(a[1])
    return {"command": command, "value": number(a[2]) if command in INT_REQUESTS and a.succeeded else None}


def _dup(a: _Given) -> Arguments:
    target, replaced = descriptor(a[1])
    return {"target": target, "replaced": inode(replaced) or None, "flags": _flags("O_", a[2])}


def _poll(a: _Given) -> Arguments:
    told = fields_of(items(a.outcome.text.partition("(")[2].removesuffix(")"))) if a.outcome is not None else []
    ready = {descriptor(one.get("fd", ""))[0]: _flags("POLL", one.get("revents", "")) or [] for one in told}
    asked = fields_of(items(a[0]))
    fds = [descriptor(one.get("fd", ""))[0] for one in asked]
    return {
        "count": number(a[1]),
        "descriptors": fds or None,
        "events": [_flags("POLL", one.get("events", "")) or [] for one in asked] or None,
        "ready": [ready.get(fd, []) for fd in fds] if a.result > 0 else None,
        "timeout": _milliseconds(a[2]),
    }


def fields_of(structures: Sequence[str]) -> list[dict[str, str]]:
    """The members of each structure of an array."""
    return [fields(one) for one in structures]


def _milliseconds(text: str) -> int | None:
    """A time-out in ms, or a struct timespec or timeval, rounded up; None for one that never ends (-1, NULL)."""
    members = fields(text)
    if members:
        seconds, fine = number(members.get("tv_sec", "")) or 0, number(members.get("tv_nsec", members.get("tv_usec", ""))) or 0
        return seconds * 1000 + -(-fine // (1_000_000 if "tv_nsec" in members else 1000))
    value = number(text)
    return None if value is None or value < 0 else value


def _epoll_ctl(a: _Given) -> Arguments:
    target, what = descriptor(a[2])
    events = fields(a[3]).get("events")
    return {
        "operation": given(a[1]),
        "target": target,
        "inode": inode(what) or None,
        "events": None if events is None or given(a[1]) == "EPOLL_CTL_DEL" else _flags("EPOLL", events) or [],
    }


def _epoll_wait(a: _Given) -> Arguments:
    ready = [_flags("EPOLL", one.get("events", "")) or [] for one in fields_of(items(a[1]))]
    return {"length": number(a[2]), "ready": ready or None, "timeout": _milliseconds(a[3])}


def _clone(a: _Given) -> Arguments:
    return {"flags": clone_flags(_clone_bits(fork_flags(a[0]) or next(filter(None, map(fork_flags, a._texts)), [])))}


def _clone_bits(names: list[str]) -> int:
    return sum(bit for bit in (1 << place for place in range(8, 34)) if (clone_flags(bit) or [""])[0] in names)


def fork_flags(text: str) -> list[str]:
    """The flags of clone(2) in the argument "flags=..." or in clone3's structure; [] for another argument."""
    if text.startswith("flags="):
        return words(text.removeprefix("flags="))
    return words(fields(text.partition(" => ")[0]).get("flags", ""))


def _second(text: str) -> int:
    return descriptor(text)[0]


_READERS: dict[str, Callable[[_Given], Arguments]] = {
    "socket": _socket,
    "socketpair": _socketpair,
    **dict.fromkeys(("bind", "connect"), lambda a: address(a[1])),
    **dict.fromkeys(("accept", "getsockname", "getpeername"), lambda a: address(a[1]) if a.succeeded else {}),
    "accept4": _accept4,
    "listen": lambda a: {"backlog": number(a[1])},
    "shutdown": lambda a: {"how": _named("SHUT_", a[1])},
    **dict.fromkeys(("setsockopt", "getsockopt"), _option),
    **dict.fromkeys(("read", "write"), lambda a: {"length": number(a[2])}),
    **dict.fromkeys(("sendto", "recvfrom"), lambda a: {"length": number(a[2]), "flags": _flags("MSG_", a[3]), **address(a[4])}),
    **dict.fromkeys(("readv", "writev"), _vector),
    **dict.fromkeys(("sendmsg", "recvmsg"), _message),
    **dict.fromkeys(("sendmmsg", "recvmmsg"), lambda a: {"messages": number(a[2]), "flags": _flags("MSG_", a[3])}),
    "sendfile": lambda a: {"source": _second(a[1]), "inode": inode(descriptor(a[1])[1]) or None, "length": number(a[3])},
    "splice": lambda a: {"target": _second(a[2]), "inode": inode(descriptor(a[2])[1]) or None, "length": number(a[4])},
    "fcntl": _fcntl,
    "ioctl": _ioctl,
    "close_range": lambda a: {"first": number(a[0]), "last": number(a[1]), "flags": close_range_flags(bits(a[2]))},
    **dict.fromkeys(("dup2", "dup3"), _dup),
    "pidfd_getfd": lambda a: {"target": number(a[1])},
    **dict.fromkeys(("poll", "ppoll"), _poll),
    **dict.fromkeys(("select", "pselect6"), lambda a: {"nfds": number(a[0]), "timeout": _milliseconds(a[4])}),
    "epoll_create1": lambda a: {"flags": _flags("EPOLL_CLO", a[0])},
    "epoll_ctl": _epoll_ctl,
    **dict.fromkeys(("epoll_wait", "epoll_pwait", "epoll_pwait2"), _epoll_wait),
    **dict.fromkeys(("clone", "clone3"), _clone),
    "execve": lambda a: {"path": (string(a[0]) or b"").decode(errors="replace") or None},
    "execveat": lambda a: {"path": (string(a[1]) or b"").decode(errors="replace") or None},
    "io_uring_setup": lambda a: {"entries": number(a[0])},
    "io_uring_enter": lambda a: {"length": number(a[1])},
}
