"""The packets of one direction of a link in their order, out of a timeline: which one a decision was about, and what each one is in
the words that people use. It does not know what was done to them.
"""

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_address
from itertools import islice
from typing import Self

from netlab.notation.packets import PacketPattern
from netlab.timeline.observations import Decision
from netlab.timeline.packet_fields import differences
from netlab.timeline.streams import SeenPacket, describe, owner, packets_of
from netlab.timeline.timeline import Node, Timeline
from netlab.topology.spec import Link

_UNSPECIFIED = ("0.0.0.0", "::")
_ORDINALS = {1: "st", 2: "nd", 3: "rd"}
Connection = tuple[str, int | None, str, int | None]


def ordinal(number: int) -> str:
    """1st, 2nd, 11th."""
    return f"{number}{'th' if number % 100 in (11, 12, 13) else _ORDINALS.get(number % 10, 'th')}"


class Passing:
    """What was sent into one direction of a link, in order."""

    def __init__(self, packets: Sequence[SeenPacket], opposite: Sequence[SeenPacket], nodes: Mapping[str, Node], near: str) -> None:
        """``near`` is the node at which the direction begins; ``opposite`` are the packets of the other direction."""
        self.packets, self._opposite, self._nodes, self._near = tuple(packets), tuple(opposite), nodes, near
        self._fresh = frozenset(_fresh(self.packets))

    @classmethod
    def of(cls, timeline: Timeline, link: Link, direction: str, packets: Sequence[SeenPacket] = ()) -> Self:
        """``direction`` is "a->b"; ``packets`` are those of the timeline, if they are decoded already."""
        sender = direction.partition("->")[0].strip()
        seen = packets or packets_of(timeline.observations)

        def out(node: str, interface: str) -> list[SeenPacket]:
            place = (node, interface, "out")
            return [one for one in seen if (one.packet.host, one.packet.interface, one.packet.direction) == place]

        near, far = sorted(link.endpoints, key=lambda end: end.node != sender)
        return cls(out(near.node, near.interface), out(far.node, far.interface), timeline.nodes, near.node)

    def decided(self, decision: Decision) -> int | None:
        """The index of the packet that a decision was about: the last one that was like it by then."""
        for index in reversed(range(len(self.packets))):
            one = self.packets[index]
            if one.packet.time <= decision.time:
                told = describe(one, self._nodes, ports=True)
                if decision.packet == told or decision.packet.startswith(f"{told} ("):  # what became of it
                    return index
        return None

    def occurrence(self, pattern: PacketPattern, index: int) -> int:
        """How many packets matched by the one at this index, itself included, as a rule counts them; 0 if it does not match."""
        if not self._matches(pattern, index):
            return 0
        return sum(self._matches(pattern, other) for other in range(index + 1))

    def _matches(self, pattern: PacketPattern, index: int) -> bool:
        """As a rule's pattern does: ARP and what IPv6 says of itself are meant only where they are named."""
        one = self.packets[index]
        if not _counts(one) and not (
            pattern.protocol == one.headers.protocol and (pattern.protocol == "arp" or ("type", one.headers.type) in pattern.fields)
        ):
            return False
        return not differences(pattern, one, self._nodes)

    def later(self, index: int, count: int) -> list[int]:
        """The next so many packets, of those that a rule lets overtake another: what finds neighbours and groups is none."""
        able = (at for at in range(index + 1, len(self.packets)) if _counts(self.packets[at]))
        return list(islice(able, count))

    def streams(self) -> int:
        """How many connections carry data in this direction."""
        return len({connection(one) for one in self.packets if one.headers.protocol == "tcp" and one.headers.length})

    def named(self, index: int) -> str:
        """A packet as people call it: "the 2nd SYN-ACK", "the client's last data", "the client's FIN"."""
        one = self.packets[index]
        kind = kind_of(one)
        alike = [at for at, other in enumerate(self.packets) if kind_of(other) == kind and _is_of(kind, other, one)]
        if kind == "ACK" and self._ends_handshake(index):
            times = sum(self._ends_handshake(at) for at in range(index))
            return "the final ACK of the handshake" if not times else f"the {ordinal(times + 1)} final ACK of the handshake"
        if kind == "data":
            return self._data(index, alike)
        other_way = any(kind_of(other) == kind for other in self._opposite)
        whose = f"{self.whose(index)} " if other_way or kind not in ("SYN", "SYN-ACK") else ""
        which = f"{ordinal(alike.index(index) + 1)} " if len(alike) > 1 else ""
        return f"{whose or 'the '}{which}{kind}"

    def whose(self, index: int) -> str:
        """ "the client's", for the node that made a packet; of an address that no node has, its own."""
        source = self.packets[index].headers.source
        node = owner(source, self._nodes)
        if not node and source and not ip_address(source).is_link_local and source not in _UNSPECIFIED:
            return f"{source}'s"
        return f"the {node or self._near}'s"

    def _data(self, index: int, alike: list[int]) -> str:
        firsts = [at for at in alike if at in self._fresh]
        whose = self.whose(index)
        if index in firsts:
            if len(firsts) == 1:
                return f"{whose} data" if len(alike) == 1 else f"the first transmission of {whose} data"
            if index == firsts[-1]:
                return f"{whose} last data"
            return f"{whose} {ordinal(firsts.index(index) + 1)} data segment"
        again = [at for at in alike if at not in firsts]
        which = f"{ordinal(again.index(index) + 1)} " if len(again) > 1 else ""
        return f"{whose} {which}retransmission of data"

    def _ends_handshake(self, index: int) -> bool:
        one = self.packets[index]
        if kind_of(one) != "ACK" or (one.numbers.seq, one.numbers.ack) != (1, 1):
            return False
        there = (one.headers.target, one.headers.dport, one.headers.source, one.headers.sport)
        answered = any(kind_of(other) == "SYN-ACK" and connection(other) == there for other in self._opposite)
        sent = any(other.headers.length for other in self.packets[:index] if connection(other) == connection(one))
        return answered and not sent


def connection(one: SeenPacket) -> Connection:
    """Addresses and ports, of one direction."""
    return (one.headers.source, one.headers.sport, one.headers.target, one.headers.dport)


def kind_of(one: SeenPacket) -> str:
    """SYN, SYN-ACK, ACK, FIN, RST, data, datagram, what IPv6 says of itself, or a protocol and the word packet."""
    headers = one.headers
    if headers.protocol == "tcp":
        flags = headers.flags
        if "S" in flags:
            return "SYN-ACK" if "." in flags else "SYN"
        return "RST" if "R" in flags else "data" if headers.length else "FIN" if "F" in flags else "ACK"
    if headers.nd or headers.mld:
        return "neighbour discovery packet" if headers.nd else "multicast listener report"
    return "datagram" if headers.protocol == "udp" else f"{headers.protocol.upper()} packet"


def _counts(one: SeenPacket) -> bool:
    return one.headers.is_ip and not one.headers.nd and not one.headers.mld


def _is_of(kind: str, other: SeenPacket, one: SeenPacket) -> bool:
    return kind not in ("data", "FIN") or connection(other) == connection(one)


def _fresh(packets: Sequence[SeenPacket]) -> Iterator[int]:
    """The indices of the data segments that carry bytes which no segment of their connection had carried before."""
    sent: dict[Connection, int] = {}
    for index, one in enumerate(packets):
        if one.headers.protocol == "tcp" and one.headers.length and one.numbers.seq is not None:
            end, ends = one.numbers.seq + one.headers.length, connection(one)
            if end > sent.get(ends, 0):
                sent[ends] = end
                yield index
