"""Who is who in a capture: a name and an address in the lab for each address in it, and a subnet that holds them all.

Addresses are kept where one subnet of a sensible size can hold them; those of a loopback, link-local ones and those that are far
apart get others. It refuses to know what the hosts do.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from netlab.importing.segments import Connection, Datagram, End, Event

_SMALLEST, _LARGEST = {4: 24, 6: 64}, {4: 8, 6: 16}
_OTHERS = {4: "10.0.0.0/24", 6: "fd00::/64"}
_SERVER, _CLIENT = "server", "client"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """``names`` of the hosts by address and role (a machine that talks to itself plays two); ``addresses`` of each in the lab."""

    names: dict[tuple[str, str], str]
    addresses: dict[str, str]
    subnets: tuple[str, ...]
    told: tuple[str, ...]

    def of(self, end: End, server: bool) -> str:
        """The name of the host at an end."""
        role = _SERVER if server else _CLIENT
        return self.names.get((end[0], role)) or self.names[(end[0], "")]


def cast(events: Sequence[Event], connections: Iterable[Connection]) -> Cast:
    """Give the hosts of a capture names and addresses."""
    wanted: dict[tuple[str, str], str] = {}
    for connection in connections:
        _meet(wanted, connection.client, connection.server)
    for event in events:
        if isinstance(event, Datagram):
            _meet(wanted, *sorted((event.source, event.target), key=lambda end: -end[1]))
    names: dict[tuple[str, str], str] = {}
    for key, role in wanted.items():
        taken = sum(name.rstrip("0123456789") == role for name in names.values())
        names[key] = role + (str(taken + 1) if taken else "")
    addresses, subnets = settled(names)
    moved = [f"In it {names[key]} has the address {key[0]}." for key in names if addresses[names[key]] != key[0]]
    return Cast(names=names, addresses=addresses, subnets=subnets, told=tuple(moved))


def _meet(wanted: dict[tuple[str, str], str], client: End, server: End) -> None:
    for end, role in ((client, _CLIENT), (server, _SERVER)):
        wanted.setdefault((end[0], role if client[0] == server[0] else ""), role)


def settled(names: dict[tuple[str, str], str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """An address in the lab for each name, and the subnets; ``names`` are by address and role."""
    found: dict[str, str] = {}
    subnets = []
    for version in (4, 6):
        ours = {name: ip_address(key[0]) for key, name in names.items() if ip_address(key[0]).version == version}
        if not ours:
            continue
        subnet = _subnet(list(ours.values()), version) if len(set(ours.values())) == len(ours) else None
        if subnet is None:
            subnet = ip_network(_OTHERS[version])
            ours = {name: subnet[number] for number, name in enumerate(ours, 1)}
        found |= {name: str(address) for name, address in ours.items()}
        subnets.append(str(subnet))
    return found, tuple(subnets)


def _subnet(addresses: Sequence[IPv4Address | IPv6Address], version: int) -> IPv4Network | IPv6Network | None:
    """The smallest usual subnet in which all can be neighbours; None if there is none."""
    if any(one.is_loopback or one.is_link_local or one.is_multicast or one.is_unspecified for one in addresses):
        return None
    for length in range(_SMALLEST[version], _LARGEST[version] - 1, -1):
        subnet = ip_network(f"{addresses[0]}/{length}", strict=False)
        ends = {subnet.network_address, subnet.broadcast_address}
        if all(one in subnet and one not in ends for one in addresses):
            return subnet
    return None
