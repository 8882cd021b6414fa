"""A capture file read back to Packet observations: pcapng of either byte order and any resolution, and classic pcap.

Ethernet frames come as they are; frames of tcpdump's "any" device (cooked), of loopbacks and raw IP get an Ethernet header without
addresses. A file of others says nothing of nodes: the interface's name stands alone, and a direction may be unknown ("").
"""

import struct
from collections.abc import Iterator
from pathlib import Path

import msgspec

from netlab.errors import Place, Problem, SpecError
from netlab.timeline import pcapng
from netlab.timeline.link_types import NAMES, as_ethernet
from netlab.timeline.observations import Packet

_CLASSIC = {0xA1B2C3D4: 1000, 0xA1B23C4D: 1}
_SECOND = 1_000_000_000
_MOST_KNOWN = 64


class Capture(msgspec.Struct, frozen=True, kw_only=True):
    """What a file holds: ``comments`` by a packet's position, the sections' comments, and how many packets were dropped."""

    packets: tuple[Packet, ...]
    comments: dict[int, tuple[str, ...]] = {}
    section_comments: tuple[str, ...] = ()
    dropped: int = 0


class _Interface(msgspec.Struct, frozen=True):
    link: int
    host: str
    name: str
    # A tick is `numerator / denominator` ns: 10**-n or 2**-n seconds, as the interface says.
    denominator: int
    offset: int

    def time(self, ticks: int) -> int:
        return ticks * _SECOND // self.denominator + self.offset * _SECOND

    @property
    def scale(self) -> int:
        """A tick in ns, where that is a whole number, the link is Ethernet and times begin in 1970; else 0."""
        whole = self.link == pcapng.ETHERNET and not self.offset and _SECOND % self.denominator == 0
        return _SECOND // self.denominator if whole else 0


class _Known(msgspec.Struct, frozen=True, gc=False):
    """What a packet's options say, where they hold no comment: most packets of a file have the same few bytes of them."""

    direction: str
    valid: bool


