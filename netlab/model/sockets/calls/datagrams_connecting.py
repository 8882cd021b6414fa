"""connect(), shutdown(), listen(), accept() of sockets that have no connections: UDP's and raw ones. Nothing is sent by any.

The order is that of ip4_datagram_connect() and ip6_datagram_connect(); what raw sockets refuse besides is in calls/raw.py.
"""

from collections.abc import Callable, Iterable

import msgspec

from netlab.model.sockets.addresses import INET, INET6, address_in, length_in
from netlab.model.sockets.objects import Address, Socket
from netlab.model.sockets.options.values import given
from netlab.model.sockets.outcomes import Outcome
from netlab.model.sockets.ports import is_mapped, plain
from netlab.model.sockets.routes import destination, is_broadcast, is_group, is_link_local, reached, version
from netlab.model.sockets.rules import Rule, fails, gives, unmodelled
from netlab.model.sockets.situation import Situation
from netlab.model.sockets.udp import connected, disconnected, only_v6, own_address, source_of, with_port
from netlab.model.sockets.world import World
from netlab.notation.constants import constant

_SHORT4, _SHORT6 = 16, 24
_UNSPEC = constant("AF_UNSPEC")
EVERYBODY = "255.255.255.255"
ROUTE = "ip_route_output_key_hash_rcu() in net/ipv4/route.c"
MAPPED = "only a mapped address is a source then; bound to a group itself, a socket sends as if it were not bound"
_MULTICAST_IF = (constant("IPPROTO_IP"), constant("IP_MULTICAST_IF"))
_BROADCAST = (constant("SOL_SOCKET"), constant("SO_BROADCAST"))


def inet6(s: Situation) -> bool:
    """Whether the socket is one of IPv6."""
    return s.socket.family == "inet6"


def with_name(s: Situation) -> World:
    """The world with a port for the socket: before anything else is looked at, the kernel chooses one (inet_send_prepare())."""
    return with_port(s.world, s.socket_id)


def group_unknown(s: Situation, target: str) -> bool:
    """Whether by which interface a packet to a group, or to all, goes is not known."""
    several = len(s.host.interfaces) > 1
    if ":" in target:
        return several or from_somewhere(s, target)
    return several and (4 in s.host.default or bool(s.socket.options.get(_MULTICAST_IF)))


def from_somewhere(s: Situation, target: str) -> bool:
    """Whether the socket has an address of its own of the target's version, or an interface for groups: then the route is known."""
    by = is_group(target) and ":" not in target and s.socket.options.get(_MULTICAST_IF)
    return bool(by or own_address(s.host, s.socket, version(target)))


def from_group(s: Situation, target: str) -> bool:
    """Whether a packet of IPv4 would come from a group, or from everybody: a mapped address that a socket of IPv6 is bound to."""
    own = "" if ":" in target else own_address(s.host, s.socket, 4)
    return bool(own) and (is_group(own) or own == EVERYBODY)


def from_foreign(s: Situation, target: str) -> bool:
    """Whether a packet of IPv4 would come from an address that is none of this host's (IP_FREEBIND; a mapped broadcast)."""
    own = "" if ":" in target else own_address(s.host, s.socket, 4)
    return bool(own) and not s.host.owns(own)


def strange_way(s: Situation) -> bool:
    """Whether a route is looked for in another way: by one interface alone, or from any address."""
    options = (("SOL_SOCKET", "SO_BINDTODEVICE"), ("SOL_SOCKET", "SO_BINDTOIFINDEX"), ("IPPROTO_IP", "IP_TRANSPARENT"),
               ("IPPROTO_IPV6", "IPV6_TRANSPARENT"))  # fmt: skip
    return any(given(s.socket, level, name) for level, name in options)


def failing(errno: str) -> Callable[[Situation], Iterable[Outcome]]:
    """It fails, and has a port all the same."""

    def gives_error(s: Situation) -> Iterable[Outcome]:
        yield Outcome(kind="fails", errno=errno, world=with_name(s))

    return gives_error


def _failing_to_connect(errno: str) -> Callable[[Situation], Iterable[Outcome]]:
    """It fails, and the route to the peer that there was may be forgotten: sk_dst_reset() in __ip4_datagram_connect()."""

    def gives_error(s: Situation) -> Iterable[Outcome]:
        world = with_name(s)
        one = world.objects[s.socket_id]
        if isinstance(one, Socket) and one.remote is not None:
            world = world.with_object(s.socket_id, msgspec.structs.replace(one, note={**one.note, "rerouted": True}))
        yield Outcome(kind="fails", errno=errno, world=world)

    return gives_error


def _keeps_back(s: Situation) -> bool:
    """Whether a datagram waits for more: connect() overwrites where it goes (struct inet_cork)."""
    return "cork" in s.socket.note


def _dissolves(s: Situation) -> bool:
    return length_in(s) >= 2 and address_in(s).family == _UNSPEC


