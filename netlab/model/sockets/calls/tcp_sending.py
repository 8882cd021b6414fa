"""Sending on TCP: send(), sendto(), sendmsg(), write() and fill(), in the order of tcp_sendmsg_locked() in net/ipv4/tcp.c.

How much the buffers of both ends take is bounds: surely WINDOW bytes where nobody made them smaller, and never more than was sent.
"""

from collections.abc import Iterable

import msgspec

from netlab.model.sockets.calls.tcp_arriving import settled
from netlab.model.sockets.calls.tcp_records import WINDOW, deaf, near, noted, tcp, with_flow
from netlab.model.sockets.messages import SENDS, content, limit, size, unreadable, waits_never
from netlab.model.sockets.objects import Connection, Flow, Socket
from netlab.model.sockets.outcomes import Between, Outcome, Seen
from netlab.model.sockets.rules import Guard, Rule, always, fails, gives, unmodelled
from netlab.model.sockets.situation import Situation
from netlab.model.sockets.world import World
from netlab.notation.constants import constant

KINDS = ("tcp",)
ERRORS = {
    "ECONNREFUSED": "",
    "ECONNRESET": "",
    "EPIPE": "",
    "EHOSTUNREACH": "ARP gives up after seconds only",
    "ENETUNREACH": "a router tells, and there is none between two hosts on one wire",
}
"""Errors that may be pending on a TCP socket (tcp(7), ip(7)), and why no trial comes to one."""

_SOURCE = "tcp_sendmsg_locked() in net/ipv4/tcp.c"
_STREAM = "net/core/stream.c"
_QUICK = 8
"""So many segments are surely acknowledged at once: Linux begins with up to 16 quick acknowledgements (tcp_incr_quickack())."""
_KNOWN = 1 << 16
"""No more unread bytes than this are kept; what more there is, is counted alone."""
_NODELAY, _CORK = (constant("IPPROTO_TCP"), constant("TCP_NODELAY")), (constant("IPPROTO_TCP"), constant("TCP_CORK"))
_SNDBUF, _RCVBUF = (constant("SOL_SOCKET"), constant("SO_SNDBUF")), (constant("SOL_SOCKET"), constant("SO_RCVBUF"))
_SPECIAL = constant("MSG_FASTOPEN") | constant("MSG_ZEROCOPY")
_INLINE = (constant("SOL_SOCKET"), constant("SO_OOBINLINE"))
_QUICKACK = (constant("IPPROTO_TCP"), constant("TCP_QUICKACK"))
_TICK = 10_000_000
_SMALL_SEGMENT = 500
"""Less than any segment has room for that is not the smallest of all (RFC 9293 3.7.1: 536)."""
_ONE_PACKET = 1200
"""So much goes out in one packet on any path: IPv6's least MTU (RFC 8200 5) less its header and TCP's."""

replace = msgspec.structs.replace


