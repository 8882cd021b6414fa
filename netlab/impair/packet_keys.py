"""Names each packet that passes a place on a link, so that the same packet has the same name in every run of the same workload.

A flow is named by the nodes and the server's port and numbered in the order of its kind ("client>server:80 #1", of IPv6
"client>server:80 ip6 #1"): ephemeral ports and initial sequence numbers are other ones in each run. Both directions of a flow share
its name; in a simultaneous open (RFC 9293 §3.5) each direction has its own, since nobody knows whose SYN will pass first. Within a
direction of a flow a packet is

- ``S 1``, ``S. 1``, ``F 1``, ``R 1``: its first SYN, SYN-ACK, segment with FIN, with RST;
- ``ack 1 2``: the second pure ACK of number 1 (relative, as in a packet pattern);
- ``data 0 1``: the first that carries byte 0 of the stream, however that is cut: a packet has as many such names as bytes;
- ``datagram 1`` of UDP, ``icmp 3 4 1`` (type, code), ``arp 1 1`` (operation), ``udp fragment 1480 1`` (offset).

Connections that several threads open at once to the same port get their numbers as their SYNs happen to pass. Of more than some
ten thousand flows those that were silent for longest are forgotten: one that speaks again is a new one. It does not know rules.
"""

from collections import OrderedDict
from collections.abc import Mapping
from typing import NamedTuple

from netlab.impair.streams_sent import StreamSent
from netlab.timeline.headers import Headers
from netlab.timeline.streams import Numberer, Numbers, has
from netlab.timeline.timeline import Node

__all__ = ["Direction", "Names", "Passing"]

_EPHEMERAL = 32768
"""The first of Linux' own choices of a port (ip_local_port_range, ip-sysctl): of two ends, the server is rather the one below."""
_REMEMBERED = 4096
_MOST_WAYS = 1 << 16
_ALTERNATING = 4
_STAMPS = 12
_UNIT = 1448
_NO_NUMBERS = Numbers()
_Ends = tuple[str, str, int | None, str, int | None]


