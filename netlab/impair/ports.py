"""Where the frames of one direction of a link come into the wire, and those of the other go out: a socket, and what waits for it.

It sends in order, patiently, and counts what was lost against its will. It decides nothing.
"""

import errno
import os
import socket
import struct
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from netlab.impair.mmsg import AT_ONCE, PACKET_AUXDATA, SO_TIMESTAMPNS, SOL_PACKET, Batch
from netlab.impair.quantities import rules_of
from netlab.impair.rules import LinkRules
from netlab.impair.schedule import Line
from netlab.impair.segmenting import NOTHING_LEFT, singles
from netlab.topology.spec import Endpoint, Link, Rule, Shape

__all__ = ["Frame", "Port"]

PACKET_STATISTICS, PACKET_VNET_HDR = 6, 15
SO_RCVBUFFORCE = 33
# Room for what a dozen TCP streams may have under way: the kernel takes as much as waits, and doubles what is asked for.
_RECEIVE_BUFFER = 64 << 20
# A veth whose other end is full takes frames again within microseconds; one whose other end is down or gone never does.
_PATIENCE = 0.1
_FULL = (errno.ENOBUFS, errno.EAGAIN)
_GONE = (errno.ENETDOWN, errno.ENXIO, errno.ENODEV)


class Frame(NamedTuple):
    """A frame, when it came by the kernel's stamp (CLOCK_REALTIME ns), and where it came in. ``head`` goes before whatever is sent
    in its place: what is left to a device to do, where the link has offloads."""

    stamp: int
    port: "Port"
    data: bytes
    head: bytes = b""


