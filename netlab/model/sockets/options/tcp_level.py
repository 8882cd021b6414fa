"""The options at level IPPROTO_TCP, as tcp(7) describes them, one row each. It knows no other level."""

from typing import Any

from netlab.model.sockets.options.shape import (
    ANYTHING,
    Bounds,
    Option,
    Refused,
    flags,
    option,
    privileged,
    read_only,
    strict_flag,
    sysctl,
    whole,
    within,
)
from netlab.model.sockets.situation import Situation
from netlab.model.tcp_linux import LINUX_NAMES
from netlab.notation.constants import constant

_LEVEL = "IPPROTO_TCP"
_TCP = constant(_LEVEL)
_SOURCE = "tcp(7)"
_CORE = "do_tcp_setsockopt() in net/ipv4/tcp.c"
_MOST = 2**31 - 1
_LONGEST_FIN_TIMEOUT = 120  # TCP_FIN_TIMEOUT_MAX in include/net/tcp.h
_LEAST_SEGMENT, _MOST_WINDOW = 88, 32767  # TCP_MIN_MSS, MAX_TCP_WINDOW, likewise
_USUAL_SEGMENT = 536  # TCP_MSS_DEFAULT: RFC 9293 3.7.1
_MOST_SEGMENT = 65495
_LONGEST_RTO = 120  # TCP_RTO_MAX_SEC
_LEAST_CLAMP = 1152  # SOCK_MIN_RCVBUF / 2

_QUIET = ("CLOSED", "LISTEN")


def _was_connected(s: Situation) -> bool:
    """Whether the socket has, or may have had, a connection."""
    one = s.socket
    return one.state not in _QUIET or bool(one.connection or one.error) or (one.local is not None and not one.chosen)


def _segment(s: Situation) -> Any:
    """Before a connection what was asked for, else RFC 9293's default; in one what it came to."""
    if _was_connected(s):
        return Bounds(1, _MOST_SEGMENT)
    return s.socket.options.get((_TCP, constant("TCP_MAXSEG"))) or _USUAL_SEGMENT


def _take_segment(_: Situation, number: int) -> Any:
    return number if number == 0 or _LEAST_SEGMENT <= number <= _MOST_WINDOW else Refused("EINVAL")


def _orphaned(_: Situation, number: int) -> int:
    """Negative: none; above the longest, that (tcp_fin_timeout stands for 0)."""
    return -1 if number < 0 else min(number, _LONGEST_FIN_TIMEOUT)


def _orphan_time(s: Situation) -> int:
    return s.socket.options.get((_TCP, constant("TCP_LINGER2"))) or sysctl(s, "net.ipv4.tcp_fin_timeout", 60)


def _deferred(_: Situation, number: int) -> int:
    """Seconds become retransmissions and are told as those take: 1, 3, 7 ... then by the longest timeout (secs_to_retrans())."""
    if number <= 0:
        return 0
    period, timeout, retransmissions = 1, 1, 1
    while number > period and retransmissions < 255:
        retransmissions += 1
        timeout = min(timeout * 2, _LONGEST_RTO)
        period += timeout
    return period


def _pingpong(s: Situation) -> Any:
    """On before any data; then it changes as data goes to and fro, and listen() sets it anew."""
    given = s.socket.options.get((_TCP, constant("TCP_QUICKACK")), 1)
    connection = s.connection
    if connection is None:
        certain = not _was_connected(s) and (given == 1 or s.socket.state == "CLOSED")
        return max(given, 0) if certain else Bounds(values=(0, 1))
    moved = any(flow.sent or flow.end for flow in connection.flows)
    return Bounds(values=(0, 1)) if moved or given == _OFF_BEFORE else given


_OFF_BEFORE = -1


def _quickly(s: Situation, number: int) -> int:
    """What is switched off before there is a connection may be on again in it."""
    if number:
        return 1
    return 0 if s.connection is not None and s.socket.state == "ESTABLISHED" else _OFF_BEFORE


def _clamp(s: Situation, number: int) -> Any:
    if number == 0:
        return 0 if s.socket.state == "CLOSED" else Refused("EINVAL")
    return max(number, _LEAST_CLAMP) if number > 0 else _LEAST_CLAMP


def _clamped(s: Situation) -> Any:
    given = s.socket.options.get((_TCP, constant("TCP_WINDOW_CLAMP")))
    if _was_connected(s):
        return Bounds(0, _MOST)
    return given or 0


def _before_connection(*states: str) -> Any:
    def need(s: Situation, number: Any) -> Refused | None:
        return None if s.socket.state in states else Refused("EINVAL", "state")

    return need


def _fast_open(s: Situation, number: int) -> Any:
    """At most the backlog's limit (fastopen_queue_tune())."""
    if number < 0:
        return Refused("EINVAL")
    limit = sysctl(s, "net.core.somaxconn", 4096)
    return min(number, limit)


