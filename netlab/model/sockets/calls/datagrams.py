"""UDP's rules: sending with and without a connection, and with those of its neighbours all that UDP's sockets do.

Who gets a datagram is in netlab.model.sockets.udp; the order of rules is that of udp_sendmsg() and udpv6_sendmsg().
"""

from collections.abc import Callable, Iterable

import msgspec

from netlab.model.sockets.addresses import INET, INET6, address_in, length_in, pointed
from netlab.model.sockets.calls.datagrams_connecting import (
    accept_errors,
    connect_rules,
    failing,
    from_somewhere,
    group_unknown,
    inet6,
    leaves_loopback,
    shutdown_rules,
    unsupported,
    with_name,
)
from netlab.model.sockets.calls.datagrams_received import RECEIVING
from netlab.model.sockets.messages import SENDS, content, error_taken, pending_error, size, unreadable
from netlab.model.sockets.objects import Address, Socket
from netlab.model.sockets.options.values import buffer_size, given
from netlab.model.sockets.outcomes import Outcome
from netlab.model.sockets.ports import is_mapped, plain
from netlab.model.sockets.routes import destination, is_broadcast, is_group, is_link_local, reached
from netlab.model.sockets.rules import Rule, fails, gives, unmodelled
from netlab.model.sockets.situation import Situation
from netlab.model.sockets.udp import (
    arrived,
    delivered,
    only_v6,
    own_address,
    source_of,
    with_port,
)
from netlab.model.sockets.world import World
from netlab.notation.constants import constant
from netlab.notation.values import BadPointer

_KINDS = ("udp",)
_UDP4 = "udp_sendmsg() in net/ipv4/udp.c"
_UDP6 = "udpv6_sendmsg() in net/ipv6/udp.c"
_LONGEST4, _LONGEST6, _OVERFLOW = 65507, 65527, 0xFFFF
"""65535 less the headers of IPv4 and UDP (RFC 791, RFC 768); less UDP's alone over IPv6 (RFC 8200)."""
_SURELY_ONE_PACKET = 1200
_SHORT4, _SHORT6 = 16, 24
_UNSPEC = constant("AF_UNSPEC")
_CORK = (constant("IPPROTO_UDP"), constant("UDP_CORK"))
_BROADCAST = (constant("SOL_SOCKET"), constant("SO_BROADCAST"))


def named(s: Situation) -> bool:
    """Whether the call names an address."""
    value = pointed(s)
    if (
        s.call.name not in ("sendto", "sendmsg")
        or value is None
        or value == "NONE"
        or (isinstance(value, BadPointer) and value.null)
    ):
        return False
    return s.call.name == "sendto" or length_in(s) > 0


def _named_family(s: Situation) -> int | None:
    return address_in(s).family if named(s) else None


def _corked(s: Situation) -> tuple[bytes, Address] | None:
    found: tuple[bytes, Address] | None = s.socket.note.get("cork")
    return found


def _peer(s: Situation) -> Address | None:
    """The peer of a connected socket."""
    return s.socket.remote if s.socket.state == "ESTABLISHED" else None


def over_ipv4(s: Situation) -> bool:
    """Whether the datagram goes by IPv4: by the socket, or by an address in the mapped form."""
    if not inet6(s):
        return True
    cork = _corked(s)
    if cork is not None and not named(s):
        return ":" not in cork[1].host
    family = _named_family(s)
    if family is None:
        peer = _peer(s)
        return peer is not None and is_mapped(peer.host)
    if family == _UNSPEC:
        return False
    if family == INET:
        return True
    address = address_in(s)
    return is_mapped(address.host) or (address.host == "::" and s.socket.local is not None and is_mapped(s.socket.local.host))


def target(s: Situation) -> Address | None:
    """Where the datagram goes, as a plain address; None where nobody said."""
    cork = _corked(s)
    if cork is not None:
        return cork[1]
    family = _named_family(s)
    if family is None or (family == _UNSPEC and inet6(s)):
        peer = _peer(s)
        return None if peer is None else Address(INET, plain(peer.host), peer.port)
    address = address_in(s)
    host = plain(address.host) or "0.0.0.0"
    if host == "::" and over_ipv4(s):
        host = "127.0.0.1"
    return Address(INET if "." in host and ":" not in host else INET6, destination(host, own_address(s.socket, 4)), address.port)


# What is refused.


def _short6(s: Situation) -> bool:
    if not (inet6(s) and named(s)):
        return False
    return length_in(s) < 2 or (_named_family(s) == INET6 and length_in(s) < _SHORT6)


