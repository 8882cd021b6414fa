"""Puts the values of variables in the place of "${name}", in every text of a topology; a "$${" becomes a plain "${".

It does not know what any key means.
"""

import re
from collections.abc import Mapping
from typing import Self

from netlab.document import MAX_BYTES, MAX_DEPTH, MAX_NODES
from netlab.errors import Problem, SpecError
from netlab.topology.expanding.include import Entries
from netlab.validate import Problems, did_you_mean, named, shown
from netlab.yaml_nodes import Node, scalar

_REFERENCE = re.compile(r"\$\$\{|\$\{([^{}]*)(\})?")
_WHOLE = re.compile(r"\$\{([^{}]*)\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_MOST_OPEN = 32


class Settings:
    """Values for variables, from outside of the topologies that declare them. It learns which names some topology declared."""

    def __init__(self, values: Mapping[str, Node]) -> None:
        self.values = values
        self.declared: set[str] = set()

    @classmethod
    def of(cls, texts: Mapping[str, str] | None) -> Self:
        """As ``--set NAME=VALUE`` gives them: a value is what YAML would take it for."""
        values: dict[str, Node] = {}
        for name, text in (texts or {}).items():
            node = Node(f"--set {name}", 0, 0).as_text(text)
            try:
                node.data = scalar(text)
            except ValueError as error:
                raise SpecError(node.problem(message=str(error))) from None
            values[name] = node
        return cls(values)

    def check(self) -> None:
        """Once every topology is read: raises SpecError if there are names that none of them declared."""
        fixes = {name: self.meant(name) for name in self.values if name not in self.declared}
        told = [Problem(self.values[name].place(), f'no variable "{name}" is declared', fix) for name, fix in fixes.items()]
        if told:
            raise SpecError(*told)

    def meant(self, name: str) -> str:
        """What to do about a name that is not declared."""
        known = f"the variables are {named(sorted(self.declared))}" if self.declared else "there are none: add vars:"
        return did_you_mean(name, self.declared) or known


class Variables:
    """The variables of one topology: those declared, with what the settings give in their stead."""

    def __init__(self, declared: Entries, settings: Settings, problems: Problems) -> None:
        self._declared, self._settings, self._problems = declared, settings, problems
        self._values: dict[str, Node | None] = {}
        self._heights: dict[Node, int] = {}
        self._open: list[str] = []
        self._length = 0
        settings.declared |= set(declared)
        for name, (key, _) in declared.items():
            if not _NAME.fullmatch(name):
                fix = "a letter or _, then letters, digits, _ and -"
                problems.append(key.problem(message=f'"{name}" is no name for a variable', fix=fix))
            self._value(name, key, 0, 0)

    def filled(self, node: Node, level: int = 0) -> Node:
        """The same tree with values in the place of names; what has none in it stays the very same node."""
        if node.text is not None:
            return self._scalar(node, level) if "${" in node.text else node
        if level > MAX_DEPTH:
            raise SpecError(*self._problems, node.problem(message=f"nested deeper than {MAX_DEPTH} levels, with its variables"))
        if node.items is not None:
            items = [self.filled(item, level + 1) for item in node.items]
            if all(new is old for new, old in zip(items, node.items, strict=True)):
                return node
            return self._counted(node.as_list(items))
        changed = False
        fields: Entries = {}
        for name, (key, value) in (node.fields or {}).items():
            new = self.filled(value, level + 1)
            text = self._text(key, level) if "${" in name else name
            changed = changed or new is not value or text != name
            if text in fields:
                first = fields[text][0].place().seen_from(key.place())
                self._say(key, 0, f'the key "{text}" is written twice, first in {first}', "remove one of the two")
            fields[text] = (key if text == name else key.as_text(text), new)
        return self._counted(node.as_mapping(fields)) if changed else node

    def _scalar(self, node: Node, level: int) -> Node:
        whole = _WHOLE.fullmatch(node.text or "")
        if whole is None:
            return node.as_text(self._text(node, level))
        value = self._value(whole[1], node, 0, level)
        if value is None:
            return node
        if level + self._height(value) > MAX_DEPTH:
            message = f"nested deeper than {MAX_DEPTH} levels, with its variables"
            raise SpecError(*self._problems, node.problem(message=message))
        return node.as_value(value)

    def _text(self, node: Node, level: int) -> str:
        def text(found: re.Match[str]) -> str:
            if found[0] == "$${":
                return "${"
            if not found[2]:
                self._say(node, found.start(), 'this "${" is not closed', "write ${NAME}, or $${ for a plain ${")
                return ""
            value = self._value(found[1], node, found.start(), level)
            if value is not None and value.text is None:
                message = f'the value of "{found[1]}" is {shown(value.data)}, which cannot stand within a text'
                self._say(node, found.start(), message, f"write ${{{found[1]}}} alone, as the whole value")
                return ""
            return "" if value is None or value.data is None else value.text or ""

        made = _REFERENCE.sub(text, node.text or "")
        self._length += len(made)
        if self._length > MAX_BYTES:
            raise SpecError(*self._problems, node.problem(message="variables make more than 1 MB of text"))
        return made

    def _value(self, name: str, user: Node, offset: int, level: int) -> Node | None:
        """A variable's value; None where there is none, which is told."""
        if name in self._open:
            chain = " -> ".join([*self._open[self._open.index(name) :], name])
            self._say(user, offset, f'the value of "{name}" is made of itself: {chain}', "write one of these out")
            return None
        if name not in self._values:
            if name not in self._declared:
                fix = did_you_mean(name, self._declared) or f"declare it under vars:, or write $${{{name}}} for a plain ${{{name}}}"
                self._say(user, offset, f'no variable "{name}"', fix)
                return None
            if len(self._open) >= _MOST_OPEN:
                raise SpecError(*self._problems, user.problem(message=f"variables of variables, more than {_MOST_OPEN} deep"))
            self._open.append(name)
            given = self._settings.values.get(name)
            self._values[name] = self.filled(self._declared[name][1], level + 1) if given is None else given
            self._open.pop()
        return self._values[name]

    def _height(self, node: Node) -> int:
        below = node.items if node.items is not None else [value for _, value in (node.fields or {}).values()]
        if node.text is None and node not in self._heights:
            self._heights[node] = 1 + max((self._height(each) for each in below), default=0)
        return self._heights.get(node, 0)

    def _counted(self, node: Node) -> Node:
        if node.weight > MAX_NODES:
            raise SpecError(*self._problems, node.problem(message=f"more than {MAX_NODES:,} values, with its variables"))
        return node

    def _say(self, node: Node, offset: int, message: str, fix: str) -> None:
        self._problems.append(node.problem(message=message, fix=fix, offset=offset))
