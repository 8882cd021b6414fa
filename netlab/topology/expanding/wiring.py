"""Puts plain links, of two nodes each, in the place of those that name groups, paths or shared segments.

It does not know what is said of a link, beyond which of its keys name nodes.
"""

from collections.abc import Sequence
from itertools import combinations, pairwise, product

from netlab.topology.expanding.groups import Budget, Groups
from netlab.topology.expanding.include import Entries
from netlab.topology.expanding.keyed import End, Pair, by_direction, by_node
from netlab.topology.expanding.pieces import cut
from netlab.topology.schema.forms import FORMS, PathKeys
from netlab.validate import Problems, did_you_mean, named, shown, validated
from netlab.yaml_nodes import Node

_LEAST = {"line": 2, "ring": 3, "mesh": 2}
_BY_NODE = ("addresses", "mac", "vlans")


class Wiring:
    """The links of one topology while they become plain. ``nodes`` are its nodes by then; ``switches`` are those of segments, to be
    added to them. ``unknown`` are names that are neither nodes nor groups, which is told."""

    def __init__(self, nodes: Entries, groups: Groups, budget: Budget, problems: Problems) -> None:
        self._nodes, self._groups, self._budget, self._problems = nodes, groups, budget, problems
        self._named: set[str] = set()
        self._mentioned: list[Node] = []
        self.unknown: set[str] = set()
        self.switches: Entries = {}

    def plain(self, links: Node) -> Node:
        """The list of plain links; the very same one if there was nothing to do."""
        items = links.items or []
        self._named = {str(found.data) for link in items if (found := link.child("name")) is not None}
        made: list[Node] = []
        for link in items:
            made += self._link(link)
        if self._groups:
            self._strangers()
        same = len(made) == len(items) and all(new is old for new, old in zip(made, items, strict=True))
        return links if same else links.as_list(made)

    def _link(self, link: Node) -> Sequence[Node]:
        fields = link.fields or {}
        forms = [form for form in fields if form in FORMS]
        if len(forms) > 1:
            message = f"a link has one of {', '.join(FORMS)}, and here are {' and '.join(forms)}"
            self._problems.append(link.problem(forms[1], message=message, fix="make it two links", key=True))
            return ()
        if forms and forms[0] in _LEAST:
            return self._path(link, forms[0])
        said = link.at("endpoints").items if forms else None
        texts = [each.data for each in said or () if isinstance(each.data, str)]
        if said is not None and len(said) > 2:
            wrong = [each for each in said if not isinstance(each.data, str)]
            self._problems += [each.problem(message=f"this must be text, not {shown(each.data)}") for each in wrong]
            return () if wrong else self._segment(link, said)
        if "name" in fields:
            link = self._nameless(link)
        if said is None or not len(texts) == len(said) == 2 or not any(text.partition(":")[0] in self._groups for text in texts):
            self._budget.take(1, link.weight, link.place())
            self._mentioned += [each for each in said or () if isinstance(each.data, str)]
            return [link]
        a, b = said
        if a.data.partition(":")[0] == b.data.partition(":")[0]:
            group = a.data.partition(":")[0]
            fix = f"mesh: [{group}] links every two of its members"
            self._problems.append(link.problem("endpoints", message=f"both ends of the link are the group {group}", fix=fix))
            return ()
        ends, others = self._ends(a), self._ends(b)
        self._budget.take(len(ends) * len(others), link.weight, link.place())
        return self._links(link, list(product(ends, others)))

    def _path(self, link: Node, form: str) -> Sequence[Node]:
        fields = link.fields or {}
        if "name" in fields:
            link = self._nameless(link)
        keys, found = validated(PathKeys, link.as_mapping({form: fields[form]}))
        self._problems += found
        said = link.at(form)
        if found or keys is None:
            return ()
        ends = [end for item in ([said] if said.items is None else said.items) for end in self._ends(item)]
        if len(ends) < _LEAST[form]:
            message = f"a {form} joins at least {_LEAST[form]} nodes, and here {'is' if len(ends) == 1 else 'are'} {len(ends)}"
            self._problems.append(said.problem(message=message))
            return ()
        count = {"line": len(ends) - 1, "ring": len(ends), "mesh": len(ends) * (len(ends) - 1) // 2}[form]
        self._budget.take(count, link.weight, link.place())
        if form == "mesh":
            return self._links(link, list(combinations(ends, 2)))
        return self._links(link, list(pairwise([*ends, ends[0]] if form == "ring" else ends)))

    def _segment(self, link: Node, said: list[Node]) -> Sequence[Node]:
        fields = dict(link.fields or {})
        ends = [end for item in said for end in self._ends(item)]
        self._budget.take(len(ends) + 1, link.weight, link.place())
        given = fields.pop("name", None)
        key = link.as_text(self._free_name()) if given is None else self._given_name(given[1])
        kind = (link.as_text("kind"), link.as_text("switch"))
        subnets = fields.pop("subnets", None)
        self.switches[key.data] = key, link.as_mapping({"kind": kind} | ({} if subnets is None else {"subnets": subnets}))
        switch = End(key.data, "", key)
        return self._links(link.as_mapping(fields), [(end, switch) for end in ends])

    def _strangers(self) -> None:
        members = {member for group in self._groups.values() for member in group}
        known = [name for name in (*self._groups, *self._nodes, *self.switches) if name not in members]
        for said in self._mentioned:
            name = said.data.partition(":")[0]
            if name not in members and not self._taken(name):
                fix = did_you_mean(name, known) or f"they are {named(sorted(known))}"
                self._problems.append(said.problem(message=f'no node or group "{name}"', fix=fix))
                self.unknown.add(name)

    def _free_name(self) -> str:
        number = 1
        while self._taken(f"lan{number}") or f"lan{number}" in self._named:
            number += 1
        return f"lan{number}"

    def _given_name(self, name: Node) -> Node:
        keys, found = validated(PathKeys, name.as_mapping({"name": (name, name)}))
        self._problems += found
        if keys is None or keys.name is None:
            return name.as_text(self._free_name())
        if not self._taken(keys.name):
            return name
        first = self._nodes.get(keys.name) or self.switches.get(keys.name)
        where = f"by what stands in {first[0].place().seen_from(name.place())}" if first is not None else "by a group"
        message = f'the name "{keys.name}" is taken, {where}'
        self._problems.append(name.problem(message=message, fix="choose another for this segment's switch"))
        return name.as_text(self._free_name())

    def _taken(self, name: str) -> bool:
        return name in self._nodes or name in self._groups or name in self.switches

    def _nameless(self, link: Node) -> Node:
        message = '"name" is of shared segments, and this link has no three endpoints'
        self._problems.append(link.problem("name", message=message, fix="leave it out", key=True))
        return link.as_mapping({name: field for name, field in (link.fields or {}).items() if name != "name"})

    def _ends(self, said: Node) -> list[End]:
        """The end that a text stands for, or one for each member of the group that it names."""
        name, colon, interface = str(said.data).partition(":")
        self._mentioned.append(said)
        if name not in self._groups:
            return [End(name, "", said)]
        return [End(member, name, said.as_text(f"{member}{colon}{interface}")) for member in self._groups[name]]

    def _links(self, link: Node, pairs: list[Pair]) -> list[Node]:
        written = link.fields or {}
        key, where = next((written[form][0], written[form][1]) for form in FORMS if form in written)
        key = key.as_text("endpoints")
        shared = {name: field for name, field in written.items() if name not in FORMS}
        dealt: list[tuple[str, Node, list[Node]]] = []
        for name, (own, value) in shared.items():
            if name in _BY_NODE and value.fields is not None:
                dealt.append((name, own, by_node(value, pairs)))
            elif name == "impair" and value.fields is not None:
                dealt.append((name, own, by_direction(value, pairs)))
            elif name == "subnets" and value.items is not None:
                dealt.append((name, own, self._subnets(value, pairs)))
        made: list[Node] = []
        for i, (a, b) in enumerate(pairs):
            fields = {**shared, "endpoints": (key, where.as_list([a.said, b.said]))}
            for name, own, values in dealt:
                fields[name] = own, values[i]
            made.append(link.as_mapping(fields))
        return made

    def _subnets(self, value: Node, pairs: list[Pair]) -> list[Node]:
        """A piece of each pool for every link. Links to switches share a segment, and so have the subnets whole."""
        switches = [next((end.node for end in pair if self._is_switch(end.node)), "") for pair in pairs]
        if all(switches):
            return [value] * len(pairs)
        if any(switches):
            some = named(dict.fromkeys(name for name in switches if name))
            message = f"these subnets cannot be cut into one for each link: {some} joins links into one segment"
            self._problems.append(value.problem(message=message, fix="give the switch its subnets, or leave them out"))
            return [value.as_list([])] * len(pairs)
        return cut(value, len(pairs), self._problems)

    def _is_switch(self, name: str) -> bool:
        field = self._nodes.get(name) or self.switches.get(name)
        kind = field[1].child("kind") if field is not None else None
        return kind is not None and kind.data == "switch"
