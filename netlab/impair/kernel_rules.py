"""Writes rules that only drop packets as nf_tables rules, so that the kernel carries them out; says which rules it cannot.

What is written means what rules.py means: each rule counts all packets that match it, the first that acts decides. Nothing is
loaded here. Out of the kernel's reach is what needs a memory of streams, connections, time or states, a seed, or changed bytes.
"""

import struct
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_address

from netlab.impair import nft_expressions as nft
from netlab.impair.nftables import FIRST, Ruleset
from netlab.notation.packets import PacketPattern
from netlab.timeline.packet_fields import Endpoint, endpoint
from netlab.timeline.plain_headers import FLAG_SETS
from netlab.timeline.timeline import Node
from netlab.topology.spec import Link, Rule

__all__ = ["dropped", "matched", "passed", "protocol_of", "why_not", "write"]

_NETWORK, _TRANSPORT = 1, 2
_ETHERTYPES = {4: b"\x08\x00", 6: b"\x86\xdd"}
_PROTOCOLS = {"tcp": 6, "udp": 17, "icmp": 1, "igmp": 2, "icmp6": 58}
_FAMILY_OF = {"icmp": 4, "igmp": 4, "icmp6": 6}
_ICMP6 = b"\x3a"
# Neighbour discovery and MLD are meant only by a pattern that names them (rules.py).
_UNASKED = tuple(bytes([kind]) for kind in (130, 131, 132, 133, 134, 135, 136, 137, 143))
_UNASKED_SET = "unasked"
_ADDRESS_AT = {(4, True): 12, (4, False): 16, (6, True): 8, (6, False): 24}
_LENGTH = {4: 4, 6: 16}
# field: (base, offset, length) by version, and the protocols that have it ("" any).
_FIELDS: Mapping[str, tuple[Mapping[int, tuple[int, int, int]], tuple[str, ...]]] = {
    "ttl": ({4: (_NETWORK, 8, 1), 6: (_NETWORK, 7, 1)}, ()),
    "id": ({4: (_NETWORK, 4, 2)}, ()),
    "sport": ({4: (_TRANSPORT, 0, 2), 6: (_TRANSPORT, 0, 2)}, ("tcp", "udp")),
    "dport": ({4: (_TRANSPORT, 2, 2), 6: (_TRANSPORT, 2, 2)}, ("tcp", "udp")),
    "win": ({4: (_TRANSPORT, 14, 2), 6: (_TRANSPORT, 14, 2)}, ("tcp",)),
    "type": ({4: (_TRANSPORT, 0, 1), 6: (_TRANSPORT, 0, 1)}, ("icmp", "icmp6")),
    "code": ({4: (_TRANSPORT, 1, 1), 6: (_TRANSPORT, 1, 1)}, ("icmp", "icmp6")),
}
_ALL_FLAGS = b"\x01\xff"
_FOREVER = 0xFFFFFFFF
"""What counters of turns count up to; a rule of exact occurrences would act once more after so many packets."""


def why_not(rule: Rule, *, recorded: bool = True, seeded: bool = True) -> str:
    """Why the kernel cannot carry out a rule, "" when it can.

    ``recorded``: each decision is to be told, but the kernel only counts. ``seeded``: chance follows a seed also where the rule has
    none of its own, but nothing seeds the kernel's dice.
    """
    pattern = rule.match
    beyond = {
        f"{rule.action} is no dropping": rule.action != "drop",
        "each decision is to be recorded": recorded,
        "a filter in the words of pcap-filter(7)": bool(rule.filter),
        "a byte of a stream": rule.byte is not None,
        "a window of time": rule.since is not None or rule.until is not None,
        "a barrier": bool(rule.before),
        "the state of a socket": bool(rule.during),
        "chance with a seed": rule.chance < 1 and (seeded or rule.seed is not None),
        "both every and range": bool(rule.every) and _has_range(rule) and not rule.occurrences,
        "TCP options": bool(pattern.options) or pattern.options_only,
        "a payload": pattern.data is not None,
    }
    for words, so in beyond.items():
        if so:
            return words
    return "" if pattern.any else _beyond_fields(pattern)


def _has_range(rule: Rule) -> bool:
    return rule.first > 1 or rule.last > 0


