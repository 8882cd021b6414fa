"""Takes nodes, links and details out of a topology's plain data, and joins two links where a node in the middle goes.

Nodes go with their links and with what names them; whether what is left is a topology, its loader tells. It does not know what is
tried in it.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

Data = dict[str, Any]
Detail = tuple[str, str, str]
""""nodes" or "links", which of them, and its key; or "topology", "" and the key of the whole."""

_NEEDED = {
    "nodes": frozenset({"kind"}),
    "links": frozenset({"endpoints", "impair"}),
    "topology": frozenset({"name", "nodes", "links"}),
}
_THROUGH = frozenset({"router", "switch"})
"""Kinds of node that only pass packets on, so that a plain link may stand in for one between two others."""


def ends_of(link: Mapping[str, Any]) -> list[str]:
    """The names of a link's two nodes."""
    return [str(end).partition(":")[0] for end in link.get("endpoints", ())]


def with_nodes(data: Data, wanted: Collection[str]) -> Data:
    """The scenario's data with these nodes only, and with the links, overlays and impairments that lie between them."""
    topology = data["topology"]
    links = [link for link in topology.get("links", ()) if set(ends_of(link)) <= set(wanted)]
    changed: Data = {**topology, "nodes": {name: node for name, node in topology["nodes"].items() if name in wanted}}
    if "links" in topology:
        changed["links"] = links
    if "overlays" in topology:
        overlays = [_overlay(each, wanted) for each in topology["overlays"]]
        changed["overlays"] = [each for each in overlays if len(each["nodes"]) > 1]
    if isinstance(topology.get("neighbours"), list | tuple):
        changed["neighbours"] = [name for name in topology["neighbours"] if name in wanted] or "kernel"
    return _without_strangers({**data, "topology": _tidy(changed)})


def with_links(data: Data, wanted: Collection[int]) -> Data:
    """The scenario's data with the links of these indices only."""
    links = [link for index, link in enumerate(data["topology"].get("links", ())) if index in set(wanted)]
    return _without_strangers({**data, "topology": _tidy({**data["topology"], "links": links})})


def details(data: Data) -> tuple[Detail, ...]:
    """Every key of the topology, of its nodes and of its links that may be left out."""
    topology = data["topology"]
    found: list[Detail] = [("topology", "", key) for key in topology if key not in _NEEDED["topology"]]
    found += [("nodes", name, key) for name, node in topology["nodes"].items() for key in node or () if key not in _NEEDED["nodes"]]
    for index, link in enumerate(topology.get("links", ())):
        found += [("links", str(index), key) for key in link if key not in _NEEDED["links"]]
    return tuple(found)


def with_details(data: Data, wanted: Collection[Detail]) -> Data:
    """The scenario's data with these keys only, besides those that cannot be left out."""
    chosen, topology = set(wanted), data["topology"]

    def some(kind: str, which: str, given: Mapping[str, Any] | None) -> Data:
        return {key: value for key, value in (given or {}).items() if key in _NEEDED[kind] or (kind, which, key) in chosen}

    changed = some("topology", "", topology)
    changed["nodes"] = {name: some("nodes", name, node) for name, node in topology["nodes"].items()}
    if "links" in topology:
        changed["links"] = [some("links", str(index), link) for index, link in enumerate(topology["links"])]
    return {**data, "topology": changed}


def shortcuts(data: Data) -> Iterator[Data]:
    """The scenario's data without one of the nodes that join just two links, and with one link in the place of these two.

    The link keeps what either said; of subnets and MTU, what the first said. What was done to packets on both is done on the one.
    """
    topology = data["topology"]
    links = list(topology.get("links", ()))
    for name, node in topology["nodes"].items():
        at = [index for index, link in enumerate(links) if name in ends_of(link)]
        if (node or {}).get("kind") not in _THROUGH or len(at) != 2:
            continue
        near, far = (links[index] for index in at)
        outer = [next((str(end) for end in link["endpoints"] if str(end).partition(":")[0] != name), "") for link in (near, far)]
        if "" in outer or outer[0].partition(":")[0] == outer[1].partition(":")[0]:
            continue
        yield _joined(data, name, (at[0], at[1]), (outer[0], outer[1]))


