"""Finds which segments links make: a link between two nodes is one, links of joined switches are one, or one for each VLAN.

It knows nothing of addresses.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from netlab.errors import Problem
from netlab.topology.reading.addressing import MTU6, Seat, Segment
from netlab.topology.schema.link import LinkFile
from netlab.topology.schema.node import NodeFile
from netlab.topology.spec import Port
from netlab.validate import named

_FIX = "choose another, or allow_duplicate: true on the link if it is meant"
_Key = tuple[str, int]
"""A switch and one of its VLANs, 0 on a switch without VLANs."""

_Tags = dict[int, _Key] | None
"""What a switch's port joins: frames with a tag (0: without) to one of its VLANs. None: this end is no switch."""


@dataclass(slots=True, kw_only=True, eq=False)
class Cable:
    """A link while it is being read: its file, and for each of its two ends the node, the interface, the VLANs of a switch's port,
    and by VLAN (0: untagged) the seats that a node which is not a switch has on the link's segments."""

    file: LinkFile
    nodes: tuple[str, str]
    interfaces: list[str]
    ports: list[Port | None]
    segments: dict[Segment, None] = field(default_factory=dict)
    seats: tuple[dict[int, Seat], dict[int, Seat]] = field(default_factory=lambda: ({}, {}))


def segments_of(cables: Sequence[Cable], nodes: Mapping[str, NodeFile], problems: list[Problem]) -> list[Segment]:
    """The segments, in the order of their first links; every cable is told those that it carries, and its seats on them."""
    switches = {name for name, file in nodes.items() if file.kind == "switch"}
    sides = [(_tags(cable, 0, switches), _tags(cable, 1, switches)) for cable in cables]
    groups = _Groups()
    for one, other in sides:
        for a, b in _common(one, other):
            groups.join(a, b)
    _check_loops(cables, sides, nodes, problems)
    segments: list[Segment] = []
    switched: dict[_Key, Segment] = {}
    joined: dict[_Key, set[_Key]] = {}
    for cable, (one, other) in zip(cables, sides, strict=True):
        if one is None and other is None:
            segments.append(Segment(name=f"the link {cable.nodes[0]}-{cable.nodes[1]}", first=cable.file, fix=_FIX))
            _sit(cable, (0, 1), 0, segments[-1])
            continue
        both = one is not None and other is not None
        seated = () if both else (1,) if one is not None else (0,)
        for tag, key in (one if one is not None else other or {}).items():
            if both and tag not in (other or {}):
                continue
            first = groups.first(key)
            if first not in switched:
                switched[first] = Segment(name=_name(key), first=cable.file, fix=_FIX)
                segments.append(switched[first])
            joined.setdefault(first, set()).update(side[tag] for side in (one, other) if side is not None)
            _sit(cable, seated, tag, switched[first])
    for first, keys in joined.items():
        _said_by_switches(switched[first], keys, nodes)
    for cable in cables:
        _said_by_cable(cable, problems)
    return segments


class _Groups:
    """Which keys are joined to each other, in so many steps."""

    def __init__(self) -> None:
        self._above: dict[_Key, _Key] = {}

    def first(self, key: _Key) -> _Key:
        """The one key that stands for all that are joined to this one."""
        while (above := self._above.setdefault(key, key)) != key:
            self._above[key] = self._above[above]
            key = above
        return key

    def join(self, a: _Key, b: _Key) -> bool:
        """Join two; False if they were before."""
        a, b = self.first(a), self.first(b)
        self._above[b] = a
        return a != b


def _common(one: _Tags, other: _Tags) -> list[tuple[_Key, _Key]]:
    """What a link between two switches joins: one key of each, for every tag that both let pass."""
    if one is None or other is None:
        return []
    return [(key, other[tag]) for tag, key in one.items() if tag in other]


def _check_loops(
    cables: Sequence[Cable], sides: Sequence[tuple[_Tags, _Tags]], nodes: Mapping[str, NodeFile], problems: list[Problem]
) -> None:
    """In a loop one switch must run the spanning tree protocol, whose frames the others pass on: else all frames go round in it."""
    groups = _Groups()
    for cable, (one, other) in zip(cables, sides, strict=True):
        common = _common(one, other)
        if not common or cable.file.state == "down" or any(nodes[name].stp for name in cable.nodes):
            continue
        fresh = [groups.join(a, b) for a, b in common]
        if not all(fresh):
            message = "this link closes a loop of switches, in which a broadcast would go round for ever"
            fix = f"add stp: true to {cable.nodes[0]} or {cable.nodes[1]}, or state: down to the link"
            problems.append(Problem(cable.file.place("endpoints"), message, fix))


def _tags(cable: Cable, side: int, switches: Container[str]) -> _Tags:
    name, port = cable.nodes[side], cable.ports[side]
    if name not in switches:
        return None
    if port is None:
        return {0: (name, 0)}
    return {**({0: (name, port.access)} if port.access else {}), **{vlan: (name, vlan) for vlan in port.trunk}}


def _name(key: _Key) -> str:
    return f"VLAN {key[1]} of {key[0]}" if key[1] else f"the segment of {key[0]}"


def _sit(cable: Cable, sides: Iterable[int], tag: int, segment: Segment) -> None:
    cable.segments[segment] = None
    for side in sides:
        seat = Seat(node=cable.nodes[side], segment=segment)
        segment.seats.append(seat)
        cable.seats[side][tag] = seat
    if cable.file.mtu < MTU6:
        segment.narrow.append(cable.file.place("mtu"))
    if cable.file.allow_duplicate:
        segment.shared = True


def _said_by_switches(segment: Segment, keys: Iterable[_Key], nodes: Mapping[str, NodeFile]) -> None:
    for name, vlan in sorted(keys):
        file = nodes[name].vlans[vlan] if vlan else nodes[name]
        if file.subnets is not None:
            segment.said.append((file.subnets, file.place("subnets")))


def _said_by_cable(cable: Cable, problems: list[Problem]) -> None:
    subnets = cable.file.subnets
    if subnets is None or not cable.segments:
        return
    if len(cable.segments) == 1:
        (segment,) = cable.segments
        segment.said.append((subnets, cable.file.place("subnets")))
    else:
        message = f"this link carries {named(segment.name for segment in cable.segments)}, so whose subnets these are is not said"
        fix = "give them on the switch: vlans: {10: {subnets: [...]}}"
        problems.append(cable.file.node.problem("subnets", message=message, fix=fix, key=True))
