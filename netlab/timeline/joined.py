"""What joining is about: a socket while it is put together, the places it had, and addresses as all sources mean them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from netlab.timeline.headers import Headers, decode
from netlab.timeline.holders import Holding
from netlab.timeline.observation import Address

_MAPPED = "::ffff:"
Place = tuple[str, str, Address, Address]
"""Where a 4-tuple is used: node, protocol, local and remote address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Occupancy:
    """A socket had this 4-tuple, from ``began`` until ``ended`` (None: its end was not seen)."""

    local: Address
    remote: Address
    began: int
    ended: int | None = None


@dataclass(kw_only=True, slots=True, eq=False)
class Joined:
    """One socket while it is put together; ``into`` is what it turned out to be."""

    host: str
    protocol: str = ""
    inode: int = 0
    cookies: set[int] = field(default_factory=set)
    local: Address | None = None
    occupancies: list[Occupancy] = field(default_factory=list)
    holdings: list[Holding] = field(default_factory=list)
    names: list[tuple[int, str]] = field(default_factory=list)
    state: str = ""
    into: "Joined | None" = None

    def whole(self) -> "Joined":
        """What it turned out to be a part of, itself perhaps."""
        one = self
        while one.into is not None:
            one = one.into
        return one


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinedTimeline:
    """All sockets, and by an observation's index the number of the socket that it is about, that sent or that received it."""

    sockets: tuple[Joined, ...]
    about: Mapping[int, int]
    senders: Mapping[int, int]
    receivers: Mapping[int, int]


def plain(address: Address) -> Address:
    """An address as packets have it: IPv4 in IPv6 clothes (RFC 4291 §2.5.5.2) as IPv4."""
    ip, port = address
    return (ip[len(_MAPPED) :], port) if ip.startswith(_MAPPED) and "." in ip else (ip, port)


def ends(headers: Headers) -> tuple[Address, Address] | None:
    """A packet's source and target, None where it has no ports."""
    if headers.sport is None or headers.dport is None:
        return None
    return (headers.source, headers.sport), (headers.target, headers.dport)


def dropped_headers(data: bytes) -> Headers:
    """The headers of a packet that begins with its IP header."""
    return decode(bytes(12) + (b"\x86\xdd" if data[:1] and data[0] >> 4 == 6 else b"\x08\x00") + data)
