"""Packets in the order of time, with their header fields and with sequence numbers counted from each direction's initial one.

SYN is 0 and the first byte 1; where a direction sent no SYN, its numbers stay absolute. The module knows nothing of what packets
ought to be. A direction of more than 2 GiB is beyond it: numbers are signed differences of 32 bits.
"""

from collections.abc import Iterable, Mapping

import msgspec

from netlab.timeline.headers import Headers, decode
from netlab.timeline.observations import AnyObservation, Packet
from netlab.timeline.timeline import Node

_FLAG_ORDER = "FSRP.UEWe"
_Connection = tuple[tuple[str, int], tuple[str, int]]


class Numbers(msgspec.Struct, frozen=True):
    """A segment's relative sequence number and acknowledgement; None where the packet has none."""

    seq: int | None = None
    ack: int | None = None


class SeenPacket(msgspec.Struct, frozen=True, kw_only=True):
    """A Packet of a timeline, at ``index`` in its observations, with what its bytes say."""

    index: int
    packet: Packet
    headers: Headers
    numbers: Numbers = Numbers()


class _Reopening(msgspec.Struct, frozen=True):
    """A SYN with another initial number on a connection that has one: a new connection, once somebody goes along with it."""

    direction: int
    initial: int
    length: int


class _Numbering:
    """Initial sequence numbers by connection, as one place saw them. ``from_first``: see Numberer."""

    def __init__(self, *, from_first: bool = False) -> None:
        self._from_first = from_first
        self._initial: dict[_Connection, dict[int, int]] = {}
        self._reopening: dict[_Connection, _Reopening] = {}

    def __len__(self) -> int:
        return len(self._initial)

    def forget(self, one: tuple[str, int], other: tuple[str, int]) -> None:
        """What is told of these two ends from now on is of a connection that was not seen before."""
        connection = (one, other) if one <= other else (other, one)
        self._initial.pop(connection, None)
        self._reopening.pop(connection, None)

    def known(self, headers: Headers) -> tuple[int | None, int | None]:
        """Fold one segment in: the initial numbers that its seq and its ack count from."""
        assert headers.sport is not None
        assert headers.dport is not None
        assert headers.seq is not None
        here, there = (headers.source, headers.sport), (headers.target, headers.dport)
        connection = (here, there) if here <= there else (there, here)
        direction = 0 if here <= there else 1
        # A socket connected to itself has one direction only, which answers itself (RFC 9293 §3.5, simultaneous open).
        other = direction if here == there else 1 - direction
        initial = self._initial.setdefault(connection, {})
        reopening = self._reopening.get(connection)
        acks = "." in headers.flags
        if reopening is not None and self._goes_along(reopening, headers, direction):
            initial = self._initial[connection] = {reopening.direction: reopening.initial}
            reopening = self._reopening.pop(connection)
        if "S" in headers.flags:
            if acks or initial.get(direction, headers.seq) == headers.seq:
                initial[direction] = headers.seq
            else:
                # Not yet believed: a SYN inside a connection may be answered by an ACK of the old one (RFC 5961 §4).
                self._reopening[connection] = _Reopening(direction, headers.seq, headers.length)
                return headers.seq, None
        if self._from_first:
            initial.setdefault(direction, (headers.seq - 1) % 2**32)
            if acks and headers.ack is not None:
                initial.setdefault(other, (headers.ack - 1) % 2**32)
        return initial.get(direction), initial.get(other)

    @staticmethod
    def _goes_along(reopening: _Reopening, headers: Headers, direction: int) -> bool:
        assert headers.seq is not None
        assert headers.ack is not None
        if direction == reopening.direction:
            return "S" not in headers.flags and headers.seq == (reopening.initial + 1) % 2**32
        if "." not in headers.flags:
            return "S" in headers.flags
        return 1 <= (headers.ack - reopening.initial) % 2**32 <= 1 + reopening.length


def _signed(number: int, initial: int | None) -> int:
    return number if initial is None else (number - initial + 2**31) % 2**32 - 2**31


