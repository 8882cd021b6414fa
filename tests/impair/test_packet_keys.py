"""What packets are called: the same in every run, whatever ports and numbers the kernel chose."""

import random

import pytest
from link_frames import NODES, datagram, frame, opening, segment
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.inet6 import ICMPv6ND_NS, IPv6
from scapy.layers.l2 import ARP, Ether

from netlab.impair import packet_keys
from netlab.impair.packet_keys import Names
from netlab.timeline.headers import decode
from netlab.timeline.timeline import Node


def keys(*frames: bytes) -> list[str]:
    names = Names(NODES)
    return [names.passing(decode(one)).key for one in frames]


def connection(port: int, first: int, second: int) -> list[bytes]:
    """Opened, three bytes there and two back, of which the first are sent again, and closed by a reset."""
    return [
        *(one for one, _ in opening(port, first, second)),
        segment("PA", first + 1, second + 1, b"abc", port=port),
        segment("PA", first + 1, second + 1, b"abc", port=port),
        segment("A", second + 1, first + 4, back=True, port=port),
        segment("PA", second + 1, first + 4, b"de", back=True, port=port),
        segment("A", first + 4, second + 3, port=port),
        segment("A", first + 4, second + 3, port=port),
        segment("FA", first + 4, second + 3, port=port),
        segment("FA", second + 3, first + 5, b"f", back=True, port=port),
        segment("R", first + 5, port=port),
    ]


NAMED = ["S 1", "S. 1", "ack 1 1", "data 0 1", "data 0 2", "ack 4 1", "data 0 1", "ack 3 1", "ack 3 2", "F 1", "F 1", "R 1"]


def test_a_connection_has_the_same_names_whatever_its_port_and_numbers() -> None:
    generator = random.Random(1)
    for _ in range(20):
        port, first, second = generator.randrange(1024, 65536), generator.randrange(2**32), generator.randrange(2**32)
        assert keys(*connection(port, first, second)) == [f"client>server:80 #1 {name}" for name in NAMED], (port, first, second)


def test_connections_count_in_the_order_of_their_syns() -> None:
    first, second = connection(40001, 5, 6), connection(39999, 7, 8)
    woven = [one for pair in zip(first, second, strict=True) for one in pair]
    assert keys(*woven) == [f"client>server:80 #{number} {name}" for name in NAMED for number in (1, 2)]


def test_a_port_that_is_used_again_is_another_connection_once_somebody_goes_along() -> None:
    old, new = connection(40000, 1000, 2000), connection(40000, 500_000, 600_000)
    assert keys(*old[:-1], *new) == [
        *(f"client>server:80 #1 {name}" for name in NAMED[:-1]),
        *(f"client>server:80 #2 {name}" for name in NAMED),
    ]


def test_a_stray_syn_within_a_connection_does_not_end_it() -> None:
    one = connection(40000, 1000, 2000)
    stray = segment("S", 999_999, port=40000)
    challenge = segment("A", 2001, 1004, back=True, port=40000)
    assert keys(*one[:4], stray, challenge, one[4]) == [
        *(f"client>server:80 #1 {name}" for name in NAMED[:4]),
        "client>server:80 #2 S 1",
        "client>server:80 #1 ack 4 1",
        "client>server:80 #1 data 0 2",
    ]


def test_in_a_simultaneous_open_each_side_has_its_name_whoever_is_first() -> None:
    there, back = segment("S", 1, port=6000, server=7000), segment("S", 2, back=True, port=6000, server=7000)
    data = segment("PA", 2, 3, b"x", port=6000, server=7000), segment("PA", 3, 2, b"y", back=True, port=6000, server=7000)
    expected = {
        there: "client>server:7000 #1 S 1",
        back: "server>client:6000 #1 S 1",
        data[0]: "client>server:7000 #1 data 0 1",
        data[1]: "server>client:6000 #1 data 0 1",
    }
    for order in ((there, back, *data), (back, there, *data)):
        assert keys(*order) == [expected[one] for one in order]


