"""All taps of a capture: every node's queue, and its passing to a ring once more comes than the queue's reader can follow.

Packets pass at every instant meanwhile, so both are read for a while, and each packet's stamp, which is the same at both, says
whose it is. Who reads, and when, is for packets.py to say.
"""

import select
import socket
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from netlab.errors import LabError
from netlab.observe.ring import Ring
from netlab.observe.taps import Loud, Queue

_BEHIND = 4
"""So many full batches in a row, 1,024 frames without a pause, and a queue is too slow for what comes."""
_MARGIN_NS = 10_000_000
"""How long after its ring began to run a tap is handed over, and how long after that its queue is shut: longer than any frame is on
its way from its stamp to the sockets."""
_MEANWHILE = 8
"""So many times its buffer a queue may hold meanwhile: making a ring takes 30 ms and more, the kernel waits for all processors."""
_MOST_RINGS = 32
_CLOSERS = 32


class Taps:
    """The taps, by the descriptor of the socket that is read; ``arrived`` guards them, and is notified when one has gone."""

    def __init__(
        self,
        made: Mapping[str, socket.socket],
        canary: bytes,
        buffer: int,
        arrived: threading.Condition,
        again: Callable[[str], socket.socket] | None,
    ) -> None:
        self._canary, self._buffer, self._arrived, self._again = canary, buffer, arrived, again
        self.queues = {each.fileno(): Queue(node=node, socket=each, canary=canary) for node, each in made.items()}
        self.loud: dict[int, Loud] = {}
        self.senders = dict(made)
        """A socket of each node that is open as long as the lock is held."""
        self.undisturbed = {node: threading.Lock() for node in made}
        """While a node's is held, no socket is made or closed in its namespace."""
        self.lost: dict[str, int] = {}
        self._poll = select.epoll()
        self._moving: dict[str, threading.Thread] = {}
        self._failed = self._closed = False
        for queue in self.queues.values():
            queue.prepare(buffer)

    def use_rings(self) -> None:
        """Give every queue's own socket a ring; where the kernel has none, it stays as it is."""
        for fd, queue in list(self.queues.items()):
            try:
                ring = Ring(queue.socket, self._buffer)
            except OSError:
                continue
            del self.queues[fd]
            self.loud[fd] = Loud(node=queue.node, socket=queue.socket, ring=ring, canary=self._canary)

    def watch(self, *others: int) -> None:
        """From now on ``ready`` tells of the taps, and of other descriptors."""
        for fd in (*others, *self.queues, *self.loud):
            self._poll.register(fd, select.EPOLLIN)

    def ready(self, seconds: float) -> list[int]:
        """The descriptors from which something can be read, once there are any, or none after so long."""
        return [fd for fd, _ in self._poll.poll(seconds)]

    @property
    def nodes(self) -> dict[int, str]:
        """The node of every tap that is read, by descriptor."""
        return {fd: tap.node for taps in (self.queues, self.loud) for fd, tap in taps.items()}

    def relieve(self, queue: Queue) -> None:
        """Have a ring take over from a queue that is behind, if it may."""
        if queue.full < _BEHIND or self._again is None or queue.node in self._moving or len(self._moving) >= _MOST_RINGS:
            return
        queue.resize(_MEANWHILE * self._buffer)
        mover = self._moving[queue.node] = threading.Thread(target=self._move, args=(queue, self._again), daemon=True)
        mover.start()

    def _move(self, queue: Queue, again: Callable[[str], socket.socket]) -> None:
        """It takes a while, in which the queue is still read."""
        with self.undisturbed[queue.node]:
            made = None
            try:
                made = again(queue.node)
                made.setblocking(False)
                ring = Ring(made, self._buffer)
            except (OSError, LabError):
                if made is not None:
                    made.close()
                return  # the queue goes on alone, and what it loses is counted
            since = time.time_ns() + _MARGIN_NS
            loud = Loud(node=queue.node, socket=made, ring=ring, canary=self._canary, since=since)
            loud.dropped()  # what its own queue had no room for until it had a ring: the first queue has all of it
            with self._arrived:
                self.loud[made.fileno()] = loud
                queue.until = since
                self._poll.register(made.fileno(), select.EPOLLIN)
                while queue in self.queues.values() and not self._failed:
                    self._arrived.wait()
                self.senders[queue.node] = made
            queue.socket.close()

    def shut(self, read: Callable[[Queue], None]) -> None:
        """Shut the queues whose ring has taken over, once that is due, and have what is left in them read."""
        for fd, queue in list(self.queues.items()):
            if time.time_ns() < queue.until + _MARGIN_NS:
                continue
            queue.shut()
            queue.full = 1
            while queue.full:
                read(queue)
            self._poll.unregister(fd)
            self.count_lost()
            with self._arrived:
                del self.queues[fd]
                self._arrived.notify_all()

    def settle(self) -> None:
        """Return once no tap is passing to a ring, and let none begin to."""
        self._again = None
        for mover in list(self._moving.values()):
            mover.join()

    def fail(self) -> None:
        """Nobody reads any more: let no one wait for it."""
        with self._arrived:
            self._failed = True
            self._arrived.notify_all()

    def count_lost(self) -> None:
        """Add what the kernel had no room for since the last time to ``lost``, by node."""
        with self._arrived:
            if self._closed:
                return
            taps: list[Queue | Loud] = [*self.queues.values(), *self.loud.values()]
            for tap in taps:
                if count := tap.dropped():
                    self.lost[tap.node] = self.lost.get(tap.node, 0) + count

    def close(self) -> None:
        """Count what was lost until now, and close all sockets."""
        self.count_lost()
        self._closed = True
        for loud in self.loud.values():
            loud.ring.close()
        self._poll.close()
        sockets = {*self.senders.values(), *(loud.socket for loud in self.loud.values())}
        # Closing a packet socket waits until no processor can be delivering to it (packet_release, 13 ms): all wait at once.
        with ThreadPoolExecutor(_CLOSERS) as closers:
            list(closers.map(socket.socket.close, sockets))
