"""The sockets of a log's processes: which descriptor is which socket, what each became, and which calls are about one.

It refuses to know how calls are written as steps.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from netlab.importing.strace_log import Made
from netlab.observe.strace_arguments import address, bits
from netlab.observe.strace_parse import fields, items, string

_FAMILIES = ("AF_INET", "AF_INET6")
_KINDS = {1: "SOCK_STREAM", 2: "SOCK_DGRAM"}
_NAMED = frozenset({"bind", "listen", "connect", "accept", "accept4", "getsockname", "getpeername", "shutdown", "close", "fcntl"})
_OTHERS = frozenset({"setsockopt", "getsockopt", "dup", "dup2", "dup3"})
SENDS = frozenset({"sendto", "send", "sendmsg", "write", "writev"})
RECEIVES = frozenset({"recvfrom", "recv", "recvmsg", "read", "readv"})
ABOUT = _NAMED | _OTHERS | SENDS | RECEIVES
_LEFT = frozenset(
    {"select", "pselect6", "epoll_wait", "epoll_pwait", "epoll_ctl", "sendfile", "splice", "sendmmsg", "recvmmsg", "ioctl"}
)
_NUMBER = re.compile(r"-?\d+")
_FDS = re.compile(r"fd=(\d+)")


@dataclass(slots=True, eq=False)
class Socket:
    """A socket of the log: for "listen", "accept", "connect" or "", its own and the other's address, as far as told."""

    family: str
    kind: str
    role: str = ""
    name: str = ""
    local: tuple[str, int] | None = None
    remote: tuple[str, int] | None = None
    listener: "Socket | None" = None


@dataclass(slots=True, eq=False)
class Call:
    """A call about a socket, or a fork or an end: ``made`` is what the log has; ``makes`` a socket that it gave; ``bytes`` and
    ``size`` what passed; ``address`` what it names; ``ready`` of poll, the descriptors' sockets with what is asked and told."""

    made: Made
    socket: Socket | None = None
    makes: Socket | None = None
    bytes: bytes = b""
    size: int = 0
    address: tuple[str, int] | None = None
    asked: str = ""
    left_open: tuple[Socket, ...] = ()


@dataclass(slots=True)
class Sockets:
    """All of a log: ``calls`` in order, the ``sockets``, and how many calls of which name are left out."""

    calls: list[Call] = field(default_factory=list)
    sockets: list[Socket] = field(default_factory=list)
    left: Counter[str] = field(default_factory=Counter)


def sockets_of(calls: Sequence[Made]) -> Sockets:
    """Fold the calls, in the order in which they ended: only then is it known what a descriptor is."""
    folder = _Folder()
    for made in sorted(calls, key=lambda one: one.begin if one.forked else one.end):
        folder.take(made)
    folder.found.calls.sort(key=lambda one: one.made.begin)
    return folder.found


def descriptor(text: str) -> int:
    """A descriptor's number, whatever -y adds to it."""
    match = _NUMBER.match(text)
    return int(match[0]) if match else -1


def endpoint(told: dict[str, Any]) -> tuple[str, int] | None:
    """The address of an internet family."""
    given = told.get("address")
    return (given[0], given[1] or 0) if isinstance(given, list) else None


