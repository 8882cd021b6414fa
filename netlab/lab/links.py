"""Sets interfaces of a running lab up and down, and their MTUs, as ip-link(8) does, by a request in the node's own namespace.

An interface that goes down loses what the kernel keeps only while it is up: its IPv6 addresses, the routes that lead there, its
neighbours. When it comes up again its node gets back all that the topology gave it, as a host's network service would do; what
programs had set besides is gone. It does not know why an interface goes down, nor what becomes of connections.
"""

import errno
import os
import socket
import struct
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from netlab.errors import LabError
from netlab.lab import messages
from netlab.lab.build import NETLINK_EXT_ACK, NETLINK_ROUTE, SOL_NETLINK, RefusedError, exchange, ready, unsettled
from netlab.lab.program import FAR_INDEX, NEAR_INDEX, restoring, solicited
from netlab.topology.planned import NodePlan, Plan

__all__ = ["is_up", "mtu_of", "set_down", "set_mtu", "set_up", "settle"]

_RTM_GETLINK, _REQUEST, _IFF_UP, _IFF_LOWER_UP, _IFLA_MTU = 18, 1, 0x1, 0x10000, 4
_WITHIN = 10.0
# What a route or an address is refused with that is there already, or that leads to another interface that is down just now.
_THERE_OR_CANNOT_BE = (errno.EEXIST, errno.ENETDOWN, errno.ENETUNREACH, errno.EHOSTUNREACH)


class Inside(Protocol):
    """A network namespace, in which sockets can be made."""

    def socket(self, family: int, kind: int, protocol: int) -> socket.socket:
        """An ordinary socket that lives there."""


class Indexed(Protocol):
    """An interface."""

    @property
    def index(self) -> int:
        """Its number in its namespace."""


class Linked(Protocol):
    """A node, as far as its interfaces go: a LabNode is one."""

    @property
    def name(self) -> str:
        """What the topology calls it."""

    @property
    def plan(self) -> NodePlan:
        """What it was built from."""

    @property
    def space(self) -> Inside:
        """Where it is."""

    @property
    def interfaces(self) -> Mapping[str, Indexed]:
        """By name."""


class Between(Protocol):
    """The middle of a link."""

    @property
    def space(self) -> Inside:
        """Where it is."""


class Network(Protocol):
    """A network that was built, as far as its links go: a Lab is one."""

    @property
    def plan(self) -> Plan:
        """What it was built from."""

    @property
    def nodes(self) -> Mapping[str, Linked]:
        """By name."""

    @property
    def middles(self) -> Mapping[str, Between]:
        """By the name of the link."""


def set_down(node: Linked, interface: str) -> None:
    """Set an interface down. What lies at the other end of its link has no carrier then. KeyError if the node has none such."""
    index = node.interfaces[interface].index
    with _route(node.space) as route:
        _ask(route, messages.down(index), f"{node.name}:{interface} down")


def set_up(node: Linked, interface: str) -> None:
    """Set an interface up, and give its node back all that the topology gave it; ``settle`` then waits until packets pass.

    KeyError if the node has no such interface.
    """
    index = node.interfaces[interface].index
    with _route(node.space) as route:
        _ask(route, messages.up(index), f"{node.name}:{interface} up")
        for message in restoring(node.plan):
            try:
                exchange(route, [message])
            except RefusedError as error:
                if error.number not in _THERE_OR_CANNOT_BE:
                    raise _refused(f"what {node.name}:{interface} had", error) from error


def set_mtu(node: Linked, interface: str, mtu: int) -> None:
    """Set an interface's MTU in bytes; that of the rest of its link stays. Below 1280 the kernel takes IPv6 away (RFC 8200, 5).

    Raises LabError where the kernel refuses the value, KeyError if the node has no such interface.
    """
    index = node.interfaces[interface].index
    with _route(node.space) as route:
        _ask(route, messages.mtu(index, mtu), f"{node.name}:{interface} mtu {mtu}")


def is_up(node: Linked, interface: str) -> bool:
    """Whether an interface is set up, be there a carrier or not. KeyError if the node has none such."""
    with _route(node.space) as route:
        flags, _ = _link(route, node.interfaces[interface].index)
    return bool(flags & _IFF_UP)


def mtu_of(node: Linked, interface: str) -> int:
    """An interface's MTU in bytes, as it is now. KeyError if the node has none such."""
    with _route(node.space) as route:
        _, attributes = _link(route, node.interfaces[interface].index)
    while attributes:
        size, kind = struct.unpack_from("=HH", attributes)
        if kind == _IFLA_MTU:
            return int(struct.unpack_from("=I", attributes, 4)[0])
        attributes = attributes[(size + 3) & ~3 :]
    raise LabError(f"the kernel tells no MTU of {node.name}:{interface}")


def settle(lab: Network, node: str, interface: str) -> None:
    """Wait until every interface of the link that ends here can carry packets, of those that have a carrier at all.

    The kernel looks at a carrier a moment after it is there. Raises LabError after ten seconds.
    """
    deadline = time.monotonic() + _WITHIN
    for space, index, groups in _interfaces(lab, node, interface):
        with _route(space) as route:
            pause = 0.0001
            while _has_carrier(route, index) and (index not in ready(route) or index in unsettled(route, groups)):
                if time.monotonic() > deadline:
                    raise LabError(f"the link at {node}:{interface} is up, and carries no packets after {_WITHIN:g} s")
                time.sleep(pause)
                pause = min(pause * 2, 0.005)


def _interfaces(lab: Network, node: str, interface: str) -> Iterator[tuple[Inside, int, Sequence[bytes]]]:
    """The interfaces of a link, each with the groups that it joins: its two ends, and those in its middle."""
    for wire in lab.plan.wires:
        if any((end.node, end.interface.name) == (node, interface) for end in (wire.a, wire.b)):
            for end in (wire.a, wire.b):
                groups = solicited(lab.nodes[end.node].plan)
                own = [group for group in groups if group.startswith(end.interface.index.to_bytes(4, sys.byteorder))]
                yield lab.nodes[end.node].space, end.interface.index, own
            if wire.link in lab.middles:
                for index in (NEAR_INDEX, FAR_INDEX):
                    yield lab.middles[wire.link].space, index, ()


def _has_carrier(route: socket.socket, index: int) -> bool:
    """Whether an interface is up, and what it is wired to is up as well (netdevice(7), IFF_LOWER_UP)."""
    flags, _ = _link(route, index)
    return bool(flags & _IFF_UP and flags & _IFF_LOWER_UP)


def _link(route: socket.socket, index: int) -> tuple[int, bytes]:
    """An interface's flags (netdevice(7)) and attributes (rtnetlink(7))."""
    route.send(struct.pack("=IHHIIBxHiII", 32, _RTM_GETLINK, _REQUEST, 0, 0, 0, 0, index, 0, 0))
    answer = route.recv(1 << 16)
    size, kind, flags = struct.unpack_from("=IH18xI", answer)
    if kind != messages.RTM_NEWLINK:
        raise LabError(f"the kernel does not tell of interface {index}")
    return flags, answer[32:size]


def _route(space: Inside) -> socket.socket:
    made = space.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_ROUTE)
    made.setsockopt(SOL_NETLINK, NETLINK_EXT_ACK, 1)
    return made


def _ask(route: socket.socket, request: bytes, what: str) -> None:
    try:
        exchange(route, [request])
    except RefusedError as error:
        raise _refused(what, error) from error


def _refused(what: str, error: RefusedError) -> LabError:
    return LabError(f"{what}: {os.strerror(error.number)}" + (f" ({error.words})" if error.words else ""))
