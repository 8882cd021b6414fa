"""A bundle's scenario as plain data that stands alone: the claim out of its file, the topology with all that it includes and with
every variable's value. And the way back: such data as a bundle. It runs nothing.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

import netlab
from netlab.bundle.loading import loaded
from netlab.bundle.spec import Bundle
from netlab.document import Document
from netlab.errors import Place, Problem, SpecError
from netlab.shrink.networks import ends_of
from netlab.shrink.written import written
from netlab.topology.expanding.expand import expanded
from netlab.topology.expanding.variables import Settings
from netlab.topology.load import find_topology
from netlab.validate import Problems
from netlab.yaml_nodes import Node

Data = dict[str, Any]

FILE = "shrunk.yaml"
_CLAIM = ("statement", "sources", "note", "from_notes", "exclusive")
_LAST = ("topology", "impair", "timeout", "steps")
SMALLEST = ("one-host", "two-hosts")
"""Topologies that ship, which a shrunk one may have become."""


def opened(bundle: Bundle) -> Data:
    """The bundle's scenario, with its topology inline. Raises SpecError for what is wrong with the bundle's files."""
    with loaded(bundle):
        pass  # all that is wrong is told at places in the bundle's files; from here on nothing is
    with TemporaryDirectory(prefix="netlab-shrink-") as folder:
        for name, text in bundle.files.items():
            path = Path(folder, *name.split("/"))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return _scenario(Document.read(Path(folder, *bundle.file.split("/"))), bundle)


def closed(bundle: Bundle, data: Data, intent: str = "") -> Bundle:
    """The bundle with this data as its scenario, whose rules decide by themselves: nothing is recorded of it."""
    text = written(data, intent)
    return msgspec.structs.replace(bundle, files={FILE: text}, file=FILE, decisions=(), settings={}, rules=())


def named_topology(bundle: Bundle) -> str:
    """The name by which the bundle's scenario calls its topology; "" if it holds it."""
    root = Document.parse(bundle.files[bundle.file], bundle.file).root
    claims = root.child("claims")
    pieces = [root] if claims is None else [item for item in claims.items or () if item.at("id").data == bundle.scenario]
    return next((piece.at("topology").text or "" for piece in pieces if piece.child("topology") is not None), "")


def named(data: Data, original: str) -> Data:
    """The data with its topology by name, where it is the same as the ``original`` or one of the smallest, of those that ship."""
    for name, topology in _shipped(original):
        if _nameless(topology) == _nameless(data["topology"]):
            return {**data, "topology": name}
    return data


def alike(data: Data, original: str) -> Iterator[Data]:
    """The data with one of those topologies instead of its own, where that has the same nodes and links, whatever they are like."""
    own = data["topology"]
    for _, topology in _shipped(original):
        same = _joins(topology) == _joins(own) and not any("impair" in link for link in own.get("links", ()))
        if same and _nameless(topology) != _nameless(own):
            yield {**data, "topology": topology}


def _joins(topology: Data) -> tuple[list[str], list[list[str]]]:
    """The names of the nodes, and of those at the ends of each link."""
    return sorted(topology["nodes"]), sorted(sorted(ends_of(link)) for link in topology.get("links", ()))


def _shipped(original: str) -> Iterator[tuple[str, Data]]:
    for name in dict.fromkeys((original, *SMALLEST)):
        path = Path(netlab.__file__).parent / "topologies" / f"{name}.yaml"
        if name and "/" not in name and path.is_file():
            yield name, _topology(Document.read(path).root, {})


def _nameless(topology: Mapping[str, Any]) -> Data:
    return {key: value for key, value in topology.items() if key != "name"}


def _scenario(document: Document, bundle: Bundle) -> Data:
    root = document.root
    said = _plain(root.data)
    claims = root.child("claims")
    if claims is not None:
        group = said.get("group", "")
        for item in claims.items or ():
            if item.at("id").data == bundle.scenario:
                said, root = {"group": group, **_plain(item.data)}, item
                break
        else:
            raise SpecError(Problem(Place(bundle.file, 0, 0), f"there is no claim {bundle.scenario} in it"))
    data: Data = {"name": bundle.scenario}
    if said.get("statement"):
        data |= {key: said[key] for key in ("group", *_CLAIM) if said.get(key)}
    inner = said.get("set") or {}
    topology = root.at("topology")
    if topology.text is not None:
        path = find_topology(topology.text, Path(document.file), topology.place())
        topology = Document.read(path).root
    own = {name: value for name, (_, value) in (root.at("set").fields or {}).items()} if inner else {}
    data["topology"] = _topology(topology, {**own, **Settings.of(bundle.settings).values})
    return data | {key: said[key] for key in _LAST if key in said and key != "topology"}


def _topology(node: Node, settings: Mapping[str, Node]) -> Data:
    problems = Problems()
    whole, _ = expanded(node, Settings(dict(settings)), problems)
    if problems:
        raise SpecError(*problems)
    data: Data = _plain(whole.data)
    for key, value in (whole.at("nodes").fields or {}).items():
        said: Data = data["nodes"][key] or {}
        files = value[1].child("files")
        for path, (_, content) in (files.fields or {}).items() if files is not None else ():
            said["files"][path] = _content(content, said["files"][path])
        data["nodes"][key] = said
    return {key: value for key, value in data.items() if key not in ("vars", "include")}


def _content(content: Node, said: Any) -> Any:
    """What a file of a node holds, written out."""
    if not isinstance(said, dict) or "from" not in said:
        return said
    text = Path(os.path.dirname(content.file), str(said["from"])).read_text(encoding="utf-8")
    return {"text": text, **{key: value for key, value in said.items() if key != "from"}}


def _plain(value: Any) -> Any:
    """Data without the nodes that it came from, and without what variables left of the loader's types."""
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list) else value
