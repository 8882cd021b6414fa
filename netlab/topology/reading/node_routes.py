"""Reads a node's static routes, and checks them against what lies around the node: what the kernel would refuse is refused here.

It computes no routes, and does not know how one is set.
"""

from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import NamedTuple

from netlab.errors import Place, Problem
from netlab.topology.networks import Address, Network
from netlab.topology.reading.surroundings import Surroundings
from netlab.topology.schema.node import NodeFile, RouteFile
from netlab.topology.schema.node_values import MAIN
from netlab.topology.segments import LOOPBACK
from netlab.topology.spec import Route
from netlab.validate import named, written_at

_EVERYWHERE: dict[int, Network] = {4: IPv4Network("0.0.0.0/0"), 6: IPv6Network("::/0")}
_SMALLEST_MTU6 = 1280
_DEFAULT_METRIC = {4: 0, 6: 1024}  # what the kernel makes of 0
_OWN_METRIC = {4: 0, 6: 256}
"""That of the kernel's own routes, to the subnets of interfaces."""


class _Way(NamedTuple):
    """Where a route of one family leads: to an address, through an interface; nowhere if it refuses packets."""

    family: int
    via: Address | None = None
    interface: str = ""


class _OnLink(NamedTuple):
    """A subnet that is reached through an interface without a router between. ``connected``: by an address on it."""

    subnet: Network
    interface: str
    connected: bool


