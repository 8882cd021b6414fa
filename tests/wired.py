"""Labs of two hosts on one link that goes through the wire, and numbered datagrams between them, for tests of the wire."""

import os
import select
import socket
import struct
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, replace
from typing import Any

from networks import HERE, two_hosts

from netlab.impair.script import Script
from netlab.impair.timing import on_processor
from netlab.impair.wire import Wire
from netlab.lab.lab import Lab
from netlab.timeline.observations import Decision
from netlab.topology.spec import Rule, Shape
from netlab.units import milliseconds

THERE = "client->server"
_PORT, _SIZE, _HEADERS = 5001, 100, 14 + 20 + 8
_SO_TIMESTAMPNS = 35


def on_one_processor() -> AbstractContextManager[None]:
    """A veth queues a frame on the processor that sent it: of a thread that moves to another, frames overtake each other."""
    return on_processor(min(os.sched_getaffinity(0)))


def quantities(*, delay: float = 0, jitter: float = 0, **more: Any) -> Shape:
    """With delay and jitter in milliseconds."""
    return Shape(delay=milliseconds(delay), jitter=milliseconds(jitter), place=HERE, **more)


@contextmanager
def wired(
    *rules: Rule, shape: Shape | None = None, offloads: frozenset[str] = frozenset(), seed: int = 0, script: Script | None = None
) -> Iterator[tuple[Lab, Wire]]:
    """Rules and quantities are of what the client sends."""
    way = "client", "server"
    topology = two_hosts(*([(way, rules)] if rules else []))
    shapes = ((way, shape),) if shape is not None else ()
    link = replace(topology.links[0], shapes=shapes, offloads=offloads, by_wire=True)
    with Lab(replace(topology, links=(link,))) as lab, Wire.of(lab, seed=seed, script=script) as wire:
        yield lab, wire


@dataclass(frozen=True, slots=True)
class Arrived:
    """A numbered datagram at the server's interface: its stamp, in ns of CLOCK_REALTIME, and the frame."""

    number: int
    stamp: int
    frame: bytes


class Numbered:
    """A host that sends numbered datagrams to the other, and what is seen of them where they leave and where they arrive."""

    def __init__(self, lab: Lab, sender: str, receiver: str) -> None:
        self._left, self._came = (lab[name].space.packet_socket("eth0") for name in (sender, receiver))
        for tap in (self._left, self._came):
            tap.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
            tap.settimeout(20)
        self._to = (lab[receiver].address, _PORT)
        self._from = lab[sender].socket(kind=socket.SOCK_DGRAM)
        # Nobody listens: without somebody who does, each datagram would be answered by an ICMP error.
        self._there = lab[receiver].socket(kind=socket.SOCK_DGRAM)
        self._there.bind(self._to)

    def close(self) -> None:
        for each in (self._left, self._came, self._from, self._there):
            each.close()

    def send(self, *numbers: int) -> None:
        for number in numbers:
            self._from.sendto(struct.pack("!I", number) + bytes(_SIZE - 4), self._to)

    def arrive(self, count: int) -> list[Arrived]:
        """So many of them, in the order in which they come, each as often as it does."""
        return self._seen(self._came, count)

    def departed(self, count: int) -> list[Arrived]:
        """So many of them, as they left the sender's interface."""
        return self._seen(self._left, count)

    def arrived(self) -> list[Arrived]:
        """One that has come since, if any does within some milliseconds."""
        return self._next(self._came) if select.select([self._came], [], [], 0.005)[0] else []

    def all(self, wire: Wire, count: int) -> tuple[list[Arrived], list[Decision]]:
        """All that arrive of so many that were sent, and what was decided about them: no more and no less than that tells of."""
        found: list[Arrived] = []
        decisions: list[Decision] = []
        deadline = time.monotonic() + 20
        while True:
            decisions += wire.drain()
            kinds = Counter(one.action for one in decisions)
            due = count - kinds["drop"] - kinds["overflow"] + kinds["duplicate"]
            if len(found) >= due:
                return found, decisions
            assert time.monotonic() < deadline, f"{len(found)} of {due} arrived: {numbers(found)}, {kinds}"
            found += self.arrived()

    def _seen(self, tap: socket.socket, count: int) -> list[Arrived]:
        found: list[Arrived] = []
        while len(found) < count:
            found += self._next(tap)
        return found

    @staticmethod
    def _next(tap: socket.socket) -> list[Arrived]:
        """The next frame that passes an interface, if it is one of ours."""
        data, ((_, _, stamp),), _, _ = tap.recvmsg(1 << 16, 100)
        if len(data) != _HEADERS + _SIZE:
            return []
        seconds, nanoseconds = struct.unpack("=qq", stamp)
        (number,) = struct.unpack_from("!I", data, _HEADERS)
        return [Arrived(number, seconds * 1_000_000_000 + nanoseconds, data)]


def decided(wire: Wire, count: int, within: float = 20.0) -> list[Decision]:
    """The next so many decisions; fewer when there are no more for long."""
    found: list[Decision] = []
    deadline = time.monotonic() + within
    while len(found) < count and time.monotonic() < deadline:
        found += wire.drain()
        select.select([], [], [], 0.001)
    return found


@contextmanager
def numbered(lab: Lab, sender: str = "client", receiver: str = "server") -> Iterator[Numbered]:
    with closing(Numbered(lab, sender, receiver)) as made:
        yield made


def numbers(arrived: Sequence[Arrived]) -> list[int]:
    return [one.number for one in arrived]
