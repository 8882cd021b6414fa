"""A network as wanted: nodes, links, addresses. Frozen values, valid once built; load.py builds them from YAML."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv4Network, IPv6Network
from typing import TYPE_CHECKING

from netlab.errors import Place
from netlab.topology.networks import Address, Interface, Network
from netlab.units import Duration, milliseconds

if TYPE_CHECKING:  # few networks have a pattern, and what reads them takes longer to import than this
    from netlab.notation.packets import PacketPattern

__all__ = [
    "Command",
    "Endpoint",
    "File",
    "Forward",
    "InterfaceChange",
    "Link",
    "Nat",
    "Node",
    "Overlay",
    "PolicyRule",
    "Port",
    "Ready",
    "Route",
    "Rule",
    "Shape",
    "Subinterface",
    "Topology",
    "Vrf",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A static route (ip-route(8)). ``kind``: unicast (then with ``via`` or ``interface``), blackhole, unreachable or prohibit.

    ``table`` 0 is the main table; ``metric`` and ``mtu`` 0 are the kernel's choice; ``source`` is the preferred source address.
    """

    destination: Network
    via: Address | None = None
    interface: str = ""
    kind: str = "unicast"
    metric: int = 0
    table: int = 0
    source: Address | None = None
    mtu: int = 0
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRule:
    """A routing rule (ip-rule(8)): packets that match look into ``table``. ``family`` is 4 or 6; ``mark`` None is every mark."""

    family: int
    priority: int
    table: int
    source: Network | None = None
    destination: Network | None = None
    interface: str = ""
    mark: int | None = None
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Vrf:
    """A VRF device of a node: its routing table and the interfaces that belong to it."""

    name: str
    table: int
    interfaces: tuple[str, ...]
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Forward:
    """A port forward of a nat node: ``protocol`` (tcp or udp) and ``port`` on its outside go to ``to`` and ``to_port``."""

    protocol: str
    port: int
    to: Address
    to_port: int
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Nat:
    """How a nat node translates, on its interfaces ``outside``. ``behaviour`` is RFC 3489's: full-cone, address-restricted-cone,
    port-restricted-cone (Linux masquerade, the default) or symmetric."""

    outside: tuple[str, ...]
    behaviour: str = "port-restricted-cone"
    forwards: tuple[Forward, ...] = ()
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file that only this node's programs see at ``path``."""

    path: str
    text: str
    mode: int = 0o644
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """When a program counts as ready: its node listens on ``port`` (``protocol`` tcp or udp), or its output has a line that the
    regular expression ``log`` finds; it fails after ``within``."""

    port: int = 0
    protocol: str = "tcp"
    log: str = ""
    within: Duration


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command at a node's start. With ``ready`` or ``background`` it stays running, else it must end with status 0 ``within``."""

    argv: tuple[str, ...]
    background: bool = False
    ready: Ready | None = None
    within: Duration
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node. ``kind``: host, router (forwards both families), nat (a router that translates), switch (a bridge), peer (no kernel
    stack: driven by hand).

    ``sysctls`` are set in its namespace over the pinned ones ("net.ipv4.tcp_syn_retries": "1"). With ``auto_routes`` shortest paths
    over the whole topology are computed for it, besides the static ``routes``. ``firewall`` is an nftables ruleset, ``names`` has
    further lines of its hosts file (name, address), ``resolv`` is its resolv.conf (None: the machine's own); ``stp`` is a switch's.
    ``loopback`` are addresses on its loopback interface, which other nodes may have as well (anycast).
    """

    name: str
    kind: str
    place: Place
    sysctls: tuple[tuple[str, str], ...] = ()
    auto_routes: bool = True
    routes: tuple[Route, ...] = ()
    rules: tuple[PolicyRule, ...] = ()
    vrfs: tuple[Vrf, ...] = ()
    nat: Nat | None = None
    firewall: str = ""
    firewall_place: Place | None = None
    names: tuple[tuple[str, Address], ...] = ()
    resolv: str | None = None
    env: tuple[tuple[str, str], ...] = ()
    files: tuple[File, ...] = ()
    start: tuple[Command, ...] = ()
    stp: bool = False
    loopback: tuple[Interface, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Subinterface:
    """An 802.1Q interface on an endpoint ("eth0.10"): frames of one VLAN, with addresses of their own."""

    name: str
    vlan: int
    addresses: tuple[Interface, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """A switch port's VLANs: untagged in ``access``, and tagged in each of ``trunk``; 0 and () where the switch has no VLANs."""

    access: int = 0
    trunk: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One end of a link: an interface of a node, with its addresses (none on a switch).

    ``hardware`` is a chosen MAC address ("" : assigned); ``port`` is of switches with VLANs, ``subinterfaces`` of a node at the
    other end of a trunk.
    """

    node: str
    interface: str
    addresses: tuple[Interface, ...] = ()
    hardware: str = ""
    port: Port | None = None
    subinterfaces: tuple[Subinterface, ...] = ()


PARAMETERS: Mapping[str, tuple[str, ...]] = {
    "drop": (),
    "hold": ("barrier",),
    "delay": ("delay", "jitter", "distribution"),
    "duplicate": ("copies",),
    "reorder": ("by",),
    "corrupt": ("field", "value"),
    "truncate": ("length",),
    "mark": ("mark",),
    "reset": ("toward",),
    "icmp": ("icmp", "mtu"),
}
"""The fields of a Rule that belong to each action, beside those that say which packets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """An impairment of single packets in one direction of a link: which packets, which of those, and what becomes of them.

    **Which packets**: those that ``match`` and, where it is not "", the ``filter`` in the words of pcap-filter(7).

    **Which of those**, counted from 1, retransmissions too; all that is given must hold. ``occurrences``: these (empty: any).
    ``every``: each so manyth (0: any). ``first`` to ``last``: a range (``last`` 0: no end). ``byte``: the first packet of a
    connection that carries this byte of its direction's stream (from 0; sent again it is not the first). ``chance``: with
    this probability, decided by ``seed``, or by the run's where that is None. ``since``, ``until``: so long after the rule
    came to the wire. ``before``: until this barrier is released. ``during``: while each of these sockets ("client.c") is in
    its state (RFC 9293's name).

    **What happens** is ``action``: "drop"; "hold" at ``barrier``; "delay" by ``delay``, varied by ``jitter`` with
    ``distribution`` ("uniform", "normal", "exponential", "pareto"); "duplicate", ``copies`` more; "reorder", ``by`` so many
    later packets overtake it; "corrupt" the ``field`` ("": a bit that the seed chooses; "bit 160": counted from the start of
    the IP header; else a name, "tcp.checksum") to ``value`` (None: inverted); "truncate" to ``length`` bytes of IP packet;
    "mark" its ECN field as ``mark`` ("ce", "ect0", "ect1", "not-ect"); "reset" its connection by a forged RST ``toward``
    "sender", "receiver" or "both"; "icmp", drop it and answer with the error ``icmp`` ("host-unreachable", or
    "fragmentation-needed" with ``mtu``).
    """

    match: "PacketPattern"
    action: str
    filter: str = ""
    occurrences: frozenset[int] = frozenset()
    every: int = 0
    first: int = 1
    last: int = 0
    byte: int | None = None
    chance: float = 1.0
    seed: int | None = None
    since: Duration | None = None
    until: Duration | None = None
    before: str = ""
    during: tuple[tuple[str, str], ...] = ()
    barrier: str = ""
    delay: Duration = milliseconds(0)
    jitter: Duration = milliseconds(0)
    distribution: str = "uniform"
    copies: int = 1
    by: int = 1
    field: str = ""
    value: int | None = None
    length: int = 0
    mark: str = "ce"
    toward: str = "both"
    icmp: str = ""
    mtu: int = 0
    place: Place

    def later(self, by: Duration) -> "Rule":
        """The same rule, its window of time so much later."""
        since = self.since if self.since is not None else milliseconds(0)
        if self.since is None and self.until is None:
            return self
        until = Duration(self.until.ns + by.ns) if self.until is not None else None
        return replace(self, since=Duration(since.ns + by.ns), until=until)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Impairment by quantities, for one direction: what a queueing discipline does (tc-netem(8), tc-tbf(8)), or the wire.

    ``delay`` and ``jitter`` are added to each packet; ``loss``, ``duplicate``, ``corrupt`` and ``reorder`` are probabilities from 0
    to 1; ``rate`` is in bits a second, 0 unlimited; ``limit`` is the queue's length in packets, 0 netem's default; ``seed`` decides
    what is random in place of the run's: by itself where netem does it (Linux 6.7).
    """

    delay: Duration
    jitter: Duration
    loss: float = 0.0
    duplicate: float = 0.0
    corrupt: float = 0.0
    reorder: float = 0.0
    rate: int = 0
    limit: int = 0
    seed: int | None = None
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class InterfaceChange:
    """An interface is set up or down (``up`` None: neither), and gets an MTU (0: the one that it has), as by ip-link(8)."""

    node: str
    interface: str
    up: bool | None = None
    mtu: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A wire between two endpoints. ``impair`` has the rules of each direction and ``shapes`` the quantities, keyed (from node, to
    node); with any of them the link is built through a namespace in its middle. ``by_wire`` has it built so, with packets looked at
    one by one, though nothing impairs it yet: something may while it runs. ``up`` False leaves both ends down.

    ``offloads`` are those that stay on: tx, rx, sg, tso, gso, gro.
    """

    endpoints: tuple[Endpoint, Endpoint]
    subnets: tuple[IPv4Network | IPv6Network, ...]
    mtu: int = 1500
    up: bool = True
    offloads: frozenset[str] = frozenset()
    impair: tuple[tuple[tuple[str, str], tuple[Rule, ...]], ...] = ()
    shapes: tuple[tuple[tuple[str, str], Shape], ...] = ()
    by_wire: bool = False
    place: Place

    @property
    def name(self) -> str:
        """ "client:eth0-server:eth0": unique in a topology."""
        return "-".join(f"{end.node}:{end.interface}" for end in self.endpoints)

    @property
    def round_trip(self) -> Duration:
        """What its quantities add to a round trip: the delays of both directions, without their jitter."""
        return Duration(sum(shape.delay.ns for _, shape in self.shapes))


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlay:
    """A VXLAN network (RFC 7348) over the topology's own: each endpoint's interface is a VXLAN device of that node, with the inner
    addresses; frames go to every other member by unicast (head-end replication). ``family`` is that of the outer packets."""

    name: str
    vni: int
    port: int = 4789
    family: int = 4
    endpoints: tuple[Endpoint, ...]
    subnets: tuple[Network, ...]
    mtu: int
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """A whole network. ``intent`` is the comment on top of its file.

    ``neighbours`` says who is a permanent neighbour: "auto" (in segments so large that the kernel's table might overflow, the
    segment's first and last nodes and its routers, for everyone and the reverse), "kernel" (none), "all", or names of nodes.
    """

    name: str
    nodes: tuple[Node, ...]
    links: tuple[Link, ...]
    overlays: tuple[Overlay, ...] = ()
    neighbours: str | tuple[str, ...] = "auto"
    intent: str = ""
    place: Place

    def node(self, name: str) -> Node:
        """The node of this name; KeyError if there is none."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(name)
