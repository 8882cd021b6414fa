"""Captures of every link that can be read, in both byte orders and both resolutions, say the same of what they carry."""

import struct

import pytest
from segments_written import packets

from netlab.timeline.headers import decode
from netlab.timeline.pcapng_read import read_bytes

(SEGMENT,) = packets("a P. 1 ack 1 len 100")
IP = SEGMENT.data[14:]
COOKED = struct.pack("!HHH8sH", 4, 1, 6, bytes(8), 0x0800)
COOKED_2 = struct.pack("!HHIHBB8s", 0x0800, 0, 3, 1, 0, 6, bytes(8))
FRAMES = {
    1: (SEGMENT.data, ""),
    0: (struct.pack("<I", 2) + IP, ""),
    12: (IP, ""),
    14: (IP, ""),
    101: (IP, ""),
    108: (struct.pack(">I", 2) + IP, ""),
    113: (COOKED + IP, "out"),
    228: (IP, ""),
    276: (COOKED_2 + IP, "in"),
}
V6 = struct.pack("!IHBB16s16s", 6 << 28, len(IP) - 20, 6, 64, bytes(15) + b"\1", bytes(15) + b"\2") + IP[20:]
RESOLUTIONS = {0xA1B2C3D4: 1000, 0xA1B23C4D: 1}


def classic(order: str, magic: int, link: int, frame: bytes) -> bytes:
    head = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, link)
    return head + struct.pack(order + "IIII", 1_700_000_000, 123, len(frame), len(frame) + 6) + frame


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("magic", RESOLUTIONS)
@pytest.mark.parametrize("link", FRAMES)
def test_a_classic_capture_is_read(order: str, magic: int, link: int) -> None:
    frame, direction = FRAMES[link]
    capture = read_bytes(classic(order, magic, link, frame))
    (packet,) = capture.packets
    told, expected = decode(packet.data), decode(SEGMENT.data)
    assert (told.source, told.sport, told.seq, told.length) == (expected.source, expected.sport, expected.seq, 100)
    assert told.checksum is True
    assert packet.direction == direction
    assert packet.time == 1_700_000_000 * 10**9 + 123 * RESOLUTIONS[magic]
    assert packet.length == len(packet.data) + 6


@pytest.mark.parametrize("link", [0, 101, 108, 229])
def test_ip_of_version_6_is_told_by_its_first_bits(link: int) -> None:
    frame = (struct.pack("<I", 30) if link in (0, 108) else b"") + V6
    (packet,) = read_bytes(classic("<", 0xA1B2C3D4, link, frame)).packets
    told = decode(packet.data)
    assert (told.version, told.source, told.sport, told.length) == (6, "::1", 1000, 100)
