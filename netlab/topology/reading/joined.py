"""Reads what joins the nodes of a topology file: links and overlays with all their addresses, and who is whose neighbour for good.

It does not know what is said of a node itself.
"""

from collections.abc import Iterator

from netlab.errors import Problem
from netlab.topology.reading.addressing import Loopback, assign
from netlab.topology.reading.links import Links
from netlab.topology.reading.overlays import Overlays
from netlab.topology.schema.file import TopologyFile
from netlab.topology.spec import Link, Overlay
from netlab.validate import did_you_mean, named


def joined(file: TopologyFile, written: set[str], problems: list[Problem]) -> tuple[tuple[Link, ...], tuple[Overlay, ...]]:
    """The links and overlays of a topology; ``written`` are all names of nodes, those of broken nodes too."""
    links = Links(file, written, problems)
    overlays = Overlays(file, links, written, problems)
    # all at once: what is given or chosen anywhere is left alone wherever something is assigned
    assign([*links.segments, *overlays.segments], [*links.choices, *overlays.choices], list(_loopbacks(file, problems)), problems)
    read = links.links()
    return read, overlays.overlays(read)


def neighbours_of(file: TopologyFile, written: set[str], problems: list[Problem]) -> str | tuple[str, ...]:
    """Who is a permanent neighbour, as spec.Topology has it."""
    if isinstance(file.neighbours, str):
        return file.neighbours
    for i, name in enumerate(file.neighbours):
        place = file.place("neighbours", i)
        if name not in written:
            fix = did_you_mean(name, written) or f"the nodes are {named(sorted(written))}"
            problems.append(Problem(place, f'no node "{name}"', fix))
        elif name in file.nodes and file.nodes[name].kind == "switch":
            problems.append(Problem(place, f"{name} is a switch, which has no addresses", "leave it out"))
    return tuple(dict.fromkeys(file.neighbours))


def _loopbacks(file: TopologyFile, problems: list[Problem]) -> Iterator[Loopback]:
    for name, node in file.nodes.items():
        if node.kind in ("switch", "peer"):
            continue  # which is told where nodes are read
        seen = set()
        for i, address in enumerate(node.loopback):
            place = node.place("loopback", i)
            if address.ip in seen:
                problems.append(Problem(place, f"{address.ip} is given to {name} twice", "remove one of the two"))
            seen.add(address.ip)
            yield Loopback(name, address, place)
