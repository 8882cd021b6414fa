"""Header fields straight from a frame's bytes: what a check or a reader asks of a packet, without a dissector.

It reads Ethernet, VLAN tags, ARP, IPv4, IPv6 with its extension headers, TCP, UDP and ICMP, and knows nothing of other packets:
no streams, no reassembly. It never raises: a cut or senseless frame gives what could be read, ``malformed`` says what could not.
"""

import struct
from socket import AF_INET, AF_INET6, inet_ntop
from typing import Any

from netlab.timeline.plain_headers import FLAG_SETS, Details, Headers, plain, right
from netlab.timeline.tcp_options import tcp_options

__all__ = ["Headers", "decode", "tcp_options"]

_VLAN_TAGS = frozenset({0x8100, 0x88A8, 0x9100})
_PROTOCOLS = {6: "tcp", 17: "udp", 1: "icmp", 2: "igmp", 58: "icmp6"}
# Extension headers that have a next header and a length in 8-byte units (RFC 8200 §4.1); 44 and 51 have shapes of their own.
_EXTENSIONS = frozenset({0, 43, 60, 135, 139, 140})
_DETAILS = Details.__struct_fields__


class _CutError(Exception):
    """The frame ends, or makes no sense, before what is to be read."""


def decode(data: bytes) -> Headers:
    """The header fields of one Ethernet frame.

    >>> frame = bytes.fromhex("ffffffffffff0200000000010800") + bytes.fromhex("45000014000000004001") + bytes(10)
    >>> headers = decode(frame)
    >>> headers.protocol, headers.ttl, headers.malformed
    ('icmp', 64, 'icmp: 4 bytes are due, 0 are there')
    """
    found = plain(data)
    return found if found is not None else general(data)


def general(data: bytes) -> Headers:
    """The same, whatever the frame is."""
    found: dict[str, Any] = {}
    try:
        _ethernet(data, found)
    except _CutError as cut:
        found["malformed"] = str(cut)
    details = Details(**{name: found.pop(name) for name in _DETAILS if name in found})
    return Headers(**found, details=details)


def _need(data: bytes, at: int, count: int, what: str) -> None:
    if len(data) - at < count:
        raise _CutError(f"{what}: {count} bytes are due, {max(0, len(data) - at)} are there")


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
    found["ip_checksum"] = right(data[at : at + header])
    # A total length of 0 is a segment that the sender left to a device to split (TSO, BIG TCP): then the frame's end counts.
    total = total or len(data) - at
    if total < header:
        raise _CutError(f"ipv4: a total length of {total} with a header of {header} bytes")
    found["df"], found["mf"] = offset >> 14 & 1, offset >> 13 & 1
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
    found["protocol"] = _PROTOCOLS.get(number, "other") if number not in (1, 2) else "other"
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
        found["checksum"] = right(data if protocol in ("icmp", "igmp") else pseudo + length.to_bytes(4, "big") + data)


def _tcp(data: bytes, length: int, found: dict[str, Any]) -> None:
    if len(data) >= 4:
        found["sport"], found["dport"] = struct.unpack_from("!HH", data)
    _need(data, 0, 20, "tcp")
    found["seq"], found["ack"], bits, found["window"], _, found["urgent"] = struct.unpack_from("!IIHHHH", data, 4)
    found["flags"] = FLAG_SETS[bits & 0x1FF]
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
