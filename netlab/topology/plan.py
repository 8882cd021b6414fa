"""Works out, from a topology, everything that is to be built: namespaces, devices, wires, routes, neighbours, files.

A plan is a value: it can be printed, and the lab carries it out. It touches no kernel and does not know how steps are made.
"""

from netlab.topology.pins import names_interface, sysctls_of
from netlab.topology.planned import NeighbourPlan, NodePlan, Plan, RoutePlan, RulePlan, WireEnd, WirePlan
from netlab.topology.planning.devices import BRIDGE_INDEX, Devices, devices_of
from netlab.topology.planning.hosts_file import hosts_of
from netlab.topology.planning.neighbours import neighbours_of
from netlab.topology.planning.routes import routes_of
from netlab.topology.segments import attachments_of
from netlab.topology.spec import Link, Node, PolicyRule, Topology

__all__ = ["plan"]

Pairs = tuple[tuple[str, str], ...]


def plan(topology: Topology) -> Plan:
    """The plan of a topology."""
    attachments = attachments_of(topology)
    devices, wires = devices_of(topology, attachments)
    routes = routes_of(topology.nodes, attachments)
    hosts = hosts_of(topology.nodes, attachments)
    neighbours = neighbours_of(topology, attachments, devices)
    forwarding = sum(node.kind in ("router", "nat") for node in topology.nodes)
    pinned = {kind: tuple(sysctls_of(kind, forwarding).items()) for kind in {node.kind for node in topology.nodes}}
    return Plan(
        nodes=tuple(
            [
                _node(
                    node,
                    devices[node.name],
                    routes.get(node.name, ()),
                    neighbours.get(node.name, ()),
                    pinned[node.kind],
                    hosts.get(node.name, ()),
                )
                for node in topology.nodes
            ]
        ),
        wires=tuple([_wire(link, *ends) for link, ends in zip(topology.links, wires, strict=True)]),
    )


def _node(
    node: Node,
    devices: Devices,
    routes: tuple[RoutePlan, ...],
    neighbours: tuple[NeighbourPlan, ...],
    pinned: Pairs,
    hosts: Pairs,
) -> NodePlan:
    late = tuple([(key, value) for key, value in node.sysctls if names_interface(key)])
    early = {key: value for key, value in node.sysctls if not names_interface(key)}
    is_switch = node.kind == "switch"
    return NodePlan(
        name=node.name,
        kind=node.kind,
        forwarding=node.kind in ("router", "nat"),
        bridge=is_switch,
        bridge_index=BRIDGE_INDEX if is_switch else 0,
        stp=node.stp,
        vlans=devices.vlans,
        interfaces=tuple(devices.interfaces),
        loopback=node.loopback,
        vlan_devices=tuple(devices.vlan),
        vrf_devices=tuple(devices.vrf),
        vxlan_devices=tuple(devices.vxlan),
        routes=routes,
        rules=tuple([_rule(rule) for rule in node.rules]),
        neighbours=neighbours,
        sysctls=tuple((dict(pinned) | early).items()) if early else pinned,
        late_sysctls=late,
        hosts=hosts,
        resolv=node.resolv,
        env=node.env,
        files=node.files,
        start=node.start,
        nft=_nft(node),
        nft_place=node.firewall_place,
    )


def _nft(node: Node) -> str:
    if not node.firewall and node.nat is None:
        return ""
    from netlab.topology.nft import ruleset  # most networks have neither, and need not wait for its import

    return ruleset(node)


def _rule(rule: PolicyRule) -> RulePlan:
    return RulePlan(
        family=rule.family,
        priority=rule.priority,
        table=rule.table,
        source=rule.source,
        destination=rule.destination,
        interface=rule.interface,
        mark=rule.mark,
    )


def _wire(link: Link, a: WireEnd, b: WireEnd) -> WirePlan:
    rules = link.by_wire or any(rules for _, rules in link.impair)
    shapes = dict(link.shapes)
    name = link.name
    return WirePlan(
        link=name,
        a=a,
        b=b,
        mtu=link.mtu,
        middle=f"middle of {name}" if rules or shapes else None,
        user_space=rules,
        shapes=(shapes.get((a.node, b.node)), shapes.get((b.node, a.node))),
    )
