"""Which packets a rule means, and on which of those it acts: one rule, taken apart once, asked of each packet.

A rule's pattern means what it means in an expectation (timeline/packet_fields.py); bounds on time (``after``) and counts in it mean
nothing here. ARP, neighbour discovery and MLD are meant only by a pattern that names them, or by a filter that stands alone.

**Chance.** Where packets carry bytes of a TCP stream it is asked of bytes, so that the same bytes meet the same fate however the
stream is cut: of each byte with which a side begins to speak when all that was said before is acknowledged, and of one in each
full segment's length (StreamSent.points). So a full segment is hit with the chance that was asked for, as is a request or an answer
that fits one; of many small ones in a row, which TCP may join to its liking, or while both sides speak at once, one in each full
segment's length. Every other packet is asked by its name. A byte that is sent again is asked again.

It does not count: that is rules.py.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

from netlab.errors import Problem, SpecError
from netlab.impair.filters import compiled
from netlab.impair.packet_keys import Passing
from netlab.impair.ruling import draw
from netlab.notation.packets import PacketPattern
from netlab.timeline.headers import Headers
from netlab.timeline.observations import Packet
from netlab.timeline.packet_fields import attribute, differences, endpoint
from netlab.timeline.streams import SeenPacket
from netlab.timeline.timeline import Node
from netlab.topology.spec import Link, Rule

__all__ = ["Moment", "Selector", "seen"]


@dataclass(slots=True)
class Moment:
    """What holds while packets pass: ``elapsed`` ns since the wire began, the barriers ``released``, and the ``state`` of a socket
    by its name ("client.c"), "" where that is not known."""

    elapsed: int
    released: Collection[str]
    state: Callable[[str], str]


class _End:
    """The source (``sending``) or target of a pattern, resolved: which addresses it is, and whether it has those of no node."""

    def __init__(self, text: str, node: str, interface: str, nodes: Mapping[str, Node], owned: frozenset[str]) -> None:
        """``node`` and ``interface`` are the link's end on this side."""
        wanted = endpoint(text, nodes)
        self.port = wanted.port
        self.free = wanted.name in ("", "*")
        meant = nodes.get(wanted.name)
        addresses = (
            [] if meant is None else [a for name, own in meant.addresses.items() if wanted.interface in ("", name) for a in own]
        )
        self.addresses = frozenset({address.partition("/")[0] for address in addresses} | {wanted.name})
        # Link-local and spoofed addresses belong to no node: to whoever sends or gets the frame here.
        self.unowned = wanted.name == node and meant is not None and wanted.interface in ("", interface)
        self._owned = owned

    def fits(self, address: str, port: int | None) -> bool:
        if self.port is not None and self.port != port:
            return False
        return self.free or address in self.addresses or (self.unowned and address not in self._owned)


