"""Writes a topology as text: for people, as a list of who is joined to whom; for Graphviz, as DOT; for mermaid.

What is told is worked out by graph.py; where anything stands is the reader's program's business.
"""

import json
from collections.abc import Iterable, Iterator, Sequence

from netlab.report.graph import Box, Graph, Line, Port, graph_of
from netlab.report.graph_style import COLOURS
from netlab.topology.spec import Topology

__all__ = ["dot", "mermaid", "text"]


def text(topology: Topology) -> str:
    """A list for people: every node with its interfaces, and what each leads to. A node with one link stands at its other end."""
    graph = graph_of(topology)
    lines = [f"{graph.name}: {graph.summary}", *graph.intent.splitlines()]
    ports: dict[str, list[tuple[Port, Port, Line]]] = {box.name: [] for box in graph.boxes}
    for line in graph.lines:
        ports[line.a.node].append((line.a, line.b, line))
        ports[line.b.node].append((line.b, line.a, line))
    kinds = {box.name: box.kind for box in graph.boxes}
    leaves = {box.name for box in graph.boxes if len(ports[box.name]) == len(box.rows) == 1 and not box.notes}
    leaves = {name for name in leaves if ports[name][0][1].node not in leaves and kinds[name] != "switch"}
    for box in graph.boxes:
        if box.name not in leaves:
            lines += ["", *_node(box, ports[box.name], kinds, leaves)]
    for group in graph.groups:
        lines += ["", f"overlay {group.name}: {', '.join(group.notes)}"]
        rows = [["├─" if port is not group.ports[-1] else "└─", port.node, ", ".join(port.addresses)] for port in group.ports]
        lines += _columns(rows)
    return "".join(f"{line}\n" for line in lines)


def _node(box: Box, ports: Sequence[tuple[Port, Port, Line]], kinds: dict[str, str], leaves: set[str]) -> Iterator[str]:
    switch = box.kind == "switch"
    segments = [" ".join([*([row.name] if row.name else []), ", ".join(row.addresses)]) for row in box.rows] if switch else []
    yield "  ".join([f"{box.name} ({box.kind})", *segments, *box.notes])
    linked = {own.interface: (other, line) for own, other, line in ports}
    rows = []
    for own, other, line in ports if switch else ():
        rows.append([own.interface, own.vlans, *_far(other, line, kinds, leaves)])
    for row in () if switch else box.rows:
        far = _far(*linked[row.name], kinds, leaves) if row.name in linked else ["", "", "", ""]
        rows.append([row.name, ", ".join(row.addresses), *far])
    yield from _columns([["└─" if i == len(rows) - 1 else "├─", *row] for i, row in enumerate(rows)])


def _far(port: Port, line: Line, kinds: dict[str, str], leaves: set[str]) -> list[str]:
    name = f"{port.node}:{port.interface}" + (f" ({kinds[port.node]})" if port.node in leaves else "")
    return ["──" if line.up else "╌╌", name, ", ".join(port.addresses) or port.vlans, "; ".join(line.notes)]


