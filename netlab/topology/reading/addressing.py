"""Gives every segment its subnets and every interface its addresses: first what the file chose, then by counting.

A segment is what one broadcast reaches. Everything is deterministic: the same file gives the same addresses. It does not know what
makes a segment (a link, switches, a VLAN, an overlay), and nothing of routes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Interface, IPv6Interface, ip_interface
from typing import NamedTuple

from netlab.errors import Place, Problem
from netlab.topology.networks import Address, Interface, Network
from netlab.topology.reading.pools import Pool
from netlab.topology.schema.values import MOST_SUBNETS
from netlab.validate import Piece, named

MTU6 = 1280
"""The least MTU of a link that carries IPv6 (RFC 8200, section 5)."""


@dataclass(slots=True, kw_only=True, eq=False)
class Segment:
    """Interfaces that share their subnets. ``first`` is what makes it in the file; ``said`` are the subnets that the file gives
    for it, ``narrow`` the places of an MTU that is too small for IPv6. Others may use a ``shared`` one's subnets again; ``fix``
    says what to do when they are taken."""

    name: str
    first: Piece
    seats: list["Seat"] = field(default_factory=list)
    said: list[tuple[Sequence[Network], Place]] = field(default_factory=list)
    narrow: list[Place] = field(default_factory=list)
    shared: bool = False
    fix: str = "choose another"
    subnets: list[Network] = field(default_factory=list)
    place: Place | None = None
    given: bool = False
    users: dict[Address, "Choice"] = field(default_factory=dict)

    @property
    def where(self) -> Place:
        """Where its subnets are given, or where it begins."""
        return self.place or self.first.place()


@dataclass(slots=True, kw_only=True, eq=False)
class Seat:
    """An interface of a node on a segment: the addresses that the file chose for it, and then all that it has."""

    node: str
    segment: Segment
    chosen: dict[Address, Interface] = field(default_factory=dict)
    addresses: list[Interface] = field(default_factory=list)


class Choice(NamedTuple):
    """An address that the file chooses for a node, on one of ``seats``. With ``shared`` it may be another one's, too."""

    node: str
    text: str
    place: Place
    seats: tuple[Seat, ...]
    shared: bool = False


class Loopback(NamedTuple):
    """An address on a node's loopback interface."""

    node: str
    address: Interface
    place: Place


class _Taken(NamedTuple):
    subnet: Network
    owner: Segment | None
    name: str
    place: Place


def assign(segments: Sequence[Segment], choices: Sequence[Choice], loopbacks: Sequence[Loopback], problems: list[Problem]) -> None:
    """Fill in every segment's subnets and every seat's addresses."""
    said_by: dict[int, list[Network]] = {}
    for choice in choices:
        if len(choice.seats) == 1 and "/" in choice.text:
            said_by.setdefault(id(choice.seats[0].segment), []).append(ip_interface(choice.text).network)
    for segment in segments:
        _given(segment, said_by.get(id(segment), []), problems)
    taken = [_Taken(subnet, each, each.name, each.where) for each in segments for subnet in each.subnets]
    wide = [each for each in loopbacks if each.address.network.num_addresses > 1]
    apart = [each for each in taken if each.owner is None or not each.owner.shared]
    apart += [_Taken(each.address.network, None, f"the loopback of {each.node}", each.place) for each in wide]
    problems += _overlaps(apart)
    networks = [*(each.subnet for each in taken), *(each.address.network for each in loopbacks)]
    pools = {family: Pool(family, networks) for family in (4, 6)}
    for segment in segments:
        if not segment.given:
            for family in (4,) if segment.narrow else (4, 6):
                if (subnet := pools[family].take(len(segment.seats))) is not None:
                    segment.subnets.append(subnet)
                else:
                    message = f"{segment.name}: no IPv{family} subnet with {len(segment.seats)} addresses is left to assign"
                    fix = "give its subnets, or smaller ones elsewhere"
                    problems.append(Problem(segment.first.place(), message, fix))
    for choice in choices:
        _choose(choice, problems)
    reserved = {family: {int(each.address.ip) for each in loopbacks if each.address.version == family} for family in (4, 6)}
    for segment in segments:
        _fill(segment, reserved, problems)


def _given(segment: Segment, chosen: list[Network], problems: list[Problem]) -> None:
    """The subnets that the file gives for a segment, or else its chosen addresses; all who give some must give the same."""
    segment.said.sort(key=lambda each: each[1])
    for subnets, place in segment.said:
        if not segment.given:
            segment.subnets, segment.place, segment.given = list(subnets), place, True
        elif set(subnets) != set(segment.subnets):
            first = f"{named(map(str, segment.subnets))} in {segment.where.seen_from(place)}"
            message = f"{segment.name} is one segment, with {first}; here it is {named(map(str, subnets))}"
            problems.append(Problem(place, message, "give them once"))
    if not segment.given:
        segment.subnets, segment.given = list(dict.fromkeys(chosen)), bool(chosen)
        if len(segment.subnets) > MOST_SUBNETS:
            message = (
                f"{segment.name}: the addresses chosen here are of {len(segment.subnets)} subnets, and {MOST_SUBNETS} are allowed"
            )
            problems.append(Problem(segment.where, message, "choose them from fewer subnets"))
            segment.subnets = segment.subnets[:MOST_SUBNETS]
    for i, subnet in enumerate(segment.subnets):
        if any(subnet.version == other.version and subnet.overlaps(other) for other in segment.subnets[:i]):
            problems.append(Problem(segment.where, f"{subnet} overlaps another of the same link", "choose another"))
    if any(subnet.version == 6 for subnet in segment.subnets):
        message = f"IPv6 needs an mtu of at least {MTU6}, and {segment.name} has an IPv6 subnet"
        problems += [Problem(place, message, "raise the mtu, or give IPv4 subnets only") for place in segment.narrow]


