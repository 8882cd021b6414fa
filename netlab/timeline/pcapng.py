"""Packets as a pcapng file: one interface block a node's interface, nanoseconds, directions, and comments that Wireshark shows.

It writes and names what reading and writing share; pcapng_read.py reads. It refuses to know why a packet deserves a comment.
Format: draft-ietf-opsawg-pcapng.
"""

import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import BinaryIO

from netlab.timeline.observations import Packet

SECTION, INTERFACE, SIMPLE, STATISTICS, ENHANCED = 0x0A0D0D0A, 1, 3, 5, 6
BYTE_ORDER_MAGIC = 0x1A2B3C4D
END_OF_OPTIONS, COMMENT = 0, 1
INTERFACE_NAME, INTERFACE_RESOLUTION, INTERFACE_OFFSET = 2, 9, 14
PACKET_FLAGS, SECTION_APPLICATION = 2, 4
STATISTICS_RECEIVED, STATISTICS_DROPPED = 4, 5
ETHERNET = 1
DIRECTIONS: tuple[str, ...] = ("", "in", "out")
"""A packet's direction by the lowest two bits of its flags."""

CHECKSUM_LEFT = "netlab: checksum left to the device by the sender, not to be judged"
"""The comment that stands for ``checksum_valid=False``, which the format has no field for."""

_LONGEST_OPTION = 65535
_MANY = 4096
_HEAD = struct.Struct("<IIIIIII")


def interface_name(packet: Packet) -> str:
    """What an interface block is called: "client:eth0"."""
    return f"{packet.host}:{packet.interface}"


def write(
    stream: BinaryIO,
    packets: Iterable[Packet],
    *,
    comments: Mapping[int, Sequence[str]] | None = None,
    section_comment: str = "",
    dropped: int = 0,
) -> None:
    """Write the packets in the order given. ``comments`` are by position among them, ``dropped`` is what the whole capture lost.

    Since a capture counts its losses in all, the statistics block of the first interface has them and says so.
    """
    writer = Writer(stream, section_comment)
    comments = comments or {}
    for position, packet in enumerate(packets):
        writer.add(packet, comments.get(position, ()))
    writer.finish(dropped)


class Writer:
    """Writes a file packet by packet. What was added may stay in memory until ``flush`` or ``finish``."""

    def __init__(self, stream: BinaryIO, section_comment: str = "") -> None:
        self._stream = stream
        self._interfaces: dict[tuple[str, str], int] = {}
        self._received: list[int] = []
        self._pieces = [_section(section_comment)]
        self._flags = {name: _options((PACKET_FLAGS, struct.pack("<I", bits))) for bits, name in enumerate(DIRECTIONS)}

    def add(self, packet: Packet, comments: Sequence[str] = ()) -> None:
        """The next packet, with its comments."""
        pieces = self._pieces
        key = packet.host, packet.interface
        number = self._interfaces.get(key)
        if number is None:
            number = self._interfaces[key] = len(self._interfaces)
            self._received.append(0)
            pieces.append(_interface(interface_name(packet)))
        self._received[number] += 1
        options = self._flags.get(packet.direction, b"")
        texts = comments if packet.checksum_valid else (CHECKSUM_LEFT, *comments)
        if texts:
            options = _options(
                (PACKET_FLAGS, struct.pack("<I", DIRECTIONS.index(packet.direction) if packet.direction in DIRECTIONS else 0)),
                *((COMMENT, _text(text)) for text in texts),
            )
        size = len(packet.data)
        padding = -size % 4
        total = 32 + size + padding + len(options)
        time = packet.time
        pieces += (
            _HEAD.pack(ENHANCED, total, number, time >> 32, time & 0xFFFFFFFF, size, packet.length),
            packet.data,
            b"\0\0\0"[:padding],
            options,
            total.to_bytes(4, "little"),
        )
        if len(pieces) > _MANY:
            self._write()

    def flush(self) -> None:
        """Have all that was added where a reader of the file finds it."""
        self._write()
        self._stream.flush()

    def finish(self, dropped: int = 0) -> None:
        """Write the statistics, and what is left."""
        if dropped and not self._interfaces:
            self._received.append(0)
            self._pieces.append(_interface(""))
        for number, count in enumerate(self._received):
            self._pieces.append(_statistics(number, count, dropped if number == 0 else 0))
        self._write()

    def _write(self) -> None:
        self._stream.write(b"".join(self._pieces))
        self._pieces.clear()


def _section(comment: str) -> bytes:
    options = [(COMMENT, _text(comment))] if comment else []
    body = struct.pack("<IHHq", BYTE_ORDER_MAGIC, 1, 0, -1) + _options(*options, (SECTION_APPLICATION, b"netlab"))
    return _block(SECTION, body)


def _interface(name: str) -> bytes:
    # A resolution of 9 is nanoseconds; no snapshot length, since each packet says whether it was cut.
    return _block(
        INTERFACE, struct.pack("<HHI", ETHERNET, 0, 0) + _options((INTERFACE_NAME, _text(name)), (INTERFACE_RESOLUTION, b"\x09"))
    )


def _statistics(number: int, received: int, dropped: int) -> bytes:
    options = [(STATISTICS_RECEIVED, received.to_bytes(8, "little"))]
    if dropped:
        options.append((STATISTICS_DROPPED, dropped.to_bytes(8, "little")))
        options.append((COMMENT, b"dropped: by the whole capture, over every interface"))
    return _block(STATISTICS, struct.pack("<III", number, 0, 0) + _options(*options))


def _block(kind: int, body: bytes) -> bytes:
    total = len(body) + 12
    return struct.pack("<II", kind, total) + body + total.to_bytes(4, "little")


def _options(*options: tuple[int, bytes]) -> bytes:
    written = (struct.pack("<HH", code, len(value)) + value + bytes(-len(value) % 4) for code, value in options)
    return b"".join(written) + bytes(4)


def _text(text: str) -> bytes:
    data = text.encode("utf-8", "replace")
    if len(data) <= _LONGEST_OPTION:
        return data
    return data[:_LONGEST_OPTION].decode("utf-8", "ignore").encode()
