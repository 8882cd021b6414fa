"""UDP's rules: sending with and without a connection, and with those of its neighbours all that UDP's sockets do.

Who gets a datagram is in netlab.model.sockets.udp; the order of rules is that of udp_sendmsg() and udpv6_sendmsg().
"""

from collections.abc import Callable, Iterable

import msgspec

from netlab.model.sockets.calls.datagrams_connecting import (
    MAPPED,
    ROUTE,
    accept_errors,
    connect_rules,
    failing,
    shutdown_rules,
    unsupported,
    with_name,
)
from netlab.model.sockets.calls.datagrams_received import RECEIVING, error_rules
from netlab.model.sockets.calls.datagrams_refused import (
    broadcast_refused,
    controlled,
    corked,
    error_waits,
    family4,
    family6,
    from_loopback,
    from_mapped,
    goes_astray,
    hard_route,
    mixed,
    named,
    named_connected,
    not_fragmented,
    nowhere4,
    nowhere6,
    over_ipv4,
    port_zero,
    segmented,
    sending_shut,
    sent_from_foreign,
    sent_from_group,
    short4,
    short6,
    target,
    too_long,
    too_long_for_any,
    unreachable,
    urgent_over_ipv4,
    v4_refused,
)
from netlab.model.sockets.messages import SENDS, content, error_taken, sayable, size, unreadable
from netlab.model.sockets.objects import Address, Socket
from netlab.model.sockets.options.values import given
from netlab.model.sockets.outcomes import Outcome
from netlab.model.sockets.raw_copies import untold
from netlab.model.sockets.rules import Rule, fails, gives, unmodelled
from netlab.model.sockets.situation import Situation
from netlab.model.sockets.udp import (
    arrived,
    delivered,
    source_of,
    with_port,
)
from netlab.model.sockets.world import World
from netlab.notation.constants import constant

_KINDS = ("udp",)
_UDP4 = "udp_sendmsg() in net/ipv4/udp.c"
_UDP6 = "udpv6_sendmsg() in net/ipv6/udp.c"
_ONLY_POSIX = "POSIX lets it be refused; Linux sends to the address named"
_PROTOCOL = constant("IPPROTO_UDP")
_CORK = (constant("IPPROTO_UDP"), constant("UDP_CORK"))


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
        world = uncorked(with_name(s), s.socket_id)
        one = world.objects[s.socket_id]
        assert isinstance(one, Socket)
        if errno == "EMSGSIZE" and (given(one, "IPPROTO_IP", "IP_RECVERR") or given(one, "IPPROTO_IPV6", "IPV6_RECVERR")):
            # ip_local_error() in net/ipv4/datagram.c: such an error is kept, too.
            world = world.with_object(s.socket_id, msgspec.structs.replace(one, note={**one.note, "errors": None}))
        yield Outcome(kind="fails", errno=errno, world=world)

    return gives_error


def _kept_back(s: Situation) -> bool:
    return s.flag("MSG_MORE") or bool(given(s.socket, "IPPROTO_UDP", "UDP_CORK"))


def _keeping(s: Situation) -> Iterable[Outcome]:
    world = with_name(s)
    one = world.objects[s.socket_id]
    where, cork = target(s), corked(s)
    assert isinstance(one, Socket)
    assert where is not None
    note = {**one.note, "cork": ((cork[0] if cork is not None else b"") + content(s), where)}
    if cork is None and over_ipv4(s):
        note["astray"] = named(s) and one.state == "ESTABLISHED"
    yield Outcome(kind="returns", value=size(s), world=world.with_object(s.socket_id, msgspec.structs.replace(one, note=note)))


def _sending(s: Situation) -> Iterable[Outcome]:
    where, cork = target(s), corked(s)
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
    return delivered(untold(world, _PROTOCOL), number, Address(where.family, source, one.local.port), where, data)


