"""Topologies in a few words, as values: a link is ``wire("h:eth0 10.0.0.1/24", "s:eth0")``. They do not hang on the loader."""

from collections.abc import Iterable
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any

from netlab.errors import Place
from netlab.topology.networks import Interface
from netlab.topology.spec import Endpoint, Link, Nat, Node, Overlay, Route, Subinterface, Topology, Vrf

HERE = Place("<test>", 1, 1)


def addresses(*texts: str) -> tuple[Interface, ...]:
    return tuple(ip_interface(text) for text in texts)


def node(text: str, **keys: Any) -> Node:
    """ "h", or "r:router"."""
    name, _, kind = text.partition(":")
    return Node(name=name, kind=kind or "host", place=HERE, **keys)


def end(text: str, **keys: Any) -> Endpoint:
    """ "h:eth0 10.0.0.1/24 fd00::1/64"."""
    name, *own = text.split()
    of, _, interface = name.partition(":")
    return Endpoint(node=of, interface=interface, addresses=addresses(*own), **keys)


def wire(a: str | Endpoint, b: str | Endpoint, **keys: Any) -> Link:
    ends = (a if isinstance(a, Endpoint) else end(a), b if isinstance(b, Endpoint) else end(b))
    subnets = tuple(dict.fromkeys(address.network for each in ends for address in each.addresses))
    return Link(endpoints=ends, subnets=subnets, place=HERE, **keys)


def vlan(text: str, *own: str) -> Subinterface:
    """ "eth0.10" and its addresses."""
    return Subinterface(name=text, vlan=int(text.rpartition(".")[2]), addresses=addresses(*own))


def vrf(name: str, table: int, *interfaces: str) -> Vrf:
    return Vrf(name=name, table=table, interfaces=interfaces, place=HERE)


def nat(*outside: str) -> Nat:
    return Nat(outside=outside, place=HERE)


def route(to: str, via: str = "", source: str = "", **keys: Any) -> Route:
    return Route(
        destination=ip_network(to),
        via=ip_address(via) if via else None,
        source=ip_address(source) if source else None,
        place=HERE,
        **keys,
    )


def overlay(name: str, vni: int, *ends: Endpoint, **keys: Any) -> Overlay:
    subnets = tuple(dict.fromkeys(address.network for each in ends for address in each.addresses))
    return Overlay(name=name, vni=vni, endpoints=ends, subnets=subnets, mtu=1450, place=HERE, **keys)


def topology(nodes: Iterable[str | Node], links: list[Link], *overlays: Overlay, **keys: Any) -> Topology:
    return Topology(
        name="drawn",
        nodes=tuple(each if isinstance(each, Node) else node(each) for each in nodes),
        links=tuple(links),
        overlays=overlays,
        place=HERE,
        **keys,
    )


def star(hosts: int, **keys: Any) -> Topology:
    """Hosts h1, h2 ... with 10.0.x.y and fd00::n, around a switch s."""
    links = [wire(f"h{n}:eth0 10.0.{n >> 8}.{n & 255}/16 fd00::{n:x}/64", f"s:eth{n - 1}") for n in range(1, hosts + 1)]
    return topology(["s:switch", *(f"h{n}" for n in range(1, hosts + 1))], links, **keys)


def line(routers: int) -> Topology:
    """Routers r0, r1 ... with 10.0.n.0/24 and fd00:0:0:n::/64 between rn and the next."""
    links = [
        wire(f"r{n}:eth{min(n, 1)} 10.0.{n}.1/24 fd00:0:0:{n:x}::1/64", f"r{n + 1}:eth0 10.0.{n}.2/24 fd00:0:0:{n:x}::2/64")
        for n in range(routers - 1)
    ]
    return topology([f"r{n}:router" for n in range(routers)], links)