def _family6(s: Situation) -> bool:
    return inet6(s) and _named_family(s) not in (None, INET, INET6, _UNSPEC)


def _nowhere6(s: Situation) -> bool:
    return inet6(s) and _named_family(s) in (None, _UNSPEC) and _corked(s) is None and _peer(s) is None


def _v4_refused(s: Situation) -> bool:
    return inet6(s) and over_ipv4(s) and only_v6(s.socket) and _corked(s) is None


def _too_long_for_any(s: Situation) -> bool:
    return over_ipv4(s) and size(s) > _OVERFLOW


def _urgent(s: Situation) -> bool:
    return over_ipv4(s) and s.flag("MSG_OOB")


def _free4(s: Situation) -> bool:
    return over_ipv4(s) and _corked(s) is None


def _short4(s: Situation) -> bool:
    # A mapped address was made one of IPv4 by now, of the right length.
    return _free4(s) and named(s) and _named_family(s) != INET6 and length_in(s) < _SHORT4


def _family4(s: Situation) -> bool:
    return not inet6(s) and _corked(s) is None and _named_family(s) not in (None, INET, _UNSPEC)


def _mixed(s: Situation) -> bool:
    """Whether what is kept back goes by IPv6, and this by IPv4."""
    cork = _corked(s)
    return cork is not None and ":" in cork[1].host and named(s) and over_ipv4(s)


def _port_zero(s: Situation) -> bool:
    peer = _peer(s)
    if inet6(s) and peer is not None and not named(s) and over_ipv4(s) and _corked(s) is None:
        # The peer's address is passed on as one of IPv4 that the call named.
        return peer.port == 0
    if not named(s) or _corked(s) is not None or (inet6(s) and _named_family(s) == _UNSPEC):
        return False
    return address_in(s).port == 0


def _nowhere4(s: Situation) -> bool:
    return not inet6(s) and not named(s) and _corked(s) is None and _peer(s) is None


def _from_mapped(s: Situation) -> bool:
    local = s.socket.local
    return (
        inet6(s)
        and not over_ipv4(s)
        and _corked(s) is None
        and local is not None
        and is_mapped(local.host)
        and local.host != ("::ffff:0.0.0.0")
    )


def _from_somewhere(s: Situation) -> bool:
    """Whether the socket has an address of its own, not only a port."""
    return s.socket.local is not None and plain(s.socket.local.host) not in ("0.0.0.0", "::")


def _hard_route(s: Situation) -> bool:
    """Groups and link-local addresses, where there is more than the loopback to send by; a source that nobody knows."""
    where = target(s)
    if where is None or _corked(s) is not None:
        return False
    if is_group(where.host) or where.host == "255.255.255.255":
        return group_unknown(s, where.host)
    if is_link_local(where.host) and len(s.host.interfaces) > 1:
        return True
    return reached(s.host, where.host) and source_of(s.world, s.socket, where.host) is None


def _unreachable(s: Situation) -> bool:
    where = target(s)
    if where is None or _corked(s) is not None:
        return False
    if inet6(s) and not over_ipv4(s) and ":" not in where.host:
        # AF_UNSPEC means the peer, whose mapped address is then looked for by IPv6.
        return True
    if is_group(where.host) or is_link_local(where.host):
        return not from_somewhere(s, where.host)
    if where.host == "255.255.255.255":
        return not from_somewhere(s, where.host)
    return not is_broadcast(s.host, where.host) and not reached(s.host, where.host)


def _broadcast_refused(s: Situation) -> bool:
    where = target(s)
    if where is None or _corked(s) is not None or s.socket.options.get(_BROADCAST):
        return False
    return is_broadcast(s.host, where.host)


def _from_loopback(s: Situation) -> bool:
    where = target(s)
    return where is not None and _corked(s) is None and leaves_loopback(s, where.host)


def _too_long(s: Situation) -> bool:
    cork = _corked(s)
    total = size(s) + (len(cork[0]) if cork is not None else 0)
    return total > (_LONGEST4 if over_ipv4(s) else _LONGEST6)


def _not_fragmented(s: Situation) -> bool:
    """Whether the path's MTU may be too small and no fragments are allowed; or the size is not one to be sure of."""
    never = any(
        given(s.socket, level, name, 1) in (2, 3, 5)
        for level, name in (("IPPROTO_IP", "IP_MTU_DISCOVER"), ("IPPROTO_IPV6", "IPV6_MTU_DISCOVER"))
    ) or given(s.socket, "IPPROTO_IPV6", "IPV6_DONTFRAG")
    small = (buffer_size(s.socket, "SO_SNDBUF") or 212992) // 2 < size(s)
    return small or bool(never and size(s) > 1200)


