"""Finds who hears whom: the broadcast domains that links, switches and their VLANs make, and the subnets on each.

A segment is one subnet in one broadcast domain; the same subnet may be used in two domains, behind two nat nodes say, and is then
two segments. It knows nothing of routes.
"""

from collections.abc import Iterator
from typing import NamedTuple

from netlab.topology.networks import Interface, Network
from netlab.topology.spec import Endpoint, Topology

__all__ = ["LOOPBACK", "Attachment", "attachments_of", "domains_of", "knows_vlans"]

LOOPBACK = "lo"
"""The loopback interface of every node."""

Key = tuple[str, str | int]
"""An interface of a node, or a switch and one of its VLANs (0: the frames without a tag)."""


class Attachment(NamedTuple):
    """An address on an interface, and the segment that it is on; ``up`` is False on a link that is down. A loopback interface is
    alone in its segment."""

    node: str
    interface: str
    address: Interface
    segment: int
    domain: int
    up: bool


def domains_of(topology: Topology) -> dict[Key, int]:
    """The number of the broadcast domain of every interface that has or may have addresses, VLANs' and overlays' included."""
    switches = {node.name for node in topology.nodes if node.kind == "switch"}
    with_vlans = {end.node for link in topology.links for end in link.endpoints if knows_vlans(end)}
    tags = (0, *sorted({vlan for link in topology.links for end in link.endpoints for vlan in _vlans(end)}))
    leaders: dict[Key, Key] = {}

    def leader(key: Key) -> Key:
        above = leaders.setdefault(key, key)
        while above != key:
            leaders[key] = leaders[above]
            key, above = above, leaders[above]
        return key

    def where(end: Endpoint, tag: int) -> Key | None:
        if end.node in with_vlans:
            vlan = (end.port.access if tag == 0 else tag if tag in end.port.trunk else 0) if end.port is not None else 0
            return (end.node, vlan) if vlan else None
        if end.node in switches:
            return end.node, tag
        if tag == 0:
            return end.node, end.interface
        return next(((end.node, each.name) for each in end.subinterfaces if each.vlan == tag), None)

    for link in topology.links:
        one, other = link.endpoints
        for tag in tags:
            a, b = where(one, tag), where(other, tag)
            if a is not None and b is not None and link.up:
                leaders[leader(b)] = leader(a)
            else:
                leaders.update((key, key) for key in (a, b) if key is not None and key not in leaders)
    for overlay in topology.overlays:
        for end in overlay.endpoints:
            leaders[end.node, end.interface] = leader((overlay.endpoints[0].node, overlay.endpoints[0].interface))
    numbers: dict[Key, int] = {}
    return {key: numbers.setdefault(leader(key), len(numbers)) for key in leaders}


def attachments_of(topology: Topology) -> dict[str, list[Attachment]]:
    """The attachments of every node that is not a switch, by its name, in the order of its links; then come overlays and lo."""
    domains = domains_of(topology)
    segments: dict[tuple[int, Network], int] = {}
    found: dict[str, list[Attachment]] = {node.name: [] for node in topology.nodes if node.kind != "switch"}
    for node, interface, addresses, up in _interfaces(topology):
        if node in found:
            domain = domains[node, interface]
            for address in addresses:
                segment = segments.setdefault((domain, address.network), len(segments))
                found[node].append(Attachment(node, interface, address, segment, domain, up))
    domain = 1 + max(domains.values(), default=-1)
    for each in topology.nodes:
        for address in each.loopback:
            segment = segments.setdefault((domain, address.network), len(segments))
            found[each.name].append(Attachment(each.name, LOOPBACK, address, segment, domain, True))
        domain += 1
    return found


def _interfaces(topology: Topology) -> Iterator[tuple[str, str, tuple[Interface, ...], bool]]:
    for link in topology.links:
        for end in link.endpoints:
            yield end.node, end.interface, end.addresses, link.up
            for each in end.subinterfaces:
                yield end.node, each.name, each.addresses, link.up
    for overlay in topology.overlays:
        for end in overlay.endpoints:
            yield end.node, end.interface, end.addresses, True


def knows_vlans(end: Endpoint) -> bool:
    """Whether an endpoint is a port of a switch with VLANs."""
    return end.port is not None and bool(end.port.access or end.port.trunk)


def _vlans(end: Endpoint) -> Iterator[int]:
    if end.port is not None:
        yield from end.port.trunk
    for each in end.subinterfaces:
        yield each.vlan
