"""Filters of pcap-filter(7): what they accept, against what the kernel's own machine accepts; and what is no filter."""

import ctypes
import random
import socket
import struct
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from link_frames import datagram, frame, segment
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrHopByHop
from scapy.layers.l2 import ARP, Dot1Q

from netlab.errors import HostError
from netlab.impair import filters
from netlab.impair.filters import Filter, compiled

SO_ATTACH_FILTER = 26

FRAMES = [
    segment("S", 7),
    segment("PA", 7, 8, b"GET / HTTP/1.1\r\n"),
    segment("FA", back=True),
    datagram(b"x" * 200),
    datagram(server=54),
    bytes(frame() / IP(src="10.0.0.1", dst="10.0.0.2") / ICMP(type=3, code=4)),
    bytes(frame() / ARP(psrc="10.0.0.1", pdst="10.0.0.2")),
    bytes(frame() / IPv6(src="fd00::1", dst="fd00::2") / TCP(dport=80, flags="S")),
    bytes(frame() / IPv6(src="fd00::1", dst="fd00::2") / IPv6ExtHdrHopByHop() / UDP(dport=53)),
    bytes(frame() / Dot1Q(vlan=5) / IP(src="10.0.0.1", dst="10.0.0.2") / TCP(dport=80)),
    bytes(frame() / IP(src="10.0.0.1", dst="10.0.0.2", frag=100) / b"rest of a datagram"),
    bytes(frame(type=0x88B5) / b"canary"),
]
FILTERS = [
    "",
    "tcp",
    "udp port 53",
    "tcp dst port 80 and tcp[tcpflags] & (tcp-syn|tcp-fin) != 0",
    "greater 100",
    "less 60 or udp",
    "arp",
    "icmp[icmptype] = icmp-unreach and icmp[icmpcode] = 4",
    "ip6",
    "vlan 5 and tcp",
    "vlan",
    "not ip and not ip6",
    "src 10.0.0.1 and dst net 10.0.0.0/30",
    "src host fd00::1",
    "ether src 02:00:00:00:00:01",
    "ip[6:2] & 0x1fff != 0",
    "tcp[((tcp[12] & 0xf0) >> 2):4] = 0x47455420",
    "len * 3 / 2 - 7 >= 100",
    "len % 2 = 0 and (len ^ 1) > 55",
    "portrange 50-80",
    "ether multicast or ip[1] = 0",
    "ip multicast",
]


class Kernel:
    """A filter as the kernel runs it: on a Unix datagram socket, to which a frame is sent as if it were a message (socket(7))."""

    def __init__(self, one: Filter) -> None:
        self.sender, self.receiver = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        program = b"".join(struct.pack("=HBBI", *instruction) for instruction in one.program)
        self.program = ctypes.create_string_buffer(program)
        described = struct.pack("@HP", len(one.program), ctypes.addressof(self.program))
        self.receiver.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, described)
        self.receiver.setblocking(False)

    def accepts(self, data: bytes) -> bool:
        try:
            self.sender.send(data)  # what a filter refuses is gone when this returns
        except PermissionError:
            return False
        try:
            self.receiver.recv(1 << 17)
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        self.sender.close()
        self.receiver.close()


@pytest.fixture(params=FILTERS)
def both(request: pytest.FixtureRequest) -> Iterator[tuple[Filter, Kernel]]:
    one = compiled(request.param)
    kernel = Kernel(one)
    yield one, kernel
    kernel.close()


def test_the_kernel_agrees(both: tuple[Filter, Kernel]) -> None:
    one, kernel = both
    generator = random.Random(1)
    damaged = []
    for whole in FRAMES:
        for _ in range(20):
            changed = bytearray(whole)
            changed[generator.randrange(12, min(60, len(changed)))] = generator.randrange(256)
            damaged.append(bytes(changed[: generator.choice([len(changed), generator.randrange(1, len(changed))])]))
    for data in [*FRAMES, *damaged]:
        assert one(data) is kernel.accepts(data), data.hex()


@pytest.mark.parametrize(
    ("text", "accepted"),
    [
        ("tcp", [0, 1, 2, 7]),
        ("udp port 53", [3]),
        ("tcp[tcpflags] & tcp-syn != 0", [0]),
        ("greater 100", [3]),
        ("ip6 protochain 17", [8]),  # a program that jumps backwards, which the kernel would not take
        ("vlan 5 and tcp", [9]),
        ("arp", [6]),
        ("tcp[((tcp[12] & 0xf0) >> 2):4] = 0x47455420", [1]),
    ],
)
def test_what_a_filter_accepts(text: str, accepted: list[int]) -> None:
    one = compiled(text)
    assert [number for number, data in enumerate(FRAMES) if one(data)] == accepted


@given(st.sampled_from([*FILTERS, "ip6 protochain 17"]), st.binary(max_size=100))
def test_nothing_makes_it_fail(text: str, data: bytes) -> None:
    compiled(text)(data)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("tcp prt 80", "can't parse filter expression: syntax error"),
        ("port 99999", "illegal port number 99999 > 65535"),
        ("tcp and (udp", "can't parse filter expression: syntax error"),
        ("ip broadcast", "netmask not known"),
        ("inbound", "a rule has its direction"),
        ("tcp\0", "holds a NUL"),
    ],
)
def test_what_is_no_filter_says_so_in_libpcaps_words(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=r"is not a filter|asks what") as failed:
        compiled(text)
    assert why in str(failed.value)


def test_a_machine_without_libpcap_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filters, "_LIBRARIES", ("libnosuch-pcap.so.1",))
    filters._library.cache_clear()
    compiled.cache_clear()
    try:
        with pytest.raises(HostError, match="no libpcap") as failed:
            compiled("udp port 5353")
        assert "apt-get install libpcap0.8" in failed.value.fix
    finally:
        monkeypatch.undo()
        filters._library.cache_clear()
