"""The world that a scenario begins in: its hosts with their addresses and routes, a process on each, descriptors 0 to 2 open."""

from netlab.model.sockets.objects import File
from netlab.model.sockets.world import Host, Process, World
from netlab.scenario.spec import HealStep, ImpairStep, LinkStep, PeerStep, ReleaseStep, RunStep, Scenario
from netlab.topology.networks import Interface, Network
from netlab.topology.plan import plan
from netlab.topology.planned import NodePlan
from netlab.topology.spec import Topology

_STRANGE = ("net.ipv4.tcp_migrate_req", "net.ipv4.tcp_abort_on_overflow")
"""Kernel settings by which connections go otherwise than the model follows."""
_OTHERS = (PeerStep, RunStep, ImpairStep, HealStep, LinkStep, ReleaseStep)
_STANDARD = range(3)


def first_world(scenario: Scenario, *, certain: bool) -> World:
    """The world before the first step. ``certain`` as in World: whether what is sent on loopback counts as arrived at once."""
    disturbed = any(link.impair for link in scenario.topology.links) or bool(scenario.refusals)
    others = any(isinstance(step, _OTHERS) for step in scenario.steps)
    world = world_of(scenario.topology, certain=certain, limited=certain)
    world.strangers = world.strangers or disturbed or others
    return world


def world_of(topology: Topology, *, certain: bool, limited: bool = True) -> World:
    """The world of a topology in which nothing has been done yet. It counts as having strangers in it where a node has no kernel's
    stack, translates, filters, or runs programs from the start. ``limited``: RLIMIT_NOFILE is surely the usual one."""
    planned = plan(topology)
    hosts = {node.name: _host(node) for node in planned.nodes if node.kind not in ("switch", "peer")}
    strange = any(node.kind in ("peer", "nat") or node.firewall or node.start for node in topology.nodes)
    strange |= any(name in _STRANGE for node in topology.nodes for name, _ in node.sysctls)
    world = World(hosts=hosts, strangers=strange, certain=certain)
    for name in hosts:
        world = with_process(world, name, name, limited=limited)
    return world


def with_process(world: World, name: str, host: str, *, limited: bool = True) -> World:
    """One more process, with descriptors 0 to 2 open on something that is no socket."""
    world = world.with_process(name, Process(host=host, limited=limited))
    for _ in _STANDARD:
        world, _ = world.opened(name, File(path="/dev/null"))
    return world


def _host(node: NodePlan) -> Host:
    ends = [(end.name, end.index, end.addresses) for end in node.interfaces]
    ends += [(end.name, end.index, end.addresses) for end in node.vlan_devices]
    ends += [(end.name, end.index, end.addresses) for end in node.vxlan_devices]
    addresses = [address for _, _, found in ends for address in found]
    return Host(
        name=node.name,
        addresses=("127.0.0.1", "::1", *(str(address.ip) for address in (*node.loopback, *addresses))),
        networks=tuple(dict.fromkeys([*(one.network for one in addresses), *(route.destination for route in node.routes)])),
        default=frozenset(route.destination.version for route in node.routes if route.destination.prefixlen == 0),
        sources=_sources(node, addresses),
        interfaces={"lo": 1} | {name: index for name, index, _ in ends},
        sysctls=dict(node.sysctls) | dict(node.late_sysctls),
    )


def _sources(node: NodePlan, addresses: list[Interface]) -> dict[Network, str]:
    """By network the address that is sent from: of those on a network of ours that one; of others, one towards the next router."""
    found: dict[Network, str] = {}
    for address in addresses:
        found.setdefault(address.network, str(address.ip))
    for route in node.routes:
        towards = [one for one in addresses if route.via is not None and route.via in one.network]
        if route.source is not None:
            found.setdefault(route.destination, str(route.source))
        elif towards:
            found.setdefault(route.destination, str(towards[0].ip))
    return found