def _repair(s: Situation, number: int) -> Any:
    if not privileged(s) or s.socket.state not in ("CLOSED", "ESTABLISHED"):
        return Refused("EPERM", "privilege")
    if number not in (-1, 0, 1):
        return Refused("EINVAL")
    return max(number, 0)


def _state(s: Situation) -> str:
    return LINUX_NAMES.get(s.socket.state, s.socket.state)


def _congestion(s: Situation) -> Any:
    """A new connection takes the default, which a namespace has from its host."""
    given = s.socket.options.get((_TCP, constant("TCP_CONGESTION")))
    return given or s.world.hosts[s.socket.host].sysctls.get("net.ipv4.tcp_congestion_control") or ANYTHING


def _keep(name: str, sysctl_name: str, default: int) -> Any:
    return lambda s: s.socket.options.get((_TCP, constant(name))) or sysctl(s, f"net.ipv4.{sysctl_name}", default)


_KINDS: dict[str, Any] = {"kinds": ("tcp",)}

ROWS: tuple[Option, ...] = (
    *flags(_LEVEL, "TCP_NODELAY TCP_CORK", _SOURCE, **_KINDS),
    option(_LEVEL, "TCP_MAXSEG", _SOURCE, takes=_take_segment, shows=_segment, **_KINDS),
    option(_LEVEL, "TCP_KEEPIDLE", _SOURCE, takes=within(1, 32767), shows=_keep("TCP_KEEPIDLE", "tcp_keepalive_time", 7200),
          **_KINDS),
    option(_LEVEL, "TCP_KEEPINTVL", _SOURCE, takes=within(1, 32767), shows=_keep("TCP_KEEPINTVL", "tcp_keepalive_intvl", 75),
          **_KINDS),
    option(_LEVEL, "TCP_KEEPCNT", _SOURCE, takes=within(1, 127), shows=_keep("TCP_KEEPCNT", "tcp_keepalive_probes", 9), **_KINDS),
    option(_LEVEL, "TCP_SYNCNT", _SOURCE, takes=within(1, 127), shows=_keep("TCP_SYNCNT", "tcp_syn_retries", 6), **_KINDS),
    option(_LEVEL, "TCP_LINGER2", _SOURCE, takes=_orphaned, shows=_orphan_time, **_KINDS),
    option(_LEVEL, "TCP_DEFER_ACCEPT", _SOURCE, takes=_deferred, **_KINDS),
    option(_LEVEL, "TCP_WINDOW_CLAMP", _SOURCE, takes=_clamp, shows=_clamped, **_KINDS),
    option(_LEVEL, "TCP_QUICKACK", _SOURCE, takes=_quickly, shows=_pingpong, **_KINDS),
    option(_LEVEL, "TCP_CONGESTION", _SOURCE, writes="name", reads="name", shows=_congestion, **_KINDS),
    option(_LEVEL, "TCP_ULP", "Documentation/networking/tls.rst", writes="name", reads="string", default="", **_KINDS),
    option(_LEVEL, "TCP_USER_TIMEOUT", "RFC 5482; tcp(7)", takes=within(0, _MOST), **_KINDS),
    option(_LEVEL, "TCP_THIN_LINEAR_TIMEOUTS", _CORE, takes=strict_flag, **_KINDS),
    option(_LEVEL, "TCP_THIN_DUPACK", _CORE, takes=lambda s, number: 0 if number in (0, 1) else Refused("EINVAL"), **_KINDS),
    option(_LEVEL, "TCP_NOTSENT_LOWAT", _SOURCE, takes=whole, **_KINDS),
    option(_LEVEL, "TCP_SAVE_SYN", _CORE, takes=within(0, 2), **_KINDS),
    option(_LEVEL, "TCP_INQ", _CORE, takes=strict_flag, **_KINDS),
    option(_LEVEL, "TCP_FASTOPEN", "RFC 7413; tcp(7)", takes=_fast_open, needs=_before_connection(*_QUIET), **_KINDS),
    option(_LEVEL, "TCP_FASTOPEN_CONNECT", "RFC 7413; tcp(7)", takes=strict_flag, needs=_before_connection("CLOSED"), **_KINDS),
    option(_LEVEL, "TCP_FASTOPEN_NO_COOKIE", _CORE, takes=strict_flag, needs=_before_connection(*_QUIET), **_KINDS),
    option(_LEVEL, "TCP_REPAIR", _CORE, takes=_repair, **_KINDS),
    read_only(_LEVEL, "TCP_INFO", _SOURCE, reads="tcp_info", shows=_state, **_KINDS),
    read_only(_LEVEL, "TCP_IS_MPTCP", _CORE, **_KINDS),
)  # fmt: skip

LEFT_OUT = frozenset([14, 20, 21, 22, 24, 26, 28, 29, 32, 33, 35, 37, *range(38, 256)]) - {43}
"""Options of repair, of zero copy, of authentication, what only newer kernels have, and numbers that later ones may use."""
