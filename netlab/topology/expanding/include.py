"""Gathers a topology file and all that it includes into one mapping, in which each value keeps its own file's place.

It does not know what a node or a link is, beyond that nodes have names and links are listed.
"""

import os
from pathlib import Path

from netlab.document import MAX_NODES, Document, Sources
from netlab.errors import SpecError
from netlab.validate import Problems, shown
from netlab.yaml_nodes import Node

MAX_DEPTH = 16
MAX_FILES = 200

Entries = dict[str, tuple[Node, Node]]
"""A mapping's keys, each with its node and its value's."""

_JOINED = {"nodes": "a mapping", "vars": "a mapping", "links": "a list", "overlays": "a list"}
_OWN = ("include", "name")


def gathered(root: Node, problems: Problems, sources: Sources | None = None) -> tuple[Node, Entries]:
    """The whole topology without its ``include`` and ``vars``, and the variables that it declares, the last value of each.

    ``sources`` gets what the included files hold.
    """
    files = _Files(problems, {} if sources is None else sources)
    files.add(root, [])
    fields = dict(root.fields or {})
    if len(files.found) > 1:
        fields = _joined(files.found, problems)
    fields.pop("include", None)
    variables = fields.pop("vars", None)
    declared: Entries = {}
    if variables is not None:
        if variables[1].fields is None:
            problems.append(variables[1].problem(message=f"this must be a mapping, not {shown(variables[1].data)}"))
        declared = variables[1].fields or {}
    same = len(files.found) == 1 and len(fields) == len(root.fields or {})
    return (root if same else root.as_mapping(fields)), declared


class _Files:
    """The files of one topology, those included before those that include them, each once."""

    def __init__(self, problems: Problems, sources: Sources) -> None:
        self._problems, self._sources = problems, sources
        self._seen: set[str] = set()
        self._weight = 0
        self.found: list[Node] = []

    def add(self, root: Node, above: list[str]) -> None:
        """A file's topology and all that it includes; ``above`` are the files on the way to it."""
        self._weight += root.weight
        own = os.path.realpath(root.file)
        self._seen.add(own)
        said = root.child("include")
        if said is not None:
            for entry in [said] if said.items is None else said.items:
                self._include(entry, [*above, own])
        self.found.append(root)

    def _include(self, entry: Node, above: list[str]) -> None:
        if not isinstance(entry.data, str) or not entry.data:
            self._say(entry, f"this must be the path of a topology file, not {shown(entry.data)}")
            return
        if "${" in entry.data:
            self._say(entry, "a file's name has no variables: they are known only when every file is read", "write the name out")
            return
        path = Path(entry.file).parent / entry.data
        real = os.path.realpath(path) if "\0" not in entry.data else entry.data
        if real in above:
            chain = " -> ".join([*(os.path.basename(each) for each in above[above.index(real) :]), os.path.basename(real)])
            self._say(entry, f"{path} includes itself: {chain}", "leave one of these out")
        elif len(above) > MAX_DEPTH:
            self._say(entry, f"files include each other more than {MAX_DEPTH} levels deep")
        elif real not in self._seen:
            self._read(path, entry, above)
        else:
            self._sources.setdefault(str(path), None)

    def _read(self, path: Path, entry: Node, above: list[str]) -> None:
        if len(self._seen) >= MAX_FILES:
            raise SpecError(*self._problems, entry.problem(message=f"more than {MAX_FILES} files are included"))
        try:
            root = Document.read(path, entry.place(), self._sources).root
        except SpecError as error:
            self._seen.add(os.path.realpath(path))
            self._problems.extend(error.problems)
            return
        if self._weight + root.weight > MAX_NODES:
            message = f"with {path} the topology has more than {MAX_NODES:,} values"
            raise SpecError(*self._problems, entry.problem(message=message, fix="is this the right file?"))
        if root.fields is None:
            message = f"a topology is a mapping, not {shown(root.data)}"
            self._problems.append(root.problem(message=message, fix="write nodes: and links:"))
            return
        for key, wanted in _JOINED.items():
            value = root.child(key)
            if value is not None and (value.items if wanted == "a list" else value.fields) is None:
                self._problems.append(value.problem(message=f"this must be {wanted}, not {shown(value.data)}"))
        self.add(root, above)

    def _say(self, entry: Node, message: str, fix: str = "") -> None:
        self._problems.append(entry.problem(message=message, fix=fix))


def _joined(files: list[Node], problems: Problems) -> Entries:
    """The keys of all files; the last file is the one that includes the others."""
    fields: Entries = {}
    for file in files:
        for name, (key, value) in (file.fields or {}).items():
            before = fields.get(name)
            if name in _OWN and file is not files[-1]:
                continue
            if before is None or name not in _JOINED:
                fields[name] = (key, value)
            elif before[1].items is not None and value.items is not None:
                fields[name] = (key, value.as_list([*before[1].items, *value.items]))
            elif before[1].fields is not None and value.fields is not None:
                if name == "nodes":
                    _twice(before[1].fields, value.fields, problems)
                fields[name] = (key, value.as_mapping({**before[1].fields, **value.fields}))
            else:
                fields[name] = (key, value)
    return fields


def _twice(before: Entries, after: Entries, problems: Problems) -> None:
    for name, (key, _) in after.items():
        if name in before:
            first = before[name][0].place().seen_from(key.place())
            problems.append(key.problem(message=f'the node "{name}" is there already, in {first}', fix="rename one of the two"))
