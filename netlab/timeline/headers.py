"""Header fields straight from a frame's bytes: what a check or a reader asks of a packet, without a dissector.

It reads Ethernet, VLAN tags, ARP, IPv4, IPv6 with its extension headers, TCP, UDP and ICMP, and knows nothing of other packets:
no streams, no reassembly. It never raises: a cut or senseless frame gives what could be read, ``malformed`` says what could not.
"""

import struct
from socket import AF_INET, AF_INET6, inet_ntop
from typing import Any

import msgspec

_VLAN_TAGS = frozenset({0x8100, 0x88A8, 0x9100})
_PROTOCOLS = {6: "tcp", 17: "udp", 1: "icmp", 58: "icmp6"}
_FLAGS = ((0x01, "F"), (0x02, "S"), (0x04, "R"), (0x08, "P"), (0x10, "."), (0x20, "U"), (0x40, "E"), (0x80, "W"), (0x100, "e"))
_FLAG_SETS = tuple(frozenset(letter for bit, letter in _FLAGS if bits & bit) for bits in range(512))
# Extension headers that have a next header and a length in 8-byte units (RFC 8200 §4.1); 44 and 51 have shapes of their own.
_EXTENSIONS = frozenset({0, 43, 60, 135, 139, 140})
_ND = frozenset(range(133, 138))
_MLD = frozenset({130, 131, 132, 143})


class Headers(msgspec.Struct, frozen=True, kw_only=True):
    """What one frame says. A field that the frame does not have is None, "" or empty.

    ``protocol`` is tcp, udp, icmp, icmp6, arp or other. ``flags`` are tcpdump's letters, "." for ACK. ``window`` is the raw one.
    ``options`` are TCP's in order, by tcpdump's names with their value as text: ("mss", "1460"), ("TS", "val/ecr"), ("nop", "").
    ``length`` is the payload's length by the headers; ``payload`` what of it the frame holds. ``ip_checksum`` and ``checksum``
    (TCP, UDP, ICMP) are True or False, None where there is none or it cannot be told (a fragment, a cut frame).
    ``fragment`` is the offset in bytes of a fragment (0 for the first), None for a whole packet. ``mtu`` is
    what "fragmentation needed" and "packet too big" tell (RFC 1191 §4, RFC 4443 §3.2). For ARP, ``source`` and ``target`` are the
    protocol addresses and ``type`` the operation. ICMP's ``payload`` is what follows its type, code and
    checksum, its ``length`` the whole message's, as tcpdump has it.
    """

    source_mac: str = ""
    target_mac: str = ""
    ethertype: int = 0
    protocol: str = "other"
    version: int = 0
    source: str = ""
    target: str = ""
    tos: int | None = None
    ttl: int | None = None
    id: int | None = None
    fragment: int | None = None
    sport: int | None = None
    dport: int | None = None
    seq: int | None = None
    ack: int | None = None
    flags: frozenset[str] = frozenset()
    window: int | None = None
    urgent: int | None = None
    options: tuple[tuple[str, str], ...] = ()
    type: int | None = None
    code: int | None = None
    mtu: int | None = None
    payload: bytes = b""
    length: int = 0
    ip_checksum: bool | None = None
    checksum: bool | None = None
    malformed: str = ""

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


class _CutError(Exception):
    """The frame ends, or makes no sense, before what is to be read."""


def decode(data: bytes) -> Headers:
    """The header fields of one Ethernet frame.

    >>> frame = bytes.fromhex("ffffffffffff0200000000010800") + bytes.fromhex("45000014000000004001") + bytes(10)
    >>> headers = decode(frame)
    >>> headers.protocol, headers.ttl, headers.malformed
    ('icmp', 64, 'icmp: 4 bytes are due, 0 are there')
    """
    found: dict[str, Any] = {}
    try:
        _ethernet(data, found)
    except _CutError as cut:
        found["malformed"] = str(cut)
    return Headers(**found)


def _need(data: bytes, at: int, count: int, what: str) -> None:
    if len(data) - at < count:
        raise _CutError(f"{what}: {count} bytes are due, {max(0, len(data) - at)} are there")


def _right(data: bytes) -> bool:
    # The ones' complement sum of 16-bit words is the remainder by 65535, and Python divides a long integer fast in C.
    return int.from_bytes(data + b"\0" if len(data) % 2 else data, "big") % 0xFFFF == 0


