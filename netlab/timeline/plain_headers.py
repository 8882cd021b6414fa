"""What a frame's headers say, as a value; and how it is read, in a microsecond, from the frames that nearly all frames are.

Those are whole TCP segments and UDP datagrams in plain IP packets over Ethernet; headers.py reads all others, and would read these
to the same result, only slower. What a check seldom asks for is read when it is asked for.
"""

import struct
from functools import lru_cache
from socket import AF_INET, AF_INET6, inet_ntop

import msgspec

from netlab.timeline.tcp_options import tcp_options

_FLAGS = ((0x01, "F"), (0x02, "S"), (0x04, "R"), (0x08, "P"), (0x10, "."), (0x20, "U"), (0x40, "E"), (0x80, "W"), (0x100, "e"))
FLAG_SETS = tuple(frozenset(letter for bit, letter in _FLAGS if bits & bit) for bits in range(512))
"""The flags' letters by the nine bits that they are in a segment."""

_ND = frozenset(range(133, 138))
_MLD = frozenset({130, 131, 132, 143})
_TCP, _UDP = 6, 17
# IP without options or extension headers, and the first 20 bytes of what it carries: TCP's header, or UDP's and 12 bytes more.
_PLAIN_4 = struct.Struct("!BBHHHBB2x4s4sHHIIHH2xH")
_PLAIN_6 = struct.Struct("!IHBB16s16sHHIIHH2xH")
_ETHERNET = 14
_LEAST_4, _LEAST_6 = _ETHERNET + 20 + 20, _ETHERNET + 40 + 20
_ONLY_STAMPS = b"\1\1\x08\x0a"
_KNOWN = 4096


class Details(msgspec.Struct, frozen=True, gc=False):
    """What is seldom asked of Headers."""

    source_mac: str = ""
    target_mac: str = ""
    options: tuple[tuple[str, str], ...] = ()
    payload: bytes = b""
    ip_checksum: bool | None = None
    checksum: bool | None = None
    df: int | None = None
    mf: int | None = None


class PlainDetails(msgspec.Struct, frozen=True, gc=False):
    """The same, of a plain frame, read when it is asked for. The transport header begins at ``start``, its payload at ``head``."""

    frame: bytes
    number: int
    start: int
    head: int
    end: int

    @property
    def source_mac(self) -> str:
        """The sender's hardware address."""
        return self.frame[6:12].hex(":")

    @property
    def target_mac(self) -> str:
        """The receiver's hardware address."""
        return self.frame[:6].hex(":")

    @property
    def options(self) -> tuple[tuple[str, str], ...]:
        """TCP's options."""
        return tcp_options(self.frame[self.start + 20 : self.head])[0] if self.number == _TCP else ()

    @property
    def payload(self) -> bytes:
        """What IP's payload carries."""
        return self.frame[self.head : self.end]

    @property
    def ip_checksum(self) -> bool | None:
        """IPv6 has none."""
        return right(self.frame[_ETHERNET : self.start]) if self.start == _ETHERNET + 20 else None

    @property
    def df(self) -> int | None:
        """IPv4's "don't fragment", the second of its three flags (RFC 791 §3.1); IPv6 has none."""
        return self.frame[_ETHERNET + 6] >> 6 & 1 if self.start == _ETHERNET + 20 else None

    @property
    def mf(self) -> int | None:
        """IPv4's "more fragments", the third of them; a plain packet is whole."""
        return 0 if self.start == _ETHERNET + 20 else None

    @property
    def checksum(self) -> bool:
        """The pseudo-header's addresses stand right before the segment; its other words are the protocol and the length."""
        addresses = 8 if self.start == _ETHERNET + 20 else 32
        length = self.end - self.start
        summed = int.from_bytes(self.frame[self.start - addresses : self.end], "big")
        return ((summed << 8 if length % 2 else summed) + self.number + length) % 0xFFFF == 0


