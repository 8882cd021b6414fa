"""The networks of a run as pictures: each is drawn once, from what a result says of it, with its nodes' addresses.

A picture is an image with styles of its own, so that neither the page's reach into it nor its into the page. It knows no topology
file: a result may come from anywhere.
"""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from netlab.check.result import ScenarioResult
from netlab.report.graph import Box, Graph, Line, Port, Row
from netlab.report.graph_style import KINDS
from netlab.report.graph_svg import svg_of
from netlab.report.lines import printable
from netlab.timeline.timeline import Node

__all__ = ["Network", "networks_of"]

_MOST = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A network: its name, what there is of what, its picture as a data: URI ("" where it has too many nodes for one), a row for
    each interface as (node, kind, interface, addresses), and the numbers of the scenarios in it."""

    name: str
    summary: str
    picture: str
    rows: tuple[tuple[str, str, str, str], ...]
    scenarios: tuple[int, ...]


def networks_of(scenarios: Sequence[ScenarioResult]) -> tuple[Network, ...]:
    """The networks in the order in which they come up; scenarios without one are left out."""
    found: dict[str, tuple[Graph, list[int], ScenarioResult]] = {}
    for number, one in enumerate(scenarios):
        graph = _graph(one.topology, one.timeline.nodes)
        if graph.boxes:
            found.setdefault(repr(graph), (graph, [], one))[1].append(number)
    return tuple(_network(graph, numbers) for graph, numbers, _ in found.values())


def _network(graph: Graph, numbers: Sequence[int]) -> Network:
    rows = tuple((box.name, box.kind, row.name, ", ".join(row.addresses)) for box in graph.boxes for row in box.rows)
    picture = ""
    if len(graph.boxes) <= _MOST:
        picture = f"data:image/svg+xml;base64,{b64encode(svg_of(graph).encode()).decode()}"
    return Network(name=graph.name, summary=graph.summary, picture=picture, rows=rows, scenarios=tuple(numbers))


def _graph(topology: Mapping[str, Any], nodes: Mapping[str, Node]) -> Graph:
    kinds = {str(name): str(kind) for name, kind in dict(topology.get("nodes", {})).items()}
    kinds = kinds or {name: node.kind for name, node in nodes.items()}
    links = [ends for ends in (_ends(str(link), kinds, nodes) for link in topology.get("links", ())) if ends]
    tied = {end for ends in links for end in ends}
    boxes = tuple(
        Box(
            name=printable(name),
            kind=kind if kind in KINDS else "host",
            rows=tuple(
                Row(name=interface, addresses=tuple(addresses), tied=(name, interface) in tied)
                for interface, addresses in (nodes[name].addresses if name in nodes else {}).items()
                if addresses or (name, interface) in tied
            ),
        )
        for name, kind in kinds.items()
    )
    return Graph(
        name=printable(str(topology.get("name", ""))),
        intent="",
        boxes=boxes,
        lines=tuple(Line(a=_port(a, nodes), b=_port(b, nodes)) for a, b in links),
    )


_End = tuple[str, str]


def _ends(link: str, kinds: Mapping[str, str], nodes: Mapping[str, Node]) -> tuple[_End, _End] | None:
    """The two ends that a link's name has ("client:eth0-server:eth0"), where a name may have hyphens of its own."""
    for at, letter in enumerate(link):
        if letter == "-" and (a := _end(link[:at], kinds, nodes)) and (b := _end(link[at + 1 :], kinds, nodes)):
            return a, b
    return None


def _end(text: str, kinds: Mapping[str, str], nodes: Mapping[str, Node]) -> _End | None:
    node, colon, interface = text.rpartition(":")
    known = nodes[node].addresses if node in nodes else {}
    return (node, interface) if colon and node in kinds and (not known or interface in known) else None


def _port(end: _End, nodes: Mapping[str, Node]) -> Port:
    node, interface = end
    addresses = nodes[node].addresses.get(interface, ()) if node in nodes else ()
    return Port(node=printable(node), interface=interface, addresses=tuple(addresses))
