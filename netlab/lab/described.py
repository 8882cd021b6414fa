"""What a lab that stays says of itself: its nodes, their interfaces and addresses, where it came from.

It is written once, when the lab is handed over, into a sealed file in memory that the lab's keeper shows to whoever asks.
"""

import fcntl
import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

import netlab
from netlab.lab.parcels import NotUnderstoodError, contents
from netlab.lab.staying import Connection, RefusedError, Staying

if TYPE_CHECKING:  # those who ask a lab need not know how it was planned: that would double the start of a command
    from netlab.topology.planned import NodePlan, Plan

_LATEST = 1e11  # seconds of the epoch that a calendar has: the year 5138
_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribedNode:
    """A node. ``number`` is what the keeper calls it, ``interfaces`` has each one's addresses with their prefix lengths, ``env`` is
    what its programs have in their environment besides the user's own."""

    name: str
    kind: str
    number: int
    interfaces: dict[str, tuple[str, ...]]
    env: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """A whole lab. ``id`` is this lab's alone, whatever its name; ``since`` is in seconds of the epoch; ``file`` is the topology's,
    ``netlab`` the version that built it. ``pid`` is its keeper's, as whoever asks sees it."""

    id: str
    name: str
    uid: int
    topology: str
    file: str
    since: float
    netlab: str
    rootless: bool
    links: int
    nodes: tuple[DescribedNode, ...]
    pid: int = 0

    def node(self, name: str) -> DescribedNode:
        """The node of this name; KeyError if there is none."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(name)

    @property
    def owners(self) -> dict[str, str]:
        """Which node has an address."""
        return {
            address.partition("/")[0]: node.name
            for node in self.nodes
            for addresses in node.interfaces.values()
            for address in addresses
        }


def nodes_of(plan: "Plan") -> tuple[DescribedNode, ...]:
    """The nodes of a lab built from a plan; the keeper numbers them in its order."""
    return tuple(
        DescribedNode(name=node.name, kind=node.kind, number=number, interfaces=_interfaces(node), env=dict(node.env))
        for number, node in enumerate(plan.nodes)
    )


def describe(lab: Staying, nodes: tuple[DescribedNode, ...], *, links: int, topology: str, file: str, rootless: bool) -> Described:
    """The description of a lab that has just been built."""
    return Described(
        id=os.urandom(8).hex(),
        name=lab.name,
        uid=lab.uid,
        topology=topology,
        file=file,
        since=time.time(),
        netlab=netlab.__version__,
        rootless=rootless,
        links=links,
        nodes=nodes,
    )


def json_of(described: Described | Sequence[Described]) -> str:
    """One description, or several, as JSON for people."""
    return json.dumps(described, default=_fields, indent=2)


def sealed(described: Described) -> int:
    """The description as a file in memory that nobody can change."""
    fd = os.memfd_create("netlab lab", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    with open(fd, "wb", closefd=False) as file:
        file.write(json.dumps(described, default=_fields).encode())
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _SEALS)
    return fd


def read(connection: Connection) -> Described:
    """What the lab at the other end says of itself."""
    _, fds = connection.ask("describe")
    try:
        (fd,) = fds
        said = json.loads(contents(fd))
        described = _made(Described, said, nodes=tuple(_node(node) for node in said["nodes"]))
        if (described.uid, described.name) != (connection.lab.uid, connection.lab.name) or not described.nodes:
            raise ValueError("it describes another lab")
        if not 0 <= described.since < _LATEST:
            raise ValueError("since when?")
    except (OSError, NotUnderstoodError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise RefusedError(f"the lab {connection.lab.name} was built by another version of netlab: it can only be ended") from None
    finally:
        for fd in fds:
            os.close(fd)
    return replace(described, pid=connection.pid)


def _node(said: dict[str, Any]) -> DescribedNode:
    interfaces = {name: tuple(addresses) for name, addresses in said["interfaces"].items()}
    if not all(isinstance(text, str) for texts in (*interfaces.values(), said["env"].values()) for text in texts):
        raise TypeError("addresses and environments are texts")
    return _made(DescribedNode, said, interfaces=interfaces, env=said["env"])


_Made = TypeVar("_Made", Described, DescribedNode)


def _made(kind: type[_Made], said: dict[str, Any], **read: Any) -> _Made:
    """The value that is said, but for what was read of it already. Raises KeyError or TypeError where it is none: another user's
    lab may say anything, to root too."""
    for field in fields(kind):
        if field.name not in read:
            read[field.name] = said[field.name]
            if type(read[field.name]) is not field.type:
                raise TypeError(f"{field.name} is of another type")
    return kind(**read)


def _fields(value: Described | DescribedNode) -> dict[str, Any]:
    return {field.name: getattr(value, field.name) for field in fields(value)}


def _interfaces(node: "NodePlan") -> dict[str, tuple[str, ...]]:
    loopback = {"lo": node.loopback} if node.loopback else {}
    interfaces = {one.name: one.addresses for one in node.interfaces}
    vlans = {one.name: one.addresses for one in node.vlan_devices}
    overlays = {one.name: one.addresses for one in node.vxlan_devices}
    every = loopback | interfaces | vlans | overlays
    return {name: tuple(str(address) for address in addresses) for name, addresses in every.items()}
