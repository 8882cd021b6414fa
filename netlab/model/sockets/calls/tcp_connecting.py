"""connect() of TCP sockets, in the order of __inet_stream_connect() in net/ipv4/af_inet.c.

What was asked of the socket before (its phase) decides first; then the address; then a SYN goes out.
"""

from collections.abc import Iterable

import msgspec

from netlab.model.sockets.addresses import address_in, length_in
from netlab.model.sockets.arriving import arrivals
from netlab.model.sockets.calls.datagrams_connecting import MAPPED, ROUTE
from netlab.model.sockets.calls.tcp_arriving import settled
from netlab.model.sockets.calls.tcp_closing import disconnected
from netlab.model.sockets.calls.tcp_records import V6ONLY, noted, tcp
from netlab.model.sockets.calls.tcp_sending import ERRORS
from netlab.model.sockets.messages import limit, waiting, waits_never
from netlab.model.sockets.objects import Address, Connection, Socket, Unknown
from netlab.model.sockets.options.values import given
from netlab.model.sockets.outcomes import Outcome
from netlab.model.sockets.ports import covered, is_mapped, only_v6, plain, port_left
from netlab.model.sockets.routes import destination, is_broadcast, is_group, is_link_local, reached, source_for
from netlab.model.sockets.rules import Guard, Rule, fails, gives, unmodelled
from netlab.model.sockets.situation import Situation
from netlab.model.sockets.udp import sends_from_nothing
from netlab.model.sockets.world import World
from netlab.notation.constants import constant

KINDS = ("tcp",)
_INET, _INET6, _UNSPEC = constant("AF_INET"), constant("AF_INET6"), constant("AF_UNSPEC")
_SHORTEST = {_INET: 16, _INET6: 24}
"""How short an address may be: sockaddr_in, and sockaddr_in6 without its scope (SIN6_LEN_RFC2133)."""

_ALONE = "it is connected to itself"
EVERYWHERE = ("255.255.255.255", "127.255.255.255")
_SECOND = 1_000_000_000
_TICK = 10_000_000
_AF_INET, _TCP4, _TCP6 = "__inet_stream_connect() in net/ipv4/af_inet.c", "tcp_v4_connect()", "tcp_v6_connect()"

replace = msgspec.structs.replace


# connect(): what was asked before


def _goes_on(s: Situation) -> bool:
    """Whether this call waits for a handshake: it began one, or found one that goes on."""
    return s.resumed or (phase(s) == "connecting" and not _family_given(s, _UNSPEC))


def phase(s: Situation) -> str:
    """What connect() was asked so far: "", "connecting", "connected" or "ended"."""
    return str(s.socket.note.get("phase", ""))


def _family_given(s: Situation, family: int) -> bool:
    return length_in(s) >= 2 and address_in(s).family == family


def _no_family(s: Situation) -> bool:
    return not s.resumed and length_in(s) < 2


def _dissolves(s: Situation) -> bool:
    return not s.resumed and _family_given(s, _UNSPEC)


def _dissolved(world: World, number: int) -> World:
    """Who else waits inside learns by this that the connection is not the same any more (sk_disconnects in include/net/sock.h)."""
    one = tcp(world, number)
    assert one is not None
    return world.with_object(number, noted(one, dissolved=one.note.get("dissolved", 0) + 1))


def _dissolving(s: Situation) -> Iterable[Outcome]:
    yield Outcome(kind="returns", world=_dissolved(disconnected(s.world, s.socket_id), s.socket_id))


def _connected(s: Situation) -> bool:
    return not s.resumed and phase(s) == "connected"


def _over(s: Situation) -> bool:
    return not s.resumed and phase(s) == "ended"


def _busy(s: Situation) -> bool:
    """A listener, or whatever else is not closed though nothing was connected."""
    return not s.resumed and phase(s) == "" and s.socket.state != "CLOSED"


def _dissolved_meanwhile(s: Situation) -> bool:
    return s.resumed and isinstance(s.note, tuple) and s.note[1] != s.socket.note.get("dissolved", 0)


def _completed(s: Situation) -> bool:
    return _goes_on(s) and s.socket.state not in ("CLOSED", "SYN-SENT", "SYN-RECEIVED")


def _completing(s: Situation) -> Iterable[Outcome]:
    yield Outcome(kind="returns", world=s.world.with_object(s.socket_id, noted(s.socket, phase="connected")))


