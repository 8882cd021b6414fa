"""Reads impairment rules: a direction and the rules for it. It does not know how packets are dropped or held."""

from collections.abc import Iterable, Sequence

from netlab.errors import Problem
from netlab.notation.lexer import NotationError
from netlab.notation.parse import parse_packet
from netlab.topology.schema_link import Impair, RuleFile
from netlab.topology.spec import Rule
from netlab.validate import did_you_mean
from netlab.yaml_nodes import Node

Direction = tuple[str, str]
Directed = dict[Direction, tuple[Rule, ...]]


def rules_of(impair: Impair, node: Node, ends: Sequence[str], nodes: Iterable[str], problems: list[Problem]) -> Directed:
    """The rules of one link between the nodes ``ends``, by direction; ``node`` is the mapping in the file."""
    directed: Directed = {}
    for key, files in impair.items():
        directions = _directions(key, node, ends, nodes, problems)
        rules = tuple(rule for file in files if (rule := _rule(file, problems)) is not None)
        for direction in directions:
            directed[direction] = directed.get(direction, ()) + rules
    return directed


def split_direction(key: str) -> Direction | None:
    """The two nodes of "a->b", or None if it is not written so."""
    source, arrow, target = (part.strip() for part in key.partition("->"))
    return (source, target) if arrow and source and target else None


def _directions(key: str, node: Node, ends: Sequence[str], nodes: Iterable[str], problems: list[Problem]) -> list[Direction]:
    a, b = ends
    if key == "both":
        return [(a, b), (b, a)]
    direction = split_direction(key)
    ways = f"{a}->{b}, {b}->{a} or both"
    if direction is None:
        problems.append(node.problem(key, message=f'"{key}" is no direction', fix=f"write {ways}", key=True))
    elif sorted(direction) != sorted(ends):
        unknown = [name for name in direction if name not in set(nodes)]
        fix = did_you_mean(key, (f"{a}->{b}", f"{b}->{a}")) or f"it may be {ways}"
        message = f'no node "{unknown[0]}"' if unknown else f"this link does not join {direction[0]} and {direction[1]}"
        problems.append(node.problem(key, message=message, fix=fix, key=True))
    else:
        return [direction]
    return []


def _rule(file: RuleFile, problems: list[Problem]) -> Rule | None:
    try:
        pattern = parse_packet(file.match)
    except NotationError as error:
        problems.append(file.node.problem("match", message=error.message, fix=error.fix, offset=error.offset))
        return None
    if file.action == "hold" and file.barrier is None:
        fix = "add barrier: NAME, and later a step release: NAME"
        problems.append(file.node.problem("action", message="a held packet needs a barrier to wait at", fix=fix))
        return None
    if file.action == "drop" and file.barrier is not None:
        fix = "action: hold holds it"
        problems.append(file.node.problem("barrier", message="a dropped packet waits at no barrier", fix=fix, key=True))
        return None
    occurrences = frozenset(file.nth)
    return Rule(match=pattern, action=file.action, occurrences=occurrences, barrier=file.barrier or "", place=file.place())
