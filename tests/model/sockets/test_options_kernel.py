"""Every option of every level, on each kind of socket: values, lengths, pointers; what the kernel says, the model allows."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from model.sockets.on_kernel import disagreements

from netlab.model.sockets.calls.options import every_option
from netlab.model.sockets.options.shape import Option
from netlab.notation.constants import constant

pytestmark = pytest.mark.netns

_TCP = ("l = socket(AF_INET, SOCK_STREAM, 0)", "bind(l, 127.0.0.1:0)", "listen(l, 5)", "c = socket(AF_INET, SOCK_STREAM, 0)",
        "connect(c, @l)", "a = accept(l)")  # fmt: skip
_SOCKETS = {
    "tcp": ("s = socket(AF_INET, SOCK_STREAM, 0)",),
    "listening": (*_TCP, "s = dup(l)"),
    "connected": (*_TCP, "s = dup(c)"),
    "accepted": (*_TCP, "s = dup(a)"),
    "udp": ("s = socket(AF_INET, SOCK_DGRAM, 0)",),
    "udp connected": ("s = socket(AF_INET, SOCK_DGRAM, 0)", "connect(s, 127.0.0.1:9)"),
    "raw": ("s = socket(AF_INET, SOCK_RAW, IPPROTO_RAW)",),
    "tcp6": ("s = socket(AF_INET6, SOCK_STREAM, 0)",),
    "udp6": ("s = socket(AF_INET6, SOCK_DGRAM, 0)",),
    "udp6 bound": ("s = socket(AF_INET6, SOCK_DGRAM, 0)", "bind(s, [::1]:0)"),
    "raw6": ("s = socket(AF_INET6, SOCK_RAW, IPPROTO_RAW)",),
    "unix stream": ("s = socket(AF_UNIX, SOCK_STREAM, 0)",),
    "unix pair": ("(s, t) = socketpair(AF_UNIX, SOCK_SEQPACKET, 0)",),
}
_WHOLLY = {
    "tcp": "SOL_SOCKET IPPROTO_IP IPPROTO_TCP", "listening": "IPPROTO_TCP", "connected": "IPPROTO_IP IPPROTO_TCP",
    "accepted": "IPPROTO_TCP", "udp": "SOL_SOCKET IPPROTO_IP IPPROTO_UDP", "udp connected": "IPPROTO_IP", "raw": "IPPROTO_IP",
    "tcp6": "IPPROTO_IPV6", "udp6": "IPPROTO_IP IPPROTO_IPV6", "udp6 bound": "IPPROTO_IPV6", "raw6": "IPPROTO_IPV6",
    "unix stream": "SOL_SOCKET", "unix pair": "SOL_SOCKET",
}  # fmt: skip
"""The levels of which every value and length is tried; of the others, each option once."""

_LEVELS = {constant(name): name for name in ("SOL_SOCKET", "IPPROTO_IP", "IPPROTO_IPV6", "IPPROTO_TCP", "IPPROTO_UDP")}
_NAMED = {
    "SO_LINGER": ("{linger:1,5}", "{linger:0,9}", "{linger:1,0}"),
    "SO_RCVTIMEO": ("{timeval:1,500000}", "{timeval:-1,0}", "{timeval:0,1000000}", "{timeval:0,0}"),
    "SO_BINDTODEVICE": ('"lo"', '"nowhere"', '""'),
    "SO_BINDTOIFINDEX": ("if:lo", "0"),
    "TCP_CONGESTION": ('"reno"', '"none_such"', '""'),
    "SO_RCVBUF": ("16384", "1152"),
    "SO_PRIORITY": ("6", "7"),
    "IP_UNICAST_IF": ("if:lo", "0"),
    "IP_ADD_MEMBERSHIP": ("{ip_mreq:239.1.1.1,127.0.0.1}", "{ip_mreq:239.1.1.1,127.0.0.1}", "{ip_mreq:10.1.1.1,127.0.0.1}",
                          "{ip_mreq:239.1.1.2,10.9.9.9}", "{ip_mreq:239.1.1.3,0.0.0.0}", "NULL[8]"),
    "IP_DROP_MEMBERSHIP": ("{ip_mreq:239.1.1.1,127.0.0.1}", "{ip_mreq:239.1.1.1,127.0.0.1}", "{ip_mreq:239.1.1.3,0.0.0.0}"),
    "IP_MULTICAST_IF": ("{ip_mreq:0.0.0.0,127.0.0.1}", "{ip_mreq:0.0.0.0,10.9.9.9}", "1, 3", "0"),
    "TCP_MAXSEG": ("88", "87", "32767"),
    "TCP_KEEPCNT": ("127", "128"),
}  # fmt: skip
_VALUES = ("-1", "0", "1", "255", "256", "2147483647", "1, 1", "NULL", "BADPTR[4]")
_ROOMS = ("", ", BUF, 2", ", BUF, -1", ", len", ", NULL[4]", ", BUF, BADPTR")
_UNSURE = {"IP_OPTIONS", "IPV6_ADDRFORM"}
"""Options that the model does not let be set; telling what they are worth is modelled."""


def _calls(row: Option, *, wholly: bool) -> Iterator[str]:
    level = _LEVELS[row.level]
    for room in _ROOMS if wholly else ("", ", BUF, BADPTR"):
        yield f"getsockopt(s, {level}, {row.name}{room})"
    if row.name in _UNSURE:
        return
    for value in (*_VALUES, *_NAMED.get(row.name, ())) if wholly else ("1", "1, -1"):
        yield f"setsockopt(s, {level}, {row.name}, {value})"
        if row.writes and row.reads:
            yield f"getsockopt(s, {level}, {row.name})"


def _foreign() -> Iterator[str]:
    """Levels and numbers that nobody knows."""
    for level in (*_LEVELS.values(), "500"):
        for number in (-1, 1000):
            yield f"getsockopt(s, {level}, {number})"
            yield f"setsockopt(s, {level}, {number}, 1)"


@pytest.mark.parametrize("kind", _SOCKETS)
def test_every_option(kind: str, tmp_path: Path) -> None:
    levels = {name: list(_SOCKETS[kind]) for name in (*_LEVELS.values(), "none")}
    for row in every_option().values():
        levels[_LEVELS[row.level]] += _calls(row, wholly=_LEVELS[row.level] in _WHOLLY[kind].split())
    levels["none"] += _foreign()
    assert disagreements(levels, tmp_path) == {}


def test_what_accept_hands_on(tmp_path: Path) -> None:
    changed = {
        "SOL_SOCKET": ("SO_KEEPALIVE, 1", "SO_LINGER, {linger:1,5}", "SO_OOBINLINE, 1", "SO_RCVBUF, 20000", "SO_RCVLOWAT, 9",
                       "SO_RCVTIMEO, {timeval:2,0}", "SO_PRIORITY, 3", "SO_REUSEADDR, 1", "SO_TIMESTAMP, 1",
                       "SO_BINDTODEVICE, if:lo"),
        "IPPROTO_IP": ("IP_TOS, 16", "IP_TTL, 7", "IP_RECVTTL, 1", "IP_MTU_DISCOVER, 2", "IP_FREEBIND, 1"),
        "IPPROTO_TCP": ("TCP_NODELAY, 1", "TCP_KEEPIDLE, 11", "TCP_KEEPCNT, 3", "TCP_USER_TIMEOUT, 12345", "TCP_LINGER2, 7",
                        "TCP_DEFER_ACCEPT, 0", "TCP_SYNCNT, 2", "TCP_CORK, 1", "TCP_QUICKACK, 0", "TCP_NOTSENT_LOWAT, 4000",
                        "TCP_INQ, 1",
                        "TCP_WINDOW_CLAMP, 5000", "TCP_SAVE_SYN, 1", "TCP_FASTOPEN, 4", "TCP_THIN_LINEAR_TIMEOUTS, 1",
                        'TCP_CONGESTION, "reno"'),
    }  # fmt: skip
    settings = [f"{level}, {value}" for level, values in changed.items() for value in values]
    steps = ["l = socket(AF_INET, SOCK_STREAM, 0)", *(f"setsockopt(l, {one})" for one in settings), "bind(l, 127.0.0.1:0)",
             "listen(l, 5)", "c = socket(AF_INET, SOCK_STREAM, 0)", "connect(c, @l)", "a = accept(l)"]  # fmt: skip
    for row in every_option().values():
        steps += [f"getsockopt({name}, {_LEVELS[row.level]}, {row.name})" for name in ("l", "a")]
    assert disagreements({"inherited": steps}, tmp_path) == {}
