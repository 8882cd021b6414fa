"""Reads the links of a topology file: which nodes and interfaces they join, and what is said of them.

It does not know what a node is, beyond its kind.
"""

import re
from collections.abc import Iterable

from netlab.errors import Place, Problem
from netlab.topology.addressing import Cable, assign, segments_of
from netlab.topology.rules import rules_of
from netlab.topology.schema import TopologyFile
from netlab.topology.schema_link import LinkFile
from netlab.topology.spec import Endpoint, Link
from netlab.validate import did_you_mean, named

_INTERFACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,14}")
_RESERVED_INTERFACES = frozenset({"lo", "all", "default", "br0"})


class Links:
    """The links of one topology while they are being read; ``written`` are all names of nodes, those of broken nodes too."""

    def __init__(self, file: TopologyFile, written: set[str], problems: list[Problem]) -> None:
        self._file, self._written, self._problems = file, written, problems
        self._used: dict[str, dict[str, Place]] = {}

    def read(self) -> tuple[Link, ...]:
        """The links, with every endpoint's interface and addresses."""
        parsed = [ends for number, file in enumerate(self._file.links) if (ends := self._ends(number, file)) is not None]
        interfaces = self._interfaces(parsed)
        cables = [cable for cable, _ in parsed]
        segments = segments_of(cables, self._file.nodes)
        addresses, problems = assign(segments, self._file.nodes)
        self._problems += problems
        subnets = {cable.number: tuple(segment.subnets) for segment in segments for cable in segment.cables}
        links = []
        for cable, _ in parsed:
            a, b = (
                Endpoint(
                    node=cable.nodes[side],
                    interface=interfaces.get((cable.number, side), ""),
                    addresses=tuple(addresses.get((cable.number, side), ())),
                )
                for side in (0, 1)
            )
            at = cable.file.node.at("impair")
            impair = tuple(rules_of(cable.file.impair, at, cable.nodes, self._written, self._problems).items())
            mtu, place = cable.file.mtu, cable.file.place()
            links.append(Link(endpoints=(a, b), subnets=subnets[cable.number], mtu=mtu, impair=impair, place=place))
        return tuple(links)

    def _ends(self, number: int, file: LinkFile) -> tuple[Cable, tuple[str, str]] | None:
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
        for name in file.addresses:
            place = file.place("addresses", name, key=True)
            if name not in (one, two):
                fix = did_you_mean(name, (one, two)) or f"its nodes are {one} and {two}"
                self._say(place, f"{name} is not on this link", fix)
            elif name in self._file.nodes and self._file.nodes[name].kind == "switch":
                self._say(place, f"{name} is a switch, which has no addresses", "leave it out")
        return (Cable(file=file, number=number, nodes=(one, two)), (first, second)) if known else None

    def _written_interface(self, node: str, name: str, place: Place) -> None:
        if not _INTERFACE.fullmatch(name) or name in _RESERVED_INTERFACES:
            fix = "letters, digits, - and _, at most 15 in all, and not lo, br0, all or default"
            self._say(place, f'"{name}" is no name for an interface', fix)
        first = self._used.setdefault(node, {}).setdefault(name, place)
        if first is not place:
            message = f"the interface {node}:{name} is the end of another link already, in line {first.line}"
            self._say(place, message, "an interface ends one link: choose another name")

    def _interfaces(self, parsed: Iterable[tuple[Cable, tuple[str, str]]]) -> dict[tuple[int, int], str]:
        """The interfaces' names, eth0, eth1 ... where none is written."""
        names: dict[tuple[int, int], str] = {}
        counters: dict[str, int] = {}
        for cable, written in parsed:
            for side, node in enumerate(cable.nodes):
                name = written[side]
                while not name:
                    number = counters.get(node, 0)
                    counters[node] = number + 1
                    name = "" if f"eth{number}" in self._used.get(node, {}) else f"eth{number}"
                names[cable.number, side] = name
        return names

    def _say(self, place: Place, message: str, fix: str = "") -> None:
        self._problems.append(Problem(place, message, fix))
