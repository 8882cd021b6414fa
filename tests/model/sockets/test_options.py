"""What the tables of options allow: values and what is kept of them, lengths, levels, errnos; every row by what it says."""

import pytest
from model.sockets.worlds import after, allowed, done, one_host, two_hosts

from netlab.model.sockets.calls.options import every_option
from netlab.model.sockets.objects import Socket
from netlab.model.sockets.options import values
from netlab.model.sockets.options.shape import ALL
from netlab.notation.constants import constant

_TCP, _UDP = "s = socket(AF_INET, SOCK_STREAM, 0)", "s = socket(AF_INET, SOCK_DGRAM, 0)"
_TCP6, _UDP6 = "s = socket(AF_INET6, SOCK_STREAM, 0)", "s = socket(AF_INET6, SOCK_DGRAM, 0)"
_UNIX, _RAW = "s = socket(AF_UNIX, SOCK_STREAM, 0)", "s = socket(AF_INET, SOCK_RAW, IPPROTO_UDP)"
_PAIR = "(s, t) = socketpair(AF_UNIX, SOCK_STREAM, 0)"

_SETTING = [
    # A level that the socket has not, an option that the level has not, a length, a pointer.
    (_TCP, "500, 5, 1", {"ENOPROTOOPT"}),
    (_TCP, "IPPROTO_UDP, UDP_CORK, 1", {"ENOPROTOOPT"}),
    (_UNIX, "IPPROTO_TCP, TCP_NODELAY, 1", {"EOPNOTSUPP"}),
    (_UNIX, "IPPROTO_TCP, TCP_NODELAY, 1, -1", {"EINVAL"}),
    (_TCP, "IPPROTO_IP, -1, 0", {"ENOPROTOOPT"}),
    (_TCP, "SOL_SOCKET, SO_TYPE, 1", {"ENOPROTOOPT"}),
    (_TCP, "SOL_SOCKET, SO_TYPE, 1, 2", {"EINVAL"}),
    (_TCP, "SOL_SOCKET, SO_KEEPALIVE, 1, 3", {"EINVAL"}),
    (_TCP, "SOL_SOCKET, SO_KEEPALIVE, NULL[4]", {"EFAULT"}),
    (_TCP, "SOL_SOCKET, SO_LINGER, 1", {"EINVAL"}),
    (_TCP, "SOL_SOCKET, SO_RCVTIMEO, {timeval:0,1000000}", {"EDOM"}),
    (_UDP6, "IPPROTO_IPV6, IPV6_RECVPKTINFO, NULL[4]", {"0"}),
    (_UDP6, "IPPROTO_IPV6, IPV6_RECVPKTINFO, BADPTR[4]", {"EFAULT"}),
    (_UDP6, "IPPROTO_IPV6, IPV6_DONTFRAG, 1, 0", {"0"}),
    (_UDP, "IPPROTO_IP, IP_TTL, 1, 0", {"EINVAL"}),
    (_UDP, "IPPROTO_IP, IP_TOS, 1, 0", {"0"}),
    # Ranges.
    (_UDP, "IPPROTO_IP, IP_TTL, 0", {"EINVAL"}),
    (_UDP, "IPPROTO_IP, IP_TTL, 256", {"EINVAL"}),
    (_UDP6, "IPPROTO_IPV6, IPV6_TCLASS, 256", {"EINVAL"}),
    (_TCP, "IPPROTO_TCP, TCP_KEEPCNT, 128", {"EINVAL"}),
    (_TCP, "IPPROTO_TCP, TCP_MAXSEG, 87", {"EINVAL"}),
    # Kinds of sockets.
    (_UNIX, "SOL_SOCKET, SO_REUSEPORT, 1", {"EOPNOTSUPP"}),
    (_TCP, "SOL_SOCKET, SO_PASSCRED, 1", {"EOPNOTSUPP"}),
    (_TCP, "IPPROTO_IP, IP_HDRINCL, 1", {"ENOPROTOOPT"}),
    (_RAW, "IPPROTO_IP, IP_HDRINCL, 1", {"0"}),
    (_TCP, "IPPROTO_IP, IP_MULTICAST_TTL, 1", {"EINVAL"}),
    (_TCP, "IPPROTO_IP, IP_ADD_MEMBERSHIP, {ip_mreq:239.1.1.1,127.0.0.1}", {"EPROTO"}),
    (_TCP6, "IPPROTO_IPV6, IPV6_MULTICAST_HOPS, 1", {"ENOPROTOOPT"}),
    (_UDP, "IPPROTO_IP, IP_ADD_MEMBERSHIP, {ip_mreq:239.1.1.1,127.0.0.1}", {"0"}),
    (_UDP, "IPPROTO_IP, IP_ADD_MEMBERSHIP, {ip_mreq:10.1.1.1,127.0.0.1}", {"EINVAL"}),
    (_UDP, "IPPROTO_IP, IP_ADD_MEMBERSHIP, {ip_mreq:239.1.1.1,10.9.9.9}", {"ENODEV"}),
    (_UDP, "IPPROTO_IP, IP_DROP_MEMBERSHIP, {ip_mreq:239.1.1.1,127.0.0.1}", {"EADDRNOTAVAIL"}),
    (_UDP, "IPPROTO_IP, IP_MULTICAST_IF, 1", {"EADDRNOTAVAIL"}),
    # Names.
    (_TCP, 'IPPROTO_TCP, TCP_CONGESTION, "reno"', {"0"}),
    (_TCP, 'IPPROTO_TCP, TCP_CONGESTION, "no_such"', {"ENOENT"}),
    (_TCP, 'IPPROTO_TCP, TCP_CONGESTION, "cubic"', {"ENOENT", "0"}),
    (_UDP, 'SOL_SOCKET, SO_BINDTODEVICE, "nowhere"', {"ENODEV"}),
    (_UDP, "SOL_SOCKET, SO_DETACH_FILTER, 1", {"ENOENT"}),
]


