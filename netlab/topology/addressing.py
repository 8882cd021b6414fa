"""Gives every segment its subnets and every interface its addresses: first what the file chose, then by counting.

A segment is what one broadcast reaches: a link between two nodes, or all the links of switches that are joined to each other.
Everything is deterministic: the same file gives the same addresses. It knows nothing of routes.
"""

import bisect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_interface

from netlab.errors import Place, Problem
from netlab.topology.networks import Interface, Network
from netlab.topology.schema_link import LinkFile
from netlab.topology.schema_node import NodeFile
from netlab.validate import named

_POOLS: dict[int, tuple[Network, ...]] = {
    4: (IPv4Network("10.0.0.0/8"), IPv4Network("172.16.0.0/12"), IPv4Network("192.168.0.0/16"), IPv4Network("100.64.0.0/10")),
    6: (IPv6Network("fd00::/8"),),
}
_MTU6 = 1280

End = tuple[int, int]
"""An endpoint: the link's number and 0 or 1."""


@dataclass(slots=True, kw_only=True)
class Cable:
    """A link while it is being addressed: its file, its number and its two nodes."""

    file: LinkFile
    number: int
    nodes: tuple[str, str]

    @property
    def name(self) -> str:
        """How errors call it."""
        return f"{self.nodes[0]}-{self.nodes[1]}"


@dataclass(slots=True, kw_only=True)
class Segment:
    """Links that share their subnets, and the switches among them."""

    cables: list[Cable]
    switches: list[str]
    subnets: list[Network] = field(default_factory=list)
    place: Place | None = None
    given: bool = False

    @property
    def where(self) -> Place:
        """Where its subnets are given, or its first link."""
        return self.place or self.cables[0].file.place()

    @property
    def name(self) -> str:
        """How errors call it."""
        return f"the segment of {self.switches[0]}" if self.switches else f"the link {self.cables[0].name}"


def segments_of(cables: Sequence[Cable], nodes: dict[str, NodeFile]) -> list[Segment]:
    """The segments, in the order of their first links."""
    groups: dict[str, str] = {}

    def leader(name: str) -> str:
        while groups.setdefault(name, name) != name:
            groups[name] = groups[groups[name]]
            name = groups[name]
        return name

    def group(cable: Cable) -> str:
        switches = [name for name in cable.nodes if nodes[name].kind == "switch"]
        return leader(switches[0]) if switches else f"link {cable.number}"

    for cable in cables:
        if all(nodes[name].kind == "switch" for name in cable.nodes):
            groups[leader(cable.nodes[1])] = leader(cable.nodes[0])
    found: dict[str, Segment] = {}
    for cable in cables:
        segment = found.setdefault(group(cable), Segment(cables=[], switches=[]))
        segment.cables.append(cable)
        segment.switches += [n for n in cable.nodes if nodes[n].kind == "switch" and n not in segment.switches]
    return list(found.values())


def assign(segments: Sequence[Segment], nodes: dict[str, NodeFile]) -> tuple[dict[End, list[Interface]], list[Problem]]:
    """Fill in every segment's subnets; gives every endpoint's addresses, and what is wrong with those that the file chose."""
    problems: list[Problem] = []
    for segment in segments:
        _given(segment, nodes, problems)
    taken = [(subnet, segment) for segment in segments for subnet in segment.subnets]
    problems += _overlaps(taken)
    pools = {family: _Pool(family, [subnet for subnet, _ in taken]) for family in (4, 6)}
    addresses: dict[End, list[Interface]] = {}
    for segment in segments:
        if not segment.given:
            count = sum(nodes[name].kind != "switch" for cable in segment.cables for name in cable.nodes)
            families = (4, 6) if all(cable.file.mtu >= _MTU6 for cable in segment.cables) else (4,)
            for family in families:
                if (subnet := pools[family].take(count)) is not None:
                    segment.subnets.append(subnet)
                else:
                    message = f"{segment.name}: no IPv{family} subnet with {count} addresses is left to assign"
                    problems.append(Problem(segment.cables[0].file.place(), message, "give its subnets, or smaller ones elsewhere"))
        _segment(segment, nodes, addresses, problems)
    return addresses, problems


def _overlaps(taken: Iterable[tuple[Network, Segment]]) -> list[Problem]:
    """Sorted by where they begin, subnets that overlap are neighbours: one contains the other."""
    problems: list[Problem] = []
    last: tuple[Network, Segment] | None = None
    for subnet, segment in sorted(taken, key=lambda each: (each[0].version, int(each[0].network_address), each[0].prefixlen)):
        if last is None or last[0].version != subnet.version or last[0].broadcast_address < subnet.network_address:  # type: ignore[operator]
            last = subnet, segment
        elif segment is not last[1]:
            (one, owner), (other, late) = sorted((last, (subnet, segment)), key=lambda each: each[1].where)
            message = f"{late.name}: {other} overlaps {one} of {owner.name} in line {owner.where.line}"
            problems.append(Problem(late.where, message, "choose another"))
    return problems


