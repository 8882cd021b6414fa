"""Drops by the kernel: the same packets as the rules decide on in user space, frame by frame; counted; and what it must leave."""

import socket
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any

import pytest
from networks import HERE, two_hosts
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import (
    ICMPv6EchoRequest,
    ICMPv6MLReport2,
    ICMPv6ND_NS,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
)
from scapy.layers.l2 import ARP, Dot1Q, Ether
from wired import on_one_processor

from netlab.impair.in_kernel import InKernel, netfilter_of
from netlab.impair.kernel_rules import why_not
from netlab.impair.rules import LinkRules
from netlab.lab.lab import Lab
from netlab.notation.parse import parse_packet
from netlab.timeline.timeline import Node
from netlab.topology.spec import Rule, Topology

pytestmark = pytest.mark.netns

THERE = ("client", "server")
SOURCE = "02:00:00:00:00:77"  # of no interface, so that no frame of the hosts' own is taken for one
END = bytes.fromhex("88b5") + b"the end".ljust(50, b"\0")


def rule(pattern: str, *nth: int, action: str = "drop", **fields: Any) -> Rule:
    return Rule(match=parse_packet(pattern), action=action, occurrences=frozenset(nth), place=HERE, **fields)


def anew(*rules: Rule) -> list[tuple[Rule, int]]:
    """Rules that have matched nothing yet."""
    return [(one, 0) for one in rules]


def ends(version: int, back: bool = False, **fields: Any) -> Any:
    source, target = ("10.0.0.1", "10.0.0.2") if version == 4 else ("fd00::1", "fd00::2")
    if back:
        source, target = target, source
    fields = {"src": source, "dst": target, **fields}
    return IP(**fields) if version == 4 else IPv6(**fields)


def frames() -> list[bytes]:
    """All kinds, each several times, each with bytes of its own."""
    packets: list[Any] = []
    for turn in range(4):
        for version in (4, 6):
            for flags in ("S", "SA", "A", "PA", "FA", "R", "RA", "SEC"):
                data = b"" if "S" in flags else bytes([turn]) * 5
                packets.append(ends(version) / TCP(sport=5000, dport=80, seq=100 * turn, flags=flags, window=turn) / data)
            for port in (53, 54):
                packets.append(ends(version) / UDP(sport=port, dport=port) / bytes([turn] * (turn + 1)))
            marked: dict[str, Any] = {"tos": 0xB8} if version == 4 else {"tc": 0xB8}
            packets.append(ends(version, **marked) / UDP(sport=1, dport=53))
            near: dict[str, Any] = {"ttl": 3} if version == 4 else {"hlim": 3}
            packets.append(ends(version, **near) / UDP(sport=1, dport=9))
            packets.append(ends(version, src="192.0.2.7" if version == 4 else "2001:db8::7") / UDP(sport=2, dport=53))
            packets.append(ends(version, back=True) / UDP(sport=3, dport=53))
        packets += [
            ends(4) / ICMP(type=8, id=turn),
            ends(4, proto=132) / bytes([turn] * 12),
            ends(6) / ICMPv6EchoRequest(id=turn),
            ends(6, src="fe80::1", dst="fe80::2") / TCP(sport=7, dport=80, flags="S"),
            ends(6, hlim=255) / ICMPv6ND_NS(tgt="fd00::2"),
            ends(6, dst="ff02::16", hlim=1) / ICMPv6MLReport2(),
            ARP(psrc="10.0.0.1", pdst="10.0.0.2"),
            ends(4, options=[b"\x01\x01\x01\x01"]) / UDP(sport=5, dport=53) / bytes([turn]),
            ends(6) / IPv6ExtHdrDestOpt() / UDP(sport=6, dport=53) / bytes([turn]),
            ends(4, frag=4, proto=17) / bytes([turn] * 40),
            ends(6) / IPv6ExtHdrFragment(offset=8, nh=17, id=turn) / bytes([turn] * 40),
        ]
    made = [Ether(src=SOURCE, dst="02:00:00:00:00:09") / packet for packet in packets]
    made += [Ether(src=SOURCE, dst="02:00:00:00:00:09") / Dot1Q(vlan=7) / packet for packet in packets[:12]]
    return [bytes(one).ljust(60, b"\0") for one in made]