def _failed(name: str) -> Guard:
    def holds(s: Situation) -> bool:
        return _goes_on(s) and s.socket.state == "CLOSED" and s.socket.error == name

    return holds


def _failing(s: Situation) -> Iterable[Outcome]:
    """The error is told once; then the socket is as if new (sock_error: in __inet_stream_connect())."""
    one = s.socket
    world = s.world.with_object(s.socket_id, replace(one, error=""))
    yield Outcome(kind="fails", errno=one.error or "ECONNABORTED", world=_dissolved(disconnected(world, s.socket_id), s.socket_id))


def _error_gone(s: Situation) -> bool:
    return _goes_on(s) and s.socket.state == "CLOSED"


def _again(s: Situation) -> bool:
    return not s.resumed and _goes_on(s) and waits_never(s)


def _waits_on(s: Situation) -> bool:
    return _goes_on(s)


def _waiting_on(s: Situation) -> Iterable[Outcome]:
    note = s.note if isinstance(s.note, tuple) else ("found", s.socket.note.get("dissolved", 0))
    yield from waiting(s, errno="EINPROGRESS" if note[0] == "began" else "EALREADY", note=note)
    least = _gives_up_after(s)
    if least is not None:
        yield Outcome(kind="fails", errno="ETIMEDOUT", world=disconnected(s.world, s.socket_id), least=least)


def _gives_up_after(s: Situation) -> int | None:
    """How long a SYN that nobody answers is repeated, at least (tcp(7), TCP_SYNCNT, TCP_USER_TIMEOUT; RFC 9293 3.8.3 R2)."""
    connection = s.connection
    if connection is None or not connection.dropped:
        return None
    if given(s.socket, "IPPROTO_TCP", "TCP_USER_TIMEOUT"):
        return 0
    many = given(s.socket, "IPPROTO_TCP", "TCP_SYNCNT", None)
    if many is None:
        written = s.host.sysctls.get("net.ipv4.tcp_syn_retries", "6")
        many = int(written) if written.isdigit() else 0
    return int(many) * _SECOND if isinstance(many, int) else 0


# connect(): the address


def _wildcard(s: Situation) -> str:
    """Where the address leads: a wildcard is oneself, over IPv4 for a socket that is bound to a mapped address."""
    host = address_in(s).host
    local = s.socket.local
    if host == "::" and local is not None and is_mapped(local.host):
        return "::ffff:127.0.0.1"
    if is_mapped(host):
        return "::ffff:" + _own(plain(host), plain(local.host) if local is not None and is_mapped(local.host) else "")
    bound = local is not None and not sends_from_nothing(s.host, s.socket)
    return _own(host, local.host if local is not None and bound else "")


def _own(host: str, source: str) -> str:
    return destination(host, source if source not in ("0.0.0.0", "::") else "")


def _short(s: Situation) -> bool:
    return length_in(s) < _SHORTEST[s.socket.domain]


def _other_family(s: Situation) -> bool:
    return address_in(s).family != s.socket.domain


def _group6(s: Situation) -> bool:
    return s.socket.family == "inet6" and is_group(_wildcard(s)) and not is_mapped(_wildcard(s))


def _without_scope(s: Situation) -> bool:
    return s.socket.family == "inet6" and is_link_local(_wildcard(s)) and not address_in(s).scope


def _link_local(s: Situation) -> bool:
    return s.socket.family == "inet6" and is_link_local(_wildcard(s))


def _mapped_refused(s: Situation) -> bool:
    """An IPv4 peer for a socket that is for IPv6 alone, or bound to an IPv6 address."""
    if s.socket.family != "inet6" or not is_mapped(_wildcard(s)):
        return False
    local = s.socket.local
    return bool(s.socket.options.get(V6ONLY)) or (local is not None and local.host != "::" and not is_mapped(local.host))


def _mapped_mixed(s: Situation) -> bool:
    local = s.socket.local
    return local is not None and is_mapped(local.host) and not is_mapped(_wildcard(s))


def _once_mapped(s: Situation) -> bool:
    return bool(s.socket.note.get("mapped")) and not is_mapped(_wildcard(s))


def _nowhere(s: Situation) -> bool:
    host = plain(_wildcard(s))
    if is_broadcast(s.host, host) and (_source(s) or "").startswith("127.") and host not in EVERYWHERE:
        return False  # the route is looked for first, and from the loopback's address there is none
    return is_broadcast(s.host, host) or is_group(host) or not reached(s.host, host)


