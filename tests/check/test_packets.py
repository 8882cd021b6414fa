"""The matcher on hand-written timelines: right ones, and each way of being wrong."""

from hand_written import CLIENT_ISN, MS, NODES, SERVER_ISN, delivered, frame, handshake, segment, sent, timeline
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import ICMPv6ND_NS, ICMPv6ND_RS, IPv6
from scapy.layers.l2 import ARP

from netlab.check.packets import PacketMatch, match
from netlab.notation.parse_packets import parse_packet
from netlab.scenario.spec import PacketsExpected
from netlab.timeline.observations import Packet
from netlab.timeline.packet_fields import Difference
from netlab.timeline.timeline import Node, Timeline

OPENING = ("client > server S <mss 1460, sackOK>", "server > client S.", "client > server .")


def expected(
    *patterns: str, unordered: bool = False, at: str = "", arrived: bool = False, including: tuple[str, ...] = ()
) -> PacketsExpected:
    return PacketsExpected(
        patterns=tuple(parse_packet(text) for text in patterns),
        unordered=unordered,
        at=at,
        arrived=arrived,
        including=frozenset(including),
    )


def status(what: PacketsExpected, seen: Timeline, *, final: bool = True) -> str:
    return match(what, seen, final=final).status


def data(time: int, count: int = 1) -> list[Packet]:
    """So many segments of ten bytes from the client, a millisecond apart."""
    return [
        packet
        for number in range(count)
        for packet in delivered(
            time + number * MS, "client", "server", "PA", (CLIENT_ISN + 1 + 10 * number) % 2**32, SERVER_ISN + 1, b"0123456789"
        )
    ]


def test_a_handshake_matches_each_packet_once_at_its_sender() -> None:
    assert match(expected(*OPENING), timeline(handshake())) == PacketMatch(status="matched", used=(0, 2, 4))


def test_so_far_it_fits() -> None:
    some = timeline(handshake()[:4])
    assert match(expected(*OPENING), some) == PacketMatch(status="pending", used=(0, 2))
    assert match(expected(*OPENING), some, final=True) == PacketMatch(
        status="mismatch", mismatches=(Difference("pattern 3", "client > server .", "none"),), used=(0, 2)
    )


def test_the_first_packet_that_differs_is_told_field_by_field() -> None:
    refused = timeline(delivered(1, "client", "server", "S", 100), delivered(2, "server", "client", "RA", 0, 101))
    assert match(expected("client > server S", "server > client S. seq 0 ack 2 win 9"), refused) == PacketMatch(
        status="mismatch",
        mismatches=(
            Difference("packet 2", "server > client S. seq 0 ack 2 win 9", "server > client R. seq 0 ack 1 win 8192 len 0"),
            Difference("packet 2 flags", "S.", "R."),
            Difference("packet 2 ack", "2", "1"),
            Difference("packet 2 win", "9", "8192"),
        ),
        used=(0,),
        first_wrong=1,
    )


def test_an_extra_packet_fails_even_before_the_last_one_is_due() -> None:
    again = [*handshake()[:2], *delivered(MS + 20, "client", "server", "S", CLIENT_ISN), *handshake()[2:]]
    found = match(expected("client > server S", "server > client S"), timeline(again))
    assert (found.status, found.mismatches[1]) == ("mismatch", ("packet 2 source", "server", "client"))
    assert match(expected(*OPENING[:2]), timeline(handshake())).mismatches == (
        ("packet 3", "no more packets", "client > server . seq 1 ack 1 win 502 len 0"),
    )
    nothing = match(expected(), timeline(handshake()))
    assert nothing.mismatches[0][:2] == ("packet 1", "no packets")
    assert match(expected(), timeline()).status == "matched"


def test_counts_options_and_gaps() -> None:
    seen = timeline(handshake(), data(10 * MS, 3))
    right = (
        (*OPENING, "client > server P. {3}"),
        (*OPENING, "client > server P. {1,3}"),
        (*OPENING, "client > server P. {2,}"),
        (*OPENING, "server > client R ?", "client > server P. {3}"),
        ("client > server S", "..."),
        ("...", "client > server P. seq 21"),
        ("...", "client > server . ?", "..."),
        ("...", "client > server P. ?", "client > server P. {3}"),
    )
    wrong = (
        (*OPENING, "client > server P. {2}"),
        (*OPENING, "client > server P. {4}"),
        (*OPENING, "client > server P. {1,2}"),
        ("...", "client > server P. seq 11"),
        ("...", "server > client P.", "..."),
    )
    assert [status(expected(*patterns), seen) for patterns in right] == ["matched"] * len(right)
    assert [status(expected(*patterns), seen) for patterns in wrong] == ["mismatch"] * len(wrong)
    four = match(expected(*OPENING, "client > server P. {4}"), seen, final=True)
    assert four.mismatches == (("pattern 4", "client > server P. {4}", "3 of 4"),)