class Port:
    """One end of a link, as the wire sees it. What comes in here is ``direction`` 0 at the link's first endpoint, else 1.

    ``line`` has the quantities of that direction that take time (None: none), ``overtaken`` the frames that wait until so many
    later ones have gone. ``seed`` is the run's. It is ``cramped`` where its socket's queue has less room than it should.
    """

    def __init__(self, end: Endpoint, made: socket.socket, link: Link, rules: LinkRules, direction: int, seed: int) -> None:
        self.end, self.socket, self.link, self.rules, self.direction = end, made, link, rules, direction
        self.name = f"{end.node}:{end.interface}"
        self.other: Port = self
        self.line: Line | None = None
        self.overtaken: list[tuple[int, tuple[bytes, ...]]] = []
        self.waiting: deque[bytes] = deque()
        self.refused_since: float | None = None
        self.gone = self.cramped = False
        self.forwarded = 0
        self.lost = 0
        self._seed = seed
        self._head = len(NOTHING_LEFT) if "tx" in link.offloads else 0
        self._chances: tuple[Rule, ...] = ()
        self._changed = False

    @property
    def way(self) -> str:
        """ "client->server": the direction of what comes in here."""
        return f"{self.end.node}->{self.other.end.node}"

    def as_built(self) -> None:
        """Have the quantities that the link's topology gives; its rules have its own already."""
        self._put(self._standing_shape)

    def impair(self, more: Sequence[Rule], shape: Shape | None) -> None:
        """Have more rules, and other quantities if a shape is given."""
        if shape is not None:
            self.rules.remove(self.direction, self._chances)
            self._put(shape)
        self.rules.add(self.direction, more)
        self._changed = self._changed or bool(more) or shape is not None

    def heal(self) -> None:
        """Have what the topology gives, and no more."""
        if self._changed:
            self._changed = False
            self.rules.clear(self.direction)
            self._put(self._standing_shape)

    @property
    def standing(self) -> tuple[tuple[Rule, int], ...]:
        """The rules that may still act on what comes in here, those of a shape's chances too; how many packets each has meant."""
        return self.rules.standing(self.direction)

    @property
    def shape(self) -> Shape | None:
        """The quantities by which packets wait here; None where none does."""
        return None if self.line is None else self.line.shape

    @property
    def _standing_shape(self) -> Shape | None:
        return dict(self.link.shapes).get((self.end.node, self.other.end.node))

    def _put(self, shape: Shape | None) -> None:
        self._chances = rules_of(shape) if shape is not None else ()
        self.rules.add(self.direction, self._chances)
        line = Line(shape, seed=self._seed, link=self.link.name, direction=self.way) if shape is not None else None
        self.line = None if line is None or line.at_once else line

    def prepare(self) -> None:
        """Make the socket ready to be read in batches, with stamps and VLAN tags."""
        self.socket.setblocking(False)
        self.socket.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        if self._head:
            self.socket.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
        try:
            self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, _RECEIVE_BUFFER)
        except PermissionError:  # rootless: up to net.core.rmem_max
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        self.cramped = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) < _RECEIVE_BUFFER

    def idle(self) -> bool:
        """Whether nothing is done to frames that come in here: they only go on."""
        return self.line is None and not self.overtaken and self.rules.idle(self.direction)

    def receive(self, batch: Batch) -> int:
        """Some frames that have come in here, into the batch: how many. Notes when the interface is no more."""
        try:
            return batch.receive(self.socket.fileno())
        except OSError as error:
            if error.errno not in _GONE:
                raise
            self.gone = True
            return 0

    def read(self, batch: Batch, *, whole: bool = True) -> list[Frame]:
        """The same, as frames. Where the link has offloads they are packets, unless they may be ``whole`` segments."""
        raw = self._raw(batch, self.receive(batch))
        if not self._head:
            return [Frame(stamp, self, data) for stamp, data in raw]
        found = []
        for stamp, data in raw:
            head, frame = data[: self._head], data[self._head :]
            if whole:
                found.append(Frame(stamp, self, frame, head))
                continue
            found += [Frame(stamp, self, one, NOTHING_LEFT) for one in singles(head, frame)]
        return found

    def pass_on(self, batch: Batch) -> int:
        """Read some frames, and send them out at the other end; gives how many there were."""
        count, other = self.receive(batch), self.other
        if not count:
            return 0
        for data in batch.opening(count, self._head):
            self.rules.note_opening(data)
        if other.waiting or not batch.plain(count):
            other.waiting.extend(data for _, data in self._raw(batch, count))
            return count
        sent, error = batch.send_on(other.socket.fileno(), count)
        other.forwarded += sent
        if error:
            other.waiting.extend(data for _, data in self._raw(batch, count)[sent:])
            other.refused(error)
        return count

    def _raw(self, batch: Batch, count: int) -> list[tuple[int, bytes]]:
        found = batch.frames(count, self._head)
        self.other.lost += count - len(found)
        return found

    def flush(self, batch: Batch, look: Callable[[], None] | None = None) -> None:
        """Send what waits, in order, until the interface takes no more; with ``look`` one at a time, and call it after each."""
        waiting = self.waiting
        while waiting:
            some = [waiting[0]] if look is not None else [waiting[n] for n in range(min(len(waiting), AT_ONCE))]
            sent, error = batch.send(self.socket.fileno(), some)
            for _ in range(sent):
                waiting.popleft()
            if sent:
                self.forwarded += sent
                self.refused_since = None
                if look is not None:
                    look()
            if error and self.refused(error):
                return

    def refused(self, error: int) -> bool:
        """The interface did not take the first of the frames that wait: whether it may take it yet, else that is lost.

        Raises OSError for any other reason than a lack of room or of the interface.
        """
        if error in _FULL:
            now = time.monotonic()
            self.refused_since = now if self.refused_since is None else self.refused_since
            if now - self.refused_since < _PATIENCE:
                return True
        elif error not in _GONE:
            raise OSError(error, os.strerror(error))
        self.lost += 1
        self.waiting.popleft()
        return False

    def count_lost(self) -> None:
        """Count what the kernel dropped for lack of room in the socket's queue: it would have gone out at the other end."""
        # Reading PACKET_STATISTICS sets the kernel's counters back to zero.
        _, dropped = struct.unpack("=II", self.socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
        self.other.lost += dropped
