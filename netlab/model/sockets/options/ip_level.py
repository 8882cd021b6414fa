"""The options at level IPPROTO_IP, as ip(7) describes them, one row each. It knows no other level."""

from typing import Any

from netlab.model.sockets.options.shape import (
    Bounds,
    Option,
    Refused,
    flag,
    flags,
    from_accept,
    option,
    privileged,
    read_only,
    reset_or_within,
    shared,
    strict_flag,
    sysctl,
    within,
)
from netlab.model.sockets.situation import Situation
from netlab.notation.constants import constant

_LEVEL = "IPPROTO_IP"
_IP = constant(_LEVEL)
_SOURCE = "ip(7)"
_CORE = "do_ip_setsockopt() in net/ipv4/ip_sockglue.c"
_LOOPBACK_MTU = 65536
_MOST_MTU = 65535
_LEAST_MTU = 68  # RFC 791
_CONGESTION_BITS = 3  # RFC 3168: the ECN field, which belongs to TCP
_FORGETTING = (
    (_IP, constant("IP_TOS")),
    (constant("SOL_SOCKET"), constant("SO_DONTROUTE")),
    (constant("SOL_SOCKET"), constant("SO_MARK")),
    (constant("SOL_SOCKET"), constant("SO_BINDTOIFINDEX")),
)
"""Options that make a socket forget its route until it sends again (sk_dst_reset())."""

_PRIORITIES = (0, 0, 0, 0, 2, 2, 2, 2, 6, 6, 6, 6, 4, 4, 4, 4)
"""ip_tos2prio in net/ipv4/route.c: SO_PRIORITY, by bits 1 to 4 of the type of service."""


def _service(s: Situation, number: int) -> int:
    if s.kind != "tcp":
        return number & 0xFF
    kept: int = s.socket.options.get((_IP, constant("IP_TOS")), 0)
    return (number & 0xFF & ~_CONGESTION_BITS) | (kept & _CONGESTION_BITS)


def _priority(s: Situation, value: Any) -> dict[tuple[int, int], Any]:
    """socket(7), SO_PRIORITY: setting another type of service sets the priority."""
    if value == s.socket.options.get((_IP, constant("IP_TOS")), 0):
        return {}
    return {(constant("SOL_SOCKET"), constant("SO_PRIORITY")): _PRIORITIES[(value & 0x1E) >> 1]}


def _time_to_live(s: Situation) -> int:
    return s.socket.options.get((_IP, constant("IP_TTL"))) or sysctl(s, "net.ipv4.ip_default_ttl", 64)


def _take_time_to_live(_: Situation, number: int) -> Any:
    """1 to 255; -1 is the default again, kept as 0."""
    return 0 if number == -1 else number if 1 <= number <= 255 else Refused("EINVAL")


def _only_raw(s: Situation, number: Any) -> Refused | None:
    return None if s.kind == "raw" else Refused("ENOPROTOOPT", "kind")


def _not_stream(s: Situation, number: Any) -> Refused | None:
    return Refused("EINVAL", "kind") if s.kind == "tcp" else None


def _transparent(s: Situation, number: Any) -> Refused | None:
    return Refused("EPERM", "privilege") if number and not privileged(s) else None


def _header_included(s: Situation) -> int:
    raw = s.kind == "raw" and s.socket.protocol == constant("IPPROTO_RAW")
    given: int = s.socket.options.get((_IP, constant("IP_HDRINCL")), int(raw))
    return given


def path_mtu(s: Situation) -> Any:
    """Of the route to the peer: ENOTCONN without one (ip(7))."""
    one = s.socket
    if one.remote is None or (s.kind == "tcp" and one.state in ("CLOSED", "LISTEN")):
        return Refused("ENOTCONN", "state", certain=one.remote is None, otherwise=Bounds(_LEAST_MTU, _LOOPBACK_MTU))
    mtu: Any = Bounds(_LEAST_MTU, _LOOPBACK_MTU)
    if s.host.owns(one.remote.host.removeprefix("::ffff:")):
        mtu = _MOST_MTU if one.family == "inet" or one.remote.host.startswith("::ffff:") else _LOOPBACK_MTU
    forgotten = any(option in one.options for option in _FORGETTING) or bool(one.note.get("rerouted"))
    forgotten |= s.kind == "tcp" and one.state != "ESTABLISHED"
    return Refused("ENOTCONN", "state", certain=False, otherwise=mtu) if forgotten else mtu


def _group_hops(s: Situation) -> Any:
    """Of a socket from accept(), as many hops as the peer's packet had left (tcp_v4_syn_recv_sock())."""
    return Bounds(0, 255) if from_accept(s) else 1


