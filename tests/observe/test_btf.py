"""The BTF reader on a blob written by hand, and on this machine's own."""

import struct

import pytest

from netlab.observe.btf import Btf
from netlab.observe.layout import BTF_PATH

TEXTS = b"\0outer\0a\0hidden\0flags\0TCP_THIS\0__bpf_trace_named\0__data\0first\0second\0btf_trace_class\0int\0"
INT, OUTER, UNION, POINTER = 1, 2, 3, 4


def text(name: str) -> int:
    return TEXTS.index(b"\0" + name.encode() + b"\0") + 1 if name else 0


def a_type(name: str, kind: int, size: int, *extra: int, members: int = 0, flag: bool = False) -> bytes:
    return struct.pack(f"=III{len(extra)}I", text(name), flag << 31 | kind << 24 | members, size, *extra)


def blob() -> bytes:
    types = b"".join(
        (
            a_type("int", 1, 4, 32),
            # struct outer { int a; union { int hidden; } at byte 8; int flags : 3 at bit 101; }
            a_type(
                *("outer", 4, 16),
                *(text("a"), INT, 0, 0, UNION, 64, text("flags"), INT, 3 << 24 | 101),
                members=3,
                flag=True,
            ),
            a_type("", 5, 4, text("hidden"), INT, 0, members=1),
            a_type("", 2, OUTER),
            a_type("", 6, 4, text("TCP_THIS"), 12, members=1),
            a_type("", 13, 0, text("__data"), POINTER, text("first"), INT, text("second"), POINTER, members=3),
            a_type("__bpf_trace_named", 12, 6),
            a_type("", 13, 0, 0, INT, 0, INT, 0, POINTER, members=3),
            a_type("", 2, 8),
            a_type("btf_trace_class", 8, 9),
        )
    )
    return struct.pack("=HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(types), len(types), len(TEXTS)) + types + TEXTS


def test_members_are_found_through_anonymous_unions() -> None:
    btf = Btf(blob())
    assert [btf.member("outer", path) for path in ("a", "hidden", "flags", "missing", "a.b")] == [0, 8, None, None, None]
    assert btf.member("uter", "a") is None


def test_enumerators() -> None:
    assert [Btf(blob()).enumerator(name) for name in ("TCP_THIS", "THIS", "TCP_THAT")] == [12, None, None]


def test_the_enumerators_of_an_enum() -> None:
    btf = Btf(blob())
    assert (btf.enumeration("outer"), btf.enumeration("")) == ({}, {"TCP_THIS": 12})


def test_arguments_by_name_and_by_what_they_point_to() -> None:
    btf = Btf(blob())
    assert [btf.argument("named", name) for name in ("first", "second", "third")] == [0, 1, None]
    assert [btf.argument("class", "any", pointed) for pointed in ("outer", "inner", "")] == [1, None, None]
    assert btf.argument("missing", "first") is None


@pytest.mark.parametrize("broken", [b"", b"\x9f\xeb" + bytes(10), bytes(64)], ids=["empty", "short", "not BTF"])
def test_what_is_not_btf_is_refused(broken: bytes) -> None:
    with pytest.raises(ValueError, match="BTF"):
        Btf(broken)


@pytest.mark.skipif(not BTF_PATH.exists(), reason=f"btf: no {BTF_PATH}")
def test_this_machines_own() -> None:
    btf = Btf(BTF_PATH.read_bytes())
    # The ABI fixes these: the states of tcp_states.h, and the first members of struct sock_common.
    states = [btf.enumerator(f"TCP_{name}") for name in ("ESTABLISHED", "TIME_WAIT", "LISTEN", "NEW_SYN_RECV")]
    assert states == [1, 6, 10, 12]
    assert [btf.member("sock", f"__sk_common.{name}") for name in ("skc_daddr", "skc_rcv_saddr", "skc_dport")] == [0, 4, 12]
    assert btf.argument("inet_sock_set_state", "newstate") == 2
    assert btf.argument("tcp_destroy_sock", "sk", "sock") == 0
    assert btf.member("sock", "no_such_member") is None