def _from_group(s: Situation) -> bool:
    source = "" if ":" in plain(_wildcard(s)) else _source(s) or ""
    return source != "" and (is_group(source) or source == EVERYWHERE[0])


def _from_foreign(s: Situation) -> bool:
    source = "" if ":" in plain(_wildcard(s)) else _source(s) or ""
    return source != "" and not s.host.owns(source)


def _special(s: Situation) -> bool:
    """Options by which a connection is opened in another way."""
    return any(
        given(s.socket, level, name)
        for level, name in (
            ("SOL_SOCKET", "SO_BINDTODEVICE"), ("SOL_SOCKET", "SO_BINDTOIFINDEX"), ("IPPROTO_TCP", "TCP_FASTOPEN_CONNECT"),
            ("IPPROTO_TCP", "TCP_REPAIR"), ("IPPROTO_IP", "IP_TRANSPARENT"), ("IPPROTO_IPV6", "IPV6_TRANSPARENT"),
        )
    )  # fmt: skip


def _source(s: Situation) -> str | None:
    """The local address that the connection gets; None where the model does not know it."""
    local = s.socket.local
    host = plain(_wildcard(s))
    if local is not None and plain(local.host) not in ("0.0.0.0", "::") and not sends_from_nothing(s.host, s.socket):
        return plain(local.host)
    return source_for(s.host, host)


def _source_unknown(s: Situation) -> bool:
    source, host = _source(s), plain(_wildcard(s))
    if source is None:
        return True
    # A loopback address as the source of what leaves the host.
    return source.startswith("127.") and not host.startswith("127.") and s.world.owner(host, s.socket.host) != s.socket.host


def _to_itself(s: Situation) -> bool:
    """Simultaneous open with oneself: where a socket is bound, and nobody listens."""
    local, port = s.socket.local, address_in(s).port
    if local is None or s.socket.note.get("released") or not s.world.same_port(local.port, port):
        return False
    return _source(s) == plain(_wildcard(s)) and not _listening_there(s)


def _to_itself_shut(s: Situation) -> bool:
    return (s.socket.shut_read or s.socket.shut_write) and _to_itself(s)


def _to_itself_in_background(s: Situation) -> bool:
    return waits_never(s) and _to_itself(s)


def _opening_to_itself(s: Situation) -> Iterable[Outcome]:
    if waits_never(s):
        yield Outcome(kind="fails", errno="EINPROGRESS", world=s.world.with_object(s.socket_id, Unknown(why=_ALONE)))
        return
    world = s.world.copy()
    number = world.fresh()
    one, target = s.socket, _wildcard(s)
    assert one.local is not None
    world.objects[s.socket_id] = noted(
        replace(one, state="ESTABLISHED", local=Address(one.domain, target, one.local.port), error="", connection=number,
                remote=Address(one.domain, target, address_in(s).port)),
        phase="connected", used=True, released=None, done=None, segments=None,
    )  # fmt: skip
    world.connections[number] = Connection(ends=(s.socket_id, s.socket_id), stage="accepted")
    yield Outcome(kind="returns", world=world)


def _listening_there(s: Situation) -> bool:
    where = plain(_wildcard(s))
    return any(
        isinstance(one, Socket) and one.state == "LISTEN" and one.kind == "tcp" and one.host == s.socket.host
        and one.local is not None and s.world.same_port(one.local.port, address_in(s).port)
        and covered(one.local, only_v6=only_v6(one))[":" in where] in (where, "*")
        for one in s.world.objects.values()
    )  # fmt: skip


def _same_pair(s: Situation) -> bool | None:
    """Whether a connection between the same two addresses and ports is there already."""
    local = s.socket.local
    if local is None or local.port == 0 or s.socket.note.get("released"):
        return False
    source, host, port = _source(s), plain(_wildcard(s)), address_in(s).port
    for number, one in s.world.objects.items():
        if isinstance(one, Unknown) and one.why == _ALONE and _to_itself(s):
            return None
        if not isinstance(one, Socket) or one.kind != "tcp" or number == s.socket_id or one.host != s.socket.host:
            continue
        if one.state in ("CLOSED", "LISTEN") or one.local is None or one.remote is None:
            continue
        if plain(one.local.host) != source or plain(one.remote.host) != host:
            continue
        if s.world.same_port(one.local.port, local.port) and s.world.same_port(one.remote.port, port):
            return None if _may_be_over(s.world, number) else True
    return False


