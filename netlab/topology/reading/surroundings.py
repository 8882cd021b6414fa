"""Knows what lies around each node of a topology that is being read: its interfaces, addresses, and who else is on its segments.

It does not know what a node wants with them.
"""

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import NamedTuple

from netlab.errors import Place, Problem
from netlab.topology.networks import Address
from netlab.topology.planned import BRIDGE
from netlab.topology.schema.file import TopologyFile
from netlab.topology.schema.node import NodeFile
from netlab.topology.segments import Attachment, attachments_of, domains_of
from netlab.topology.spec import Link, Node, Overlay, Topology
from netlab.validate import did_you_mean, named
from netlab.yaml_nodes import Node as DocumentNode


class Hop(NamedTuple):
    """A neighbour's address, and the interface towards it."""

    address: Address
    interface: str


class Surroundings:
    """What lies around the nodes of one topology. Unless all links are ``sure``, nothing can be said to be missing."""

    def __init__(
        self,
        nodes: Sequence[Node],
        links: Sequence[Link],
        overlays: Sequence[Overlay],
        file: TopologyFile,
        found: Iterable[Problem],
    ) -> None:
        self._nodes, self._links, self._overlays = nodes, links, overlays
        self._file, self._found = file, tuple(found)

    @cached_property
    def sure(self) -> bool:
        """Whether every link and overlay was read as it is written: else what is wrong with one would be told of its nodes too."""
        if not self._found:
            return True
        parts = [part for key in ("links", "overlays") if (part := self._file.node.child(key)) is not None]
        parts += [each.node for each in self._file.nodes.values() if _shapes_links(each)]
        written = {line for part in parts for line in _lines(part)}
        return not any((problem.place.file, problem.place.line) in written for problem in self._found)

    @cached_property
    def names(self) -> frozenset[str]:
        """All names of nodes, those of broken nodes too."""
        every = self._file.node.child("nodes")
        return frozenset(every.fields or ()) if every is not None else frozenset()

    def is_broken(self, name: str) -> bool:
        """Whether there is a node of this name, but what is written of it could not be read."""
        return name in self.names and name not in self._kinds

    @cached_property
    def _kinds(self) -> dict[str, str]:
        return {node.name: node.kind for node in self._nodes}

    @cached_property
    def _topology(self) -> Topology:
        nodes, links, overlays = tuple(self._nodes), tuple(self._links), tuple(self._overlays)
        return Topology(name="", nodes=nodes, links=links, overlays=overlays, place=self._file.place())

    @cached_property
    def _interfaces(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {node.name: [BRIDGE] if node.kind == "switch" else [] for node in self._nodes}
        for link in self._links:
            for end in link.endpoints:
                found[end.node] += [end.interface, *(each.name for each in end.subinterfaces)]
        for overlay in self._overlays:
            for end in overlay.endpoints:
                found[end.node].append(end.interface)
        return found

    def interfaces(self, node: str) -> list[str]:
        """A node's interfaces, those of VLANs and overlays too; a switch's bridge is one."""
        return self._interfaces[node]

    @cached_property
    def _down(self) -> frozenset[tuple[str, str]]:
        return frozenset((end.node, end.interface) for link in self._links if not link.up for end in link.endpoints)

    def is_down(self, node: str, interface: str) -> bool:
        """Whether an interface is the end of a link that is down."""
        return (node, interface) in self._down

    @cached_property
    def _attachments(self) -> dict[str, list[Attachment]]:
        return attachments_of(self._topology)

    @cached_property
    def _segments(self) -> dict[int, dict[str, list[Address]]]:
        """The addresses of each node on each segment."""
        found: dict[int, dict[str, list[Address]]] = {}
        for node, own in self._attachments.items():
            for each in own:
                found.setdefault(each.segment, {}).setdefault(node, []).append(each.address.ip)
        return found

    def attachments(self, node: str) -> list[Attachment]:
        """A node's addresses, with the interface and segment of each."""
        return self._attachments.get(node, [])

    def hops(self, node: str, neighbour: str) -> list[Hop]:
        """The addresses at which a node reaches a neighbour directly."""
        own = dict.fromkeys((each.segment, each.interface) for each in self.attachments(node))
        return [Hop(other, name) for segment, name in own for other in self._segments[segment].get(neighbour, ())]

    @cached_property
    def _domains(self) -> tuple[dict[str, dict[str, int]], dict[int, set[str]]]:
        """The broadcast domain of each node's interfaces, and the nodes in each."""
        domains: dict[str, dict[str, int]] = {node.name: {} for node in self._nodes}
        members: dict[int, set[str]] = {}
        for (node, interface), domain in domains_of(self._topology).items():
            members.setdefault(domain, set()).add(node)
            if isinstance(interface, str):
                domains[node][interface] = domain
        return domains, members

    @cached_property
    def _opposite(self) -> dict[tuple[str, str], str]:
        """The node at the other end of an interface's link."""
        both = [(end, other) for link in self._links for end, other in (link.endpoints, link.endpoints[::-1])]
        return {(end.node, end.interface): other.node for end, other in both}

    def _others(self, node: str, interface: str) -> set[str]:
        """The nodes that an interface reaches directly, the node itself among them, and the switch that it ends at."""
        domains, members = self._domains
        reached = members.get(domains[node].get(interface, -1), set())
        opposite = self._opposite.get((node, interface))
        return reached if opposite is None or opposite in reached else reached | {opposite}

    def towards(self, node: str, neighbour: str) -> list[str]:
        """The interfaces of a node by which it reaches a neighbour directly, switches being neighbours as well."""
        return [name for name in self.interfaces(node) if node != neighbour and neighbour in self._others(node, name)]

    def neighbours(self, node: str) -> list[str]:
        """The nodes that a node reaches directly, but for switches."""
        every = {other for name in self.interfaces(node) for other in self._others(node, name)} - {node}
        return sorted(name for name in every if self._kinds[name] != "switch")

    def interfaces_to(self, node: str, kinds: Iterable[str]) -> list[str]:
        """The interfaces of a node by which it reaches nodes of these kinds directly."""
        wanted = {name for name, kind in self._kinds.items() if kind in kinds} - {node}
        return [name for name in self.interfaces(node) if not wanted.isdisjoint(self._others(node, name))]

    def no_interface(self, node: str, name: str, place: Place, more: Iterable[str] = ()) -> Problem | None:
        """What is wrong with an interface that a node does not have, if all links are sure; ``more`` are names that do as well."""
        own = [*self.interfaces(node), *more]
        if name in own or not self.sure:
            return None
        fix = did_you_mean(name, own) or (f"its interfaces are {named(own)}" if own else "no link ends at it")
        return Problem(place, f'{node} has no interface "{name}"', fix)

    def no_neighbour(self, node: str, name: str, place: Place) -> Problem | None:
        """What is wrong with a neighbour that a node does not have, if all links are sure."""
        if name not in self.names:
            return Problem(
                place, f'no node "{name}"', did_you_mean(name, self.names) or f"the nodes are {named(sorted(self.names))}"
            )
        if self.is_broken(name) or not self.sure:
            return None
        return Problem(place, f"{name} is no neighbour of {node}", f"its neighbours are {named(self.neighbours(node))}")


def _shapes_links(file: NodeFile) -> bool:
    """Whether what is said of a node decides what its links are: it is a switch, or may have been meant to be one."""
    said = file.model_fields_set
    return (
        file.kind == "switch"
        or not said.isdisjoint(("subnets", "vlans"))
        or ("kind" not in said and "kind" in (file.node.fields or ()))
    )


def _lines(node: DocumentNode) -> Iterable[tuple[str, int]]:
    """Where a value and all in it stands."""
    yield node.file, node.line
    for key, value in (node.fields or {}).values():
        yield key.file, key.line
        yield from _lines(value)
    for item in node.items or ():
        yield from _lines(item)
