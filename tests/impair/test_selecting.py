"""Which packets a rule means: what an expectation of the same words means by them, on either side of the link."""

import pytest
from link_frames import NODES, datagram, frame, opening, rule, segment
from networks import two_hosts
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP

from netlab.impair.packet_keys import Names
from netlab.impair.selecting import Selector
from netlab.timeline.headers import decode
from netlab.timeline.observations import Packet
from netlab.timeline.packet_fields import differences
from netlab.timeline.streams import SeenPacket
from netlab.topology.spec import Rule

LINK = two_hosts().links[0]
FRAMES = [
    *(one for one, _ in opening()),
    segment("S", 1000, options=[("SAckOK", b"")]),
    segment("PA", 1001, 70001, b"hello"),
    segment("A", 70001, 1006, back=True),
    segment("A", 1006, 70001, bytes(100), options=[("NOP", None), ("NOP", None), ("Timestamp", (1, 2))]),
    segment("FA", 1106, 70001),
    segment("RA", 1106, 70001, port=5001),
    datagram(b"hello"),
    datagram(back=True),
    bytes(frame() / IP(src="10.0.0.1", dst="10.0.0.2", ttl=7) / ICMP(type=8)),
    bytes(frame() / IP(src="192.0.2.1", dst="10.0.0.2") / TCP(sport=5000, dport=80, flags="S")),
    bytes(frame() / IP(src="192.0.2.1", dst="192.0.2.2") / UDP(sport=5000, dport=80)),
    bytes(frame() / IPv6(src="fd00::1", dst="fd00::2") / TCP(sport=5000, dport=80, flags="S")),
    bytes(frame() / ARP(op=1, psrc="10.0.0.1", pdst="10.0.0.2")),
    bytes(frame() / IPv6(src="fe80::1", dst="ff02::1") / UDP(sport=5000, dport=80)),
]
ENDS = [
    "",
    "client > server ",
    "server > client ",
    "client > * ",
    "* > server ",
    "client:5000 > server:80 ",
    "client:5001 > server ",
    "client.eth0 > server.eth0 ",
    "client.eth1 > server ",
    "10.0.0.1 > 10.0.0.2 ",
    "192.0.2.1 > server ",
    "[fd00::1]:5000 > server ",
]
REST = [
    "tcp",
    "udp",
    "icmp type 8",
    "S",
    "S.",
    ".",
    "P. len 5",
    ". seq 1 ack 1",
    ". ack 1 len 0",
    "S <mss 1448>",
    "S <mss 1448 only>",
    "S <sackOK>",
    ". <TS>",
    'P. data "hello"',
    'udp data "hello"',
    "tcp win 8192",
    "icmp ttl 7 type 8",
    "arp op 1",
    "tcp id 1 urg 0 tos 0",
]


@pytest.mark.parametrize("direction", [0, 1])
@pytest.mark.parametrize("rest", REST)
def test_a_rule_means_what_an_expectation_means(rest: str, direction: int) -> None:
    meant = sum(compare(rule(ends + rest), direction) for ends in ENDS)
    assert 0 < meant < len(ENDS) * len(FRAMES)


def compare(wanted: Rule, direction: int) -> int:
    """How many frames the rule means."""
    meant = 0
    selector, names = Selector(wanted, LINK, direction, NODES), Names(NODES)
    for data in FRAMES:
        headers = decode(data)
        passing = names.passing(headers)
        sides = []
        for end, way in ((LINK.endpoints[direction], "out"), (LINK.endpoints[1 - direction], "in")):
            packet = Packet(time=0, host=end.node, interface=end.interface, direction=way, data=data, length=len(data))
            seen = SeenPacket(index=0, packet=packet, headers=headers, numbers=passing.numbers)
            sides.append({field for field, _, _ in differences(wanted.match, seen, NODES)})
        # Who has an address that belongs to no node is known at the sender for the source, at the receiver for the target.
        expected = not sides[0] - {"target"} and "target" not in sides[0] & sides[1]
        assert selector.means(headers, passing, data) is expected, (wanted.match.text, headers)
        meant += expected
    return meant
