"""What the rules of a link decide, frame by frame, without a link."""

from typing import Any

import pytest
from link_frames import BACK, THERE, acts, datagram, frame, numbered, opening, rule, rules, segment
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6ND_NS, IPv6
from scapy.layers.l2 import ARP, Dot1Q

from netlab.errors import SpecError
from netlab.units import milliseconds


def test_the_nth_packet_that_matches_is_dropped_and_retransmissions_count() -> None:
    syn = segment("S", 7)
    assert acts(rules((THERE, (rule("S", "drop", 1, 3),))), syn, segment("A", 8), syn, syn, syn) == [
        ("drop", 1),
        None,
        None,
        ("drop", 3),
        None,
    ]


def test_a_rule_without_nth_acts_on_all() -> None:
    assert acts(rules((THERE, (rule("S"),))), segment("S"), segment("SA"), segment("S")) == [("drop", 1), None, ("drop", 2)]


def test_directions_count_apart() -> None:
    decider = rules((THERE, (rule("F.", "drop", 1),)), (BACK, (rule("F.", "drop", 1),)))
    assert acts(decider, segment("FA"), segment("FA")) == [("drop", 1), None]
    assert acts(decider, segment("FA", back=True), direction=1) == [("drop", 1)]


def test_every_rule_counts_and_the_first_that_acts_decides() -> None:
    decider = rules((THERE, (rule("S", "drop", 1), rule("tcp", "hold", 2, barrier="later"))))
    assert acts(decider, segment("S"), segment("S"), segment("S")) == [("drop", 1), ("hold", 2), None]


def test_sequence_numbers_are_relative_to_what_passed_either_way() -> None:
    decider = rules((THERE, (rule(". seq 1 ack 1 len 0"), rule('P. seq 1 len 5 data "hello"'))))
    assert acts(decider, segment("S", 1000)) == [None]
    assert acts(decider, segment("SA", 70000, 1001, back=True), direction=1) == [None]
    frames = segment("A", 1001, 70001), segment("PA", 1001, 70001, b"hello"), segment("PA", 1006, 70001, b"hello")
    assert acts(decider, *frames) == [("drop", 1), ("drop", 1), None]


def test_endpoints_options_and_protocol_are_told_apart() -> None:
    one = segment("S", options=[("MSS", 1460)])
    for pattern, fits in {
        "client > server S": True,
        "client:5000 > server:80 S": True,
        "client:5001 > server S": False,
        "server > client S": False,
        "10.0.0.1 > 10.0.0.2 tcp": True,
        "client.eth0 > server.eth0 S": True,
        "client.eth1 > server S": False,
        "S <mss 1460 only>": True,
        "S <sackOK>": False,
        "udp": False,
        "...": True,
    }.items():
        assert (rules((THERE, (rule(pattern),))).ruling(one, 0) is not None) is fits, pattern


def test_an_address_of_no_node_belongs_to_whoever_sends_or_gets_the_frame() -> None:
    one = bytes(frame() / IPv6(src="fe80::1", dst="fe80::2") / UDP(sport=1, dport=2))
    assert acts(rules((THERE, (rule("client > server udp"),))), one) == [("drop", 1)]
    assert acts(rules((THERE, (rule("server > client udp"),))), one) == [None]


def test_arp_and_neighbour_discovery_are_meant_only_by_name() -> None:
    arp = bytes(frame() / ARP(psrc="10.0.0.1", pdst="10.0.0.2"))
    solicitation = bytes(frame() / IPv6(src="fd00::1", dst="fd00::2") / ICMPv6ND_NS(tgt="fd00::2"))
    other = bytes(frame(type=0x88B5) / b"canary")
    assert acts(rules((THERE, (rule("..."), rule("client > server")))), arp, solicitation, other) == [None, None, None]
    assert acts(rules((THERE, (rule("arp"), rule("icmp6 type 135")))), arp, solicitation) == [("drop", 1), ("drop", 1)]


def test_a_vlan_tag_hides_nothing() -> None:
    one = bytes(frame() / Dot1Q(vlan=5) / IP(src="10.0.0.1", dst="10.0.0.2") / TCP(flags="S"))
    assert acts(rules((THERE, (rule("client > server S"),))), one) == [("drop", 1)]


