"""What a call was asked and what it gave, from registers and memory to the names that SystemCall.arguments has. Pure.

The strace source gives the same for the same call (strace_arguments). Values that have no name stay numbers; what was not copied
from the program's memory (a bad pointer, more than fits into a record) is left out, never guessed.
"""

import platform
import struct
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from netlab.notation.constants import constant
from netlab.observe.call_values import (
    INT_REQUESTS,
    address,
    clone_flags,
    close_range_flags,
    command_name,
    flag_list,
    flags,
    named,
    option_names,
    option_value,
    passed,
    request_name,
    status_flags,
)

Arguments = dict[str, Any]
_IOVECS = 8
_EPOLL_EVENT = 12 if platform.machine() == "x86_64" else 16  # packed on x86-64 only


class Copied(NamedTuple):
    """What the kernel's record has of one call: its six arguments, unsigned; copied memory; and what it gave.

    ``data``, ``extra`` and ``length`` as in call_records; ``result`` is negative for an error and None where it did not return;
    ``inodes`` are those of the sockets behind the second descriptor and behind the one that was made.
    """

    values: tuple[int, ...]
    data: bytes = b""
    extra: bytes = bytes(16)
    length: int = 0
    result: int | None = 0
    inodes: tuple[int, int] = (0, 0)

    def number(self, index: int) -> int:
        """An argument as the C int that it is."""
        return int(struct.unpack("=i", struct.pack("=I", self.values[index] & 0xFFFFFFFF))[0])

    @property
    def succeeded(self) -> bool:
        """Whether it returned without an error."""
        return self.result is not None and self.result >= 0


def call_arguments(call: str, copied: Copied) -> Arguments:
    """The arguments of a call by their names; those that it was not given, or that are not known, are left out."""
    reader = _READERS.get(call)
    values = reader(copied) if reader is not None else {}
    return {name: value for name, value in values.items() if value is not None}


def _socket(c: Copied) -> Arguments:
    domain, kind = named("AF_", c.number(0)), c.number(1)
    protocol = named("IPPROTO_", c.number(2)) if domain in ("AF_INET", "AF_INET6") else c.number(2)
    return {
        "domain": domain,
        "type": named("SOCK_", kind & 0xF),
        "flags": flag_list("SOCK_", kind & ~0xF & 0xFFFFFFFF),
        "protocol": "IPPROTO_IP" if protocol == "IPPROTO_HOPOPTS" else protocol,
    }


def _socketpair(c: Copied) -> Arguments:
    if not c.succeeded or len(c.data) < 8:
        return _socket(c)
    return {**_socket(c), "descriptors": list(struct.unpack_from("=ii", c.data)), "inodes": [c.inodes[1], c.inodes[0]]}


def _given_address(c: Copied) -> Arguments:
    return address(c.data)


def _got_address(c: Copied) -> Arguments:
    return address(c.data) if c.succeeded else {}


def _accept4(c: Copied) -> Arguments:
    return {**_got_address(c), "flags": flag_list("SOCK_", c.number(3))}


def _listen(c: Copied) -> Arguments:
    return {"backlog": c.number(1)}


def _shutdown(c: Copied) -> Arguments:
    return {"how": named("SHUT_", c.number(1))}


def _option(c: Copied) -> Arguments:
    level, option = option_names(c.number(1), c.number(2))
    return {"level": level, "option": option, "value": option_value(str(option), c.data)}


def _getsockopt(c: Copied) -> Arguments:
    return _option(c if c.succeeded else c._replace(data=b""))


def _transfer(c: Copied) -> Arguments:
    return {"length": c.values[2]}


def _sendto(c: Copied) -> Arguments:
    return {"length": c.values[2], "flags": flag_list("MSG_", c.number(3)), **address(c.data)}


def _recvfrom(c: Copied) -> Arguments:
    return {"length": c.values[2], "flags": flag_list("MSG_", c.number(3)), **_got_address(c)}


def _capacity(c: Copied) -> int | None:
    [count] = struct.unpack_from("=Q", c.extra)
    return c.length if count <= _IOVECS else None


def _vector(c: Copied) -> Arguments:
    return {"length": _capacity(c)}


def _message(c: Copied) -> Arguments:
    gave, control = struct.unpack_from("=II", c.extra, 8)
    about = passed(c.data) if control else address(c.data)
    inode = c.inodes[0] or c.inodes[1]
    if inode and len(about.get("descriptors", ())) == 1:
        about["inodes"] = [inode]
    return {
        "length": _capacity(c),
        "flags": flag_list("MSG_", c.number(2)),
        "message_flags": flag_list("MSG_", gave & ~constant("MSG_CMSG_CLOEXEC")) if c.succeeded else None,
        **about,
    }


def _messages(c: Copied) -> Arguments:
    return {"messages": c.number(2), "flags": flag_list("MSG_", c.number(3))}


def _sendfile(c: Copied) -> Arguments:
    return {"source": c.number(1), "inode": c.inodes[0] or None, "length": c.values[3]}


def _splice(c: Copied) -> Arguments:
    return {"target": c.number(2), "inode": c.inodes[0] or None, "length": c.values[4]}


def _fcntl(c: Copied) -> Arguments:
    command, value = command_name(c.number(1)), c.number(2)
    asked: Any = value
    if command in ("F_SETFD", "F_SETFL"):
        asked = status_flags(str(command), value)
    elif command in ("F_GETFD", "F_GETFL"):
        asked = status_flags(str(command), c.result or 0) if c.succeeded else None
    elif command == "F_GETOWN":
        asked = None
    return {"command": command, "value": asked}


