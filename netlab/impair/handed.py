"""A lab's nodes and links as a process of it has them that did not build it: their plan, and a socket in each namespace with which
to ask the kernel of its interfaces (rtnetlink(7)). It does what lab/links.py asks of a network, and no more.
"""

import socket
from collections.abc import Mapping
from dataclasses import dataclass

from netlab.lab.links import Between, Indexed, Linked
from netlab.topology.planned import NodePlan, Plan


class Namespace:
    """A namespace of which there is only a socket."""

    def __init__(self, route: socket.socket) -> None:
        self._route = route

    def socket(self, family: int, kind: int, protocol: int) -> socket.socket:
        """That socket again, which is of this family, kind and protocol."""
        assert (family, kind, protocol) == (self._route.family, self._route.type, self._route.proto)
        return self._route.dup()


@dataclass(frozen=True, slots=True)
class Middle:
    """The middle of a link."""

    space: Namespace


class Node:
    """A node: its plan, and its namespace."""

    def __init__(self, plan: NodePlan, space: Namespace) -> None:
        self.name, self.plan, self.space = plan.name, plan, space
        self.interfaces: Mapping[str, Indexed] = {one.name: one for one in plan.interfaces}


class Network:
    """A network, by a socket for each node's namespace, and for that in the middle of each link which has one."""

    def __init__(self, plan: Plan, nodes: Mapping[str, socket.socket], middles: Mapping[str, socket.socket]) -> None:
        self.plan = plan
        self.nodes: Mapping[str, Linked] = {one.name: Node(one, Namespace(nodes[one.name])) for one in plan.nodes}
        self.middles: Mapping[str, Between] = {link: Middle(Namespace(route)) for link, route in middles.items()}
