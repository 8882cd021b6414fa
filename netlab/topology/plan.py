"""Works out, from a topology, every step of building it: namespaces, bridges, wires, addresses, routes, sysctls, names of hosts.

A plan is a value: it can be printed, and the lab carries it out. It touches no kernel and does not know how steps are made.
"""

from dataclasses import dataclass

from netlab.topology.networks import Interface
from netlab.topology.pins import sysctls_of
from netlab.topology.routes import RoutePlan, routes_of
from netlab.topology.spec import Endpoint, Node, Topology

__all__ = ["NodePlan", "Plan", "RoutePlan", "WirePlan", "plan"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePlan:
    """What one node is built from. ``addresses`` has each interface's, in the order of its links; ``hosts`` is its hosts file."""

    name: str
    kind: str
    forwarding: bool
    bridge: bool
    addresses: tuple[tuple[str, tuple[Interface, ...]], ...]
    routes: tuple[RoutePlan, ...]
    sysctls: tuple[tuple[str, str], ...]
    hosts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WirePlan:
    """A wire between two endpoints; with ``middle`` (that namespace's name) it is two wires, and rules act between them."""

    link: str
    a: Endpoint
    b: Endpoint
    mtu: int
    middle: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All steps, in the order in which they are made."""

    nodes: tuple[NodePlan, ...]
    wires: tuple[WirePlan, ...]

    def node(self, name: str) -> NodePlan:
        """The plan of this node; KeyError if there is none."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(name)

    def lines(self) -> list[str]:
        """The steps as text, one a line, for people."""
        lines = [f"namespace {node.name} ({node.kind})" for node in self.nodes]
        lines += [f"namespace {wire.middle} (rules)" for wire in self.wires if wire.middle is not None]
        for node in self.nodes:
            lines += [f"{node.name}: sysctl {key} = {value}" for key, value in node.sysctls]
            lines += [f"{node.name}: bridge"] if node.bridge else []
        for wire in self.wires:
            a, b = (f"{end.node}:{end.interface}" for end in (wire.a, wire.b))
            through = f" through {wire.middle}" if wire.middle is not None else ""
            lines.append(f"wire {a} - {b}, mtu {wire.mtu}{through}")
        for node in self.nodes:
            verb = "answers for" if node.kind == "peer" else "address"
            lines += [f"{node.name}: {verb} {address} on {name}" for name, all_ in node.addresses for address in all_]
        for node in self.nodes:
            lines += [f"{node.name}: route {route.name} via {route.via} on {route.interface}" for route in node.routes]
        for node in self.nodes:
            lines += [f"{node.name}: name {name} is {address}" for name, address in node.hosts]
        return lines


def plan(topology: Topology) -> Plan:
    """The plan of a topology."""
    ends: dict[str, list[Endpoint]] = {node.name: [] for node in topology.nodes}
    for link in topology.links:
        for end in link.endpoints:
            ends[end.node].append(end)
    routes = routes_of(topology)
    routers = sum(node.kind == "router" for node in topology.nodes)
    known = [(node.name, address) for node in topology.nodes for end in ends[node.name] for address in end.addresses]
    return Plan(
        nodes=tuple(_node(node, ends[node.name], routes.get(node.name, ()), routers, known) for node in topology.nodes),
        wires=tuple(
            WirePlan(
                link=link.name,
                a=link.endpoints[0],
                b=link.endpoints[1],
                mtu=link.mtu,
                middle=f"middle of {link.name}" if any(rules for _, rules in link.impair) else None,
            )
            for link in topology.links
        ),
    )


def _node(
    node: Node, ends: list[Endpoint], routes: tuple[RoutePlan, ...], routers: int, known: list[tuple[str, Interface]]
) -> NodePlan:
    near = {address.network for end in ends for address in end.addresses}
    # one name may have many addresses: a resolver takes the first, and that should be the one on a shared link
    hosts = [(name, str(address.ip)) for name, address in known if address.network in near]
    hosts += [(name, str(address.ip)) for name, address in known if address.network not in near]
    return NodePlan(
        name=node.name,
        kind=node.kind,
        forwarding=node.kind == "router",
        bridge=node.kind == "switch",
        addresses=tuple((end.interface, end.addresses) for end in ends),
        routes=routes,
        sysctls=tuple((sysctls_of(node.kind, routers) | dict(node.sysctls)).items()),
        hosts=tuple(hosts) if node.kind in ("host", "router") else (),
    )
