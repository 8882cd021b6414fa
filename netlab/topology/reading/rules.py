"""Reads what impairs a link: directions, with the rules and the quantities of each. It does not know how it is carried out, nor how
one rule or one mapping of quantities is read.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from netlab.errors import Problem
from netlab.topology.reading.one_rule import Mention, mentions_of, rule_of
from netlab.topology.reading.rule_patterns import Nodes
from netlab.topology.reading.shapes import shape_of
from netlab.topology.reading.ways import Direction
from netlab.topology.schema.link import Impair, RuleFile, ShapeFile
from netlab.topology.spec import Rule, Shape
from netlab.validate import did_you_mean
from netlab.yaml_nodes import Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Impairment:
    """What is done to the packets of a link, by direction. ``mentions`` is what its rules name that only a scenario has."""

    rules: dict[Direction, tuple[Rule, ...]] = field(default_factory=dict)
    shapes: dict[Direction, Shape] = field(default_factory=dict)
    mentions: list[Mention] = field(default_factory=list)

    def over(self, other: "Impairment") -> "Impairment":
        """Both: this one's rules come after the other's, and its quantities stand in place of the other's."""
        rules = dict(other.rules)
        for direction, more in self.rules.items():
            rules[direction] = rules.get(direction, ()) + more
        return Impairment(rules=rules, shapes=other.shapes | self.shapes, mentions=[*other.mentions, *self.mentions])


def impairment_of(impair: Impair, node: Node, ends: Sequence[str], nodes: Nodes, problems: list[Problem]) -> Impairment:
    """The impairment of one link between the nodes ``ends``; ``node`` is the mapping in the file."""
    found = Impairment()
    for key, value in impair.items():
        directions = directions_of(key, node, ends, nodes, problems)
        way = directions[0] if len(directions) == 1 else None
        items = value if isinstance(value, list) else [value]
        written = [each for each in items if isinstance(each, RuleFile)]
        rules = tuple(rule for each in written if (rule := rule_of(each, nodes, problems, way)) is not None)
        found.mentions.extend(mention for each in written for mention in mentions_of(each))
        files = [each for each in items if isinstance(each, ShapeFile)]
        for late in files[1:]:
            fix = "write them as one mapping"
            problems.append(
                late.node.problem(message=f"quantities are in {files[0].place().seen_from(late.place())} already", fix=fix)
            )
        shape = shape_of(files[0], problems) if files else None
        for direction in directions:
            if rules:
                found.rules[direction] = found.rules.get(direction, ()) + rules
            if shape is None:
                continue
            if (first := found.shapes.setdefault(direction, shape)) is not shape:
                message = f"{'->'.join(direction)} has quantities in {first.place.seen_from(shape.place)} already"
                problems.append(Problem(shape.place, message, "write those of one direction as one mapping"))
    return found


def split_direction(key: str) -> Direction | None:
    """The two nodes of "a->b", or None if it is not written so."""
    source, arrow, target = (part.strip() for part in key.partition("->"))
    return (source, target) if arrow and source and target else None


def directions_of(key: str, node: Node, ends: Sequence[str], nodes: Collection[str], problems: list[Problem]) -> list[Direction]:
    """The directions of one link that a key means: "a->b" one, "both" two, anything else none."""
    a, b = ends
    if key == "both":
        return [(a, b), (b, a)]
    direction = split_direction(key)
    ways = f"{a}->{b}, {b}->{a} or both"
    if direction is None:
        problems.append(node.problem(key, message=f'"{key}" is no direction', fix=f"write {ways}", key=True))
    elif sorted(direction) != sorted(ends):
        unknown = [name for name in direction if name not in nodes]
        fix = did_you_mean(key, (f"{a}->{b}", f"{b}->{a}")) or f"it may be {ways}"
        message = f'no node "{unknown[0]}"' if unknown else f"this link does not join {direction[0]} and {direction[1]}"
        problems.append(node.problem(key, message=message, fix=fix, key=True))
    else:
        return [direction]
    return []