def _may_be_over(world: World, number: int) -> bool:
    """Whether a connection may have come to its end, or to TIME-WAIT, from which a new one can begin (tcp_twsk_unique())."""
    return any((one := tcp(after, number)) is None or one.state in ("TIME-WAIT", "CLOSED") for after in arrivals(world, (number,)))


def _no_port_left(s: Situation) -> bool | None:
    one = s.socket
    if one.local is not None and one.local.port and not one.note.get("released"):
        return False
    left = port_left(s.world, s.socket_id, one, Address(one.domain, "::" if one.family == "inet6" else "0.0.0.0"))
    # Connections to different peers may share a port: the model does not count them.
    return False if left else None


def _opening(s: Situation) -> tuple[World, ...]:
    """The socket in SYN-SENT, and what has come of it by now on loopback."""
    one, world = s.socket, s.world.copy()
    target = _wildcard(s)
    source = _source(s) or ""
    keeps = one.local is not None and one.local.port != 0 and not one.note.get("released")
    port = one.local.port if keeps and one.local is not None else -world.fresh()
    mapped = is_mapped(target)
    number = world.fresh()
    given_address = address_in(s)
    scope = given_address.scope if is_link_local(target) else 0
    world.objects[s.socket_id] = noted(
        replace(
            one, state="SYN-SENT", local=Address(one.domain, f"::ffff:{source}" if mapped else source, port),
            remote=Address(one.domain, target, given_address.port, scope=scope), connection=number, error="",
        ),
        phase="connecting", used=True, released=None, done=None, segments=None, mapped=True if mapped else one.note.get("mapped"),
    )  # fmt: skip
    world.connections[number] = Connection(ends=(s.socket_id, 0), stage="syn")
    return settled(world, number)


def _begins(s: Situation) -> Iterable[Outcome]:
    for world in _opening(s):
        if waits_never(s):
            yield Outcome(kind="fails", errno="EINPROGRESS", world=world)
            continue
        yield Outcome(kind="blocks", world=world, note=("began", s.socket.note.get("dissolved", 0)))
        longest = limit(s)
        if longest is not None:
            yield Outcome(kind="fails", errno="EINPROGRESS", world=world, least=max(longest - _TICK, 0))


def _begins_in_background(s: Situation) -> bool:
    return waits_never(s)


_POSIX = "POSIX.1-2024 connect()"