def room(s: Situation) -> int:
    """How many unread bytes surely fit into what both ends buffer: less where SO_SNDBUF or SO_RCVBUF asked for less."""
    if isinstance(s.found, int):
        return s.found
    least = WINDOW
    connection = s.connection
    peer = tcp(s.world, connection.ends[1 - s.side]) if connection is not None else None
    for one, option in ((s.socket, _SNDBUF), (peer, _RCVBUF)):
        set_to = one.options.get(option) if one is not None else None
        if set_to is not None:
            least = min(least, max(set_to // 4, 512) if isinstance(set_to, int) else 512)
    s.found = least
    return least


def _special(s: Situation) -> bool:
    """Fast open and zero copy, and control messages, have rules of their own."""
    control = s.args.get("control")
    return bool(s.number("flags") & _SPECIAL) or control not in (None, "NONE")


def _open(s: Situation) -> bool:
    return s.socket.state in ("ESTABLISHED", "CLOSE-WAIT")


def _opening(s: Situation) -> bool:
    return s.socket.state in ("SYN-SENT", "SYN-RECEIVED")


def _shut(s: Situation) -> bool:
    return (not _open(s) and not _opening(s)) or s.socket.shut_write


def _begun(s: Situation) -> bool:
    """Whether part of it may have been taken before the call blocked: then an error makes it return that."""
    return isinstance(s.note, int) and s.note > 0


def _error(name: str) -> Guard:
    def holds(s: Situation) -> bool:
        return s.socket.error == name

    return holds


def _taking_error(s: Situation) -> Iterable[Outcome]:
    world = s.world.with_object(s.socket_id, replace(s.socket, error=""))
    if s.socket.error == "EPIPE":
        yield from _broken(s, world)
    else:
        yield Outcome(kind="fails", errno=s.socket.error, world=world)


def _broken(s: Situation, world: World) -> Iterable[Outcome]:
    action = s.process.handled.get("SIGPIPE", "default")
    if s.flag("MSG_NOSIGNAL") or action == "ignore":
        yield Outcome(kind="fails", errno="EPIPE", world=world)
    elif action == "handle":
        yield Outcome(kind="fails", errno="EPIPE", signal="SIGPIPE", world=world)
    else:
        yield Outcome(kind="ends", errno="EPIPE", signal="SIGPIPE", world=world)


def _breaking(s: Situation) -> Iterable[Outcome]:
    yield from _broken(s, s.world)


def _ended_midway(s: Situation) -> bool | None:
    # How much was taken before, if anything, is not known: the error itself may come as well.
    return None if _begun(s) and (bool(s.socket.error) or _shut(s)) else False


def _partly(s: Situation) -> Iterable[Outcome]:
    yield Outcome(kind="returns", value=Between(1, size(s)), world=s.world)


def _opening_never_waits(s: Situation) -> bool:
    return _opening(s) and waits_never(s)


def _waiting_to_open(s: Situation) -> Iterable[Outcome]:
    yield Outcome(kind="blocks", world=s.world)
    longest = limit(s)
    if longest is not None:
        yield Outcome(kind="fails", errno="EAGAIN", world=s.world, least=max(longest - _TICK, 0))


def _nothing(s: Situation) -> bool:
    return size(s) == 0


def _full(s: Situation) -> bool | None:
    """Whether surely nothing is taken; None where it may be so."""
    if s.outgoing.full:
        return True
    return False if s.outgoing.under_way < room(s) else None


def _refusing(s: Situation) -> bool | None:
    if not waits_never(s) or _begun(s):
        return False
    return _full(s)


def _unreadable(s: Situation) -> bool | None:
    if not unreadable(s) or _begun(s):
        return False
    full = _full(s)
    return None if full is None else not full


def _may_end_meanwhile(s: Situation) -> bool:
    """Whether a reset may come back for the first packets while the call still takes more: then it gives what it took."""
    connection, back = s.connection, s.incoming
    if connection is None or size(s) < _ONE_PACKET:
        return False
    return deaf(tcp(s.world, connection.ends[1 - s.side])) or (back.end == "rst" and back.ended != "rst")


def _fits(s: Situation) -> bool | None:
    if _begun(s):
        return None
    if s.outgoing.full:
        return False
    if _may_end_meanwhile(s):
        return None
    return True if s.outgoing.under_way + size(s) <= room(s) else None


def sent(s: Situation, many: int, *, data: bytes | None) -> tuple[World, ...]:
    """The worlds after ``many`` bytes were taken, with what has certainly arrived of them on loopback."""
    connection = s.connection
    assert connection is not None
    side = s.side
    flow = connection.flows[side]
    known = None if flow.data is None or data is None or flow.under_way + many > _KNOWN else flow.data + data
    total = flow.sent + many
    new = replace(flow, sent=total, data=known)
    if s.flag("MSG_OOB") and many:
        new = _urgent(s, new, total - 1)
    world = s.world.copy()
    peer = tcp(world, connection.ends[1 - side])
    if _at_once(s, connection, flow, peer, many):
        new = replace(new, arrived=total)
        # Sending acknowledges what has come; and what goes out is acknowledged at once as long as the peer only listens.
        back = connection.flows[1 - side]
        connection = with_flow(connection, 1 - side, replace(back, acked=back.arrived))
        quick = back.sent == 0 and peer is not None and _QUICKACK not in peer.options and flow.acked == flow.sent
        if quick and s.socket.note.get("segments", 0) < _QUICK:
            new = replace(new, acked=total)
    world.connections[s.socket.connection] = with_flow(connection, side, new)
    held = True if _may_be_held(s, flow) else None
    segments = s.socket.note.get("segments", 0) + 1
    world.objects[s.socket_id] = noted(s.socket, segments=segments, held=held, kept=_keeping(s, flow, total))
    return settled(world, s.socket.connection)


def _at_once(s: Situation, connection: Connection, flow: Flow, peer: Socket | None, many: int) -> bool:
    """Whether what is sent now has arrived when the call returns: on loopback, unless Nagle's algorithm, MSG_MORE, TCP_CORK or a
    small window may hold it back (RFC 9293 3.7.4; tcp_nagle_test() in net/ipv4/tcp_output.c)."""
    if connection.stage not in ("queued", "accepted") or not near(s.world, connection) or deaf(peer):
        return False
    gone = _kept(s, flow)
    return flow.arrived >= (flow.sent if gone is None else gone) and flow.under_way + many <= room(s) and not _may_be_held(s, flow)


def _corks(s: Situation) -> bool:
    return s.flag("MSG_MORE") or bool(s.socket.options.get(_CORK))


def _kept(s: Situation, flow: Flow) -> int | None:
    """From which byte on data is surely kept back for more to come, where all before it is acknowledged; else None."""
    kept = s.socket.note.get("kept")
    return kept if kept is not None and flow.acked >= kept else None


def _keeping(s: Situation, flow: Flow, total: int) -> int | None:
    """The same after the call: a segment that is not full waits for more (tcp(7), TCP_CORK; send(2), MSG_MORE)."""
    if not _corks(s):
        return None
    kept = _kept(s, flow)
    first = flow.sent if kept is None and flow.acked >= flow.sent else kept
    return first if first is not None and total - first < _SMALL_SEGMENT else None


def _may_be_held(s: Situation, flow: Flow) -> bool:
    """Whether the sender may keep the data for a while: MSG_MORE, TCP_CORK, Nagle's algorithm behind what is not acknowledged."""
    if _corks(s):
        return True
    if _kept(s, flow) is not None:
        return False
    return not (s.socket.options.get(_NODELAY) or flow.acked >= flow.sent or s.flag("MSG_OOB"))


def _urgent(s: Situation, flow: Flow, at: int) -> Flow:
    """The urgent mark moves to byte ``at``; the byte that it was at stays in the stream, unless the reader stands right before it:
    then it is gone (tcp_check_urg() in net/ipv4/tcp_input.c)."""
    connection = s.connection
    peer = tcp(s.world, connection.ends[1 - s.side]) if connection is not None else None
    inline = peer is not None and bool(peer.options.get(_INLINE))
    if flow.urgent is not None and flow.urgent == flow.read and not inline:
        data = None if flow.data is None else flow.data[1:]
        flow = replace(flow, read=flow.read + 1, arrived=max(flow.arrived, flow.read + 1), data=data)
    return replace(flow, urgent=at, urgent_read=False)


def _sending(s: Situation) -> Iterable[Outcome]:
    if _begun(s):
        yield Outcome(kind="returns", value=size(s), world=s.world)
        return
    for world in sent(s, size(s), data=content(s)):
        yield Outcome(kind="returns", value=size(s), world=world)


def _sending_nothing(s: Situation) -> Iterable[Outcome]:
    yield Outcome(kind="returns", value=0, world=s.world)


def _sending_some(s: Situation) -> Iterable[Outcome]:
    many = size(s)

    def learn(_: World, seen: Seen) -> World:
        took = max(min(seen.result, many), 0)
        return sent(s, took, data=content(s)[:took])[-1]

    (world, *_rest) = sent(s, many, data=content(s))
    yield Outcome(kind="returns", value=Between(1, many), world=world, learn=learn)


def _never_waits(s: Situation) -> bool:
    return waits_never(s) and not s.outgoing.full


def _waiting(s: Situation) -> Iterable[Outcome]:
    """The call waits for room. What it has taken until then is in the flow as if it were all: the reader gets all in the end."""
    many = size(s)
    world, note = s.world, s.note
    takes_none = s.outgoing.full and not _begun(s)
    if not takes_none and not _begun(s):
        (world, *_rest) = sent(s, many, data=content(s))
        note = many
    yield Outcome(kind="blocks", world=world, note=note)
    longest = limit(s)
    if longest is not None:
        least = max(longest - _TICK, 0)
        yield Outcome(kind="fails", errno="EAGAIN", world=s.world, least=least)
        if not takes_none:
            yield Outcome(kind="returns", value=Between(1, many), world=world, least=least)


def _sending_rules(call: str) -> tuple[Rule, ...]:
    posix = f"POSIX.1-2024 {call}()"
    return (
        unmodelled(f"{call}.tcp-special", _special, "TCP Fast Open, zero copy and control messages of TCP are not modelled",
                   kinds=KINDS),
        gives(f"{call}.tcp-ended-midway", _partly, "what was taken before the connection ended counts", f"{posix}; {_SOURCE}",
              when=_ended_midway, kinds=KINDS),
        *(
            fails(f"{call}.tcp-error-{name.lower()}", name, _error(name), f"the pending error {name} is told, and cleared",
                  f"{posix}; sk_stream_error() in {_STREAM}", kinds=KINDS, gives=_taking_error, unreached=unreached)
            for name, unreached in ERRORS.items()
        ),
        fails(f"{call}.tcp-opening", "EAGAIN", _opening_never_waits, "the connection is not established yet",
              f"{posix} EAGAIN; sk_stream_wait_connect() in {_STREAM}", kinds=KINDS),
        gives(f"{call}.tcp-waits-to-open", _waiting_to_open, "the call waits until the connection is established",
              f"sk_stream_wait_connect() in {_STREAM}", when=_opening, kinds=KINDS, category="blocks"),
        fails(f"{call}.tcp-broken", "EPIPE", _shut, "the socket is not connected, or shut down for sending", f"{posix} EPIPE",
              kinds=KINDS, gives=_breaking,
              note="POSIX has ENOTCONN for a socket that never was connected; Linux gives EPIPE (sk_stream_wait_connect())"),
        gives(f"{call}.tcp-nothing", _sending_nothing, "no bytes are sent, and nothing goes out", _SOURCE, when=_nothing,
              kinds=KINDS),
        fails(f"{call}.tcp-no-room", "EAGAIN", _refusing, "the send buffer is full", f"{posix} EAGAIN", kinds=KINDS),
        fails(f"{call}.tcp-unreadable", "EFAULT", _unreadable, "the data cannot be read", "send(2) EFAULT", kinds=KINDS),
        gives(f"{call}.tcp-sent", _sending, "all of it is taken", posix, when=_fits, kinds=KINDS),
        gives(f"{call}.tcp-sent-some", _sending_some, "as much is taken as there is room for", posix, when=_never_waits,
              kinds=KINDS),
        gives(f"{call}.tcp-waits", _waiting, "the call waits for room", posix, kinds=KINDS, category="blocks"),
    )  # fmt: skip


def _filling_fails(s: Situation) -> bool:
    connection = s.connection
    gone = connection is None or deaf(tcp(s.world, connection.ends[1 - s.side]))
    return not _open(s) or s.socket.shut_write or bool(s.socket.error) or gone


def _filling(s: Situation) -> Iterable[Outcome]:
    def learn(_: World, seen: Seen) -> World:
        return _filled(s, max(seen.result, 0))

    least = 0 if s.outgoing.full else 1
    yield Outcome(kind="returns", value=Between(least, 1 << 40), world=_filled(s, room(s)), learn=learn)


def _filled(s: Situation, many: int) -> World:
    world = sent(s, many, data=None)[-1].copy()
    connection = world.connections[s.socket.connection]
    flow = replace(connection.flows[s.side], full=True)
    world.connections[s.socket.connection] = with_flow(connection, s.side, flow)
    return world


SENDING: tuple[Rule, ...] = (
    *(rule for call in SENDS for rule in _sending_rules(call)),
    unmodelled("fill.tcp-fails", _filling_fails, "filling a socket that takes nothing is not modelled", kinds=KINDS),
    gives("fill.tcp-filled", _filling, "the buffers of both ends are full", "tcp(7), tcp_wmem and tcp_rmem", when=always,
          kinds=KINDS),
)  # fmt: skip
