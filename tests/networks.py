"""Topologies for tests of what builds and runs them, written as values: such a test does not hang on the loader."""

from ipaddress import ip_interface

from netlab.errors import Place
from netlab.topology.spec import Endpoint, Link, Node, Rule, Topology

HERE = Place("<test>", 1, 1)


def end(node: str, *addresses: str, interface: str = "eth0") -> Endpoint:
    return Endpoint(node=node, interface=interface, addresses=tuple(ip_interface(address) for address in addresses))


def node(name: str, kind: str = "host", **sysctls: str) -> Node:
    return Node(name=name, kind=kind, place=HERE, sysctls=tuple(sysctls.items()))


def two_hosts(*rules: tuple[tuple[str, str], tuple[Rule, ...]], server: str = "host") -> Topology:
    ends = (end("client", "10.0.0.1/24", "fd00::1/64"), end("server", "10.0.0.2/24", "fd00::2/64"))
    link = Link(endpoints=ends, subnets=tuple(address.network for address in ends[0].addresses), impair=rules, place=HERE)
    return Topology(name="two-hosts", nodes=(node("client"), node("server", server)), links=(link,), place=HERE)


def one_host() -> Topology:
    return Topology(name="one-host", nodes=(node("host"),), links=(), place=HERE)