def _beyond_fields(pattern: PacketPattern) -> str:
    protocol = protocol_of(pattern)
    if protocol == "arp":
        return "" if not (pattern.source or pattern.target or pattern.fields) else "what an ARP packet says"
    ported = any(endpoint(text, {}).port is not None for text in (pattern.source, pattern.target))
    if ported and protocol not in ("tcp", "udp"):
        return "a port of any protocol"
    for name, _ in pattern.fields:
        if name == "tos" or (name == "len" and protocol == "udp"):
            continue
        if name not in _FIELDS or (_FIELDS[name][1] and protocol not in _FIELDS[name][1]):
            return f"the field {name}"
    return ""


def protocol_of(pattern: PacketPattern) -> str:
    """The protocol that a pattern asks for, "" for any: TCP too where it names flags or options."""
    return pattern.protocol or ("tcp" if pattern.flags is not None or pattern.options else "")


def matched(index: int) -> str:
    """The counter of what matched the rule at this index."""
    return f"matched{index}"


def dropped(index: int) -> str:
    """The counter of what that rule dropped."""
    return f"dropped{index}"


def passed() -> str:
    """The counter of what no rule dropped."""
    return "passed"


def write(
    ruleset: Ruleset,
    rules: Sequence[tuple[Rule, int]],
    link: Link,
    direction: int,
    nodes: Mapping[str, Node],
    *,
    device: str,
    to: int,
) -> None:
    """Write what drops and counts the packets that come in by ``device`` in a direction of a link (0: from its first endpoint), and
    sends the others out by the interface ``to``.

    With each rule comes how many packets it has matched already. The rules are such that ``why_not`` has nothing against them.
    """
    ruleset.counter(passed())
    ruleset.set(_UNASKED_SET, _UNASKED)
    for index, (rule, already) in enumerate(rules):
        ruleset.counter(matched(index))
        ruleset.counter(dropped(index))
        ruleset.chain(f"rule{index}")
        if (selected := _selected(ruleset, rule, index, already)) is not None:
            act = nft.mark(), nft.equal(bytes(4)), nft.set_mark(index + 1)
            ruleset.rule(f"rule{index}", nft.count(matched(index)), *selected, *act)
        else:
            ruleset.rule(f"rule{index}", nft.count(matched(index)))
    ruleset.ingress(device)
    sides = _Sides(ruleset, link, direction, nodes)
    for index, (rule, _) in enumerate(rules):
        for alternative in sides.alternatives(rule.match, f"{index}"):
            ruleset.rule(FIRST, *alternative, nft.jump(f"rule{index}"))
    for index in range(len(rules)):
        ruleset.rule(FIRST, nft.mark(), nft.equal(struct.pack("=I", index + 1)), nft.count(dropped(index)), nft.drop())
    ruleset.rule(FIRST, nft.count(passed()), nft.forward(to))


def _selected(ruleset: Ruleset, rule: Rule, index: int, already: int) -> list[bytes] | None:
    """What must hold of the how manyth match, where so many were there before; None where it never does."""
    found: list[bytes] = []
    last = rule.last or _FOREVER
    if rule.occurrences:
        wanted = [n for n in rule.occurrences if max(rule.first, already + 1) <= n <= last and not (rule.every and n % rule.every)]
        if not wanted:
            return None
        ruleset.set(f"turns{index}", [struct.pack("=I", n - 1 - already) for n in wanted])
        found += [nft.turn(_FOREVER), nft.among(f"turns{index}")]
    elif rule.every:
        found += [nft.turn(rule.every), nft.equal(struct.pack("=I", (rule.every - 1 - already) % rule.every))]
    elif _has_range(rule):
        if last <= already:
            return None
        first = max(0, rule.first - 1 - already)
        found += [nft.turn(_FOREVER), nft.network_order(), nft.between(first, last - 1 - already if rule.last else _FOREVER)]
    if rule.chance < 1:
        found += [nft.dice(), nft.network_order(), nft.below(round(rule.chance * _FOREVER))]
    return found


