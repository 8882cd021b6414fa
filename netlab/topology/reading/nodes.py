"""Reads the nodes of a topology file: what is said of each alone, and later, with the links, what needs its surroundings.

It does not know how nodes are joined.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from netlab.document import Sources
from netlab.errors import Place, Problem
from netlab.topology.networks import Address
from netlab.topology.reading.node_nat import nat_of
from netlab.topology.reading.node_programs import commands_of, files_of, resolv_of
from netlab.topology.reading.node_routes import StaticRoutes
from netlab.topology.reading.node_rules import policy_rules, vrfs_of
from netlab.topology.reading.surroundings import Surroundings
from netlab.topology.schema.file import TopologyFile
from netlab.topology.schema.node import FirewallFile, NodeFile
from netlab.topology.spec import Link, Node, Overlay
from netlab.validate import MOST_AT_A_PLACE, Problems, written_at

RESERVED = frozenset({"both", "document", "expect", "heal", "impair", "link", "localhost", "release", "repeat", "wait"})
"""Words that mean something where a node's name could stand."""

_NODE = re.compile(r"[a-z][a-z0-9-]{0,62}")
_PROGRAMS = frozenset({"sysctls", "env", "files", "start"})
_STACK = _PROGRAMS | {"loopback", "routes", "rules", "vrfs", "firewall", "names", "resolv"}
_KEYS = {
    "host": _STACK,
    "router": _STACK,
    "nat": _STACK | {"nat"},
    "switch": _PROGRAMS | {"stp", "subnets", "vlans"},
    "peer": frozenset({"sysctls"}),
}
"""What may be said of each kind of node."""

_ONLY = {
    "nat": ("only a nat translates addresses", "make it a nat, or leave this out"),
    "stp": ("only a switch has stp", "make it a switch, or leave this out"),
    "subnets": ("only a switch has subnets", "give them on its links, or make it a switch"),
    "vlans": (
        "only a switch has vlans",
        "make it a switch; what is opposite a trunk has eth0.10 and the like by itself",
    ),
}
_WHY = {
    "switch": "it only passes frames on: say this of a host or a router",
    "peer": "it has no kernel of its own, and what it sends is written by hand",
}
_LATER = frozenset({"sysctls", "routes", "rules", "vrfs", "nat", "names", "files"})
"""What needs the surroundings, or is shared between nodes."""


def nodes_of(file: TopologyFile, problems: list[Problem]) -> tuple[Node, ...]:
    """The nodes, but for what needs their surroundings. What is said of all of a group's members is read once."""
    read: dict[int, Node] = {}
    found: list[Node] = []
    for name, said in file.nodes.items():
        place = file.place("nodes", name, key=True)
        _check_name(name, place, problems)
        alike = read.get(id(said))
        if alike is None:
            alike = read[id(said)] = _node(name, said, place, problems)
            found.append(alike)
        else:
            found.append(replace(alike, name=name, place=place))
    return tuple(found)


def _check_name(name: str, place: Place, problems: list[Problem]) -> None:
    if name in RESERVED:
        message = f'a node cannot be called "{name}": the word has a meaning of its own'
        problems.append(Problem(place, message, "choose another name"))
    elif not _NODE.fullmatch(name):
        fix = "a small letter, then small letters, digits and -, at most 63 in all"
        problems.append(Problem(place, f'"{name}" is no name for a node', fix))


def _node(name: str, file: NodeFile, place: Place, problems: list[Problem]) -> Node:
    if file.model_fields_set <= {"kind"}:
        return Node(name=name, kind=file.kind, place=place)
    for key in sorted(_unfit(file)):
        told, fix = _ONLY.get(key) or (f"a {file.kind} has no {key}", _WHY.get(file.kind, ""))
        problems.append(
            file.node.problem(key, message=f"{told}, and {name} is a {file.kind}" if key in _ONLY else told, fix=fix, key=True)
        )
    if file.subnets is not None and file.vlans:
        message = f"{name} has vlans, and each of them has its own subnets"
        problems.append(file.node.problem("subnets", message=message, fix="give them under one of its vlans", key=True))
    return Node(
        name=name,
        kind=file.kind,
        place=place,
        sysctls=tuple(file.sysctls.items()),
        firewall=_firewall(file, problems),
        firewall_place=file.place("firewall") if file.firewall is not None else None,
        resolv=resolv_of(file),
        env=tuple(file.env.items()),
        start=commands_of(file, problems),
        stp=file.stp,
        loopback=tuple(file.loopback) if "loopback" in _KEYS[file.kind] else (),
    )


