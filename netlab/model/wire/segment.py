"""One TCP segment as the rules ask of it: flags, numbers, typed options, and the bytes that it carries.

It knows nothing of other segments.
"""

import struct
from typing import NamedTuple

from netlab.timeline.headers import Headers, decode
from netlab.timeline.observations import Packet
from netlab.timeline.plain_headers import PlainDetails

_STAMPS = b"\1\1\x08\x0a"
_TWO = struct.Struct("!II").unpack_from
_SPACE, _HALF = 1 << 32, 1 << 31


class Options(NamedTuple):
    """A segment's options; None and empty for what is not there. ``stamps`` are TSval and TSecr, ``size`` is in bytes."""

    mss: int | None = None
    scale: int | None = None
    sack_permitted: bool = False
    blocks: tuple[tuple[int, int], ...] = ()
    stamps: tuple[int, int] | None = None
    fast_open: bool = False
    size: int = 0


_NONE = Options()


class Segment:
    """One segment, at ``index`` of the input. ``seq``, ``end`` and ``ack`` are set by the connection, in its own unwrapped numbers.

    ``whole``: all of its header is there; ``length`` is its payload's by the headers.
    """

    __slots__ = (
        "ack", "end", "fin", "flags", "has_ack", "headers", "index", "length", "options", "packet", "raw_ack", "raw_seq", "rst",
        "seq", "stamps", "syn", "whole", "window",
    )  # fmt: skip

    def __init__(self, index: int, packet: Packet, headers: Headers) -> None:
        assert headers.seq is not None
        assert headers.ack is not None
        assert headers.window is not None
        self.index, self.packet, self.headers = index, packet, headers
        flags = self.flags = headers.flags
        self.syn, self.fin, self.rst, self.has_ack = "S" in flags, "F" in flags, "R" in flags, "." in flags
        self.raw_seq, self.raw_ack, self.window, self.length = headers.seq, headers.ack, headers.window, headers.length
        self.seq = self.end = 0
        self.ack: int | None = None
        self.options, self.whole = _read(headers, len(packet.data) < packet.length)
        self.stamps = self.options.stamps

    @property
    def payload(self) -> bytes:
        """The payload; empty where the capture does not hold the whole frame, since then no checksum vouches for it."""
        return b"" if self.cut else self.headers.payload[: self.length]

    @property
    def cut(self) -> bool:
        """Whether the capture holds less than the whole frame."""
        return len(self.packet.data) < self.packet.length


def segment_of(index: int, packet: Packet) -> Segment | None:
    """The segment that a packet carries; None of another protocol, of a fragment, and where its header is not there."""
    headers = decode(packet.data)
    if headers.protocol != "tcp" or headers.seq is None or headers.fragment:
        return None
    return Segment(index, packet, headers)


def checksum_wrong(segment: Segment) -> bool:
    """Whether the checksum, of IP's header or of the segment, is wrong and was not left to a device."""
    headers = segment.headers
    if not segment.packet.checksum_valid or (headers.checksum is not False and headers.ip_checksum is not False):
        return False
    return headers.ip_checksum is False or not left_to_device(segment)


def left_to_device(segment: Segment) -> bool:
    """Whether the checksum's field holds the sum of the pseudo-header alone, as one does who leaves the rest to a device."""
    headers, details = segment.headers, segment.headers.details
    if not isinstance(details, PlainDetails):
        return False
    frame, start = details.frame, details.start
    length = details.end - start
    addresses = frame[start - 8 : start] if headers.version == 4 else frame[start - 32 : start]
    total = int.from_bytes(addresses, "big") + 6 + length
    return (int.from_bytes(frame[start + 16 : start + 18], "big") - total) % 0xFFFF == 0


def ahead(one: int, other: int) -> int:
    """By how much one 32-bit number is ahead of another; negative when it is behind (RFC 9293 §3.4, RFC 7323 §5.2)."""
    return (one - other + _HALF) % _SPACE - _HALF


def _read(headers: Headers, cut: bool) -> tuple[Options, bool]:
    details = headers.details
    if isinstance(details, PlainDetails):
        size = details.head - details.start - 20
        if not size:
            return _NONE, True
        if size == 12 and details.frame[details.start + 20 : details.start + 24] == _STAMPS:
            return Options(stamps=_TWO(details.frame, details.start + 24), size=12), True
        return _typed(headers.options, size), True
    # Where a cut frame holds no payload, nothing says whether it holds all of the header.
    return _typed(headers.options, -1), not cut or bool(headers.payload)


def _typed(options: tuple[tuple[str, str], ...], size: int) -> Options:
    mss = scale = None
    permitted = fast_open = False
    blocks: tuple[tuple[int, int], ...] = ()
    stamps = None
    for name, value in options:
        if name == "mss":
            mss = int(value)
        elif name == "wscale":
            scale = int(value)
        elif name == "sackOK":
            permitted = True
        elif name == "sack" and value:
            edges = (block.split(":") for block in value.split(","))
            blocks = tuple((int(left), int(right)) for left, right in edges)
        elif name == "TS":
            sent, _, echoed = value.partition("/")
            stamps = int(sent), int(echoed)
        elif name == "tfo":
            fast_open = True
    return Options(mss, scale, permitted, blocks, stamps, fast_open, max(size, 0))
