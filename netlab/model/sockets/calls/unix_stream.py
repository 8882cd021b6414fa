"""Data over UNIX streams: what is sent is there at once; how much the buffer takes is bounds. Urgent data is not modelled.

The order is that of unix_stream_sendmsg() and unix_stream_read_generic() in net/unix/af_unix.c.
"""

from collections.abc import Iterable

import msgspec

from netlab.model.sockets.addresses import length_in, pointed
from netlab.model.sockets.calls.ancillary import circle_rule, control_rules, descriptions_sent, in_flight
from netlab.model.sockets.calls.unix_opening import OPENING
from netlab.model.sockets.calls.unix_stream_received import RECEIVING
from netlab.model.sockets.messages import (
    RECEIVES,
    SENDS,
    content,
    sayable,
    size,
    unreadable,
    waiting,
    waits_never,
)
from netlab.model.sockets.objects import Socket
from netlab.model.sockets.outcomes import Between, Outcome, Seen
from netlab.model.sockets.rules import Rule, fails, gives, unmodelled
from netlab.model.sockets.situation import Situation
from netlab.model.sockets.unix import connection_ended, send_buffer, under_way, with_flow
from netlab.model.sockets.world import World
from netlab.notation.values import BadPointer

KINDS = ("unix-stream",)
_SEND, _READ = "unix_stream_sendmsg() in net/unix/af_unix.c", "unix_stream_read_generic() in net/unix/af_unix.c"
_PIECE = 36_000
"""A little less than one buffer holds; more is sent in several (UNIX_SKB_FRAGS_SZ)."""


def names_peer(s: Situation) -> bool:
    """Whether the call names an address: one of no length is none."""
    value = pointed(s)
    if (
        s.call.name not in ("sendto", "sendmsg")
        or value is None
        or value == "NONE"
        or (isinstance(value, BadPointer) and value.null)
    ):
        return False
    return length_in(s) > 0


# Sending


def _urgent_nothing(s: Situation) -> bool:
    return s.flag("MSG_OOB") and size(s) == 0


def _named_connected(s: Situation) -> bool:
    return names_peer(s) and s.socket.state == "ESTABLISHED"


def _unconnected(s: Situation) -> bool:
    return s.socket.connection == 0


def _urgent(s: Situation) -> bool:
    return s.flag("MSG_OOB")


def _shut(s: Situation) -> bool:
    return s.socket.shut_write


def _peer_gone(s: Situation) -> bool:
    peer = s.world.objects.get(s.socket.peer)
    return not isinstance(peer, Socket) or peer.shut_read


def _peer_shut(s: Situation) -> bool:
    return size(s) > 0 and _peer_gone(s)


def broken_pipe(s: Situation) -> Iterable[Outcome]:
    """EPIPE, with the signal where there is one (send(2), MSG_NOSIGNAL)."""
    action = s.process.handled.get("SIGPIPE", "default")
    if s.flag("MSG_NOSIGNAL") or action == "ignore":
        yield Outcome(kind="fails", errno="EPIPE", world=s.world)
    elif action == "handle":
        yield Outcome(kind="fails", errno="EPIPE", signal="SIGPIPE", world=s.world)
    else:
        yield Outcome(kind="ends", errno="EPIPE", signal="SIGPIPE", world=s.world)


def _sends_nothing(s: Situation) -> bool:
    return size(s) == 0


def _unreadable(s: Situation) -> bool | None:
    full = _full(s)
    return unreadable(s) and (None if full is None else not full)


def _full(s: Situation) -> bool | None:
    """Whether the send buffer has no room at all; None where the model does not know."""
    least, most = under_way(s.world, s.socket_id, s.socket)
    limit = send_buffer(s.socket)
    if most < limit:
        return False
    return True if least >= limit else None


