"""What the scripts of test_netem.py do inside a guest: two hosts with shapes between them, and datagrams from one to the other."""

import json
import select
import socket
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from typing import Any

from networks import HERE, two_hosts

from netlab.impair.qdisc import apply
from netlab.lab.lab import Lab
from netlab.topology.spec import Shape, Topology
from netlab.units import milliseconds


def shape(*, delay: float = 0, jitter: float = 0, **quantities: Any) -> Shape:
    return Shape(delay=milliseconds(delay), jitter=milliseconds(jitter), place=HERE, **quantities)


def two_hosts_apart(onward: float, back: float) -> Topology:
    """Two hosts, and a delay in milliseconds of each direction in the middle of their link."""
    topology = two_hosts()
    ways = (("client", "server"), shape(delay=onward)), (("server", "client"), shape(delay=back))
    return replace(topology, links=(replace(topology.links[0], shapes=ways),))


def put(lab: Lab, name: str, wanted: Shape) -> tuple[str, ...]:
    """Shape what leaves a host; what was done without."""
    with lab[name].socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as route:
        return apply(route, lab[name].interfaces["eth0"].index, wanted)


def sockets(lab: Lab) -> tuple[socket.socket, socket.socket]:
    client, server = (lab[name].socket(socket.AF_INET, socket.SOCK_DGRAM) for name in ("client", "server"))
    server.bind(("10.0.0.2", 9))
    client.connect(("10.0.0.2", 9))
    client.settimeout(5)
    server.settimeout(5)
    return client, server


def arrived(lab: Lab, wanted: Shape, datagrams: Iterable[bytes]) -> list[bytes]:
    """What comes out of a shape, until it holds nothing any more."""
    put(lab, "client", shape())
    round_trip(lab)  # who the neighbour is must not be asked through the shape
    client, server = sockets(lab)
    with client, server:
        server.setblocking(False)
        put(lab, "client", wanted)
        for datagram in datagrams:
            client.send(datagram)
        found = []
        idle = False
        while not idle:
            idle = not qdisc(lab)["qlen"]
            while select.select([server], [], [], 0)[0]:
                with suppress(BlockingIOError):  # its checksum was wrong, which is only seen now
                    found.append(server.recv(2000))
        return found


def qdisc(lab: Lab) -> Any:
    """The root queueing discipline of the client's interface, as tc(8) shows it."""
    shown = lab["client"].run(["tc", "-s", "-j", "qdisc", "show", "dev", "eth0"], capture_output=True, check=True)
    return json.loads(shown.stdout)[0]


def round_trip(lab: Lab) -> float:
    """How long a datagram and its answer take, in seconds."""
    client, server = sockets(lab)
    with client, server:
        began = time.monotonic()
        client.send(b"ping")
        _, sender = server.recvfrom(10)
        server.sendto(b"pong", sender)
        client.recv(10)
        return time.monotonic() - began
