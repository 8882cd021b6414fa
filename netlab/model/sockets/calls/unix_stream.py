"""Data over UNIX streams: what is sent is there at once; how much the buffer takes is bounds. Urgent data is not modelled.

The order is that of unix_stream_sendmsg() and unix_stream_read_generic() in net/unix/af_unix.c.
"""

from collections.abc import Iterable

import msgspec

from netlab.model.sockets.addresses import length_in, pointed
from netlab.model.sockets.calls.ancillary import PROCESS, circle_rule, control_rules, descriptions_sent, in_flight
from netlab.model.sockets.calls.unix_filling import FILLING
from netlab.model.sockets.calls.unix_opening import OPENING
from netlab.model.sockets.calls.unix_stream_received import RECEIVING
from netlab.model.sockets.calls.unix_writers import signed
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
from netlab.model.sockets.unix import LONGEST_PIECE, connection_ended, send_buffer, under_way, with_flow
from netlab.model.sockets.world import World
from netlab.notation.values import BadPointer

KINDS = ("unix-stream",)
_SEND, _READ = "unix_stream_sendmsg() in net/unix/af_unix.c", "unix_stream_read_generic() in net/unix/af_unix.c"


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
    small, large = send_buffer(s.socket)
    if most < small:
        return False
    return True if least >= large else None


def _first_piece(s: Situation) -> int:
    """How many bytes go in one buffer at least (unix_stream_sendmsg())."""
    return min(send_buffer(s.socket)[0] // 2 - 64, LONGEST_PIECE)


def _fits(s: Situation) -> bool | None:
    """Whether all of it is taken at once."""
    full = _full(s)
    many = size(s)
    if full is False:
        if many <= _first_piece(s):
            return True
        return True if under_way(s.world, s.socket_id, s.socket)[1] + 3 * many < send_buffer(s.socket)[0] else None
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
        first = min(many, LONGEST_PIECE)
        passed = (*peer.note.get("rights", ()), (flow.sent, flow.sent + first, descriptions))
        world.objects[s.socket.peer] = msgspec.structs.replace(peer, note={**peer.note, "rights": passed})
    return signed(s, world, many)


def _pieces(start: int, many: int) -> list[tuple[int, int]]:
    found = []
    while many > 0:
        piece = min(many, LONGEST_PIECE)
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
        world = s.world
        if s.socket.error:  # the peer went with data unread: sock_alloc_send_pskb() looks at the error first, and takes it
            world = world.with_object(s.socket_id, msgspec.structs.replace(s.socket, error=""))
            yield Outcome(kind="fails", errno=s.socket.error, world=world)
        else:
            yield from broken_pipe(s)
        yield Outcome(kind="returns", value=Between(1, many), world=world)
        return
    least, _ = under_way(s.world, s.socket_id, s.socket)
    # What it was filled with counts as it was then, without what the call would add.
    longest = least - (0 if s.socket.note.get("full") is not None else many) >= send_buffer(s.socket)[1]
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
            continue
        yield one
        if _full(s) is not True:
            yield msgspec.structs.replace(
                one, kind="returns", errno="", value=Between(1, many), world=_with_sent(s, many, certain=0)
            )


def _rights_in_pieces(s: Situation) -> bool:
    return bool(descriptions_sent(s)) and size(s) > _first_piece(s)


def _sending_rules(call: str) -> tuple[Rule, ...]:
    posix = f"POSIX.1-2024 {call}()"
    cut: tuple[Rule, ...] = ()
    if call == "sendmsg":
        cut = (
            unmodelled("sendmsg.unix-rights-in-pieces", _rights_in_pieces,
                       "where the first buffer ends, with which descriptors come, is the kernel's own", kinds=KINDS),
        )  # fmt: skip
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
        gives(f"{call}.unix-shut", broken_pipe, "the socket was shut down for sending, or its peer is gone", f"{posix} EPIPE",
              when=_shut, kinds=KINDS, category="signals",
              note="where the peer was shut down for receiving, this end was for sending, too (unix_shutdown())"),
        unmodelled(f"{call}.unix-urgent", _urgent, "urgent data of UNIX streams is not modelled", kinds=KINDS),
        gives(f"{call}.unix-sends-nothing", _sending, "no bytes are sent, and nothing more is looked at", _SEND,
              when=_sends_nothing, kinds=KINDS),
        fails(f"{call}.unix-no-room", "EAGAIN", _nothing_fits, "the send buffer is full", f"{posix} EAGAIN", kinds=KINDS),
        fails(f"{call}.unix-unreadable", "EFAULT", _unreadable, "the data cannot be read", "send(2) EFAULT", kinds=KINDS),
        *cut,
        gives(f"{call}.unix-sent", _sending, "all of it is taken", posix, when=_fits, kinds=KINDS),
        gives(f"{call}.unix-sent-some", _sending_some, "as much is taken as there is room for", posix, when=_some_fits,
              kinds=KINDS),
        gives(f"{call}.unix-waits", _stopping, "the call waits for room", posix, kinds=KINDS, category="blocks"),
    )  # fmt: skip


ENDS = {"unix-stream": connection_ended}
_ADDRESSED, _FLAGGED = "unix-named-connected unix-named", "unix-urgent-nothing unix-urgent"

RULES: tuple[Rule, ...] = (
    *(circle_rule(call) for call in (*SENDS, *RECEIVES, "shutdown", "connect")),
    *PROCESS,
    *OPENING,
    *(rule for call in SENDS for rule in sayable(call, _sending_rules(call), address=_ADDRESSED, flags=_FLAGGED)),
    *RECEIVING,
    *FILLING,
)
