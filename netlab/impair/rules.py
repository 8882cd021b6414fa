"""Decides what the rules of one link do to each frame that passes, and counts. It sends nothing and holds nothing.

A rule of a direction counts every packet that matches its pattern, retransmissions too; the first rule that acts decides. As in
an expectation, ARP, neighbour discovery and MLD are meant only by a pattern that names them. Bounds on time (``after``) and counts
in a pattern mean nothing here.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from netlab.notation.packets import PacketPattern
from netlab.notation.printing import print_packet
from netlab.timeline.headers import Headers, decode
from netlab.timeline.observations import Packet
from netlab.timeline.packet_fields import differences
from netlab.timeline.streams import Numberer, SeenPacket, describe
from netlab.timeline.timeline import Node
from netlab.topology.spec import Link, Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What a rule does to one packet: its ``occurrence`` (from 1), and the packet as tcpdump would put it."""

    rule: Rule
    occurrence: int
    packet: str

    @property
    def text(self) -> str:
        """The rule's pattern as written."""
        return self.rule.match.text or print_packet(self.rule.match)


class LinkRules:
    """The rules of one link, how often each has matched, and the sequence numbers seen on it."""

    def __init__(self, link: Link, nodes: Mapping[str, Node]) -> None:
        self._link, self._nodes = link, nodes
        self._numberer = Numberer()
        self._rules: tuple[list[Rule], list[Rule]] = ([], [])
        self._counts: dict[tuple[int, int], int] = {}
        first, second = (end.node for end in link.endpoints)
        for direction, rules in link.impair:
            self._rules[0 if direction == (first, second) else 1].extend(rules)

    @property
    def barriers(self) -> frozenset[str]:
        """The barriers at which its rules hold packets."""
        return frozenset(rule.barrier for rules in self._rules for rule in rules if rule.action == "hold")

    def ruling(self, frame: bytes, direction: int, released: Collection[str] = ()) -> Ruling | None:
        """Count one frame that passes from the link's first endpoint (``direction`` 0) or from its second (1), in their order.

        None lets it pass. A rule whose barrier is among those ``released`` counts, but no longer acts.
        """
        headers = decode(frame)
        numbers = self._numberer.numbers(headers)
        sender, receiver = self._link.endpoints[direction], self._link.endpoints[1 - direction]
        sent, received = (
            SeenPacket(
                index=0,
                packet=Packet(time=0, host=end.node, interface=end.interface, direction=way, data=frame, length=len(frame)),
                headers=headers,
                numbers=numbers,
            )
            for end, way in ((sender, "out"), (receiver, "in"))
        )
        acting = None
        for index, rule in enumerate(self._rules[direction]):
            if not _meant(rule.match, headers) or not matches(rule.match, sent, received, self._nodes):
                continue
            count = self._counts[direction, index] = self._counts.get((direction, index), 0) + 1
            acts = (not rule.occurrences or count in rule.occurrences) and rule.barrier not in released
            if acts and acting is None:
                acting = Ruling(rule=rule, occurrence=count, packet=describe(sent, self._nodes, ports=True))
        return acting


def matches(pattern: PacketPattern, sent: SeenPacket, received: SeenPacket, nodes: Mapping[str, Node]) -> bool:
    """Whether a packet on a link matches, given as its sender's interface and as its receiver's saw it."""
    wrong = {field for field, _, _ in differences(pattern, sent, nodes)}
    if wrong != {"target"}:
        return not wrong
    # An address of no node (link-local, say) belongs to whoever sends or gets the frame: the target is known on the other side.
    return all(field != "target" for field, _, _ in differences(pattern, received, nodes))


def _meant(pattern: PacketPattern, headers: Headers) -> bool:
    if headers.protocol == "arp":
        return pattern.protocol == "arp"
    if headers.nd or headers.mld:
        return pattern.protocol == "icmp6" and ("type", headers.type) in pattern.fields
    return headers.is_ip