class Headers(msgspec.Struct, frozen=True, gc=False):
    """What one frame says. A field that the frame does not have is None, "" or empty.

    ``protocol`` is tcp, udp, icmp, icmp6, igmp, arp or other. ``flags`` are tcpdump's letters, "." for ACK. ``window`` is the raw
    one.
    ``options`` are TCP's in order, by tcpdump's names with their value as text: ("mss", "1460"), ("TS", "val/ecr"), ("nop", "").
    ``length`` is the payload's length by the headers; ``payload`` what of it the frame holds. ``ip_checksum`` and ``checksum``
    (TCP, UDP, ICMP) are True or False, None where there is none or it cannot be told (a fragment, a cut frame).
    ``fragment`` is the offset in bytes of a fragment (0 for the first), None for a whole packet. ``mtu`` is
    what "fragmentation needed" and "packet too big" tell (RFC 1191 §4, RFC 4443 §3.2). For ARP, ``source`` and ``target`` are the
    protocol addresses and ``type`` the operation. ICMP's ``payload`` is what follows its type, code and
    checksum, its ``length`` the whole message's, as tcpdump has it.
    """

    ethertype: int = 0
    protocol: str = "other"
    version: int = 0
    source: str = ""
    target: str = ""
    tos: int | None = None
    ttl: int | None = None
    id: int | None = None
    sport: int | None = None
    dport: int | None = None
    length: int = 0
    details: Details | PlainDetails = Details()
    seq: int | None = None
    ack: int | None = None
    flags: frozenset[str] = frozenset()
    window: int | None = None
    urgent: int | None = None
    fragment: int | None = None
    type: int | None = None
    code: int | None = None
    mtu: int | None = None
    malformed: str = ""

    @property
    def source_mac(self) -> str:
        """The sender's hardware address."""
        return self.details.source_mac

    @property
    def target_mac(self) -> str:
        """The receiver's hardware address."""
        return self.details.target_mac

    @property
    def options(self) -> tuple[tuple[str, str], ...]:
        """TCP's options."""
        return self.details.options

    @property
    def payload(self) -> bytes:
        """What of the payload the frame holds."""
        return self.details.payload

    @property
    def ip_checksum(self) -> bool | None:
        """Whether the IP header's checksum is right."""
        return self.details.ip_checksum

    @property
    def checksum(self) -> bool | None:
        """Whether the checksum of what IP carries is right."""
        return self.details.checksum

    @property
    def df(self) -> int | None:
        """1 where routers must not fragment the packet (RFC 791 §3.1), 0 where they may; None of what is not IPv4."""
        return self.details.df

    @property
    def mf(self) -> int | None:
        """1 in all fragments but the last (RFC 791 §3.1), 0 in it and in what is whole; None of what is not IPv4."""
        return self.details.mf

    @property
    def is_ip(self) -> bool:
        """Whether it is an IP packet of either version."""
        return self.version != 0

    @property
    def nd(self) -> bool:
        """Whether it is IPv6 neighbour discovery: solicitations, advertisements, redirect (RFC 4861)."""
        return self.protocol == "icmp6" and self.type in _ND

    @property
    def mld(self) -> bool:
        """Whether it is multicast listener discovery (RFC 2710, RFC 3810)."""
        return self.protocol == "icmp6" and self.type in _MLD


def plain(data: bytes) -> Headers | None:
    """The headers of a plain frame; None of any other."""
    size, ethertype = len(data), data[12:14]
    identification: int | None
    if ethertype == b"\x08\x00" and size >= _LEAST_4:
        first, tos, length, identification, offset, ttl, number, source, target, sport, dport, seq, ack, bits, window, urgent = (
            _PLAIN_4.unpack_from(data, _ETHERNET)
        )
        if first != 0x45 or offset & 0x3FFF:
            return None
        kind, version, start, length = 0x0800, 4, _ETHERNET + 20, length - 20
        sender, receiver = _text_4(source), _text_4(target)
    elif ethertype == b"\x86\xdd" and size >= _LEAST_6:
        first, length, number, ttl, source, target, sport, dport, seq, ack, bits, window, urgent = _PLAIN_6.unpack_from(
            data, _ETHERNET
        )
        if first >> 28 != 6:
            return None
        kind, version, start, tos, identification = 0x86DD, 6, _ETHERNET + 40, first >> 20 & 255, None
        sender, receiver = _text_6(source), _text_6(target)
    else:
        return None
    end = start + length
    if length < 20 or end > size:
        return None
    # Positional: by name, giving so many arguments would take longer than all the rest.
    if number == _TCP:
        head = start + (bits >> 12 << 2)
        if head < start + 20 or head > end:
            return None
        stamps = head == start + 32 and data[start + 20 : start + 24] == _ONLY_STAMPS
        if head > start + 20 and not stamps and tcp_options(data[start + 20 : head])[1]:
            return None
        return Headers(
            kind, "tcp", version, sender, receiver, tos, ttl, identification, sport, dport, end - head,
            PlainDetails(data, number, start, head, end), seq, ack, FLAG_SETS[bits & 0x1FF], window, urgent,
        )  # fmt: skip
    if number != _UDP or seq >> 16 != length or not seq & 0xFFFF:
        return None
    return Headers(
        kind, "udp", version, sender, receiver, tos, ttl, identification, sport, dport, length - 8,
        PlainDetails(data, number, start, start + 8, end),
    )  # fmt: skip


def right(data: bytes) -> bool:
    """Whether a checksum over the data, which includes it, is right (RFC 1071)."""
    # The ones' complement sum of 16-bit words is the remainder by 65535, and Python divides a long integer fast in C.
    return int.from_bytes(data + b"\0" if len(data) % 2 else data, "big") % 0xFFFF == 0


@lru_cache(_KNOWN)
def _text_4(address: bytes) -> str:
    return inet_ntop(AF_INET, address)


@lru_cache(_KNOWN)
def _text_6(address: bytes) -> str:
    return inet_ntop(AF_INET6, address)
