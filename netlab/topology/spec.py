"""A network as wanted: nodes, links, addresses. Frozen values, valid once built; load.py builds them from YAML."""

from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv4Network, IPv6Interface, IPv6Network

from netlab.errors import Place
from netlab.notation.packets import PacketPattern


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node. ``kind``: host, router (forwards both families), switch (a bridge), peer (no kernel stack: driven by hand).

    ``sysctls`` are set in its namespace over the pinned ones ("net.ipv4.tcp_syn_retries": "1").
    """

    name: str
    kind: str
    place: Place
    sysctls: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One end of a link: an interface of a node, with its addresses (none on a switch)."""

    node: str
    interface: str
    addresses: tuple[IPv4Interface | IPv6Interface, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """An impairment, in its first small form: packets that match, the nth of them (from 1; empty: all), dropped or held.

    ``action`` is "drop" or "hold"; a held packet waits at ``barrier`` until a ``release:`` step.
    """

    match: PacketPattern
    action: str
    occurrences: frozenset[int] = frozenset()
    barrier: str = ""
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A wire between two endpoints. ``impair`` has the rules of each direction, keyed (from node, to node); with any rule the
    link is built through a namespace in its middle."""

    endpoints: tuple[Endpoint, Endpoint]
    subnets: tuple[IPv4Network | IPv6Network, ...]
    mtu: int = 1500
    impair: tuple[tuple[tuple[str, str], tuple[Rule, ...]], ...] = ()
    place: Place

    @property
    def name(self) -> str:
        """ "client:eth0-server:eth0": unique in a topology."""
        return "-".join(f"{end.node}:{end.interface}" for end in self.endpoints)


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """A whole network. ``intent`` is the comment on top of its file."""

    name: str
    nodes: tuple[Node, ...]
    links: tuple[Link, ...]
    intent: str = ""
    place: Place

    def node(self, name: str) -> Node:
        """The node of this name; KeyError if there is none."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(name)
