"""Forges what a rule answers a packet with: RST segments that end its connection, and ICMP errors about it, as whole frames.

The numbers and addresses come from the packet itself, which is all that it knows: no connection is followed here.
"""

import struct
from collections.abc import Sequence
from typing import NamedTuple

from netlab.impair.packet_parts import ICMP, ICMP6, TCP, Parts, checksum
from netlab.notation.icmp import ERRORS
from netlab.topology.networks import Address

__all__ = ["error", "resets", "why_no_error"]

_TTL = 64
_ACK, _RST, _SYN, _FIN = 0x10, 0x04, 0x02, 0x01
_SPACE = 1 << 32
_NUMBERS = struct.Struct("!HHIIBB")
_PRECEDENCE = 0xC0  # internetwork control (RFC 1812 section 4.3.2.5)
# RFC 792 quotes the header and 8 bytes, RFC 1812 section 4.3.2.3 as much as fits into 576 bytes, RFC 4443 section 3 into 1280.
_LARGEST = {4: 576, 6: 1280}
_FRAGMENTATION_NEEDED, _TOO_BIG, _UNRECOGNIZED = (3, 4), (2, 0), (4, 1)
_QUERIES = frozenset({0, 8, 9, 10, 13, 14, 15, 16, 17, 18})
_NEXT_HEADER = 6


class _Ends(NamedTuple):
    """A packet's addresses, as bytes."""

    source: bytes
    target: bytes


def _ends(frame: bytes, found: Parts) -> _Ends:
    at, size = (found.network + 12, 4) if found.version == 4 else (found.network + 8, 16)
    return _Ends(frame[at : at + size], frame[at + size : at + 2 * size])


def resets(frame: bytes, found: Parts, toward: str) -> tuple[bytes | None, bytes | None]:
    """RSTs in the place of a TCP segment, toward its receiver and its sender; None where ``toward`` does not ask for it.

    The receiver's has the segment's own numbers: it is acceptable to one that was waiting for just this segment (RFC 9293 section
    3.10.7.4, RFC 5961 section 3.2), and in SYN-SENT by the acknowledgement of the SYN (section 3.10.7.3). The sender's begins where
    the segment's acknowledgement ends and acknowledges all of the segment: what a closed port would answer (section 3.10.7.1).
    """
    at = found.transport
    sport, dport, seq, ack, offset, flags = _NUMBERS.unpack_from(frame, at)
    payload = found.end - at - (offset >> 4) * 4
    after = (seq + payload + bool(flags & _SYN) + bool(flags & _FIN)) % _SPACE
    ends = _ends(frame, found)
    onward = back = None
    if toward in ("receiver", "both"):
        numbers = (seq, ack, _RST | _ACK) if flags & _ACK else (seq, 0, _RST)
        onward = _link(frame, found, back=False) + _segment(found.version, ends, sport, dport, numbers)
    if toward in ("sender", "both"):
        numbers = (ack if flags & _ACK else 0, after, _RST | _ACK)
        back = _link(frame, found, back=True) + _segment(found.version, _Ends(ends.target, ends.source), dport, sport, numbers)
    return onward, back


def _segment(version: int, ends: _Ends, sport: int, dport: int, numbers: tuple[int, int, int]) -> bytes:
    seq, ack, flags = numbers
    bare = struct.pack("!HHIIBBHHH", sport, dport, seq, ack, 5 << 4, flags, 0, 0, 0)
    summed = checksum(_pseudo(ends, TCP, len(bare)) + bare)
    return _packet(version, ends, TCP, bare[:16] + struct.pack("!HH", summed, 0))


def why_no_error(frame: bytes, found: Parts) -> str:
    """Why a packet may not be answered with an ICMP error (RFC 1122 section 3.2.2, RFC 4443 section 2.4), "" when it may."""
    if not found.version:
        return "it is no IP packet"
    if found.later:
        return "it is a fragment after the first"
    if frame[0] & 1:
        return "it was sent to many"
    source = _ends(frame, found).source
    if not any(source) or (source[0] >= 0xE0 if found.version == 4 else source[0] == 0xFF):
        return "its source is no host's address"
    if found.protocol in (ICMP, ICMP6):
        kind = frame[found.transport]
        if kind not in _QUERIES if found.protocol == ICMP else kind < 128:
            return "it is an ICMP error itself"
    return ""


def error(frame: bytes, found: Parts, name: str, *, mtu: int = 0, hop: Sequence[Address] = ()) -> bytes | None:
    """The ICMP error of this name (notation/icmp.py) to the sender of an IP packet, with as much of the packet as it may quote.
    None where ICMPv6 has no such error.

    It comes from the first address of ``hop``, the node that the packet would have reached next, in the packet's family; else
    from the packet's destination. ``mtu`` is what "fragmentation needed" tells (RFC 1191 section 4, RFC 4443 section 3.2).
    """
    kind = ERRORS[name][0 if found.version == 4 else 1]
    if kind is None:
        return None
    ends = _ends(frame, found)
    answering = next((address.packed for address in hop if address.version == found.version), ends.target)
    way = _Ends(answering, ends.source)
    quoted = frame[found.network : found.end]
    if found.version == 4:
        rest = struct.pack("!HH", 0, mtu) if kind == _FRAGMENTATION_NEEDED else bytes(4)
        message = struct.pack("!BBH", *kind, 0) + rest + quoted[: _LARGEST[4] - 28]
        summed = checksum(message)
        made = _packet(4, way, ICMP, message[:2] + struct.pack("!H", summed) + message[4:], tos=_PRECEDENCE)
    else:
        rest = struct.pack("!I", mtu if kind == _TOO_BIG else _NEXT_HEADER if kind == _UNRECOGNIZED else 0)
        message = struct.pack("!BBH", *kind, 0) + rest + quoted[: _LARGEST[6] - 48]
        summed = checksum(_pseudo(way, ICMP6, len(message)) + message)
        made = _packet(6, way, ICMP6, message[:2] + struct.pack("!H", summed) + message[4:])
    return _link(frame, found, back=True) + made


def _link(frame: bytes, found: Parts, *, back: bool) -> bytes:
    """The Ethernet header of a frame, VLAN tags included, for one that goes the same way or back."""
    return (frame[6:12] + frame[:6] if back else frame[:12]) + frame[12 : found.network]


def _pseudo(ends: _Ends, protocol: int, length: int) -> bytes:
    """The pseudo-header (RFC 9293 section 3.1, RFC 8200 section 8.1); IPv4's sums to the same when its length has 32 bits."""
    return ends.source + ends.target + struct.pack("!II", length, protocol)


def _packet(version: int, ends: _Ends, protocol: int, carried: bytes, *, tos: int = 0) -> bytes:
    if version == 6:
        return struct.pack("!IHBB", 6 << 28, len(carried), protocol, _TTL) + ends.source + ends.target + carried
    head = struct.pack("!BBHHHBBH", 0x45, tos, 20 + len(carried), 0, 0x4000, _TTL, protocol, 0) + ends.source + ends.target
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + carried