def _columns(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """The rows with their cells below each other; a column that is empty in all takes no room."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for branch, *row in rows:
        cells = [f"{cell:<{width}}" for cell, width in zip(row, widths[1:], strict=True) if width]
        yield f"{branch} {'  '.join(cells)}".rstrip()


_DOT_SHAPES = {"host": "box", "router": "ellipse", "switch": "box3d", "nat": "hexagon", "peer": "diamond"}


def dot(topology: Topology) -> str:
    """As Graphviz reads it (https://graphviz.org/doc/info/lang.html): ``dot -Tsvg`` and its kin lay it out."""
    graph = graph_of(topology)
    return "".join(f"{line}\n" for line in _dot(graph))


def _dot(graph: Graph) -> Iterator[str]:
    yield f"graph {_quoted(graph.name)} {{"
    yield f"  label={_quoted(graph.intent, newline=_LEFT)}; labelloc=t; labeljust=l; overlap=false; splines=true;"
    yield '  node [fontname="sans-serif"]; edge [fontname="sans-serif", fontsize=10];'
    for box in graph.boxes:
        label, tip = _quoted("\n".join([box.name, *_said(box), *box.notes])), _quoted(f"{box.name} ({box.kind})")
        yield f"  {_quoted(box.name)} [shape={_DOT_SHAPES[box.kind]}, label={label}, tooltip={tip}];"
    for line in graph.lines:
        style = ", style=dotted" if not line.up else ""
        colour = ", color=orangered3" if line.impaired else ""
        ends = f"taillabel={_quoted(_end(line.a))}, headlabel={_quoted(_end(line.b))}"
        label = _quoted("\n".join([*line.subnets, *line.notes]))
        yield f"  {_quoted(line.a.node)} -- {_quoted(line.b.node)} [label={label}, {ends}{style}{colour}];"
    for group in graph.groups:
        name = _quoted(f"overlay {group.name}")
        yield f'  {name} [shape=box, style="rounded,dashed", label={_quoted(chr(10).join([group.name, *group.notes]))}];'
        for port in group.ports:
            label = _quoted("\n".join(port.addresses))
            yield f"  {name} -- {_quoted(port.node)} [style=dashed, color=purple, label={label}];"
    yield "}"


_LEFT = r"\l"


def _quoted(words: str, newline: str = r"\n") -> str:
    lines = words.replace("\\", "\\\\").replace('"', '\\"').split("\n")
    return '"' + newline.join(lines) + (newline if newline == _LEFT and words else "") + '"'


def _end(port: Port) -> str:
    return "\n".join([port.interface, *([port.vlans] if port.vlans else [])])


def _said(box: Box) -> list[str]:
    return [" ".join([row.name, ", ".join(row.addresses)]).strip() for row in box.told]


_MERMAID_SHAPES = {"host": ("[", "]"), "router": ("((", "))"), "switch": ("[[", "]]"), "nat": ("{{", "}}"), "peer": ("{", "}")}


def mermaid(topology: Topology) -> str:
    """As mermaid reads it (https://mermaid.js.org/syntax/flowchart.html), for pages that draw it: Markdown on GitHub and GitLab."""
    graph = graph_of(topology)
    return "".join(f"{line}\n" for line in _mermaid(graph))


def _mermaid(graph: Graph) -> Iterator[str]:
    yield "---"
    yield f"title: {json.dumps(graph.name)}"
    yield "---"
    yield "flowchart LR"
    yield from (f"  %% {line}" for line in graph.intent.splitlines())
    numbers = {box.name: f"n{i}" for i, box in enumerate(graph.boxes)}
    for box in graph.boxes:
        opening, closing = _MERMAID_SHAPES[box.kind]
        label = [f"<b>{_plain(box.name)}</b>", *map(_plain, [*_said(box), *box.notes])]
        yield f"  {numbers[box.name]}{opening}{_label(label)}{closing}"
    for line in graph.lines:
        between = "---" if line.up else "-.-"
        label = [
            f"{line.a.interface} – {line.b.interface}",
            *line.subnets,
            *filter(None, (line.a.vlans, line.b.vlans)),
            *line.notes,
        ]
        yield f"  {numbers[line.a.node]} {between}|{_label(map(_plain, label))}| {numbers[line.b.node]}"
    for number, group in enumerate(graph.groups):
        yield f"  o{number}([{_label(map(_plain, [group.name, *group.notes]))}])"
        yield from (f"  o{number} -.- {numbers[port.node]}" for port in group.ports)
    yield from (f"  classDef {kind} stroke:{colour},stroke-width:2px" for kind, colour in COLOURS.items() if _of(graph, kind))
    for kind in COLOURS:
        if names := [numbers[box.name] for box in _of(graph, kind)]:
            yield f"  class {','.join(names)} {kind}"
    impaired = [str(i) for i, line in enumerate(graph.lines) if line.impaired]
    if impaired:
        yield f"  linkStyle {','.join(impaired)} stroke:#c2410c,stroke-width:3px"


def _of(graph: Graph, kind: str) -> list[Box]:
    return [box for box in graph.boxes if box.kind == kind]


def _label(parts: Iterable[str]) -> str:
    return '"' + "<br/>".join(parts) + '"'


def _plain(words: str) -> str:
    """Text in which mermaid and HTML find nothing to act upon."""
    return "".join(letter if letter.isalnum() or letter in " .:/,-–→±%()_" else f"#{ord(letter)};" for letter in words)