RULES: dict[str, Sequence[Rule]] = {
    "nothing": (),
    "all": (rule("..."),),
    "a protocol": (rule("tcp"), rule("icmp", 2), rule("icmp6", 2)),
    "flags": (rule("S", 1, 3), rule("S.", every=2), rule("P.")),
    "the nth of a direction": (rule("client > server udp", 2, 5, 9),),
    "every nth": (rule("udp", every=3),),
    "a range": (rule("udp", first=3, last=6), rule("tcp", first=20)),
    "exact ones of a range, every so many": (rule("udp", 2, 4, 5, 6, 12, first=3, last=8, every=2),),
    "none at all": (rule("udp", 1, first=2),),
    "ports": (rule("client > server:53 udp", every=2), rule("*:54 > * udp")),
    "addresses": (rule("10.0.0.1 > * udp", 1, 2), rule("[fd00::1]:5000 > server tcp", every=2), rule("* > 192.0.2.7", 1)),
    "the wrong way": (rule("server > client udp"),),
    "an interface": (rule("client.eth0 > server.eth0 S"),),
    "several that count together": (
        rule("udp", 3),
        rule("client > server udp", 3, 4, 7),
        rule("udp", 8),
    ),
    "fields": (rule("udp ttl 3"), rule("udp tos 184"), rule("udp len 2"), rule("tcp win 2"), rule("* > *:54 udp", 2)),
    "what must be named": (rule("arp", 2), rule("icmp6 type 135", 1, 3)),
}


@contextmanager
def lab_of(topology: Topology) -> Iterator[tuple[Lab, InKernel]]:
    with Lab(topology) as lab:
        (link,), (middle,) = topology.links, lab.middles.values()
        assert middle.sockets is not None
        nodes = {name: Node(kind=node.kind, addresses=node.addresses) for name, node in lab.nodes.items()}
        yield lab, InKernel(link, nodes, netfilter_of(middle), middle.sockets)


def impaired(*rules: Rule) -> Topology:
    """Two hosts and a middle in which frames are looked at one by one."""
    topology = two_hosts((THERE, rules))
    return replace(topology, links=(replace(topology.links[0], by_wire=True),))


def what_comes_through(lab: Lab, sent: Sequence[bytes], *, until: int | None = None) -> list[bytes]:
    """The frames that come out at the server, ``until`` so many have, or else until the last has that is sent after them."""
    with closing(lab["client"].space.packet_socket("eth0")) as client, closing(lab["server"].space.packet_socket("eth0")) as server:
        server.setsockopt(263, 8, 1)
        server.settimeout(20)
        with on_one_processor():
            for frame in (*sent, sent[0][:12] + END):
                client.send(frame)
        return seen_until_the_end(server, until)


def seen_until_the_end(tap: socket.socket, until: int | None = None) -> list[bytes]:
    """What a socket sees of the frames that were sent here, tags put in again; the end itself is none of them."""
    found: list[bytes] = []
    while until is None or len(found) < until:
        data, ancillary, _, _ = tap.recvmsg(1 << 16, 256)
        tag = next(value for level, name, value in ancillary if (level, name) == (263, 8))
        if int.from_bytes(tag[:4], "little") & 1 << 4:
            data = data[:12] + tag[18:20][::-1] + tag[16:18][::-1] + data[12:]
        if data.endswith(END):
            break
        if data[6:12] == bytes.fromhex(SOURCE.replace(":", "")):
            found.append(data)
    return found


@pytest.mark.parametrize("name", sorted(RULES))
def test_the_kernel_drops_what_the_rules_decide_frame_by_frame(name: str) -> None:
    rules, sent = RULES[name], frames()
    assert [why_not(one, recorded=False, seeded=False) for one in rules] == [""] * len(rules)
    topology = impaired(*rules)
    with lab_of(topology) as (lab, kernel):
        nodes = {name: Node(kind="host", addresses=node.addresses) for name, node in lab.nodes.items()}
        decider = LinkRules(topology.links[0], nodes)
        rulings = [decider.ruling(frame, 0) for frame in sent]
        kernel.carry(0, anew(*rules))
        came = what_comes_through(lab, sent)
        assert came == [frame for frame, ruling in zip(sent, rulings, strict=True) if ruling is None]
        dropped = [sum(ruling is not None and ruling.rule is one for ruling in rulings) for one in rules]
        assert [total.dropped for total in kernel.totals(0)] == dropped
        told = [(one.action, one.engine, one.direction, one.values["dropped"]) for one in kernel.decisions()]
        assert told == [("drop", "nft", "client->server", count) for count in dropped if count]


