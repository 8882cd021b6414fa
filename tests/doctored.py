"""Edits of captured TCP segments: another number, flag, option or byte, with the checksums made right again."""

import struct
from typing import Any

import msgspec

from netlab.timeline.headers import decode
from netlab.timeline.observations import Packet

FLAGS = {"F": 1, "S": 2, "R": 4, "P": 8, ".": 16, "U": 32}
_IP = 14
_SPACE = 1 << 32


def flags_of(packet: Packet) -> frozenset[str]:
    return decode(packet.data).flags


def option(kind: int, value: bytes = b"") -> bytes:
    return bytes((kind, 2 + len(value))) + value


def edited(
    packet: Packet,
    *,
    seq: int = 0,
    ack: int = 0,
    flags: str | None = None,
    window: int | None = None,
    options: bytes | None = None,
    payload: bytes | None = None,
    stamp: int = 0,
    urgent: int | None = None,
    **more: Any,
) -> Packet:
    """The packet with ``seq``, ``ack`` and the timestamp ``stamp`` moved by so much, and what else is given in place of its own."""
    data = packet.data
    assert data[12:14] == b"\x08\x00"
    assert data[_IP] == 0x45
    start = _IP + 20
    end = _IP + int.from_bytes(data[_IP + 2 : _IP + 4], "big")
    header = list(struct.unpack_from("!HHIIHHHH", data, start))
    size = header[4] >> 12 << 2
    own = data[start + 20 : start + size] if options is None else options + bytes([1]) * (-len(options) % 4)
    if stamp:
        at = own.index(b"\x08\x0a") + 2
        own = own[:at] + struct.pack("!I", (struct.unpack_from("!I", own, at)[0] + stamp) % _SPACE) + own[at + 4 :]
    body = data[start + size : end] if payload is None else payload
    bits = header[4] & 0xFFF if flags is None else sum(FLAGS[letter] for letter in flags)
    header[2], header[3] = (header[2] + seq) % _SPACE, (header[3] + ack) % _SPACE
    header[4], header[6] = (20 + len(own)) // 4 << 12 | bits, 0
    if window is not None:
        header[5] = window
    if urgent is not None:
        header[7] = urgent
    segment = struct.pack("!HHIIHHHH", *header) + own + body
    pseudo = data[_IP + 12 : _IP + 20] + struct.pack("!BBH", 0, 6, len(segment))
    segment = segment[:16] + _checksum(pseudo + segment) + segment[18:]
    ip = bytearray(data[_IP:start])
    ip[2:4], ip[10:12] = (20 + len(segment)).to_bytes(2, "big"), b"\0\0"
    ip[10:12] = _checksum(bytes(ip))
    frame = data[:_IP] + bytes(ip) + segment
    return msgspec.structs.replace(packet, data=frame, length=len(frame), **more)


def without(packet: Packet, kind: int) -> Packet:
    """The packet with NOPs where it has an option."""
    return edited(packet, options=bytes(options_but(packet, kind)))


def options_but(packet: Packet, kind: int) -> bytearray:
    found = bytearray(options_of(packet))
    at = 0
    while at < len(found) and found[at]:
        size = 1 if found[at] == 1 else found[at + 1]
        if found[at] == kind:
            found[at : at + size] = bytes([1]) * size
        at += size
    return found


def options_of(packet: Packet) -> bytes:
    start = _IP + 20
    return packet.data[start + 20 : start + (packet.data[start + 12] >> 4 << 2)]


def _checksum(data: bytes) -> bytes:
    total = int.from_bytes(data + b"\0" if len(data) % 2 else data, "big") % 0xFFFF
    return (0xFFFF - total).to_bytes(2, "big")
