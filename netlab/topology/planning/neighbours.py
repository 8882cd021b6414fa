"""Decides who is whose permanent neighbour, so that large segments fit into the kernel's neighbour tables.

Those tables have a limit that all namespaces of a machine share (1,024 entries for each family); permanent entries do not count
against it. A peer needs no entries, since it has no stack of its own, but others may know it. It sets nothing.
"""

from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence

from netlab.topology.networks import Address
from netlab.topology.planned import NeighbourPlan
from netlab.topology.planning.devices import Devices
from netlab.topology.segments import Attachment
from netlab.topology.spec import Topology

_MANY_INTERFACES = 32
_OUTERMOST = 2

Port = tuple[str, str]
"""A node and one of its interfaces."""


def neighbours_of(
    topology: Topology, attachments: Mapping[str, Sequence[Attachment]], devices: Mapping[str, Devices]
) -> dict[str, tuple[NeighbourPlan, ...]]:
    """The permanent neighbours of every node that has any, by its name."""
    hubs = _hubs(topology, attachments) if topology.neighbours != "kernel" else {}
    if not hubs:
        return {}
    segments: dict[int, list[Attachment]] = {}
    for every in attachments.values():
        for one in every:
            if one.domain in hubs:
                segments.setdefault(one.segment, []).append(one)
    indices: dict[str, dict[str, int]] = {}
    hardware: dict[str, dict[str, str]] = {}
    for node in {one.node for members in segments.values() for one in members}:
        indices[node], hardware[node] = devices[node].indices(), devices[node].hardware()
    silent = {node.name for node in topology.nodes if node.kind == "peer"}
    found: dict[str, list[NeighbourPlan]] = {}
    for members in segments.values():
        known = [(one.address.ip, hardware[one.node][one.interface]) for one in members]
        for node, neighbours in _on(members, known, hubs[members[0].domain], indices):
            if node not in silent:
                found.setdefault(node, []).extend(neighbours)
    return {node: tuple(neighbours) for node, neighbours in found.items()}


def _hubs(topology: Topology, attachments: Mapping[str, Sequence[Attachment]]) -> dict[int, set[Port]]:
    """For each broadcast domain that gets permanent neighbours, the interfaces that all others on it know, and that know all."""
    domains: dict[int, dict[Port, None]] = {}
    for every in attachments.values():
        for one in every:
            domains.setdefault(one.domain, {})[one.node, one.interface] = None
    # lo is alone, as is an interface that is down
    domains = {domain: ports for domain, ports in domains.items() if len(ports) > 1}
    if topology.neighbours == "all":
        return {domain: set(ports) for domain, ports in domains.items()}
    if topology.neighbours != "auto":
        named = {domain: {port for port in ports if port[0] in topology.neighbours} for domain, ports in domains.items()}
        return {domain: ports for domain, ports in named.items() if ports}
    forwarding = {node.name for node in topology.nodes if node.kind in ("router", "nat")}
    hubs = {}
    for domain, ports in domains.items():
        if len(ports) > _MANY_INTERFACES:
            others = [port for port in ports if port[0] not in forwarding]
            outermost = others[:_OUTERMOST] + others[-_OUTERMOST:]
            hubs[domain] = {port for port in ports if port[0] in forwarding} | set(outermost)
    return hubs


def _on(
    members: Sequence[Attachment],
    known: Sequence[tuple[Address, str]],
    hubs: Container[Port],
    indices: Mapping[str, Mapping[str, int]],
) -> Iterator[tuple[str, list[NeighbourPlan]]]:
    """On one segment, whom each node knows. Whoever receives at the same index shares the values: in large segments, nearly all.

    An address that two interfaces have is left to the kernel: which of them answers is for the run to show.
    """
    numbers = [int(one.address) for one in members]
    times = Counter(numbers)
    places = [place for place, number in enumerate(numbers) if times[number] == 1]
    at_hubs = [place for place in places if (members[place].node, members[place].interface) in hubs]
    made: dict[tuple[int, bool], list[NeighbourPlan]] = {}
    for port in dict.fromkeys((one.node, one.interface) for one in members):
        index, is_hub = indices[port[0]][port[1]], port in hubs
        chosen = places if is_hub else at_hubs
        if (index, is_hub) not in made:
            made[index, is_hub] = [
                NeighbourPlan(address=known[place][0], hardware=known[place][1], index=index) for place in chosen
            ]
        others = made[index, is_hub]
        own = [i for i, place in enumerate(chosen) if members[place].node == port[0]]
        if own:
            others = others.copy()
            for i in reversed(own):
                del others[i]
        yield port[0], others
