"""What is to be built, as values: every namespace, device, address, route and file, decided to the last index.

The lab carries a plan out as it stands; nothing is looked up or chosen on the way. It does not know how steps are made.
"""

from dataclasses import dataclass

from netlab.errors import Place
from netlab.topology.networks import Address, Interface, Network
from netlab.topology.spec import Command, File, Port, Shape

BRIDGE = "br0"
"""A switch's bridge device."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InterfacePlan:
    """One end of a wire. ``index`` is its ifindex: even for a wire's first end, odd for its second (both ends with the same index
    would make the kernel take neither for a virtual device's, and let its carrier wait for up to a second). ``hardware`` is its MAC
    address. ``master`` is the bridge or VRF device that it belongs to, "" none; ``port`` its VLANs on a bridge that knows them."""

    name: str
    index: int
    hardware: str
    mtu: int
    addresses: tuple[Interface, ...] = ()
    up: bool = True
    offloads: frozenset[str] = frozenset()
    master: str = ""
    port: Port | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VlanDevice:
    """An 802.1Q device on top of an interface (``parent`` is that interface's index); ``master`` is its VRF device, "" none."""

    name: str
    index: int
    parent: int
    vlan: int
    addresses: tuple[Interface, ...]
    master: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VrfDevice:
    """A VRF device and its table; interfaces name it as their master."""

    name: str
    index: int
    table: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VxlanDevice:
    """A VXLAN device: frames to unknown or many go to each of ``remotes``, from ``local``. ``master`` is a VRF device, "" none."""

    name: str
    index: int
    hardware: str
    vni: int
    port: int
    local: Address
    remotes: tuple[Address, ...]
    mtu: int
    addresses: tuple[Interface, ...]
    master: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutePlan:
    """A route: what it leads to, the next router's address, the interface towards it ("" where ``via`` or ``kind`` says enough).

    ``kind``, ``metric``, ``table``, ``source`` and ``mtu`` as in spec.Route.
    """

    destination: Network
    via: Address | None = None
    interface: str = ""
    kind: str = "unicast"
    metric: int = 0
    table: int = 0
    source: Address | None = None
    mtu: int = 0

    @property
    def name(self) -> str:
        """The destination as people write it."""
        return "default" if self.destination.prefixlen == 0 else str(self.destination)


@dataclass(frozen=True, slots=True, kw_only=True)
class RulePlan:
    """A routing rule, as in spec.PolicyRule."""

    family: int
    priority: int
    table: int
    source: Network | None = None
    destination: Network | None = None
    interface: str = ""
    mark: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NeighbourPlan:
    """A permanent neighbour: its address and MAC address, on the interface ``index``."""

    address: Address
    hardware: str
    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePlan:
    """What one node is built from. ``hosts`` is its hosts file: (name, address), one tuple shared by all nodes that see the same;
    ``resolv`` None leaves the machine's own; ``nft`` is the whole nftables ruleset to load, firewall and translation ("" none).

    ``bridge_index`` is the ifindex of a switch's bridge, 0 on other nodes. ``late_sysctls`` name one of its interfaces, and can be
    set only once that exists. ``loopback`` has further addresses of lo. ``nft_place`` is where the firewall's text stands.
    """

    name: str
    kind: str
    forwarding: bool
    bridge: bool
    bridge_index: int = 0
    stp: bool = False
    vlans: bool = False
    interfaces: tuple[InterfacePlan, ...] = ()
    loopback: tuple[Interface, ...] = ()
    vlan_devices: tuple[VlanDevice, ...] = ()
    vrf_devices: tuple[VrfDevice, ...] = ()
    vxlan_devices: tuple[VxlanDevice, ...] = ()
    routes: tuple[RoutePlan, ...] = ()
    rules: tuple[RulePlan, ...] = ()
    neighbours: tuple[NeighbourPlan, ...] = ()
    sysctls: tuple[tuple[str, str], ...] = ()
    late_sysctls: tuple[tuple[str, str], ...] = ()
    hosts: tuple[tuple[str, str], ...] = ()
    resolv: str | None = None
    env: tuple[tuple[str, str], ...] = ()
    files: tuple[File, ...] = ()
    start: tuple[Command, ...] = ()
    nft: str = ""
    nft_place: Place | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WireEnd:
    """Where a wire ends: a node and one of its interfaces."""

    node: str
    interface: InterfacePlan


@dataclass(frozen=True, slots=True, kw_only=True)
class WirePlan:
    """A wire between two endpoints; with ``middle`` (that namespace's name) it is two wires, and rules or queueing disciplines act
    between them. ``user_space`` says that packets must be looked at one by one there; else the kernel bridges them.

    ``shapes`` has the quantities of each direction: from ``a`` to ``b``, and back; None where there are none.
    """

    link: str
    a: WireEnd
    b: WireEnd
    mtu: int
    middle: str | None = None
    user_space: bool = False
    shapes: tuple[Shape | None, Shape | None] = (None, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All that is to be built, in the order in which it is made."""

    nodes: tuple[NodePlan, ...]
    wires: tuple[WirePlan, ...]

    def node(self, name: str) -> NodePlan:
        """The plan of this node; KeyError if there is none."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(name)