class StaticRoutes:
    """The static routes of one node while they are being read."""

    def __init__(self, node: str, file: NodeFile, around: Surroundings, problems: list[Problem]) -> None:
        self._node, self._file, self._around, self._problems = node, file, around, problems
        self._own = around.attachments(node) if around.sure else []
        self._on_link = [_OnLink(each.address.network, each.interface, True) for each in self._own if each.interface != LOOPBACK]
        self._enslaved = {name for vrf in file.vrfs.values() for name in vrf.interfaces}
        self._seen: dict[tuple[Network, int, int], Place] = {}

    def read(self) -> tuple[bool, tuple[Route, ...]]:
        """Whether routes are computed as well, and the routes that the file gives."""
        items = self._file.routes
        if isinstance(items, str):
            return True, ()
        written = written_at(self._file.node.at("routes"), items)
        words = [number for number, item in zip(written, items, strict=True) if isinstance(item, str)]
        for number in words[1:]:
            self._say(self._file.place("routes", number), "auto stands in this list already", "leave it out")
        routes = [route for item in items if not isinstance(item, str) and item.is_whole for route in self._routes(item)]
        return bool(words), tuple(routes)

    def _routes(self, item: RouteFile) -> Iterator[Route]:
        """The route, or two of them: one way to everywhere in each family."""
        ways = self._leading(item) if item.kind == "unicast" else self._refusing(item)
        if not ways or not self._has_source(item) or not self._has_room(item, ways):
            return
        table = 0 if item.table in (None, MAIN) else item.table or 0
        for way in ways:
            destination = _EVERYWHERE[way.family] if isinstance(item.to, str) else item.to
            if not self._is_new(item, destination, table):
                return
            if way.interface and way.via is None and table == 0:
                self._on_link.append(_OnLink(destination, way.interface, False))
            yield Route(
                destination=destination,
                via=way.via,
                interface=way.interface,
                kind=item.kind,
                metric=item.metric,
                table=table,
                source=item.source,
                mtu=item.mtu or 0,
                place=item.place(),
            )

    def _families(self, item: RouteFile) -> tuple[int, ...]:
        """The families that the route may be of."""
        if not isinstance(item.to, str):
            return (item.to.version,)
        return (item.source.version,) if item.source is not None else (4, 6)

    def _refusing(self, item: RouteFile) -> list[_Way]:
        given = [key for key in ("via", "interface", "source", "mtu") if getattr(item, key) is not None]
        for key in given:
            self._say(item.place(key, key=True), f"a route of kind {item.kind} leads nowhere, so it has no {key}", "leave it out")
        return [] if given else [_Way(family) for family in self._families(item)]

    def _leading(self, item: RouteFile) -> list[_Way]:
        if item.interface is None and item.via is None:
            self._say(item.place(), "this route does not say which way", "add via: or interface:, or kind: blackhole")
            return []
        if item.interface is not None:
            place = item.place("interface")
            if wrong := self._around.no_interface(self._node, item.interface, place, self._file.vrfs):
                self._problems.append(wrong)
                return []
        if item.via is None:
            ways = self._by_interface(item, item.interface or "")
        elif (via := _address(item.via)) is not None:
            ways = self._by_address(item, via)
        elif item.via in self._around.names or item.via.replace("-", "").isalnum():
            ways = self._by_name(item, item.via)
        else:
            self._say(
                item.place("via"), f'"{item.via}" is no address and no node', "write for example 10.0.0.1, or a neighbour's name"
            )
            return []
        down = [way.interface for way in ways if self._around.is_down(self._node, way.interface)]
        if down:
            place = item.place("via" if item.interface is None else "interface")
            self._say(place, f"the link of {down[0]} is down, and the kernel takes no route through it", "leave the route out")
        return [] if down else ways

    def _by_interface(self, item: RouteFile, interface: str) -> list[_Way]:
        families = self._families(item)
        if isinstance(item.to, str) and item.source is None:
            families = tuple(sorted({each.address.version for each in self._own if each.interface == interface}))
            if not families and self._around.sure:
                message = f"{interface} has no addresses, so that this may be the default of either family"
                self._say(item.place("to"), message, 'write 0.0.0.0/0 or "::/0"')
        return [_Way(family, None, interface) for family in families]

    def _by_address(self, item: RouteFile, via: Address) -> list[_Way]:
        place = item.place("via")
        if via.version not in self._families(item):
            other = item.to if not isinstance(item.to, str) else item.source
            self._say(place, f"{via} is of IPv{via.version}, and {other} is not", "give an address of the same family")
            return []
        if not self._around.sure:
            return []
        if any(via == each.address.ip for each in self._own):
            self._say(place, f"{via} is an address of {self._node} itself", "a route leads to another node's")
            return []
        if via.is_link_local and via.version == 6:
            if item.interface is None:
                self._say(place, f"{via} may be on every link", "add interface:")
            return [_Way(6, via, item.interface)] if item.interface is not None else []
        reached = [each for each in self._on_link if via.version == each.subnet.version and via in each.subnet]
        reached = [each for each in reached if item.interface in (None, each.interface)]
        if not reached:
            where = self._node if item.interface is None else f"{self._node}:{item.interface}"
            own = [
                each for each in self._on_link if item.interface in (None, each.interface) and each.subnet.version == via.version
            ]
            fix = f"they are: {named(dict.fromkeys(str(each.subnet) for each in own))}"
            self._say(place, f"{via} is in no subnet of {where}", fix)
            return []
        subnet = reached[0].subnet
        if isinstance(subnet, IPv4Network) and subnet.prefixlen < 31 and via in (subnet.network_address, subnet.broadcast_address):
            what = "stands for the subnet" if via == subnet.network_address else "is the broadcast address of"
            self._say(place, f"{via} {what} {subnet}", "give the address of a router")
            return []
        return [_Way(via.version, via, reached[0].interface)]

    def _by_name(self, item: RouteFile, name: str) -> list[_Way]:
        place = item.place("via")
        if name == self._node:
            self._say(place, f"{name} is the node itself", "a route leads to another node")
            return []
        hops = self._around.hops(self._node, name) if self._around.sure else []
        if not hops:
            if wrong := self._around.no_neighbour(self._node, name, place):
                self._problems.append(wrong)
            elif self._around.sure and not self._around.is_broken(name):
                self._say(place, f"{name} has no address on a subnet of {self._node}", "give their link subnets")
            return []
        families = self._families(item)
        first: dict[int, _Way] = {}
        for hop in hops:
            if hop.address.version in families and item.interface in (None, hop.interface):
                first.setdefault(hop.address.version, _Way(hop.address.version, hop.address, hop.interface))
        if not first:
            family = f" IPv{families[0]}" if len(families) == 1 else ""
            where = f" on {item.interface}" if item.interface is not None else ""
            common = named(dict.fromkeys(f"{hop.address} on {hop.interface}" for hop in hops))
            self._say(place, f"{self._node} and {name} share no{family} subnet{where}", f"{name} is {common}")
        return sorted(first.values())

    def _has_source(self, item: RouteFile) -> bool:
        if item.source is None or not self._around.sure:
            return True
        place = item.place("source")
        own = [each.address.ip for each in self._own]
        if item.source not in own:
            fix = f"its addresses are {named(map(str, own))}"
            self._say(place, f"{item.source} is no address of {self._node}", fix)
        elif item.source.version not in self._families(item):
            self._say(place, f"{item.source} is of IPv{item.source.version}, and {item.to} is not", "give one of the same family")
        else:
            return True
        return False

    def _has_room(self, item: RouteFile, ways: list[_Way]) -> bool:
        small = item.mtu is not None and item.mtu < _SMALLEST_MTU6 and any(way.family == 6 for way in ways)
        if small:
            self._say(item.place("mtu"), f"{item.mtu} is too small: IPv6 needs at least {_SMALLEST_MTU6}")
        return not small

    def _is_new(self, item: RouteFile, destination: Network, table: int) -> bool:
        place = item.place()
        metric = item.metric or _DEFAULT_METRIC[destination.version]
        first = self._seen.setdefault((destination, table, metric), place)
        if first is not place:
            fix = "give one of them another metric or table"
            self._say(place, f"a route to {destination} is there already, in {first.seen_from(place)}", fix)
            return False
        if (table, metric) == (0, _OWN_METRIC[destination.version]):
            for each in self._on_link:
                if each.subnet == destination and self._has_own_route(each):
                    message = f"{destination} is the subnet of {each.interface}, to which the kernel has a route already"
                    self._say(place, message, "give this one another metric or a table")
                    return False
        return True

    def _has_own_route(self, each: _OnLink) -> bool:
        """Whether the kernel has a route of its own to a subnet, in the main table."""
        wide = each.subnet.prefixlen < each.subnet.max_prefixlen
        elsewhere = each.interface in self._enslaved or self._around.is_down(self._node, each.interface)
        return each.connected and wide and not elsewhere

    def _say(self, place: Place, message: str, fix: str = "") -> None:
        self._problems.append(Problem(place, message, fix))


def _address(text: str) -> Address | None:
    try:
        return ip_address(text) if "%" not in text else None
    except ValueError:
        return None
