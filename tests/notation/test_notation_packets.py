"""Packet patterns as people write them become data; what is wrong is named with its column and a fix."""

from dataclasses import replace

import pytest

from netlab.notation.calls import Bound
from netlab.notation.packets import PacketPattern
from netlab.notation.parse import NotationError, parse_packet
from netlab.units import milliseconds

BOTH = PacketPattern(source="client", target="server")
TCP = replace(BOTH, protocol="tcp")

PATTERNS = [
    ("client > server", BOTH),
    ("client > server S <mss 1460, sackOK>", replace(TCP, flags=frozenset("S"), options=(("mss", "1460"), ("sackOK", "")))),
    ("client > server S.", replace(TCP, flags=frozenset("S."))),
    (
        "client:5000 > server:8080 . seq 1 ack 1 len 0 win 0",
        PacketPattern(
            source="client:5000",
            target="server:8080",
            protocol="tcp",
            flags=frozenset("."),
            fields=(("seq", 1), ("ack", 1), ("len", 0), ("win", 0)),
        ),
    ),
    (
        "S. ack 1 win 65535 <mss 1000>",
        PacketPattern(protocol="tcp", flags=frozenset("S."), fields=(("ack", 1), ("win", 65535)), options=(("mss", "1000"),)),
    ),
    ("client > server R seq -99999", replace(TCP, flags=frozenset("R"), fields=(("seq", -99999),))),
    ("client > server SEW", replace(TCP, flags=frozenset("SEW"))),
    ("client > server tcp len 5", replace(TCP, fields=(("len", 5),))),
    ("client > server tcp len 1448 df 1", replace(TCP, fields=(("len", 1448), ("df", 1)))),
    ("client > server udp len 2", replace(BOTH, protocol="udp", fields=(("len", 2),))),
    ("udp fragment 1480 mf 1 len 1480", PacketPattern(protocol="udp", fields=(("fragment", 1480), ("mf", 1), ("len", 1480)))),
    ("client > server igmp v3-report", replace(BOTH, protocol="igmp", fields=(("type", 34),))),
    ("client > server icmp unreachable port", replace(BOTH, protocol="icmp", fields=(("type", 3), ("code", 3)))),
    ("client > server icmp6 unreachable port", replace(BOTH, protocol="icmp6", fields=(("type", 1), ("code", 4)))),
    ("client > server icmp echo-request", replace(BOTH, protocol="icmp", fields=(("type", 8),))),
    ("icmp type 3 code 4 mtu 1400", PacketPattern(protocol="icmp", fields=(("type", 3), ("code", 4), ("mtu", 1400)))),
    ("client > server arp", replace(BOTH, protocol="arp")),
    ("client > server arp reply", replace(BOTH, protocol="arp", fields=(("op", 2),))),
    ("...", PacketPattern(any=True, count=(0, None))),
    ("client > server . {3}", replace(TCP, flags=frozenset("."), count=(3, 3))),
    ("client > server . {2,5}", replace(TCP, flags=frozenset("."), count=(2, 5))),
    ("client > server F. ?", replace(TCP, flags=frozenset("F."), count=(0, 1))),
    (
        "client > server S after >=180ms, <2s {2}",
        replace(TCP, flags=frozenset("S"), after=(Bound(">=", milliseconds(180)), Bound("<", milliseconds(2000))), count=(2, 2)),
    ),
    ("client > server S <mss 1460 only>", replace(TCP, flags=frozenset("S"), options=(("mss", "1460"),), options_only=True)),
    ("client > server . <only>", replace(TCP, flags=frozenset("."), options_only=True)),
    (
        "client > server . <nop,nop,TS val 5 ecr 6>",
        replace(TCP, flags=frozenset("."), options=(("nop", ""), ("nop", ""), ("TS", "val 5 ecr 6"))),
    ),
    ('client > server P. data "hello"', replace(TCP, flags=frozenset("P."), data=b"hello")),
    ("client > server P. data buf(4)", replace(TCP, flags=frozenset("P."), data=b"abcd")),
]


@pytest.mark.parametrize(("text", "pattern"), PATTERNS, ids=[text for text, _ in PATTERNS])
def test_patterns(text: str, pattern: PacketPattern) -> None:
    assert parse_packet(text) == replace(pattern, text=text)


WRONG = [
    ("", 0, "write for example client > server S, or ... for any packets"),
    ("client server S", 0, "endpoints are written client > server"),
    ("> server S", 0, "write client > server, or leave both out when any will do"),
    ("client > server SX", 16, "the flags are S F R P U E W . (. is ACK)"),
    ("client > server s", 16, 'did you mean "S"?'),
    ("client > server SS", 16, ""),
    ("client > server tpc", 16, 'did you mean "tcp"?'),
    ("client > server S sek 1", 18, 'did you mean "seq"?'),
    ("client > server S seq", 21, ""),
    ("client > server S seq 1 seq 2", 24, ""),
    ("client > server S <ms 1460>", 19, 'did you mean "mss"?'),
    ("client > server S <ts val 1>", 19, 'did you mean "TS"?'),
    ("client > server S <mss x>", 19, "leave it out: <mss> matches any"),
    ("client > server S <mss 1", 18, "add a closing >"),
    ("client > server icmp unreachable prot", 33, 'did you mean "port"?'),
    ("client > server icmp unreachble", 21, 'did you mean "unreachable"?'),
    ("client > server S {5,2}", 18, ""),
    ("client > server S after 5", 24, "write for example after >=95ms or after <1s"),
    ("... S", 4, ""),
]


@pytest.mark.parametrize(("text", "offset", "fix"), WRONG, ids=[text for text, _, _ in WRONG])
def test_what_is_wrong_is_told_with_its_column_and_fix(text: str, offset: int, fix: str) -> None:
    with pytest.raises(NotationError) as caught:
        parse_packet(text)
    assert (caught.value.offset, caught.value.fix) == (offset, fix), str(caught.value)


def test_a_bound_on_time_is_no_pair_of_endpoints() -> None:
    pattern = parse_packet("S. after >=1ms")
    assert (pattern.source, pattern.flags, len(pattern.after)) == ("", frozenset("S."), 1)
