"""star: all 200 hosts reach the first and the last, in both families, and nobody has to ask who has their addresses."""

import ctypes
import socket
import struct

import pytest
from topologies_help import BOTH, address, hop_counts, hosts, shipped, tcp_exchange, udp_exchange

from netlab.api import Lab
from netlab.timeline.headers import decode

pytestmark = pytest.mark.netns
ENDS = ("h1", "h200")

SO_ATTACH_FILTER = 26
QUESTIONS = (  # ARP, and neighbour solicitations: code, jump if true, jump if false, value (linux/filter.h)
    (0x28, 0, 0, 12),  # the Ethernet type
    (0x15, 5, 0, 0x0806),
    (0x15, 0, 5, 0x86DD),
    (0x30, 0, 0, 20),  # IPv6's next header
    (0x15, 0, 3, 58),
    (0x30, 0, 0, 54),  # ICMPv6's type
    (0x15, 0, 1, 135),
    (0x06, 0, 0, 0xFFFFFFFF),
    (0x06, 0, 0, 0),
)


def questions(lab: Lab) -> socket.socket:
    """A socket that receives what passes the switch and asks who has an address."""
    made = lab["switch"].space.packet_socket()
    program = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *each) for each in QUESTIONS))
    made.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HP", len(QUESTIONS), ctypes.addressof(program)))
    made.setblocking(False)
    who_asked(made)  # and whatever came before the filter
    return made


def who_asked(asking: socket.socket) -> set[str]:
    """The addresses of those who asked since."""
    found = set()
    while True:
        try:
            found.add(decode(asking.recv(256)).source)
        except BlockingIOError:
            return found


def test_every_host_reaches_the_first_and_the_last_and_nobody_asks_for_them() -> None:
    with shipped("star") as lab, questions(lab) as asking:
        every = [f"h{number}" for number in range(1, 201)]
        assert hosts(lab) == every
        for family in BOTH:
            assert hop_counts(lab, every, ENDS, family) == {(one, end): 0 for one in every for end in ENDS if one != end}
        for family in BOTH:
            udp_exchange(lab, "h100", "h101", family)  # these two do not know each other: it shows that a question would be seen
        assert who_asked(asking) == {address(lab[host], family) for family, host in ((4, "h100"), (4, "h101"), (6, "h100"))}


def test_every_host_connects_to_the_first_and_the_last() -> None:
    with shipped("star") as lab:
        for family in BOTH:
            for end in ENDS:
                for name in hosts(lab):
                    if name != end:
                        assert tcp_exchange(lab, name, end, family) == address(lab[name], family)


def test_the_number_of_hosts_is_a_variable() -> None:
    with shipped("star", hosts=3) as lab:
        assert hosts(lab) == ["h1", "h2", "h3"]
        assert len(hop_counts(lab, hosts(lab), hosts(lab))) == 6
