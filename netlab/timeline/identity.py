"""Which socket every observation belongs to, whatever its source says of it: an inode, a cookie, a descriptor, a 4-tuple.

One socket is one object of one node's kernel, from its making until its last minisock has ended. Keys that the kernel uses for one
socket only (inode, SO_COOKIE) join at once; a 4-tuple and a descriptor's number join only while that socket had them. The
module refuses to know what sockets may do, and never picks one of several: what cannot be told belongs to none.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from netlab.timeline.holders import Holding
from netlab.timeline.joined import Joined, Occupancy
from netlab.timeline.joining import joined
from netlab.timeline.observation import Address
from netlab.timeline.streams import has
from netlab.timeline.timeline import Node, Timeline

__all__ = ["Holding", "Identities", "Occupancy", "Socket"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Socket:
    """One socket, equal to itself only. ``number`` tells it from its timeline's others; 0 and empty are what no source ever said.

    ``cookies`` has more than one only where the kernel gave a minisock one of its own. ``local`` is where it is bound, as last
    seen; ``occupancies`` the 4-tuples that it had and when; ``holdings`` the descriptors by which processes had it and when;
    ``names`` what the scenario calls it ("client.c", "client/p.c"), the first name first. Times are the timeline's, in ns; an
    end of None is one that was not seen.
    """

    number: int
    host: str
    protocol: str = ""
    inode: int = 0
    cookies: frozenset[int] = frozenset()
    local: Address | None = None
    occupancies: tuple[Occupancy, ...] = ()
    holdings: tuple[Holding, ...] = ()
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Identities:
    """The sockets of a timeline, and which of them each observation is about. ``of`` makes it."""

    sockets: tuple[Socket, ...]
    _about: Mapping[int, int] = field(repr=False)
    _senders: Mapping[int, int] = field(repr=False)
    _receivers: Mapping[int, int] = field(repr=False)
    _nodes: Mapping[str, Node] = field(repr=False)

    @classmethod
    def of(cls, timeline: Timeline) -> "Identities":
        """Join a whole timeline; takes some microseconds an observation."""
        found = joined(timeline)
        sockets = tuple(_socket(number, one) for number, one in enumerate(found.sockets))
        return cls(sockets, found.about, found.senders, found.receivers, timeline.nodes)

    def socket(self, index: int) -> Socket | None:
        """The socket that the observation at ``index`` is about: a call's, an event's, of a packet its node's own one.

        None: about no socket, or which one cannot be told.
        """
        return self._at(self._about, index)

    def sender(self, index: int) -> Socket | None:
        """Which socket sent the packet at ``index``, as far as its sending was seen."""
        return self._at(self._senders, index)

    def receiver(self, index: int) -> Socket | None:
        """Which socket received the packet at ``index``: a SYN's is the listener. None for one that never arrived."""
        return self._at(self._receivers, index)

    def _at(self, numbers: Mapping[int, int], index: int) -> Socket | None:
        number = numbers.get(index)
        return None if number is None else self.sockets[number]

    def called(self, name: str, until: int) -> Socket | None:
        """The socket that the scenario's "process.name" last stood for at or before ``until``."""
        process, _, short = name.rpartition(".")
        latest: tuple[int, Socket] | None = None
        for socket in self.sockets:
            for holding in socket.holdings:
                at = next((time for time, given in reversed(holding.given) if given == short and time <= until), None)
                if holding.process == process and at is not None and (latest is None or at >= latest[0]):
                    latest = at, socket
        return latest[1] if latest else None

    def name(self, socket: Socket) -> str:
        """The scenario's name where there is one, else a process, its descriptor and addresses, else the addresses alone.

        "client.c", "nginx[31] fd 5 (server:80)", "server:80 > client:40312", "server tcp socket 3".
        """
        if socket.names:
            return socket.names[0]
        ends = self.ends(socket)
        who = self.holder(socket)
        if who:
            return f"{who} ({ends})" if ends else who
        return ends or " ".join(filter(None, (socket.host, socket.protocol, "socket", str(socket.number))))

    def holder(self, socket: Socket) -> str:
        """Which process had it first, and as which descriptor: "nginx[31] fd 5"; "" where none is known."""
        one = next((one for one in socket.holdings if one.pid), None) or next(iter(socket.holdings), None)
        return "" if one is None else f"{f'{one.program}[{one.pid}]' if one.pid else one.process} fd {one.fd}"

    def ends(self, socket: Socket) -> str:
        """Its last 4-tuple, or where it is bound: "server:80 > client:40312", "server:80"; "" where nothing is known of it."""
        if socket.occupancies:
            last = socket.occupancies[-1]
            return f"{self._end(last.local, socket.host)} > {self._end(last.remote, '')}"
        return self._end(socket.local, socket.host) if socket.local and socket.local[1] else ""

    def _end(self, address: Address, host: str) -> str:
        """An address by its node's name; one that two nodes have only where ``host`` says which is meant."""
        ip, port = address
        if host and (ip in ("0.0.0.0", "::") or has(self._own.get(host, ()), ip)):
            return f"{host}:{port}"
        owners = [name for name, addresses in self._own.items() if has(addresses, ip)]
        shown = owners[0] if len(owners) == 1 else f"[{ip}]" if ":" in ip else ip
        return f"{shown}:{port}"

    @cached_property
    def _own(self) -> dict[str, tuple[str, ...]]:
        return {name: tuple(one for own in node.addresses.values() for one in own) for name, node in self._nodes.items()}


def _socket(number: int, found: Joined) -> Socket:
    return Socket(
        number=number,
        host=found.host,
        protocol=found.protocol,
        inode=found.inode,
        cookies=frozenset(found.cookies),
        local=found.local,
        occupancies=tuple(sorted(found.occupancies, key=lambda one: one.began)),
        holdings=tuple(sorted(found.holdings, key=lambda one: one.began)),
        names=tuple(dict.fromkeys(name for _, name in sorted(found.names))),
    )
