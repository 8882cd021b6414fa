"""The fields of packet headers by the names that a rule may write, and how many bits each has. It does not know where they stand.

The names are tcpdump's and the RFCs' own, behind the header's: RFC 791 and 8200 (ip), 9293 (tcp), 768 (udp), 792 and 4443 (icmp).
"""

import re
from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["FIELDS", "bit_of", "width_of"]

FIELDS: Mapping[str, int] = MappingProxyType(
    {
        "ip.version": 4, "ip.tos": 8, "ip.dscp": 6, "ip.ecn": 2, "ip.length": 16, "ip.id": 16, "ip.ttl": 8, "ip.protocol": 8,
        "ip.checksum": 16, "ip.source": 32, "ip.target": 32, "ip.flowlabel": 20,
        "tcp.sport": 16, "tcp.dport": 16, "tcp.seq": 32, "tcp.ack": 32, "tcp.offset": 4, "tcp.flags": 8, "tcp.window": 16,
        "tcp.checksum": 16, "tcp.urgent": 16,
        "udp.sport": 16, "udp.dport": 16, "udp.length": 16, "udp.checksum": 16,
        "icmp.type": 8, "icmp.code": 8, "icmp.checksum": 16,
    }
)  # fmt: skip
"""Name to width in bits. ``ip.`` is of both versions: ttl is IPv6's hop limit, tos its traffic class, protocol its next header,
length its payload length; the addresses are the first 32 bits of an IPv6 one."""

_MOST_BITS = (40 + 65535) * 8  # IPv6's fixed header, and all that its payload length can say
_BIT = re.compile(r"bit ([0-9]{1,6})")


def bit_of(text: str) -> int | None:
    """The number of "bit 160", from the start of the IP header; None if it is not written so, or no packet is so long."""
    found = _BIT.fullmatch(text)
    return int(found[1]) if found is not None and int(found[1]) < _MOST_BITS else None


def width_of(text: str) -> int | None:
    """How many bits a field has by its name, or a single bit as "bit 160" (1); None if there is no such field."""
    return 1 if bit_of(text) is not None else FIELDS.get(text)