@pytest.mark.parametrize(("making", "arguments", "wanted"), _SETTING)
def test_what_setsockopt_comes_to(making: str, arguments: str, wanted: set[str]) -> None:
    assert allowed(after(one_host(), making), f"setsockopt(s, {arguments})") == wanted


_KEPT = [
    (_TCP, "SOL_SOCKET, SO_KEEPALIVE", "7", "0 out 1"),
    (_UDP, "SOL_SOCKET, SO_RCVBUF", "16384", "0 out 32768"),
    (_UDP, "SOL_SOCKET, SO_RCVBUF", "0", "0 out 2304"),
    (_UDP, "SOL_SOCKET, SO_SNDBUF", "0", "0 out 4608"),
    (_TCP, "SOL_SOCKET, SO_RCVLOWAT", "0", "0 out 1"),
    (_TCP, "SOL_SOCKET, SO_LINGER", "{linger:1,5}", "0 out {linger:1,5}"),
    (_TCP, "SOL_SOCKET, SO_RCVTIMEO", "{timeval:2,0}", "0 out {timeval:2,0}"),
    (_TCP, "SOL_SOCKET, SO_RCVTIMEO", "{timeval:-1,0}", "0 out {timeval:0,0}"),
    (_UDP, "SOL_SOCKET, SO_BINDTODEVICE", '"lo"', "0 out lo"),
    (_TCP, "IPPROTO_IP, IP_TOS", "255", "0 out 252"),
    (_UDP, "IPPROTO_IP, IP_TOS", "255", "0 out 255"),
    (_UDP, "IPPROTO_IP, IP_TTL", "-1", "0 out 64"),
    (_UDP, "IPPROTO_IP, IP_MULTICAST_TTL", "-1", "0 out 1"),
    (_UDP6, "IPPROTO_IPV6, IPV6_UNICAST_HOPS", "-1", "0 out 64"),
    (_TCP, "IPPROTO_TCP, TCP_LINGER2", "-1234", "0 out -1"),
    (_TCP, "IPPROTO_TCP, TCP_LINGER2", "0", "0 out 60"),
    (_TCP, "IPPROTO_TCP, TCP_LINGER2", "121", "0 out 120"),
    (_TCP, "IPPROTO_TCP, TCP_DEFER_ACCEPT", "5", "0 out 7"),
    (_TCP, "IPPROTO_TCP, TCP_WINDOW_CLAMP", "1", "0 out 1152"),
    (_TCP, "IPPROTO_TCP, TCP_MAXSEG", "1000", "0 out 1000"),
    (_TCP, "IPPROTO_TCP, TCP_CONGESTION", '"reno"', "0 out reno"),
    (_UDP, "SOL_SOCKET, SO_MAX_PACING_RATE", "-1", "0 out -1"),
]