def _ethernet(data: bytes, found: dict[str, Any]) -> None:
    _need(data, 0, 14, "ethernet")
    found["target_mac"], found["source_mac"] = data[0:6].hex(":"), data[6:12].hex(":")
    at = 12
    ethertype = found["ethertype"] = int.from_bytes(data[12:14], "big")
    while ethertype in _VLAN_TAGS:
        _need(data, at, 6, "vlan tag")
        at += 4
        ethertype = found["ethertype"] = int.from_bytes(data[at : at + 2], "big")
    at += 2
    if ethertype == 0x0800:
        _ipv4(data, at, found)
    elif ethertype == 0x86DD:
        _ipv6(data, at, found)
    elif ethertype == 0x0806:
        _arp(data, at, found)
    else:
        found["payload"], found["length"] = data[at:], len(data) - at


def _arp(data: bytes, at: int, found: dict[str, Any]) -> None:
    found["protocol"] = "arp"
    _need(data, at, 8, "arp")
    hardware, protocol, hardware_size, size, found["type"] = struct.unpack_from("!HHBBH", data, at)
    if (hardware, protocol, hardware_size, size) != (1, 0x0800, 6, 4):
        raise _CutError("arp: not of IPv4 addresses over Ethernet")
    _need(data, at, 28, "arp")
    found["source"], found["target"] = inet_ntop(AF_INET, data[at + 14 : at + 18]), inet_ntop(AF_INET, data[at + 24 : at + 28])


def _ipv4(data: bytes, at: int, found: dict[str, Any]) -> None:
    _need(data, at, 20, "ipv4")
    first, tos, total, identification, offset, ttl, number, _, source, target = struct.unpack_from("!BBHHHBBH4s4s", data, at)
    header = (first & 15) * 4
    if first >> 4 != 4 or header < 20:
        raise _CutError(f"ipv4: version {first >> 4} with a header of {header} bytes")
    found.update(
        version=4, source=inet_ntop(AF_INET, source), target=inet_ntop(AF_INET, target), tos=tos, ttl=ttl, id=identification
    )
    found["protocol"] = _PROTOCOLS.get(number, "other") if number != 58 else "other"
    _need(data, at, header, "ipv4 options")
    found["ip_checksum"] = _right(data[at : at + header])
    # A total length of 0 is a segment that the sender left to a device to split (TSO, BIG TCP): then the frame's end counts.
    total = total or len(data) - at
    if total < header:
        raise _CutError(f"ipv4: a total length of {total} with a header of {header} bytes")
    whole = not offset & 0x3FFF
    if not whole:
        found["fragment"] = (offset & 0x1FFF) * 8
    pseudo = source + target + bytes((0, number))
    _transport(found["protocol"], data[at + header : at + total], total - header, pseudo if whole else None, found)


def _ipv6(data: bytes, at: int, found: dict[str, Any]) -> None:
    _need(data, at, 40, "ipv6")
    first, total, number, ttl, source, target = struct.unpack_from("!IHBB16s16s", data, at)
    if first >> 28 != 6:
        raise _CutError(f"ipv6: version {first >> 28}")
    found.update(version=6, source=inet_ntop(AF_INET6, source), target=inet_ntop(AF_INET6, target), tos=first >> 20 & 255, ttl=ttl)
    at += 40
    # A length of 0 is a jumbogram or BIG TCP, unless nothing follows: then the frame's end counts.
    end = at + total if total else len(data)
    data = data[:end]
    whole = True
    while number in _EXTENSIONS or number in (44, 51):
        _need(data, at, 8, "ipv6 extension header")
        following, size = data[at], 8
        if number == 44:
            offset = int.from_bytes(data[at + 2 : at + 4], "big")
            if offset & 0xFFF9:
                whole, found["fragment"] = False, offset & 0xFFF8
        elif number == 51:
            size = (data[at + 1] + 2) * 4
        else:
            size = (data[at + 1] + 1) * 8
            if number == 43 and data[at + 3]:
                # The pseudo-header has the final destination (RFC 8200 §8.1), and each routing type keeps it elsewhere.
                whole = False
        _need(data, at, size, "ipv6 extension header")
        number, at = following, at + size
        if found.get("fragment"):
            break
    found["protocol"] = _PROTOCOLS.get(number, "other") if number != 1 else "other"
    pseudo = source + target + bytes((0, number)) if whole else None
    _transport(found["protocol"], data[at:], end - at, pseudo, found)