def test_a_dropped_syn_is_sent_again_and_data_flows_both_ways() -> None:
    with (
        lab_of(impaired()) as (lab, kernel),
        closing(lab["server"].socket()) as listener,
        closing(lab["client"].socket()) as client,
    ):
        kernel.carry(0, anew(rule("client > server S", 1)))
        kernel.carry(1, anew(rule("R")))
        listener.bind(("10.0.0.2", 8080))
        listener.listen()
        client.settimeout(20)
        client.connect(("10.0.0.2", 8080))
        accepted, _ = listener.accept()
        with accepted:
            client.sendall(b"hello")
            assert accepted.recv(10) == b"hello"
        assert [(total.matched, total.dropped) for total in kernel.totals(0)] == [(2, 1)]
        assert kernel.passed > 0


def test_chance_has_the_odds_that_were_asked_for() -> None:
    with lab_of(impaired()) as (lab, kernel):
        kernel.carry(0, anew(rule("udp", chance=0.25)))
        datagram = bytes(Ether(src=SOURCE, dst="02:00:00:00:00:09") / ends(4) / UDP(dport=53)).ljust(60, b"\0")
        came = sum(len(what_comes_through(lab, [datagram] * 100)) for _ in range(8))
        (total,) = kernel.totals(0)
        assert (total.matched, total.dropped) == (800, 800 - came)
        assert 120 < total.dropped < 290  # 200, by six standard deviations (12.2) or more


def test_what_is_given_back_is_seen_by_the_wire_alone() -> None:
    with lab_of(impaired()) as (lab, kernel):
        (middle,) = lab.middles.values()
        assert middle.sockets is not None
        near = middle.sockets[0]
        near.settimeout(20)
        frame = bytes(6) + bytes.fromhex(SOURCE.replace(":", "")) + END
        with (
            closing(lab["client"].space.packet_socket("eth0")) as client,
            closing(lab["server"].space.packet_socket("eth0")) as server,
        ):
            server.settimeout(20)
            kernel.carry(0, ())
            assert kernel.carries(0)
            client.send(frame)
            while server.recv(100) != frame:
                pass
            kernel.give_back(0)
            assert not kernel.carries(0)
            client.send(frame[:-1] + b"2")
            seen = near.recv(2000)
            while not seen.endswith(b"2"):
                assert seen != frame
                seen = near.recv(2000)


def test_the_kernel_forwards_segments_of_open_connections_and_leaves_all_else_to_the_wire() -> None:
    odd: list[Any] = [
        ends(4) / TCP(sport=5000, dport=80, flags="A") / bytes(1400),
        ends(4, options=[b"\x01\x01\x01\x01"]) / TCP(flags="PA") / b"x",
        ends(4, flags="MF", proto=6) / bytes(40),
        ends(4, flags="DF") / TCP(flags="PA") / b"x",
        ends(6) / IPv6ExtHdrDestOpt() / TCP(flags="PA") / b"x",
        ends(4, proto=6) / bytes(13),  # not as far as its flags
        ends(6, nh=6) / bytes(13),
    ]
    made = [bytes(Ether(src=SOURCE, dst="02:00:00:00:00:09") / packet) for packet in odd]
    sent = [*frames(), *made]
    with lab_of(impaired()) as (lab, kernel):
        (middle,) = lab.middles.values()
        assert middle.sockets is not None
        near = middle.sockets[0]
        near.setsockopt(263, 8, 1)
        near.settimeout(20)
        kernel.pass_by(0)
        assert not kernel.carries(0)
        past = [frame for frame in sent if is_past(frame)]
        # The end is left to the wire: it is the test that carries it here.
        came = what_comes_through(lab, sent, until=len(past))
        assert came == past
        assert kernel.passed == len(past)
        assert seen_until_the_end(near) == [frame for frame in sent if not is_past(frame)]
        assert 30 < len(past) < len(sent) - 30


def is_past(frame: bytes) -> bool:
    """The same said once more, of whole frames."""
    at = 18 if frame[12:14] == b"\x81\x00" else 14
    if frame[at - 2 : at] == b"\x86\xdd":
        return frame[at + 6] == 6 and len(frame) > at + 53 and not frame[at + 53] & 2
    if frame[at - 2 : at] != b"\x08\x00" or frame[at] != 0x45 or frame[at + 9] != 6 or len(frame) <= at + 33:
        return False
    return not int.from_bytes(frame[at + 6 : at + 8], "big") & 0x3FFF and not frame[at + 33] & 2
