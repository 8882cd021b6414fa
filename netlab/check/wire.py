"""A timeline's TCP segments: what each node's own stack sent, held against TCP's rules as its own interfaces saw it.

What arrives late, doubled or never is seen at the node's own interface, so that no impaired link leads to an accusation. It refuses
to know how the timeline came about.
"""

from collections.abc import Collection, Iterator

import msgspec

from netlab.check.verdicts import Mismatch, Verdict
from netlab.model.wire.judge import Connection, Finding, follow
from netlab.model.wire.story import name
from netlab.timeline.headers import decode
from netlab.timeline.observations import Packet
from netlab.timeline.timeline import Node, Timeline

__all__ = ["ID", "judge_segments", "judge_wire", "wire_connections"]

ID = "model.wire"
_STATEMENT = "Every TCP segment that a node's stack sent is one that TCP's rules allow."
_SOURCE = "RFC 9293, RFC 7323, RFC 2018, RFC 5961; netlab-ns model wire"
_STACKS = frozenset({"host", "router"})
_AROUND = 6

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


def judge_segments(timeline: Timeline) -> Verdict | None:
    """PASS, or FAIL at the first segment that breaks a rule; None where no segment of a kernel's was seen."""
    stacks = [name for name, node in timeline.nodes.items() if node.kind in _STACKS]
    judged = sum(connection.segments for node in stacks for connection in wire_connections(timeline, node))
    if not judged:
        return None
    found = judge_wire(timeline, stacks)
    verdict = Verdict(id=ID, outcome="PASS", conformance="as-documented", statement=_STATEMENT, source=_SOURCE)
    if not found:
        sent = {index for node in stacks for index in _sent(timeline, node)}
        return msgspec.structs.replace(verdict, evidence=tuple(sorted(sent)))
    first = found[0]
    mismatches = tuple(Mismatch(field=f"what {name(one.sender)} sent", expected=one.rule.says, actual=one.says) for one in found)
    around = range(max(0, first.index - _AROUND), min(len(timeline.observations), first.index + _AROUND))
    return msgspec.structs.replace(
        verdict,
        outcome="FAIL",
        conformance="surprise",
        source=first.rule.source,
        reason=f"{name(first.sender)}: {first.says}; the rule: {first.rule.says}",
        rule=first.rule.id,
        mismatches=mismatches,
        evidence=tuple(one.index for one in found),
        slice=tuple(around),
    )


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


def _sent(timeline: Timeline, node: str) -> Iterator[int]:
    """The TCP segments of a node's own addresses, as its interfaces saw them leave."""
    for index, packet in _passing(timeline, node, _own(timeline.nodes[node])):
        if packet.interface == "lo" or packet.direction == "out":
            yield index


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
