"""Works out what each node's hosts file says: every name, with all its addresses. It writes no file."""

from collections.abc import Sequence

from netlab.topology.segments import LOOPBACK, Attachment
from netlab.topology.spec import Node

_SPEAKING = ("host", "router", "nat")

Entry = tuple[str, str]
"""A name and an address."""


def hosts_of(nodes: Sequence[Node], attachments: dict[str, list[Attachment]]) -> dict[str, tuple[Entry, ...]]:
    """The hosts files of hosts, routers and nats, by node. Those who are on the same segments share one tuple.

    One name may have many addresses, and a resolver takes the first: that is one on a shared segment if there is any. A node's own
    names come before all others.
    """
    known: list[Entry] = []
    places: dict[int, list[int]] = {}
    for node in nodes:
        for one in _seen_from_outside(node, attachments.get(node.name, [])):
            places.setdefault(one.segment, []).append(len(known))
            known.append((node.name, str(one.address.ip)))
    shared: dict[frozenset[int], tuple[Entry, ...]] = {}
    every: dict[str, tuple[Entry, ...]] = {}
    for node in nodes:
        if node.kind in _SPEAKING:
            near = frozenset([one.segment for one in attachments[node.name] if one.interface != LOOPBACK])
            if near not in shared:
                shared[near] = _nearest_first(known, sorted(place for segment in near for place in places[segment]))
            own = tuple([(name, str(address)) for name, address in node.names])
            every[node.name] = own + shared[near] if own else shared[near]
    return every


def _seen_from_outside(node: Node, own: list[Attachment]) -> list[Attachment]:
    """What lies inside a nat node cannot be reached from elsewhere, so its outside comes first."""
    outside = node.nat.outside if node.nat is not None else ()
    return sorted(own, key=lambda one: one.interface not in outside) if outside else own


def _nearest_first(known: list[Entry], near: list[int]) -> tuple[Entry, ...]:
    """Cut into the stretches between those that are near: one by one would be too slow, in networks of many segments."""
    found = [known[place] for place in near]
    begin = 0
    for place in near:
        found += known[begin:place]
        begin = place + 1
    found += known[begin:]
    return tuple(found)
