"""Puts the members of a group in the group's place: nodes that are all alike, and names that stand for all of them.

It does not know what is said of a node, beyond its number and name.
"""

import re
from collections.abc import Mapping

from netlab.errors import Place, Problem, SpecError
from netlab.topology.expanding.include import Entries
from netlab.topology.reading.nodes import RESERVED
from netlab.topology.schema.forms import GroupKeys
from netlab.validate import Problems, validated
from netlab.yaml_nodes import Node

MAX_THINGS = 10_000
MAX_VALUES = 1_000_000

Groups = Mapping[str, tuple[str, ...]]
"""The names of each group's members."""

_KEYS = tuple(GroupKeys.model_fields)
_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")


class Budget:
    """How much a topology has become so far: nodes, links, and values in all of them."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._things = self._values = 0

    def take(self, count: int, weight: int, place: Place) -> None:
        """So many more nodes or links, each of so many values; raises SpecError when that is too much."""
        self._things += count
        self._values += count * weight
        if self._things > MAX_THINGS or self._values > MAX_VALUES:
            much = f"{MAX_THINGS:,} nodes and links" if self._things > MAX_THINGS else f"{MAX_VALUES:,} values in nodes and links"
            raise SpecError(*self._problems, Problem(place, f"with this the topology has more than {much}"))


def with_members(nodes: Node, budget: Budget, problems: Problems) -> tuple[Node, Groups]:
    """The nodes without groups, the members in their place; and who they are."""
    written = nodes.fields or {}
    groups: dict[str, tuple[str, ...]] = {}
    plain: Entries = {}
    same = True
    for name, (key, value) in written.items():
        own = [each for each in _KEYS if value.fields is not None and each in value.fields]
        if "count" not in own:
            for each in own:
                message = f'"{each}" is of groups, and there is no count'
                problems.append(value.problem(each, message=message, fix="add count:, or leave it out", key=True))
            budget.take(1, value.weight, key.place())
            plain[name] = (key, _without(value, own) if own else value)
            same = same and not own
            continue
        same = False
        base = _without(value, own)
        names = _names(name, key, value, problems)
        budget.take(len(names), base.weight, key.place())
        groups[name] = tuple(names)
        taken = [member for member in names if member in plain or (member in written and names != [name])]
        if taken:
            first = (plain.get(taken[0]) or written[taken[0]])[0].place().seen_from(key.place())
            message = f'"{taken[0]}", a member of the group {name}, is there already, in {first}'
            problems.append(key.problem(message=message, fix="give the members another name:"))
        for member in names:
            if member not in written or names == [name]:
                plain.setdefault(member, (key.as_text(member), base))
    return (nodes if same else nodes.as_mapping(plain)), groups


def members(listing: Node, groups: Groups) -> Node:
    """A list of nodes' names, with a group's members in its place."""
    written = listing.items or []
    if not any(isinstance(item.data, str) and item.data in groups for item in written):
        return listing
    items: list[Node] = []
    for item in written:
        here = groups.get(item.data) if isinstance(item.data, str) else None
        items += [item] if here is None else [item.as_text(name) for name in here]
    return listing.as_list(items)


def _names(group: str, key: Node, value: Node, problems: Problems) -> list[str]:
    fields = value.fields or {}
    keys, found = validated(GroupKeys, value.as_mapping({each: fields[each] for each in _KEYS if each in fields}))
    problems += found
    count = (keys.count if keys is not None else None) or 1
    first = keys.first if keys is not None else 1
    template = f"{group}{{n}}"
    if keys is not None and keys.name is not None:
        if group in RESERVED:
            message = f'a group cannot be called "{group}": the word has a meaning of its own'
            problems.append(key.problem(message=message, fix="choose another name"))
        elif not _NAME.fullmatch(group):
            fix = "a small letter, then small letters, digits and -, at most 63 in all"
            problems.append(key.problem(message=f'"{group}" is no name for a group', fix=fix))
        if "{n}" in keys.name or count == 1:
            template = keys.name
        else:
            message = f'all {count} members would be called "{keys.name}"'
            problems.append(value.problem("name", message=message, fix=f'write {{n}} where the number goes: "{keys.name}{{n}}"'))
    return [template.replace("{n}", str(number)) for number in range(first, first + count)]


def _without(value: Node, keys: list[str]) -> Node:
    return value.as_mapping({name: field for name, field in (value.fields or {}).items() if name not in keys})
