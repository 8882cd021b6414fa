"""Join what all sources say into sockets: one pass over the observations in the order of time.

An inode or a cookie belongs to one socket for good; a 4-tuple belongs to its occupant, from the first that is known of it to its
CLOSE or to the next occupant. Two records that turn out to be one socket become one, unless their inodes or cookies say
otherwise. It refuses to know which transitions or packets are right.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from netlab.timeline.headers import Headers, decode
from netlab.timeline.holders import Holders
from netlab.timeline.joined import Joined, JoinedTimeline, Occupancy, Place, dropped_headers, ends, plain
from netlab.timeline.journeys import Journeys
from netlab.timeline.kernel_events import Reset, Retransmission, SocketDestroyed, SocketError, SocketMemory, SocketTimer, TcpInfo
from netlab.timeline.observation import Address
from netlab.timeline.observations import (
    CallReturned,
    CallStarted,
    DescriptorSeen,
    Named,
    Packet,
    PacketDropped,
    SocketEntry,
    SocketState,
    SocketTable,
    SystemCall,
)
from netlab.timeline.ports import Ports
from netlab.timeline.streams import owner
from netlab.timeline.timeline import Timeline

_MINISOCKS = ("TIME_WAIT", "FIN_WAIT2")
_NO_PROOF = ("peer", "nat", "switch")
_HALF_OPEN = frozenset({"NEW_SYN_RECV", "SYN_RECV"})
# A socket's own RST goes out right after it was closed (tcp_send_active_reset); later ones answer for no socket.
_LAST_WORD = 1_000_000


@dataclass(kw_only=True, slots=True, eq=False)
class _Tenant:
    """Who has a 4-tuple now. ``initial`` is the sequence number of the SYN that it sent, ``heard`` whether something came in
    since it was closed."""

    socket: Joined
    began: int
    ended: int | None = None
    initial: int | None = None
    heard: bool = False


def joined(timeline: Timeline) -> JoinedTimeline:
    """Join a whole timeline."""
    return _Joining(timeline).result()


class _Joining:
    def __init__(self, timeline: Timeline) -> None:
        self._observations, self._nodes = timeline.observations, timeline.nodes
        self._all: list[Joined] = []
        self._by_inode: dict[tuple[str, int], Joined] = {}
        self._by_cookie: dict[tuple[str, int], Joined] = {}
        self._tenants: dict[Place, _Tenant] = {}
        self._dialling: dict[tuple[str, Address], list[Joined]] = {}
        self._ports = Ports()
        self._about: dict[int, Joined] = {}
        self._journeys = Journeys()
        self._holders = Holders(timeline.observations)
        for (process, _), history in self._holders.history.items():
            for holding in history:
                if holding.inode:
                    one = self._inode(process[0], holding.inode)
                    one.holdings.append(holding)
                    one.names += [(time, f"{holding.process}.{name}") for time, name in holding.given]
        for index, seen in enumerate(self._observations):
            about = self._take(index, seen)
            if about is not None:
                self._about[index] = about
        self._journeys.pair()

    def result(self) -> JoinedTimeline:
        for place, tenant in self._tenants.items():
            self._leave(place, tenant, tenant.ended)
        sockets = [one for one in self._all if one.into is None]
        numbers = {id(one): number for number, one in enumerate(sockets)}

        def numbered(found: Mapping[int, Joined]) -> dict[int, int]:
            return {index: numbers[id(one.whole())] for index, one in found.items()}

        return JoinedTimeline(
            sockets=tuple(sockets),
            about=numbered(self._about),
            senders=numbered(self._journeys.senders),
            receivers=numbered(self._journeys.receivers),
        )

    def _take(self, index: int, seen: object) -> Joined | None:
        match seen:
            case SocketState():
                return self._state(seen)
            case SocketTable():
                self._table(seen)
            case Packet():
                return self._packet(index, seen)
            case PacketDropped():
                return self._dropped(seen)
            case Reset() | Retransmission() | SocketError() | SocketMemory() | SocketTimer() | TcpInfo() | SocketDestroyed():
                protocol = seen.protocol if isinstance(seen, SocketDestroyed) else "tcp"
                place = (seen.host, protocol, plain(seen.local), plain(seen.remote))
                return self._found(place, seen.inode, seen.cookie)
            case Named(inode=inode) if inode:
                return self._inode(seen.host, inode)
            case CallStarted() | CallReturned():
                inode = self._holders.inode_of_call(seen)
                return self._inode(seen.host, inode) if inode else None
            case SystemCall():
                inode = seen.inode or (self._holders.inode(seen.host, seen.pid, seen.fd, seen.began) if seen.fd >= 0 else seen.made)
                return self._inode(seen.host, inode) if inode else None
            case DescriptorSeen(target=target) if target.startswith("socket:["):
                return self._inode(seen.host, int(target[8:-1]))
        return None

    def _new(self, host: str, protocol: str = "") -> Joined:
        self._all.append(Joined(host=host, protocol=protocol))
        return self._all[-1]

    def _inode(self, host: str, inode: int) -> Joined:
        known = self._by_inode.get((host, inode))
        if known is None:
            known = self._by_inode[host, inode] = self._new(host)
            known.inode = inode
        return known.whole()

    def _found(self, place: Place, inode: int, cookie: int) -> Joined | None:
        """The socket that these keys stand for, joined where they were known apart; None where none is known."""
        host, protocol, local, _ = place
        found = self._inode(host, inode) if inode else None
        if cookie:
            known = self._by_cookie.get((host, cookie))
            found = self._united(found, known.whole() if known else None)
        tenant = self._tenants.get(place)
        if tenant is not None:
            found = self._united(found, tenant.socket.whole(), cookie)
        if found is None and cookie:
            found = self._new(host, protocol)
        if found is None:
            return None
        if cookie:
            found.cookies.add(cookie)
            self._by_cookie[host, cookie] = found
        if local[1]:
            found.local = local
        return found

    def _united(self, one: Joined | None, other: Joined | None, cookie: int = 0) -> Joined | None:
        """Both as one, if they can be; else the first."""
        if one is None:
            strange = cookie and other is not None and other.cookies and cookie not in other.cookies
            return None if strange and other is not None and other.state not in _MINISOCKS else other
        if other is None or one is other:
            return one
        cookies = one.cookies | ({cookie} if cookie else set())
        if (one.inode and other.inode and one.inode != other.inode) or (cookies and other.cookies and not cookies & other.cookies):
            return one
        other.into = one
        one.inode = one.inode or other.inode
        one.cookies |= other.cookies
        one.local = one.local or other.local
        one.state = one.state or other.state
        one.occupancies += other.occupancies
        one.holdings += other.holdings
        one.names += other.names
        return one

    def _settle(self, place: Place, socket: Joined, time: int, *, anew: bool = False) -> _Tenant:
        """The socket has the 4-tuple now."""
        tenant = self._tenants.get(place)
        if tenant is not None and (anew or tenant.socket.whole() is not socket):
            self._leave(place, tenant, time)
            tenant = None
        if tenant is None:
            tenant = self._tenants[place] = _Tenant(socket=socket, began=time)
        return tenant

    def _leave(self, place: Place, tenant: _Tenant, time: int | None) -> None:
        ended = time if tenant.ended is None else tenant.ended
        tenant.socket.whole().occupancies.append(Occupancy(local=place[2], remote=place[3], began=tenant.began, ended=ended))

    def _state(self, seen: SocketState) -> Joined | None:
        local, remote = plain(seen.local), plain(seen.remote)
        place = (seen.host, "tcp", local, remote)
        known = self._tenants.get(place)
        child = seen.old == "LISTEN" and seen.new in _HALF_OPEN
        # A child has its request's place, if the request was seen; a SYN-ACK may be stamped before what sent it.
        fits = known is not None and known.ended is None and known.socket.whole().state in ("", "NEW_SYN_RECV")
        over = known is not None and known.ended is not None and seen.old not in _MINISOCKS
        if known is not None and (over or (child and not fits)):
            self._leave(place, self._tenants.pop(place), seen.time)
        socket = self._found(place, seen.inode, seen.cookie) or self._new(seen.host)
        socket.state, socket.protocol = seen.new, "tcp"
        dialling = self._dialling.setdefault((seen.host, remote), [])
        if socket in dialling:
            dialling.remove(socket)
        if seen.new == "SYN_SENT" and not local[1]:
            dialling.append(socket)
        elif remote[1]:
            tenant = self._settle(place, socket, seen.time)
            if seen.new == "CLOSE":
                tenant.ended, tenant.heard = seen.time, False
        if seen.new == "LISTEN":
            self._ports.take((seen.host, "tcp", local[1]), socket, seen.time)
        return socket

    def _table(self, seen: SocketTable) -> None:
        listed = []
        for entry in seen.entries:
            socket = self._entry(seen, entry)
            if entry.local[1] and (entry.state == "LISTEN" or entry.protocol != "tcp"):
                listed.append(((seen.host, entry.protocol, entry.local[1]), socket))
        self._ports.listed(seen.host, seen.began, listed)

    def _entry(self, table: SocketTable, entry: SocketEntry) -> Joined:
        local, remote = plain(entry.local), plain(entry.remote)
        place = (table.host, entry.protocol, local, remote)
        tenant = self._tenants.get(place)
        if tenant is not None and tenant.ended is not None:
            if tenant.ended >= table.began:  # it was closed while the tables were read
                return self._found(place, entry.inode, entry.cookie) or tenant.socket.whole()
            self._leave(place, self._tenants.pop(place), table.began)
        socket = self._found(place, entry.inode, entry.cookie)
        if socket is None:
            socket = self._new(table.host, entry.protocol)
        socket.protocol = entry.protocol
        if remote[1]:
            self._settle(place, socket, table.began)
        return socket

    def _packet(self, index: int, seen: Packet) -> Joined | None:
        headers = decode(seen.data)
        found = ends(headers)
        if found is None:
            return None
        source, target = found
        sender = receiver = None
        if seen.direction == "out" or seen.interface == "lo":
            sender = self._sender((seen.host, headers.protocol, source, target), headers, seen.time)
        if seen.direction == "in":
            receiver = self._receiver((seen.host, headers.protocol, target, source), headers)
        self._journeys.add(index, seen, headers, sender, receiver)
        return receiver if seen.direction == "in" else sender

    def _sender(self, place: Place, headers: Headers, time: int) -> Joined | None:
        host, protocol, local, remote = place
        if protocol != "tcp":
            return self._at_port(place)
        tenant = self._tenants.get(place)
        if tenant is not None and tenant.ended is not None:
            if "R" in headers.flags:
                return tenant.socket.whole() if not tenant.heard and time - tenant.ended < _LAST_WORD else None
            self._leave(place, self._tenants.pop(place), time)
            tenant = None
        opening = "S" in headers.flags
        another = opening and tenant is not None and tenant.initial not in (None, headers.seq)
        if tenant is None or another:
            if "R" in headers.flags or not self._may_send(host, local[0]):
                return None
            dialling = self._dialling.get((host, remote), [])
            socket = dialling.pop() if opening and len(dialling) == 1 else self._new(host)
            tenant = self._settle(place, socket, time, anew=True)
            socket.local, socket.protocol = local, protocol
        if opening:
            tenant.initial = headers.seq
        return tenant.socket.whole()

    def _may_send(self, host: str, address: str) -> bool:
        """Whether a packet alone shows that a socket is there: others forward packets, translate them, or make them by hand."""
        node = self._nodes.get(host)
        if node is None:
            return True
        return (node.kind not in _NO_PROOF and owner(address, {host: node}) == host) or (
            node.kind == "host" and not owner(address, self._nodes)
        )

    def _receiver(self, place: Place, headers: Headers) -> Joined | None:
        if place[1] != "tcp":
            return self._at_port(place)
        tenant = self._tenants.get(place)
        if tenant is not None and tenant.ended is None:
            return tenant.socket.whole()
        if tenant is not None:
            tenant.heard = True
        return self._at_port(place) if headers.flags & {"S", "."} == {"S"} else None

    def _at_port(self, place: Place) -> Joined | None:
        tenant = self._tenants.get(place)
        return tenant.socket.whole() if tenant is not None else self._ports.holder(place)

    def _dropped(self, seen: PacketDropped) -> Joined | None:
        headers = dropped_headers(seen.data)
        found = ends(headers)
        if found is None:
            return None
        source, target = found
        for place in ((seen.host, headers.protocol, target, source), (seen.host, headers.protocol, source, target)):
            tenant = self._tenants.get(place)
            if tenant is not None and tenant.ended is None:
                return tenant.socket.whole()
        return None
