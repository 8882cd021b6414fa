"""Finds the link and the direction that "a->b" means, wherever a network's directions are said. It does not know what for."""

from collections.abc import Sequence

from netlab.topology.spec import Link, Topology
from netlab.validate import did_you_mean, named

__all__ = ["Direction", "NoWayError", "ways_of"]

Direction = tuple[str, str]


class NoWayError(ValueError):
    """No link has such a direction, or several have; ``fix`` says what may be written."""

    def __init__(self, message: str, fix: str) -> None:
        super().__init__(message)
        self.fix = fix


def ways_of(text: str, topology: Topology) -> Sequence[tuple[Link, Direction]]:
    """The link and the direction that "a->b" means, or "a:eth0->b:eth1" where several links join the two; both ways for "both".

    Raises NoWayError.
    """
    ways = [f"{a.node}->{b.node}" for link in topology.links for a, b in (link.endpoints, link.endpoints[::-1])]
    fix = f"it may be {named(dict.fromkeys(ways))}" if ways else "there is no link"
    if text == "both":
        if len(topology.links) != 1:
            raise NoWayError(f"this network has {len(topology.links)} links, so both ways of which one is not said", fix)
        (link,) = topology.links
        a, b = (end.node for end in link.endpoints)
        return [(link, (a, b)), (link, (b, a))]
    source, arrow, target = (part.strip() for part in text.partition("->"))
    if not (arrow and source and target):
        raise NoWayError(f'"{text}" is no direction', did_you_mean(text, ways) or fix)
    found = [
        (link, (a.node, b.node))
        for link in topology.links
        for a, b in (link.endpoints, link.endpoints[::-1])
        if source in (a.node, f"{a.node}:{a.interface}") and target in (b.node, f"{b.node}:{b.interface}")
    ]
    if len(found) == 1:
        return found
    nodes = [part.partition(":")[0] for part in (source, target)]
    known = {node.name for node in topology.nodes}
    unknown = [name for name in nodes if name not in known]
    if unknown:
        raise NoWayError(f'no node "{unknown[0]}"', did_you_mean(text, ways) or fix)
    if not found:
        raise NoWayError(f"no link joins {source} and {target}", fix)
    ends = [{end.node: f"{end.node}:{end.interface}" for end in link.endpoints} for link, _ in found]
    exact = named(f"{each[nodes[0]]}->{each[nodes[1]]}" for each in ends)
    raise NoWayError(f"{len(found)} links join {nodes[0]} and {nodes[1]}", f"say which: {exact}")