def test_tcp_options_match_as_a_subset_unless_only_these() -> None:
    seen = timeline(handshake()[:2])
    right = ("S <wscale 7, mss>", "S <TS val 7 ecr 0>", "S <mss 1460,sackOK,TS,nop,wscale 7 only>", "S <mss,sackOK,TS,wscale only>")
    wrong = ("S <mss 1400>", "S <sack>", "S <mss 1460 only>", "S <only>")
    assert [status(expected(one), seen) for one in right] == ["matched"] * len(right)
    found = [match(expected(one), seen).mismatches[1] for one in wrong]
    assert found == [
        ("packet 1 option mss", "1400", "1460"),
        ("packet 1 option sack", "present", "absent"),
        ("packet 1 options", "only <mss 1460>", "<mss 1460,sackOK,TS val 7 ecr 0,nop,wscale 7>"),
        ("packet 1 options", "only <>", "<mss 1460,sackOK,TS val 7 ecr 0,nop,wscale 7>"),
    ]


def test_the_echoed_timestamp_may_be_asked_for_alone() -> None:
    seen = timeline(handshake()[:1])
    assert match(expected("S <TS ecr 0>"), seen).status == "matched"
    assert match(expected("S <TS ecr 7>"), seen).mismatches[1] == ("packet 1 option TS", "7", "7/0")


def test_sack_blocks_are_relative() -> None:
    blocks = (SERVER_ISN + 11, SERVER_ISN + 21)
    late = delivered(9 * MS, "client", "server", "A", CLIENT_ISN + 1, SERVER_ISN + 1, options=[("SAck", blocks)])
    assert status(expected(*OPENING, ". ack 1 <sack 1 {11:21}>"), timeline(handshake(), late)) == "matched"
    assert status(expected(*OPENING, ". ack 1 <sack 1 {11:22}>"), timeline(handshake(), late)) == "mismatch"


def test_numbers_are_relative_over_the_whole_timeline_not_the_window() -> None:
    seen = timeline(handshake(), data(10 * MS, 2))
    window = expected("client > server P. seq 1 ack 1 len 10", 'client > server P. seq 11 ack 1 data "0123456789"')
    assert match(window, seen, 3 * MS, 20 * MS).status == "matched"
    assert match(window, seen, 3 * MS, 10 * MS).status == "pending"
    assert match(window, seen, 10 * MS, 20 * MS).status == "mismatch"


def test_a_set_in_any_order() -> None:
    seen = timeline(handshake(), data(10 * MS, 2))
    right = (
        ("client > server P. {2}", "client > server .", "server > client", "client > server S"),
        ("tcp {5}",),
        ("client > server", "client > server S", "server > client", "client > server P. {1,2}"),
        ("S.", "..."),
    )
    wrong = (("client > server {4}",), ("server > client {2}", "..."), ("client > server {3}", "server > client"))
    assert [status(expected(*one, unordered=True), seen) for one in right] == ["matched"] * len(right)
    assert [status(expected(*one, unordered=True), seen) for one in wrong] == ["mismatch"] * len(wrong)
    waiting = expected("server > client F.", "...", unordered=True)
    assert match(waiting, seen).status == "pending"
    assert match(waiting, seen, final=True).mismatches == (("pattern 1", "server > client F.", "none"),)
    extra = match(expected("client > server {4}", unordered=True), seen)
    assert (extra.first_wrong, extra.mismatches[1]) == (2, ("packet 2 source", "client", "server"))


def test_time_since_the_packet_matched_before() -> None:
    seen = timeline(handshake())
    syn, answer, ack = "client > server S", "server > client S.", "client > server ."
    assert status(expected(syn, f"{answer} after >=1ms", f"{ack} after >=1ms, <2ms"), seen) == "matched"
    assert match(expected(syn, f"{answer} after >1ms", ack), seen).mismatches[1] == ("packet 2 after", ">1ms", "1.000ms")
    assert status(expected(syn, answer, f"{ack} after <1ms"), seen) == "mismatch"
    assert status(expected(syn, answer, f"{ack} after <1ms"), timeline(handshake(), slack=1)) == "matched"
    assert status(expected(syn, "...", f"{ack} after >=2ms"), seen) == "matched"
    assert match(expected(f"{ack} after >=1ms, <=1ms"), seen, 2 * MS, 9 * MS).status == "matched"


def test_endpoints_by_interface_port_and_address() -> None:
    seen = timeline(handshake()[:2])
    right = ("client.eth0 > server:80 S", "client:40000 > server.eth0:80 S", "10.0.0.1 > 10.0.0.2:80 S", "* > server S", "S")
    wrong = ("client:80 > server S", "client > server.eth1 S", "server > client S", "clinet > server S", "10.0.0.3 > server S")
    assert [status(expected(one), seen) for one in right] == ["matched"] * len(right)
    assert [match(expected(one), seen).mismatches[1] for one in wrong] == [
        ("packet 1 source", "client:80", "client:40000"),
        ("packet 1 target", "server.eth1", "server (10.0.0.2)"),
        ("packet 1 source", "server", "client"),
        ("packet 1 source", "clinet (no such node)", "client"),
        ("packet 1 source", "10.0.0.3", "client"),
    ]


