"""A link's shapes act in its middle, each direction by itself, in a running lab; what this kernel lacks is an error."""

import socket
import struct
import time
from dataclasses import replace
from typing import Any

import pytest
from networks import HERE, two_hosts

from netlab.errors import HostError
from netlab.impair.qdisc import apply
from netlab.impair.shaping import shape
from netlab.impair.wire import Wire
from netlab.lab.lab import Lab
from netlab.topology.spec import Shape, Topology
from netlab.units import milliseconds

pytestmark = pytest.mark.netns

SO_TIMESTAMPNS = 35
PAYLOAD, FRAME = 1400, 1400 + 8 + 20 + 14  # with UDP's, IPv4's and Ethernet's headers
COUNT = 40


def shaped(*, delay: float = 0, **quantities: Any) -> Shape:
    return Shape(delay=milliseconds(delay), jitter=milliseconds(0), place=HERE, **quantities)


def link_with(**ways: Shape) -> Topology:
    """Two hosts; ``onward`` from the client to the server, ``back`` the other way."""
    pairs = {"onward": ("client", "server"), "back": ("server", "client")}
    topology = two_hosts()
    return replace(topology, links=(replace(topology.links[0], shapes=tuple((pairs[way], one) for way, one in ways.items())),))


def seconds(lab: Lab, sender: str, receiver: str) -> float:
    """How long after the first of many datagrams the last one arrives, by the kernel's stamps."""
    _, *stamps = arrivals(lab, sender, receiver)
    return stamps[-1] - stamps[0]


def arrivals(lab: Lab, sender: str, receiver: str) -> list[float]:
    """When many datagrams began to be sent, and when each arrived, by the kernel's stamps."""
    stamps: list[float] = []
    to = lab[receiver].address
    with (
        lab[sender].socket(socket.AF_INET, socket.SOCK_DGRAM) as sending,
        lab[receiver].socket(socket.AF_INET, socket.SOCK_DGRAM) as receiving,
    ):
        receiving.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        receiving.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        receiving.bind((to, 5001))
        receiving.settimeout(10)
        began = time.time()
        for _ in range(COUNT):
            sending.sendto(bytes(PAYLOAD), (to, 5001))
        while len(stamps) < COUNT:
            _, ((_, _, stamp),), _, _ = receiving.recvmsg(2000, 100)
            whole, nanoseconds = struct.unpack("=qq", stamp)
            stamps.append(whole + nanoseconds / 1e9)
    return [began, *stamps]


@pytest.mark.parametrize("stay", [False, True], ids=["held", "kept"])
def test_each_direction_has_its_own_rate(stay: bool) -> None:
    onward, back = 8_000_000, 2_000_000
    with Lab(link_with(onward=shaped(rate=onward), back=shaped(rate=back)), stay=stay) as lab:
        assert shape(lab) == ()
        for rate, way in ((onward, ("client", "server")), (back, ("server", "client"))):
            least = (COUNT - 2) * FRAME * 8 / rate  # the first goes at once, and one more is saved up
            assert least * 0.98 <= seconds(lab, *way) < least * 2


def test_the_direction_that_has_no_shape_is_as_fast_as_ever() -> None:
    with Lab(link_with(onward=shaped(rate=1_000_000))) as lab:
        shape(lab)
        assert seconds(lab, "server", "client") < 0.2 < seconds(lab, "client", "server")


def test_a_link_without_shapes_has_no_middle() -> None:
    with Lab(two_hosts()) as lab:
        assert shape(lab) == ()
        assert lab.middles == {}


def arrives_after(lab: Lab, sender: str, receiver: str) -> float:
    """How long one datagram is under way, in seconds."""
    to = lab[receiver].address
    with (
        lab[sender].socket(socket.AF_INET, socket.SOCK_DGRAM) as sending,
        lab[receiver].socket(socket.AF_INET, socket.SOCK_DGRAM) as receiving,
    ):
        receiving.bind((to, 5001))
        receiving.settimeout(10)
        sending.sendto(b"the neighbour is known afterwards", (to, 5001))
        receiving.recv(100)
        began = time.monotonic()
        sending.sendto(b"x", (to, 5001))
        receiving.recv(100)
        return time.monotonic() - began


@pytest.mark.parametrize("stay", [False, True], ids=["held", "kept"])
def test_each_direction_has_its_own_delay_whatever_the_kernel_can(stay: bool) -> None:
    with Lab(link_with(onward=shaped(delay=60), back=shaped(delay=20)), stay=stay) as lab:
        assert shape(lab) == ()
        with Wire.of(lab) as wire:
            assert arrives_after(lab, "client", "server") >= 0.06
            assert arrives_after(lab, "server", "client") >= 0.02
            assert wire.carries != kernel_has_netem(lab)
            assert wire.report().lost == 0


def kernel_has_netem(lab: Lab) -> bool:
    """Whether this kernel has netem: asked of an interface of a node, which has it no longer afterwards."""
    with lab["client"].socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as route:
        try:
            apply(route, lab["client"].interfaces["eth0"].index, shaped(delay=1))
        except HostError:
            return False
        apply(route, lab["client"].interfaces["eth0"].index, shaped())
        return True


def test_a_rate_alone_needs_no_wire() -> None:
    with Lab(link_with(onward=shaped(rate=8_000_000))) as lab:
        shape(lab)
        assert not Wire.of(lab).carries


def test_beside_a_rule_the_wire_keeps_a_rate() -> None:
    topology = link_with(onward=shaped(rate=8_000_000))
    with Lab(replace(topology, links=(replace(topology.links[0], by_wire=True),))) as lab:
        assert shape(lab) == ()
        with Wire.of(lab) as wire:
            assert wire.carries
            least = (COUNT - 1) * FRAME * 8 / 8_000_000
            # from the sending on: the wire's thread may come late to the first, and no later one waits for that
            began, *stamps = arrivals(lab, "client", "server")
            assert least * 0.98 <= stamps[-1] - began
