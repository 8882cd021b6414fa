"""Which sequences of calls there can be: records of a few bytes, each read as one call or as several by a table of weighted kinds.

Any records are a sequence, and a sequence without one of them is one too, in which the rest means nearly the same: so the
shortest can be searched for. It knows no kernel, no rule and no errno.
"""

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from netlab.explore import (
    asking_calls,
    courses,
    descriptor_calls,
    file_calls,
    opening_calls,
    openings,
    process_calls,
    scripts,
    transfer_calls,
)
from netlab.explore.scene import RECORD, Draw, Ground, Line, Scene

MOST = 20
"""Records of a sequence at most."""

_LENGTHS = tuple(min(1 + int(math.log(1 - byte / 256) / math.log(0.863)), MOST) for byte in range(256))
"""How many records a sequence has, by a byte: after each it is as likely to end; seven in the mean."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of record: how likely it is, what it makes, and which calls it is chosen for when coverage asks for more of them."""

    name: str
    weight: float
    make: Callable[[Scene, Draw], None]
    calls: tuple[str, ...]


def _kind(name: str, weight: float, make: Callable[[Scene, Draw], None], *calls: str) -> Kind:
    return Kind(name=name, weight=weight, make=make, calls=calls)


KINDS: tuple[Kind, ...] = (
    _kind("socket", 3, opening_calls.socket, "socket"),
    _kind("close", 6, transfer_calls.close, "close"),
    _kind("tcp", 17, openings.tcp, "accept", "accept4", "connect", "listen"),
    _kind("pair", 3, openings.pair, "socketpair"),
    _kind("udp", 4, openings.udp, "connect", "sendto", "recvfrom"),
    _kind("unix", 3, openings.unix, "accept", "connect"),
    _kind("unix-datagram", 2.5, openings.unix_datagram, "sendto", "recvfrom"),
    _kind("send", 10, transfer_calls.send, "send", "sendto", "sendmsg", "write"),
    _kind("receive", 12, transfer_calls.receive, "recv", "recvfrom", "recvmsg", "read"),
    _kind("shutdown", 5, transfer_calls.shutdown, "shutdown"),
    _kind("bind", 6, opening_calls.bind, "bind"),
    _kind("listen", 4, opening_calls.listen, "listen"),
    _kind("connect", 6, opening_calls.connect, "connect"),
    _kind("accept", 5, opening_calls.accepting, "accept", "accept4"),
    _kind("names", 4, asking_calls.names, "getsockname", "getpeername"),
    _kind("get-option", 5, asking_calls.get_option, "getsockopt"),
    _kind("set-option", 7, asking_calls.set_option, "setsockopt", "getsockopt"),
    _kind("poll", 6, asking_calls.polled, "poll", "select"),
    _kind("ioctl", 4, descriptor_calls.ioctl, "ioctl"),
    _kind("control", 4, descriptor_calls.control, "fcntl"),
    _kind("duplicate", 4, descriptor_calls.duplicate, "dup", "dup2", "dup3", "fcntl"),
    _kind("watched", 4, asking_calls.watched, "epoll_ctl", "epoll_wait", "epoll_create1"),
    _kind("socketpair", 1.5, opening_calls.socketpair, "socketpair"),
    _kind("pipe", 0.8, openings.pipe, "pipe"),
    _kind("epoll", 1.5, courses.epoll, "epoll_create1", "epoll_ctl", "epoll_wait"),
    _kind("tcp-refused", 1.2, openings.tcp_refused, "connect"),
    _kind("tcp-crossed", 0.5, openings.tcp_crossed, "connect"),
    _kind("udp-refused", 1.2, openings.udp_refused, "connect", "send"),
    _kind("both-families", 1.2, courses.both_families, "bind"),
    _kind("same-port", 1.2, courses.same_port, "bind", "listen"),
    _kind("reset", 2.5, courses.reset, "recv", "send", "getpeername"),
    _kind("finish", 3, courses.finish, "shutdown", "recv"),
    _kind("urgent", 1.5, courses.urgent, "send", "recv", "ioctl"),
    _kind("full", 1, courses.full, "send"),
    _kind("rights", 1.5, courses.rights, "sendmsg", "recvmsg"),
    _kind("few", 0.8, descriptor_calls.few, "setrlimit", "socket", "dup"),
    _kind("placed", 3, file_calls.placed, "pread", "pwrite", "lseek", "fstat", "same_file", "lowest_free"),
    _kind("files", 1.5, file_calls.files, "mkfile", "open", "access", "chmod", "unlink", "umask"),
    _kind("device", 1, file_calls.device, "open", "read", "write"),
    _kind("pipes", 0.6, file_calls.pipes, "pipe", "pipe2"),
    _kind("fork", 0.25, process_calls.fork, "fork"),
    _kind("lowly", 0.6, process_calls.lowly, "seteuid"),
    _kind("dies", 0.3, process_calls.dies, "exit", "default", "kill", "unshare"),
    _kind("interrupted", 0.2, process_calls.interrupted, "handle", "interrupt"),
    _kind(
        "odd",
        1,
        process_calls.odd,
        "getpid",
        "exec_has_fd",
        "exported",
        "sleep",
        "tcp_state",
        "addr",
        "unused_port",
        "setrlimit",
        "seteuid",
        "fill",
    ),
    _kind("crowd", 0.6, courses.crowd, "connect"),
    _kind("raw", 3, openings.raw, "send", "sendto", "sendmsg", "write", "recv", "recvfrom", "recvmsg", "read"),
    _kind("pending", 0.8, courses.pending, "connect", "send", "sendto", "write"),
    _kind("same-pair", 0.4, courses.same_pair, "connect"),
    _kind("nested", 0.3, courses.nested, "epoll_ctl"),
    _kind("taken", 0.4, courses.taken, "connect", "send"),
    _kind("script", 14, scripts.script, "send"),
)
"""The simplest first: a search for the shortest tries them in this order."""


