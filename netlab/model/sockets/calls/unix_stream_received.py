"""Receiving from UNIX streams: what is there, up to what passes descriptors; then the reset, the end, or waiting.

The order is that of unix_stream_read_generic() in net/unix/af_unix.c. Urgent data is not modelled.
"""

from collections.abc import Iterable

import msgspec

from netlab.model.sockets.calls.ancillary import received, wants_credentials
from netlab.model.sockets.calls.datagrams_received import peeks_from
from netlab.model.sockets.calls.unix_opening import ONLY_POSIX
from netlab.model.sockets.calls.unix_writers import another_writes_next, one_writer
from netlab.model.sockets.messages import (
    RECEIVES,
    error_taken,
    errors_cleared,
    message_out,
    nothing_received,
    pending_error,
    sayable,
    size,
    unwritable_to,
    waiting,
    waits_never,
    with_name_written,
    writable,
)
from netlab.model.sockets.objects import Address, Flow, Socket
from netlab.model.sockets.options.values import given
from netlab.model.sockets.outcomes import Between, Outcome, Seen, Value
from netlab.model.sockets.rules import Rule, always, fails, gives, unmodelled
from netlab.model.sockets.situation import Situation
from netlab.model.sockets.unix import with_flow
from netlab.model.sockets.world import World

_KINDS = ("unix-stream",)
_READ = "unix_stream_read_generic() in net/unix/af_unix.c"


def _reads_nothing(s: Situation) -> bool:
    return size(s) == 0


def _not_connected(s: Situation) -> bool:
    return s.socket.state != "ESTABLISHED"


def _got(s: Situation) -> tuple[int, bytes | None]:
    """What a call that blocks has taken so far: how much, and the bytes, None where they are not known."""
    return s.note if isinstance(s.note, tuple) else (0, b"")


def _want(s: Situation) -> int:
    """How much more there is room for."""
    return size(s) - _got(s)[0]


def _target(s: Situation) -> int:
    """How many bytes more a call that waits wants at least (sock_rcvlowat())."""
    wanted = size(s) if s.flag("MSG_WAITALL") else min(given(s.at_first, "SOL_SOCKET", "SO_RCVLOWAT", 1), size(s))
    return max(wanted, 1) - _got(s)[0]


def _urgent(s: Situation) -> bool:
    return s.flag("MSG_OOB")


def _there(s: Situation) -> int:
    flow = s.incoming
    return min(flow.queued, _up_to_rights(s))


def _up_to_rights(s: Situation) -> int:
    """How many bytes a receive gives at most: it ends with the piece that passes descriptors, and with what one writer wrote."""
    mine, most = one_writer(s), _piece_with_rights(s)
    return most if mine is None else min(mine, most)


def _piece_with_rights(s: Situation) -> int:
    read = s.incoming.read
    for start, end, _ in s.socket.note.get("rights", ()):
        if end > read:
            return int(end - read) if _want(s) > start - read else _want(s)
    return _want(s)


def _enough(s: Situation) -> bool:
    there = _there(s)
    if not there:
        return size(s) == 0 and s.incoming.queued > 0
    over = s.socket.shut_read or bool(s.socket.error)
    ends = there >= _up_to_rights(s) and _up_to_rights(s) <= _want(s) and (_passes(s) or another_writes_next(s))
    return waits_never(s) or over or there >= _target(s) or ends or s.flag("MSG_PEEK")


def _passes(s: Situation) -> bool:
    return bool(_rights(s, min(_there(s), _want(s))))


def _rights(s: Situation, many: int) -> tuple[int, ...]:
    """The descriptions that come with so many bytes."""
    read = s.incoming.read
    for start, end, descriptions in s.socket.note.get("rights", ()):
        # A peek goes on to the first piece that passes some, whatever room is left.
        # One of no bytes takes those of the data that is next.
        if end > read and (read + max(many, 1) > start or s.flag("MSG_PEEK")):
            return tuple(descriptions)
    return ()


def _taken(s: Situation, many: int, *, exact: bool) -> Outcome:
    flow = s.incoming
    before, kept = _got(s)
    data = kept + flow.data[:many] if exact and flow.data is not None and kept is not None else None
    peeked = s.flag("MSG_PEEK")
    descriptions = _rights(s, many)
    # What is passed may be the last that keeps the peer: it is let go after the reading.
    world = s.world if peeked else _with_error_taken(s, _after_reading(s, s.world, many, flow), many)
    got = received(s, world, descriptions, peeked=peeked)
    source = _sender(s)
    out, learn = message_out(s, data, source=source, control=got.seen, flags=got.flags)
    return with_name_written(s, Outcome(kind="returns", value=before + many, out=out, world=got.world, learn=learn), source)


def _with_error_taken(s: Situation, world: World, many: int) -> World:
    """A receive that wants more than it found looks for an error then, and takes it, though it gives what it has."""
    one = world.objects.get(s.socket_id)
    if not isinstance(one, Socket) or not one.error or not size(s) or many >= _target(s) or _rights(s, many):
        return world
    return world.with_object(s.socket_id, errors_cleared(one))


def _sender(s: Situation) -> Address | None:
    """The name that comes with data: the peer's, if it has one."""
    peer = s.world.objects.get(s.socket.peer)
    name = peer.local if isinstance(peer, Socket) else s.socket.remote
    return name if name is not None and name.kind != "unnamed" else None


def _after_reading(s: Situation, world: World, many: int, flow: Flow) -> World:
    new = msgspec.structs.replace(
        flow,
        read=flow.read + many,
        arrived=max(flow.arrived, flow.read + many),
        data=None if flow.data is None else flow.data[many:],
    )
    world = with_flow(world, s.socket.connection, 1 - s.side, new)
    passed = s.socket.note.get("rights", ())
    if passed:
        over = max(new.read, flow.read + 1)
        left = tuple(entry for entry in passed if entry[0] >= over)
        world = world.with_object(s.socket_id, msgspec.structs.replace(s.socket, note={**s.socket.note, "rights": left}))
    return world


