"""Deals out what a link says by node or by direction, when that link stands for several: each gets what is said of its own ends.

It does not know what is said.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from netlab.topology.expanding.groups import Groups
from netlab.topology.expanding.include import Entries
from netlab.topology.reading.rules import split_direction
from netlab.yaml_nodes import Node


@dataclass(frozen=True, slots=True)
class End:
    """One end of a link: the node's name, its group's if it was named by that ("" if not), and the endpoint as it is written."""

    node: str
    group: str
    said: Node


Pair = tuple[End, End]


def by_node(mapping: Node, pairs: Sequence[Pair]) -> list[Node]:
    """For each pair the keys that name its ends: a node's own key before its group's. A key that names none is the first pair's."""

    def chosen(pair: Pair, written: Entries) -> Iterator[tuple[str, str]]:
        for end in pair:
            if end.node in written:
                yield end.node, end.node
            elif end.group in written:
                yield end.node, end.group

    return _dealt(mapping, pairs, mapping.fields or {}, chosen)


def by_direction(mapping: Node, pairs: Sequence[Pair]) -> list[Node]:
    """For each pair the keys that name its directions; "both" is every pair's."""
    written: Entries = {}
    for name, field in (mapping.fields or {}).items():
        direction = "->".join(split_direction(name) or (name,))
        written[name if direction in written else direction] = field

    def chosen(pair: Pair, written: Entries) -> Iterator[tuple[str, str]]:
        if "both" in written:
            yield "both", "both"
        for source, target in (pair, pair[::-1]):
            for way in _ways(source, target):
                if way in written:
                    yield f"{source.node}->{target.node}", way
                    break

    return _dealt(mapping, pairs, written, chosen)


def for_members(mapping: Node, groups: Groups) -> Node:
    """The mapping with each group's key once for every member that has none of its own."""
    written = mapping.fields or {}
    fields: Entries = {}
    for name, (key, value) in written.items():
        for member in groups.get(name, (name,)):
            if member == name or member not in written:
                fields[member] = (key if member == name else key.as_text(member), value)
    return mapping.as_mapping(fields) if fields.keys() != written.keys() else mapping


def _ways(source: End, target: End) -> Iterator[str]:
    """How a direction may be written, the most particular first."""
    for one in (source.node, source.group):
        for other in (target.node, target.group):
            if one and other:
                yield f"{one}->{other}"


def _dealt(
    mapping: Node, pairs: Sequence[Pair], written: Entries, chosen: Callable[[Pair, Entries], Iterator[tuple[str, str]]]
) -> list[Node]:
    dealt = [list(chosen(pair, written)) for pair in pairs]
    used = {way for each in dealt for _, way in each}
    if all(name == way for name, way in chain.from_iterable(dealt)) and all(len(each) == len(written) for each in dealt):
        return [mapping] * len(pairs)
    made: list[Node] = []
    for each in dealt:
        fields = {name: (written[way][0].as_text(name), written[way][1]) for name, way in each}
        if not made:
            fields |= {name: field for name, field in written.items() if name not in used}
        made.append(mapping.as_mapping(fields))
    return made
