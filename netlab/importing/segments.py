"""What a capture holds that can be reproduced: TCP connections from their SYNs on, datagrams, and errors that ICMP told.

Numbers are relative to each direction's initial one, as the notation has them. It refuses to know which side becomes real.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address

from netlab.timeline.headers import decode
from netlab.timeline.observations import Packet
from netlab.timeline.plain_headers import Headers

_SPACE = 1 << 32
_UNREACHABLE = {"icmp": (3, 3), "icmp6": (1, 4)}
_SPLIT = frozenset("SF")
End = tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A TCP segment: its ``number`` in the file (from 1), the ``time`` in ns, whether the client sent it, relative numbers."""

    number: int
    time: int
    connection: "Connection"
    from_client: bool
    headers: Headers
    seq: int
    ack: int | None

    @property
    def flags(self) -> frozenset[str]:
        """tcpdump's letters."""
        return self.headers.flags

    @property
    def length(self) -> int:
        """Of its payload, by the headers."""
        return self.headers.length

    @property
    def end(self) -> int:
        """The number after its last."""
        return self.seq + self.length + len(self.flags & _SPLIT)

    @property
    def only_acknowledges(self) -> bool:
        """Whether a stack sends it by itself, and may as well leave it out."""
        return not self.length and not self.flags & frozenset("SFR")


@dataclass(slots=True, eq=False)
class Connection:
    """A connection from its SYN on: ``ends`` are the client's and the server's address and port."""

    number: int
    client: End
    server: End
    initial: dict[bool, int] = field(default_factory=dict)
    segments: list[Segment] = field(default_factory=list)

    @property
    def answered(self) -> bool:
        """Whether the server answered the SYN with one of its own."""
        return any("S" in one.flags and not one.from_client for one in self.segments)

    @property
    def refused(self) -> bool:
        """Whether the server answered the SYN with a RST, and never otherwise."""
        return not self.answered and any("R" in one.flags and not one.from_client for one in self.segments)

    def payload_size(self) -> int:
        """The most payload of a segment: the least that a SYN asks for, less the options that all segments have."""
        opening = [one.headers.options for one in self.segments if "S" in one.flags]
        told = [int(value) for options in opening for name, value in options if name == "mss"]
        stamps = [any(name == "TS" for name, _ in options) for options in opening]
        return (min(told) if told else 536) - (12 if len(stamps) > 1 and all(stamps) else 0)

    def is_orderly(self) -> bool:
        """Whether two stacks without losses between them would do all of it again: nothing came twice or too early, no reset."""
        following: dict[bool, int] = {}
        for one in self.segments:
            due = following.get(one.from_client, 0)
            if ("R" in one.flags and not self.refused) or (one.seq != due and not one.only_acknowledges):
                return False
            if not one.only_acknowledges:
                following[one.from_client] = one.end
        return self.answered or self.refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Datagram:
    """A UDP datagram, and of its ``data`` what the capture has of ``length`` bytes."""

    number: int
    time: int
    source: End
    target: End
    data: bytes
    length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """ICMP's "port unreachable" from ``source`` about a datagram to ``about``; ``protocol`` is icmp or icmp6."""

    number: int
    time: int
    source: str
    target: str
    protocol: str


Event = Segment | Datagram | Refusal


@dataclass(slots=True)
class Told:
    """All of a capture, in its order; ``notes`` say what of it cannot be reproduced."""

    events: list[Event] = field(default_factory=list)
    connections: list[Connection] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def told(packets: Sequence[Packet]) -> Told:
    """Take a capture apart."""
    found = Told()
    left: Counter[str] = Counter()
    strange: dict[frozenset[End], int] = {}
    current: dict[frozenset[tuple[str, int]], Connection] = {}
    first: dict[bytes, tuple[str, ...]] = {}
    for number, packet in enumerate(packets, 1):
        headers = decode(packet.data)
        # The very same bytes at another place are the same packet; at the same place it was sent again.
        place = (packet.host, packet.interface, packet.direction)
        if headers.is_ip and first.setdefault(packet.data[12:], place) != place:
            left["second copies of packets that were captured at two places"] += 1
        elif not headers.is_ip or headers.nd or headers.mld:
            continue
        elif headers.fragment is not None or headers.malformed:
            left["fragments and packets that cannot be read"] += 1
        elif ip_address(headers.target).is_multicast or headers.target.endswith(".255"):
            left["packets to groups, or to all"] += 1
        elif headers.protocol == "tcp":
            _tcp(found, current, strange, number, packet, headers)
        elif headers.protocol == "udp":
            assert headers.sport is not None
            assert headers.dport is not None
            ends = {"source": (headers.source, headers.sport), "target": (headers.target, headers.dport)}
            found.events.append(Datagram(number=number, time=packet.time, data=headers.payload, length=headers.length, **ends))
        elif (headers.type, headers.code) == _UNREACHABLE.get(headers.protocol):
            ends_of = {"source": headers.source, "target": headers.target, "protocol": headers.protocol}
            found.events.append(Refusal(number=number, time=packet.time, **ends_of))
        else:
            left[f"packets of {headers.protocol}"] += 1
    for ends, count in strange.items():
        names = " and ".join(f"{_shown(end)}" for end in sorted(ends))
        found.notes.append(f"{count} segments between {names}: the capture has no SYN of them, so it begins in their middle")
    found.notes += [f"{count} {what}" for what, count in left.items()]
    return found


def _tcp(
    found: Told,
    current: dict[frozenset[End], Connection],
    strange: dict[frozenset[End], int],
    number: int,
    packet: Packet,
    headers: Headers,
) -> None:
    assert headers.sport is not None
    assert headers.dport is not None
    assert headers.seq is not None
    source, target = (headers.source, headers.sport), (headers.target, headers.dport)
    ends = frozenset({source, target})
    connection = current.get(ends)
    opens = "S" in headers.flags and "." not in headers.flags
    if opens and (connection is None or _is_new(connection, source, headers.seq)):
        connection = current[ends] = Connection(len(found.connections) + 1, source, target)
        found.connections.append(connection)
    if connection is None:
        strange[ends] = strange.get(ends, 0) + 1
        return
    from_client = source == connection.client
    if "S" in headers.flags:
        connection.initial.setdefault(from_client, headers.seq)
    own, other = connection.initial.get(from_client), connection.initial.get(not from_client)
    seq = 0 if own is None else (headers.seq - own + _SPACE // 2) % _SPACE - _SPACE // 2
    ack = None if other is None or headers.ack is None or "." not in headers.flags else (headers.ack - other) % _SPACE
    segment = Segment(
        number=number, time=packet.time, connection=connection, from_client=from_client, headers=headers, seq=seq, ack=ack
    )
    connection.segments.append(segment)
    found.events.append(segment)


def _is_new(connection: Connection, source: End, seq: int) -> bool:
    return source != connection.client or connection.initial.get(True) != seq


def _shown(end: End) -> str:
    return f"[{end[0]}]:{end[1]}" if ":" in end[0] else f"{end[0]}:{end[1]}"
