"""The links of a lab that stays, while it runs: does to them what it is told, and tells what there is then and what came of it.

It judges nothing, and does not know who asks, nor how (hired.py).
"""

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from netlab.errors import HostError, LabError, NetlabError, Place, Problem, SpecError
from netlab.impair.hiring import check
from netlab.impair.in_kernel import ENGINE
from netlab.impair.wire import Wire, WireLink
from netlab.lab import links as interfaces
from netlab.timeline.observations import Decision
from netlab.timeline.timeline import Node
from netlab.topology.printed import print_rule, print_shape
from netlab.topology.said import HERE, Said, about_interfaces, directions, numbered, read_changes, read_said
from netlab.topology.spec import InterfaceChange, Link, Topology

_LATEST = 200

Direction = tuple[str, str]
"""From which node to which."""

Shown = tuple[str, str]
"""A rule or quantities in the words of a file, and the place where they are said."""


@dataclass(slots=True)
class _Direction:
    """What is done in one direction of a link, by the topology and by commands, as it is shown: rules, and quantities if any."""

    rules: list[Shown] = field(default_factory=list)
    shape: Shown | None = None
    added: list[Shown] = field(default_factory=list)
    added_shape: Shown | None = None

    def every(self) -> Iterator[tuple[str, Shown]]:
        """By whom, and what; a command's quantities stand in place of the topology's."""
        yield from (("topology", one) for one in self.rules)
        yield from (("command", one) for one in self.added)
        if self.added_shape is not None:
            yield "command", self.added_shape
        elif self.shape is not None:
            yield "topology", self.shape