def _transport(protocol: str, data: bytes, length: int, pseudo: bytes | None, found: dict[str, Any]) -> None:
    """Read what IP carries: ``length`` bytes by the headers, ``data`` what is there; ``pseudo`` is None in a fragment."""
    found["payload"], found["length"] = data, length
    if protocol == "other" or found.get("fragment"):
        if len(data) < length:
            raise _CutError(f"{protocol}: {length} bytes are due, {len(data)} are there")
        return
    if protocol == "udp":
        _need(data, 0, 8, "udp")
        found["sport"], found["dport"], size, value = struct.unpack_from("!HHHH", data)
        if size and (size < 8 or (size > length and pseudo is not None)):
            raise _CutError(f"udp: a length of {size} in an IP payload of {length} bytes")
        length = min(size or length, length)
        data = data[:length]
        found["payload"], found["length"] = data[8:], length - 8
        if value == 0:
            if found["version"] == 6:
                found["checksum"] = False  # RFC 8200 §8.1: zero is not allowed.
            pseudo = None
    elif protocol == "tcp":
        _tcp(data, length, found)
    else:
        _need(data, 0, 4, protocol)
        found["type"], found["code"] = data[0], data[1]
        found["payload"] = data[4:]
        if len(data) >= 8 and (protocol, data[0]) == ("icmp6", 2):
            found["mtu"] = int.from_bytes(data[4:8], "big")
        elif len(data) >= 8 and (protocol, data[0], data[1]) == ("icmp", 3, 4):
            found["mtu"] = int.from_bytes(data[6:8], "big")
    if len(data) < length:
        found.setdefault("malformed", f"{protocol}: {length} bytes are due, {len(data)} are there")
    elif pseudo is not None:
        found["checksum"] = _right(data if protocol == "icmp" else pseudo + length.to_bytes(4, "big") + data)


def _tcp(data: bytes, length: int, found: dict[str, Any]) -> None:
    if len(data) >= 4:
        found["sport"], found["dport"] = struct.unpack_from("!HH", data)
    _need(data, 0, 20, "tcp")
    found["seq"], found["ack"], bits, found["window"], _, found["urgent"] = struct.unpack_from("!IIHHHH", data, 4)
    found["flags"] = _FLAG_SETS[bits & 0x1FF]
    header = (bits >> 12) * 4
    if header < 20 or header > length:
        found["payload"], found["length"] = b"", 0
        found["malformed"] = f"tcp: a header of {header} bytes in a segment of {length}"
        return
    found["payload"], found["length"] = data[header:], length - header
    if header > 20:
        found["options"], problem = tcp_options(data[20:header])
        if problem:
            found["malformed"] = problem


def tcp_options(data: bytes) -> tuple[tuple[tuple[str, str], ...], str]:
    """TCP's options in order, by tcpdump's names, and what is wrong with them ("" when nothing is).

    >>> tcp_options(bytes.fromhex("020405b40402"))
    ((('mss', '1460'), ('sackOK', '')), '')
    """
    options: list[tuple[str, str]] = []
    at = 0
    while at < len(data):
        kind = data[at]
        if kind < 2:
            options.append(("nop", "") if kind else ("eol", ""))
            at += 1
            if kind == 0:
                break
            continue
        size = data[at + 1] if at + 1 < len(data) else 0
        if size < 2 or at + size > len(data):
            return tuple(options), f"tcp option {kind}: a length of {size} with {len(data) - at} bytes left"
        options.append(_option(kind, data[at + 2 : at + size]))
        at += size
    return tuple(options), ""


def _option(kind: int, value: bytes) -> tuple[str, str]:
    size = len(value)
    if kind == 2 and size == 2:
        return "mss", str(int.from_bytes(value, "big"))
    if kind == 3 and size == 1:
        return "wscale", str(value[0])
    if kind == 4 and size == 0:
        return "sackOK", ""
    if kind == 5 and size % 8 == 0:
        edges = struct.unpack(f"!{size // 4}I", value)
        return "sack", ",".join(f"{left}:{right}" for left, right in zip(edges[::2], edges[1::2], strict=True))
    if kind == 8 and size == 8:
        return "TS", "{}/{}".format(*struct.unpack("!II", value))
    if kind == 28 and size == 2:
        return "uto", f"{int.from_bytes(value, 'big'):#x}"
    named = {19: "md5", 29: "tcp-ao", 30: "mptcp", 34: "tfo"}
    if kind in named:
        return named[kind], value.hex()
    if kind in (253, 254) and value[:2] == b"\xf9\x89":  # RFC 6994's experiment number of Fast Open (RFC 7413 §4.1.1)
        return "tfo", value[2:].hex()
    return f"unknown-{kind}", value.hex()
