"""Reads the overlays of a topology file: their members, and what is said of them. It does not know how frames are carried."""

from collections.abc import Iterable, Sequence

from netlab.errors import Place, Problem
from netlab.topology.reading.addressing import MTU6, Choice, Seat, Segment
from netlab.topology.reading.links import Links, check_interface
from netlab.topology.schema.file import TopologyFile
from netlab.topology.schema.link import OverlayFile
from netlab.topology.spec import Endpoint, Link, Overlay
from netlab.validate import did_you_mean, named

OVERHEAD = {4: 50, 6: 70}
"""What VXLAN adds to a frame's payload: inner Ethernet 14, VXLAN 8, UDP 8, and the outer IP header of 20 or 40 bytes."""

_LEAST_MTU = 68


class _Reading:
    """One overlay while it is being read."""

    def __init__(self, file: OverlayFile, mtu: int, members: Sequence[str]) -> None:
        self.file, self.mtu = file, mtu
        narrow = [file.place("mtu")] if mtu < MTU6 else []
        said = [(file.subnets, file.place("subnets"))] if file.subnets is not None else []
        self.segment = Segment(name=f"the overlay {file.name}", first=file, narrow=narrow, said=list(said))
        self.segment.seats = [Seat(node=name, segment=self.segment) for name in members]


class Overlays:
    """The overlays of one topology while they are being read; ``written`` are all names of nodes, those of broken nodes too.

    Once built, ``segments`` and ``choices`` await their addresses; then ``overlays`` gives the overlays.
    """

    def __init__(self, file: TopologyFile, links: Links, written: set[str], problems: list[Problem]) -> None:
        self._file, self._written, self._problems = file, written, problems
        self._read: list[_Reading] = []
        if file.overlays:
            self._names: dict[str, dict[str, str]] = {name: {} for name in file.nodes}
            for name, interfaces in links.interfaces().items():
                self._names[name] = dict.fromkeys(interfaces, "an interface")
            self._mtus = _smallest_mtus(links)
            self._numbers: dict[tuple[str, int, int, int], OverlayFile] = {}
            self._read = [self._overlay(each) for each in file.overlays]
        self.segments = [each.segment for each in self._read]
        self.choices = [choice for each in self._read for choice in self._choices(each)]

    def overlays(self, links: Sequence[Link]) -> tuple[Overlay, ...]:
        """The overlays, with every member's addresses, over the links."""
        if not self._read:
            return ()
        outer = {family: {end.node for link in links for end in link.endpoints if _has_family(end, family)} for family in OVERHEAD}
        return tuple(self._finished(each, outer) for each in self._read)

    def _overlay(self, file: OverlayFile) -> _Reading:
        check_interface(file.name, file.place("name"), self._problems)
        first: dict[str, int] = {}
        members = [name for i, name in enumerate(file.nodes) if self._member(file, i, name, first.setdefault(name, i))]
        for name in members:
            self._unique(file, name)
        mtu = file.mtu
        if mtu is None:
            mtu = min((self._mtus.get(name, 1500) for name in members), default=1500) - OVERHEAD[file.over]
            if mtu < _LEAST_MTU:
                message = f"the links of {file.name}'s members leave an mtu of {mtu}, and at least {_LEAST_MTU} are needed"
                self._say(file.place("nodes"), message, "raise the mtu of their links")
        return _Reading(file, mtu, members)

    def _member(self, file: OverlayFile, index: int, name: str, first: int) -> bool:
        place = file.place("nodes", index)
        if name not in self._file.nodes:
            if name not in self._written:
                fix = did_you_mean(name, self._written) or f"the nodes are {named(sorted(self._written))}"
                self._say(place, f'no node "{name}"', fix)
            return False
        kind = self._file.nodes[name].kind
        if kind in ("switch", "peer"):
            self._say(place, f"{name} is a {kind}, which cannot be in an overlay", "its members are hosts and routers")
        elif first != index:
            self._say(place, f"{name} is named twice", "remove one of the two")
        else:
            return True
        return False

    def _unique(self, file: OverlayFile, node: str) -> None:
        names = self._names[node]
        if file.name in names:
            message = f"{node} has {names[file.name]} {file.name} already"
            self._say(file.place("name"), message, "an overlay's name is that of an interface: choose another")
        names[file.name] = "an overlay"
        first = self._numbers.setdefault((node, file.vni, file.port, file.over), file)
        if first is not file:
            place = file.place("vni")
            message = f"{node} is in {first.name} with vni {file.vni} and port {file.port} already"
            self._say(place, f"{message}, in {first.place('vni').seen_from(place)}", "choose another vni")

    def _choices(self, reading: _Reading) -> Iterable[Choice]:
        file = reading.file
        seats, named_here = {seat.node: seat for seat in reading.segment.seats}, set(file.nodes)
        for name, texts in file.addresses.items():
            if name in seats:
                at = file.node.at("addresses", name)
                for i, text in enumerate(texts):
                    yield Choice(name, text, at.place(i), (seats[name],))
            elif name not in named_here:
                fix = did_you_mean(name, file.nodes) or f"its members are {named(file.nodes)}"
                self._say(file.place("addresses", name, key=True), f"{name} is not in this overlay", fix)

    def _finished(self, reading: _Reading, outer: dict[int, set[str]]) -> Overlay:
        file, other = reading.file, 10 - reading.file.over
        for seat in reading.segment.seats:
            if seat.node not in outer[file.over]:
                place = file.place("nodes", file.nodes.index(seat.node))
                message = f"{seat.node} has no IPv{file.over} address on a link, from which to send {file.name}'s packets"
                self._say(
                    place, message, f"give it one, or write over: {other}" if seat.node in outer[other] else "link it to others"
                )
        return Overlay(
            name=file.name,
            vni=file.vni,
            port=file.port,
            family=file.over,
            endpoints=tuple(
                Endpoint(node=seat.node, interface=file.name, addresses=tuple(seat.addresses)) for seat in reading.segment.seats
            ),
            subnets=tuple(reading.segment.subnets),
            mtu=reading.mtu,
            place=file.place(),
        )

    def _say(self, place: Place, message: str, fix: str) -> None:
        self._problems.append(Problem(place, message, fix))


def _has_family(end: Endpoint, family: int) -> bool:
    addresses = (*end.addresses, *(address for each in end.subinterfaces for address in each.addresses))
    return any(address.version == family for address in addresses)


def _smallest_mtus(links: Links) -> dict[str, int]:
    """The smallest MTU of each node's links."""
    found: dict[str, int] = {}
    for cable in links.cables:
        for node in cable.nodes:
            found[node] = min(found.get(node, cable.file.mtu), cable.file.mtu)
    return found