@pytest.mark.parametrize(("making", "option", "value", "told"), _KEPT)
def test_what_is_kept_of_a_value(making: str, option: str, value: str, told: str) -> None:
    oracle = after(one_host(), making, f"setsockopt(s, {option}, {value})")
    assert allowed(oracle, f"getsockopt(s, {option})") == {told}


_TOLD = [
    ((_TCP,), "SOL_SOCKET, SO_TYPE", {"0 out 1"}),
    ((_RAW,), "SOL_SOCKET, SO_PROTOCOL", {"0 out 17"}),
    ((_TCP6,), "SOL_SOCKET, SO_DOMAIN", {"0 out 10"}),
    ((_TCP,), "SOL_SOCKET, SO_ERROR", {"0 out 0"}),
    ((_TCP,), "SOL_SOCKET, SO_LINGER", {"0 out {linger:0,0}"}),
    ((_TCP,), "SOL_SOCKET, SO_LINGER, len, 4", {"0 out {'len': 4, 'value': '00000000'}"}),
    ((_TCP,), "IPPROTO_TCP, TCP_NODELAY, len, 1", {"0 out {'len': 1, 'value': 0}"}),
    ((_TCP,), "IPPROTO_TCP, TCP_NODELAY, BUF, -1", {"EINVAL"}),
    ((_TCP,), "IPPROTO_TCP, TCP_NODELAY, BUF, BADPTR", {"EFAULT"}),
    ((_TCP,), "IPPROTO_TCP, TCP_NODELAY, NULL[4]", {"EFAULT"}),
    ((_TCP,), "IPPROTO_UDP, UDP_CORK", {"EOPNOTSUPP"}),
    ((_TCP6,), "IPPROTO_UDP, UDP_CORK", {"ENOPROTOOPT"}),
    ((_UDP,), "IPPROTO_IP, IP_TTL, len, 2", {"0 out {'len': 1, 'value': 64}"}),
    ((_UDP6,), "IPPROTO_IPV6, IPV6_UNICAST_HOPS, len, -1", {"0 out {'len': 4, 'value': 64}"}),
    ((_UDP,), "IPPROTO_IP, IP_MTU", {"ENOTCONN"}),
    ((_UDP, "connect(s, 127.0.0.1:9)"), "IPPROTO_IP, IP_MTU", {"0 out 65535"}),
    ((_TCP, "bind(s, 127.0.0.1:0)", "listen(s, 1)"), "SOL_SOCKET, SO_ACCEPTCONN", {"0 out 1"}),
    ((_TCP,), "SOL_SOCKET, SO_PEERNAME", {"ENOTCONN"}),
    ((_UDP, "connect(s, 127.0.0.1:9)"), "SOL_SOCKET, SO_PEERNAME", {"EINVAL"}),
    ((_UDP, "connect(s, 127.0.0.1:9)"), "SOL_SOCKET, SO_PEERNAME, BUF, 16", {"0 out 127.0.0.1:9"}),
    ((_UDP,), "SOL_SOCKET, SO_PEERCRED", {"0 out {ucred:0,4294967295,4294967295}"}),
    ((_PAIR,), "SOL_SOCKET, SO_PEERCRED", {"0 out *"}),
    ((_UNIX,), "SOL_SOCKET, SO_PASSCRED", {"0 out 0"}),
    ((_UDP6, "bind(s, [::1]:0)"), "IPPROTO_IPV6, IPV6_V6ONLY", {"0 out 1"}),
    ((_UDP6, "bind(s, [::]:0)"), "IPPROTO_IPV6, IPV6_V6ONLY", {"0 out 0"}),
    ((_UDP, "setsockopt(s, SOL_SOCKET, SO_TIMESTAMP, 1)", "setsockopt(s, SOL_SOCKET, SO_TIMESTAMPNS, 1)"),
     "SOL_SOCKET, SO_TIMESTAMP", {"0 out 0"}),
    ((_UDP, "setsockopt(s, SOL_SOCKET, SO_RCVBUF, 9000)"), "SOL_SOCKET, SO_BUF_LOCK", {"0 out 2"}),
    ((_TCP, "setsockopt(s, SOL_SOCKET, SO_LINGER, {linger:1,5})", "setsockopt(s, SOL_SOCKET, SO_LINGER, {linger:0,9})"),
     "SOL_SOCKET, SO_LINGER", {"0 out {linger:0,5}"}),
    ((_TCP, "setsockopt(s, IPPROTO_IP, IP_TOS, 16)"), "SOL_SOCKET, SO_PRIORITY", {"0 out 6"}),
]  # fmt: skip


