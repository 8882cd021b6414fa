"""fill() on UNIX sockets: what is sent until the send buffer is full, and that it is full until something is read.

How much that is depends on what the kernel counts for a message besides its bytes, of which only bounds are known.
"""

from collections.abc import Iterable

import msgspec

from netlab.model.sockets.calls.unix_writers import signed
from netlab.model.sockets.messages import truesize
from netlab.model.sockets.objects import Datagram, Socket
from netlab.model.sockets.outcomes import Between, Outcome, Seen
from netlab.model.sockets.rules import Rule, gives, unmodelled
from netlab.model.sockets.situation import Situation
from netlab.model.sockets.unix import LONGEST_PIECE, OVERHEAD, send_buffer, under_way, with_flow
from netlab.model.sockets.world import World

_STREAM, _DATAGRAM, _SEQPACKET = ("unix-stream",), ("unix-dgram",), ("unix-seqpacket",)
_SOURCE = "unix(7); SO_SNDBUF in socket(7)"
_LARGEST = 1 << 16
"""fill() begins with messages of this size, and halves it while they are too long."""
_MOST_OUTCOMES = 8


def _peer(s: Situation) -> Socket | None:
    peer = s.world.objects.get(s.socket.peer)
    return peer if isinstance(peer, Socket) else None


def _takes_nothing(s: Situation) -> bool:
    peer = _peer(s)
    return peer is None or peer.shut_read or s.socket.shut_write or bool(s.socket.error)


def _filling_stream(s: Situation) -> Iterable[Outcome]:
    taken, most_taken = under_way(s.world, s.socket_id, s.socket)
    small, large = send_buffer(s.socket)
    least = 1 if most_taken < small else 0
    most = max(large - taken, 0) + 2 * LONGEST_PIECE

    def learn(world: World, seen: Seen) -> World:
        return _filled_stream(s, max(seen.result, 0))

    yield Outcome(kind="returns", value=Between(least, most), world=_filled_stream(s, most), learn=learn)


def _filled_stream(s: Situation, many: int) -> World:
    """The world in which so many zero bytes were sent, and no more go."""
    flow = s.outgoing
    data = None if flow.data is None else flow.data + bytes(many)
    new = msgspec.structs.replace(flow, sent=flow.sent + many, arrived=flow.sent + many, data=data)
    world = with_flow(s.world, s.socket.connection, s.side, new)
    note = {**s.socket.note, "full": (flow.read, *send_buffer(s.socket))}
    return signed(s, world.with_object(s.socket_id, msgspec.structs.replace(s.socket, note=note)), many)


def _queue_limits(s: Situation) -> bool:
    """Whether the receiver's queue may be full first: only a peer that has no other leaves that out (unix_dgram_sendmsg())."""
    peer = _peer(s)
    return peer is not None and peer.peer != s.socket_id


def _counts(s: Situation) -> tuple[int, int, int]:
    """The size of the messages that go, and how many of them at least and at most."""
    least_limit, most_limit = send_buffer(s.socket)
    size = _LARGEST
    while size > least_limit - OVERHEAD:
        size //= 2
    least, most = under_way(s.world, s.socket_id, s.socket)
    small, large = truesize(size)
    return size, -(-max(least_limit - most, 0) // large), -(-max(most_limit - least, 0) // small)


def _too_open(s: Situation) -> bool:
    _, fewest, most = _counts(s)
    small, large = send_buffer(s.socket)
    return most - fewest >= _MOST_OUTCOMES or (small != large and small < _LARGEST + OVERHEAD)


def _filling_messages(s: Situation) -> Iterable[Outcome]:
    size, fewest, most = _counts(s)
    message = Datagram(size=size, data=bytes(size), source=s.socket.local, sender=s.socket_id)
    for many in range(fewest, most + 1):
        world = s.world.copy()
        receiver, one = world.objects[s.socket.peer], s.socket
        assert isinstance(receiver, Socket)
        receiver = msgspec.structs.replace(receiver, queue=(*receiver.queue, *(message,) * many))
        sent = sum(waiting.sender == s.socket_id for waiting in receiver.queue)
        receivers = tuple(dict.fromkeys((*one.note.get("receivers", ()), one.peer)))
        world.objects[one.peer] = receiver
        note = {**one.note, "receivers": receivers, "full": (sent, *send_buffer(one))}
        world.objects[s.socket_id] = msgspec.structs.replace(one, note=note)
        yield Outcome(kind="returns", value=many * size, world=world)


FILLING: tuple[Rule, ...] = (
    unmodelled("fill.unix-fails", _takes_nothing, "filling a socket that takes nothing is not modelled",
               kinds=(*_STREAM, *_DATAGRAM, *_SEQPACKET)),
    gives("fill.unix-filled", _filling_stream, "the send buffer is full", _SOURCE, kinds=_STREAM),
    unmodelled("fill.unix-queue", _queue_limits, "whether the send buffer or the receiver's queue is full first is not modelled",
               kinds=_DATAGRAM),
    unmodelled("fill.unix-too-open", _too_open, "how many messages go has too wide bounds", kinds=(*_DATAGRAM, *_SEQPACKET)),
    gives("fill.unix-messages", _filling_messages, "the send buffer is full", _SOURCE, kinds=(*_DATAGRAM, *_SEQPACKET)),
)  # fmt: skip
