"""Relative sequence numbers, and the line that tells of a packet."""

from hand_written import CLIENT_ISN, MS, NODES, SERVER_ISN, delivered, frame, handshake, segment, sent, timeline
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.l2 import ARP

from netlab.timeline.headers import decode
from netlab.timeline.streams import Numberer, Numbers, describe, packets_of


def numbers(*packets: object) -> list[tuple[int | None, int | None]]:
    """Relative seq and ack of what was sent, in order."""
    seen = packets_of(timeline(*packets).observations)  # type: ignore[arg-type]
    return [(one.numbers.seq, one.numbers.ack) for one in seen if one.packet.direction == "out"]


def test_numbers_count_from_each_syn_and_wrap() -> None:
    data = delivered(4 * MS, "client", "server", "PA", CLIENT_ISN + 1, SERVER_ISN + 1, b"hello")
    answer = delivered(5 * MS, "server", "client", "A", SERVER_ISN + 1, (CLIENT_ISN + 6) % 2**32)
    before = delivered(6 * MS, "server", "client", "A", SERVER_ISN - 9, (CLIENT_ISN + 6) % 2**32)
    assert numbers(handshake(), data, answer, before) == [(0, None), (0, 1), (1, 1), (1, 1), (1, 6), (-9, 6)]


def test_a_connection_that_was_forgotten_is_a_new_one() -> None:
    numberer = Numberer()
    syn, data = (decode(bytes(segment("client", "server", flags, seq))) for flags, seq in (("S", 100), ("PA", 101)))
    numberer.numbers(syn)
    assert syn.sport is not None
    assert syn.dport is not None
    assert numberer.numbers(data).seq == 1
    numberer.forget((syn.target, syn.dport), (syn.source, syn.sport))
    assert numberer.numbers(data).seq == 101


def test_a_reset_of_who_never_sent_a_syn_is_absolute() -> None:
    refused = [
        *delivered(1, "client", "server", "S", 100),
        *delivered(2, "server", "client", "RA", 0, 101),
    ]
    assert numbers(refused) == [(0, None), (0, 1)]
    assert numbers(delivered(1, "server", "client", "R", 77)) == [(77, None)]


def test_a_new_syn_that_is_answered_starts_anew() -> None:
    again = [
        *delivered(9 * MS, "client", "server", "S", 70_000),
        *delivered(10 * MS, "server", "client", "SA", 90_000, 70_001),
        *delivered(11 * MS, "client", "server", "A", 70_001, 90_001),
    ]
    assert numbers(handshake(), again)[3:] == [(0, None), (0, 1), (1, 1)]


def test_a_new_syn_that_is_refused_leaves_the_other_side_without_a_syn() -> None:
    again = [*delivered(9 * MS, "client", "server", "S", 70_000), *delivered(10 * MS, "server", "client", "RA", 0, 70_001)]
    assert numbers(handshake(), again)[3:] == [(0, None), (0, 1)]


def test_a_syn_inside_a_connection_is_answered_by_an_ack_of_the_old_one() -> None:
    challenge = [
        *delivered(9 * MS, "client", "server", "S", 70_000),
        *delivered(10 * MS, "server", "client", "A", SERVER_ISN + 1, CLIENT_ISN + 1),
        *delivered(11 * MS, "client", "server", "PA", CLIENT_ISN + 1, SERVER_ISN + 1, b"x"),
    ]
    assert numbers(handshake(), challenge)[3:] == [(0, None), (1, 1), (1, 1)]


def test_simultaneous_open_and_a_socket_connected_to_itself() -> None:
    both = [
        *delivered(1, "client", "server", "S", 100),
        *delivered(2, "server", "client", "S", 200),
        *delivered(20, "client", "server", "SA", 100, 201),
        *delivered(21, "server", "client", "SA", 200, 101),
    ]
    assert numbers(both) == [(0, None), (0, None), (0, 1), (0, 1)]
    ports = {"ports": (5, 5)}
    itself = [
        sent(1, "client", segment("client", "client", "S", 100, **ports)),  # type: ignore[arg-type]
        sent(2, "client", segment("client", "client", "SA", 100, 101, **ports)),  # type: ignore[arg-type]
        sent(3, "client", segment("client", "client", "A", 101, 101, **ports)),  # type: ignore[arg-type]
    ]
    assert numbers(itself) == [(0, None), (0, 1), (1, 1)]


def test_a_syn_lost_on_its_way_is_known_to_the_other_node() -> None:
    lost = [sent(1, "client", segment("client", "server", "S", 100))]
    answer = [sent(2, "server", segment("server", "client", "A", 7, 101, ports=(80, 40000)))]
    assert numbers(lost, answer) == [(0, None), (7, 1)]


def test_a_held_packet_is_numbered_as_its_receiver_knows_it() -> None:
    """An old connection's segment arrives after the sender began another: to the receiver it is still of the old one."""
    old = segment("client", "server", "PA", CLIENT_ISN + 1, SERVER_ISN + 1, b"late")
    new = segment("client", "server", "S", 70_000)
    seen = packets_of(
        timeline(
            handshake(), [sent(9 * MS, "client", new), sent(10 * MS, "server", old, "in"), sent(11 * MS, "server", new, "in")]
        ).observations
    )
    assert [one.numbers for one in seen[-3:]] == [Numbers(0), Numbers(1, 1), Numbers(0)]


def test_describe_is_close_to_tcpdump_with_names() -> None:
    seen = packets_of(timeline(handshake()).observations)
    assert describe(seen[2], NODES) == (
        "server > client S. seq 0 ack 1 win 65160 <mss 1460,sackOK,TS val 7 ecr 0,nop,wscale 7> len 0"
    )
    assert describe(seen[4], NODES, ports=True) == "client:40000 > server:80 . seq 1 ack 1 win 502 len 0"
    assert describe(seen[4]) == "10.0.0.1 > 10.0.0.2 . seq 1 ack 1 win 502 len 0"
    others = [
        sent(1, "client", frame(IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=1, dport=2) / b"abc")),
        sent(2, "server", frame(IP(src="10.0.0.2", dst="10.0.0.1") / ICMP(type=3, code=3) / b"abcd")),
        sent(3, "client", frame(ARP(op=1, psrc="10.0.0.1", pdst="10.0.0.2"))),
        sent(4, "client", frame(IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=1, dport=2, chksum=1))),
        sent(5, "client", frame(IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=1, dport=2, chksum=1)), checksum_valid=False),
        sent(6, "client", bytes(14)),
    ]
    assert [describe(one, NODES) for one in packets_of(others)] == [
        "client > server udp len 3",
        "server > client icmp type 3 code 3 len 12",
        "client > server arp type 1",
        "client > server udp len 0 (wrong checksum)",
        "client > server udp len 0",
        "00:00:00:00:00:00 > 00:00:00:00:00:00 ethertype 0x0000",
    ]
