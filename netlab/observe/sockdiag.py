"""The kernel's socket tables through sock_diag(7): every TCP and UDP socket of one namespace, at one instant, or one of them.

The netlink socket must have been made in that namespace. Sockets that are neither bound, listening nor connected are in no table
and are not seen here (the descriptor table and sockstat count them).
"""

import socket
import struct
import time
from collections.abc import Iterator
from functools import lru_cache

from netlab.errors import LabError
from netlab.timeline.observations import Address, SocketEntry, SocketTable, SocketTimer

NETLINK_SOCK_DIAG = 4
SOCK_DIAG_BY_FAMILY, NLMSG_ERROR, NLMSG_DONE = 20, 2, 3
INET_DIAG_INFO, INET_DIAG_SKMEMINFO = 2, 7
Attributes = dict[int, bytes]
"""What the kernel adds to an entry, by INET_DIAG_'s numbers."""

_REQUEST, _REQUEST_DUMP = 0x1, 0x301
_ENOENT, _ESTALE = 2, 116
_ALL_STATES = 0xFFFFFFFF
_PATIENCE = 5
_ONE_REPLY, _MANY_REPLIES = 1 << 12, 1 << 18
_NO_COOKIE = (1 << 64) - 1
# struct nlmsghdr, then struct inet_diag_req_v2 up to the ports, the ports, the rest.
_HEAD = struct.Struct("=IHHIIBBBBI")
_PORTS = struct.Struct(">HH")
_REST = struct.Struct("=16s16sIII")
_REQUEST_SIZE = _HEAD.size + _PORTS.size + _REST.size
_MESSAGE = struct.Struct("=IHHII")
_HEADER = _MESSAGE.size
# struct inet_diag_msg: family, state, then after two more the ports; addresses; interface, cookie; expires, queues, user, inode.
_ENTRY_HEAD = struct.Struct("=BB2x")
_ENTRY = struct.Struct("=16s16s4xQ4xII4xI")
_ENTRY_SIZE = 72
_ATTRIBUTE = struct.Struct("=HH")
_ANY = {socket.AF_INET: "0.0.0.0", socket.AF_INET6: "::"}
TCP_STATES = {  # include/net/tcp_states.h
    1: "ESTABLISHED",
    2: "SYN_SENT",
    3: "SYN_RECV",
    4: "FIN_WAIT1",
    5: "FIN_WAIT2",
    6: "TIME_WAIT",
    7: "CLOSE",
    8: "CLOSE_WAIT",
    9: "LAST_ACK",
    10: "LISTEN",
    11: "CLOSING",
    12: "NEW_SYN_RECV",
    13: "BOUND_INACTIVE",
}
TIMERS = ("none", "on", "keepalive", "timewait", "persist")
"""struct inet_diag_msg's idiag_timer by its number, as ss -o writes it (sock_diag(7), ss(8))."""
_TIMER = struct.Struct("=BB48xI")  # idiag_timer and idiag_retrans after two bytes, and idiag_expires
_NUMBERS = {"tcp": socket.IPPROTO_TCP, "udp": socket.IPPROTO_UDP}


