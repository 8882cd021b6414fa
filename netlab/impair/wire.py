"""The user-space wire: forwards every frame of impaired links between their two ends, and does what their rules say.

One thread moves the frames of all links, verbatim. It decides nothing (rules.py does) and judges nothing; what it did to a packet
is a Decision, and what it lost against its will is counted.
"""

import errno
import heapq
import os
import random
import select
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from netlab.errors import LabError
from netlab.impair.rules import LinkRules, Ruling
from netlab.lab.lab import Lab
from netlab.timeline.observations import Decision, SourceReport
from netlab.timeline.timeline import Node
from netlab.topology.spec import Link

SOL_PACKET, PACKET_STATISTICS, PACKET_AUXDATA = 263, 6, 8
SO_TIMESTAMPNS, SO_RCVBUFFORCE = 35, 33
TP_STATUS_VLAN_VALID, TP_STATUS_VLAN_TPID_VALID = 1 << 4, 1 << 6
_LARGEST_FRAME = 1 << 17
_RECEIVE_BUFFER = 8 << 20
_AT_ONCE = 64
_RETRY = 0.001
# A veth whose other end is full takes frames again within microseconds; one whose other end is down or gone never does.
_PATIENCE = 0.1
_FULL = (errno.ENOBUFS, errno.EAGAIN)
_GONE = (errno.ENETDOWN, errno.ENXIO, errno.ENODEV)


@dataclass(frozen=True, slots=True, kw_only=True)
class WireLink:
    """An impaired link, and AF_PACKET sockets that face its first and its second endpoint and ignore what they send."""

    link: Link
    sockets: tuple[socket.socket, socket.socket]


class _Port:
    """Where frames of one direction come in, and those of the other go out."""

    def __init__(self, name: str, made: socket.socket, link: Link, rules: LinkRules, direction: int) -> None:
        self.name, self.socket, self.link, self.rules, self.direction = name, made, link, rules, direction
        self.other: _Port = self
        self.waiting: deque[bytes] = deque()
        self.refused_since: float | None = None
        self.gone = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frame:
    """A frame, when it came by the kernel's stamp, and where it came in."""

    stamp: int
    port: _Port
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """A frame at a barrier, and why it is there."""

    frame: _Frame
    ruling: Ruling