def test_a_connection_that_was_there_before_counts_from_what_is_seen_first() -> None:
    frames = [
        segment("PA", 777_000, 888_000, b"abc", port=40000),
        segment("A", 888_000, 777_003, back=True, port=40000),
        segment("PA", 777_003, 888_000, b"de", port=40000),
    ]
    expected = ["client>server:80 #1 data 0 1", "client>server:80 #1 ack 0 1", "client>server:80 #1 data 3 1"]
    assert keys(*frames) == expected
    answers = [segment("PA", 5, 6, b"x", back=True, port=40000)]
    assert keys(*answers) == ["client>server:80 #1 data 0 1"], "the server is rather the end below the ephemeral ports"


def test_datagrams_count_within_their_exchange() -> None:
    frames = [datagram(), datagram(back=True), datagram(), datagram(port=5001), datagram(back=True, port=5001)]
    names = ["#1 datagram 1", "#1 datagram 1", "#1 datagram 2", "#2 datagram 1", "#2 datagram 1"]
    assert keys(*frames) == [f"client>server:53 {name}" for name in names]


def test_the_families_of_ip_are_numbered_apart() -> None:
    six = bytes(frame() / IPv6(src="fd00::1", dst="fd00::2") / UDP(sport=40000, dport=53))
    there = datagram(port=40001)
    for order in ((six, there), (there, six)):
        assert set(keys(*order)) == {"client>server:53 ip6 #1 datagram 1", "client>server:53 #1 datagram 1"}


def test_what_has_no_ports_counts_between_nodes_whichever_of_their_addresses_it_has() -> None:
    nodes = {"client": Node(kind="host", addresses={"eth0": ("10.0.0.1", "10.0.0.9")}), "server": NODES["server"]}
    names = Names(nodes)
    pings = [bytes(frame() / IP(src=source, dst="10.0.0.2") / ICMP(type=8)) for source in ("10.0.0.1", "10.0.0.9", "10.0.0.1")]
    assert [names.passing(decode(one)).key for one in pings] == [f"client>server icmp 8 0 {number}" for number in (1, 2, 3)]


def test_flows_that_are_silent_for_longest_are_forgotten_and_no_more_are_kept_than_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packet_keys, "_MOST_WAYS", 6)
    first, *others = (connection(port, 1000, 2000) for port in range(40001, 40009))
    names = Names(NODES)
    for other in others:
        for one in (*first[:4], *other[:3]):
            names.passing(decode(one))
    spoken = [names.passing(decode(one)).key.partition(" ")[2] for one in (*first[4:6], others[0][3])]
    assert spoken == [f"#1 data 0 {len(others) + 1}", "#1 ack 4 1", "#9 data 0 1"]
    assert len(names._ways) <= 6
    assert len(names._numberer._account._initial) <= 6


def test_what_has_no_ports() -> None:
    def bare(one: Ether) -> bytes:
        return bytes(frame() / one)

    fragment = IP(src="10.0.0.1", dst="10.0.0.2", proto=17, frag=185) / b"rest"
    frames = {
        bare(ARP(op=1, psrc="10.0.0.1", pdst="10.0.0.2")): "client>server arp 1 1",
        bare(IP(src="10.0.0.1", dst="10.0.0.2") / ICMP(type=3, code=1)): "client>server icmp 3 1 1",
        bare(IPv6(src="fd00::1", dst="fd00::2") / ICMPv6ND_NS(tgt="fd00::2")): "client>server icmp6 135 0 1",
        bare(fragment): "client>server udp fragment 1480 1",
        bare(IP(src="10.0.0.1", dst="192.0.2.9", proto=99) / b"x"): "client>192.0.2.9 other 1",
        bytes(frame(type=0x88B5) / b"x"): "02:00:00:00:00:01>02:00:00:00:00:02 ethertype 0x88b5 1",
        bare(IPv6(src="fd00::1", dst="fd00::2") / UDP(sport=40000, dport=9)): "client>server:9 ip6 #1 datagram 1",
        b"": "> ethertype 0x0000 1",
    }
    assert keys(*frames) == list(frames.values())
