"""Packets: one AF_PACKET socket a namespace, read by one thread into Packet observations. The one home of capture.

A capture is known to run before traffic and to be complete after it: a canary frame on the loopback interface, which no link
under test carries, must come out of every socket at the start and again at the end. What the kernel dropped for want of buffer
is counted (PACKET_STATISTICS). A node's socket is read frame by frame while little happens there, which is the quickest way to know
of a packet; where more comes than that can follow, a second socket with a ring (ring.py) takes over, from an instant on: each frame
has the same stamp at both, which says whose it is. The module looks at no header but the canary's.
"""

import os
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from operator import attrgetter

from netlab.errors import LabError
from netlab.observe.listening import Taps
from netlab.observe.taps import ETH_P_CANARY, LOOPBACK, Loud, Queue
from netlab.timeline.observations import Packet, SourceReport

__all__ = ["DEFAULT_BUFFER", "ETH_P_CANARY", "LOOPBACK", "Capture"]

_CANARY_WITHIN, _CANARY_AGAIN = 5.0, 0.1
_TICK = 0.005
DEFAULT_BUFFER = 8 << 20


class Capture:
    """The packet source. Use: ``start()`` before traffic, ``drain()`` meanwhile, ``stop()`` after it."""

    name = "packets"

    def __init__(
        self,
        taps: Mapping[str, socket.socket],
        buffer: int = DEFAULT_BUFFER,
        *,
        ring: bool = False,
        again: Callable[[str], socket.socket] | None = None,
    ) -> None:
        """``taps``: a bound AF_PACKET socket for each node; ``buffer``: the receive buffer asked for, in bytes, for each.

        ``ring``: read through rings from the start, for few nodes with much traffic. ``again``, which is called in another thread,
        makes a second such socket of a node: where it is given, a node whose queue falls behind goes on with a ring.
        """
        self._canary = os.urandom(16)
        self._lock = threading.Lock()
        self._arrived = threading.Condition(self._lock)
        self._taps = Taps(taps, self._canary, buffer, self._arrived, again)
        if ring:
            self._taps.use_rings()
        self._blocks: list[tuple[Loud, list[bytes]]] = []
        self._seen: list[Packet] = []
        self._heard: set[tuple[int, bytes]] = set()
        self._count = self._settled = 0
        self._stop_reading, self._stop_writing = os.pipe2(os.O_CLOEXEC)
        self._thread = threading.Thread(target=self._read, name="netlab capture", daemon=True)
        self._failed: BaseException | None = None
        self.slack = self._uncertainty = 0

    def start(self) -> None:
        """Returns once every tap has been seen to work; raises LabError otherwise."""
        self._await_stamps()
        self._taps.watch(self._stop_reading)
        self._thread.start()
        self._ring(b"start")

    def drain(self) -> list[Packet]:
        """What came since the last drain, in the order of its time."""
        self._unpack()
        with self._lock:
            seen, self._seen = self._seen, []
        seen.sort(key=attrgetter("time"))
        return seen

    def wait(self, seconds: float) -> None:
        """Return when a packet arrives, or after ``seconds``."""
        self._unpack()
        with self._arrived:
            if not self._seen and not self._blocks:
                self._arrived.wait(seconds)

    def settle(self) -> None:
        """Returns once every tap has delivered what it had when this was called."""
        self._settled += 1
        self._ring(b"%05d" % self._settled)

    def stop(self) -> list[Packet]:
        """Returns what was left, once every tap has delivered all that it had; closes the sockets."""
        self._taps.settle()
        try:
            if self._thread.is_alive() and self._failed is None:
                self._ring(b"stop!")
        finally:
            os.write(self._stop_writing, b"x")
            if self._thread.ident is not None:
                self._thread.join()
            self._unpack()
            self._taps.close()
            os.close(self._stop_reading)
            os.close(self._stop_writing)
        return self.drain()

    def report(self) -> SourceReport:
        """What was seen and lost so far."""
        self._unpack()
        self._taps.count_lost()
        by_node = dict(self._taps.lost)
        lost = sum(by_node.values())
        where = ", ".join(f"{node} {count}" for node, count in sorted(by_node.items()) if count)
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
            uncertainty=self._uncertainty,
        )

    def undisturbed(self, node: str) -> AbstractContextManager[object]:
        """While this is held, the capture makes and closes no socket in that node's namespace: its sockets can be counted."""
        return self._taps.undisturbed[node]

    @property
    def loud(self) -> frozenset[str]:
        """The nodes that are read through a ring."""
        return frozenset(loud.node for loud in list(self._taps.loud.values()))

    def _ring(self, word: bytes) -> None:
        """Send a canary through each tap's loopback interface, and wait until all are heard."""
        frame = bytes(12) + struct.pack(">H", ETH_P_CANARY) + self._canary + word
        deadline = time.monotonic() + _CANARY_WITHIN
        with self._lock:
            expected = self._taps.nodes
        silent = set(expected.values())
        while True:
            with self._lock:  # no socket is closed meanwhile
                for node in silent:
                    self._taps.senders[node].sendto(frame, (LOOPBACK, ETH_P_CANARY))
            again = time.monotonic() + _CANARY_AGAIN  # one may be among what a full buffer had no room for
            while (left := again - time.monotonic()) > 0:
                self._unpack()
                with self._arrived:
                    # A queue that was shut meanwhile was read to its end.
                    watched = self._taps.nodes
                    silent = {node for fd, node in expected.items() if (fd, word) not in self._heard and fd in watched}
                    if not silent:
                        return
                    if self._failed is not None:
                        break
                    if not self._blocks:
                        self._arrived.wait(left)
            if time.monotonic() < deadline and self._failed is None:
                continue
            self._taps.count_lost()
            if self._taps.lost:
                return  # the loss is reported
            raise LabError(f"the capture of {', '.join(sorted(silent))} did not hear its own canary") from self._failed

    def _await_stamps(self) -> None:
        """Wait until the kernel stamps packets as they pass. It begins a moment after the first socket on the machine asks for it;
        what passes before gets its stamp when it is read, and would seem to come after what it caused. (A ring is written to as
        packets pass, and needs no wait.)"""
        queue = next(iter(self._taps.queues.values()), None)
        deadline = time.monotonic() + _CANARY_WITHIN
        while queue is not None and not self._stamped(queue):
            if time.monotonic() > deadline:
                raise LabError("the kernel does not stamp packets as they pass")

    def _stamped(self, queue: Queue) -> bool:
        """Whether a canary has a stamp from before it was read. It is from while the canary was sent, or wrong by so much."""
        asked = time.time_ns()
        queue.socket.sendto(bytes(12) + struct.pack(">H", ETH_P_CANARY) + self._canary + b"stamp", (LOOPBACK, ETH_P_CANARY))
        sent = time.time_ns()
        waiting = select.poll()
        waiting.register(queue.socket, select.POLLIN)
        waiting.poll(_TICK * 1000)
        stamp = queue.stamped(sent)
        self._uncertainty = max(sent - stamp, stamp - asked)
        return stamp > 0

    def _read(self) -> None:
        taps = self._taps
        try:
            while True:
                asked = time.monotonic()
                ready = taps.ready(_TICK)
                if not ready:
                    # How late a timer can be on this machine: upper bounds on time widen by the worst of it.
                    self.slack = max(self.slack, int((time.monotonic() - asked - _TICK) * 1e9))
                for fd in ready:
                    if fd == self._stop_reading:
                        return
                    if fd in taps.loud:
                        self._take(taps.loud[fd])
                    else:
                        self._receive(taps.queues[fd])
                if taps.loud and taps.queues:
                    taps.shut(self._receive)
        except BaseException as error:  # noqa: BLE001 - reported by every later call
            self._failed = error
            taps.fail()

    def _take(self, loud: Loud) -> None:
        blocks = loud.ring.take()
        with self._arrived:
            self._blocks.append((loud, blocks))
            self._arrived.notify_all()

    def _receive(self, queue: Queue) -> None:
        fresh: list[Packet] = []
        heard: list[bytes] = []
        queue.read(fresh, heard)
        self._add(queue.socket.fileno(), fresh, heard)
        self._taps.relieve(queue)

    def _add(self, fd: int, fresh: list[Packet], heard: list[bytes]) -> None:
        with self._arrived:
            self._seen += fresh
            self._count += len(fresh)
            self._heard.update((fd, word) for word in heard)
            self._arrived.notify_all()

    def _unpack(self) -> None:
        """Turn the blocks taken so far into packets. This is left to whoever asks for packets: the reader has to be quick."""
        while True:
            with self._lock:
                blocks, self._blocks = self._blocks, []
            if not blocks:
                return
            for loud, taken in blocks:
                fresh: list[Packet] = []
                heard: list[bytes] = []
                for block in taken:
                    loud.read(block, fresh, heard)
                self._add(loud.socket.fileno(), fresh, heard)
