"""Tells what in a rule's packet pattern can mean no packet: nodes and interfaces that are not there, ports, bounds on time, counts.

It does not know what else a rule says, nor how a pattern is asked of a packet.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from ipaddress import ip_address
from typing import TYPE_CHECKING

from netlab.errors import Problem
from netlab.topology.schema.link import RuleFile
from netlab.topology.spec import Topology
from netlab.validate import did_you_mean, named

if TYPE_CHECKING:  # most networks have no rule, and need not wait for it
    from netlab.notation.packets import PacketPattern

Nodes = Mapping[str, Collection[str]]
"""The names of all nodes, each with those of its interfaces; none where they are not known."""

_LARGEST_PORT = 65535
_LIKE_AN_ADDRESS = re.compile(r"[0-9][0-9.]*|.*:.*")


def nodes_of(topology: Topology) -> Nodes:
    """The nodes of a network, with the interfaces that a pattern may name."""
    found: dict[str, set[str]] = {node.name: set() for node in topology.nodes}
    ends = [end for link in topology.links for end in link.endpoints]
    for end in (*ends, *(end for overlay in topology.overlays for end in overlay.endpoints)):
        found[end.node].add(end.interface)
    return found


def problems_of_pattern(file: RuleFile, pattern: "PacketPattern", nodes: Nodes, way: tuple[str, str] | None) -> Iterator[Problem]:
    """What is wrong with the pattern of a rule, at its column; ``way`` is the one direction for which the rule is, if it is one."""
    text = file.match
    if pattern.any:
        return
    if pattern.count != (1, 1):
        at = max(text.rfind("?"), text.rfind("{"))
        message = f"a rule looks at single packets: {text[at:].split()[0]} means nothing here"
        yield file.node.problem("match", message=message, fix="leave it out; nth, every and range say which ones", offset=at)
    if pattern.after:
        message = "a rule looks at single packets: a bound on time means nothing here"
        yield file.node.problem("match", message=message, fix="leave it out; window says when", offset=text.rfind("after"))
    arrow = text.find(">")
    wrong = False
    for end, start in ((pattern.source, 0), (pattern.target, arrow + 1)):
        for word, message, fix in _wrong_in(end, nodes) if end else ():
            wrong = True
            yield file.node.problem("match", message=message, fix=fix, offset=text.find(word, start))
    if way is not None and not wrong and (_node(pattern.target, nodes), _node(pattern.source, nodes)) == way:
        message = f"what {way[1]} sends to {way[0]} never goes {way[0]}->{way[1]}"
        yield file.node.problem("match", message=message, fix=f"write it for {way[1]}->{way[0]}, or turn it round")


def _wrong_in(end: str, nodes: Nodes) -> Iterator[tuple[str, str, str]]:
    """What is wrong with one end of a pattern: the word, what is wrong, what to do."""
    name, port = _split(end)
    if port is not None and not (port.isdecimal() and int(port) <= _LARGEST_PORT):
        yield f":{port}", f'"{port}" is no port', f"write a number up to {_LARGEST_PORT}, such as {name}:80"
    if name == "*" or name in nodes or _is_address(name):
        return
    node, dot, interface = name.rpartition(".")
    if _LIKE_AN_ADDRESS.fullmatch(name):
        yield name, f'"{name}" is no address', "write a node's name, or for example 10.0.0.1 or [fd00::1]:80"
    elif dot and node in nodes:
        own = nodes[node]
        if own and interface not in own and interface != "lo":
            fix = did_you_mean(interface, own) or f"it has {named(sorted(own))}"
            yield interface, f'{node} has no interface "{interface}"', fix
    else:
        unknown = node or name
        yield unknown, f'no node "{unknown}"', did_you_mean(unknown, nodes) or f"the nodes are {named(sorted(nodes))}"


def _split(end: str) -> tuple[str, str | None]:
    """The name or address, and the port if one is written."""
    found = re.fullmatch(r"\[([^]]*)\](?::(.*))?", end)
    if found is not None:
        return found[1], found[2]
    name, colon, port = end.partition(":")
    return (name, port) if colon and ":" not in port else (end, None)


def _node(end: str, nodes: Nodes) -> str:
    """The node that an end of a pattern names, "" if none."""
    name, _ = _split(end)
    return name if name in nodes else name.rpartition(".")[0]


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