def _looks_back(s: Situation) -> bool | None:
    """Whether the call looks for errors, and whether sending was shut down: where data is only added to what is kept back and fits
    into the same packet, it does not (__ip_append_data() in net/ipv4/ip_output.c)."""
    cork = _corked(s)
    if cork is None:
        return True
    return False if len(cork[0]) + size(s) < _SURELY_ONE_PACKET else None


def _shut(s: Situation) -> bool | None:
    return s.socket.shut_write and _looks_back(s)


def _error(s: Situation) -> bool | None:
    return pending_error(s) and _looks_back(s)


def _segmented(s: Situation) -> bool:
    return bool(given(s.socket, "IPPROTO_UDP", "UDP_SEGMENT"))


def _controlled(s: Situation) -> bool:
    """Whether control messages come with it: what IP makes of them is not modelled."""
    value = s.args.get("control")
    return s.call.name == "sendmsg" and value is not None and value != "NONE" and not isinstance(value, BadPointer)


# What comes of it.


def _error_told(s: Situation) -> Iterable[Outcome]:
    for one in error_taken(s):
        yield msgspec.structs.replace(one, world=with_port(one.world, s.socket_id))


def uncorked(world: World, number: int) -> World:
    """The world without the datagram that a socket kept back."""
    one = world.objects[number]
    assert isinstance(one, Socket)
    if "cork" not in one.note:
        return world
    return world.with_object(
        number, msgspec.structs.replace(one, note={name: value for name, value in one.note.items() if name != "cork"})
    )


def _dropping(errno: str) -> Callable[[Situation], Iterable[Outcome]]:
    """It fails, and what was kept back is thrown away (udp_flush_pending_frames())."""

    def gives_error(s: Situation) -> Iterable[Outcome]:
        yield Outcome(kind="fails", errno=errno, world=uncorked(with_name(s), s.socket_id))

    return gives_error


def _kept_back(s: Situation) -> bool:
    return s.flag("MSG_MORE") or bool(given(s.socket, "IPPROTO_UDP", "UDP_CORK"))


def _keeping(s: Situation) -> Iterable[Outcome]:
    world = with_name(s)
    one = world.objects[s.socket_id]
    where, cork = target(s), _corked(s)
    assert isinstance(one, Socket)
    assert where is not None
    note = {**one.note, "cork": ((cork[0] if cork is not None else b"") + content(s), where)}
    yield Outcome(kind="returns", value=size(s), world=world.with_object(s.socket_id, msgspec.structs.replace(one, note=note)))


def _sending(s: Situation) -> Iterable[Outcome]:
    where, cork = target(s), _corked(s)
    assert where is not None
    data = (cork[0] if cork is not None else b"") + content(s)
    for world in pushed(uncorked(with_name(s), s.socket_id), s.socket_id, where, data):
        yield Outcome(kind="returns", value=size(s), world=world)


def pushed(world: World, number: int, where: Address, data: bytes) -> list[World]:
    """The worlds after a socket with a port has sent a datagram to a plain address."""
    one = world.objects[number]
    assert isinstance(one, Socket)
    assert one.local is not None
    source = source_of(world, one, where.host) or where.host
    return delivered(world, number, Address(where.family, source, one.local.port), where, data)