class Direction:
    """One direction of a flow: its name, what it has sent so far, and what its SYN said."""

    __slots__ = ("acks", "counts", "first_ack", "flow", "initial", "mss", "name", "other", "stamps", "stream")

    def __init__(self, name: str, flow: "_Flow") -> None:
        self.name, self.flow = name, flow
        self.other: Direction = self
        self.counts: dict[str, int] = {}
        self.acks: dict[int, int] = {}
        self.stream = StreamSent()
        self.initial: int | None = None
        self.first_ack: int | None = None
        self.mss, self.stamps = 0, False

    def count(self, kind: str) -> int:
        """One more of this kind; how many there are now."""
        count = self.counts[kind] = self.counts.get(kind, 0) + 1
        return count

    def count_ack(self, number: int) -> int:
        """One more pure ACK of this number; how many there were of late."""
        acks = self.acks
        count = acks[number] = acks.get(number, 0) + 1
        if len(acks) > _REMEMBERED:
            for old in list(acks)[: _REMEMBERED // 2]:
                del acks[old]
        return count

    @property
    def unit(self) -> int:
        """How many bytes a full segment has, by the SYNs of both sides; 1448 where one is not known."""
        own, opposite = self.mss, self.other.mss
        if not own or not opposite:
            return _UNIT
        return max(1, min(own, opposite) - (_STAMPS if self.stamps and self.other.stamps else 0))


class _Flow:
    """A connection or an exchange of datagrams: its directions, and whose data came last."""

    __slots__ = ("_quiet", "spoke", "ways")

    def __init__(self) -> None:
        self.ways: dict[_Ends, Direction] = {}
        self.spoke: Direction | None = None
        self._quiet = _ALTERNATING

    def turns(self, way: Direction, quiet: bool) -> bool:
        """Note that a direction says something new, and whether nothing was on its way then; whether it takes its turn with it.

        Where both sides' data are on their way at once, whose come first differs from run to run, and so does when nothing happens
        to be: after that a flow has turns only once its sides have alternated for a while.
        """
        if self.spoke is way:
            return False
        first, self.spoke = self.spoke is None, way
        self._quiet = self._quiet + 1 if quiet else 0
        return first or self._quiet > _ALTERNATING


class Passing(NamedTuple):
    """A packet that passes: the direction of a flow that it belongs to, what it is there ("S", "data 0"), the how manyth of
    these, and the bytes of the stream that it carries, from ``start`` to before ``end``.

    What is asked about bytes holds until the next packet passes.
    """

    way: Direction
    kind: str
    ordinal: int
    numbers: Numbers
    start: int = 0
    end: int = 0

    @property
    def key(self) -> str:
        """Its name; that of its first byte where it is data."""
        return f"{self.way.name} {self.kind} {self.ordinal}"

    def carries(self, byte: int) -> int:
        """The how manyth packet it is to carry this byte of the stream; 0 where it does not."""
        return self.way.stream.sent(byte) if self.start <= byte < self.end else 0

    @property
    def points(self) -> list[int]:
        """The bytes that it carries at which chance is asked (StreamSent.points)."""
        return self.way.stream.points(self.start, self.end, self.way.unit) if self.end > self.start else []

    def key_of(self, byte: int) -> str:
        """Its name by a byte that it carries."""
        return f"{self.way.name} data {byte} {self.way.stream.sent(byte)}"


class Names:
    """What has passed one link so far, both ways."""

    def __init__(self, nodes: Mapping[str, Node]) -> None:
        self._nodes = nodes
        self._numberer = Numberer()
        self._ways: OrderedDict[_Ends, Direction] = OrderedDict()
        """The one that spoke last comes last."""
        self._reopening: dict[_Ends, _Flow] = {}
        self._numbers: dict[str, int] = {}
        self._owners: dict[str, str] = {}

    def passing(self, headers: Headers) -> Passing:
        """Fold in the next packet."""
        if headers.protocol == "tcp" and headers.seq is not None:
            return self._segment(headers)
        if headers.protocol == "udp" and headers.sport is not None:
            return _counted(self._way(("udp", headers.source, headers.sport, headers.target, headers.dport), headers), "datagram")
        way = self._between(headers)
        if headers.fragment:
            return _counted(way, f"{headers.protocol} fragment {headers.fragment}")
        if headers.type is None:
            return _counted(way, headers.protocol if headers.is_ip else f"ethertype {headers.ethertype:#06x}")
        code = "" if headers.code is None else f" {headers.code}"
        return _counted(way, f"{headers.protocol} {headers.type}{code}")

    def _segment(self, headers: Headers) -> Passing:
        numbers = self._numberer.numbers(headers)
        flags = headers.flags
        ends = ("tcp", headers.source, headers.sport, headers.target, headers.dport)
        way = self._way(ends, headers)
        if self._reopening:
            way = self._reopened(way, ends, headers, numbers)
        if "S" in flags:
            way = self._synchronised(way, ends, headers)
        seq, ack, length = numbers.seq, numbers.ack, headers.length
        assert seq is not None
        stream = way.stream
        start = end = 0
        if length and "R" not in flags:
            # Relative to the SYN, whose number is 0; without one, to the first segment that passed.
            start = stream.offset(seq if "S" in flags else seq - 1 if way.initial is not None else seq, way.initial is not None)
            end = start + length
            if start < 0:  # a probe of the window or of life repeats a byte before the first
                start = end = 0
        elif way.initial is None:
            stream.offset(seq, False)
        if ack is not None:
            begun = way.other.initial is not None
            way.other.stream.acknowledge(ack - 1 if begun else ack, begun)
        if end > start:
            before, heard = stream.high, way.other.stream
            if stream.send(start, end) and way.flow.turns(way, stream.acked >= before and heard.acked >= heard.high):
                stream.turn(max(start, before))
        if "S" in flags:
            kind = "S." if "." in flags else "S"
        elif "R" in flags or "F" in flags:
            kind = "R" if "R" in flags else "F"
        elif end > start:
            return Passing(way, f"data {start}", stream.sent(start), numbers, start, end)
        else:
            number = self._relative(way, ack) if ack is not None else 0
            return Passing(way, f"ack {number}", way.count_ack(number), numbers)
        return Passing(way, kind, way.count(kind), numbers, start, end)

    @staticmethod
    def _relative(way: Direction, ack: int) -> int:
        if way.other.initial is not None:
            return ack
        if way.first_ack is None:
            way.first_ack = ack
        return ack - way.first_ack

    def _synchronised(self, way: Direction, ends: _Ends, headers: Headers) -> Direction:
        """Note what a SYN says; gives the direction of the flow that it belongs to."""
        if way.initial not in (None, headers.seq) and "." not in headers.flags:
            # With another number: a new connection, though not yet for packets that belong to the old one.
            flow = self._flow(headers)
            self._reopening[_both(ends)] = flow
            way = flow.ways[ends]
        elif way.initial is None and "." not in headers.flags and way.other.initial is not None and way.other.counts.get("S"):
            way.name = self._numbered(headers, headers.source, headers.target, headers.dport)
        way.initial = headers.seq
        options = dict(headers.options)
        way.mss, way.stamps = int(options.get("mss") or (536 if headers.version == 4 else 1220)), "TS" in options
        return way

    def _reopened(self, way: Direction, ends: _Ends, headers: Headers, numbers: Numbers) -> Direction:
        """The direction that a packet belongs to where a later SYN may have replaced the connection: the numbering knows."""
        flow = self._reopening.get(_both(ends))
        if flow is None:
            return way
        new = flow.ways[ends]
        if new.initial is not None:
            if "S" in headers.flags:
                return new if headers.seq == new.initial else way
            assert headers.seq is not None
            assert numbers.seq is not None
            believed = (headers.seq - numbers.seq) % 2**32 == new.initial
        elif numbers.ack is None or headers.ack is None:
            believed = "S" in headers.flags
        else:
            believed = (headers.ack - numbers.ack) % 2**32 == new.other.initial
        if not believed:
            return way
        del self._reopening[_both(ends)]
        self._keep(flow.ways)
        return new

    def _way(self, ends: _Ends, headers: Headers) -> Direction:
        """The direction of a flow that a packet with ports belongs to, if only those count."""
        way = self._ways.get(ends)
        if way is not None:
            self._ways.move_to_end(ends)
            return way
        opposite = self._ways.get(_reverse(ends))
        ways = self._flow(headers).ways if opposite is None else {ends: opposite.other}
        self._keep(ways)
        return ways[ends]

    def _keep(self, ways: Mapping[_Ends, Direction]) -> None:
        self._ways.update(ways)
        while len(self._ways) > _MOST_WAYS:
            ends, _ = self._ways.popitem(last=False)
            if _reverse(ends) in self._ways:
                continue  # the other side still speaks
            self._reopening.pop(_both(ends), None)
            _, source, sport, target, dport = ends
            if sport is not None and dport is not None:
                self._numberer.forget((source, sport), (target, dport))

    def _flow(self, headers: Headers) -> _Flow:
        """A flow that this packet is the first of."""
        sport, dport = headers.sport or 0, headers.dport or 0
        answers = "." in headers.flags if "S" in headers.flags else sport < _EPHEMERAL <= dport
        source, target, port = headers.source, headers.target, dport
        if answers:
            source, target, port = target, source, sport
        name = self._numbered(headers, source, target, port)
        ends: _Ends = (headers.protocol, headers.source, headers.sport, headers.target, headers.dport)
        flow = _Flow()
        one, other = Direction(name, flow), Direction(name, flow)
        one.other, other.other = other, one
        flow.ways = {_reverse(ends): other, ends: one}
        if len(flow.ways) == 1:  # a socket connected to itself
            one.other = one
        return flow

    def _between(self, headers: Headers) -> Direction:
        """What passes from one address to another without ports, or without the addresses of IP."""
        source, target = headers.source or headers.source_mac, headers.target or headers.target_mac
        # By nodes, not by their addresses: packets of one name are counted together.
        ends = (headers.protocol, self._owner(source), None, self._owner(target), None)
        way = self._ways.get(ends)
        if way is None:
            way = Direction(f"{ends[1]}>{ends[3]}", _Flow())
            self._keep({ends: way})
        else:
            self._ways.move_to_end(ends)
        return way

    def _numbered(self, headers: Headers, source: str, target: str, port: int | None) -> str:
        family = " ip6" if headers.version == 6 else ""  # apart, or it would matter whether ARP or ND is answered first
        name = f"{self._owner(source)}>{self._owner(target)}:{port}{family}"
        counter = f"{headers.protocol} {name}"
        number = self._numbers[counter] = self._numbers.get(counter, 0) + 1
        return f"{name} #{number}"

    def _owner(self, address: str) -> str:
        """The node that has an address, or the address itself."""
        known = self._owners.get(address)
        if known is None:
            owners = (name for name, node in self._nodes.items() if any(has(own, address) for own in node.addresses.values()))
            known = self._owners[address] = next(owners, address)
        return known


def _counted(way: Direction, kind: str) -> Passing:
    return Passing(way, kind, way.count(kind), _NO_NUMBERS)


def _reverse(ends: _Ends) -> _Ends:
    protocol, source, sport, target, dport = ends
    return protocol, target, dport, source, sport


def _both(ends: _Ends) -> _Ends:
    """The same for both directions."""
    return min(ends, _reverse(ends))
