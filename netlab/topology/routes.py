"""Works out routes: a host's default route to its first router, a router's shortest ways to the subnets that it is not on.

Each family has its own routes, since a link may have only one of them. It does not know how a route is set.
"""

from collections import deque
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from netlab.topology.networks import Interface, Network
from netlab.topology.spec import Topology

_DEFAULT: dict[int, Network] = {4: IPv4Network("0.0.0.0/0"), 6: IPv6Network("::/0")}


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutePlan:
    """A route: what it leads to, the next router's address, the interface towards it."""

    destination: Network
    via: IPv4Address | IPv6Address
    interface: str

    @property
    def name(self) -> str:
        """The destination as people write it."""
        return "default" if self.destination.prefixlen == 0 else str(self.destination)


@dataclass(frozen=True, slots=True)
class _Port:
    node: str
    interface: str
    address: Interface


def routes_of(topology: Topology) -> dict[str, tuple[RoutePlan, ...]]:
    """The routes of every host and router, by its name."""
    kinds = {node.name: node.kind for node in topology.nodes}
    on: dict[Network, list[_Port]] = {}
    of: dict[str, list[_Port]] = {name: [] for name in kinds}
    for link in topology.links:
        for end in link.endpoints:
            for address in end.addresses:
                port = _Port(end.node, end.interface, address)
                on.setdefault(address.network, []).append(port)
                of[end.node].append(port)
    routers = {subnet: [port for port in ports if kinds[port.node] == "router"] for subnet, ports in on.items()}
    routes: dict[str, list[RoutePlan]] = {}
    for name, kind in kinds.items():
        for family in (4, 6):
            if kind == "host":
                routes.setdefault(name, []).extend(_default(of[name], routers, family))
            elif kind == "router":
                routes.setdefault(name, []).extend(_ways(name, of, routers, family))
    return {name: tuple(found) for name, found in routes.items()}


def _default(ports: list[_Port], routers: dict[Network, list[_Port]], family: int) -> list[RoutePlan]:
    for port in ports:
        if port.address.version == family and routers[port.address.network]:
            gateway = routers[port.address.network][0]
            return [RoutePlan(destination=_DEFAULT[family], via=gateway.address.ip, interface=port.interface)]
    return []


def _ways(name: str, of: dict[str, list[_Port]], routers: dict[Network, list[_Port]], family: int) -> list[RoutePlan]:
    """Breadth first over the routers: the first that reaches a subnet is on a shortest way to it."""
    reached = {port.address.network for port in of[name]}
    first: dict[str, RoutePlan | None] = {name: None}
    routes: list[RoutePlan] = []
    queue = deque([name])
    while queue:
        here = queue.popleft()
        for port in of[here]:
            if port.address.version != family:
                continue
            subnet, hop = port.address.network, first[here]
            if subnet not in reached and hop is not None:
                reached.add(subnet)
                routes.append(RoutePlan(destination=subnet, via=hop.via, interface=hop.interface))
            for other in routers[subnet]:
                if other.node not in first:
                    step = hop or RoutePlan(destination=subnet, via=other.address.ip, interface=port.interface)
                    first[other.node] = step
                    queue.append(other.node)
    return routes