def _joined(data: Data, name: str, at: tuple[int, int], outer: tuple[str, str]) -> Data:
    topology = data["topology"]
    links = list(topology["links"])
    near, far = links[at[0]], links[at[1]]
    nodes = [end.partition(":")[0] for end in outer]
    ways = {
        f"{source}->{target}": f"{nodes[0]}->{nodes[1]}" if source == nodes[0] or target == nodes[1] else f"{nodes[1]}->{nodes[0]}"
        for end in nodes
        for source, target in ((end, name), (name, end))
    }
    link = {**far, **near, "endpoints": list(outer)}
    for key in ("mac", "addresses"):
        both = {node: value for one in (near, far) for node, value in (one.get(key) or {}).items() if node != name}
        link |= {key: both} if both else {}
        if not both:
            link.pop(key, None)
    link.pop("vlans", None)
    impair = _renamed(_renamed({}, near.get("impair") or {}, ways), far.get("impair") or {}, ways)
    link.pop("impair", None)
    if impair:
        link["impair"] = impair
    rest = [one for index, one in enumerate(links) if index not in at]
    position = at[0]
    changed = {
        **topology,
        "nodes": {node: said for node, said in topology["nodes"].items() if node != name},
        "links": [*rest[:position], link, *rest[position:]],
    }
    scenario = _renamed({}, data.get("impair") or {}, ways)
    made = {**data, "topology": changed, **({"impair": scenario} if scenario else {})}
    return {**made, "steps": [_renamed_step(step, ways) for step in data["steps"]]}


def _renamed_step(step: Data, ways: Mapping[str, str]) -> Data:
    if isinstance(step.get("impair"), Mapping):
        return {**step, "impair": _renamed({}, step["impair"], ways)}
    if isinstance(step.get("repeat"), Mapping):
        body = [_renamed_step(each, ways) for each in step["repeat"].get("steps", ())]
        return {**step, "repeat": {**step["repeat"], "steps": body}}
    if isinstance(step.get("heal"), str):
        return {**step, "heal": ways.get(step["heal"], step["heal"])}
    return step


def _renamed(base: Data, impair: Mapping[str, Any], ways: Mapping[str, str]) -> Data:
    """Impairments by direction, added to those of ``base``: rules of both, and one mapping of quantities, the first's before."""
    made = dict(base)
    for way, said in impair.items():
        direction = ways.get(str(way), str(way))
        more = list(said) if isinstance(said, list | tuple) else [said]
        there = made.get(direction)
        if there is None:
            made[direction] = said
            continue
        both = [*(there if isinstance(there, list | tuple) else [there]), *more]
        rules = [one for one in both if "action" in one or "match" in one]
        quantities: Data = {}
        for one in both:
            if one not in rules:
                quantities = {**one, **quantities}
        made[direction] = [*rules, *([quantities] if quantities else [])]
    return made


def _overlay(overlay: Data, wanted: Collection[str]) -> Data:
    addresses = {node: said for node, said in (overlay.get("addresses") or {}).items() if node in wanted}
    rest = {key: value for key, value in overlay.items() if key != "addresses"}
    return {
        **rest,
        "nodes": [node for node in overlay["nodes"] if node in wanted],
        **({"addresses": addresses} if addresses else {}),
    }


def _without_strangers(data: Data) -> Data:
    """Without the scenario's impairments of directions that no link has any more."""
    links = [ends_of(link) for link in data["topology"].get("links", ())]
    ways = {f"{a}->{b}" for ends in links for a, b in (ends, ends[::-1])}
    impair = {
        way: said for way, said in (data.get("impair") or {}).items() if str(way) == "both" or str(way).replace(" ", "") in ways
    }
    rest = {key: value for key, value in data.items() if key not in ("impair", "steps")}
    return {**rest, **({"impair": impair} if impair else {}), "steps": data["steps"]}


def _tidy(topology: Data) -> Data:
    return {key: value for key, value in topology.items() if key not in ("links", "overlays") or value}
