"""What the scripts of test_netem_agrees.py do inside a guest: the same quantities on the same link, by netem or by the wire."""

import select
import socket
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from networks import two_hosts
from uml.shaping import round_trip, shape, sockets

from netlab.impair import shaping
from netlab.impair.wire import Wire
from netlab.lab.lab import Lab
from netlab.topology.spec import Shape

SO_TIMESTAMPNS = 35
FIRST, END = b"first", b"the end"
AGAIN, SURELY = 0.05, 2.0


@contextmanager
def link(engine: str, onward: Shape, back: Shape | None = None) -> Iterator[Lab]:
    """Two hosts, and quantities in the middle of their link; AssertionError where another engine carries them out."""
    ways = ((("client", "server"), onward), (("server", "client"), back or shape()))
    topology = two_hosts()
    made = replace(topology.links[0], shapes=ways, by_wire=engine == "wire")
    with Lab(replace(topology, links=(made,))) as lab:
        assert shaping.shape(lab, recorded=False, seeded=False) == ()
        with Wire.of(lab) as wire:
            (told,) = wire.report().notes
            assert told.split(": ")[1] == engine
            yield lab
            assert wire.report().lost == 0


def arrived(lab: Lab, datagrams: Iterable[bytes], *, count: int | None = None) -> list[tuple[bytes, float]]:
    """What comes of datagrams, ``count`` of them or those before what is sent after them, and how many seconds after the first."""
    client, server = sockets(lab)
    with client, server:
        server.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        client.send(FIRST)
        while not select.select([server], [], [], SURELY)[0]:
            client.send(FIRST)  # the neighbour is not known, or it was lost
        found: list[tuple[bytes, float]] = []
        for datagram in datagrams:
            client.send(datagram)
            found += _come(server, 0)  # before there are more than a socket can keep
        while len(found) <= count if count is not None else all(data != END for data, _ in found):
            if count is None:
                client.send(END)  # it too may be lost
            found += _come(server, AGAIN)
        found = [one for one in found if one[0] != FIRST]
        if count is None:
            del found[[data for data, _ in found].index(END) :]
        return [(data, time - found[0][1]) for data, time in found]


def _come(server: socket.socket, within: float) -> Iterator[tuple[bytes, float]]:
    """What is there to be read, or comes in so many seconds each, with its time."""
    while select.select([server], [], [], within)[0]:
        data, ((_, _, stamp),), _, _ = server.recvmsg(2000, 100)
        seconds, nanoseconds = struct.unpack("=qq", stamp)
        yield data, seconds + nanoseconds / 1e9


def measured(engine: str) -> dict[str, Any]:
    """What an engine does with each quantity, as JSON can carry it out of a guest."""
    numbers = [bytes([number]) for number in range(40)]
    found: dict[str, Any] = {}
    with link(engine, shape(delay=50), shape(delay=20)) as lab:
        found["round trip"] = min(round_trip(lab) for _ in range(3))
        found["delayed"] = _order(arrived(lab, numbers))
    with link(engine, shape(loss=0.3)) as lab:
        found["lost"] = 600 - len(arrived(lab, [bytes(10)] * 600))
    with link(engine, shape(loss=1.0), shape()) as lab:
        client, server = sockets(lab)
        with client, server:
            server.settimeout(AGAIN)
            client.send(b"into the void")
            try:
                found["all lost"] = server.recv(100).decode()
            except TimeoutError:
                found["all lost"] = "nothing"
    with link(engine, shape(duplicate=1.0)) as lab:
        found["doubled"] = sorted(_order(arrived(lab, numbers)))
    with link(engine, shape(duplicate=0.3)) as lab:
        found["more"] = len(arrived(lab, [bytes(10)] * 600)) - 600
    with link(engine, shape(rate=8_000_000)) as lab:
        took = arrived(lab, [bytes(1000)] * 60)
        found["kept"], found["took"] = len(took), took[-1][1]
    with link(engine, shape(delay=1000, limit=20)) as lab:
        found["limited"] = _order(arrived(lab, numbers))
    with link(engine, shape(delay=500, reorder=0.5)) as lab:
        found["overtaken"] = _order(arrived(lab, numbers, count=40))
    return found


def _order(came: Iterable[tuple[bytes, float]]) -> list[int]:
    return [data[0] for data, _ in came]