def read(path: Path) -> Capture:
    """Read a file; SpecError, with its name and the byte, if it is none or is damaged."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SpecError(Problem(Place(str(path), 1, 1), f"cannot be read: {error.strerror}")) from None
    return read_bytes(data, str(path))


def read_bytes(data: bytes, file: str = "capture") -> Capture:
    """Read what a file holds; ``file`` is its name in errors."""
    reader = _Reader(data, file)
    for order in ("<", ">"):
        if len(data) >= 24 and (scale := _CLASSIC.get(struct.unpack_from(order + "I", data)[0])) is not None:
            return reader.classic(order, scale)
    return reader.blocks()


class _Reader:
    """One file while it is being read."""

    def __init__(self, data: bytes, file: str) -> None:
        self._data, self._file = data, file
        self._order = "<"
        self._interfaces: list[_Interface] = []
        self._packets: list[Packet] = []
        self._comments: dict[int, tuple[str, ...]] = {}
        self._sections: list[str] = []
        self._known_options: dict[bytes, _Known] = {}
        self._dropped = 0

    def _error(self, offset: int, message: str, fix: str = "") -> SpecError:
        # A binary file has no lines: the column counts bytes.
        return SpecError(Problem(Place(self._file, 1, offset + 1), f"byte {offset}: {message}", fix))

    def _capture(self) -> Capture:
        return Capture(
            packets=tuple(self._packets),
            comments=self._comments,
            section_comments=tuple(self._sections),
            dropped=self._dropped,
        )

    def classic(self, order: str, scale: int) -> Capture:
        """A classic pcap file: no interfaces, no comments."""
        link = struct.unpack_from(order + "I", self._data, 20)[0] & 0xFFFF
        at = 24
        while at < len(self._data):
            if len(self._data) - at < 16:
                raise self._error(at, "the file ends inside a packet's header")
            seconds, part, size, length = struct.unpack_from(order + "IIII", self._data, at)
            if size > len(self._data) - at - 16:
                raise self._error(at, f"a packet of {size} bytes, {len(self._data) - at - 16} are left")
            frame, direction = self._frame(link, self._data[at + 16 : at + 16 + size], at)
            self._packets.append(
                Packet(
                    time=seconds * 1_000_000_000 + part * scale,
                    interface="",
                    direction=direction,
                    data=frame,
                    length=length + len(frame) - size,
                )
            )
            at += 16 + size
        return self._capture()

    def blocks(self) -> Capture:
        """A pcapng file, block by block; a block of an unknown kind is passed over."""
        data, at = self._data, 0
        if len(data) < 12 or struct.unpack_from("<I", data)[0] != pcapng.SECTION:
            raise self._error(0, "neither pcapng nor pcap", "write one with netlab-ns run --pcap, tcpdump -w or dumpcap")
        while at < len(data):
            if len(data) - at < 12:
                raise self._error(at, "the file ends inside a block's header")
            kind = struct.unpack_from(self._order + "I", data, at)[0]
            if kind == pcapng.SECTION:
                self._byte_order(at)
            total = struct.unpack_from(self._order + "I", data, at + 4)[0]
            if total < 12 or total % 4:
                raise self._error(at, f"a block cannot have a length of {total}")
            if total > len(data) - at:
                raise self._error(at, f"a block of {total} bytes, {len(data) - at} are left")
            if struct.unpack_from(self._order + "I", data, at + total - 4)[0] != total:
                raise self._error(at + total - 4, f"the block's length is not repeated at its end: {total} is due")
            self._block(kind, data[at + 8 : at + total - 4], at)
            at += total
            if kind == pcapng.ENHANCED:
                at = self._many(at)
        return self._capture()

    def _many(self, at: int) -> int:
        """The packets from here on, as long as they are as most are: whole, of Ethernet, without comments; gives where they end.

        What is otherwise, or damaged, is left to the general way.
        """
        data, interfaces, known, order = self._data, self._interfaces, self._known_options, self._order
        head, word = struct.Struct(order + "IIIIIII").unpack_from, struct.Struct(order + "I").unpack_from
        scales = [one.scale for one in interfaces]
        add, left = self._packets.append, len(data) - 32
        while at <= left:
            kind, total, number, high, low, size, length = head(data, at)
            end, start = at + total - 4, at + 28
            if kind != pcapng.ENHANCED or total % 4 or start + size > end or end > left + 28 or number >= len(interfaces):
                break
            told = known.get(data[start + size + -size % 4 : end])
            if told is None or not scales[number] or word(data, end)[0] != total:
                break
            interface = interfaces[number]
            add(
                Packet(
                    time=(high << 32 | low) * scales[number],
                    host=interface.host,
                    interface=interface.name,
                    direction=told.direction,
                    data=data[start : start + size],
                    length=length,
                    checksum_valid=told.valid,
                )
            )
            at = end + 4
        return at

    def _byte_order(self, at: int) -> None:
        for order in ("<", ">"):
            if struct.unpack_from(order + "I", self._data, at + 8)[0] == pcapng.BYTE_ORDER_MAGIC:
                self._order = order
                self._interfaces = []
                self._known_options = {}
                return
        raise self._error(at + 8, "no byte-order magic")

    def _block(self, kind: int, body: bytes, at: int) -> None:
        try:
            match kind:
                case pcapng.SECTION:
                    self._sections += [
                        value.decode("utf-8", "replace") for code, value in self._options(body, 16) if code == pcapng.COMMENT
                    ]
                case pcapng.INTERFACE:
                    self._interface(body)
                case pcapng.ENHANCED:
                    self._enhanced(body, at)
                case pcapng.SIMPLE:
                    length = struct.unpack_from(self._order + "I", body)[0]
                    self._packet(self._known(0, at), 0, body[4 : 4 + length], length, [], at)
                case pcapng.STATISTICS:
                    for code, value in self._options(body, 12):
                        if code == pcapng.STATISTICS_DROPPED:
                            self._dropped += struct.unpack(self._order + "Q", value)[0]
        except struct.error:
            raise self._error(at, f"a block of kind {kind} is too short for what it must hold") from None

    def _options(self, body: bytes, at: int) -> Iterator[tuple[int, bytes]]:
        while len(body) - at >= 4:
            code, size = struct.unpack_from(self._order + "HH", body, at)
            if code == pcapng.END_OF_OPTIONS or size > len(body) - at - 4:
                return
            yield code, body[at + 4 : at + 4 + size]
            at += 4 + size + -size % 4

    def _interface(self, body: bytes) -> None:
        link = struct.unpack_from(self._order + "H", body)[0]
        host, name, denominator, offset = "", "", 1_000_000, 0
        for code, value in self._options(body, 8):
            if code == pcapng.INTERFACE_NAME:
                host, _, name = value.decode("utf-8", "replace").rpartition(":")
            elif code == pcapng.INTERFACE_RESOLUTION and value:
                denominator = 2 ** (value[0] & 127) if value[0] & 128 else 10 ** value[0]
            elif code == pcapng.INTERFACE_OFFSET:
                offset = struct.unpack(self._order + "q", value)[0]
        self._interfaces.append(_Interface(link, host, name, denominator, offset))

    def _known(self, number: int, at: int) -> _Interface:
        if number >= len(self._interfaces):
            raise self._error(at, f"a packet of interface {number}, {len(self._interfaces)} are described")
        return self._interfaces[number]

    def _enhanced(self, body: bytes, at: int) -> None:
        number, high, low, size, length = struct.unpack_from(self._order + "IIIII", body)
        if size > len(body) - 20:
            raise self._error(at, f"a packet of {size} bytes in a block that holds {len(body) - 20}")
        written = body[20 + size + -size % 4 :]
        comments = len(self._comments)
        self._packet(self._known(number, at), high << 32 | low, body[20 : 20 + size], length, list(self._options(written, 0)), at)
        if len(self._comments) == comments and len(self._known_options) < _MOST_KNOWN:
            last = self._packets[-1]
            if self._interfaces[number].link == pcapng.ETHERNET:
                self._known_options[written] = _Known(last.direction, last.checksum_valid)

    def _packet(
        self, interface: _Interface, ticks: int, data: bytes, length: int, options: list[tuple[int, bytes]], at: int
    ) -> None:
        frame, direction = self._frame(interface.link, data, at)
        comments = [value.decode("utf-8", "replace") for code, value in options if code == pcapng.COMMENT]
        for code, value in options:
            if code == pcapng.PACKET_FLAGS:
                bits = struct.unpack(self._order + "I", value)[0] & 3
                direction = pcapng.DIRECTIONS[bits] if bits < len(pcapng.DIRECTIONS) else ""
        valid = pcapng.CHECKSUM_LEFT not in comments
        if not valid:
            comments.remove(pcapng.CHECKSUM_LEFT)
        if comments:
            self._comments[len(self._packets)] = tuple(comments)
        self._packets.append(
            Packet(
                time=interface.time(ticks),
                host=interface.host,
                interface=interface.name,
                direction=direction,
                data=frame,
                length=length + len(frame) - len(data),
                checksum_valid=valid,
            )
        )

    def _frame(self, link: int, data: bytes, at: int) -> tuple[bytes, str]:
        """The frame as Ethernet, and its direction where a cooked header tells."""
        made = as_ethernet(link, data)
        if made is not None:
            return made
        fix = "capture on an Ethernet device, such as veth: tcpdump -i eth0"
        raise self._error(at, f"link type {link} with {len(data)} bytes cannot be read: {NAMES} can", fix)
