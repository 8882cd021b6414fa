"""What a hand-driven peer keeps of a connection and what it would send, without a network."""

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether

from netlab.errors import StepError
from netlab.notation.parse import parse_packet
from netlab.timeline.headers import Headers, decode
from netlab.workload.segments import INITIAL, Connection

HOST = 4_294_967_290
"""The host's initial number: its seventh byte is past the wrap."""


def heard(flags: str, relative: int, data: bytes = b"", initial: int = HOST) -> Headers:
    tcp = TCP(sport=5000, dport=80, flags=flags, seq=(initial + relative) % 2**32)
    return decode(bytes(Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / IP(src="10.0.0.1", dst="10.0.0.2") / tcp / data))


def opened() -> Connection:
    syn = heard("S", 0)
    connection = Connection(syn, "eth0", "02:00:00:00:00:02")
    connection.hear(syn)
    return connection


def sent(connection: Connection, pattern: str) -> Headers:
    headers = decode(connection.craft(parse_packet(pattern)))
    assert (headers.checksum, headers.malformed) == (True, "")
    return headers


def numbers(headers: Headers) -> tuple[int, int]:
    assert headers.seq is not None
    assert headers.ack is not None
    return (headers.seq - INITIAL) % 2**32, (headers.ack - HOST) % 2**32


def test_a_handshake_and_data_have_the_usual_numbers() -> None:
    connection = opened()
    answer = sent(connection, "S. <mss 1000,sackOK,nop,wscale 7>")
    assert numbers(answer) == (0, 1)
    assert (answer.source, answer.sport, answer.target, answer.dport) == ("10.0.0.2", 80, "10.0.0.1", 5000)
    assert (answer.source_mac, answer.target_mac) == ("02:00:00:00:00:02", "02:00:00:00:00:01")
    assert answer.options[:4] == (("mss", "1000"), ("sackOK", ""), ("nop", ""), ("wscale", "7"))
    connection.hear(heard("A", 1))
    connection.hear(heard("PA", 1, b"ten bytes."))
    data = sent(connection, 'P. data "hello"')
    assert (numbers(data), data.payload, data.window) == ((1, 11), b"hello", 65535)
    assert numbers(sent(connection, "F.")) == (6, 11)
    assert numbers(sent(connection, ".")) == (7, 11)


def test_only_what_came_in_order_is_acknowledged() -> None:
    connection = opened()
    connection.hear(heard("PA", 11, b"second"))
    connection.hear(heard("FA", 17))
    assert numbers(sent(connection, "."))[1] == 1
    connection.hear(heard("PA", 1, b"ten bytes."))
    assert numbers(sent(connection, "."))[1] == 18
    connection.hear(heard("PA", 1, b"ten bytes."))
    assert numbers(sent(connection, "."))[1] == 18


def test_numbers_that_are_given_are_relative_and_move_nothing() -> None:
    connection = opened()
    sent(connection, "S.")
    assert numbers(sent(connection, ". seq 1001 ack 5 win 0")) == (1001, 5)
    assert numbers(sent(connection, "R seq -100000")) == (2**32 - 100000, -HOST % 2**32)
    assert numbers(sent(connection, ". ack -1 len 3")) == (1, 2**32 - 1)
    assert numbers(sent(connection, ".")) == (4, 1)


def test_a_syn_is_sent_again_with_the_same_number() -> None:
    connection = opened()
    assert numbers(sent(connection, "S"))[0] == 0
    assert numbers(sent(connection, "S.")) == (0, 1)
    assert numbers(sent(connection, "."))[0] == 1


def test_without_a_syn_of_its_own_its_numbers_are_absolute() -> None:
    reset = sent(opened(), "R.")
    assert reset.seq == 0
    assert reset.ack == HOST + 1


def test_a_syn_with_another_number_opens_anew() -> None:
    connection = opened()
    assert not connection.reopened_by(heard("S", 0))
    assert not connection.reopened_by(heard("A", 1))
    assert connection.reopened_by(heard("S", 5))


def test_ipv6_and_its_fields() -> None:
    syn = decode(
        bytes(
            Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
            / IPv6(src="fd00::1", dst="fd00::2")
            / TCP(sport=5000, dport=80, flags="S", seq=5)
        )
    )
    connection = Connection(syn, "eth0", "02:00:00:00:00:02")
    connection.hear(syn)
    answer = sent(connection, "S. ttl 3")
    assert (answer.version, answer.source, answer.target, answer.ttl, answer.ack) == (6, "fd00::2", "fd00::1", 3, 6)


def test_a_timestamp_alone_echoes_the_latest_of_the_host() -> None:
    connection = opened()
    assert sent(connection, "S. <TS 7>").options[0] == ("TS", "7/0")
    stamped = TCP(sport=5000, dport=80, flags="A", seq=HOST + 1, options=[("Timestamp", (55, 7))])
    connection.hear(decode(bytes(Ether() / IP(src="10.0.0.1", dst="10.0.0.2") / stamped)))
    assert sent(connection, ". <TS 8>").options[0] == ("TS", "8/55")
    assert sent(connection, ". <TS 8/3>").options[0] == ("TS", "8/3")


def test_options_of_all_kinds() -> None:
    connection = opened()
    answer = sent(connection, ". <nop,nop,TS val 5 ecr 6,sack 11:21,unknown-253 abcd>")
    block = f"{HOST + 11 - 2**32}:{HOST + 21 - 2**32}"
    assert answer.options[:5] == (("nop", ""), ("nop", ""), ("TS", "5/6"), ("sack", block), ("unknown-253", "abcd"))


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("udp", "a peer sends TCP segments"),
        ("seq 1", "a peer sends TCP segments"),
        (". win 65536", "win 65536 does not fit"),
        ('. len 3 data "hello"', "len 3 and data of 5 bytes"),
        (". type 3", "type is no field that a peer sets"),
        ("S <mss>", r"cannot send the TCP option <mss>: write its whole value"),
    ],
)
def test_what_cannot_be_sent_is_refused(pattern: str, message: str) -> None:
    with pytest.raises(StepError, match=message):
        opened().craft(parse_packet(pattern))