def _ioctl(c: Copied) -> Arguments:
    command = request_name(c.values[1] & 0xFFFFFFFF)
    readable = command in INT_REQUESTS and c.succeeded and len(c.data) == 4
    return {"command": command, "value": struct.unpack("=i", c.data)[0] if readable else None}


def _close_range(c: Copied) -> Arguments:
    return {"first": c.values[0] & 0xFFFFFFFF, "last": c.values[1] & 0xFFFFFFFF, "flags": close_range_flags(c.values[2])}


def _dup2(c: Copied) -> Arguments:
    return {"target": c.number(1), "replaced": c.inodes[0] or None}


def _dup3(c: Copied) -> Arguments:
    return {**_dup2(c), "flags": flag_list("O_", c.number(2))}


def _pidfd_getfd(c: Copied) -> Arguments:
    return {"target": c.number(1)}


def _polled(c: Copied) -> Arguments:
    entries = [struct.unpack_from("=iHH", c.data, at) for at in range(0, len(c.data) // 8 * 8, 8)]
    return {
        "count": c.values[1],
        "descriptors": [fd for fd, _, _ in entries] or None,
        "events": [list(flags("POLL", events)) for _, events, _ in entries] or None,
        "ready": [list(flags("POLL", ready)) for _, _, ready in entries] if c.result is not None and c.result > 0 else None,
    }


def _poll(c: Copied) -> Arguments:
    return {**_polled(c), "timeout": _milliseconds(c.number(2))}


def _milliseconds(value: int) -> int | None:
    return None if value < 0 else value


def _timespec(c: Copied, index: int, per_ms: int = 1_000_000) -> int | None:
    """Milliseconds, rounded up; None for no end (no struct timespec was given)."""
    if not c.values[index]:
        return None
    seconds, fine = struct.unpack("=qq", c.extra)
    return int(seconds * 1000 + -(-fine // per_ms))


def _ready(c: Copied) -> Arguments:
    count = min(max(c.result or 0, 0), len(c.data) // _EPOLL_EVENT)
    events = (struct.unpack_from("=I", c.data, at * _EPOLL_EVENT)[0] for at in range(count))
    return {"length": c.number(2), "ready": [list(flags("EPOLL", one)) for one in events] or None}


def _epoll_ctl(c: Copied) -> Arguments:
    events = struct.unpack_from("=I", c.data)[0] if len(c.data) >= 4 else None
    operation = named("EPOLL_CTL_", c.number(1))
    return {
        "operation": operation,
        "target": c.number(2),
        "inode": c.inodes[0] or None,
        "events": None if events is None or operation == "EPOLL_CTL_DEL" else list(flags("EPOLL", events)),
    }


def _clone(c: Copied) -> Arguments:
    # clone(2): the lowest byte is the signal at the child's end.
    return {"flags": clone_flags(c.values[0])}


def _clone3(c: Copied) -> Arguments:
    return {"flags": clone_flags(struct.unpack_from("=Q", c.data)[0])} if len(c.data) >= 8 else {}


def _path(c: Copied) -> Arguments:
    return {"path": c.data.split(b"\0")[0].decode(errors="replace")} if c.data else {}


def _named(names: Iterable[str], reader: Callable[[Copied], Arguments]) -> dict[str, Callable[[Copied], Arguments]]:
    return dict.fromkeys(names, reader)


_READERS: dict[str, Callable[[Copied], Arguments]] = {
    "socket": _socket,
    "socketpair": _socketpair,
    **_named(("bind", "connect"), _given_address),
    **_named(("accept", "getsockname", "getpeername"), _got_address),
    "accept4": _accept4,
    "listen": _listen,
    "shutdown": _shutdown,
    "setsockopt": _option,
    "getsockopt": _getsockopt,
    **_named(("read", "write"), _transfer),
    "sendto": _sendto,
    "recvfrom": _recvfrom,
    **_named(("readv", "writev"), _vector),
    **_named(("sendmsg", "recvmsg"), _message),
    **_named(("sendmmsg", "recvmmsg"), _messages),
    "sendfile": _sendfile,
    "splice": _splice,
    "fcntl": _fcntl,
    "ioctl": _ioctl,
    "close_range": _close_range,
    "dup2": _dup2,
    "dup3": _dup3,
    "pidfd_getfd": _pidfd_getfd,
    "poll": _poll,
    "ppoll": lambda c: {**_polled(c), "timeout": _timespec(c, 2)},
    "select": lambda c: {"nfds": c.number(0), "timeout": _timespec(c, 4, 1000)},
    "pselect6": lambda c: {"nfds": c.number(0), "timeout": _timespec(c, 4)},
    "epoll_create1": lambda c: {"flags": flag_list("EPOLL_CLO", c.number(0))},
    "epoll_ctl": _epoll_ctl,
    **_named(("epoll_wait", "epoll_pwait"), lambda c: {**_ready(c), "timeout": _milliseconds(c.number(3))}),
    "epoll_pwait2": lambda c: {**_ready(c), "timeout": _timespec(c, 3)},
    "clone": _clone,
    "clone3": _clone3,
    **_named(("execve", "execveat"), _path),
    "io_uring_setup": lambda c: {"entries": c.number(0)},
    "io_uring_enter": lambda c: {"length": c.number(1)},
}