@pytest.mark.parametrize(("setup", "arguments", "wanted"), _TOLD)
def test_what_getsockopt_tells(setup: tuple[str, ...], arguments: str, wanted: set[str]) -> None:
    assert allowed(after(one_host(), *setup), f"getsockopt(s, {arguments})") == wanted


def test_a_timeout_is_told_in_ticks_of_any_length() -> None:
    oracle = after(one_host(), _TCP, "setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, {timeval:0,1})")
    assert allowed(oracle, "getsockopt(s, SOL_SOCKET, SO_RCVTIMEO)") == {
        "0 out ['{timeval:0,10000}', '{timeval:0,4000}', '{timeval:0,3333}', '{timeval:0,1000}']"
    }


def test_a_pending_error_is_told_once() -> None:
    oracle = after(one_host(), _UDP, "connect(s, 127.0.0.1:9)", 'send(s, "x", 0)')
    assert allowed(oracle, "getsockopt(s, SOL_SOCKET, SO_ERROR)") == {"0 out ECONNREFUSED"}
    done(oracle, "getsockopt(s, SOL_SOCKET, SO_ERROR)")
    assert allowed(oracle, "getsockopt(s, SOL_SOCKET, SO_ERROR)") == {"0 out 0"}


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        ("SOL_SOCKET, SO_PRIORITY, 7", {"EPERM"}),
        ("SOL_SOCKET, SO_PRIORITY, 6", {"0"}),
        ("SOL_SOCKET, SO_MARK, 1", {"EPERM"}),
        ("SOL_SOCKET, SO_RCVBUFFORCE, 9000", {"EPERM"}),
        ("SOL_SOCKET, SO_DEBUG, 1", {"EACCES"}),
        ("SOL_SOCKET, SO_DEBUG, 0", {"0"}),
        ("IPPROTO_IP, IP_TRANSPARENT, 1", {"EPERM"}),
        ("IPPROTO_TCP, TCP_REPAIR, 1", {"EPERM"}),
    ],
)
def test_what_only_root_may(arguments: str, wanted: set[str]) -> None:
    assert allowed(after(one_host(), _TCP, "seteuid(65534)"), f"setsockopt(s, {arguments})") == wanted


def test_what_other_calls_ask() -> None:
    oracle = after(one_host(), _TCP, "setsockopt(s, SOL_SOCKET, SO_LINGER, {linger:1,3})",
                   "setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, {timeval:0,5000})", "setsockopt(s, SOL_SOCKET, SO_SNDBUF, 5000)",
                   "setsockopt(s, SOL_SOCKET, SO_PRIORITY, 3)")  # fmt: skip
    world = oracle.worlds[0]
    (one,) = (one for one in world.objects.values() if isinstance(one, Socket))
    assert (values.linger(one), values.timeout(one, "SO_SNDTIMEO"), values.timeout(one, "SO_RCVTIMEO")) == (3, 5_000_000, None)
    assert (values.buffer_size(one, "SO_SNDBUF"), values.buffer_size(one, "SO_RCVBUF")) == (10_000, None)
    assert (constant("SOL_SOCKET"), constant("SO_PRIORITY")) not in values.inherited(one)
    assert len(values.inherited(one)) == len(one.options) - 1


def test_between_hosts_the_route_says_the_mtu() -> None:
    oracle = two_hosts()
    done(oracle, f"client: {_UDP}")
    done(oracle, "client: connect(s, 10.0.0.2:9)")
    assert allowed(oracle, "getsockopt(s, IPPROTO_IP, IP_MTU)", "client") == {"0 out >=68"}


def test_every_row_names_its_source_and_its_sockets() -> None:
    rows = every_option().values()
    assert len(rows) > 110
    assert [row.name for row in rows if not row.source or not set(row.kinds) <= set(ALL)] == []
    assert [row.name for row in rows if constant(row.name) != row.number] == []