def _given(segment: Segment, nodes: dict[str, NodeFile], problems: list[Problem]) -> None:
    """The subnets that the file gives for a segment; all who give some must give the same."""
    said = [(cable.file.subnets, cable.file.place("subnets")) for cable in segment.cables if cable.file.subnets is not None]
    said += [(found, nodes[name].place("subnets")) for name in segment.switches if (found := nodes[name].subnets) is not None]
    said.sort(key=lambda each: each[1])
    for subnets, place in said:
        if not segment.given:
            segment.subnets, segment.place, segment.given = list(subnets), place, True
        elif set(subnets) != set(segment.subnets):
            first = f"{named(map(str, segment.subnets))} in line {segment.place.line if segment.place else 0}"
            message = f"{segment.name} is one segment, with {first}; here it is {named(map(str, subnets))}"
            problems.append(Problem(place, message, "give them once"))
    for i, subnet in enumerate(segment.subnets):
        if any(subnet.version == other.version and subnet.overlaps(other) for other in segment.subnets[:i]):
            problems.append(Problem(segment.where, f"{subnet} overlaps another of the same link"))
    if any(subnet.version == 6 for subnet in segment.subnets):
        for cable in segment.cables:
            if cable.file.mtu < _MTU6:
                message = f"IPv6 needs an mtu of at least {_MTU6}, and {segment.name} has an IPv6 subnet"
                problems.append(Problem(cable.file.place("mtu"), message, "raise the mtu, or give IPv4 subnets only"))
    if not segment.given:
        chosen = [text for cable in segment.cables for texts in cable.file.addresses.values() for text in texts if "/" in text]
        segment.subnets = list(dict.fromkeys(ip_interface(text).network for text in chosen))
        segment.given = bool(chosen)


def _segment(segment: Segment, nodes: dict[str, NodeFile], addresses: dict[End, list[Interface]], problems: list[Problem]) -> None:
    used: dict[IPv4Address | IPv6Address, str] = {}
    chosen: dict[End, list[Interface]] = {}
    for cable in segment.cables:
        for name, texts in cable.file.addresses.items():
            if name not in cable.nodes or nodes[name].kind == "switch":
                continue
            for i, text in enumerate(texts):
                place = cable.file.node.at("addresses", name).place(i)
                found = _chosen(text, segment, place, problems)
                if found is None:
                    continue
                if found.ip in used:
                    problems.append(Problem(place, f"{found.ip} is the address of {used[found.ip]} already", "choose another"))
                    continue
                used[found.ip] = name
                chosen.setdefault((cable.number, cable.nodes.index(name)), []).append(found)
    ends = [(cable, side) for cable in segment.cables for side in (0, 1) if nodes[cable.nodes[side]].kind != "switch"]
    for subnet in segment.subnets:
        free = (address for address in _usable(subnet) if address not in used)
        for cable, side in ends:
            own = [each for each in chosen.get((cable.number, side), ()) if each.network == subnet]
            if not own:
                address = next(free, None)
                if address is None:
                    message = f"{segment.name}: {subnet} has too few addresses for {len(ends)} interfaces"
                    problems.append(Problem(segment.where, message, "give a larger subnet"))
                    break
                own = [ip_interface(f"{address}/{subnet.prefixlen}")]
            addresses.setdefault((cable.number, side), []).extend(own)


def _chosen(text: str, segment: Segment, place: Place, problems: list[Problem]) -> Interface | None:
    wanted = ip_interface(text)
    for subnet in segment.subnets:
        if wanted.version != subnet.version or wanted.ip not in subnet:
            continue
        if "/" in text and wanted.network.prefixlen != subnet.prefixlen:
            fix = f"write {wanted.ip}/{subnet.prefixlen}"
            problems.append(Problem(place, f"{text} has another prefix length than its subnet {subnet}", fix))
            return None
        last = 31 if subnet.version == 4 else 127
        if subnet.prefixlen < last and wanted.ip == subnet.network_address:
            problems.append(Problem(place, f"{wanted.ip} stands for the subnet {subnet} itself", "choose another"))
            return None
        if subnet.version == 4 and subnet.prefixlen < last and wanted.ip == subnet.broadcast_address:
            problems.append(Problem(place, f"{wanted.ip} is the broadcast address of {subnet}", "choose another"))
            return None
        return ip_interface(f"{wanted.ip}/{subnet.prefixlen}")
    have = named(map(str, segment.subnets))
    problems.append(Problem(place, f"{text} is in no subnet of {segment.name}", f"they are: {have}"))
    return None


def _usable(subnet: Network) -> Iterable[IPv4Address | IPv6Address]:
    """The addresses of a subnet that interfaces may have, lazily: a /64 has too many for a list."""
    first, last = int(subnet.network_address), int(subnet.broadcast_address)
    if subnet.version == 4 and subnet.prefixlen < 31:
        first, last = first + 1, last - 1
    elif subnet.version == 6 and subnet.prefixlen < 127:
        first += 1
    make = IPv4Address if subnet.version == 4 else IPv6Address
    return (make(number) for number in range(first, last + 1))


class _Pool:
    """Counts off free subnets of one family: 10.0.N.0/24 or larger, fd00:0:0:N::/64, around those that are taken."""

    def __init__(self, family: int, taken: Iterable[Network]) -> None:
        self._width = 32 if family == 4 else 128
        self._taken = sorted((int(net.network_address), int(net.broadcast_address)) for net in taken if net.version == family)
        self._pools = [(int(pool.network_address), int(pool.broadcast_address)) for pool in _POOLS[family]]
        self._next = self._pools[0][0]

    def take(self, count: int) -> Network | None:
        """The next free subnet with room for so many addresses, None when none is left."""
        bits = max(8, (count + 1).bit_length()) if self._width == 32 else 64
        while self._pools:
            first = -(-self._next // (1 << bits)) << bits
            last = first + (1 << bits) - 1
            if last > self._pools[0][1]:
                self._pools.pop(0)
                self._next = self._pools[0][0] if self._pools else 0
                continue
            at = bisect.bisect_right(self._taken, (last, 1 << self._width)) - 1
            clash = self._taken[at][1] if at >= 0 and self._taken[at][1] >= first else None
            self._next = last + 1 if clash is None else max(clash + 1, first)
            if clash is None:
                prefix = self._width - bits
                return IPv4Network((first, prefix)) if self._width == 32 else IPv6Network((first, prefix))
        return None
