"""Reads what is said of interfaces that go down or up, or get another MTU: which they are. It does not know how that is done."""

from collections.abc import Mapping, Sequence

from netlab.errors import Problem
from netlab.topology.reading.addressing import MTU6
from netlab.topology.reading.ways import NoWayError, ways_of
from netlab.topology.schema.changing import ChangeFile, Changes
from netlab.topology.spec import Endpoint, InterfaceChange, Topology
from netlab.validate import did_you_mean, named
from netlab.yaml_nodes import Node


def changes_of(changes: Changes, said: Node, topology: Topology, problems: list[Problem]) -> tuple[InterfaceChange, ...]:
    """What becomes of which interfaces, in the order in which it is said; ``said`` is the mapping in the file."""
    reading = _Reading(topology, said, problems)
    return tuple([each for key, change in changes.items() for each in reading.changes(key, change)])


def change_text(change: ChangeFile) -> str:
    """What is said of one key in a few words: "down mtu 1280"."""
    return " ".join([*([change.state] if change.state else []), *([f"mtu {change.mtu}"] if change.mtu else [])])


class _Reading:
    def __init__(self, topology: Topology, said: Node, problems: list[Problem]) -> None:
        self._topology, self._said, self._problems = topology, said, problems
        self._kinds = {node.name: node.kind for node in topology.nodes}
        self._ends: Mapping[str, Endpoint] = {
            f"{end.node}:{end.interface}": end for link in topology.links for end in link.endpoints
        }

    def changes(self, key: str, change: ChangeFile) -> list[InterfaceChange]:
        """Those of one key."""
        if change.state is None and change.mtu is None:
            if not self._said.at(key).fields:
                self._problems.append(
                    self._said.problem(key, message="nothing is said of it here", fix="write up, down or {mtu: 1280}")
                )
            return []
        up, found = None if change.state is None else change.state == "up", []
        for end in self._named(key):
            if change.mtu is not None and change.mtu < MTU6 and any(each.version == 6 for each in end.addresses):
                message = f"IPv6 needs an mtu of at least {MTU6}, and {end.node}:{end.interface} has an IPv6 address"
                fix = "raise the mtu, or give the link IPv4 subnets only"
                self._problems.append(self._said.problem(key, "mtu", message=message, fix=fix))
                break
            found.append(InterfaceChange(node=end.node, interface=end.interface, up=up, mtu=change.mtu or 0))
        return found

    def _named(self, key: str) -> Sequence[Endpoint]:
        """The ends that a key means, but for those of hand-driven peers: to name one is wrong."""
        if key in self._ends:
            if self._kinds[self._ends[key].node] == "peer":
                message = f"{self._ends[key].node} is driven by hand, and its interface stays up"
                return self._wrong(key, message, "name the other end of the link")
            return (self._ends[key],)
        if "->" not in key and key != "both":
            return self._no_interface(key)
        try:
            (link, _), *_ = ways_of(key, self._topology)
        except NoWayError as error:
            return self._wrong(key, str(error), error.fix)
        return [end for end in link.endpoints if self._kinds[end.node] != "peer"]

    def _no_interface(self, key: str) -> Sequence[Endpoint]:
        node, colon, interface = key.partition(":")
        own = [name for name in self._ends if name.partition(":")[0] == node]
        if node not in self._kinds:
            fix = did_you_mean(node, self._kinds) or f"the interfaces are {named(self._ends)}"
            return self._wrong(key, f'no node "{node}"', fix)
        if not colon:
            fix = f"it may be {named(own)}, or both ends: {node}->NODE"
            return self._wrong(key, f'"{key}" is no interface and no link', fix)
        return self._wrong(key, f'{node} has no interface "{interface}"', did_you_mean(key, own) or f"it has {named(own)}")

    def _wrong(self, key: str, message: str, fix: str) -> Sequence[Endpoint]:
        self._problems.append(self._said.problem(key, message=message, fix=fix, key=True))
        return ()
