"""Where the headers stand in a frame that is to be changed, and how bits of it are changed, with the checksums mended or not.

It changes what it is told to and refuses to know why; frames that it cannot read have no parts. Offsets are bytes of the frame,
bits count from the start of the network header.
"""

from typing import NamedTuple

from netlab.notation.header_fields import FIELDS, bit_of

__all__ = ["ICMP", "ICMP6", "TCP", "UDP", "Parts", "bits_of", "checksum", "mended", "parts", "place_of", "with_bits"]

TCP, UDP, ICMP, ICMP6 = 6, 17, 1, 58
_VLAN_TAGS = (b"\x81\x00", b"\x88\xa8", b"\x91\x00")
_IP4, _IP6 = b"\x08\x00", b"\x86\xdd"
# Extension headers with a length in 8-byte units (RFC 8200 section 4.1, RFC 4302 counts by 4).
_EXTENSIONS = frozenset({0, 43, 60, 135, 139, 140})
_FRAGMENT, _AUTHENTICATION = 44, 51
_PROTOCOLS = {"tcp": (TCP,), "udp": (UDP,), "icmp": (ICMP, ICMP6)}
# Where a field begins, in bits of its header; of IP by version (RFC 791, RFC 8200), of the others RFC 9293, 768, 792.
_IP_FIELDS = {
    4: {
        "ip.version": 0, "ip.tos": 8, "ip.dscp": 8, "ip.ecn": 14, "ip.length": 16, "ip.id": 32, "ip.ttl": 64, "ip.protocol": 72,
        "ip.checksum": 80, "ip.source": 96, "ip.target": 128,
    },
    6: {
        "ip.version": 0, "ip.tos": 4, "ip.dscp": 4, "ip.ecn": 10, "ip.flowlabel": 12, "ip.length": 32, "ip.protocol": 48,
        "ip.ttl": 56, "ip.source": 64, "ip.target": 192,
    },
}  # fmt: skip
_FIELDS = {
    "tcp.sport": 0, "tcp.dport": 16, "tcp.seq": 32, "tcp.ack": 64, "tcp.offset": 96, "tcp.flags": 104, "tcp.window": 112,
    "tcp.checksum": 128, "tcp.urgent": 144,
    "udp.sport": 0, "udp.dport": 16, "udp.length": 32, "udp.checksum": 48,
    "icmp.type": 0, "icmp.code": 8, "icmp.checksum": 16,
}  # fmt: skip
_CHECKSUM_AT = {TCP: 16, UDP: 6, ICMP: 2, ICMP6: 2}
_ADDRESSES = ("ip.source", "ip.target")


class Parts(NamedTuple):
    """The parts of a frame: its network header begins at ``network``, of IP ``version`` (0: another protocol), what it carries at
    ``transport``, of ``protocol`` (-1: none, or a fragment that is not the first); what the frame holds of the packet ends at
    ``end``. ``later`` says that it is a fragment after the first."""

    network: int
    version: int
    protocol: int
    transport: int
    end: int
    later: bool = False


def parts(frame: bytes) -> Parts:
    """The parts of an Ethernet frame, VLAN tags or not."""
    at = 12
    while frame[at : at + 2] in _VLAN_TAGS:
        at += 4
    kind, at = frame[at : at + 2], at + 2
    size = len(frame)
    if kind == _IP4 and size >= at + 20 and frame[at] >> 4 == 4:
        transport = at + (frame[at] & 15) * 4
        end = min(size, at + int.from_bytes(frame[at + 2 : at + 4], "big"))
        later = bool(int.from_bytes(frame[at + 6 : at + 8], "big") & 0x1FFF)
        if transport < at + 20 or transport > end:
            return Parts(at, 4, -1, end, end, later)
        return Parts(at, 4, -1 if later else frame[at + 9], transport, end, later)
    if kind == _IP6 and size >= at + 40 and frame[at] >> 4 == 6:
        return _parts6(frame, at, min(size, at + 40 + int.from_bytes(frame[at + 4 : at + 6], "big")))
    return Parts(at, 0, -1, size, size)


