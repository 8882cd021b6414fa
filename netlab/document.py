"""Reads a YAML file into plain data that remembers where everything stands: file, line and column of every key and value.

YAML 1.2 core tags only. What could be a trap (a key written twice, aliases that blow up or go in circles, too deep, too large) is
refused with its place. It does not know what any key means.
"""

import os
import re
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Self

import yaml

from netlab.errors import Place, Problem, SpecError
from netlab.yaml_nodes import Fields, Items, Node, Part, scalar

MAX_BYTES = 1 << 20
MAX_NODES = 100_000
MAX_DEPTH = 64

Sources = dict[str, bytes | None]
"""What files held when they were read, by their paths; None for a path that leads to another of them."""

_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_COMMENT = re.compile(r"[ \t]+#")
_MODELINE = re.compile(r"#\s*(yaml-language-server:|-\*-|vim?:)|#!")


class Document:
    """A YAML document: ``data`` as plain values, ``root`` with their places, ``intent`` the comment on top of the file."""

    def __init__(self, file: str, text: str, root: Node) -> None:
        self.file, self.text, self.root = file, text, root
        self.data: Any = root.data
        self.intent = _intent(text)

    @classmethod
    def read(cls, path: str | Path, named: Place | None = None, sources: Sources | None = None) -> Self:
        """Read a file; raises SpecError if it cannot be read as YAML, whatever it holds. ``named`` is where another file names it,
        which is told when it cannot be opened; ``sources`` gets what it holds."""
        file = str(path)
        try:
            with open(path, "rb", opener=_without_waiting if named is not None else None) as source:
                status = os.fstat(source.fileno())
                if named is not None and not stat.S_ISREG(status.st_mode):
                    raise _unopened(file, named, "this is no regular file")
                size = status.st_size
                raw = source.read(MAX_BYTES + 1) if size <= MAX_BYTES else b""
        except FileNotFoundError:
            raise _unopened(file, named, "there is no such file", _similar(Path(path))) from None
        except IsADirectoryError:
            raise _unopened(file, named, "this is a directory, not a file") from None
        except (OSError, ValueError) as error:
            reason = (error.strerror if isinstance(error, OSError) else "") or str(error)
            raise _unopened(file, named, f"cannot be read: {reason}") from None
        if size > MAX_BYTES or len(raw) > MAX_BYTES:
            told = f"{size / 2**20:.1f} MB" if size > MAX_BYTES else "more"
            raise _refused(file, f"the file is too large: {told}, at most 1 MB is read", "is this the right file?")
        if sources is not None:
            sources[file] = raw
        return cls.parse(_decoded(raw, file), file)

    @classmethod
    def parse(cls, text: str, name: str) -> Self:
        """Read YAML from a text; ``name`` stands for the file in places."""
        if len(text) > MAX_BYTES:
            raise _refused(name, "the text is too large: at most 1 MB is read")
        if bad := _UNPRINTABLE.search(text):
            what = f"character U+{ord(bad[0]):04X} is not allowed in YAML"
            raise SpecError(Problem(_place_of(text, bad.start(), name), what, "this does not look like a text file"))
        return cls(name, text, _Composer(text, name).compose())

    def node(self, loc: tuple[Part, ...] = ()) -> Node:
        """What stands at a location; parts that do not exist there are passed over."""
        return self.root.at(*loc)

    def place(self, loc: tuple[Part, ...] = (), *, key: bool = False, offset: int = 0) -> Place:
        """Where a value stands (or its key), or a character within a text on one line."""
        return self.root.place(*loc, key=key, offset=offset)