def test_a_rule_whose_barrier_was_released_acts_no_more() -> None:
    decider = rules((THERE, (rule("S", "hold", barrier="syns"),)))
    assert decider.barriers == {"syns"}
    ruling = decider.ruling(segment("S"), 0)
    assert ruling is not None
    assert (ruling.occurrence, ruling.text) == (1, "S")
    assert ruling.packet == "client:5000 > server:80 S seq 0 win 8192 len 0"
    assert decider.ruling(segment("S"), 0, {"syns"}) is None
    assert decider.barriers == {"syns"}
    assert decider.idle(0)


def test_frames_that_make_no_sense_pass() -> None:
    decider = rules((THERE, (rule("..."), rule("S"))))
    assert acts(decider, b"", b"\0" * 13, segment("S")[:20]) == [None, None, None]


def which(decider: object, *frames: bytes) -> list[int]:
    """The numbers, from 1, of those that a rule acts on."""
    return [n for n, one in enumerate(frames, 1) if decider.ruling(one, 0) is not None]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"every": 3}, [3, 6, 9]),
        ({"first": 4}, [4, 5, 6, 7, 8, 9, 10]),
        ({"first": 2, "last": 5}, [2, 3, 4, 5]),
        ({"first": 2, "last": 7, "every": 3}, [3, 6]),
        ({"occurrences": frozenset({1, 9, 12})}, [1, 9]),
        ({"occurrences": frozenset({4, 6}), "every": 3}, [6]),
    ],
)
def test_occurrences(fields: dict[str, Any], expected: list[int]) -> None:
    assert which(rules((THERE, (rule("udp", **fields),))), *[datagram()] * 10) == expected


def test_the_first_packet_that_carries_a_byte_of_the_stream_however_it_is_cut() -> None:
    for cut in (1, 7, 100, 1448):
        decider = rules((THERE, (rule("tcp", byte=150),)))
        for one, direction in opening():
            assert decider.ruling(one, direction) is None
        found, full, last = [], segment("A", data=bytes(cut)), segment("A", data=bytes(300 % cut))
        for _ in range(2):  # sent again it is not the first
            for start in range(0, 300, cut):
                one = full if start + cut <= 300 else last
                ruling = decider.ruling(numbered(one, 1001 + start, 70001), 0)
                if ruling is not None:
                    found.append((start <= 150 < start + cut, ruling.key))
        assert found == [(True, "client>server:80 #1 data 150 1")], cut


def test_each_connection_has_a_stream_of_its_own() -> None:
    decider = rules((THERE, (rule("tcp", byte=0),)))
    for port in (5001, 5002):
        for one, direction in opening(port):
            decider.ruling(one, direction)
    keys = [decider.ruling(segment("PA", 1001, 70001, b"hi", port=port), 0) for port in (5002, 5001, 5002)]
    assert [None if one is None else one.key for one in keys] == [
        "client>server:80 #2 data 0 1",
        "client>server:80 #1 data 0 1",
        None,
    ]


def test_a_window_counts_from_the_beginning_that_was_told() -> None:
    decider = rules((THERE, (rule("udp", since=milliseconds(10), until=milliseconds(20)),)))
    decider.begin(5_000_000)
    times = (5, 14, 15, 24, 25, 16)
    assert [decider.ruling(datagram(), 0, at=time * 1_000_000) is not None for time in times] == [
        False,
        False,
        True,
        True,
        False,
        False,
    ]
    assert decider.idle(0), "its time is over"


def test_without_it_from_the_first_frame() -> None:
    decider = rules((THERE, (rule("udp", since=milliseconds(10)),)))
    assert [decider.ruling(datagram(), 0, at=10**18 + time) is not None for time in (0, 9_999_999, 10_000_000)] == [
        False,
        False,
        True,
    ]


def test_a_window_of_no_length_has_no_packet() -> None:
    decider = rules((THERE, (rule("udp", until=milliseconds(0)),)))
    assert acts(decider, datagram(), datagram()) == [None, None]


def test_before_a_barrier_and_during_a_state() -> None:
    decider = rules((THERE, (rule("udp", before="go", during=(("client.c", "SYN-SENT"),)),)))
    states = iter(["", "CLOSED", "SYN-SENT", "ESTABLISHED", "SYN-SENT"])
    seen = [decider.ruling(datagram(), 0, state=lambda name: {"client.c": next(states)}[name]) is not None for _ in range(5)]
    assert seen == [False, False, True, False, True]
    assert decider.ruling(datagram(), 0, {"go"}, state=lambda _: "SYN-SENT") is None
    assert decider.idle(0)


