"""TCP segments written in words, as packets: "a P. 1 ack 1 len 1000". Numbers count from each end's initial one."""

import struct
from dataclasses import dataclass, field

from netlab.timeline.observations import Packet

A, B = ("10.0.0.1", 1000), ("10.0.0.2", 80)
_ENDS = {"a": (A, B), "b": (B, A)}
_FLAGS = {"F": 1, "S": 2, "R": 4, "P": 8, ".": 16, "U": 32}
_SPACE = 1 << 32


def packets(*lines: str) -> list[Packet]:
    """Segments between A and B, a millisecond apart."""
    return Wire().packets(*lines)


@dataclass
class Wire:
    """``initial`` are the initial numbers. Where all SYNs have ``ts``, every other segment has it but those with ``no ts``."""

    initial: dict[str, int] = field(default_factory=lambda: {"a": 1_000_000, "b": 7_000_000})

    def packets(self, *lines: str) -> list[Packet]:
        syns = [line for line in lines if " S" in line[:4]]
        stamped = len(syns) > 1 and all(" ts" in line for line in syns)
        return [self._packet(line.split(), at, stamped) for at, line in enumerate(lines)]

    def _packet(self, words: list[str], at: int, stamped: bool) -> Packet:
        end, flags, seq = words[0], words[1], int(words[2])
        other = "b" if end == "a" else "a"
        values: dict[str, int] = {
            name: int(words[words.index(name) + 1]) for name in ("ack", "win", "len", "at", "echo", "scale") if name in words
        }
        payload = self._payload(words, seq, values.get("len", 0))
        options = self._options(words, values, at, stamped, other)
        header = struct.pack(
            "!HHIIHHHH",
            _ENDS[end][0][1],
            _ENDS[end][1][1],
            (self.initial[end] + seq) % _SPACE,
            (self.initial[other] + values["ack"]) % _SPACE if "ack" in values else 0,
            (20 + len(options)) // 4 << 12 | sum(_FLAGS[letter] for letter in flags),
            values.get("win", 512),
            0,
            0,
        )
        addresses = b"".join(bytes(map(int, address.split("."))) for address, _ in _ENDS[end])
        segment = header + options + payload
        pseudo = addresses + struct.pack("!BBH", 0, 6, len(segment))
        segment = segment[:16] + checksum(pseudo + segment) + segment[18:]
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(segment), at, 0x4000, 64, 6, 0) + addresses
        ip = ip[:10] + checksum(ip) + ip[12:]
        data = bytes(12) + b"\x08\x00" + ip + segment
        return Packet(time=at * 1_000_000, interface="", direction="", data=data, length=len(data))

    @staticmethod
    def _payload(words: list[str], seq: int, length: int) -> bytes:
        if "of" in words:
            return words[words.index("of") + 1].encode() * length
        # Each number of the stream has a byte of its own, so that what is sent again is the same.
        return bytes((number * 7 + number // 256) % 251 for number in range(seq, seq + length))

    def _options(self, words: list[str], values: dict[str, int], at: int, stamped: bool, other: str) -> bytes:
        made = b""
        if "mss" in words:
            following = words[words.index("mss") + 1 :][:1]
            made += b"\2\4" + (int(following[0]) if following and following[0].isdigit() else 1460).to_bytes(2, "big")
        if "sack" in words:
            made += b"\4\2"
        if ("ts" in words and "no" not in words) or (stamped and "no" not in words and "R" not in words[1]):
            made += b"\x08\x0a" + struct.pack("!II", 1000 + values.get("at", at), values.get("echo", 0))
        if "scale" in values:
            made += bytes((3, 3, values["scale"]))
        if "tfo" in words:
            made += b"\x22\x02"
        if "block" in words:
            where = words.index("block")
            made += b"\5\x0a" + struct.pack(
                "!II", *((self.initial[other] + int(edge)) % _SPACE for edge in words[where + 1 : where + 3])
            )
        return made + b"\1" * (-len(made) % 4)


def checksum(data: bytes) -> bytes:
    """RFC 1071's, of data in which its field is 0."""
    total = int.from_bytes(data + b"\0" if len(data) % 2 else data, "big") % 0xFFFF
    return (0xFFFF - total).to_bytes(2, "big")
