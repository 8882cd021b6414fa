"""Reads one node of a topology file: its name, its kind, and what is said of it. It does not know how nodes are joined."""

import re

from netlab.errors import Place, Problem
from netlab.topology.schema_node import NodeFile
from netlab.topology.spec import Node

RESERVED = frozenset({"both", "document", "expect", "localhost", "release", "repeat", "wait"})
"""Words that mean something where a node's name could stand."""

_NODE = re.compile(r"[a-z][a-z0-9-]{0,62}")


def node_of(name: str, file: NodeFile, place: Place, problems: list[Problem]) -> Node:
    """The node that a file's mapping stands for; ``place`` is that of its name."""
    if name in RESERVED:
        message = f'a node cannot be called "{name}": the word has a meaning of its own'
        problems.append(Problem(place, message, "choose another name"))
    elif not _NODE.fullmatch(name):
        fix = "a small letter, then small letters, digits and -, at most 63 in all"
        problems.append(Problem(place, f'"{name}" is no name for a node', fix))
    if file.subnets is not None and file.kind != "switch":
        fix = "give them on its links, or make it a switch"
        message = f"only a switch has subnets, and {name} is a {file.kind}"
        problems.append(file.node.problem("subnets", message=message, fix=fix, key=True))
    return Node(name=name, kind=file.kind, sysctls=tuple(file.sysctls.items()), place=place)