def _no_family(s: Situation) -> bool:
    return length_in(s) < 2


def _connect_only_v6(s: Situation) -> bool:
    return inet6(s) and only_v6(s.socket) and address_in(s).family == INET


def _connect_short(s: Situation) -> bool:
    shortest = _SHORT6 if inet6(s) and address_in(s).family != INET else _SHORT4
    return length_in(s) < shortest


def _connect_family(s: Situation) -> bool:
    return address_in(s).family not in ((INET, INET6) if inet6(s) else (INET,))


def _connect_target(s: Situation) -> Address:
    """The plain address to connect to."""
    address, local = address_in(s), s.socket.local
    host = plain(address.host)
    if host == "::" and local is not None and is_mapped(local.host):
        host = "127.0.0.1"
    own = own_address(s.host, s.socket, 4)
    return Address(INET6 if ":" in host else INET, destination(host, own), address.port)


def _connect_mapped_refused(s: Situation) -> bool:
    return inet6(s) and only_v6(s.socket) and is_mapped(address_in(s).host)


def _connect_without_scope(s: Situation) -> bool:
    host = address_in(s).host
    if not inet6(s) or address_in(s).family != INET6 or address_in(s).scope or strange_way(s):
        return False
    return is_link_local(host) or (is_group(host) and host.startswith(("ff01", "ff02", "ff11", "ff12")))


def _connect_hard(s: Situation) -> bool:
    where = _connect_target(s)
    if bound_scope(s) or strange_way(s):
        return True
    if is_group(where.host) or where.host == EVERYBODY:
        return group_unknown(s, where.host)
    return reached(s.host, where.host) and source_of(s.world, s.socket, where.host) is None


def bound_scope(s: Situation) -> bool:
    """Whether the address names an interface."""
    return bool(address_in(s).scope)


def _connect_from_mapped(s: Situation) -> bool:
    local = s.socket.local
    if not inet6(s) or local is None or ":" not in _connect_target(s).host:
        return False
    return is_mapped(local.host)


def _connect_unreachable(s: Situation) -> bool:
    host = _connect_target(s).host
    if is_group(host) or host == EVERYBODY:
        return not from_somewhere(s, host)
    return not is_broadcast(s.host, host) and not reached(s.host, host)


def _connect_from_group(s: Situation) -> bool:
    return not bound_scope(s) and not strange_way(s) and from_group(s, _connect_target(s).host)


def _connect_from_foreign(s: Situation) -> bool:
    return not bound_scope(s) and not strange_way(s) and from_foreign(s, _connect_target(s).host)


def _connect_broadcast(s: Situation) -> bool:
    return is_broadcast(s.host, _connect_target(s).host) and not s.socket.options.get(_BROADCAST)


def _connect_from_loopback(s: Situation) -> bool:
    return leaves_loopback(s, _connect_target(s).host)


def leaves_loopback(s: Situation, target: str) -> bool:
    """Whether a packet would leave the host from an address of its loopback."""
    if ":" in target or s.host.owns(target) or is_group(target) or target in (EVERYBODY, "127.255.255.255"):
        return False
    return own_address(s.host, s.socket, 4).startswith("127.")


def _connecting(s: Situation) -> Iterable[Outcome]:
    where = _connect_target(s)
    yield Outcome(kind="returns", world=connected(with_name(s), s.socket_id, where.host, where.port))


def _dissolving(s: Situation) -> Iterable[Outcome]:
    yield Outcome(kind="returns", world=disconnected(s.world, s.socket_id))