class _Folder:
    def __init__(self) -> None:
        self.found = Sockets()
        self._tables: dict[int, dict[int, Socket]] = {}
        self._early: dict[int, list[Made]] = {}

    def take(self, made: Made) -> None:
        table = self._tables.setdefault(made.process, {})
        if made.forked:
            self._tables[made.forked] = {**table, **self._tables.get(made.forked, {})}
            self.found.calls.append(Call(made=made))
        elif not made.name:
            self.found.calls.append(Call(made=made, left_open=tuple(dict.fromkeys(table.values()))))
            table.clear()
        elif made.name == "socket":
            self._socket(made, table)
        elif made.name in ("poll", "ppoll"):
            self._poll(made, table)
        elif made.name == "close_range" and not made.errno:
            self._tables[made.process] = {}
        elif made.name in ABOUT and made.arguments:
            fd = descriptor(made.arguments[0])
            if fd in table:
                self._about(made, table, fd)
            elif made.name in ("dup2", "dup3") and not made.errno:
                table.pop(made.value, None)
        elif made.name in _LEFT and any(descriptor(one) in table for one in made.arguments[:1]):
            self.found.left[made.name] += 1

    def _socket(self, made: Made, table: dict[int, Socket]) -> None:
        family, kind = made.arguments[0], bits(made.arguments[1]) & 0xF
        if family not in _FAMILIES or kind not in _KINDS or made.errno:
            self.found.left["socket of another family or kind"] += 1
            return
        one = table[made.value] = Socket(family, _KINDS[kind])
        self.found.sockets.append(one)
        self.found.calls.append(Call(made=made, makes=one))

    def _poll(self, made: Made, table: dict[int, Socket]) -> None:
        asked = [one for one in items(made.arguments[0]) if one.startswith("{")]
        ours = [one for one in asked if (found := _FDS.search(one)) and int(found[1]) in table]
        if len(ours) != 1:
            if ours:
                self.found.left["poll of several sockets"] += 1
            return
        number = int(_FDS.search(ours[0])[1])  # type: ignore[index]
        told = made.outcome.text.partition("(")[2]
        size = len(re.findall(rf"fd={number}\b", told))
        events = fields(ours[0]).get("events", "0")
        self.found.calls.append(Call(made=made, socket=table[number], size=size, asked=events))

    def _about(self, made: Made, table: dict[int, Socket], fd: int) -> None:
        one, name, texts = table[fd], made.name, made.arguments
        call = Call(made=made, socket=one)
        self.found.calls.append(call)
        if name in ("bind", "connect") and len(texts) > 1:
            call.address = endpoint(address(texts[1]))
            if name == "bind" and not made.errno:
                one.local = call.address
            elif name == "connect" and call.address:
                one.role, one.remote = "connect", call.address
        elif name == "listen":
            one.role = "listen"
        elif name.startswith("accept") and not made.errno:
            call.makes = table[made.value] = Socket(one.family, one.kind, "accept", local=one.local, listener=one)
            call.makes.remote = endpoint(address(texts[1])) if len(texts) > 1 else None
            self.found.sockets.append(call.makes)
        elif name == "getsockname" and not made.errno and len(texts) > 1:
            call.address = one.local = endpoint(address(texts[1]))
        elif name == "getpeername" and not made.errno and len(texts) > 1:
            call.address = endpoint(address(texts[1]))
        elif name in SENDS | RECEIVES:
            call.bytes, call.size = _passed(made)
            if name in ("sendto", "recvfrom") and len(texts) > 4:
                call.address = endpoint(address(texts[4]))
        elif name == "close":
            del table[fd]
            if one in table.values():
                self.found.calls.pop()  # another descriptor of it is left
        elif name.startswith("dup") and not made.errno:
            table[made.value] = one
            self.found.left["dup: the socket keeps its one name"] += 1
            self.found.calls.pop()


def _passed(made: Made) -> tuple[bytes, int]:
    """The bytes, as far as the log has them, and how many there are."""
    if made.errno:
        return b"", _asked(made)
    data = string(made.arguments[1]) if len(made.arguments) > 1 else None
    vector = made.arguments[1] if len(made.arguments) > 1 and data is None else ""
    if data is None:
        parts = [string(one) for one in re.findall(r'iov_base=("(?:[^"\\]|\\.)*")', vector)]
        data = b"".join(part for part in parts if part is not None)
    return data[: max(made.value, 0)], max(made.value, 0)


def _asked(made: Made) -> int:
    return int(made.arguments[2]) if len(made.arguments) > 2 and made.arguments[2].isdigit() else 1
