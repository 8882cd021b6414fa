"""What the rules of a link decide, frame by frame, without a link."""

from networks import HERE, two_hosts
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6ND_NS, IPv6
from scapy.layers.l2 import ARP, Dot1Q, Ether

from netlab.impair.rules import LinkRules
from netlab.notation.parse import parse_packet
from netlab.timeline.timeline import Node
from netlab.topology.spec import Rule

NODES = {
    "client": Node(kind="host", addresses={"eth0": ("10.0.0.1", "fd00::1")}),
    "server": Node(kind="host", addresses={"eth0": ("10.0.0.2", "fd00::2")}),
}
THERE, BACK = ("client", "server"), ("server", "client")


def frame(**fields: object) -> Ether:
    """With both hardware addresses given, or scapy would go and ask the network for them."""
    return Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02", **fields)


def rule(pattern: str, action: str = "drop", *nth: int, barrier: str = "") -> Rule:
    return Rule(match=parse_packet(pattern), action=action, occurrences=frozenset(nth), barrier=barrier, place=HERE)


def rules(*wanted: tuple[tuple[str, str], tuple[Rule, ...]]) -> LinkRules:
    return LinkRules(two_hosts(*wanted).links[0], NODES)


def segment(flags: str, seq: int = 0, ack: int = 0, data: bytes = b"", back: bool = False, **fields: object) -> bytes:
    source, target = ("10.0.0.2", "10.0.0.1") if back else ("10.0.0.1", "10.0.0.2")
    sport, dport = (80, 5000) if back else (5000, 80)
    return bytes(
        frame() / IP(src=source, dst=target) / TCP(sport=sport, dport=dport, flags=flags, seq=seq, ack=ack, **fields) / data
    )


def acts(decider: LinkRules, *frames: bytes, direction: int = 0) -> list[tuple[str, int] | None]:
    rulings = [decider.ruling(frame, direction) for frame in frames]
    return [None if ruling is None else (ruling.rule.action, ruling.occurrence) for ruling in rulings]


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


def test_a_rule_whose_barrier_was_released_counts_but_lets_pass() -> None:
    decider = rules((THERE, (rule("S", "hold", barrier="syns"),)))
    assert decider.barriers == {"syns"}
    assert decider.ruling(segment("S"), 0, {"syns"}) is None
    ruling = decider.ruling(segment("S"), 0)
    assert ruling is not None
    assert (ruling.occurrence, ruling.text) == (2, "S")
    assert ruling.packet == "client:5000 > server:80 S seq 0 win 8192 len 0"


def test_frames_that_make_no_sense_pass() -> None:
    decider = rules((THERE, (rule("..."), rule("S"))))
    assert acts(decider, b"", b"\0" * 13, segment("S")[:20]) == [None, None, None]