def connect_rules(kinds: tuple[str, ...], of: str) -> tuple[Rule, ...]:
    """connect() of sockets that have no connections: ``of`` is what ids begin with."""
    posix = "POSIX.1-2024 connect()"
    ip4, ip6 = "__ip4_datagram_connect() in net/ipv4/datagram.c", "__ip6_datagram_connect() in net/ipv6/datagram.c"

    def refused(what: str, errno: str, when: Callable[[Situation], bool], says: str, source: str, *, note: str = "") -> Rule:
        return fails(f"connect.{of}-{what}", errno, when, says, source, kinds=kinds, gives=_failing_to_connect(errno), note=note)

    return (
        unmodelled(f"connect.{of}-kept", _keeps_back, "where a datagram that is kept back goes then is not modelled", kinds=kinds),
        fails(f"connect.{of}-no-family", "EINVAL", _no_family, "the address is too short to have a family", "inet_dgram_connect()",
              kinds=kinds),
        gives(f"connect.{of}-dissolved", _dissolving, "AF_UNSPEC takes the peer away, and the name that bind() did not give",
              f"{posix}; connect(2); __udp_disconnect() in net/ipv4/udp.c", when=_dissolves, kinds=kinds),
        refused("only-v6", "EAFNOSUPPORT", _connect_only_v6, "a socket of IPv6 alone takes no address of IPv4", ip6),
        refused("short", "EINVAL", _connect_short, "the address is shorter than the family's", f"connect(2); {ip4}"),
        refused("family", "EAFNOSUPPORT", _connect_family, "the address is of another family", f"{posix} EAFNOSUPPORT"),
        refused("mapped", "ENETUNREACH", _connect_mapped_refused, "a socket of IPv6 alone takes no address of IPv4", ip6),
        refused("no-scope", "EINVAL", _connect_without_scope, "an address of a link needs an interface", f"ipv6(7); {ip6}"),
        refused("from-group", "EINVAL", _connect_from_group, "from a group nothing is sent", ROUTE, note=MAPPED),
        refused("from-foreign", "ENETUNREACH", _connect_from_foreign, "from an address of nobody's nothing is sent", ROUTE),
        unmodelled(f"connect.{of}-route", _connect_hard, "by which interface it would go is not modelled", kinds=kinds),
        refused("unreachable", "ENETUNREACH", _connect_unreachable, "there is no route", f"{posix} ENETUNREACH"),
        refused("from-mapped", "EAFNOSUPPORT", _connect_from_mapped, "from an address of IPv4 nothing goes by IPv6",
                "ip6_dst_lookup_tail() in net/ipv6/ip6_output.c"),
        refused("from-loopback", "EINVAL", _connect_from_loopback, "from the loopback's address nothing leaves the host",
                "__mkroute_output() in net/ipv4/route.c"),
        refused("broadcast", "EACCES", _connect_broadcast, "a broadcast needs SO_BROADCAST", f"ip(7) EACCES; {ip4}"),
        gives(f"connect.{of}-peer", _connecting, "the peer is this from now on; nothing is sent", f"{posix}; udp(7)", kinds=kinds),
    )  # fmt: skip


# shutdown(), listen(), accept()


def bad_how(s: Situation) -> bool:
    """Whether it is none of SHUT_RD, SHUT_WR, SHUT_RDWR."""
    return s.number("how") not in (0, 1, 2)


def shut(one: Socket, how: int) -> Socket:
    """The socket with one direction or both shut down."""
    return msgspec.structs.replace(one, shut_read=one.shut_read or how in (0, 2), shut_write=one.shut_write or how in (1, 2))


def _no_peer(s: Situation) -> bool:
    return s.socket.state != "ESTABLISHED"


def _shutting_alone(s: Situation) -> Iterable[Outcome]:
    yield Outcome(kind="fails", errno="ENOTCONN", world=s.world.with_object(s.socket_id, shut(s.socket, s.number("how"))))


def _shutting(s: Situation) -> Iterable[Outcome]:
    yield Outcome(kind="returns", world=s.world.with_object(s.socket_id, shut(s.socket, s.number("how"))))


def shutdown_rules(kinds: tuple[str, ...], of: str) -> tuple[Rule, ...]:
    """shutdown() of sockets that have no connections."""
    return (
        fails(f"shutdown.{of}-how", "EINVAL", bad_how, "there is no such direction", "POSIX.1-2024 shutdown() EINVAL", kinds=kinds),
        fails(f"shutdown.{of}-no-peer", "ENOTCONN", _no_peer, "the socket has no peer", "POSIX.1-2024 shutdown() ENOTCONN",
              kinds=kinds, gives=_shutting_alone,
              note="it is shut down all the same, and who waits is woken: inet_shutdown() in net/ipv4/af_inet.c"),
        gives(f"shutdown.{of}-done", _shutting, "nothing more is received, or sent", "POSIX.1-2024 shutdown()", kinds=kinds),
    )  # fmt: skip


def unsupported(call: str, of: str, kinds: tuple[str, ...]) -> Rule:
    """A call that is for connections alone."""
    return fails(f"{call}.{of}-unsupported", "EOPNOTSUPP", lambda _: True, "the type has no connections to wait for",
                 f"POSIX.1-2024 {call}() EOPNOTSUPP", kinds=kinds)  # fmt: skip


def bad_flags(s: Situation) -> bool:
    """Whether accept4()'s flags are none of SOCK_CLOEXEC and SOCK_NONBLOCK."""
    return bool(s.number("flags") & ~(constant("SOCK_CLOEXEC") | constant("SOCK_NONBLOCK")))


def table_full(s: Situation) -> bool | None:
    """Whether no descriptor is free: looked at before the socket is (__sys_accept4_file() in net/socket.c)."""
    return s.process.whole and s.process.beyond(s.process.lowest_free())


def accept_errors(of: str, kinds: tuple[str, ...]) -> tuple[Rule, ...]:
    """What accept() and accept4() look at before the socket."""
    return (
        fails(f"accept4.{of}-flags", "EINVAL", bad_flags, "the flags are not known", "accept(2) EINVAL", kinds=kinds),
        *(fails(f"{call}.{of}-table-full", "EMFILE", table_full, "no descriptor is free", "POSIX.1-2024 accept() EMFILE",
                kinds=kinds) for call in ("accept", "accept4")),
    )  # fmt: skip
