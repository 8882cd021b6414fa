"""The options at level IPPROTO_IPV6, as ipv6(7) and RFC 3493, RFC 3542 describe them, one row each. It knows no other level."""

from typing import Any

from netlab.model.sockets.options.given import UNSURE
from netlab.model.sockets.options.ip_level import path_mtu
from netlab.model.sockets.options.shape import (
    INTERNET,
    Bounds,
    Option,
    Refused,
    flag,
    flags,
    from_accept,
    option,
    privileged,
    reset_or_within,
    shared,
    strict_flag,
    sysctl,
    within,
)
from netlab.model.sockets.situation import Situation
from netlab.notation.constants import constant

_ICMPV6, _INET = constant("IPPROTO_ICMPV6"), constant("AF_INET")
_LEVEL = "IPPROTO_IPV6"
_IPV6 = constant(_LEVEL)
_SOURCE = "ipv6(7)"
_ADVANCED = "RFC 3542"
_CORE = "do_ipv6_setsockopt() in net/ipv6/ipv6_sockglue.c"
_LEAST_MTU = 1280  # RFC 8200 section 5
_CONGESTION_BITS = 3  # RFC 3168


def _only(s: Situation, number: Any) -> Refused | None:
    """IPV6_V6ONLY cannot change once the socket has a port or protocol number (ipv6(7))."""
    one = s.socket
    named = s.kind == "raw" or (one.local is not None and one.local.port != 0 and not one.note.get("released"))
    return Refused("EINVAL", "state") if named else None


def _only_version_6(s: Situation) -> Any:
    """bind() to anything but :: and mapped addresses sets it, whatever was asked for (__inet6_bind() in net/ipv6/af_inet6.c);
    raw sockets' bind() does not."""
    one = s.socket
    given = one.options.get((_IPV6, constant("IPV6_V6ONLY")), sysctl(s, "net.ipv6.bindv6only", 0))
    if given or s.kind == "raw" or one.local is None or "address" not in one.chosen:
        return given
    if from_accept(s):
        return Bounds(values=(0, 1))
    return 0 if one.local.host == "::" or one.local.host.startswith("::ffff:") else 1


def _not_stream(s: Situation, number: Any) -> Refused | None:
    return Refused("ENOPROTOOPT", "kind") if s.kind == "tcp" else None


def _hops(s: Situation) -> int:
    given: int = s.socket.options.get((_IPV6, constant("IPV6_UNICAST_HOPS")), -1)
    return given if given >= 0 else sysctl(s, "net.ipv6.conf.all.hop_limit", 64)


def _traffic_class(s: Situation, number: int) -> Any:
    """-1 is the default, 0; TCP keeps the ECN field to itself."""
    if not -1 <= number <= 255:
        return Refused("EINVAL")
    number = max(number, 0)
    kept: int = s.socket.options.get((_IPV6, constant("IPV6_TCLASS")), 0)
    return (number & ~_CONGESTION_BITS) | (kept & _CONGESTION_BITS) if s.kind == "tcp" else number


def _interface(s: Situation, number: int) -> Any:
    index = int.from_bytes((number & 0xFFFFFFFF).to_bytes(4, "little"), "big")
    return number if index == 0 or index in _indexes(s) else Refused("EADDRNOTAVAIL", "device")


def _outgoing(s: Situation, number: int) -> Any:
    return number if number == 0 or number in _indexes(s) else Refused("ENODEV", "device")


def _indexes(s: Situation) -> Any:
    return s.world.hosts[s.socket.host].interfaces.values()


def _transparent(s: Situation, number: Any) -> Refused | None:
    return Refused("EPERM", "privilege") if number and not privileged(s) else None


def _mtu(_: Situation, number: int) -> Any:
    return number if number == 0 or number >= _LEAST_MTU else Refused("EINVAL")


def _checksum(s: Situation, number: int) -> Any:
    """An even offset, or negative for none; ICMPv6's is where RFC 4443 2.1 has it, and nobody moves it (RFC 3542 3.1)."""
    if s.socket.protocol == _ICMPV6:
        return Refused("EINVAL")
    return max(number, -1) if number < 0 or not number & 1 else Refused("EINVAL")


def _offset(s: Situation) -> int:
    return 2 if s.socket.protocol == _ICMPV6 else -1


