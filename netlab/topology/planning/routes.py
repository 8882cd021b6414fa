"""Works out routes: a host's default route to its first router, a router's shortest ways to all subnets that it is not on.

A nat node is a host towards its outside and a router towards its inside. A VRF is computed for like a node of its own, and has
its routes in its own table. Each family has its own routes, since a link may have only one of them. It sets nothing.
"""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network

from netlab.topology.networks import Network
from netlab.topology.planned import RoutePlan
from netlab.topology.planning.aggregate import OWN, UNREACHED, Destinations
from netlab.topology.planning.paths import Graph, Instance
from netlab.topology.segments import Attachment
from netlab.topology.spec import Node, Route

_DEFAULT: dict[int, Network] = {4: IPv4Network("0.0.0.0/0"), 6: IPv6Network("::/0")}
_LARGE = 32
_MAIN = 254
_LAST = 4278198272  # the metric that vrf.rst has for it: after every other
_METRIC6 = 1024  # what the kernel gives an IPv6 route without one


def routes_of(nodes: Sequence[Node], attachments: dict[str, list[Attachment]]) -> dict[str, tuple[RoutePlan, ...]]:
    """The routes of every node that has any, by its name: the computed ones, then those that its file gives it.

    A given route takes the place of a computed one to the same destination, with the same metric in the same table.
    """
    given = {node.name: [_given(route) for route in node.routes] for node in nodes if node.routes}
    found: dict[str, list[RoutePlan]] = {}
    if any(node.kind in ("router", "nat") for node in nodes):
        instances = [one for node in nodes for one in _instances(node, attachments.get(node.name, []))]
        found = _computed(instances, {node.name for node in nodes if node.auto_routes}, given)
    for node in nodes:
        if node.vrfs:
            found.setdefault(node.name, []).extend(_ends(node))
    for name, routes in given.items():
        taken = {_key(route) for route in routes}
        found[name] = [route for route in found.get(name, []) if _key(route) not in taken] + routes
    return {name: tuple(routes) for name, routes in found.items()}


def _ends(node: Node) -> list[RoutePlan]:
    """The last route of each VRF's tables: without it, what a table does not know is sought in the main one (the kernel's
    Documentation/networking/vrf.rst)."""
    return [
        RoutePlan(destination=_DEFAULT[family], kind="unreachable", metric=_LAST, table=vrf.table)
        for vrf in node.vrfs
        for family in (4, 6)
    ]


def _instances(node: Node, attachments: list[Attachment]) -> list[Instance]:
    if node.kind not in ("host", "router", "nat"):
        return []
    outside = node.nat.outside if node.nat is not None else ()
    main = Instance(node=node.name, kind=node.kind, attachments=[], outside=outside)
    every = [main]
    serving: dict[str, Instance] = {}
    for vrf in node.vrfs:
        every.append(Instance(node=node.name, kind=node.kind, table=vrf.table, attachments=[], outside=outside))
        serving |= dict.fromkeys(vrf.interfaces, every[-1])
    for one in attachments:
        if one.up:
            serving.get(one.interface, main).attachments.append(one)
    return every


def _computed(instances: Sequence[Instance], asked: set[str], given: dict[str, list[RoutePlan]]) -> dict[str, list[RoutePlan]]:
    found: dict[str, list[RoutePlan]] = {}
    gateways = _gateways(instances)
    defaults: dict[tuple[str, int, int], RoutePlan] = {}
    for instance in instances:
        if instance.kind != "router" and instance.node in asked:
            routes = found.setdefault(instance.node, [])
            for family in (4, 6):
                if (way := _way_out(instance, gateways, family)) is not None:
                    # hosts on one segment share one value: there may be a thousand of them
                    key = way.interface, way.segment, instance.table
                    if key not in defaults:
                        via = gateways[way.segment].address.ip
                        defaults[key] = RoutePlan(
                            destination=_DEFAULT[family], via=via, interface=way.interface, table=instance.table
                        )
                    routes.append(defaults[key])
    leading = [instance for instance in instances if instance.leads]
    tables = _Tables(leading)
    for number, instance in enumerate(leading):
        if instance.forwards and instance.node in asked:
            apart = [route.destination for route in given.get(instance.node, ()) if _table(route) == instance.table]
            found.setdefault(instance.node, []).extend(tables.routes(number, apart))
    return found


def _gateways(instances: Sequence[Instance]) -> dict[int, Attachment]:
    """The first attachment of each segment that takes packets for others."""
    found: dict[int, Attachment] = {}
    for instance in instances:
        if instance.forwards:
            for one in instance.attachments:
                if one.interface not in instance.outside:
                    found.setdefault(one.segment, one)
    return found


def _way_out(instance: Instance, gateways: dict[int, Attachment], family: int) -> Attachment | None:
    """The first attachment with a gateway beside it; of a nat node, on its outside."""
    for one in instance.attachments:
        gateway = gateways.get(one.segment)
        beside = gateway is not None and gateway.address.version == family and gateway.node != instance.node
        if beside and (instance.kind == "host" or one.interface in instance.outside):
            return one
    return None


class _Tables:
    """The computed tables of all forwarding instances: a route for each subnet, or exactly as much in fewer where it is large."""

    def __init__(self, instances: Sequence[Instance]) -> None:
        self._instances = instances
        self._graphs = {family: Graph(instances, family) for family in (4, 6)}
        self._allocated = {family: Destinations(graph.destinations) for family, graph in self._graphs.items()}
        self._alike = self._graphs[4].equals(self._graphs[6])

    def routes(self, number: int, apart: Sequence[Network]) -> list[RoutePlan]:
        """The routes of the instance of this number, both families'; ``apart`` are further destinations in its table."""
        labels, steps = self._graphs[4].first_steps(number)
        found = self._family(number, 4, apart, labels, steps)
        if not self._alike:
            labels, steps = self._graphs[6].first_steps(number)
        return found + self._family(number, 6, apart, labels, steps)

    def _family(
        self, number: int, family: int, apart: Sequence[Network], labels: list[int], steps: list[tuple[int, int]]
    ) -> list[RoutePlan]:
        ports, table = self._graphs[family].ports, self._instances[number].table
        hops = [(ports[other][segment].address.ip, ports[number][segment].interface) for segment, other in steps]
        if len(labels) - labels.count(UNREACHED) - labels.count(OWN) <= _LARGE:
            wanted = self._allocated[family].one_by_one(labels)
        else:
            wanted = self._allocated[family].aggregated(labels, [each for each in apart if each.version == family])
        return [
            RoutePlan(destination=network, via=hops[label - 2][0], interface=hops[label - 2][1], table=table)
            for network, label in wanted
        ]


def _given(route: Route) -> RoutePlan:
    return RoutePlan(
        destination=route.destination,
        via=route.via,
        interface=route.interface,
        kind=route.kind,
        metric=route.metric,
        table=route.table,
        source=route.source,
        mtu=route.mtu,
    )


def _table(route: RoutePlan) -> int:
    return 0 if route.table == _MAIN else route.table


def _key(route: RoutePlan) -> tuple[Network, int, int]:
    metric = route.metric or (_METRIC6 if route.destination.version == 6 else 0)
    return route.destination, _table(route), metric