def test_a_filter_of_tcpdump_narrows_a_pattern_and_alone_means_what_it_says() -> None:
    decider = rules((THERE, (rule("udp", filter="port 53 and greater 100"),)))
    assert acts(decider, datagram(), datagram(bytes(100)), datagram(bytes(100), server=54)) == [None, ("drop", 1), None]
    arp = bytes(frame() / ARP(psrc="10.0.0.1", pdst="10.0.0.2"))
    assert acts(rules((THERE, (rule("...", filter="arp"),))), arp, datagram()) == [("drop", 1), None]


def test_a_filter_that_is_none_is_the_files_error() -> None:
    with pytest.raises(SpecError) as failed:
        rules((THERE, (rule("udp", filter="port http and tcp prt 80"),)))
    assert str(failed.value).startswith("<test>:1:1: 'port http and tcp prt 80' is not a filter as pcap-filter(7) has them: ")


def test_rules_come_and_go_while_it_runs() -> None:
    decider = rules((THERE, (rule("S", "drop", 1),)))
    assert not decider.idle(0)
    assert acts(decider, segment("S")) == [("drop", 1)]
    assert (decider.idle(0), decider.idle(1)) == (True, True)
    decider.add(0, [rule("S", "hold", 2, barrier="b")])
    assert decider.barriers == {"b"}
    assert acts(decider, segment("S"), segment("S"), segment("S")) == [None, ("hold", 2), None]
    decider.add(1, [rule("tcp", "delay")])
    assert acts(decider, segment("SA", back=True), direction=1) == [("delay", 1)]
    decider.clear(1)
    assert acts(decider, segment("SA", back=True), direction=1) == [None]
    assert decider.idle(1)


def test_of_packets_that_passed_elsewhere_the_counts_are_told() -> None:
    second, third = rule("udp", "drop", 2), rule("udp", "hold", 3, barrier="b")
    decider = rules((THERE, (second, third)))
    assert acts(decider, datagram()) == [None]
    assert decider.standing(0) == ((second, 1), (third, 1))
    decider.recount(0, [1, 2])
    assert acts(decider, datagram()) == [("drop", 2)]
    assert decider.standing(0) == ()


def test_what_is_cleared_is_what_was_added() -> None:
    decider = rules((THERE, (rule("udp"),)))
    decider.add(0, [rule("tcp")])
    decider.clear(0)
    assert acts(decider, segment("S"), datagram()) == [None, ("drop", 1)]


def test_a_rule_added_later_names_packets_as_if_it_had_been_there_all_the_time() -> None:
    before = [*opening(), (segment("PA", 1001, 70001, b"hello"), 0), (datagram(), 0), (datagram(back=True), 1)]
    after = [segment("PA", 1001, 70001, b"hello"), segment("A", 1001, 70001), datagram(), segment("FA", 1006, 70001)]
    everything = rule("...")
    always, later = rules((THERE, (everything,))), rules()
    assert (always.idle(0), later.idle(0)) == (False, True)
    for one, direction in before:
        always.ruling(one, direction)
        later.note(one)
    later.add(0, [everything])
    keys = [[ruling.key for one in after if (ruling := decider.ruling(one, 0)) is not None] for decider in (always, later)]
    assert keys[0] == keys[1]
    assert keys[1] == [
        "client>server:80 #1 data 0 2",
        "client>server:80 #1 ack 1 2",
        "client>server:53 #1 datagram 2",
        "client>server:80 #1 F 1",
    ]


def test_a_rule_added_later_numbers_segments_from_syns_that_were_noted_alone() -> None:
    decider = rules()
    for one, _ in [*opening(), (segment("PA", 1001, 70001, b"hello"), 0), (datagram(bytes([255]) * 60), 0)]:
        decider.note_opening(one)
    decider.add(0, [rule("P. seq 6 ack 1"), rule("udp")])
    first = decider.ruling(datagram(), 0)
    assert first is not None
    assert first.key == "client>server:53 #1 datagram 1"
    ruling = decider.ruling(segment("PA", 1006, 70001, b"more"), 0)
    assert ruling is not None
    assert ruling.key == "client>server:80 #1 data 5 1"
