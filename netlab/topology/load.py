"""Reads a topology file, or a topology inside another document, and checks all that can be checked without a kernel.

All that is wrong is reported at once, each with its place. It does not know how a network is built.
"""

import gc
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from netlab.document import Document, Sources
from netlab.errors import Place, SpecError
from netlab.topology.expanding.expand import expanded
from netlab.topology.expanding.variables import Settings
from netlab.topology.find import is_path, topology_file
from netlab.topology.reading.joined import joined, neighbours_of
from netlab.topology.reading.nodes import nodes_of, resolved
from netlab.topology.schema.file import TopologyFile
from netlab.topology.spec import Topology
from netlab.validate import Piece, Problems, shown, validated
from netlab.yaml_nodes import Node as DocumentNode
from netlab.yaml_nodes import Part


def load_topology(
    path: str | Path, settings: Mapping[str, str] | Settings | None = None, sources: Sources | None = None
) -> Topology:
    """Read a topology from a file, or by the name of one that ships with netlab or stands in ./topologies.

    ``settings`` are values for its variables. A name that it does not declare is an error, unless they are ``Settings``, which
    several files share: then the caller asks those at the end. ``sources`` gets what every file that is read holds.
    """
    if isinstance(path, str) and not is_path(path) and not os.path.isfile(path):
        path = find_topology(path, None)
    return parse_topology(Document.read(path, sources=sources), settings=settings, sources=sources)


def find_topology(name: str, beside: Path | None, place: Place | None = None) -> Path:
    """The file of a topology: a path (beside the file ``beside``, then from here), or a name, sought there, in ./topologies and
    in the package. Raises SpecError, at ``place`` if given, when there is none."""
    return Path(topology_file(name, None if beside is None else str(beside), place))


def parse_topology(
    document: Document,
    loc: tuple[Part, ...] = (),
    settings: Mapping[str, str] | Settings | None = None,
    sources: Sources | None = None,
) -> Topology:
    """Read the topology at a location of a document; raises SpecError with everything that is wrong with it. ``settings`` and
    ``sources`` as for load_topology."""
    name = Path(document.file).name.removesuffix(".yaml").removesuffix(".yml") if not loc else "inline"
    shared = settings if isinstance(settings, Settings) else Settings.of(settings)
    topology = read_topology(document.node(loc), name, document.intent if not loc else "", shared, sources)
    if shared is not settings:
        shared.check()
    return topology


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the garbage collector: hardly any of all that is made here is garbage, and looking for it took half of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@_uncollected()
def read_topology(
    node: DocumentNode, name: str, intent: str = "", settings: Settings | None = None, sources: Sources | None = None
) -> Topology:
    """Read the topology that a document's value is; ``name`` is what it is called if it does not say."""
    if not isinstance(node.data, dict):
        fix = "write nodes: and links:"
        raise SpecError(node.problem(message=f"a topology is a mapping, not {shown(node.data)}", fix=fix))
    problems = Problems()
    node, unknown = expanded(node, settings or Settings({}), problems, sources)
    file, found = validated(TopologyFile, node, written=_written)
    problems += found
    if file is None:
        raise SpecError(*problems)
    every = node.data.get("nodes")
    reader = _Reader(file, unknown.union(every if isinstance(every, dict) else ()), problems)
    topology = reader.read(file.name or name, intent, sources)
    if problems:
        raise SpecError(*dict.fromkeys(problems))
    return topology


def _written() -> type[Piece]:
    from netlab.topology.schema.written import TopologyWritten  # only what is wrong is held against it

    return TopologyWritten


class _Reader:
    """One topology while it is being read; ``written`` are the names of all nodes, broken ones too, and those told to be none."""

    def __init__(self, file: TopologyFile, written: set[str], problems: Problems) -> None:
        self._file, self._written, self._problems = file, written, problems

    def read(self, name: str, intent: str, sources: Sources | None) -> Topology:
        file = self._file
        nodes = nodes_of(file, self._problems)
        links, overlays = joined(file, self._written, self._problems)
        return Topology(
            name=name,
            nodes=resolved(nodes, links, overlays, file, self._problems, sources),
            links=links,
            overlays=overlays,
            neighbours=neighbours_of(file, self._written, self._problems),
            intent=intent,
            place=file.place(),
        )
