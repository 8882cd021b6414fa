"""From where to where each packet went in one hop, when it left and arrived, and what was decided about it on the way.

A frame passes wires and switches unchanged, so what leaves one node and what arrives at another are the same bytes; where a link
changed them, the packet's addresses and numbers join them. What was not seen to arrive has no arrival: nothing is guessed. It
refuses to know who sent a packet in the first place, and how a hop is drawn.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from netlab.timeline.observations import Decision
from netlab.timeline.streams import SeenPacket, describe, owner, packets_of
from netlab.timeline.timeline import Timeline

__all__ = ["Hop", "Hops", "hops_of"]

_DROPS = frozenset({"drop", "overflow"})
_SLACK = 1_000_000
"""By how much a decision's stamp, which the wire takes from another clock reading, may lie before the packet's, in ns."""
_LATEST = 5_000_000_000
"""How long a packet may have been on its way before something was decided about it, in ns."""
_NEIGHBOURS = frozenset({*range(130, 138), 143})
"""ICMPv6 of neighbour discovery (RFC 4861) and MLD (RFC 2710, RFC 3810)."""


@dataclass(kw_only=True, slots=True, eq=False)
class Hop:
    """A packet from ``source`` to ``target``: names of nodes, or addresses where there are none; "" is not known.

    ``index`` is the observation that shows it, and ``seen`` what that says. ``sent`` is None where only its arrival was seen;
    ``arrived`` has the time and the node of each arrival, ``decisions`` the indices of what was decided about it.
    """

    index: int
    seen: SeenPacket
    source: str
    target: str
    sent: int | None
    arrived: list[tuple[int, str]] = field(default_factory=list)
    decisions: list[int] = field(default_factory=list)
    dropped: bool = False

    @property
    def time(self) -> int:
        """When it was first seen, in ns."""
        return self.seen.packet.time


@dataclass(frozen=True, slots=True, kw_only=True)
class Hops:
    """All hops, in the order in which they began; by a decision's index the hop that it is about; how many packets are
    housekeeping (ARP, neighbour discovery, MLD) and have no hop."""

    hops: tuple[Hop, ...]
    decided: Mapping[int, Hop]
    housekeeping: int


def hops_of(timeline: Timeline, *, wanted: Iterable[int] = ()) -> Hops:
    """The hops of a timeline; housekeeping only where its index is ``wanted``."""
    switches = {name for name, node in timeline.nodes.items() if node.kind == "switch"}
    keep = set(wanted)
    every = {seen.index: seen for seen in packets_of(timeline.observations) if seen.packet.host not in switches}
    shown = {index: seen for index, seen in every.items() if index in keep or not _housekeeping(seen)}
    joining = _Joining(timeline)
    for index, seen in enumerate(timeline.observations):
        if index in shown:
            joining.take(shown[index])
        elif isinstance(seen, Decision):
            joining.decide(index, seen)
    joining.retry()
    return Hops(hops=tuple(joining.hops), decided=joining.decided, housekeeping=len(every) - len(shown))


def _housekeeping(seen: SeenPacket) -> bool:
    headers = seen.headers
    if headers.protocol == "icmp6":
        return headers.type in _NEIGHBOURS
    return headers.protocol in ("arp", "igmp") or not headers.is_ip


class _Joining:
    """Hops while they are put together, fed in the order of time."""

    def __init__(self, timeline: Timeline) -> None:
        self.hops: list[Hop] = []
        self.decided: dict[int, Hop] = {}
        self._nodes = timeline.nodes
        self._observations = timeline.observations
        self._by_frame: dict[bytes, list[Hop]] = {}
        self._by_numbers: dict[tuple[object, ...], list[Hop]] = {}
        # A sender's stamp may come after the receiver's where each node's packets are read by another socket.
        self._early: dict[bytes, list[Hop]] = {}
        self._held: dict[tuple[str, str], Hop] = {}
        self._undecided: list[tuple[int, Decision]] = []

    def take(self, seen: SeenPacket) -> None:
        packet = seen.packet
        if not self._nodes:
            source, target = self._end(seen.headers.source), self._end(seen.headers.target)
            hop = Hop(index=seen.index, seen=seen, source=source, target=target, sent=packet.time)
            hop.arrived.append((packet.time, target))
            self.hops.append(hop)
        elif packet.direction == "out":
            self._left(seen)
        else:
            self._came(seen)

    def _left(self, seen: SeenPacket) -> None:
        packet = seen.packet
        early = next((one for one in self._early.get(packet.data, ()) if one.target != packet.host), None)
        if early is not None and packet.time - early.time <= _SLACK:
            self._early[packet.data].remove(early)
            early.source, early.sent = packet.host, early.time
            return
        target = self._next(seen)
        hop = Hop(index=seen.index, seen=seen, source=packet.host, target=target, sent=packet.time)
        self.hops.append(hop)
        self._by_frame.setdefault(packet.data, []).append(hop)
        self._by_numbers.setdefault(_numbers(seen), []).append(hop)

    def _came(self, seen: SeenPacket) -> None:
        packet = seen.packet
        if packet.interface == "lo":
            hop = Hop(index=seen.index, seen=seen, source=packet.host, target=packet.host, sent=packet.time)
            hop.arrived.append((packet.time, packet.host))
            self.hops.append(hop)
            return
        same = self._by_frame.get(packet.data, []) or self._by_numbers.get(_numbers(seen), [])
        for hop in same:
            if hop.source != packet.host and packet.host not in [host for _, host in hop.arrived] and not hop.dropped:
                hop.arrived.append((packet.time, packet.host))
                if len(hop.arrived) == 1:
                    hop.target = packet.host
                return
        source = next((hop.source for hop in same if hop.source != packet.host), "")
        hop = Hop(index=seen.index, seen=seen, source=source, target=packet.host, sent=None)
        hop.arrived.append((packet.time, packet.host))
        self.hops.append(hop)
        self._early.setdefault(packet.data, []).append(hop)

    def _next(self, seen: SeenPacket) -> str:
        """Where it goes, as far as its addresses tell; its arrival tells better."""
        return owner(seen.headers.target, self._nodes)

    def _end(self, address: str) -> str:
        return owner(address, self._nodes) or address or "?"

    def decide(self, index: int, decision: Decision) -> None:
        """Give a decision to the packet that it was about, if that was seen already."""
        if not decision.packet:
            return
        held = self._held.get((decision.direction, decision.key)) if decision.action == "release" else None
        hop = held or self._meant(decision)
        if hop is None:
            self._undecided.append((index, decision))
            return
        if decision.action == "hold":
            self._held[decision.direction, decision.key] = hop
        hop.decisions.append(index)
        if not hop.arrived:
            hop.target = decision.direction.partition("->")[2] or hop.target
        hop.dropped = hop.dropped or (decision.action in _DROPS and not hop.arrived)
        self.decided[index] = hop

    def retry(self) -> None:
        """Decisions whose stamp lay before their packet's."""
        waiting, self._undecided = self._undecided, []
        for index, decision in waiting:
            self.decide(index, decision)

    def _meant(self, decision: Decision) -> Hop | None:
        """The last packet that had left by then, reads as the decision says, and of which nothing of the kind was said yet."""
        source, ends = decision.direction.partition("->")[0], decision.packet.split()[:4]
        alike = None
        for hop in reversed(self.hops):
            if hop.sent is None or hop.source != source or hop.sent > decision.time + _SLACK:
                continue
            if hop.sent < decision.time - _LATEST:
                break
            if any(_same(self._observations[index], decision) for index in hop.decisions):
                continue
            told = describe(hop.seen, self._nodes, ports=True)
            if decision.packet.startswith(told):
                return hop
            if alike is None and told.split()[:4] == ends:
                alike = hop
        return alike


def _same(one: object, other: Decision) -> bool:
    return isinstance(one, Decision) and (one.action, one.rule, one.direction) == (other.action, other.rule, other.direction)


def _numbers(seen: SeenPacket) -> tuple[object, ...]:
    headers = seen.headers
    ends = (headers.source, headers.sport, headers.target, headers.dport, headers.protocol)
    return (*ends, headers.seq, headers.ack, headers.flags, headers.length, headers.id, headers.type, headers.ttl)


def columns(timeline: Timeline, hops: Iterable[Hop], others: Iterable[str]) -> Iterator[str]:
    """The nodes that a ladder has columns for: those of the lab in its order, as far as anything happened there, then others."""
    used = dict.fromkeys([*others, *(end for hop in hops for end in (hop.source, hop.target) if end)])
    yield from (name for name in timeline.nodes if name in used)
    yield from (name for name in used if name not in timeline.nodes)