class Wire:
    """The wire of a lab's impaired links. ``start()`` before traffic, ``drain()`` meanwhile, ``stop()`` after it."""

    def __init__(self, links: Sequence[WireLink], nodes: Mapping[str, Node]) -> None:
        """``nodes`` are the lab's, by which patterns name endpoints. The sockets stay their owner's to close."""
        self._lock = threading.Lock()
        self._ports: list[_Port] = []
        self._held: dict[str, list[_Held]] = {}
        self._released: set[str] = set()
        self._decisions: list[Decision] = []
        self._lost: dict[str, int] = {}
        self._forwarded = 0
        self._failed: BaseException | None = None
        self._told = self._stopping = False
        self._processor = random.choice(sorted(os.sched_getaffinity(0)))
        self._wake = -1
        self._thread: threading.Thread | None = None
        self._buffer = bytearray(_LARGEST_FRAME)
        self._look: Callable[[], None] | None = None
        for one in links:
            rules = LinkRules(one.link, nodes)
            pair = [
                _Port(f"{end.node}:{end.interface}", made, one.link, rules, direction)
                for direction, (end, made) in enumerate(zip(one.link.endpoints, one.sockets, strict=True))
            ]
            pair[0].other, pair[1].other = pair[1], pair[0]
            self._ports += pair
            self._held |= {barrier: [] for barrier in rules.barriers}

    @classmethod
    def of(cls, lab: Lab) -> Self:
        """The wire of a running lab: of no link at all where none is impaired."""
        links = []
        for link in lab.topology.links:
            middle = lab.middles.get(link.name)
            if middle is not None and middle.wire.user_space:
                if middle.sockets is None:
                    raise LabError("the lab is not running: use it in a with statement")
                links.append(WireLink(link=link, sockets=middle.sockets))
        nodes = {name: Node(kind=node.kind, addresses=node.addresses) for name, node in lab.nodes.items()} if links else {}
        return cls(links, nodes)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def start(self) -> None:
        """Forward from now on; frames that came since the lab was built go first."""
        if not self._ports:
            return
        for port in self._ports:
            port.socket.setblocking(False)
            port.socket.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
            port.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            try:
                port.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, _RECEIVE_BUFFER)
            except PermissionError:  # rootless: up to net.core.rmem_max
                port.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._thread = threading.Thread(target=self._run, name="netlab wire", daemon=True)
        self._thread.start()

    @property
    def carries(self) -> bool:
        """Whether any link's frames pass through here."""
        return bool(self._ports)

    def watch(self, look: Callable[[], None]) -> None:
        """From now on call ``look`` when a frame has come, before anything is done with it, and when one was delivered.

        It is called by whichever thread moves the frame, which moves no other before ``look`` returns.
        """
        with self._lock:
            self._look = look

    def drain(self) -> list[Decision]:
        """What was decided since the last drain, in the order of time. Raises LabError once the wire has failed."""
        with self._lock:
            self._raise_failure()
            decisions, self._decisions = self._decisions, []
        return decisions

    def release(self, barrier: str) -> None:
        """Send all that is held at a barrier, in the order in which it arrived; what comes later passes. Sent when this returns."""
        if barrier not in self._held:
            known = ", ".join(sorted(self._held)) or "none"
            raise ValueError(f"no rule holds packets at the barrier {barrier!r}; barriers are: {known}")
        with self._lock:
            self._raise_failure()
            if self._thread is not None:
                while self._take(self._ports):  # what has arrived was held, whether or not the thread has come to it
                    pass
            self._released.add(barrier)
            held, self._held[barrier] = self._held[barrier], []
            with self._on_one_processor():
                for one in held:
                    self._decide(one.frame.port.link.name, "release", one.ruling)
                    self._send(one.frame.port.other, one.frame.data)
            if any(port.waiting for port in self._ports):
                os.eventfd_write(self._wake, 1)

    def stop(self) -> None:
        """Forward no more; what is still held is gone. Raises LabError if the wire had failed and nobody was told."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        with self._lock:
            self._stopping = True
        os.eventfd_write(self._wake, 1)
        thread.join()
        os.close(self._wake)
        self._count_lost()
        if not self._told:
            self._raise_failure()

    def report(self) -> SourceReport:
        """What was forwarded, and what was lost though no rule said so: nothing can be told of such a run."""
        with self._lock:
            if self._thread is not None:
                self._count_lost()
            lost = sum(self._lost.values())
            where = ", ".join(f"{name} {count}" for name, count in sorted(self._lost.items()))
            reason = f"the wire stopped: {self._failed}" if self._failed else f"the wire lost frames ({where})" if lost else ""
            return SourceReport(name="wire", available=self._failed is None, reason=reason, seen=self._forwarded, lost=lost)

    def _raise_failure(self) -> None:
        if self._failed is not None:
            self._told = True
            raise LabError(f"the wire stopped: {self._failed!r}") from self._failed

    @contextmanager
    def _on_one_processor(self) -> Iterator[None]:
        """Keep the calling thread on the wire's processor: a veth queues a frame on the one that sent it, so a thread that moved
        from one to another between two frames would have them overtake each other."""
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {self._processor})
        try:
            yield
        finally:
            os.sched_setaffinity(0, before)

    def _run(self) -> None:
        try:
            with self._on_one_processor(), select.epoll() as poll:
                self._forward(poll)
        except BaseException as error:  # noqa: BLE001 - raised by the next drain
            self._failed = error

    def _forward(self, poll: select.epoll) -> None:
        ports = {port.socket.fileno(): port for port in self._ports}
        for fd in (*ports, self._wake):
            poll.register(fd, select.EPOLLIN)
        while True:
            waits = any(port.waiting for port in self._ports)
            ready = {fd for fd, _ in poll.poll(_RETRY if waits else None)}
            with self._lock:
                if self._stopping:
                    return
                if self._wake in ready:
                    os.eventfd_read(self._wake)
                self._take([ports[fd] for fd in ready - {self._wake}])
                for fd in ready - {self._wake}:
                    if ports[fd].gone:
                        poll.unregister(fd)
                for port in self._ports:
                    self._retry(port)

    def _take(self, ports: Sequence[_Port]) -> bool:
        """Read and treat some frames that have arrived, those of all links in the order of their stamps; whether there were any."""
        arrived = [self._read(port) for port in ports]
        # Merged, not sorted: one port's frames keep their order whatever their stamps.
        for frame in heapq.merge(*arrived, key=lambda frame: frame.stamp):
            self._treat(frame)
        return any(arrived)

    def _read(self, port: _Port) -> list[_Frame]:
        """Some frames that have come in here. Notes when the interface is no more."""
        frames: list[_Frame] = []
        while len(frames) < _AT_ONCE:
            try:
                size, ancillary, _, _ = port.socket.recvmsg_into([self._buffer], 256)
            except OSError as error:
                if error.errno in _GONE:
                    port.gone = True
                elif error.errno != errno.EAGAIN:
                    raise
                break
            data, stamp = _restored(bytes(memoryview(self._buffer)[:size]), ancillary)
            frames.append(_Frame(stamp=stamp, port=port, data=data))
        return frames

    def _treat(self, frame: _Frame) -> None:
        port = frame.port
        if self._look is not None:
            self._look()
        ruling = port.rules.ruling(frame.data, port.direction, self._released)
        if ruling is None:
            self._send(port.other, frame.data)
            return
        self._decide(port.link.name, ruling.rule.action, ruling)
        if ruling.rule.action == "hold":
            self._held[ruling.rule.barrier].append(_Held(frame=frame, ruling=ruling))

    def _decide(self, link: str, action: str, ruling: Ruling) -> None:
        self._decisions.append(
            Decision(
                time=time.time_ns(),
                link=link,
                rule=ruling.text,
                action=action,
                occurrence=ruling.occurrence,
                packet=ruling.packet,
                place=str(ruling.rule.place),
            )
        )

    def _send(self, port: _Port, frame: bytes) -> None:
        port.waiting.append(frame)
        if len(port.waiting) == 1 or port.refused_since is None:
            self._retry(port)

    def _retry(self, port: _Port) -> None:
        """Send what waits, in order, until the interface takes no more."""
        while port.waiting:
            try:
                port.socket.send(port.waiting[0])
            except OSError as error:
                now = time.monotonic()
                if error.errno in _FULL:
                    port.refused_since = now if port.refused_since is None else port.refused_since
                    if now - port.refused_since < _PATIENCE:
                        return
                elif error.errno not in _GONE:
                    raise
                self._lost[port.name] = self._lost.get(port.name, 0) + 1
            else:
                self._forwarded += 1
                port.refused_since = None
                if self._look is not None:
                    self._look()
            port.waiting.popleft()

    def _count_lost(self) -> None:
        for port in self._ports:
            # Reading PACKET_STATISTICS sets the kernel's counters back to zero.
            _, dropped = struct.unpack("=II", port.socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
            if dropped:
                self._lost[port.other.name] = self._lost.get(port.other.name, 0) + dropped


def _restored(frame: bytes, ancillary: Sequence[tuple[int, int, bytes]]) -> tuple[bytes, int]:
    """The frame as it was sent, and when it came: on its way to AF_PACKET the kernel takes the outer VLAN tag out (packet(7))."""
    stamp = 0
    for level, name, value in ancillary:
        if level == socket.SOL_SOCKET and name == SO_TIMESTAMPNS:
            seconds, nanoseconds = struct.unpack_from("=qq", value)
            stamp = seconds * 1_000_000_000 + nanoseconds
        elif level == SOL_PACKET and name == PACKET_AUXDATA:
            status, _, _, _, _, tag, kind = struct.unpack_from("=IIIHHHH", value)
            if status & TP_STATUS_VLAN_VALID:
                outer = kind if status & TP_STATUS_VLAN_TPID_VALID else 0x8100
                frame = frame[:12] + struct.pack("!HH", outer, tag) + frame[12:]
    return frame, stamp