def _overlaps(taken: Iterable[_Taken]) -> list[Problem]:
    """Sorted by where they begin, subnets that overlap are neighbours: one contains the other. Loopbacks may be alike (anycast)."""
    problems: list[Problem] = []
    last: _Taken | None = None
    for each in sorted(taken, key=lambda each: (each.subnet.version, int(each.subnet.network_address), each.subnet.prefixlen)):
        if (
            last is None
            or last.subnet.version != each.subnet.version
            or last.subnet.broadcast_address < each.subnet.network_address  # type: ignore[operator]
        ):
            last = each
        elif each.owner is not last.owner:
            one, late = sorted((last, each), key=lambda each: each.place)
            message = f"{late.name}: {late.subnet} overlaps {one.subnet} of {one.name} in {one.place.seen_from(late.place)}"
            problems.append(Problem(late.place, message, late.owner.fix if late.owner is not None else "choose another"))
    return problems


def _choose(choice: Choice, problems: list[Problem]) -> None:
    wanted = ip_interface(choice.text)
    for seat in choice.seats:
        for subnet in seat.segment.subnets:
            if wanted.version == subnet.version and wanted.ip in subnet:
                if (problem := _unfit(choice, wanted, subnet) or _used(choice, wanted.ip, seat)) is not None:
                    problems.append(problem)
                    return
                users = seat.segment.users
                if wanted.ip not in users or users[wanted.ip].shared:
                    users[wanted.ip] = choice
                seat.chosen[wanted.ip] = ip_interface((wanted.ip, subnet.prefixlen))
                return
    if choice.seats:
        have = named(str(subnet) for seat in choice.seats for subnet in seat.segment.subnets)
        message = f"{choice.text} is in no subnet of {' or '.join(seat.segment.name for seat in choice.seats)}"
        problems.append(Problem(choice.place, message, f"they are: {have}"))


def _unfit(choice: Choice, wanted: Interface, subnet: Network) -> Problem | None:
    if "/" in choice.text and wanted.network.prefixlen != subnet.prefixlen:
        message = f"{choice.text} has another prefix length than its subnet {subnet}"
        return Problem(choice.place, message, f"write {wanted.ip}/{subnet.prefixlen}")
    last = 31 if subnet.version == 4 else 127
    if subnet.prefixlen < last and wanted.ip == subnet.network_address:
        return Problem(choice.place, f"{wanted.ip} stands for the subnet {subnet} itself", "choose another")
    if subnet.version == 4 and subnet.prefixlen < last and wanted.ip == subnet.broadcast_address:
        return Problem(choice.place, f"{wanted.ip} is the broadcast address of {subnet}", "choose another")
    return None


def _used(choice: Choice, address: Address, seat: Seat) -> Problem | None:
    if address in seat.chosen:
        return Problem(choice.place, f"{address} is given to {choice.node} twice", "remove one of the two")
    first = seat.segment.users.get(address)
    if first is None or first.shared or choice.shared:
        return None
    return Problem(choice.place, f"{address} is the address of {first.node} already", seat.segment.fix)


def _fill(segment: Segment, reserved: dict[int, set[int]], problems: list[Problem]) -> None:
    for subnet in segment.subnets:
        taken = reserved[subnet.version] | {int(address) for address in segment.users if address.version == subnet.version}
        free = (number for number in _usable(subnet) if number not in taken)
        make = IPv4Interface if subnet.version == 4 else IPv6Interface
        prefix = subnet.prefixlen
        for seat in segment.seats:
            own = [each for each in seat.chosen.values() if each.network == subnet] if seat.chosen else []
            if not own:
                number = next(free, None)
                if number is None:
                    message = f"{segment.name}: {subnet} has too few addresses for {len(segment.seats)} interfaces"
                    problems.append(Problem(segment.where, message, "give a larger subnet"))
                    break
                own = [make((number, prefix))]
            seat.addresses += own


def _usable(subnet: Network) -> Iterable[int]:
    """The addresses of a subnet that interfaces may have, as numbers."""
    first, last = int(subnet.network_address), int(subnet.broadcast_address)
    if subnet.version == 4 and subnet.prefixlen < 31:
        first, last = first + 1, last - 1
    elif subnet.version == 6 and subnet.prefixlen < 127:
        first += 1
    return range(first, last + 1)