def _every_group(s: Situation) -> int:
    given: int = s.socket.options.get((_IP, constant("IP_MULTICAST_ALL")), int(s.socket.family == "inet"))
    return given


def _interface(s: Situation, number: int) -> Any:
    """An interface's index in network order; the kernel keeps it so."""
    index = int.from_bytes((number & 0xFFFFFFFF).to_bytes(4, "little"), "big")
    known = s.world.hosts[s.socket.host].interfaces.values()
    return number if index == 0 or index in known else Refused("EADDRNOTAVAIL", "device")


def _sender(s: Situation) -> int:
    kept = s.socket.options.get((_IP, constant("IP_MULTICAST_IF")))
    return kept[0] if kept else 0


def _ports(_: Situation, number: int) -> Any:
    """The lowest port in the lower 16 bits, the highest in the upper ones; 0 is no limit."""
    low, high = number & 0xFFFF, (number >> 16) & 0xFFFF
    return Refused("EINVAL") if low and high and low > high else number


ROWS: tuple[Option, ...] = (
    *flags(_LEVEL, "IP_RECVOPTS IP_RETOPTS IP_PKTINFO IP_RECVERR IP_RECVTTL IP_RECVTOS IP_RECVORIGDSTADDR IP_BIND_ADDRESS_NO_PORT",
           _SOURCE, writes="byte", reads="byte"),
    option(_LEVEL, "IP_FREEBIND", _SOURCE, writes="some byte", reads="byte", takes=flag,
           also=shared("IPPROTO_IPV6", "IPV6_FREEBIND")),
    option(_LEVEL, "IP_TRANSPARENT", _SOURCE, writes="some byte", reads="byte", takes=flag, needs=_transparent,
           also=shared("IPPROTO_IPV6", "IPV6_TRANSPARENT")),
    option(_LEVEL, "IP_TOS", _SOURCE, writes="byte", reads="byte", takes=_service, also=_priority),
    option(_LEVEL, "IP_TTL", _SOURCE, writes="some byte", reads="byte", takes=_take_time_to_live, shows=_time_to_live),
    option(_LEVEL, "IP_MINTTL", _SOURCE, writes="some byte", reads="byte", takes=within(0, 255)),
    option(_LEVEL, "IP_HDRINCL", _SOURCE, writes="byte", reads="byte", takes=flag, needs=_only_raw, shows=_header_included),
    option(_LEVEL, "IP_NODEFRAG", _SOURCE, writes="byte", reads="byte", takes=flag, needs=_only_raw),
    option(_LEVEL, "IP_MTU_DISCOVER", _SOURCE, writes="byte", reads="byte", takes=within(0, 5),
           default=lambda s: 1 - min(sysctl(s, "net.ipv4.ip_no_pmtu_disc", 0), 1)),
    option(_LEVEL, "IP_RECVFRAGSIZE", _CORE, writes="byte", reads="byte", takes=flag, needs=_not_stream),
    option(_LEVEL, "IP_RECVERR_RFC4884", _CORE, writes="byte", reads="byte", takes=strict_flag),
    option(_LEVEL, "IP_MULTICAST_TTL", _SOURCE, writes="some byte", reads="byte", needs=_not_stream,
           takes=reset_or_within(1, 0, 255), default=_group_hops),
    option(_LEVEL, "IP_MULTICAST_LOOP", _SOURCE, writes="some byte", reads="byte", takes=flag, default=1),
    option(_LEVEL, "IP_MULTICAST_ALL", _SOURCE, writes="some byte", reads="byte", takes=strict_flag, shows=_every_group),
    option(_LEVEL, "IP_UNICAST_IF", _CORE, writes="four bytes", reads="byte", takes=_interface),
    option(_LEVEL, "IP_LOCAL_PORT_RANGE", _SOURCE, writes="four bytes", reads="byte", takes=_ports),
    option(_LEVEL, "IP_ADD_MEMBERSHIP", _SOURCE, writes="group", reads=""),
    option(_LEVEL, "IP_DROP_MEMBERSHIP", _SOURCE, writes="group", reads=""),
    option(_LEVEL, "IP_MULTICAST_IF", _SOURCE, writes="sender", shows=_sender),
    read_only(_LEVEL, "IP_MTU", _SOURCE, shows=path_mtu),
    option(_LEVEL, "IP_OPTIONS", _SOURCE, writes="unmodelled", reads="bytes", default=b""),
)  # fmt: skip

LEFT_OUT = frozenset([5, 9, 16, 17, 18, 23, *range(37, 49), *range(52, 256)])
"""Multicast of one source, IPsec, router alert, netfilter, multicast routing, and numbers
that later kernels may use."""
