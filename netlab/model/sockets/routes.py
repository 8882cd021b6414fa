"""Routes: from which address a host sends to another one, what a wildcard stands for, which addresses are broadcasts.

It knows Linux' choice among the addresses of a host, and no socket.
"""

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address

from netlab.model.sockets.world import Host

LOOPBACK = {4: "127.0.0.1", 6: "::1"}
_WILDCARDS = {"0.0.0.0": 4, "::": 6}


def version(host: str) -> int:
    """4 or 6."""
    return 6 if ":" in host else 4


@lru_cache(maxsize=4096)
def number(host: str) -> IPv4Address | IPv6Address:
    """An address as a number, without its scope."""
    return ip_address(host.partition("%")[0])


def destination(host: str, source: str = "") -> str:
    """Where a packet to an address goes: to a wildcard means to oneself (ip(7); ip_route_output_key_hash() in net/ipv4/route.c)."""
    family = _WILDCARDS.get(host)
    if family is None:
        return host
    bound = family == 4 and source not in ("", "0.0.0.0") and ":" not in source
    return source if bound else LOOPBACK[family]


def is_broadcast(host: Host, address: str) -> bool:
    """Whether an IPv4 address is a broadcast of a network that the host is on, or of all."""
    if ":" in address:
        return False
    if address in ("255.255.255.255", "127.255.255.255"):
        return True
    return any(
        network.version == 4 and network.prefixlen < 31 and number(address) == network.broadcast_address
        for network in host.networks
    )


@lru_cache(maxsize=4096)
def is_group(address: str) -> bool:
    """Whether it is a multicast address."""
    return number(address).is_multicast


@lru_cache(maxsize=4096)
def is_link_local(address: str) -> bool:
    """Whether an IPv6 address is one of a link."""
    return ":" in address and number(address).is_link_local


def reached(host: Host, address: str) -> bool:
    """Whether there is a way to an address: one's own, a network's, by a default route."""
    return host.owns(address) or host.reaches(address)


def source_for(host: Host, address: str) -> str | None:
    """The address that a host sends from to another one where nobody chose (ip(7), RFC 6724); None where that is not known."""
    family = version(address)
    if family == 4 and address.startswith("127."):
        return LOOPBACK[4]
    if host.owns(address):
        return address
    mine = [one for one in host.addresses if version(one) == family and not number(one).is_loopback]
    near = [network for network in host.networks if network.version == family and number(address) in network]
    if near:
        longest = max(near, key=lambda network: network.prefixlen)
        if longest in host.sources:
            return host.sources[longest]
        fitting = [one for one in mine if number(one) in longest]
        if len(fitting) == 1 or (fitting and family == 4):
            return fitting[0]
    return mine[0] if len(mine) == 1 else None
