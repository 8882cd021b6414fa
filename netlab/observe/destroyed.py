"""Every TCP and UDP socket's end, told by the kernel itself: sock_diag(7)'s multicast groups of destroyed sockets, without root.

The netlink socket must have been made in the namespace that it is to tell of. Refuses to know why a socket ended.

What a reader should know: the kernel tells of a socket when its last reference goes, which for TCP may be long after the close()
that a program made, and then its inode is 0. It tells of sockets that were never bound, too, but of no minisock (TIME_WAIT,
NEW_SYN_RECV): ``__sk_free`` in net/core/sock.c.
"""

import errno
import ipaddress
import os
import select
import socket
import struct
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

from netlab.observe.sockdiag import NETLINK_SOCK_DIAG, TCP_STATES
from netlab.timeline.observations import AnyObservation, SocketDestroyed, SourceReport

_GROUPS = (1, 2, 3, 4)  # SKNLGRP_INET_TCP_DESTROY and the others of linux/sock_diag.h
_SOL_NETLINK, _ADD_MEMBERSHIP = 270, 1
_SO_RCVBUFFORCE, _SO_COOKIE = 33, 57
_BUFFER = 1 << 22
_MESSAGE, _ATTRIBUTE = struct.Struct("=IHHII"), struct.Struct("=HH")
_ATTRIBUTES_AT = 72
_INET_DIAG_PROTOCOL = 10
_PROTOCOLS = {socket.IPPROTO_TCP: "tcp", socket.IPPROTO_UDP: "udp"}
_PROBES = 8
_PATIENCE = 1000


class DestroyedObserver:
    """Delivers SocketDestroyed of the nodes that are the keys of ``sockets``.

    Each value is a socket(AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG) of the node's namespace; ``stop`` closes it. A thread reads
    them, so that an event's time is that of its arrival; ``uncertainty`` says how much later than the end itself that is.
    """

    name = "destroyed"

    def __init__(self, sockets: Mapping[str, socket.socket]) -> None:
        self._sockets = {made.fileno(): (node, made) for node, made in sockets.items()}
        self._seen: list[SocketDestroyed] = []
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._wake = -1
        self._reason, self._count, self._lost, self._late = "it was not started", 0, 0, 0

    def start(self) -> None:
        """Join the groups. What this kernel lacks is said by the report."""
        try:
            for _, made in self._sockets.values():
                _join(made)
            self._late = _lateness()
        except OSError as error:
            self._reason = f"sock_diag does not tell of destroyed sockets: {error.strerror} (Linux 4.3 with CONFIG_INET_DIAG does)"
            return
        self._reason = ""
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._thread = threading.Thread(target=self._run, name="netlab destroyed", daemon=True)
        self._thread.start()

    def drain(self) -> Sequence[AnyObservation]:
        """What was seen since the last time, in the order of time."""
        with self._lock:
            seen, self._seen = self._seen, []
        return seen

    def stop(self) -> Sequence[AnyObservation]:
        """Read what has come, and close the sockets."""
        thread, self._thread = self._thread, None
        if thread is not None:
            os.eventfd_write(self._wake, 1)
            thread.join()
            os.close(self._wake)
        for _, made in self._sockets.values():
            made.close()
        self._sockets = {}
        return self.drain()

    def report(self) -> SourceReport:
        """``lost`` counts overruns (ENOBUFS): each may be of any number of events."""
        with self._lock:
            return SourceReport(
                name=self.name,
                available=not self._reason,
                reason=self._reason,
                seen=self._count,
                lost=self._lost,
                uncertainty=self._late,
            )

    def _run(self) -> None:
        poll = select.poll()
        for fd in (*self._sockets, self._wake):
            poll.register(fd, select.POLLIN)
        while True:
            ready = [fd for fd, _ in poll.poll()]
            for fd in ready:
                if fd in self._sockets:
                    self._read(*self._sockets[fd])
            if self._wake in ready:
                for node, made in self._sockets.values():
                    self._read(node, made)
                return

    def _read(self, node: str, made: socket.socket) -> None:
        while True:
            try:
                data = made.recv(1 << 16)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                with self._lock:
                    self._lost += 1
                continue
            arrived = time.time_ns()
            found = parse(data, node, arrived)
            with self._lock:
                self._seen += found
                self._count += len(found)


def parse(data: bytes, node: str, arrived: int) -> list[SocketDestroyed]:
    """The ends that one datagram of the kernel's tells of: struct inet_diag_msg and attributes, for each (linux/inet_diag.h)."""
    found = []
    offset = 0
    while offset + _MESSAGE.size <= len(data):
        length, *_ = _MESSAGE.unpack_from(data, offset)
        if length < _MESSAGE.size:
            break
        body = data[offset + _MESSAGE.size : offset + length]
        if len(body) >= _ATTRIBUTES_AT:
            found.append(_ended(body, node, arrived))
        offset += (length + 3) & ~3
    return found


def _ended(body: bytes, node: str, arrived: int) -> SocketDestroyed:
    family, state = body[0], body[1]
    local_port, remote_port = struct.unpack_from(">HH", body, 4)
    size = 4 if family == socket.AF_INET else 16
    low, high = struct.unpack_from("=II", body, 44)
    return SocketDestroyed(
        time=arrived,
        host=node,
        protocol=_PROTOCOLS.get(_protocol(body), ""),
        local=(_plain(family, body[8 : 8 + size]), local_port),
        remote=(_plain(family, body[24 : 24 + size]), remote_port),
        state=TCP_STATES.get(state, str(state)),
        cookie=low | high << 32,
        inode=struct.unpack_from("=I", body, 68)[0],
    )


def _plain(family: int, raw: bytes) -> str:
    """IPv4 in IPv6 clothes is written as IPv4, as packets and states have it."""
    address = ipaddress.ip_address(socket.inet_ntop(family, raw))
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def _protocol(body: bytes) -> int:
    offset = _ATTRIBUTES_AT
    while offset + _ATTRIBUTE.size <= len(body):
        length, kind = _ATTRIBUTE.unpack_from(body, offset)
        if kind == _INET_DIAG_PROTOCOL:
            return body[offset + _ATTRIBUTE.size]
        if length < _ATTRIBUTE.size:
            break
        offset += (length + 3) & ~3
    return 0


def _join(made: socket.socket) -> None:
    made.setblocking(False)
    try:
        made.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
    except PermissionError:  # rootless: up to net.core.rmem_max
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
    made.bind((0, 0))  # a socket without a port number of its own is taken for the kernel, and told of nothing
    for group in _GROUPS:
        made.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, group)


def _lateness() -> int:
    """How many ns after some ends, of sockets of our own, the kernel told of them at most: it tells from a work queue."""
    latest = 0
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG) as told:
        _join(told)
        poll = select.poll()
        poll.register(told, select.POLLIN)
        for _ in range(_PROBES):
            probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            cookie = struct.unpack("=Q", probe.getsockopt(socket.SOL_SOCKET, _SO_COOKIE, 8))[0]
            closed = time.time_ns()
            probe.close()
            while poll.poll(_PATIENCE):
                with suppress(OSError):  # others' ends in our namespace may be more than there is room for
                    if any(one.cookie == cookie for one in parse(told.recv(1 << 16), "", 0)):
                        latest = max(latest, time.time_ns() - closed)
                        break
    return latest