class Weights:
    """How likely each kind of record is, as two bytes choose it."""

    def __init__(self, more: Mapping[str, float] | None = None) -> None:
        self.of = {kind.name: kind.weight * (more or {}).get(kind.name, 1.0) for kind in KINDS}
        total = sum(self.of.values())
        self._upto = [bound * 65536 / total for bound in accumulate(self.of.values())]

    def chosen(self, record: bytes) -> Kind:
        """The kind that a record's first bytes choose."""
        return KINDS[min(bisect_right(self._upto, record[0] << 8 | record[1]), len(KINDS) - 1)]


def cut(drawn: bytes) -> Iterator[tuple[bytes, ...]]:
    """The sequences' records that drawn bytes stand for, one after another: for each a byte that says how many, then these."""
    at = 0
    while at < len(drawn):
        end = at + 1 + _LENGTHS[drawn[at]] * RECORD
        if end > len(drawn):
            return
        yield tuple(drawn[begin : begin + RECORD] for begin in range(at + 1, end, RECORD))
        at = end


@dataclass(frozen=True, slots=True)
class Made:
    """A sequence: its calls in order, and the names of its records' kinds."""

    lines: tuple[Line, ...]
    kinds: tuple[str, ...]


def decode(records: Iterable[bytes], ground: Ground, serial: int, weights: Weights) -> Made:
    """The sequence that records stand for. ``serial`` chooses the ports and names that it has to itself."""
    scene = Scene(ground, serial)
    kinds: list[str] = []
    for number, record in enumerate(records):
        kind = weights.chosen(record)
        kinds.append(kind.name)
        scene.record = number
        kind.make(scene, Draw(record))
    return Made(tuple(scene.lines), tuple(kinds))


def more_of(wanted: Sequence[str], strength: float = 2.0) -> dict[str, float]:
    """Factors for the kinds of records that make these calls, the more the more often a call is named."""
    counts: dict[str, int] = {}
    for call in wanted:
        counts[call] = counts.get(call, 0) + 1
    most = max(counts.values(), default=1)
    return {
        kind.name: 1.0 + strength * sum(counts.get(call, 0) for call in kind.calls) / most / max(len(kind.calls), 1)
        for kind in KINDS
    }


__all__ = ["KINDS", "MOST", "RECORD", "Kind", "Made", "Weights", "cut", "decode", "more_of"]
