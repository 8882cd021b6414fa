"""A timeline's TCP segments: what each node's own stack sent, held against TCP's rules as its own interfaces saw it.

What arrives late, doubled or never is seen at the node's own interface, so that no impaired link leads to an accusation. It refuses
to know how the timeline came about.
"""

from collections.abc import Collection, Iterator

from netlab.model.wire.judge import Connection, Finding, follow
from netlab.timeline.headers import decode
from netlab.timeline.observations import Packet
from netlab.timeline.timeline import Node, Timeline

__all__ = ["judge_wire", "wire_connections"]

_TRANSLATORS = frozenset({"nat"})


def judge_wire(timeline: Timeline, stacks: Collection[str]) -> tuple[Finding, ...]:
    """Where the stacks of these nodes broke a rule of TCP that says "must"; ``index`` of a finding is its packet's in the timeline.

    ``stacks`` are nodes with a real stack: not a scripted peer, whose segments are as somebody wrote them. Of a node that
    translates addresses nothing is judged: what it sends is of others.
    """
    found = []
    for node in stacks:
        for connection in wire_connections(timeline, node):
            own = _own(timeline.nodes[node])
            found += [one for one in connection.broken if one.sender[0] in own]
    return tuple(sorted(found, key=lambda one: one.index))


def wire_connections(timeline: Timeline, node: str) -> tuple[Connection, ...]:
    """What the connections of one node's own addresses did, as its interfaces saw it; indices are those of the timeline."""
    known = timeline.nodes.get(node)
    if known is None or known.kind in _TRANSLATORS:
        return ()
    own = _own(known)
    pairs = list(_passing(timeline, node, own))
    report = timeline.source("packets")
    # A segment on lo is stamped where it arrives, and another processor may be faster: its order is not that of sending.
    looped = {decode(packet.data).source for _, packet in pairs if packet.interface == "lo"}
    connections = follow((packet for _, packet in pairs), own=own - looped, complete=report.available, dropped=report.lost)
    return tuple(connection.placed([index for index, _ in pairs]) for connection in connections)


def _own(node: Node) -> frozenset[str]:
    loopback = ("127.0.0.1", "::1")
    return frozenset((*(own.partition("/")[0] for some in node.addresses.values() for own in some), *loopback))


def _passing(timeline: Timeline, node: str, own: frozenset[str]) -> Iterator[tuple[int, Packet]]:
    """What the node's own addresses sent and received. A frame of a VLAN is there twice, tagged and not: that harms no rule."""
    for index, one in enumerate(timeline.observations):
        if not isinstance(one, Packet) or one.host != node:
            continue
        if one.interface == "lo":
            yield index, one
            continue
        headers = decode(one.data)
        if headers.protocol == "tcp" and (headers.source if one.direction == "out" else headers.target) in own:
            yield index, one
