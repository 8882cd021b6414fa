"""Reads the links of a topology file: which nodes and interfaces they join, and what is said of them.

It does not know what a node is, beyond its kind, nor how addresses are chosen.
"""

import re
from collections.abc import Iterable

from netlab.errors import Place, Problem
from netlab.topology.reading.addressing import Choice, Segment
from netlab.topology.reading.cabling import Cable, segments_of
from netlab.topology.reading.ports import read_ports
from netlab.topology.reading.rule_patterns import Nodes
from netlab.topology.reading.rules import Impairment, impairment_of
from netlab.topology.schema.file import TopologyFile
from netlab.topology.schema.link import LinkFile
from netlab.topology.spec import Endpoint, Link, Subinterface
from netlab.validate import did_you_mean, named

MOST_PORTS = 1023
"""How many links a switch may have: the kernel's bridge takes no more ports (BR_MAX_PORTS, less one)."""

_INTERFACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,14}")
_RESERVED_INTERFACES = frozenset({"lo", "all", "default", "br0"})
_NOTHING = Impairment()
_NEEDS = {"tso": ("tx", "sg"), "gso": ("sg",)}


class Links:
    """The links of one topology while they are being read; ``written`` are all names of nodes, those of broken nodes too.

    Once built, ``segments`` and ``choices`` await their addresses; then ``links`` gives the links.
    """

    def __init__(self, file: TopologyFile, written: set[str], problems: list[Problem]) -> None:
        self._file, self._written, self._problems = file, written, problems
        self._used: dict[str, dict[str, Place]] = {}
        self.cables = [cable for each in file.links if (cable := self._cable(each)) is not None]
        self._name_interfaces()
        if any(each.vlans for each in file.nodes.values()) or any(each.vlans for each in file.links):
            for cable in self.cables:
                read_ports(cable, file.nodes, problems)
        self._count_ports()
        self.segments: list[Segment] = segments_of(self.cables, file.nodes, problems)
        self.choices: list[Choice] = [choice for cable in self.cables if cable.file.addresses for choice in self._choices(cable)]
        self._check_hardware()

    def interfaces(self) -> dict[str, set[str]]:
        """The names of every node's interfaces, those for VLANs included."""
        found: dict[str, set[str]] = {}
        for cable in self.cables:
            for node, interface, seats in zip(cable.nodes, cable.interfaces, cable.seats, strict=True):
                found.setdefault(node, set()).update((interface, *(f"{interface}.{vlan}" for vlan in seats if vlan)))
        return found

    def links(self) -> tuple[Link, ...]:
        """The links, with every endpoint's addresses."""
        nodes = self._nodes() if any(cable.file.impair for cable in self.cables) else {}
        return tuple(self._link(cable, nodes) for cable in self.cables)

    def _nodes(self) -> Nodes:
        """All nodes, with the interfaces that a rule's pattern may name; with none while what a link joins is not known."""
        own: dict[str, set[str]] = {}
        if len(self.cables) == len(self._file.links):
            for cable in self.cables:
                for node, interface in zip(cable.nodes, cable.interfaces, strict=True):
                    own.setdefault(node, {each.name for each in self._file.overlays if node in each.nodes}).add(interface)
        return {name: own.get(name, set()) for name in self._written}

    def _link(self, cable: Cable, nodes: Nodes) -> Link:
        file, found = cable.file, _NOTHING
        if file.impair:
            found = impairment_of(file.impair, file.node.at("impair"), cable.nodes, nodes, self._problems)
        return Link(
            endpoints=(_endpoint(cable, 0), _endpoint(cable, 1)),
            subnets=tuple([subnet for segment in cable.segments for subnet in segment.subnets]),
            mtu=file.mtu,
            up=file.state == "up",
            offloads=self._offloads(file) if file.offloads else frozenset(),
            impair=tuple(found.rules.items()),
            shapes=tuple(found.shapes.items()),
            place=file.place(),
        )

    def _cable(self, file: LinkFile) -> Cable | None:
        """The link's two nodes and the interfaces written for them; None when it joins nothing."""
        (one, first), (two, second) = ((part[0], part[2]) for part in (text.partition(":") for text in file.endpoints))
        known = True
        for side, (name, text) in enumerate(zip((one, two), file.endpoints, strict=True)):
            if name not in self._file.nodes:
                known = False
                if name not in self._written:
                    fix = did_you_mean(name, self._written) or f"the nodes are {named(sorted(self._written))}"
                    self._say(file.place("endpoints", side), f'no node "{name}"', fix)
            elif ":" in text:
                self._written_interface(name, text.partition(":")[2], file.place("endpoints", side))
        if one == two and known:
            self._say(file.place("endpoints"), f"a link needs two nodes, and both ends are {one}", "a host reaches itself on lo")
            known = False
        for key in ("addresses", "mac", "vlans"):
            for name in getattr(file, key):
                place = file.place(key, name, key=True)
                if name not in (one, two):
                    fix = did_you_mean(name, (one, two)) or f"its nodes are {one} and {two}"
                    self._say(place, f"{name} is not on this link", fix)
                elif key == "addresses" and name in self._file.nodes and self._file.nodes[name].kind == "switch":
                    self._say(place, f"{name} is a switch, which has no addresses", "leave it out")
        return Cable(file=file, nodes=(one, two), interfaces=[first, second], ports=[None, None]) if known else None

    def _written_interface(self, node: str, name: str, place: Place) -> None:
        check_interface(name, place, self._problems)
        first = self._used.setdefault(node, {}).setdefault(name, place)
        if first is not place:
            message = f"the interface {node}:{name} is the end of another link already, in {first.seen_from(place)}"
            self._say(place, message, "an interface ends one link: choose another name")

    def _name_interfaces(self) -> None:
        """eth0, eth1 ... where none is written."""
        counters: dict[str, int] = {}
        for cable in self.cables:
            for side, node in enumerate(cable.nodes):
                while not cable.interfaces[side]:
                    number = counters.get(node, 0)
                    counters[node] = number + 1
                    cable.interfaces[side] = "" if f"eth{number}" in self._used.get(node, {}) else f"eth{number}"

    def _count_ports(self) -> None:
        ports: dict[str, int] = {}
        for cable in self.cables:
            for name in cable.nodes:
                ports[name] = ports.get(name, 0) + 1
                if ports[name] == MOST_PORTS + 1 and self._file.nodes[name].kind == "switch":
                    message = f"{name} has more than {MOST_PORTS:,} links, and the kernel's bridge takes no more"
                    self._say(cable.file.place("endpoints"), message, "use a second switch, and join the two")

    def _choices(self, cable: Cable) -> Iterable[Choice]:
        for name, texts in cable.file.addresses.items():
            if name in cable.nodes:
                at = cable.file.node.at("addresses", name)
                seats = tuple(cable.seats[cable.nodes.index(name)].values())
                for i, text in enumerate(texts):
                    yield Choice(name, text, at.place(i), seats, cable.file.allow_duplicate)

    def _check_hardware(self) -> None:
        """No two ends of a segment may have the same MAC address: a switch could not tell them apart."""
        used: dict[tuple[int, str], tuple[str, Place]] = {}
        for cable in self.cables:
            for name, hardware in cable.file.mac.items():
                place = cable.file.place("mac", name)
                for segment in cable.segments if name in cable.nodes else ():
                    other, first = used.setdefault((id(segment), hardware), (name, place))
                    if first is not place:
                        message = f"{hardware} is the MAC address of {other} already, in {first.seen_from(place)}"
                        self._say(place, message, f"{segment.name} needs different ones: choose another")
                        break

    def _offloads(self, file: LinkFile) -> frozenset[str]:
        for i, name in enumerate(file.offloads):
            lacking = [need for need in _NEEDS.get(name, ()) if need not in file.offloads]
            if lacking:
                message = f"the kernel leaves {name} off without {' and '.join(lacking)}"
                self._say(file.place("offloads", i), message, f"add {', '.join(lacking)}")
        return frozenset(file.offloads)

    def _say(self, place: Place, message: str, fix: str = "") -> None:
        self._problems.append(Problem(place, message, fix))


def check_interface(name: str, place: Place, problems: list[Problem]) -> None:
    """Tell what is wrong with an interface's name."""
    if not _INTERFACE.fullmatch(name) or name in _RESERVED_INTERFACES:
        fix = "letters, digits, - and _, at most 15 in all, and not lo, br0, all or default"
        problems.append(Problem(place, f'"{name}" is no name for an interface', fix))


def _endpoint(cable: Cable, side: int) -> Endpoint:
    interface, seats = cable.interfaces[side], cable.seats[side]
    return Endpoint(
        node=cable.nodes[side],
        interface=interface,
        addresses=tuple(seats[0].addresses) if 0 in seats else (),
        hardware=cable.file.mac.get(cable.nodes[side], ""),
        port=cable.ports[side],
        subinterfaces=tuple(
            Subinterface(name=f"{interface}.{vlan}", vlan=vlan, addresses=tuple(seat.addresses))
            for vlan, seat in seats.items()
            if vlan
        ),
    )
