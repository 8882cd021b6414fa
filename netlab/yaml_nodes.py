"""A YAML value with its place, and what a plain scalar stands for in YAML 1.2's core schema. It reads no file and no meaning."""

import re
from typing import Any

from netlab.errors import Place, Problem

Part = str | int
"""One step into a document: a mapping's key or a list's index."""

_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_SPECIAL = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **{sign + dot: float(sign + "inf") for sign in ("", "+", "-") for dot in (".inf", ".Inf", ".INF")},
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
_TYPES = {"null": type(None), "bool": bool, "int": int, "float": float}
_LONGEST_NUMBER = 40
_ESCAPE = re.compile(r"\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)")


class Fields(dict[str, Any]):
    """A mapping as plain data that still knows its node."""

    def __init__(self, node: "Node", data: dict[str, Any]) -> None:
        super().__init__(data)
        self.node = node


class Items(list[Any]):
    """A list as plain data that still knows its node."""

    def __init__(self, node: "Node", data: list[Any]) -> None:
        super().__init__(data)
        self.node = node


class Node:
    """One value of a document. ``text`` is a scalar's text before it became data (None for a list or mapping), ``source`` how it
    is written if on one line, ``comment`` whether one follows on that line, ``flow`` whether a list or mapping is in brackets.

    ``block`` is how far a text after "|" is indented, None for all else. ``weight`` counts the values of a whole tree.
    """

    __slots__ = (
        "block", "column", "comment", "data", "fields", "file", "flow", "items", "line", "plain", "source", "text", "weight",
    )  # fmt: skip

    def __init__(self, file: str, line: int, column: int) -> None:
        self.file, self.line, self.column = file, line, column
        self.data: Any = None
        self.text: str | None = None
        self.source = ""
        self.comment = self.plain = self.flow = False
        self.block: int | None = None
        self.weight = 1
        self.fields: dict[str, tuple[Node, Node]] | None = None
        self.items: list[Node] | None = None

    def child(self, part: Part) -> "Node | None":
        """The value under this key or index, if there is one."""
        if self.fields is not None and str(part) in self.fields:
            return self.fields[str(part)][1]
        if self.items is not None and isinstance(part, int) and 0 <= part < len(self.items):
            return self.items[part]
        return None

    def at(self, *loc: Part) -> "Node":
        """The value at a location; parts that do not exist (a schema's own words among them) are passed over."""
        node = self
        for part in loc:
            node = node.child(part) or node
        return node

    def place(self, *loc: Part, key: bool = False, offset: int = 0) -> Place:
        """Where the value at a location stands, or its key, or the character at an offset in its text."""
        if key and loc:
            parent = self.at(*loc[:-1])
            if parent.fields is not None and str(loc[-1]) in parent.fields:
                return parent.fields[str(loc[-1])][0].place(offset=offset)
        node = self.at(*loc)
        if offset and node.block is not None and node.text is not None:
            before = node.text[:offset]
            return Place(node.file, node.line + 1 + before.count("\n"), node.block + offset - before.rfind("\n"))
        return Place(node.file, node.line, node.column + (node._written_offset(offset) if offset else 0))

    def problem(self, *loc: Part, message: str, fix: str = "", key: bool = False, offset: int = 0) -> Problem:
        """Something wrong at a location."""
        return Problem(self.place(*loc, key=key, offset=offset), message, fix)

    def as_text(self, text: str) -> "Node":
        """A text that stands where this value does."""
        node = Node(self.file, self.line, self.column)
        node.text = node.data = text
        return node

    def as_value(self, other: "Node") -> "Node":
        """Another value, at the place of this one; what is inside of a list or mapping keeps its own."""
        if other.fields is not None:
            return self.as_mapping(other.fields)
        if other.items is not None:
            return self.as_list(other.items)
        node = self.as_text(other.text or "")
        node.data, node.plain, node.comment = other.data, other.plain, self.comment
        return node

    def as_mapping(self, fields: "dict[str, tuple[Node, Node]]") -> "Node":
        """A mapping that stands where this value does: each key's name, its node and its value."""
        node = Node(self.file, self.line, self.column)
        node.fields, node.flow = fields, self.flow
        node.data = Fields(node, {name: value.data for name, (_, value) in fields.items()})
        node.weight = 1 + len(fields) + sum([value.weight for _, value in fields.values()])
        return node

    def as_list(self, items: "list[Node]") -> "Node":
        """A list that stands where this value does."""
        node = Node(self.file, self.line, self.column)
        node.items, node.flow = items, self.flow
        node.data = Items(node, [item.data for item in items])
        node.weight = 1 + sum([item.weight for item in items])
        return node

    def _written_offset(self, offset: int) -> int:
        """How far into the source the character at an offset of the text is: quotes and escapes take room."""
        if not self.source:
            return 0
        if self.plain:
            return min(offset, len(self.source))
        position, last = 1, len(self.source) - 1
        for _ in range(offset):
            if position >= last:
                break
            escape = _ESCAPE.match(self.source, position) if self.source[0] == '"' else None
            doubled = self.source[0] == "'" and self.source.startswith("''", position)
            position += len(escape[0]) if escape else 2 if doubled else 1
        return min(position, last)


def scalar(text: str, tag: str = "") -> Any:
    """What a plain scalar stands for: null, a truth value, a number, else text. ``tag`` ("int", "str" ...) demands one of them."""
    if tag == "str":
        return text
    if tag not in ("", *_TYPES):
        raise ValueError(f"the tag !!{tag} is not allowed")
    value = _resolved(text)
    if tag == "float" and type(value) is int:
        return float(value)
    if tag and type(value) is not _TYPES[tag]:
        raise ValueError(f'"{text}" is no {tag}')
    return value


def _resolved(text: str) -> Any:
    if text in _SPECIAL:
        return _SPECIAL[text]
    if text[0] not in "-+.0123456789":
        return text
    if _INTEGER.fullmatch(text):
        if len(text) > _LONGEST_NUMBER:
            raise ValueError(f"a number of {len(text)} digits is too long")
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    return float(text) if _FLOAT.fullmatch(text) else text