class Numberer:
    """Numbers segments one at a time, as one place on their way sees them: for what decides before the next one comes.

    ``from_first``: a direction of which no SYN was seen counts from what was seen first, as byte 1; else its numbers are absolute.
    """

    def __init__(self, *, from_first: bool = False) -> None:
        self._account = _Numbering(from_first=from_first)

    def __len__(self) -> int:
        """Of how many connections it keeps account."""
        return len(self._account)

    def forget(self, one: tuple[str, int], other: tuple[str, int]) -> None:
        """Let go of a connection, by the address and the port of its ends: of all that pass, too many would be kept."""
        self._account.forget(one, other)

    def numbers(self, headers: Headers) -> Numbers:
        """Fold in what passes next; gives its relative numbers."""
        if headers.seq is None or headers.ack is None:
            return Numbers()
        own, opposite = self._account.known(headers)
        return Numbers(_signed(headers.seq, own), _signed(headers.ack, opposite) if "." in headers.flags else None)


def packets_of(observations: Iterable[AnyObservation]) -> tuple[SeenPacket, ...]:
    """Every Packet among the observations, which are in the order of time, decoded and numbered.

    Each node keeps its own account, because a packet held back on a link is old news to one side only; what a node has not seen,
    such as a SYN lost on its way there, it takes from the account of all.
    """
    everywhere, by_node = _Numbering(), dict[str, _Numbering]()
    seen = []
    for index, packet in enumerate(observations):
        if not isinstance(packet, Packet):
            continue
        headers = decode(packet.data)
        numbers = Numbers()
        if headers.seq is not None and headers.ack is not None:
            account = by_node.setdefault(packet.host, _Numbering())
            own, opposite = account.known(headers)
            all_own, all_opposite = everywhere.known(headers)
            seq = _signed(headers.seq, all_own if own is None else own)
            ack = _signed(headers.ack, all_opposite if opposite is None else opposite)
            numbers = Numbers(seq, ack if "." in headers.flags else None)
        seen.append(SeenPacket(index=index, packet=packet, headers=headers, numbers=numbers))
    return tuple(seen)


def flags_text(flags: frozenset[str]) -> str:
    """Flags as tcpdump prints them: "S.", "P.", "none"."""
    return "".join(letter for letter in _FLAG_ORDER if letter in flags) or "none"


def options_text(options: Iterable[tuple[str, str]]) -> str:
    """TCP options as tcpdump prints them: "mss 1460,sackOK,TS val 1 ecr 0"."""
    words = []
    for name, value in options:
        if name == "TS" and "/" in value:
            value = "val {} ecr {}".format(*value.split("/"))
        words.append(f"{name} {value}" if value else name)
    return ",".join(words)


def has(addresses: Iterable[str], address: str) -> bool:
    """Whether an address is among an interface's, which may be written with their prefix length."""
    return any(own.partition("/")[0] == address for own in addresses)


def owner(address: str, nodes: Mapping[str, Node]) -> str:
    """The node that has this address, "" if none has."""
    for name, node in nodes.items():
        if any(has(addresses, address) for addresses in node.addresses.values()):
            return name
    return ""


def describe(seen: SeenPacket, nodes: Mapping[str, Node] | None = None, *, ports: bool = False) -> str:
    """One line close to tcpdump's, with nodes by name: ``client > server S. seq 0 ack 1 win 65535 <mss 1460> len 0``."""
    headers, numbers = seen.headers, seen.numbers
    known = nodes or {}
    source = owner(headers.source, known) or headers.source or headers.source_mac
    target = owner(headers.target, known) or headers.target or headers.target_mac
    if ports and headers.sport is not None:
        source, target = (f"{f'[{end}]' if ':' in end else end}" for end in (source, target))
        source, target = f"{source}:{headers.sport}", f"{target}:{headers.dport}"
    words = [f"{source} > {target}"]
    if headers.protocol != "tcp":
        words.append(headers.protocol if headers.is_ip or headers.protocol == "arp" else f"ethertype {headers.ethertype:#06x}")
    elif headers.seq is not None:
        words.append(f"{flags_text(headers.flags)} seq {numbers.seq}")
        if numbers.ack is not None:
            words.append(f"ack {numbers.ack}")
        words.append(f"win {headers.window}")
        if headers.options:
            words.append(f"<{options_text(headers.options)}>")
    else:
        words.append("tcp")
    if headers.type is not None:
        words.append(f"type {headers.type}" + (f" code {headers.code}" if headers.code is not None else ""))
    if headers.fragment is not None:
        words.append(f"fragment {headers.fragment}")
    if headers.is_ip:
        words.append(f"len {headers.length}")
    if seen.packet.checksum_valid and (headers.checksum is False or headers.ip_checksum is False):
        words.append("(wrong checksum)")
    if headers.malformed and seen.packet.length == len(seen.packet.data):
        words.append(f"({headers.malformed})")
    return " ".join(words)