class _Composer:
    """Turns libyaml's events into nodes, counting what they expand to before anything is expanded."""

    def __init__(self, text: str, file: str) -> None:
        self._text, self._file = text, file
        self._lines = text.splitlines()
        self._anchors: dict[str, Node] = {}
        self._open: list[Node] = []
        self._weight = 0

    def compose(self) -> Node:
        """The only document of the text."""
        root: Node | None = None
        try:
            loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
            events: Iterator[Any] = yaml.parse(self._text, Loader=loader)
            for event in events:
                if isinstance(event, yaml.DocumentStartEvent) and root is not None:
                    raise self._problem(event, "a second document begins here", "write one document a file")
                if isinstance(event, yaml.NodeEvent):
                    root = self._value(event, events)
        except yaml.MarkedYAMLError as error:
            raise self._syntax(error) from None
        except yaml.YAMLError as error:
            raise _refused(self._file, f"this is not YAML: {error}") from None
        if root is None or (root.data is None and root.text == ""):
            raise _refused(self._file, "the file says nothing: it is empty, or all of it is comments")
        return root

    def _value(self, event: Any, events: Iterator[Any]) -> Node:
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        node = Node(self._file, event.start_mark.line + 1, event.start_mark.column + 1)
        self._count(event, 1)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event, node)
            return node
        if len(self._open) >= MAX_DEPTH:
            raise self._problem(event, f"nested deeper than {MAX_DEPTH} levels")
        if event.tag not in (None, "!", f"tag:yaml.org,2002:{'map' if isinstance(event, yaml.MappingStartEvent) else 'seq'}"):
            raise self._problem(event, f"the tag {_tag(event.tag)} is not allowed", "only plain YAML is read")
        before = self._weight
        node.flow = bool(event.flow_style)
        self._open.append(node)
        if isinstance(event, yaml.MappingStartEvent):
            self._mapping(node, events)
        else:
            node.items = []
            while not isinstance(event := next(events), yaml.SequenceEndEvent):
                node.items.append(self._value(event, events))
            node.data = Items(node, [item.data for item in node.items])
        self._open.pop()
        node.weight = 1 + self._weight - before
        return node

    def _mapping(self, node: Node, events: Iterator[Any]) -> None:
        node.fields = {}
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            key = self._value(event, events)
            if key.text is None:
                raise self._problem(event, "a key must be a plain word, not a list or a mapping")
            if key.text in node.fields:
                first = node.fields[key.text][0]
                message = f'the key "{key.text}" is written twice, first in line {first.line}'
                raise self._problem(event, message, "remove one of the two")
            node.fields[key.text] = (key, self._value(next(events), events))
        node.data = Fields(node, {name: value.data for name, (_, value) in node.fields.items()})

    def _scalar(self, event: Any, node: Node) -> None:
        node.text = event.value
        node.plain = not event.style
        plain = event.implicit[0] and event.tag is None
        if event.tag not in (None, "!") and not event.tag.startswith("tag:yaml.org,2002:"):
            raise self._problem(event, f"the tag {_tag(event.tag)} is not allowed", "only plain YAML is read")
        name = (event.tag or "").removeprefix("tag:yaml.org,2002:")
        try:
            node.data = scalar(event.value, name) if plain or name not in ("", "!") else event.value
        except ValueError as error:
            raise self._problem(event, str(error)) from None
        if event.start_mark.line == event.end_mark.line and event.style in (None, "", "'", '"'):
            line = self._lines[event.start_mark.line] if event.start_mark.line < len(self._lines) else ""
            # libyaml starts a scalar's mark at its anchor or tag
            width = event.end_mark.column - event.start_mark.column
            written = line[event.start_mark.column : event.end_mark.column]
            node.source = written if len(written) == width and event.anchor is None and event.tag is None else ""
            node.comment = _COMMENT.match(line, event.end_mark.column) is not None
        elif event.style == "|" and event.anchor is None and event.tag is None:
            node.block = self._indentation(event)

    def _indentation(self, event: Any) -> int | None:
        """How far the lines of a block are indented in the file."""
        for number, line in enumerate(event.value.split("\n"), event.start_mark.line + 1):
            if line.strip() and number < len(self._lines) and self._lines[number].endswith(line):
                return len(self._lines[number]) - len(line)
        return None

    def _alias(self, event: Any) -> Node:
        node = self._anchors.get(event.anchor)
        if node is None:
            known = _closest(event.anchor, self._anchors)
            raise self._problem(event, f"no anchor &{event.anchor} before this", f"did you mean *{known[0]}?" if known else "")
        if any(node is other for other in self._open):
            raise self._problem(event, f"*{event.anchor} stands inside of &{event.anchor}, so it would never end")
        self._count(event, node.weight)
        return node

    def _count(self, event: Any, weight: int) -> None:
        self._weight += weight
        if self._weight > MAX_NODES:
            aliases = isinstance(event, yaml.AliasEvent)
            fix = "aliases of aliases multiply" if aliases else "is this the right file?"
            message = f"the document has more than {MAX_NODES:,} values" + (" with this alias" if aliases else "")
            raise self._problem(event, message, fix)

    def _problem(self, event: Any, message: str, fix: str = "") -> SpecError:
        mark = event.start_mark
        return SpecError(Problem(Place(self._file, mark.line + 1, mark.column + 1), message, fix))

    def _syntax(self, error: yaml.MarkedYAMLError) -> SpecError:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line, mark.column) if mark is not None else (0, 0)
        around = self._lines[line] if line < len(self._lines) else ""
        char = around[column : column + 1]
        fix = ""
        if error.problem and "mapping values are not allowed" in error.problem:
            fix = "a text with ': ' in it must be quoted as a whole, in '...'"
        elif char == "\t" or around[: len(around) - len(around.lstrip())].count("\t"):
            fix = "indent with spaces, not with tabs"
        elif char in ("@", "`", "%", "|", ">"):
            fix = f"a text that begins with {char} must be quoted"
        elif char == "{" and around[column - 1 : column].strip(" ,:[]{}"):
            fix = 'inside of [...] and {...} a text with a { in it must be quoted, in "..."'
        elif error.problem and "did not find expected" in error.problem:
            fix = "is a bracket or quote not closed, or the indentation uneven?"
        told = ", ".join(part for part in (error.context, error.problem) if part)
        return SpecError(Problem(Place(self._file, line + 1, column + 1), f"this is not YAML: {told}", fix))