def resolved(
    nodes: Sequence[Node],
    links: Sequence[Link],
    overlays: Sequence[Overlay],
    file: TopologyFile,
    problems: Problems,
    sources: Sources | None = None,
) -> tuple[Node, ...]:
    """The nodes in full: what ``nodes_of`` left out, now that it is known who is whose neighbour. ``sources`` gets what the files
    hold that nodes have a copy of."""
    around = Surroundings(nodes, links, overlays, file, problems)
    read: dict[str, str | Problem] = {}
    wrong: Counter[int] = Counter()
    made: list[Node] = []
    for node in nodes:
        said = file.nodes[node.name]
        if wrong[id(said)] < MOST_AT_A_PLACE:  # what is wrong with so many of a group's members would only be told again
            before = problems.told
            node = _resolved(node, said, around, read, problems)
            wrong[id(said)] += problems.told > before
        made.append(node)
    if sources is not None:
        sources.update((path, held.encode()) for path, held in read.items() if isinstance(held, str))
    return tuple(made)


def _resolved(node: Node, file: NodeFile, around: Surroundings, read: dict[str, str | Problem], problems: list[Problem]) -> Node:
    if node.kind != "nat" and file.model_fields_set.isdisjoint(_LATER):
        return node
    name = node.name
    said = file.model_fields_set & _LATER - _unfit(file)
    if "sysctls" in said:
        _interfaces_of_sysctls(name, file, around, problems)
    automatic, routes = StaticRoutes(name, file, around, problems).read() if "routes" in said else (True, ())
    return replace(
        node,
        auto_routes=automatic,
        routes=routes,
        rules=policy_rules(name, file, around, problems) if "rules" in said else (),
        vrfs=vrfs_of(name, file, around, problems) if "vrfs" in said else (),
        nat=nat_of(name, file, node.place, around, problems) if node.kind == "nat" else None,
        names=tuple(_names(file, around, problems)) if "names" in said else (),
        files=files_of(file, read, problems) if "files" in said else (),
    )


def _unfit(file: NodeFile) -> frozenset[str]:
    """The keys that a node of this kind cannot have; none where it is not known what kind was meant."""
    said = file.model_fields_set - {"kind"}
    if "kind" not in file.model_fields_set and file.node.child("kind") is not None:
        return frozenset()
    return frozenset(said - _KEYS[file.kind])


def _firewall(file: NodeFile, problems: list[Problem]) -> str:
    """The nftables ruleset; every simple rule that is wrong is told, for ``firewall`` stops at the first."""
    if not isinstance(file.firewall, FirewallFile):
        return file.firewall or ""
    from netlab.topology.nft import RuleError, firewall  # most networks have none, and need not wait for its import

    said = file.firewall
    chains: dict[str, list[tuple[int, str]]]
    chains = {
        chain: list(zip(written_at(said.node.at(chain), texts), texts, strict=True))
        for chain, texts in (("input", said.input), ("forward", said.forward), ("output", said.output))
        if chain in said.model_fields_set
    }
    while True:
        try:
            return firewall({chain: [text for _, text in rules] for chain, rules in chains.items()})
        except RuleError as error:
            number, _ = chains[error.chain].pop(error.index)
            problems.append(said.node.problem(error.chain, number, message=error.message, fix=error.fix, offset=error.offset))


def _interfaces_of_sysctls(name: str, file: NodeFile, around: Surroundings, problems: list[Problem]) -> None:
    """A sysctl of one interface names one that the node has."""
    for key in file.sysctls:
        parts = key.split("/" if "/" in key else ".")
        if parts[2] not in ("conf", "neigh"):
            continue
        written = next(
            (each for each in file.node.at("sysctls").fields or () if each.replace("/", ".") == key.replace("/", ".")), key
        )
        place = file.place("sysctls", written, key=True)
        if len(parts) < 5:
            fix = f"write for example net.{parts[1]}.{parts[2]}.default, and then what of it is to be set"
            problems.append(Problem(place, f'"{written}" is a folder of sysctls', fix))
        elif (
            parts[3] not in ("all", "default", "lo")
            and (wrong := around.no_interface(name, parts[3], place, file.vrfs)) is not None
        ):
            problems.append(wrong)


def _names(file: NodeFile, around: Surroundings, problems: list[Problem]) -> Iterator[tuple[str, Address]]:
    """Further lines of the hosts file."""
    for name, addresses in file.names.items():
        if name.lower() in around.names or name.lower() == "localhost":
            message = f"{name} is in the file already, as every node's name and localhost are"
            problems.append(file.node.problem("names", name, message=message, fix="choose another name", key=True))
        for address in addresses:
            yield name, address
