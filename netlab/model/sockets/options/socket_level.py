"""The options at level SOL_SOCKET, as socket(7) describes them, one row each. It knows no other level."""

from typing import Any

from netlab.model.sockets.objects import Kind
from netlab.model.sockets.options.given import bound_to
from netlab.model.sockets.options.memory import LONGEST_NAME
from netlab.model.sockets.options.shape import (
    ANYTHING,
    INTERNET,
    UNIX,
    Bounds,
    Option,
    Refused,
    flag,
    flags,
    option,
    privileged,
    read_only,
    strict_flag,
    whole,
    within,
)
from netlab.model.sockets.outcomes import AnAddress
from netlab.model.sockets.situation import Situation
from netlab.notation.constants import constant

_LEVEL = "SOL_SOCKET"
_SOURCE = "socket(7)"
_SOL = constant(_LEVEL)
_CORE = "sk_setsockopt() in net/core/sock.c"

_USUAL_MAXIMUM = 212992  # rmem_max's and wmem_max's default for long (socket(7)); 6.18 has 4194304
_LEAST_RCVBUF, _LEAST_SNDBUF = 2304, 4608  # SOCK_MIN_RCVBUF, SOCK_MIN_SNDBUF in include/net/sock.h, with 64-bit pointers
_MOST = 2**31 - 1
_RCVBUF_LOCK, _SNDBUF_LOCK = 2, 1  # include/uapi/linux/socket.h
_LOCK = (_SOL, constant("SO_BUF_LOCK"))
_RCVBUF = (_SOL, constant("SO_RCVBUF"))
_LOWAT_MOST = 65536


def _buffer(least: int) -> Any:
    """Doubled, at least ``least``, at most the limit, which no namespace tells: above what it usually is, bounds."""

    def take(_: Situation, number: int) -> Any:
        wanted = number if number >= 0 else _MOST
        if wanted <= _USUAL_MAXIMUM:
            return max(2 * wanted, least)
        return Bounds(2 * _USUAL_MAXIMUM, min(2 * wanted, _MOST - 1))

    return take