class SocketDiagnosis:
    """Dumps the socket tables of one node's namespace."""

    def __init__(self, node: str, made: socket.socket) -> None:
        """``made`` is a socket(AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG) of the namespace; it is closed by ``close``."""
        self.node, self._socket, self._sequence = node, made, 0
        # The kernel's timeout, not Python's, which would ask poll(2) before every call.
        made.settimeout(None)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", _PATIENCE, 0))

    def table(self) -> SocketTable:
        """All entries now. Raises LabError when the kernel refuses."""
        began = time.time_ns()
        entries = [each for name in _NUMBERS for each, _ in self.every(name)]
        return SocketTable(time=time.time_ns(), began=began, host=self.node, entries=tuple(entries))

    def find(self, protocol: str, local: Address, remote: Address | None = None, cookie: int = 0) -> SocketEntry | None:
        """The one socket of "tcp" or "udp" with these addresses, and with this SO_COOKIE where one is given; None where none is.

        The kernel looks it up as it does for a packet that came from ``remote``: that costs the same however many sockets there
        are. Without ``remote``, or where none is connected to it, that may be a socket which listens, or is bound, there: what was
        found says so. Raises LabError when the kernel refuses.
        """
        found = self.find_with(protocol, local, remote, cookie)
        return found[0] if found is not None else None

    def find_with(
        self, protocol: str, local: Address, remote: Address | None = None, cookie: int = 0, *, attributes: int = 0
    ) -> tuple[SocketEntry, Attributes] | None:
        """The same with ``attributes`` added, the bits of INET_DIAG_ numbers (of number n it is ``1 << n - 1``)."""
        family = socket.AF_INET6 if ":" in local[0] else socket.AF_INET
        there = remote or (_ANY[family], 0)
        if protocol == "udp":
            local, there = there, local  # udp_dump_one of net/ipv4/udp_diag.c has them the other way round
        self._send(family, protocol, attributes, _REQUEST, local, there, cookie or _NO_COOKIE)
        try:
            for body in self._replies(protocol, whole=True):
                return entry(protocol, body), attributes_of(body) if attributes else {}
        except _AbsentError:
            pass
        return None

    def every(self, protocol: str, *, attributes: int = 0) -> Iterator[tuple[SocketEntry, Attributes]]:
        """Every socket of "tcp" or "udp" with its ``attributes`` (see ``find_with``). It must be read to its end."""
        for family, anywhere in _ANY.items():
            self._send(family, protocol, attributes, _REQUEST_DUMP, (anywhere, 0), (anywhere, 0), _NO_COOKIE)
            try:
                for body in self._replies(protocol):
                    yield entry(protocol, body), attributes_of(body) if attributes else {}
            except _AbsentError:
                continue  # this kernel has no such protocol or no diagnosis for it

    def timers(self) -> Iterator[SocketTimer]:
        """The timer of every TCP socket now; of those that have none too. It must be read to its end."""
        for family, anywhere in _ANY.items():
            self._send(family, "tcp", 0, _REQUEST_DUMP, (anywhere, 0), (anywhere, 0), _NO_COOKIE)
            try:
                for body in self._replies("tcp"):
                    yield timer(self.node, body)
            except _AbsentError:
                continue

    def close(self) -> None:
        """Close the netlink socket."""
        self._socket.close()

    def _send(self, family: int, protocol: str, attributes: int, flags: int, local: Address, remote: Address, cookie: int) -> None:
        self._sequence += 1
        self._socket.send(
            _HEAD.pack(
                _REQUEST_SIZE, SOCK_DIAG_BY_FAMILY, flags, self._sequence, 0, family, _NUMBERS[protocol], attributes, 0, _ALL_STATES
            )
            + _PORTS.pack(local[1], remote[1])
            + _REST.pack(_packed(family, local[0]), _packed(family, remote[0]), 0, cookie & 0xFFFFFFFF, cookie >> 32)
        )

    def _replies(self, protocol: str, *, whole: bool = False) -> Iterator[bytes]:
        """The bodies of the replies to the last request; ``whole`` where there is only one."""
        while True:
            try:
                data, offset = self._socket.recv(_ONE_REPLY if whole else _MANY_REPLIES), 0
            except BlockingIOError:
                raise LabError(f"sock_diag did not answer within {_PATIENCE} s") from None
            while offset < len(data):
                length, kind, _, sequence, _ = _MESSAGE.unpack_from(data, offset)
                if sequence == self._sequence:
                    if kind == NLMSG_DONE:
                        return
                    if kind == NLMSG_ERROR:
                        number = -struct.unpack_from("=i", data, offset + _HEADER)[0]
                        if number in (_ENOENT, _ESTALE):
                            raise _AbsentError
                        raise LabError(f"sock_diag refused to tell of {protocol} sockets: error {number}")
                    yield data[offset + _HEADER : offset + length]
                offset += (length + 3) & ~3


class _AbsentError(Exception):
    """There is no such socket, or none with that cookie, or no such protocol in this kernel."""


def entry(protocol: str, body: bytes) -> SocketEntry:
    """A struct inet_diag_msg as an entry."""
    family, state = _ENTRY_HEAD.unpack_from(body)
    ports = _PORTS.unpack_from(body, 4)
    source, target, cookie, receive, send, inode = _ENTRY.unpack_from(body, 8)
    return SocketEntry(
        protocol=protocol,
        state=TCP_STATES.get(state) or str(state),
        local=(_text(family, source), ports[0]),
        remote=(_text(family, target), ports[1]),
        inode=inode,
        cookie=cookie,
        receive_queue=receive,
        send_queue=send,
    )


def timer(node: str, body: bytes) -> SocketTimer:
    """The timer that a struct inet_diag_msg tells of."""
    kind, repeats, left = _TIMER.unpack_from(body, 2)
    of = entry("tcp", body)
    return SocketTimer(
        time=time.time_ns(),
        host=node,
        local=of.local,
        remote=of.remote,
        timer=TIMERS[kind] if kind < len(TIMERS) else str(kind),
        repeats=repeats,
        left=left,
        cookie=of.cookie,
        inode=of.inode,
    )


def attributes_of(body: bytes) -> Attributes:
    """What follows a struct inet_diag_msg (rtnetlink(7), struct rtattr)."""
    found: Attributes = {}
    at = _ENTRY_SIZE
    while len(body) - at >= _ATTRIBUTE.size:
        size, kind = _ATTRIBUTE.unpack_from(body, at)
        if size < _ATTRIBUTE.size:
            break
        found[kind] = body[at + _ATTRIBUTE.size : at + size]
        at += (size + 3) & ~3
    return found


@lru_cache(1024)
def _packed(family: int, address: str) -> bytes:
    return socket.inet_pton(family, address)


@lru_cache(1024)
def _text(family: int, address: bytes) -> str:
    return socket.inet_ntop(family, address[: 4 if family == socket.AF_INET else 16])
