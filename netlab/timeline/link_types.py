"""Frames of other links than Ethernet as Ethernet frames without addresses, so that all else reads one kind of frame.

The table is by link type, as pcap-linktype(7) numbers them. It refuses to know which file a frame is from.
"""

from collections.abc import Callable

ETHERNET = 1
NAMES = "Ethernet, raw IP, cooked (tcpdump -i any) and loopback"
"""The links that can be read, in words."""

_OUTGOING = 4  # PACKET_OUTGOING of packet(7), in cooked headers
_IPV4, _IPV6 = b"\x08\x00", b"\x86\xdd"
Frame = tuple[bytes, str]
"""A frame, and its direction, "" where nothing tells."""


def as_ethernet(link: int, data: bytes) -> Frame | None:
    """The frame as Ethernet; None for a link that is not known, and for one too short for its header."""
    if link == ETHERNET:
        return data, ""
    read = _LINKS.get(link)
    return read(data) if read is not None else None


def _raw(data: bytes) -> Frame:
    """IP without anything before it: the version's four bits tell which."""
    return bytes(12) + (_IPV6 if data[:1] and data[0] >> 4 == 6 else _IPV4) + data, ""


def _null(data: bytes) -> Frame | None:
    """BSD's loopback: four bytes of an address family, whose number and byte order are the capturing machine's own."""
    return _raw(data[4:]) if len(data) >= 4 else None


def _cooked(data: bytes) -> Frame | None:
    return (bytes(12) + data[14:16] + data[16:], "out" if data[1] == _OUTGOING else "in") if len(data) >= 16 else None


def _cooked_2(data: bytes) -> Frame | None:
    return (bytes(12) + data[0:2] + data[20:], "out" if data[10] == _OUTGOING else "in") if len(data) >= 20 else None


_LINKS: dict[int, Callable[[bytes], Frame | None]] = {
    0: _null,
    12: _raw,  # DLT_RAW of most systems, and
    14: _raw,  # of OpenBSD, written without being translated
    101: _raw,
    108: _null,
    113: _cooked,
    228: _raw,
    229: _raw,
    276: _cooked_2,
}
