"""Packets: one AF_PACKET socket a namespace, read by one thread into Packet observations. The one home of capture.

A capture is known to run before traffic and to be complete after it: a canary frame on the loopback interface, which no link
under test carries, must come out of every socket at the start and again at the end. What the kernel dropped for want of buffer
is counted (PACKET_STATISTICS). The module looks at no header but the canary's.
"""

import os
import select
import socket
import struct
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

from netlab.errors import LabError
from netlab.timeline.observations import Packet, SourceReport

ETH_P_CANARY = 0x88B5
SOL_PACKET, PACKET_STATISTICS, PACKET_AUXDATA = 263, 6, 8
SO_TIMESTAMPNS, SO_RCVBUFFORCE = 35, 33
PACKET_OUTGOING = 4
TP_STATUS_CSUMNOTREADY = 1 << 3
LOOPBACK = "lo"
_LARGEST_FRAME = 1 << 17
_CANARY_WITHIN = 5.0
_TICK = 0.005
DEFAULT_BUFFER = 8 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Tap:
    """Where to listen: a node's name and an AF_PACKET socket of all of its interfaces, already bound."""

    node: str
    socket: socket.socket


class Capture:
    """The packet source. Use: ``start()`` before traffic, ``drain()`` meanwhile, ``stop()`` after it."""

    name = "packets"

    def __init__(self, taps: Mapping[str, socket.socket], buffer: int = DEFAULT_BUFFER) -> None:
        """``taps``: a bound AF_PACKET socket for each node; ``buffer``: the receive buffer asked for, in bytes, for each."""
        self._taps = [Tap(node=node, socket=made) for node, made in taps.items()]
        self._canary = os.urandom(16)
        self._lock = threading.Lock()
        self._arrived = threading.Condition(self._lock)
        self._seen: list[Packet] = []
        self._heard: set[tuple[str, bytes]] = set()
        self._lost: dict[str, int] = {}
        self._count = self._settled = 0
        self._stop_reading, self._stop_writing = os.pipe2(os.O_CLOEXEC)
        self._thread = threading.Thread(target=self._read, name="netlab capture", daemon=True)
        self._failed: BaseException | None = None
        self.slack = 0
        for tap in self._taps:
            tap.socket.setblocking(False)
            tap.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            tap.socket.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
            try:
                tap.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, buffer // 2)
            except PermissionError:  # rootless: up to net.core.rmem_max
                tap.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer // 2)

    def start(self) -> None:
        """Returns once every tap has been seen to work; raises LabError otherwise."""
        self._await_stamps()
        self._thread.start()
        self._ring(b"start")

    def drain(self) -> list[Packet]:
        """What came since the last drain, in the order of its time."""
        with self._lock:
            seen, self._seen = self._seen, []
        return sorted(seen, key=lambda packet: packet.time)

    def wait(self, seconds: float) -> None:
        """Return when a packet arrives, or after ``seconds``."""
        with self._arrived:
            if not self._seen:
                self._arrived.wait(seconds)

    def settle(self) -> None:
        """Returns once every tap has delivered what it had when this was called."""
        self._settled += 1
        self._ring(b"%05d" % self._settled)

    def stop(self) -> list[Packet]:
        """Returns what was left, once every tap has delivered all that it had; closes the sockets."""
        try:
            if self._thread.is_alive() and self._failed is None:
                self._ring(b"stop!")
        finally:
            os.write(self._stop_writing, b"x")
            if self._thread.ident is not None:
                self._thread.join()
            for tap in self._taps:
                self._count_lost(tap)
                tap.socket.close()
            os.close(self._stop_reading)
            os.close(self._stop_writing)
        return self.drain()

    def report(self) -> SourceReport:
        """What was seen and lost so far."""
        lost = sum(self._lost.values())
        where = ", ".join(f"{node} {count}" for node, count in sorted(self._lost.items()) if count)
        return SourceReport(
            name=self.name,
            available=self._failed is None,
            reason=f"the capture stopped: {self._failed}"
            if self._failed
            else f"the kernel dropped {lost} captured packets for want of buffer ({where}); ask for a larger --capture-buffer"
            if lost
            else "",
            seen=self._count,
            lost=lost,
        )

    def _ring(self, word: bytes) -> None:
        """Send a canary through each tap's loopback interface, and wait until all are heard."""
        expected = {(tap.node, word) for tap in self._taps}
        frame = bytes(12) + struct.pack(">H", ETH_P_CANARY) + self._canary + word
        deadline = time.monotonic() + _CANARY_WITHIN
        for tap in self._taps:
            tap.socket.sendto(frame, (LOOPBACK, ETH_P_CANARY))
        with self._arrived:
            while not expected <= self._heard:
                left = deadline - time.monotonic()
                if left <= 0 or self._failed is not None:
                    silent = ", ".join(sorted(node for node, _ in expected - self._heard))
                    if self._lost:
                        return  # the canary itself may be among what was dropped: the loss is reported
                    raise LabError(f"the capture of {silent} did not hear its own canary") from self._failed
                self._arrived.wait(left)

    def _await_stamps(self) -> None:
        """Wait until the kernel stamps packets as they pass. It begins a moment after the first socket on the machine asks for it;
        what passes before gets its stamp when it is read, and would seem to come after what it caused."""
        deadline = time.monotonic() + _CANARY_WITHIN
        while self._taps and not self._stamped(self._taps[0]):
            if time.monotonic() > deadline:
                raise LabError("the kernel does not stamp packets as they pass")

    def _stamped(self, tap: Tap) -> bool:
        """Whether a canary has a stamp from before it was read."""
        tap.socket.sendto(bytes(12) + struct.pack(">H", ETH_P_CANARY) + self._canary + b"stamp", (LOOPBACK, ETH_P_CANARY))
        sent = time.time_ns()
        waiting = select.poll()
        waiting.register(tap.socket, select.POLLIN)
        waiting.poll(_TICK * 1000)
        stamps: list[int] = []
        while True:
            try:
                ancillary = tap.socket.recvmsg(_LARGEST_FRAME, 256)[1]
            except BlockingIOError:
                return bool(stamps) and max(stamps) < sent
            stamps += [
                _nanoseconds(value) for level, name, value in ancillary if (level, name) == (socket.SOL_SOCKET, SO_TIMESTAMPNS)
            ]

    def _read(self) -> None:
        poll = select.epoll()
        try:
            by_fd = {tap.socket.fileno(): tap for tap in self._taps}
            for fd in by_fd:
                poll.register(fd, select.EPOLLIN)
            poll.register(self._stop_reading, select.EPOLLIN)
            while True:
                asked = time.monotonic()
                events = poll.poll(_TICK)
                if not events:
                    # How late a timer can be on this machine: upper bounds on time widen by the worst of it.
                    self.slack = max(self.slack, int((time.monotonic() - asked - _TICK) * 1e9))
                    for tap in self._taps:
                        self._count_lost(tap)
                for fd, _ in events:
                    if fd == self._stop_reading:
                        return
                    self._take(by_fd[fd])
        except BaseException as error:  # noqa: BLE001 - reported by every later call
            self._failed = error
            with self._arrived:
                self._arrived.notify_all()
        finally:
            poll.close()

    def _take(self, tap: Tap) -> None:
        fresh: list[Packet] = []
        heard: list[bytes] = []
        while True:
            try:
                data, ancillary, _, address = tap.socket.recvmsg(_LARGEST_FRAME, 256)
            except BlockingIOError:
                break
            interface, protocol, kind = address[0], address[1], address[2]
            if protocol == ETH_P_CANARY and data[14:30] == self._canary:
                heard.append(data[30:35])
                continue
            if interface == LOOPBACK and kind == PACKET_OUTGOING:
                continue  # loopback shows each packet twice
            stamp, length, ready = 0, len(data), True
            for level, name, value in ancillary:
                if level == socket.SOL_SOCKET and name == SO_TIMESTAMPNS:
                    stamp = _nanoseconds(value)
                elif level == SOL_PACKET and name == PACKET_AUXDATA:
                    status, length = struct.unpack_from("=II", value)
                    ready = not status & TP_STATUS_CSUMNOTREADY
            fresh.append(
                Packet(
                    time=stamp or time.time_ns(),
                    host=tap.node,
                    interface=interface,
                    direction="out" if kind == PACKET_OUTGOING else "in",
                    data=data,
                    length=length,
                    checksum_valid=ready and interface != LOOPBACK,
                )
            )
            if len(fresh) >= 256:
                break  # the other taps are waiting too
        with self._arrived:
            self._seen += fresh
            self._count += len(fresh)
            self._heard |= {(tap.node, word) for word in heard}
            self._arrived.notify_all()

    def _count_lost(self, tap: Tap) -> None:
        # Reading PACKET_STATISTICS sets the kernel's counters back to zero.
        _, dropped = struct.unpack("=II", tap.socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
        if dropped:
            self._lost[tap.node] = self._lost.get(tap.node, 0) + dropped


def _nanoseconds(stamp: bytes) -> int:
    seconds, nanoseconds = struct.unpack_from("=qq", stamp)
    return int(seconds * 1_000_000_000 + nanoseconds)