def _sending_rules(call: str) -> tuple[Rule, ...]:
    posix = f"POSIX.1-2024 {call}()"

    def refused(what: str, errno: str, when: Callable[[Situation], bool], says: str, source: str, *, note: str = "") -> Rule:
        return fails(f"{call}.udp-{what}", errno, when, says, source, kinds=_KINDS, gives=failing(errno), note=note)

    def dropped(what: str, errno: str, when: Callable[[Situation], bool | None], says: str, source: str) -> Rule:
        return fails(f"{call}.udp-{what}", errno, when, says, source, kinds=_KINDS, gives=_dropping(errno))

    return (
        refused("short6", "EINVAL", _short6, "the address is shorter than one of IPv6", _UDP6),
        refused("family6", "EINVAL", _family6, "the address is of no family of IP", _UDP6),
        refused("nowhere6", "EDESTADDRREQ", _nowhere6, "nobody said where to", f"{posix} EDESTADDRREQ"),
        refused("only-v6", "ENETUNREACH", _v4_refused, "a socket of IPv6 alone does not send to addresses of IPv4", _UDP6),
        refused("overflow", "EMSGSIZE", _too_long_for_any, "no datagram has more than 65535 bytes", f"{posix} EMSGSIZE; {_UDP4}"),
        refused("urgent", "EOPNOTSUPP", _urgent, "UDP has no urgent data", f"{posix} EOPNOTSUPP; {_UDP4}",
                note="over IPv6 MSG_OOB is ignored"),
        refused("mixed", "EINVAL", _mixed, "what is kept back goes by IPv6", _UDP4),
        refused("short", "EINVAL", _short4, "the address is shorter than one of IPv4", _UDP4),
        refused("family", "EAFNOSUPPORT", _family4, "the address is of another family", f"{posix} EAFNOSUPPORT; {_UDP4}",
                note="AF_UNSPEC is taken for AF_INET"),
        refused("port-zero", "EINVAL", _port_zero, "no datagram goes to port 0", f"{_UDP4}; RFC 768"),
        refused("nowhere", "EDESTADDRREQ", _nowhere4, "nobody said where to", f"{posix} EDESTADDRREQ"),
        unmodelled(f"{call}.udp-controlled", _controlled, "what IP makes of control messages is not modelled", kinds=_KINDS),
        unmodelled(f"{call}.udp-segmented", _segmented, "UDP_SEGMENT is not modelled", kinds=_KINDS),
        unmodelled(f"{call}.udp-route", _hard_route, "by which interface it goes is not modelled", kinds=_KINDS),
        refused("unreachable", "ENETUNREACH", _unreachable, "there is no route", f"{posix} ENETUNREACH"),
        refused("from-mapped", "EAFNOSUPPORT", _from_mapped, "from an address of IPv4 nothing goes by IPv6",
                "ip6_dst_lookup_tail() in net/ipv6/ip6_output.c"),
        refused("from-loopback", "EINVAL", _from_loopback, "from the loopback's address nothing leaves the host",
                "__mkroute_output() in net/ipv4/route.c"),
        refused("broadcast", "EACCES", _broadcast_refused, "a broadcast needs SO_BROADCAST", "ip(7) EACCES; socket(7)"),
        dropped("too-long", "EMSGSIZE", _too_long, "the datagram is longer than IP can carry", f"{posix} EMSGSIZE; RFC 768"),
        unmodelled(f"{call}.udp-mtu", _not_fragmented, "path MTU discovery and small send buffers are not modelled", kinds=_KINDS),
        gives(f"{call}.udp-error", _error_told, "an error that came back is told once", "RFC 1122 4.1.3.3; udp(7)",
              when=_error, kinds=_KINDS, category="fails"),
        dropped("shut", "EPIPE", _shut, "the socket was shut down for sending", f"{posix} EPIPE"),
        dropped("unreadable", "EFAULT", unreadable, "the data cannot be read", "send(2) EFAULT"),
        gives(f"{call}.udp-kept", _keeping, "the datagram waits for more data", "udp(7), UDP_CORK; MSG_MORE in send(2)",
              when=_kept_back, kinds=_KINDS),
        gives(f"{call}.udp-sent", _sending, "the datagram is sent; whether anybody gets it, nobody says", f"{posix}; RFC 768",
              kinds=_KINDS),
    )  # fmt: skip


# setsockopt(UDP_CORK, 0)


def _uncorks(s: Situation) -> bool:
    chosen = s.number("level"), s.number("option")
    return "cork" in s.socket.note and chosen == _CORK and s.args.get("value") == 0 and s.args.get("length") in (None, 4)


def _uncorking(s: Situation) -> Iterable[Outcome]:
    cork = _corked(s)
    assert cork is not None
    one = msgspec.structs.replace(s.socket, options={**s.socket.options, _CORK: 0})
    for world in pushed(uncorked(s.world.with_object(s.socket_id, one), s.socket_id), s.socket_id, cork[1], cork[0]):
        yield Outcome(kind="returns", world=world)


ARRIVES = {"udp": arrived}

RULES: tuple[Rule, ...] = (
    *(rule for call in SENDS for rule in _sending_rules(call)),
    *RECEIVING,
    gives("setsockopt.udp-uncorked", _uncorking, "what was kept back is sent", "udp(7), UDP_CORK", when=_uncorks, kinds=_KINDS),
    *connect_rules(_KINDS, "udp"),
    *shutdown_rules(_KINDS, "udp"),
    *accept_errors("udp", _KINDS),
    *(unsupported(call, "udp", _KINDS) for call in ("listen", "accept", "accept4")),
)