class Standing:
    """The links of a lab that stays, what is done to them, and what came of it."""

    def __init__(
        self,
        topology: Topology,
        network: interfaces.Network,
        nodes: Mapping[str, Node],
        links: Sequence[WireLink],
        seed: int | None,
    ) -> None:
        self.topology, self.network, self.seed = topology, network, seed
        # A link that changes hands between wire and kernel may let a frame through twice: not one that is there to be changed.
        self.wire = Wire(links, nodes, seed=seed, recorded=any(one.link.by_wire for one in links))
        self.ways: dict[tuple[str, Direction], _Direction] = {}
        self.did: Counter[tuple[str, str, str, str]] = Counter()
        self.latest: deque[Decision] = deque(maxlen=_LATEST)
        self.released: set[str] = set()
        self.failed = ""
        self.commands = 0
        for link in (one.link for one in links):
            rules, shapes = dict(link.impair), dict(link.shapes)
            for a, b in (link.endpoints, link.endpoints[::-1]):
                direction = a.node, b.node
                shape = shapes.get(direction)
                self.ways[link.name, direction] = _Direction(
                    rules=[(print_rule(rule), str(rule.place)) for rule in rules.get(direction, ())],
                    shape=None if shape is None else (print_shape(shape), str(shape.place)),
                )

    def start(self) -> None:
        """Forward from now on."""
        self.wire.start()

    def gather(self) -> None:
        """Count what the wire has decided since the last time."""
        if self.failed:
            return
        try:
            decided = self.wire.drain()
        except LabError as error:
            self.failed = str(error)
            return
        for one in decided:
            self.did[one.link, one.direction, one.place, one.action] += one.values["dropped"] if one.engine == ENGINE else 1
            self.latest.append(one)

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Do what somebody asks, and say what there is then; whatever is wrong with it, the wire goes on."""
        known: dict[object, Callable[..., None]] = {
            "show": lambda: None,
            "impair": self.impair,
            "heal": self.heal,
            "release": self.release,
        }
        try:
            do = known.get(request.pop("do", None))
            if do is None:
                return {"refused": "its wire knows no such request: another version of netlab built the lab"}
            do(**request)
            return self.shown()
        except SpecError as error:
            return {"wrong": str(error)}
        except HostError as error:
            return {"lacks": error.lacks, "fix": error.fix}
        except NetlabError as error:
            return {"refused": str(error)}
        except Exception as error:  # noqa: BLE001 - whatever a client sends, of another version too, must not end the wire
            return {"refused": f"its wire cannot do that: {error!r}"}

    def impair(self, way: str, what: str) -> None:
        """Do ``what`` to a direction, besides what is done to it already; quantities stand in place of those before. Or to an
        interface, or both ends of a link, where it says that they go up or down or get an MTU.

        A rule's window of time counts from now. Raises SpecError, LabError.
        """
        if about_interfaces(way, what):
            self._change(read_changes(way, what, self.topology))
            return
        read = read_said(way, what, self.topology)
        for one in read:
            self._check(one)
        self.commands += 1
        said = [numbered(one, self.commands) for one in read]
        for one in said:
            self.wire.impair("->".join(one.direction), one.rules, shape=one.shape, link=one.link.name)
            of = self.ways[one.link.name, one.direction]
            of.added += [(print_rule(rule), str(rule.place)) for rule in one.rules]
            if one.shape is not None:
                of.added_shape = print_shape(one.shape), str(one.shape.place)

    def _change(self, changes: Sequence[InterfaceChange]) -> None:
        """Do this to interfaces; when this returns packets pass wherever both ends of a link are up."""
        for one in changes:
            node = self.network.nodes[one.node]
            if one.mtu:
                interfaces.set_mtu(node, one.interface, one.mtu)
            if one.up is not None:
                (interfaces.set_up if one.up else interfaces.set_down)(node, one.interface)
        for one in changes:
            if one.up:
                interfaces.settle(self.network, one.node, one.interface)

    def heal(self, way: str = "") -> None:
        """End what was said of a direction since the lab was built, or of all; what its topology says stays."""
        meant = directions(way, self.topology) if way else []
        for link, _ in meant:
            self._carried(link)
        for name, direction in [(link.name, direction) for link, direction in meant] or list(self.ways):
            self.wire.heal("->".join(direction), link=name)
            of = self.ways[name, direction]
            of.added, of.added_shape = [], None

    def release(self, barrier: str) -> None:
        """Let go of what is held at a barrier."""
        try:
            self.wire.release(barrier)
        except ValueError as error:
            raise SpecError(Problem(Place(HERE, 0, 0), str(error))) from None
        self.released.add(barrier)

    def shown(self) -> dict[str, Any]:
        """What each direction has, what came of it, and the last things decided."""
        self.gather()
        report, engines = self.wire.report(), self.wire.engines
        ways: dict[str, dict[str, Any]] = {}
        for (name, direction), of in self.ways.items():
            way = "->".join(direction)
            ways.setdefault(name, {})[self._called(name, direction)] = [
                {"what": what, "by": by, "place": place, "did": self._did(name, way, place)} for by, (what, place) in of.every()
            ]
        fields = ("time", "direction", "rule", "action", "packet")
        return {
            "seed": self.seed,
            "links": [
                {
                    "link": link.name,
                    "impairable": link.name in ways,
                    "directions": ways.get(link.name, {}),
                    "engine": str(engines.get(link.name, "")),
                    "interfaces": dict(self._changed(link)),
                }
                for link in self.topology.links
            ],
            "forwarded": report.seen,
            "lost": report.lost,
            "reason": self.failed or report.reason,
            "latest": [{name: getattr(one, name) for name in fields} for one in self.latest],
        }

    def _changed(self, link: Link) -> Iterator[tuple[str, str]]:
        """The interfaces at a link's ends, and what is not as in the topology, whoever changed it: "down", "mtu 1280", or ""."""
        for end in link.endpoints:
            node, name = self.network.nodes[end.node], f"{end.node}:{end.interface}"
            try:
                up, mtu = interfaces.is_up(node, end.interface), interfaces.mtu_of(node, end.interface)
            except LabError:
                yield name, "gone"
                continue
            state = "" if up == link.up else "up" if up else "down"
            yield name, ", ".join(filter(None, (state, "" if mtu == link.mtu else f"mtu {mtu}")))

    def _called(self, link: str, direction: Direction) -> str:
        """ "a->b", or "a:eth0->b:eth0" where several links join the two."""
        if sum(each == direction for _, each in self.ways) == 1:
            return "->".join(direction)
        ends = {end.node: end.interface for each in self.topology.links if each.name == link for end in each.endpoints}
        return "->".join(f"{node}:{ends[node]}" for node in direction)

    def _did(self, *where: str) -> dict[str, int]:
        return {action: count for (*place, action), count in self.did.items() if place == [*where]}

    def _check(self, said: Said) -> None:
        self._carried(said.link)
        check(said.rules)
        for rule in said.rules:
            if {rule.barrier, rule.before} & self.released:
                message = f"the barrier {rule.barrier or rule.before} was released already, so the rule would never act"
                raise SpecError(Problem(Place(HERE, 0, 0), message, "use a barrier of another name"))

    def _carried(self, link: Link) -> None:
        if not any(link.name == name for name, _ in self.ways):
            raise LabError(
                f"the kernel carries the frames of the link {link.name}, and nothing can be done to them while it runs: "
                "netlab-ns up --impairable builds a lab in which all links can be"
            )
