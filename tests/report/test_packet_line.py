"""Packets as lines while they come: nothing is known of what will follow."""

import struct

from netlab.report.packet_line import LiveLines
from netlab.timeline.observations import Packet

OWNERS = {"10.0.0.1": "client", "10.0.0.2": "server"}
ETHERNET = bytes(12) + b"\x08\x00"


def tcp(source: int, flags: int, seq: int, ack: int = 0, payload: bytes = b"") -> Packet:
    """From 10.0.0.``source``, port 40000 + source, to the other of the two."""
    target = 3 - source
    segment = struct.pack("!HHIIBBHHH", 40000 + source, 40000 + target, seq, ack, 5 << 4, flags, 1000, 0, 0) + payload
    ip = struct.pack("!BBHHHBBH4B4B", 0x45, 0, 20 + len(segment), 1, 0, 64, 6, 0, 10, 0, 0, source, 10, 0, 0, target)
    data = ETHERNET + ip + segment
    return Packet(time=0, host="client", interface="eth0", direction="out", data=data, length=len(data), checksum_valid=False)


def shown(*packets: Packet) -> list[str]:
    lines = LiveLines(OWNERS)
    return [lines.text(packet).replace("BAD CHECKSUM", "").strip() for packet in packets]


def test_numbers_count_from_the_syn_of_each_direction() -> None:
    assert shown(tcp(1, 0x02, 5000), tcp(2, 0x12, 9000, 5001), tcp(1, 0x18, 5001, 9001, b"abc"), tcp(2, 0x10, 9001, 5004)) == [
        "eth0 out client:40001 > server:40002 S seq 0 win 1000",
        "eth0 out server:40002 > client:40001 S. seq 0 ack 1 win 1000",
        "eth0 out client:40001 > server:40002 P. seq 1 ack 1 win 1000 len 3",
        "eth0 out server:40002 > client:40001 . seq 1 ack 4 win 1000",
    ]


def test_of_a_connection_that_was_there_before_the_first_byte_seen_is_byte_1() -> None:
    assert shown(tcp(1, 0x18, 5001, 9001, b"abc"), tcp(2, 0x10, 9001, 5004), tcp(2, 0x18, 9001, 5004, b"d")) == [
        "eth0 out client:40001 > server:40002 P. seq 1 ack 1 win 1000 len 3",
        "eth0 out server:40002 > client:40001 . seq 1 ack 4 win 1000",
        "eth0 out server:40002 > client:40001 P. seq 1 ack 4 win 1000 len 1",
    ]


def test_a_new_connection_of_the_same_ports_counts_anew() -> None:
    first, second = shown(tcp(1, 0x02, 5000), tcp(1, 0x02, 777))
    assert first == second


def test_what_is_no_ip_is_told_by_its_type() -> None:
    data = bytes(12) + b"\x88\xb5" + bytes(46)
    (line,) = shown(Packet(time=0, host="h", interface="lo", direction="in", data=data, length=60))
    assert line == "lo in  ethertype 0x88b5 other len 46"


def test_a_syn_inside_a_connection_is_answered_in_the_old_ones_numbers() -> None:
    lines = shown(
        tcp(1, 0x02, 5000), tcp(2, 0x12, 9000, 5001), tcp(1, 0x10, 5001, 9001), tcp(1, 0x02, 4000), tcp(2, 0x10, 9001, 5001)
    )
    assert lines[3:] == [
        "eth0 out client:40001 > server:40002 S seq 0 win 1000",
        "eth0 out server:40002 > client:40001 . seq 1 ack 1 win 1000",
    ]