def _without_waiting(path: str, flags: int) -> int:
    """Opening a pipe waits for its writer otherwise, and an included file is no pipe."""
    return os.open(path, flags | os.O_NONBLOCK)


def _tag(tag: str) -> str:
    return tag.replace("tag:yaml.org,2002:", "!!")


def _refused(file: str, message: str, fix: str = "") -> SpecError:
    return SpecError(Problem(Place(file, 1, 1), message, fix))


def _unopened(file: str, named: Place | None, message: str, fix: str = "") -> SpecError:
    return _refused(file, message, fix) if named is None else SpecError(Problem(named, f"{file}: {message}", fix))


def _similar(path: Path) -> str:
    try:
        names = [entry for entry in os.listdir(path.parent) if not entry.startswith(".")]
    except OSError:
        return ""
    close = _closest(path.name, names)
    return f'did you mean "{path.parent / close[0]}"?' if close else ""


def _closest(name: str, names: Iterable[str]) -> list[str]:
    from difflib import get_close_matches  # what is written without a mistake need not wait for it

    return get_close_matches(name, list(names), n=1)


def _decoded(raw: bytes, file: str) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8", "replace")
        fix = "save the file as UTF-8" if b"\0" not in raw else "this does not look like a text file"
        message = f"byte 0x{raw[error.start]:02x} is not UTF-8"
        raise SpecError(Problem(_place_of(before, len(before), file), message, fix)) from None


def _place_of(text: str, offset: int, file: str) -> Place:
    before = text[:offset]
    return Place(file, before.count("\n") + 1, offset - before.rfind("\n"))


def _intent(text: str) -> str:
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith("#"):
            if lines or not _MODELINE.match(line):
                lines.append(line[1:].removeprefix(" ").rstrip())
        elif lines or (line.strip() and line.strip() != "---"):
            break
    return "\n".join(lines).strip()