def _sending_rules(call: str) -> tuple[Rule, ...]:
    posix = f"POSIX.1-2024 {call}()"

    def refused(what: str, errno: str, when: Callable[[Situation], bool | None], says: str, source: str, *, note: str = "") -> Rule:
        return fails(f"{call}.udp-{what}", errno, when, says, source, kinds=_KINDS, gives=failing(errno), note=note)

    def dropped(what: str, errno: str, when: Callable[[Situation], bool | None], says: str, source: str) -> Rule:
        return fails(f"{call}.udp-{what}", errno, when, says, source, kinds=_KINDS, gives=_dropping(errno))

    return (
        refused("short6", "EINVAL", short6, "the address is shorter than one of IPv6", _UDP6),
        refused("family6", "EINVAL", family6, "the address is of no family of IP", _UDP6),
        refused("nowhere6", "EDESTADDRREQ", nowhere6, "nobody said where to", f"{posix} EDESTADDRREQ"),
        refused("only-v6", "ENETUNREACH", v4_refused, "a socket of IPv6 alone does not send to addresses of IPv4", _UDP6),
        refused("overflow", "EMSGSIZE", too_long_for_any, "no datagram has more than 65535 bytes", f"{posix} EMSGSIZE; {_UDP4}"),
        refused("urgent", "EOPNOTSUPP", urgent_over_ipv4, "UDP has no urgent data", f"{posix} EOPNOTSUPP; {_UDP4}",
                note="over IPv6 MSG_OOB is ignored"),
        refused("mixed", "EINVAL", mixed, "what is kept back goes by IPv6", _UDP4),
        refused("short", "EINVAL", short4, "the address is shorter than one of IPv4", _UDP4),
        refused("family", "EAFNOSUPPORT", family4, "the address is of another family", f"{posix} EAFNOSUPPORT; {_UDP4}",
                note="AF_UNSPEC is taken for AF_INET"),
        refused("port-zero", "EINVAL", port_zero, "no datagram goes to port 0", f"{_UDP4}; RFC 768"),
        refused("nowhere", "EDESTADDRREQ", nowhere4, "nobody said where to", f"{posix} EDESTADDRREQ"),
        fails(f"{call}.udp-named-connected-posix", "EISCONN", named_connected, "the socket has a peer, and an address is named",
              f"{posix} EISCONN", kinds=_KINDS, may=True, profiles=("posix",), unreached=_ONLY_POSIX),
        unmodelled(f"{call}.udp-controlled", controlled, "what IP makes of control messages is not modelled", kinds=_KINDS),
        unmodelled(f"{call}.udp-astray", goes_astray,
                   "after data that was kept back for another address, Linux sends to that one (cork.fl in udp_sendmsg())",
                   kinds=_KINDS),
        unmodelled(f"{call}.udp-segmented", segmented, "UDP_SEGMENT is not modelled", kinds=_KINDS),
        refused("from-group", "EINVAL", sent_from_group, "from a group nothing is sent", ROUTE, note=MAPPED),
        refused("from-foreign", "ENETUNREACH", sent_from_foreign, "from an address of nobody's nothing is sent", ROUTE),
        unmodelled(f"{call}.udp-route", hard_route, "by which interface it goes is not modelled", kinds=_KINDS),
        refused("unreachable", "ENETUNREACH", unreachable, "there is no route", f"{posix} ENETUNREACH"),
        refused("from-mapped", "EAFNOSUPPORT", from_mapped, "from an address of IPv4 nothing goes by IPv6",
                "ip6_dst_lookup_tail() in net/ipv6/ip6_output.c"),
        refused("from-loopback", "EINVAL", from_loopback, "from the loopback's address nothing leaves the host",
                "__mkroute_output() in net/ipv4/route.c"),
        refused("broadcast", "EACCES", broadcast_refused, "a broadcast needs SO_BROADCAST", "ip(7) EACCES; socket(7)"),
        dropped("too-long", "EMSGSIZE", too_long, "the datagram is longer than IP can carry", f"{posix} EMSGSIZE; RFC 768"),
        unmodelled(f"{call}.udp-mtu", not_fragmented, "path MTU discovery and small send buffers are not modelled", kinds=_KINDS),
        *error_rules(f"{call}.udp", _KINDS, error_waits, _error_told),
        dropped("shut", "EPIPE", sending_shut, "the socket was shut down for sending", f"{posix} EPIPE"),
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
    cork = corked(s)
    assert cork is not None
    one = msgspec.structs.replace(s.socket, options={**s.socket.options, _CORK: 0})
    for world in pushed(uncorked(s.world.with_object(s.socket_id, one), s.socket_id), s.socket_id, cork[1], cork[0]):
        yield Outcome(kind="returns", world=world)


ARRIVES = {"udp": arrived}
_ADDRESSED = (
    "udp-short6 udp-family6 udp-only-v6 udp-mixed udp-short udp-family udp-named-connected-posix udp-unreachable udp-from-mapped"
    " udp-from-loopback udp-from-group udp-from-foreign udp-broadcast"
)
_FLAGGED = "udp-urgent"

RULES: tuple[Rule, ...] = (
    *(rule for call in SENDS for rule in sayable(call, _sending_rules(call), address=_ADDRESSED, flags=_FLAGGED)),
    *RECEIVING,
    gives("setsockopt.udp-uncorked", _uncorking, "what was kept back is sent", "udp(7), UDP_CORK", when=_uncorks, kinds=_KINDS),
    *connect_rules(_KINDS, "udp"),
    *shutdown_rules(_KINDS, "udp"),
    *accept_errors("udp", _KINDS),
    *(unsupported(call, "udp", _KINDS) for call in ("listen", "accept", "accept4")),
)