class Selector:
    """One rule of one direction of a link. Raises SpecError where its filter is none."""

    def __init__(self, rule: Rule, link: Link, direction: int, nodes: Mapping[str, Node]) -> None:
        self.rule = rule
        self._nodes = nodes
        self._sender = link.endpoints[direction]
        receiver = link.endpoints[1 - direction]
        pattern = rule.match
        owned = frozenset(a.partition("/")[0] for node in nodes.values() for own in node.addresses.values() for a in own)
        self._source = _End(pattern.source, self._sender.node, self._sender.interface, nodes, owned)
        self._target = _End(pattern.target, receiver.node, receiver.interface, nodes, owned)
        self._anywhere = all(end.free and end.port is None for end in (self._source, self._target)) or pattern.any
        self._protocol = pattern.protocol or ("tcp" if pattern.flags is not None or pattern.options else "")
        self._flags = pattern.flags
        fields = [(attribute(field), field, value) for field, value in pattern.fields]
        self._relative = tuple((name, value) for name, _, value in fields if name in ("seq", "ack"))
        self._plain = tuple((name, value) for name, _, value in fields if name and name not in ("seq", "ack"))
        left = tuple((field, value) for name, field, value in fields if not name)
        self._data = pattern.data
        self._rest: PacketPattern | None = replace(pattern, source="", target="", protocol=self._protocol, fields=left, data=None)
        if pattern.any:
            self._protocol, self._flags, self._rest = "", None, None
        elif not (pattern.options or pattern.options_only or left):
            self._rest = None
        self._types = frozenset(value for field, value in pattern.fields if field == "type")
        self._everything = pattern.any and bool(rule.filter)
        try:
            self._filter = compiled(rule.filter) if rule.filter else None
        except ValueError as error:
            raise SpecError(Problem(rule.place, str(error), "such as: tcp port 80 and greater 100")) from None
        timed = rule.since is not None or rule.until is not None
        self._ends = bool(rule.occurrences or rule.last or rule.until is not None or rule.barrier or rule.before)
        self._always = not (
            rule.occurrences or rule.every or rule.first > 1 or rule.last or rule.barrier or rule.before
            or timed or rule.during or rule.byte is not None or rule.chance < 1.0
        )  # fmt: skip

    def means(self, headers: Headers, passing: Passing, frame: bytes) -> bool:
        """Whether the rule means a packet, whichever of those it is."""
        if self._protocol and headers.protocol != self._protocol:
            return False
        if self._flags is not None and headers.flags != self._flags:
            return False
        if (not headers.version or headers.protocol == "icmp6") and not self._everything and not self._named(headers):
            return False
        if not self._anywhere and not (
            self._source.fits(headers.source, headers.sport) and self._target.fits(headers.target, headers.dport)
        ):
            return False
        for name, value in self._plain:
            if getattr(headers, name) != value:
                return False
        for name, value in self._relative:
            if getattr(passing.numbers, name) != value:
                return False
        if self._data is not None and headers.payload != self._data:
            return False
        if self._rest is not None:
            packet = seen(self._sender.node, self._sender.interface, frame, headers, passing)
            if differences(self._rest, packet, self._nodes):
                return False
        return self._filter is None or self._filter(frame)

    def acts(self, count: int, passing: Passing, moment: Moment, seed: int, link: str, direction: str, index: int) -> str:
        """Whether the rule acts on a packet that it means, the ``count``-th of those: by which of the packet's names, "" if not."""
        if self._always:
            return passing.key
        rule = self.rule
        if rule.occurrences and count not in rule.occurrences:
            return ""
        if count < rule.first or (rule.last and count > rule.last) or (rule.every and count % rule.every):
            return ""
        if (rule.barrier and rule.barrier in moment.released) or (rule.before and rule.before in moment.released):
            return ""
        if rule.since is not None and moment.elapsed < rule.since.ns:
            return ""
        if rule.until is not None and moment.elapsed >= rule.until.ns:
            return ""
        if any(moment.state(socket) != state for socket, state in rule.during):
            return ""
        if rule.byte is not None and passing.carries(rule.byte) != 1:
            return ""
        if rule.chance >= 1.0:
            return passing.key if rule.byte is None else passing.key_of(rule.byte)
        if rule.byte is not None:
            keys = [passing.key_of(rule.byte)]
        else:
            keys = [passing.key_of(byte) for byte in passing.points]
            if not keys and not passing.kind.startswith("data "):
                keys = [passing.key]
        return next((key for key in keys if draw(seed, link, direction, index, key, "chance") < rule.chance), "")

    def spent(self, count: int, moment: Moment) -> bool:
        """Whether the rule acts no more, whatever passes after ``count`` packets that it means."""
        if not self._ends:
            return False
        rule = self.rule
        return (
            (bool(rule.occurrences) and count >= max(rule.occurrences))
            or 0 < rule.last <= count
            or (rule.until is not None and moment.elapsed >= rule.until.ns)
            or (rule.barrier != "" and rule.barrier in moment.released)
            or (rule.before != "" and rule.before in moment.released)
        )

    def _named(self, headers: Headers) -> bool:
        if headers.protocol == "arp":
            return self._protocol == "arp"
        if headers.nd or headers.mld:
            return self._protocol == "icmp6" and headers.type in self._types
        return headers.is_ip


def seen(node: str, interface: str, frame: bytes, headers: Headers, passing: Passing) -> SeenPacket:
    """A packet as its sender's interface sees it go."""
    packet = Packet(time=0, host=node, interface=interface, direction="out", data=frame, length=len(frame))
    return SeenPacket(index=0, packet=packet, headers=headers, numbers=passing.numbers)