def _other_family(s: Situation, number: int) -> Any:
    """AF_INET, for a peer of IPv4, is not modelled; nothing else is taken."""
    if number != _INET:
        return Refused("EINVAL")
    return Refused("ENOPROTOOPT", "no-option") if s.kind == "raw" else Refused("ENOTCONN", certain=False, otherwise=UNSURE)


def _family(s: Situation) -> Any:
    if s.kind == "raw":
        return Refused("ENOPROTOOPT", "no-option")
    connected = s.socket.remote is not None and (s.kind != "tcp" or s.socket.state == "ESTABLISHED")
    return constant("AF_INET6") if connected else Refused("ENOTCONN", "state", certain=s.socket.remote is None, otherwise=10)


_SIX: dict[str, Any] = {"family": "inet6"}

ROWS: tuple[Option, ...] = (
    *flags(_LEVEL, "IPV6_RECVERR", _SOURCE, **_SIX),
    *flags(_LEVEL, "IPV6_FREEBIND", _SOURCE, also=shared("IPPROTO_IP", "IP_FREEBIND"), **_SIX),
    *flags(_LEVEL, "IPV6_2292PKTINFO IPV6_RECVPKTINFO IPV6_RECVHOPLIMIT IPV6_RECVHOPOPTS IPV6_RECVRTHDR IPV6_RECVDSTOPTS "
                   "IPV6_RECVPATHMTU IPV6_RECVTCLASS", _ADVANCED, **_SIX),
    option(_LEVEL, "IPV6_V6ONLY", "RFC 3493 5.3; ipv6(7)", takes=flag, needs=_only,
           shows=_only_version_6, **_SIX),
    option(_LEVEL, "IPV6_UNICAST_HOPS", "RFC 3493 5.1; ipv6(7)", takes=within(-1, 255), shows=_hops, **_SIX),
    option(_LEVEL, "IPV6_MULTICAST_HOPS", "RFC 3493 5.2; ipv6(7)", takes=reset_or_within(1, 0, 255), needs=_not_stream,
           default=lambda s: Bounds(0, 255) if from_accept(s) else 1, **_SIX),
    option(_LEVEL, "IPV6_MULTICAST_LOOP", "RFC 3493 5.2; ipv6(7)", takes=strict_flag, default=1, **_SIX),
    option(_LEVEL, "IPV6_MULTICAST_IF", "RFC 3493 5.2; ipv6(7)", takes=_outgoing, needs=_not_stream,
           default=lambda s: Bounds(0, 2**31 - 1) if from_accept(s) else 0, **_SIX),
    option(_LEVEL, "IPV6_MULTICAST_ALL", _CORE, takes=flag, default=1, **_SIX),
    option(_LEVEL, "IPV6_MTU_DISCOVER", _SOURCE, takes=within(0, 5), default=1, **_SIX),
    option(_LEVEL, "IPV6_MTU", _SOURCE, takes=_mtu, shows=path_mtu, **_SIX),
    option(_LEVEL, "IPV6_DONTFRAG", _ADVANCED, writes="loose int", takes=flag, **_SIX),
    option(_LEVEL, "IPV6_AUTOFLOWLABEL", _CORE, writes="loose int", takes=flag, default=1, **_SIX),
    option(_LEVEL, "IPV6_TCLASS", _ADVANCED, takes=_traffic_class, **_SIX),
    option(_LEVEL, "IPV6_MINHOPCOUNT", _CORE, takes=within(0, 255), **_SIX),
    option(_LEVEL, "IPV6_TRANSPARENT", _CORE, takes=flag, needs=_transparent, also=shared("IPPROTO_IP", "IP_TRANSPARENT"), **_SIX),
    option(_LEVEL, "IPV6_UNICAST_IF", _CORE, writes="four bytes", takes=_interface, **_SIX),
    option(_LEVEL, "IPV6_CHECKSUM", _ADVANCED, takes=_checksum, default=_offset, kinds=("raw",), **_SIX),
    option(_LEVEL, "IPV6_ADDRFORM", _SOURCE, takes=_other_family, shows=_family, kinds=INTERNET, **_SIX),
)  # fmt: skip

LEFT_OUT = frozenset(
    [*range(3, 7), 8, *range(10, 16), 20, 21, 22, 27, 28, *range(30, 49), 50, 54, 55, 57, 59, 61, 63, *range(64, 66), 68, 69, 71,
          72,
     74, 77, *range(79, 256)]
)  # fmt: skip
"""Extension headers to be set, groups, flow labels, IPsec, address preferences, netfilter, multicast routing, and numbers that
later kernels may use."""