def _forced(least: int) -> Any:
    def take(_: Situation, number: int) -> Any:
        return max(2 * min(max(number, 0), _MOST // 2), least)

    return take


def _locks(bit: int) -> Any:
    """The buffer's size was chosen: it is not tuned any more, as SO_BUF_LOCK shows."""

    def change(s: Situation, value: Any) -> dict[tuple[int, int], Any]:
        return {_LOCK: s.socket.options.get(_LOCK, 0) | bit}

    return change


def _forces(name: str, bit: int) -> Any:
    def change(s: Situation, value: Any) -> dict[tuple[int, int], Any]:
        return {(_SOL, constant(name)): value, _LOCK: s.socket.options.get(_LOCK, 0) | bit}

    return change


def _low_water(s: Situation, number: int) -> Any:
    """TCP keeps it below half of the receive buffer: of what was set, else of tcp_rmem's maximum (tcp_set_rcvlowat())."""
    wanted = (number if number >= 0 else _MOST) or 1
    if s.kind != "tcp":
        return wanted
    locked = s.socket.options.get(_LOCK, 0) & _RCVBUF_LOCK
    size = s.socket.options.get(_RCVBUF)
    if locked and isinstance(size, int):
        return min(wanted, size // 2) or 1
    return wanted if wanted <= _LOWAT_MOST and not locked else Bounds(min(wanted, _LEAST_RCVBUF // 2), wanted)


def _needs_admin(errno: str, allowed: Any) -> Any:
    """Values for which ``allowed`` does not hold need a capability in the first user namespace, which being root may not give."""

    def need(s: Situation, number: Any) -> Refused | None:
        if allowed(s, number):
            return None
        return Refused(errno, "privilege", certain=not privileged(s))

    return need


def _needs_net(errno: str, allowed: Any) -> Any:
    """Values for which ``allowed`` does not hold need CAP_NET_ADMIN or CAP_NET_RAW in the network namespace."""

    def need(s: Situation, number: Any) -> Refused | None:
        return None if privileged(s) or allowed(s, number) else Refused(errno, "privilege")

    return need


def _only_internet(s: Situation, number: Any) -> Refused | None:
    return Refused("EOPNOTSUPP", "kind") if number and s.kind in UNIX else None


def _filter_locked(s: Situation, number: Any) -> Refused | None:
    locked = s.socket.options.get((_SOL, constant("SO_LOCK_FILTER")), 0)
    return Refused("EPERM", "privilege") if locked and not number else None


def _no_filter(s: Situation, number: int) -> Refused:
    """There is none to take away, as far as the model knows: setting one makes a socket unknown to it."""
    locked = s.socket.options.get((_SOL, constant("SO_LOCK_FILTER")), 0)
    return Refused("EPERM", "privilege") if locked else Refused("ENOENT", "name")


def _stamps(other: str) -> Any:
    """SO_TIMESTAMP and SO_TIMESTAMPNS exclude each other; clearing one clears both (sock_set_timestamp())."""

    def change(s: Situation, value: Any) -> dict[tuple[int, int], Any]:
        return {(_SOL, constant(other)): 0}

    return change


def _error(s: Situation) -> Any:
    """The pending error's number; calls/options.py takes it away."""
    return constant(s.socket.error) if s.socket.error else 0


def _type(s: Situation) -> int:
    return constant({"stream": "SOCK_STREAM", "dgram": "SOCK_DGRAM", "raw": "SOCK_RAW"}.get(s.socket.type, "SOCK_SEQPACKET"))


def _listens(s: Situation) -> int:
    return int(s.socket.state == "LISTEN")


def _reuse(s: Situation) -> int:
    return 1 if s.kind == "raw" else 0  # INET_PROTOSW_REUSE, inetsw_array[] in net/ipv4/af_inet.c


def _peer_name(s: Situation) -> Any:
    one = s.socket
    # A peer at port 0 is none (inet_getname() in net/ipv4/af_inet.c).
    if (one.remote is None and not one.peer) or (one.remote is not None and one.family != "unix" and one.remote.port == 0):
        return Refused("ENOTCONN", "state")
    return AnAddress(one.remote)


def _bind_to(s: Situation, number: int) -> Any:
    return bound_to(s, number) if number >= 0 else Refused("EINVAL")


def _bound_device(s: Situation) -> Any:
    index = s.socket.options.get((_SOL, constant("SO_BINDTOIFINDEX")), 0)
    names = {number: name for name, number in s.world.hosts[s.socket.host].interfaces.items()}
    # The room is looked at before the interface is looked for (sock_getbindtodevice() in net/core/sock.c).
    room = s.args.get("length")
    short = isinstance(room, int) and room < LONGEST_NAME
    return "" if not index else names.get(index, Refused("EINVAL") if short else Refused("ENODEV", "device"))


def _credentials(s: Situation) -> Any:
    """Of a pair, who made it; of others what nobody has. Processes' numbers are not known."""
    connected = s.kind in UNIX and (s.socket.state != "CLOSED" or s.socket.connection or s.socket.peer)
    return ANYTHING if connected else (0, -1, -1)


def _of_peer(s: Situation) -> Any:
    connected = s.kind in UNIX and (s.socket.state != "CLOSED" or s.socket.connection or s.socket.peer)
    return ANYTHING if connected else Refused("ENODATA", "state")


def _incoming_cpu(s: Situation) -> Any:
    given = s.socket.options.get((_SOL, constant("SO_INCOMING_CPU")))
    fresh = s.kind in UNIX or s.socket.local is None
    return (given if given is not None else -1) if fresh else ANYTHING


def _rehash(s: Situation) -> Any:
    return Refused("EOPNOTSUPP", "kind") if s.kind != "tcp" else s.socket.options.get((_SOL, constant("SO_TXREHASH")), 1)


def _rehash_set(s: Situation, number: int) -> Any:
    if s.kind != "tcp":
        return Refused("EOPNOTSUPP", "kind")
    return Refused("EINVAL") if not -1 <= number <= 1 else 1 if number < 0 else number


def _peek_offset(s: Situation, number: int) -> Any:
    return Refused("EOPNOTSUPP", "kind") if s.kind == "raw" else number


def _zero_copy(s: Situation, number: int) -> Any:
    if s.kind not in ("tcp", "udp"):
        return Refused("EOPNOTSUPP", "kind")
    return strict_flag(s, number)


def _busy(s: Situation, number: Any) -> Refused | None:
    """Raising it needed a capability in the first user namespace, as socket(7) has it; Linux 6.18 asks for none."""
    if number <= s.socket.options.get((_SOL, constant("SO_BUSY_POLL")), 0):
        return None
    return Refused("EPERM", "privilege", certain=False)


def _reserve(s: Situation, number: int) -> Any:
    # Memory can only be reserved for a socket that a memory cgroup accounts for.
    return Refused("EINVAL") if number < 0 else Refused("EOPNOTSUPP", "kind", certain=False, otherwise=number)


_PASSING: dict[str, Any] = {"kinds": UNIX, "lacking": "EOPNOTSUPP", "takes": flag}
_EVERY: tuple[Kind, ...] = INTERNET + UNIX

ROWS: tuple[Option, ...] = (
    *flags(_LEVEL, "SO_DONTROUTE SO_BROADCAST SO_KEEPALIVE SO_OOBINLINE SO_NO_CHECK SO_RXQ_OVFL SO_WIFI_STATUS SO_NOFCS "
                   "SO_SELECT_ERR_QUEUE", _SOURCE),
    option(_LEVEL, "SO_DEBUG", _SOURCE, takes=flag, needs=_needs_admin("EACCES", lambda s, number: not number)),
    option(_LEVEL, "SO_REUSEADDR", _SOURCE, takes=flag, default=_reuse),
    option(_LEVEL, "SO_REUSEPORT", "socket(7); sk_is_inet() since Linux 6.12", takes=flag, needs=_only_internet),
    option(_LEVEL, "SO_BSDCOMPAT", "socket(7): removed, takes anything", takes=lambda s, number: 0),
    option(_LEVEL, "SO_SNDBUF", _SOURCE, takes=_buffer(_LEAST_SNDBUF), default=Bounds(_LEAST_SNDBUF, _MOST),
          also=_locks(_SNDBUF_LOCK)),
    option(_LEVEL, "SO_RCVBUF", _SOURCE, takes=_buffer(_LEAST_RCVBUF), default=Bounds(_LEAST_RCVBUF, _MOST),
          also=_locks(_RCVBUF_LOCK)),
    option(_LEVEL, "SO_SNDBUFFORCE", _SOURCE, reads="", takes=_forced(_LEAST_SNDBUF), also=_forces("SO_SNDBUF", _SNDBUF_LOCK),
           needs=_needs_admin("EPERM", lambda s, number: False)),
    option(_LEVEL, "SO_RCVBUFFORCE", _SOURCE, reads="", takes=_forced(_LEAST_RCVBUF), also=_forces("SO_RCVBUF", _RCVBUF_LOCK),
           needs=_needs_admin("EPERM", lambda s, number: False)),
    option(_LEVEL, "SO_BUF_LOCK", _CORE, takes=within(0, 3)),
    option(_LEVEL, "SO_RCVLOWAT", _SOURCE, takes=_low_water, default=1),
    read_only(_LEVEL, "SO_SNDLOWAT", "socket(7): cannot be changed on Linux, ENOPROTOOPT", default=1),
    option(_LEVEL, "SO_LINGER", _SOURCE, writes="linger", reads="linger", default=(0, 0)),
    option(_LEVEL, "SO_RCVTIMEO", _SOURCE, writes="timeval", reads="timeval", default=None),
    option(_LEVEL, "SO_SNDTIMEO", _SOURCE, writes="timeval", reads="timeval", default=None),
    option(_LEVEL, "SO_TIMESTAMP", _SOURCE, takes=flag, also=_stamps("SO_TIMESTAMPNS")),
    option(_LEVEL, "SO_TIMESTAMPNS", _SOURCE, takes=flag, also=_stamps("SO_TIMESTAMP")),
    option(_LEVEL, "SO_LOCK_FILTER", _SOURCE, takes=flag, needs=_filter_locked),
    option(_LEVEL, "SO_DETACH_FILTER", "socket(7); sk_detach_filter() in net/core/filter.c", reads="",
           takes=_no_filter),
    option(_LEVEL, "SO_PRIORITY", _SOURCE, takes=whole, needs=_needs_net("EPERM", lambda s, number: 0 <= number <= 6)),
    option(_LEVEL, "SO_MARK", _SOURCE, takes=whole, needs=_needs_net("EPERM", lambda s, number: False)),
    option(_LEVEL, "SO_RCVMARK", _CORE, takes=flag, needs=_needs_net("EPERM", lambda s, number: False)),
    option(_LEVEL, "SO_BUSY_POLL", _SOURCE, takes=within(0, _MOST), needs=_busy),
    option(_LEVEL, "SO_MAX_PACING_RATE", "socket(7)", takes=whole, writes="long", reads="long", default=-1),
    option(_LEVEL, "SO_INCOMING_CPU", _SOURCE, takes=whole, shows=_incoming_cpu),
    option(_LEVEL, "SO_TXREHASH", _CORE, takes=_rehash_set, shows=_rehash),
    option(_LEVEL, "SO_PEEK_OFF", _SOURCE, takes=_peek_offset, default=-1,
           shows=lambda s: Refused("EOPNOTSUPP", "kind") if s.kind == "raw" else s.socket.options.get((_SOL,
                 constant("SO_PEEK_OFF")), -1)),
    option(_LEVEL, "SO_ZEROCOPY", "Documentation/networking/msg_zerocopy.rst", takes=_zero_copy),
    option(_LEVEL, "SO_RESERVE_MEM", _CORE, takes=_reserve),
    option(_LEVEL, "SO_BINDTOIFINDEX", _CORE, takes=_bind_to, needs=_needs_net("EPERM", lambda s, number: False)),
    option(_LEVEL, "SO_BINDTODEVICE", _SOURCE, writes="device", reads="string", shows=_bound_device),
    option(_LEVEL, "SO_PASSCRED", "unix(7)", **_PASSING),
    option(_LEVEL, "SO_PASSSEC", "unix(7)", **_PASSING),
    option(_LEVEL, "SO_PASSPIDFD", "unix(7)", **_PASSING),
    read_only(_LEVEL, "SO_TYPE", _SOURCE, shows=_type),
    read_only(_LEVEL, "SO_DOMAIN", _SOURCE, shows=lambda s: s.socket.domain),
    read_only(_LEVEL, "SO_PROTOCOL", _SOURCE, shows=lambda s: s.socket.protocol),
    read_only(_LEVEL, "SO_ERROR", "POSIX.1-2024 2.10.16; socket(7)", shows=_error),
    read_only(_LEVEL, "SO_ACCEPTCONN", "POSIX.1-2024 2.10.16; socket(7)", shows=_listens),
    read_only(_LEVEL, "SO_PEERNAME", _CORE, reads="address", shows=_peer_name),
    read_only(_LEVEL, "SO_PEERCRED", "unix(7)", reads="credentials", shows=_credentials),
    read_only(_LEVEL, "SO_PEERPIDFD", "unix(7)", shows=_of_peer),
    read_only(_LEVEL, "SO_INCOMING_NAPI_ID", _SOURCE, shows=lambda s: 0 if s.socket.local is None else ANYTHING),
)  # fmt: skip

LEFT_OUT = frozenset([26, 31, 37, 48, *range(50, 56), 57, 58, 59, 61, *range(63, 72), *range(78, 256)])
"""Options that Linux has and no row describes: filters, credentials of peers, time stamping in detail, what is only for devices,
and numbers that later kernels may use."""