class _Sides:
    """How the packets of one direction are told apart: by what the nodes' addresses are."""

    def __init__(self, ruleset: Ruleset, link: Link, direction: int, nodes: Mapping[str, Node]) -> None:
        self._ruleset, self._nodes = ruleset, nodes
        self._sender, self._receiver = link.endpoints[direction], link.endpoints[1 - direction]

    def alternatives(self, pattern: PacketPattern, name: str) -> Iterator[list[bytes]]:
        """Expressions that hold of the packets that match: of each packet those of one alternative at most."""
        if protocol_of(pattern) == "arp" and not pattern.any:
            yield [nft.ethertype(), nft.equal(b"\x08\x06")]
            return
        for version in (4, 6):
            found = [nft.ethertype(), nft.equal(_ETHERTYPES[version])]
            if not pattern.any:
                rest = self._rest(pattern, version, f"{name}v{version}")
                if rest is None:
                    continue
                found += rest
            protocol = "" if pattern.any else protocol_of(pattern)
            if version == 4 or protocol in ("tcp", "udp"):
                yield found
                continue
            asked = [nft.header_bytes(_TRANSPORT, 0, 1), nft.among(_UNASKED_SET, negated=True)]
            if protocol == "icmp6":
                yield found if "type" in dict(pattern.fields) else [*found, *asked]
            else:
                yield [*found, nft.transport_protocol(), nft.equal(_ICMP6, negated=True)]
                yield [*found, nft.transport_protocol(), nft.equal(_ICMP6), *asked]

    def _rest(self, pattern: PacketPattern, version: int, name: str) -> list[bytes] | None:
        """What must hold beyond the version; None where nothing of this version matches."""
        protocol = protocol_of(pattern)
        found: list[bytes] = []
        if protocol:
            if _FAMILY_OF.get(protocol, version) != version:
                return None
            found += [nft.transport_protocol(), nft.equal(bytes([_PROTOCOLS[protocol]]))]
        for text, sending in ((pattern.source, True), (pattern.target, False)):
            end = endpoint(text, self._nodes)
            at = self._end(end, version, f"{name}{'from' if sending else 'to'}", sending=sending)
            if at is None:
                return None
            found += at
        if pattern.flags is not None:
            bits = FLAG_SETS.index(pattern.flags).to_bytes(2, "big")
            found += [nft.header_bytes(_TRANSPORT, 12, 2), nft.masked(_ALL_FLAGS), nft.equal(bits)]
        for field, value in pattern.fields:
            if (held := _field(field, value, version)) is None:
                return None
            found += held
        return found

    def _end(self, end: Endpoint, version: int, name: str, *, sending: bool) -> list[bytes] | None:
        found = []
        if end.port is not None:
            found += [nft.header_bytes(_TRANSPORT, 0 if sending else 2, 2), nft.equal(end.port.to_bytes(2, "big"))]
        if end.name in ("", "*"):
            return found
        at = nft.header_bytes(_NETWORK, _ADDRESS_AT[version, sending], _LENGTH[version])
        if end.name not in self._nodes:
            address = _packed(end.name, version)
            return [*found, at, nft.equal(address)] if address is not None else None
        own = self._addresses(end.name, end.interface, version)
        side = self._sender if sending else self._receiver
        if end.name == side.node and end.interface in ("", side.interface):
            # An address of no node, link-local or spoofed, belongs to whoever sends or gets the frame (rules.py).
            others = {one for node in self._nodes for one in self._addresses(node, "", version)} - own
            return [*found, *self._among(at, name, others, negated=True)] if others else found
        return [*found, *self._among(at, name, own)] if own else None

    def _among(self, at: bytes, name: str, addresses: set[bytes], *, negated: bool = False) -> list[bytes]:
        self._ruleset.set(name, addresses)
        return [at, nft.among(name, negated=negated)]

    def _addresses(self, node: str, interface: str, version: int) -> set[bytes]:
        texts = (text for name, own in self._nodes[node].addresses.items() if interface in ("", name) for text in own)
        return {packed for text in texts if (packed := _packed(text.partition("/")[0], version)) is not None}


def _packed(text: str, version: int) -> bytes | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return address.packed if address.version == version else None


def _field(field: str, value: int, version: int) -> list[bytes] | None:
    """What must hold for a field to have this value; None where no packet of this version has it."""
    if field == "tos":
        if not 0 <= value < 256:
            return None
        if version == 4:
            return [nft.header_bytes(_NETWORK, 1, 1), nft.equal(bytes([value]))]
        return [nft.header_bytes(_NETWORK, 0, 2), nft.masked(b"\x0f\xf0"), nft.equal((value << 4).to_bytes(2, "big"))]
    place, value = ((_TRANSPORT, 4, 2), value + 8) if field == "len" else (_FIELDS[field][0].get(version), value)
    if place is None or not 0 <= value < 1 << 8 * place[2]:
        return None
    return [nft.header_bytes(*place), nft.equal(value.to_bytes(place[2], "big"))]