CONNECTING: tuple[Rule, ...] = (
    fails("connect.tcp-no-family", "EINVAL", _no_family, "the address is too short to have a family",
          f"{_POSIX} EINVAL; {_AF_INET}", kinds=KINDS),
    gives("connect.tcp-dissolves", _dissolving, "AF_UNSPEC aborts the connection, and the socket can be used anew",
          f"connect(2); tcp_disconnect(); {_AF_INET}", when=_dissolves, kinds=KINDS),
    fails("connect.tcp-connected", "EISCONN", _connected, "the socket is connected, or was and nobody dissolved that",
          f"{_POSIX} EISCONN; {_AF_INET}", kinds=KINDS),
    fails("connect.tcp-over", "EINVAL", _over, "the socket was shut down while it was connecting", _AF_INET, kinds=KINDS),
    fails("connect.tcp-busy", "EISCONN", _busy, "the socket listens", _AF_INET, kinds=KINDS, note="POSIX has EOPNOTSUPP"),
    fails("connect.tcp-dissolved-meanwhile", "EPIPE", _dissolved_meanwhile,
          "the connection was dissolved, or another call told its error, while this one waited", _AF_INET, kinds=KINDS),
    gives("connect.tcp-established", _completing, "the connection is established", _POSIX, when=_completed, kinds=KINDS),
    *(
        fails(f"connect.tcp-failed-{name.lower()}", name, _failed(name), f"the connection could not be opened: {name}",
              f"{_POSIX} {name}; {_AF_INET}", kinds=KINDS, gives=_failing, unreached=unreached)
        for name, unreached in ERRORS.items()
    ),
    fails("connect.tcp-error-gone", "ECONNABORTED", _error_gone, "it could not be opened, and the error was told before", _AF_INET,
          kinds=KINDS, gives=_failing),
    fails("connect.tcp-already", "EALREADY", _again, "the connection is being opened", f"{_POSIX} EALREADY", kinds=KINDS),
    gives("connect.tcp-waits", _waiting_on, "the call waits for the connection", _POSIX, when=_waits_on, kinds=KINDS,
          category="blocks"),
    fails("connect.tcp-short", "EINVAL", _short, "the address is too short for the family", f"{_POSIX} EINVAL; {_TCP4}, {_TCP6}",
          kinds=KINDS),
    fails("connect.tcp-other-family", "EAFNOSUPPORT", _other_family, "the address is of another family",
          f"{_POSIX} EAFNOSUPPORT; {_TCP4}, {_TCP6}", kinds=KINDS),
    unmodelled("connect.tcp-special", _special, "sockets bound to devices, Fast Open and TCP_REPAIR are not modelled", kinds=KINDS),
    fails("connect.tcp-group", "ENETUNREACH", _group6, "TCP has no multicast", f"RFC 9293 3.9.2.3; {_TCP6}", kinds=KINDS),
    fails("connect.tcp-without-scope", "EINVAL", _without_scope, "a link-local address needs an interface", f"ipv6(7); {_TCP6}",
          kinds=KINDS),
    unmodelled("connect.tcp-link-local", _link_local, "link-local peers are not modelled", kinds=KINDS),
    fails("connect.tcp-mapped-refused", "ENETUNREACH", _mapped_refused, "the socket is for IPv6 alone, and the address is IPv4's",
          f"ipv6(7), IPV6_V6ONLY; {_TCP6}", kinds=KINDS),
    fails("connect.tcp-from-group", "EINVAL", _from_group, "from a group nothing is sent", ROUTE, kinds=KINDS, note=MAPPED),
    fails("connect.tcp-from-foreign", "ENETUNREACH", _from_foreign, "from an address of nobody's nothing is sent", ROUTE,
          kinds=KINDS),
    fails("connect.tcp-nowhere", "ENETUNREACH", _nowhere, "there is no route, or many would answer",
          f"{_POSIX} ENETUNREACH; {_TCP4}", kinds=KINDS),
    fails("connect.tcp-mapped-mixed", "EAFNOSUPPORT", _mapped_mixed, "the socket is bound to an IPv4 address, the peer has none",
          _TCP6, kinds=KINDS),
    unmodelled("connect.tcp-once-mapped", _once_mapped,
               "a socket that was connected to a mapped address goes on to send by IPv4 (icsk_af_ops in tcp_v6_connect())",
               kinds=KINDS),
    unmodelled("connect.tcp-source-unknown", _source_unknown, "which of its addresses the host takes is not modelled here",
               kinds=KINDS),
    fails("connect.tcp-same-pair", "EADDRNOTAVAIL", _same_pair, "these two addresses and ports have a connection",
          "connect(2) EADDRNOTAVAIL; __inet_check_established()", kinds=KINDS),
    fails("connect.tcp-no-port", "EADDRNOTAVAIL", _no_port_left, "all ports that the kernel chooses from are taken",
          f"connect(2) EADDRNOTAVAIL; {_TCP4}", kinds=KINDS,
          unreached="28,232 connections would have to be there"),
    fails("connect.tcp-to-itself-in-progress", "EINPROGRESS", _to_itself_in_background, "the socket opens a connection to itself",
          f"RFC 9293 3.5, simultaneous open; {_TCP4}", kinds=KINDS, gives=_opening_to_itself,
          note="what it is from then on is not modelled"),
    unmodelled("connect.tcp-to-itself-shut", _to_itself_shut, "a socket that is shut down and connects to itself", kinds=KINDS),
    gives("connect.tcp-to-itself", _opening_to_itself, "the socket is connected to itself",
          f"RFC 9293 3.5, simultaneous open; {_TCP4}", when=_to_itself, kinds=KINDS),
    fails("connect.tcp-in-progress", "EINPROGRESS", _begins_in_background, "the connection is being opened",
          f"{_POSIX} EINPROGRESS", kinds=KINDS, gives=_begins),
    gives("connect.tcp-begins", _begins, "a SYN is sent, and the call waits for what comes of it", f"{_POSIX}; RFC 9293 3.10.1",
          kinds=KINDS, category="blocks"),
)  # fmt: skip