def _fits(s: Situation) -> bool | None:
    """Whether all of it is taken at once."""
    full = _full(s)
    many = size(s)
    if full is False:
        if many <= min(send_buffer(s.socket) // 2 - 64, _PIECE):
            return True
        return True if under_way(s.world, s.socket_id, s.socket)[1] + 3 * many < send_buffer(s.socket) else None
    return False if full else None


def _nothing_fits(s: Situation) -> bool | None:
    full = _full(s)
    return full if waits_never(s) else False


def _some_fits(s: Situation) -> bool:
    return waits_never(s)


def _with_sent(s: Situation, many: int, *, certain: int | None = None) -> World:
    """The world in which so many bytes were sent; ``certain`` of them are there."""
    connection = s.connection
    assert connection is not None
    flow, data = s.outgoing, content(s)[:many]
    arrived = flow.sent + (many if certain is None else certain)
    new = msgspec.structs.replace(
        flow, sent=flow.sent + many, arrived=arrived, data=None if flow.data is None else flow.data + data
    )
    world = with_flow(s.world, s.socket.connection, s.side, new)
    pieces = tuple((end, size_) for end, size_ in s.socket.note.get("pieces", ()) if end > flow.read)
    one = msgspec.structs.replace(s.socket, note={**s.socket.note, "pieces": (*pieces, *_pieces(flow.sent, many))})
    world = world.with_object(s.socket_id, one)
    descriptions = descriptions_sent(s) if many else ()
    if descriptions:
        in_flight(world, descriptions, s.socket.peer)
        peer = world.objects[s.socket.peer]
        assert isinstance(peer, Socket)
        first = min(many, _PIECE)
        passed = (*peer.note.get("rights", ()), (flow.sent, flow.sent + first, descriptions))
        world.objects[s.socket.peer] = msgspec.structs.replace(peer, note={**peer.note, "rights": passed})
    return world


def _pieces(start: int, many: int) -> list[tuple[int, int]]:
    found = []
    while many > 0:
        piece = min(many, _PIECE)
        start, many = start + piece, many - piece
        found.append((start, piece))
    return found


def _sending(s: Situation) -> Iterable[Outcome]:
    yield Outcome(kind="returns", value=size(s), world=_with_sent(s, size(s)))


def _sending_some(s: Situation) -> Iterable[Outcome]:
    many = size(s)

    def learn(_: World, seen: Seen) -> World:
        return _with_sent(s, max(min(seen.result, many), 0))

    yield Outcome(kind="returns", value=Between(1, many), world=_with_sent(s, many, certain=1), learn=learn)


def _goes_on(s: Situation) -> bool:
    return s.resumed and isinstance(s.note, tuple)


def _another_waits(s: Situation) -> bool:
    """Whether another send on the same socket waits for room."""
    if s.resumed:
        return False
    for pending in s.world.pending.values():
        description = s.world.descriptions.get(pending.held)
        if pending.entered and description is not None and description.object == s.socket_id and pending.call.name in SENDS:
            return True
    return False


def _going_on(s: Situation) -> Iterable[Outcome]:
    """A send that waited goes on: with the first reading it may have room for all; when nobody reads any more, it ends."""
    start, many = s.note
    flow = s.outgoing
    peer = s.world.objects.get(s.socket.peer)
    if s.socket.shut_write or not isinstance(peer, Socket) or peer.shut_read:
        yield Outcome(kind="returns", value=Between(1, many), world=s.world)
        if s.socket.error:  # the peer went with data unread: sock_alloc_send_pskb() looks at the error first
            cleared = msgspec.structs.replace(s.socket, error="")
            yield Outcome(kind="fails", errno=s.socket.error, world=s.world.with_object(s.socket_id, cleared))
        yield from broken_pipe(s)
        return
    least, _ = under_way(s.world, s.socket_id, s.socket)
    longest = least - many >= send_buffer(s.socket)
    if not longest:
        arrived = msgspec.structs.replace(flow, arrived=max(flow.arrived, start + many))
        yield Outcome(kind="returns", value=many, world=with_flow(s.world, s.socket.connection, s.side, arrived))
    yield from waiting(s, note=s.note)


def _stopping(s: Situation) -> Iterable[Outcome]:
    many, start = size(s), s.outgoing.sent
    if _fits(s) is None:
        yield Outcome(kind="returns", value=many, world=_with_sent(s, many))
    for one in waiting(s, world=_with_sent(s, many, certain=0), note=(start, many)):
        if one.kind == "blocks":
            yield one
        else:
            yield one
            yield msgspec.structs.replace(
                one, kind="returns", errno="", value=Between(1, many), world=_with_sent(s, many, certain=0)
            )


def _sending_rules(call: str) -> tuple[Rule, ...]:
    posix = f"POSIX.1-2024 {call}()"
    return (
        *control_rules(call, KINDS),
        gives(f"{call}.unix-goes-on", _going_on, "a call that waited for room goes on", posix, when=_goes_on, kinds=KINDS,
              category="blocks"),
        fails(f"{call}.unix-urgent-nothing", "EOPNOTSUPP", _urgent_nothing, "urgent data is at least one byte", _SEND, kinds=KINDS),
        fails(f"{call}.unix-named-connected", "EISCONN", _named_connected, "a connected stream is sent to without an address",
              f"{posix} EISCONN", kinds=KINDS),
        fails(f"{call}.unix-named", "EOPNOTSUPP", names_peer, "streams are not sent to by address", f"unix(7); {_SEND}",
              kinds=KINDS),
        fails(f"{call}.unix-unconnected", "ENOTCONN", _unconnected, "the socket has no peer", f"{posix} ENOTCONN", kinds=KINDS),
        unmodelled(f"{call}.unix-another-waits", _another_waits, "which of two sends that wait gets the room is not modelled",
                   kinds=KINDS),
        unmodelled(f"{call}.unix-urgent", _urgent, "urgent data of UNIX streams is not modelled", kinds=KINDS),
        gives(f"{call}.unix-shut", broken_pipe, "the socket was shut down for sending, or its peer is gone", f"{posix} EPIPE",
              when=_shut, kinds=KINDS, category="signals"),
        gives(f"{call}.unix-sends-nothing", _sending, "no bytes are sent, and nothing more is looked at", _SEND,
              when=_sends_nothing, kinds=KINDS),
        fails(f"{call}.unix-no-room", "EAGAIN", _nothing_fits, "the send buffer is full", f"{posix} EAGAIN", kinds=KINDS),
        fails(f"{call}.unix-unreadable", "EFAULT", _unreadable, "the data cannot be read", "send(2) EFAULT", kinds=KINDS),
        gives(f"{call}.unix-peer-shut", broken_pipe, "the peer receives no more", f"{posix} EPIPE", when=_peer_shut, kinds=KINDS,
              category="signals", unreached="when the peer shut down, this end was shut, too, which is looked at before"),
        gives(f"{call}.unix-sent", _sending, "all of it is taken", posix, when=_fits, kinds=KINDS),
        gives(f"{call}.unix-sent-some", _sending_some, "as much is taken as there is room for", posix, when=_some_fits,
              kinds=KINDS),
        gives(f"{call}.unix-waits", _stopping, "the call waits for room", posix, kinds=KINDS, category="blocks"),
    )  # fmt: skip


# fill()


def _takes_nothing(s: Situation) -> bool:
    return s.socket.connection == 0 or s.socket.shut_write or _peer_gone(s)


def _filling(s: Situation) -> Iterable[Outcome]:
    least, _ = under_way(s.world, s.socket_id, s.socket)
    most = max(send_buffer(s.socket) - least, 0) + 2 * _PIECE

    def learn(world: World, seen: Seen) -> World:
        return _filled(s, max(seen.result, 0))

    yield Outcome(kind="returns", value=Between(0, most), world=_filled(s, most), learn=learn)


def _filled(s: Situation, many: int) -> World:
    """The world in which so many zero bytes were sent, and no more go."""
    flow = s.outgoing
    data = None if flow.data is None else flow.data + bytes(many)
    new = msgspec.structs.replace(flow, sent=flow.sent + many, arrived=flow.sent + many, data=data)
    world = with_flow(s.world, s.socket.connection, s.side, new)
    return world.with_object(s.socket_id, msgspec.structs.replace(s.socket, note={**s.socket.note, "full": flow.read}))


ENDS = {"unix-stream": connection_ended}
_ADDRESSED, _FLAGGED = "unix-named-connected unix-named", "unix-urgent-nothing unix-urgent"

RULES: tuple[Rule, ...] = (
    *(circle_rule(call) for call in (*SENDS, *RECEIVES, "shutdown", "connect")),
    *OPENING,
    *(rule for call in SENDS for rule in sayable(call, _sending_rules(call), address=_ADDRESSED, flags=_FLAGGED)),
    *RECEIVING,
    unmodelled("fill.unix-fails", _takes_nothing, "filling a socket that takes nothing is not modelled", kinds=KINDS),
    gives("fill.unix-filled", _filling, "the send buffer is full", "unix(7); SO_SNDBUF in socket(7)", kinds=KINDS),
)