def routed(time: int, source: str, target: str) -> list[Packet]:
    """A datagram through a router: four sightings."""
    passing = frame(IP(src=source, dst=target) / UDP(sport=1, dport=2))
    return [
        sent(time, "client", passing),
        sent(time + 1, "router", passing, "in", "eth0"),
        sent(time + 2, "router", passing, "out", "eth1"),
        sent(time + 3, "server", passing, "in"),
    ]


def test_where_one_looks() -> None:
    nodes = {**NODES, "router": Node(kind="router", addresses={"eth0": ("10.0.0.254",), "eth1": ("10.0.2.254",)})}
    seen = Timeline(observations=tuple(routed(0, "10.0.0.1", "10.0.0.2")), nodes=nodes)
    for view, used in (
        (expected("client > server udp"), (0,)),
        (expected("client > server udp", arrived=True), (3,)),
        (expected("client > server udp", at="router:eth0"), (1,)),
        (expected("client > server udp", at="router:eth1"), (2,)),
    ):
        assert match(view, seen) == PacketMatch(status="matched", used=used)
    lost = Timeline(observations=seen.observations[:2], nodes=nodes)
    assert match(expected("client > server udp", arrived=True), lost, final=True).status == "mismatch"
    broadcast = frame(IP(src="10.0.0.1", dst="10.0.0.255") / UDP(), "ff:ff:ff:ff:ff:ff")
    everybody = Timeline(observations=(sent(0, "client", broadcast), sent(1, "server", broadcast, "in")), nodes=nodes)
    assert match(expected("client > 10.0.0.255 udp", arrived=True), everybody).used == (1,)


def test_a_peer_owns_all_that_it_sends_and_a_switch_nothing() -> None:
    nodes = {
        "p": Node(kind="peer", addresses={"eth0": ("10.0.0.1",)}),
        "sw": Node(kind="switch", addresses={}),
        "server": NODES["server"],
    }
    forged = segment("192.0.2.9", "server", "S", 1)
    seen = Timeline(observations=(sent(0, "p", forged), sent(1, "sw", forged), sent(2, "server", forged, "in")), nodes=nodes)
    assert match(expected("p > server S"), seen) == PacketMatch(status="matched", used=(0,))


def test_loopback_counts_once() -> None:
    itself = segment("127.0.0.1", "127.0.0.1", "S", 1)
    twice = (sent(0, "client", itself, "out", "lo"), sent(0, "client", itself, "in", "lo"))
    assert match(expected("client > client S"), Timeline(observations=twice, nodes=NODES)).used == (1,)


def test_arp_and_neighbour_discovery_count_only_if_named() -> None:
    noise = [
        sent(1, "client", frame(ARP(op=1, psrc="10.0.0.1", pdst="10.0.0.2"))),
        sent(2, "client", frame(IPv6(src="fe80::1", dst="ff02::1:ff00:2") / ICMPv6ND_NS(tgt="fd00::2"))),
        sent(3, "client", frame(IPv6(src="fe80::1", dst="ff02::2") / ICMPv6ND_RS())),
    ]
    seen = timeline(noise, handshake())
    assert match(expected(*OPENING), seen).used == (3, 5, 7)
    assert match(expected("client > server arp request", *OPENING), seen).used == (0, 3, 5, 7)
    named = expected("client > ff02::1:ff00:2 icmp6 neighbour-solicitation", *OPENING)
    assert match(named, seen).used == (1, 3, 5, 7)
    everything = expected("arp op 1", "icmp6 type 135", "icmp6 type 133", *OPENING, including=("arp", "nd"))
    assert match(everything, seen).used == (0, 1, 2, 3, 5, 7)
    assert match(expected(*OPENING, including=("nd",)), seen).status == "mismatch"


def test_a_checksum_left_to_a_device_is_not_judged() -> None:
    wrong = segment("client", "server", "S", 1, chksum=1)
    pattern = parse_packet("client > server S")
    checked = PacketsExpected(patterns=(type(pattern)(source="client", flags=frozenset("S"), fields=(("checksum", 1),)),))
    judged, unjudged = (timeline([sent(0, "client", wrong, checksum_valid=valid)]) for valid in (True, False))
    assert match(checked, judged).mismatches == (
        ("packet 1", "client >  S checksum 1", "client > server S seq 0 win 8192 len 0 (wrong checksum)"),
        ("packet 1 checksum", "1", "0"),
    )
    assert match(checked, unjudged).status == "matched"
