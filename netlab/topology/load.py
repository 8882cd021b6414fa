"""Reads a topology file, or a topology inside another document, and checks all that can be checked without a kernel.

All that is wrong is reported at once, each with its place. It does not know how a network is built.
"""

import os
import re
from collections.abc import Iterable
from pathlib import Path

from netlab.document import Document
from netlab.errors import Place, Problem, SpecError
from netlab.topology.addressing import Cable, assign, segments_of
from netlab.topology.rules import rules_of
from netlab.topology.schema import LinkFile, NodeFile, TopologyFile
from netlab.topology.spec import Endpoint, Link, Node, Topology
from netlab.validate import Problems, did_you_mean, named, shown, validated
from netlab.yaml_nodes import Node as DocumentNode
from netlab.yaml_nodes import Part

RESERVED = frozenset({"both", "document", "expect", "localhost", "release", "repeat", "wait"})
"""Words that mean something where a node's name could stand."""

_NODE = re.compile(r"[a-z][a-z0-9-]{0,62}")
_INTERFACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,14}")
_RESERVED_INTERFACES = frozenset({"lo", "all", "default", "br0"})
_SUFFIXES = (".yaml", ".yml")


def load_topology(path: str | Path) -> Topology:
    """Read a topology from a file, or by the name of one that ships with netlab or stands in ./topologies."""
    if isinstance(path, str) and not _is_path(path) and not os.path.isfile(path):
        path = find_topology(path, None)
    return parse_topology(Document.read(path))


def find_topology(name: str, beside: Path | None, place: Place | None = None) -> Path:
    """The file of a topology: a path (beside the file ``beside``, then from here), or a name, sought there, in ./topologies and
    in the package. Raises SpecError, at ``place`` if given, when there is none."""
    folders = _folders(beside)
    if _is_path(name):
        candidates = [*([beside.parent / name] if beside is not None else []), Path(name)]
    else:
        candidates = [folder / f"{name}{suffix}" for folder in folders for suffix in _SUFFIXES]
    for candidate in candidates:
        if os.path.isfile(candidate):
            return candidate
    where = place or Place(name, 1, 1)
    if _is_path(name):
        raise SpecError(Problem(where, f"there is no topology file {name}"))
    known = sorted({path.stem for folder in folders if folder.is_dir() for path in folder.iterdir() if path.suffix in _SUFFIXES})
    fix = did_you_mean(name, known) or f"a name of a file in {named(map(str, dict.fromkeys(folders)))}, or a path"
    raise SpecError(Problem(where, f'there is no topology "{name}"', fix))


def _is_path(name: str) -> bool:
    return "/" in name or name.endswith(_SUFFIXES)


def _folders(beside: Path | None) -> list[Path]:
    shipped = Path(__file__).parent.parent / "topologies"  # in a source tree, a link to the folder beside the package
    return [*([beside.parent] if beside is not None else []), Path("topologies"), shipped]


def parse_topology(document: Document, loc: tuple[Part, ...] = ()) -> Topology:
    """Read the topology at a location of a document; raises SpecError with everything that is wrong with it."""
    name = Path(document.file).name.removesuffix(".yaml").removesuffix(".yml") if not loc else "inline"
    return read_topology(document.node(loc), name, document.intent if not loc else "")


def read_topology(node: DocumentNode, name: str, intent: str = "") -> Topology:
    """Read the topology that a document's value is; ``name`` is what it is called if it does not say."""
    if not isinstance(node.data, dict):
        fix = "write nodes: and links:"
        raise SpecError(node.problem(message=f"a topology is a mapping, not {shown(node.data)}", fix=fix))
    problems = Problems()
    file, found = validated(TopologyFile, node)
    problems += found
    if file is None:
        raise SpecError(*problems)
    every = node.data.get("nodes")
    reader = _Reader(file, set(every) if isinstance(every, dict) else set(), problems)
    topology = reader.read(file.name or name, intent)
    if problems:
        raise SpecError(*dict.fromkeys(problems))
    return topology


class _Reader:
    """One topology while it is being read; ``written`` are all names of nodes, those of broken nodes too."""

    def __init__(self, file: TopologyFile, written: set[str], problems: list[Problem]) -> None:
        self._file, self._written, self._problems = file, written, problems
        self._used: dict[str, dict[str, Place]] = {}

    def read(self, name: str, intent: str) -> Topology:
        nodes = tuple(self._node(name, file) for name, file in self._file.nodes.items())
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
        return Topology(name=name, nodes=nodes, links=tuple(links), intent=intent, place=self._file.place())

    def _node(self, name: str, file: NodeFile) -> Node:
        place = self._file.place("nodes", name, key=True)
        if name in RESERVED:
            self._say(place, f'a node cannot be called "{name}": the word has a meaning of its own', "choose another name")
        elif not _NODE.fullmatch(name):
            fix = "a small letter, then small letters, digits and -, at most 63 in all"
            self._say(place, f'"{name}" is no name for a node', fix)
        if file.subnets is not None and file.kind != "switch":
            fix = "give them on its links, or make it a switch"
            self._say(file.place("subnets", key=True), f"only a switch has subnets, and {name} is a {file.kind}", fix)
        return Node(name=name, kind=file.kind, sysctls=tuple(file.sysctls.items()), place=place)

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
