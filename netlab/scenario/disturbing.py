"""Reads what a scenario does to the links of its topology: rules and quantities from the start or by a step, their end, links that
go down and up. It gives the topology as it is to be built for that. It does not know how any of it is carried out.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Annotated

from pydantic import Field

from netlab.errors import Place, Problem
from netlab.scenario.spec import Disturbance, HealStep, ImpairStep, LinkStep
from netlab.topology.reading.changing import change_text, changes_of
from netlab.topology.reading.one_rule import Mention
from netlab.topology.reading.rule_patterns import nodes_of
from netlab.topology.reading.rules import Impairment, impairment_of
from netlab.topology.reading.ways import Direction, NoWayError, ways_of
from netlab.topology.schema.changing import Changes
from netlab.topology.schema.link import Impair
from netlab.topology.schema.values import OneOrMore
from netlab.topology.spec import Link, Topology
from netlab.validate import AnyPiece, Piece, did_you_mean, named, validated
from netlab.yaml_nodes import Node

ALL = "all"


class ImpairFile(Piece):
    """An impair step."""

    impair: Impair = Field(min_length=1, description='rules or quantities by direction, "a->b", from now on')


class HealFile(Piece):
    """A heal step."""

    heal: Annotated[OneOrMore[str], Field(min_length=1)] = Field(
        description='a direction, "a->b", or all: what steps did there ends'
    )


class LinkFile(Piece):
    """A link step."""

    link: Changes = Field(min_length=1, description='by interface, "client:eth0", or by link, "client->server": both its ends')


class Disturbing:
    """What one scenario does to the links of its topology; ``topology`` is that which is to be built."""

    def __init__(self, topology: Topology, problems: list[Problem]) -> None:
        self.topology, self._problems = topology, problems
        self.mentions: list[Mention] = []
        self._nodes = nodes_of(topology)
        self._by_steps: set[tuple[str, Direction]] = set()
        self._healed: list[tuple[tuple[str, Direction] | None, Place]] = []
        self._broken = False

    def from_the_start(self, impair: Impair, node: Node) -> None:
        """Lay what is done to packets from the start over the topology's own: rules come after those, quantities stand in place of
        its own."""
        read = self._read(impair, node)
        links = []
        for link in self.topology.links:
            if link.name in read:
                found = read[link.name].over(Impairment(rules=dict(link.impair), shapes=dict(link.shapes)))
                link = replace(link, impair=tuple(found.rules.items()), shapes=tuple(found.shapes.items()))
            links.append(link)
        self.topology = replace(self.topology, links=tuple(links))

    def impair_step(self, step: Node, place: Place) -> ImpairStep | None:
        """The step of a mapping with the one key ``impair``. Its links are built so that something may be done to their packets."""
        before = len(self._problems)
        file = self._typed(ImpairFile, step)
        read = self._read(file.impair, step.at("impair")) if file is not None else {}
        self._broken = self._broken or len(self._problems) > before
        if file is None:
            return None
        self._open(read)
        disturbances = [
            Disturbance(link=name, direction=way, rules=found.rules.get(way, ()), shape=found.shapes.get(way))
            for name, found in read.items()
            for way in dict.fromkeys([*found.rules, *found.shapes])
        ]
        self._by_steps.update((each.link, each.direction) for each in disturbances)
        text = f"impair: {', '.join(file.impair)}"
        return ImpairStep(text=text, place=place, disturbances=tuple(disturbances)) if disturbances else None

    def heal_step(self, step: Node, place: Place) -> HealStep | None:
        """The step of a mapping with the one key ``heal``."""
        file = self._typed(HealFile, step)
        if file is None:
            return None
        said, directions = step.at("heal"), []
        for index, key in enumerate(file.heal):
            where = said.at(index)
            if key == ALL:
                self._healed.append((None, where.place()))
                continue
            found = [(link.name, way) for link, way in self._ways(key, where.place())]
            directions += found
            self._healed += [(each, where.place()) for each in found]
        if ALL in file.heal and len(file.heal) > 1:
            self._say(said.place(), "all is every direction, and others are named beside it", "write heal: all")
        return HealStep(text=f"heal: {', '.join(file.heal)}", place=place, directions=tuple(dict.fromkeys(directions)))

    def link_step(self, step: Node, place: Place) -> LinkStep | None:
        """The step of a mapping with the one key ``link``."""
        file = self._typed(LinkFile, step)
        if file is None:
            return None
        changes = changes_of(file.link, step.at("link"), self.topology, self._problems)
        words = [f"{key} {change_text(change)}" for key, change in file.link.items()]
        return LinkStep(text=f"link: {', '.join(words)}", place=place, changes=changes) if changes else None

    def finish(self) -> None:
        """When every step was read: what is healed must have been disturbed by a step, as far as those could be read."""
        if self._broken:
            return
        ways = {"->".join(direction) for _, direction in self._by_steps}
        for each, place in self._healed:
            if each is None and not ways:
                self._say(place, "no step impairs anything, so nothing can be healed", "a step impair: {...} comes before it")
            elif each is not None and each not in self._by_steps:
                way = "->".join(each[1])
                fix = did_you_mean(way, ways) or (f"steps impair {named(sorted(ways))}" if ways else "a step impair: {...} does")
                self._say(place, f"no step impairs {way}, and what the topology says of it stays", fix)

    def _read(self, impair: Impair, node: Node) -> dict[str, Impairment]:
        """What is said of each link, by the link's name."""
        parts: dict[str, Impair] = {}
        links: dict[str, Link] = {}
        for key, value in impair.items():
            place = node.place(key, key=True)
            found = self._ways(key, place)
            if isinstance(value, list) and not value:
                self._say(node.place(key), "nothing is said here", "write for example {delay: 10ms} or {match: S, action: drop}")
            for link, way in found[:1]:
                links[link.name], part = link, parts.setdefault(link.name, {})
                plain = "both" if len(found) == 2 else "->".join(way)
                if plain in part:
                    message = f"this is the link {link.name}, and what is done to {plain} there is said above"
                    self._say(place, message, "write it as one list")
                part[plain] = value
        read = {}
        for name, part in parts.items():
            ends = [end.node for end in links[name].endpoints]
            read[name] = impairment_of(part, node, ends, self._nodes, self._problems)
            self.mentions += read[name].mentions
        return read

    def _open(self, names: Iterable[str]) -> None:
        """Have these links built through a namespace in their middle."""
        chosen = set(names)
        links = [replace(link, by_wire=True) if link.name in chosen else link for link in self.topology.links]
        self.topology = replace(self.topology, links=tuple(links))

    def _ways(self, text: str, place: Place) -> Sequence[tuple[Link, Direction]]:
        try:
            return ways_of(text, self.topology)
        except NoWayError as error:
            self._say(place, str(error), error.fix)
            return ()

    def _typed(self, model: type[AnyPiece], step: Node) -> AnyPiece | None:
        file, problems = validated(model, step)
        self._problems += problems
        return file

    def _say(self, place: Place, message: str, fix: str = "") -> None:
        self._problems.append(Problem(place, message, fix))
