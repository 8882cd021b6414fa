"""The tables of constants and signatures, the buffer pattern, and socket addresses in bytes."""

import errno
import itertools
import select
import socket
import struct

import pytest

from netlab.notation import constants, sockaddr
from netlab.notation.parse import parse_value
from netlab.notation.pattern import pattern
from netlab.notation.printing import print_data
from netlab.notation.signatures import SIGNATURES
from netlab.notation.values import Name, Number


def test_constants_have_linux_numbers() -> None:
    wanted = {
        "AF_INET6": socket.AF_INET6,
        "PF_INET6": socket.AF_INET6,
        "POLLIN": select.POLLIN,
        "EAGAIN": errno.EAGAIN,
        "TCP_REPAIR": 19,
        "SO_COOKIE": 57,
        "IP_RECVERR": 11,
        "SIOCINQ": 0x541B,
        "SIOCATMARK": 0x8905,
        "EPOLL_CTL_ADD": 1,
    }
    assert {name: constants.constant(name) for name in wanted} == wanted


def test_an_unknown_constant_is_refused_and_a_close_one_suggested() -> None:
    assert not constants.known("SOCK_STREM")
    with pytest.raises(ValueError, match="SOCK_STREM"):
        constants.constant("SOCK_STREM")
    assert constants.suggest("SOCK_STREM") == "SOCK_STREAM"
    assert constants.suggest("ZZZZZZ") == ""


def test_each_errno_has_one_name() -> None:
    assert [constants.errno_name(number) for number in (0, 11, 35, 95, 111, 524, 4000)] == [
        "", "EAGAIN", "EDEADLK", "EOPNOTSUPP", "ECONNREFUSED", "ENOTSUPP", "errno 4000",
    ]  # fmt: skip


def test_bits_are_named_lowest_first_and_the_rest_shown() -> None:
    assert constants.flag_names("POLL", 0x2011) == "POLLIN|POLLHUP|POLLRDHUP"
    assert constants.flag_names("MSG_", 0x28) == "MSG_CTRUNC|MSG_TRUNC"
    assert constants.flag_names("POLL", 0) == "0"
    assert constants.flag_names("POLL", 0x4001) == "POLLIN|0x4000"


def test_every_signature_has_a_source_and_what_it_names() -> None:
    assert all(signature.source and signature.usage.startswith(f"{name}(") for name, signature in SIGNATURES.items())
    assert {name for name, signature in SIGNATURES.items() if signature.names == 2} == {"socketpair", "pipe", "pipe2"}
    assert {name for name, signature in SIGNATURES.items() if not signature.libc} == {
        "fill_fds", "exported", "exit", "sleep", "kill", "default", "handle", "interrupt", "unused_port", "addr", "fill",
        "lowest_free", "same_file", "tcp_state", "exec_has_fd", "mkfile", "child", "after",
    }  # fmt: skip


def test_what_is_required_is_assigned_before_what_may_be_left_out() -> None:
    short = SIGNATURES["accept4"].assign((Name("s"), Number(4)))
    assert [(parameter.name, value) for parameter, value in short] == [
        ("fd", Name("s")), ("address", None), ("length", None), ("flags", Number(4)),
    ]  # fmt: skip


def test_no_byte_of_the_pattern_equals_its_neighbour() -> None:
    data = pattern(9000)
    assert len(data) == 9000
    assert all(left != right for left, right in itertools.pairwise(data))
    assert pattern(5) == b"abcde"


def test_equal_data_prints_the_same_and_long_data_prints_short() -> None:
    assert print_data(b"abc") == '"abc"'
    assert print_data(pattern(3000)) == "buf(3000)"
    long = bytes(5000)
    assert print_data(long) == print_data(bytes(5000)) != print_data(bytes(4999) + b"x")
    assert len(print_data(long)) < 100


def test_addresses_in_bytes() -> None:
    assert sockaddr.pack_ip("10.0.0.1", 80) == struct.pack("=H", 2) + bytes([0, 80, 10, 0, 0, 1]) + bytes(8)
    assert len(sockaddr.pack_ip("::1", 80)) == 28
    assert sockaddr.pack_abstract("h") == struct.pack("=H", 1) + b"\0h"
    assert sockaddr.pack_unix("s1") == struct.pack("=H", 1) + b"s1\0"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (sockaddr.pack_ip("10.0.0.1", 80), "10.0.0.1:80"),
        (sockaddr.pack_ip("fe80::1", 80, 3), "[fe80::1%3]:80"),
        (sockaddr.pack_ip("::ffff:127.0.0.1", 9), "[::ffff:127.0.0.1]:9"),
        (sockaddr.pack_unix("s1"), "unix:s1"),
        (sockaddr.pack_abstract("00001"), "abstract:00001"),
        (sockaddr.pack_family(1, 2), "unixfamilyonly"),
        (sockaddr.pack_family(0), "unspec"),
        (sockaddr.pack_family(7), "family7"),
        (b"", ""),
    ],
)
def test_bytes_as_the_notation_writes_them(raw: bytes, text: str) -> None:
    assert sockaddr.unpack(raw) == text
    if text:
        parse_value(text)


def test_variants_keep_the_port_or_drop_it() -> None:
    raw = sockaddr.pack_ip("10.0.0.7", 80)
    variants = ("", "v4", "v6", "any4", "any6", "mapped", "port0")
    assert [sockaddr.unpack(sockaddr.vary(raw, variant)) for variant in variants] == [
        "10.0.0.7:80", "127.0.0.1:80", "[::1]:80", "0.0.0.0:80", "[::]:80", "[::ffff:10.0.0.7]:80", "10.0.0.7:0",
    ]  # fmt: skip
    with pytest.raises(ValueError, match="no IP address"):
        sockaddr.vary(sockaddr.pack_unix("s"), "v4")
