"""What offloads leave to a device, done: segments that a receiver takes for the sender's own, each with right checksums."""

import struct

import pytest
from link_frames import frame
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Dot1Q
from scapy.packet import Packet

from netlab.impair.segmenting import NOTHING_LEFT, singles, tagged
from netlab.timeline.headers import decode

NEEDS_CHECKSUM = 1
TCP_4, TCP_6, UDP_L4 = 1, 4, 5
MSS = 1000
DATA = bytes(n % 251 for n in range(2500))


def head(kind: int, start: int, offset: int, *, size: int = MSS, flags: int = NEEDS_CHECKSUM) -> bytes:
    """A virtio_net_hdr (VIRTIO 1.2, section 5.1.6); ``start`` is where the transport's header begins."""
    return struct.pack("=BBHHHH", flags, kind, start + 20, size, start, offset)


def large(ip: Packet, transport: Packet, data: bytes = DATA, *, vlan: bool = False) -> bytes:
    """One frame with all of the data, and the sum of the pseudo-header in the place of the checksum, as the kernel leaves it."""
    made = bytearray(bytes((frame() / Dot1Q(vlan=5) if vlan else frame()) / ip / transport / data))
    network = 18 if vlan else 14
    start = network + (20 if isinstance(ip, IP) else 40)
    addresses = made[network + 12 : network + 20] if isinstance(ip, IP) else made[network + 8 : network + 40]
    pseudo = bytes(addresses) + struct.pack("!II", len(made) - start, 6 if isinstance(transport, TCP) else 17)
    total = sum(struct.unpack(f"!{len(pseudo) // 2}H", pseudo)) % 0xFFFF
    struct.pack_into("!H", made, start + (16 if isinstance(transport, TCP) else 6), total)
    return bytes(made)


FOUR, SIX = IP(src="10.0.0.1", dst="10.0.0.2", id=7), IPv6(src="fd00::1", dst="fd00::2")


@pytest.mark.parametrize("vlan", [False, True], ids=["untagged", "tagged"])
@pytest.mark.parametrize("ip", [FOUR, SIX], ids=["ipv4", "ipv6"])
def test_a_large_tcp_segment_is_cut_into_whole_ones(ip: Packet, vlan: bool) -> None:
    whole = large(ip, TCP(sport=5000, dport=80, seq=2**32 - 1500, ack=9, flags="FPAC", options=[("Timestamp", (1, 2))]), vlan=vlan)
    start = (18 if vlan else 14) + (20 if ip is FOUR else 40)
    cut = singles(head(TCP_4 if ip is FOUR else TCP_6, start, 16), whole)
    read = [decode(one) for one in cut]
    assert [one.length for one in read] == [1000, 1000, 500]
    assert b"".join(one.payload for one in read) == DATA
    assert [one.seq for one in read] == [2**32 - 1500, 2**32 - 500, 500]
    # FIN and PSH are the last one's, the answer to congestion is the first one's (RFC 3168).
    assert [sorted(one.flags) for one in read] == [[".", "W"], ["."], [".", "F", "P"]]
    assert all(one.checksum and one.ip_checksum is not False and not one.malformed for one in read)
    assert [one.id for one in read] == ([7, 8, 9] if ip is FOUR else [None] * 3)
    assert {one[: start - (20 if ip is FOUR else 40)] for one in cut} == {whole[: start - (20 if ip is FOUR else 40)]}


@pytest.mark.parametrize("ip", [FOUR, SIX], ids=["ipv4", "ipv6"])
def test_joined_datagrams_are_parted(ip: Packet) -> None:
    whole = large(ip, UDP(sport=5000, dport=53))
    cut = singles(head(UDP_L4, len(whole) - len(DATA) - 8, 6), whole)
    read = [decode(one) for one in cut]
    assert [(one.sport, one.dport, one.length) for one in read] == [(5000, 53, size) for size in (1000, 1000, 500)]
    assert b"".join(one.payload for one in read) == DATA
    assert all(one.checksum and not one.malformed for one in read)


@pytest.mark.parametrize("data", [DATA, DATA[:-1]], ids=["even", "odd"])
def test_a_single_packets_checksum_is_finished(data: bytes) -> None:
    whole = large(FOUR, TCP(sport=5000, dport=80, flags="PA"), data)
    assert not decode(whole).checksum
    (made,) = singles(head(0, 34, 16, size=0), whole)
    assert decode(made).checksum
    assert (made[:50], made[52:]) == (whole[:50], whole[52:])


def test_a_udp_checksum_of_zero_is_written_as_its_other_form() -> None:
    ports = UDP(sport=1, dport=2)
    (without,) = singles(head(0, 34, 6, size=0), large(FOUR, ports, b"\0\0"))
    # Data that adds what the sum lacks: then there is nothing left for the checksum, and 0 would mean that there is none (RFC 768).
    (made,) = singles(head(0, 34, 6, size=0), large(FOUR, ports, without[40:42]))
    assert made[40:42] == b"\xff\xff"
    assert decode(made).checksum


def test_what_is_whole_and_what_makes_no_sense_is_left_as_it_is() -> None:
    one = bytes(frame() / FOUR / TCP(flags="S"))
    assert singles(NOTHING_LEFT, one) == [one]
    assert singles(head(TCP_4, 1000, 16), one) == [one]
    assert singles(head(TCP_4, 34, 16), one[:40]) == [one[:40]]


def test_with_a_tag_put_in_again_all_lies_four_bytes_further_back() -> None:
    assert tagged(head(TCP_4, 34, 16)) == struct.pack("=BBHHHH", NEEDS_CHECKSUM, TCP_4, 58, MSS, 38, 16)
    assert tagged(NOTHING_LEFT) == NOTHING_LEFT


def test_the_last_piece_is_as_long_as_what_is_left() -> None:
    whole = large(FOUR, TCP(sport=1, dport=2, flags="A"))
    for size in (1, 999, 1250, 2499, 2500, 2501):
        lengths = [decode(one).length for one in singles(head(TCP_4, 34, 16, size=size), whole)]
        assert (sum(lengths), set(lengths[:-1])) == (len(DATA), {size} if size < len(DATA) else set())
