"""Cuts a pool of addresses into subnets for the links of a line, a ring or a mesh. It does not know the links."""

from ipaddress import IPv4Address, IPv6Address, ip_network

from netlab.topology.networks import Network
from netlab.validate import Problems
from netlab.yaml_nodes import Node


def cut(subnets: Node, count: int, problems: Problems) -> list[Node]:
    """As many lists of subnets as asked for, each with a piece of every pool: an IPv4 /30, an IPv6 /64, or a /127 of a pool longer
    than that. What is no pool stays as it is, to be told later."""
    columns: list[list[Node]] = []
    for item in subnets.items or ():
        try:
            pool = ip_network(item.data) if isinstance(item.data, str) and "/" in item.data else None
        except ValueError:
            pool = None
        if pool is None:
            columns.append([item] * count)
        elif (found := _pieces(pool, count)) is not None:
            columns.append([item.as_text(text) for text in found])
        else:
            length = _length(pool)
            there = 1 << (length - pool.prefixlen) if pool.prefixlen <= length else 0
            message = f"{pool} can be cut into {there} subnets of /{length}, and there are {count} links"
            problems.append(item.problem(message=message, fix=f"give a pool of /{length - (count - 1).bit_length()} or larger"))
    return [subnets.as_list(list(row)) for row in zip(*columns, strict=True)] if columns else [subnets.as_list([])] * count


def _length(pool: Network) -> int:
    if pool.version == 4:
        return 30
    return 64 if pool.prefixlen <= 64 else 127


def _pieces(pool: Network, count: int) -> list[str] | None:
    length = _length(pool)
    if length < pool.prefixlen or count > 1 << (length - pool.prefixlen):
        return None
    first, step = int(pool.network_address), 1 << (pool.max_prefixlen - length)
    make = IPv4Address if pool.version == 4 else IPv6Address
    return [f"{make(first + i * step)}/{length}" for i in range(count)]