def _parts6(frame: bytes, network: int, end: int) -> Parts:
    following, at = frame[network + 6], network + 40
    while following in _EXTENSIONS or following in (_FRAGMENT, _AUTHENTICATION):
        if at + 8 > end:
            return Parts(network, 6, -1, end, end)
        if following == _FRAGMENT and int.from_bytes(frame[at + 2 : at + 4], "big") & 0xFFF8:
            return Parts(network, 6, -1, at + 8, end, True)
        length = 8 if following == _FRAGMENT else (frame[at + 1] + 2) * 4 if following == _AUTHENTICATION else frame[at + 1] * 8 + 8
        following, at = frame[at], at + length
    return Parts(network, 6, following, min(at, end), end)


def place_of(field: str, found: Parts) -> tuple[int, int] | None:
    """Where a field, or "bit 160", stands in a packet: its first bit and its width. None where the packet has no such field."""
    number = bit_of(field)
    if number is not None:
        first, width = number, 1
    else:
        header, width = field.partition(".")[0], FIELDS[field]
        if header == "ip":
            places = _IP_FIELDS.get(found.version, {})
            if field not in places:
                return None
            first = places[field]
        elif found.protocol in _PROTOCOLS[header]:
            first = (found.transport - found.network) * 8 + _FIELDS[field]
        else:
            return None
    return (first, width) if first + width <= (found.end - found.network) * 8 else None


def bits_of(frame: bytes, found: Parts, first: int, width: int) -> int:
    """The value of some bits."""
    start, end, shift = _around(found, first, width)
    return int.from_bytes(frame[start:end], "big") >> shift & (1 << width) - 1


def with_bits(frame: bytes, found: Parts, first: int, width: int, value: int) -> bytes:
    """The frame with another value in some bits, and nothing else changed."""
    start, end, shift = _around(found, first, width)
    mask = (1 << width) - 1
    whole = int.from_bytes(frame[start:end], "big") & ~(mask << shift) | (value & mask) << shift
    return frame[:start] + whole.to_bytes(end - start, "big") + frame[end:]


def _around(found: Parts, first: int, width: int) -> tuple[int, int, int]:
    """The bytes in which some bits stand, and how far from their right end."""
    start, end = found.network + first // 8, found.network + (first + width + 7) // 8
    return start, end, (end - found.network) * 8 - first - width


def mended(before: bytes, after: bytes, found: Parts, field: str) -> bytes:
    """``after``, with the checksums over ``field``, in which alone it differs from ``before``, mended incrementally (RFC 1624).

    What was right stays right, what was wrong stays wrong. A checksum itself, and a bit, mends nothing.
    """
    place = place_of(field, found)
    if place is None or bit_of(field) is not None or field.endswith(".checksum"):
        return after
    first, width = place
    start = found.network + first // 16 * 2
    end = found.network + (first + width + 15) // 16 * 2
    header = field.partition(".")[0]
    if header == "ip" and found.version == 4:
        after = _adjusted(after, before[start:end], after[start:end], found.network + 10)
    if header == "ip" and field not in _ADDRESSES:
        return after
    if found.protocol not in _CHECKSUM_AT or (header == "ip" and found.protocol == ICMP):  # ICMP has no pseudo-header
        return after
    at = found.transport + _CHECKSUM_AT[found.protocol]
    if at + 2 > found.end or (found.protocol == UDP and before[at : at + 2] == b"\0\0"):  # no checksum (RFC 768)
        return after
    return _adjusted(after, before[start:end], after[start:end], at, udp=found.protocol == UDP)


def _adjusted(frame: bytes, old: bytes, new: bytes, at: int, *, udp: bool = False) -> bytes:
    """Equation 3 of RFC 1624, HC' = ~(~HC + ~m + m'), over as many words as changed."""
    total = 0xFFFF - int.from_bytes(frame[at : at + 2], "big")
    for offset in range(0, len(old), 2):
        total += 0xFFFF - int.from_bytes(old[offset : offset + 2], "big") + int.from_bytes(new[offset : offset + 2], "big")
    return frame[:at] + (_complement(total) or (0xFFFF if udp else 0)).to_bytes(2, "big") + frame[at + 2 :]


def checksum(data: bytes) -> int:
    """The Internet checksum of data in which its own field is zero (RFC 1071)."""
    return _complement(sum(int.from_bytes(data[offset : offset + 2].ljust(2, b"\0"), "big") for offset in range(0, len(data), 2)))


def _complement(total: int) -> int:
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return 0xFFFF - total
