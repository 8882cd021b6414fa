"""What a lab that stays says of itself: its nodes, their interfaces and addresses, where it came from.

It is written once, when the lab is handed over, into a sealed file in memory that the lab's keeper shows to whoever asks.
"""

import fcntl
import os
import time
from typing import TYPE_CHECKING

import msgspec

import netlab
from netlab.lab.staying import Connection, RefusedError, Staying

if TYPE_CHECKING:  # those who ask a lab need not know how it was planned: that would double the start of a command
    from netlab.topology.planned import NodePlan, Plan

_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


class DescribedNode(msgspec.Struct, frozen=True, kw_only=True):
    """A node. ``number`` is what the keeper calls it, ``interfaces`` has each one's addresses with their prefix lengths, ``env`` is
    what its programs have in their environment besides the user's own."""

    name: str
    kind: str
    number: int
    interfaces: dict[str, tuple[str, ...]]
    env: dict[str, str]


class Described(msgspec.Struct, frozen=True, kw_only=True):
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


def describe(lab: Staying, plan: "Plan", numbers: dict[str, int], *, topology: str, file: str, rootless: bool) -> Described:
    """The description of a lab built from ``plan``; ``numbers`` has the keeper's for each node."""
    return Described(
        id=os.urandom(8).hex(),
        name=lab.name,
        uid=lab.uid,
        topology=topology,
        file=file,
        since=time.time(),
        netlab=netlab.__version__,
        rootless=rootless,
        links=len(plan.wires),
        nodes=tuple(
            DescribedNode(
                name=node.name, kind=node.kind, number=numbers[node.name], interfaces=_interfaces(node), env=dict(node.env)
            )
            for node in plan.nodes
        ),
    )


def sealed(described: Described) -> int:
    """The description as a file in memory that nobody can change."""
    fd = os.memfd_create("netlab lab", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    with open(fd, "wb", closefd=False) as file:
        file.write(msgspec.json.encode(described))
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _SEALS)
    return fd


def read(connection: Connection) -> Described:
    """What the lab at the other end says of itself."""
    _, (fd,) = connection.ask("describe")
    try:
        # Not read(2): the descriptor's offset is shared by everyone who asks.
        described = msgspec.json.decode(os.pread(fd, os.fstat(fd).st_size, 0), type=Described)
    except msgspec.DecodeError:
        raise RefusedError(f"the lab {connection.lab.name} was built by another version of netlab: it can only be ended") from None
    finally:
        os.close(fd)
    return msgspec.structs.replace(described, pid=connection.pid)


def _interfaces(node: "NodePlan") -> dict[str, tuple[str, ...]]:
    loopback = {"lo": node.loopback} if node.loopback else {}
    interfaces = {one.name: one.addresses for one in node.interfaces}
    vlans = {one.name: one.addresses for one in node.vlan_devices}
    overlays = {one.name: one.addresses for one in node.vxlan_devices}
    every = loopback | interfaces | vlans | overlays
    return {name: tuple(str(address) for address in addresses) for name, addresses in every.items()}