def _giving(s: Situation) -> Iterable[Outcome]:
    flow = s.incoming
    least = min(_there(s), _want(s))
    most = min(_want(s), _up_to_rights(s), flow.under_way)
    if least == most and not (wants_credentials(s) and most > 1 and one_writer(s) is None):
        yield _taken(s, least, exact=True)
        return

    def learn(_: World, seen: Seen) -> World:
        return _taken(s, max(seen.result - before, 0), exact=False).world

    before = _got(s)[0]
    value: Value = Between(before + (1 if wants_credentials(s) or not least else least), before + most)
    yield msgspec.structs.replace(_taken(s, most, exact=False), value=value, out=None, learn=learn)


def _faulting(s: Situation) -> Iterable[Outcome]:
    """A piece is copied as it was sent, as a whole or not at all; those before it count."""
    sender, read = s.world.objects.get(s.socket.peer), s.incoming.read
    note = sender.note if isinstance(sender, Socket) else {}
    ends = [end - read for end, _ in note.get("pieces", ()) if end > read]
    whole = max((end for end in ends if end <= writable(s)), default=0)
    if whole and ends[0] <= whole and "full" not in note:
        yield _taken(s, whole, exact=True)
    else:
        yield Outcome(kind="fails", errno="EFAULT", world=s.world)


def _may_be_there(s: Situation) -> bool | None:
    return None if not s.incoming.queued and s.incoming.under_way else False


def _copies_nowhere(s: Situation) -> bool | None:
    if _got(s)[0]:
        return False
    # What a call under way may have sent is perhaps there.
    return unwritable_to(s, _there(s)) or (None if unwritable_to(s, s.incoming.under_way) else False)


def _ending(s: Situation) -> Iterable[Outcome]:
    got = received(s, s.world, (), peeked=False)
    many, data = _got(s)
    out, _ = message_out(s, data, control=got.seen, flags=got.flags)
    yield with_name_written(s, Outcome(kind="returns", value=many, out=out, world=s.world))


def _ended(s: Situation) -> bool:
    return s.socket.shut_read or (bool(s.socket.error) and _got(s)[0] > 0)


def _fails_with_error(s: Situation) -> bool:
    return pending_error(s) and not _got(s)[0]


def _waiting_for_all(s: Situation) -> Iterable[Outcome]:
    """What is there is taken while the call waits for the rest, and nobody else gets it; a time limit gives it."""
    flow, there = s.incoming, min(_there(s), _want(s))
    taken = _taken(s, there, exact=True)
    many, data = _got(s)
    known = None if data is None or flow.data is None else data + flow.data[:there]
    world = _after_reading(s, s.world, there, flow) if there else s.world
    for one in waiting(s, world, note=(many + there, known)):
        if one.kind == "fails" and many + there:
            yield msgspec.structs.replace(taken, least=one.least)
        else:
            yield one


def _receiving_rules(call: str) -> tuple[Rule, ...]:
    posix = f"POSIX.1-2024 {call}()"
    none: tuple[Rule, ...] = ()
    if call == "read":
        none = (
            gives("read.unix-nothing", nothing_received, "of no bytes nothing is read", "sock_read_iter() in net/socket.c",
                  when=_reads_nothing, kinds=_KINDS),
        )  # fmt: skip
    return (
        *none,
        fails(f"{call}.unix-not-connected", "EINVAL", _not_connected, "the stream is not connected", _READ, kinds=_KINDS,
              note="POSIX says ENOTCONN", profiles=("linux",)),
        fails(f"{call}.unix-not-connected-posix", "ENOTCONN", _not_connected, "the stream is not connected", f"{posix} ENOTCONN",
              kinds=_KINDS, profiles=("posix",), unreached=ONLY_POSIX),
        fails(f"{call}.unix-no-urgent", "EINVAL", _urgent, "no urgent data is there", f"{posix} EINVAL", kinds=_KINDS),
        unmodelled(f"{call}.unix-peek-off", peeks_from, "SO_PEEK_OFF is not modelled", kinds=_KINDS),
        fails(f"{call}.unix-unwritable", "EFAULT", _copies_nowhere, "the data cannot be written; it stays", "recv(2) EFAULT",
              kinds=_KINDS, gives=_faulting),
        gives(f"{call}.unix-data", _giving, "as much as is there, up to what passes descriptors", f"{posix}; unix(7)", when=_enough,
              kinds=_KINDS),
        gives(f"{call}.unix-may-be-data", _giving, "what a call under way may have sent", posix, when=_may_be_there, kinds=_KINDS),
        fails(f"{call}.unix-error", "ECONNRESET", _fails_with_error, "the peer went without having read all", f"{posix} ECONNRESET",
              kinds=_KINDS, gives=error_taken),
        gives(f"{call}.unix-end", _ending, "the peer sends no more, or the socket was shut down", posix, when=_ended,
              kinds=_KINDS),
        fails(f"{call}.unix-none", "EAGAIN", waits_never, "no data is there, and the call does not wait", f"{posix} EAGAIN",
              kinds=_KINDS),
        gives(f"{call}.unix-waits-for-data", _waiting_for_all, "the call waits for data, at most as long as SO_RCVTIMEO says",
              posix, when=always, kinds=_KINDS, category="blocks"),
    )  # fmt: skip


RECEIVING: tuple[Rule, ...] = tuple(
    rule for call in RECEIVES for rule in sayable(call, _receiving_rules(call), flags="unix-no-urgent unix-peek-off")
)
