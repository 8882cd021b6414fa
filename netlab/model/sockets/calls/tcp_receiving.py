"""Receiving on TCP: recv(), recvfrom(), recvmsg(), read(), in the order of tcp_recvmsg_locked() in net/ipv4/tcp.c.

How much is there is known on loopback, and bounds where it may still be on its way. Urgent data is one byte beside the stream.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from netlab.model.sockets.addresses import unwritable, wants_address
from netlab.model.sockets.calls.tcp_records import with_flow
from netlab.model.sockets.calls.tcp_sending import ERRORS
from netlab.model.sockets.messages import (
    RECEIVES,
    Free,
    limit,
    message_out,
    sayable,
    size,
    unreadable,
    waits_never,
    with_name_written,
    writable,
)
from netlab.model.sockets.objects import Flow
from netlab.model.sockets.options.values import given
from netlab.model.sockets.outcomes import Between, Out, Outcome, Seen
from netlab.model.sockets.rules import Guard, Rule, fails, gives, unmodelled
from netlab.model.sockets.situation import Situation
from netlab.model.sockets.world import World
from netlab.notation.constants import constant
from netlab.notation.printing import print_bytes

KINDS = ("tcp",)
_SOURCE = "tcp_recvmsg_locked() in net/ipv4/tcp.c"
_URGENT = "tcp_recv_urg() in net/ipv4/tcp.c"
_OOB = 1
_TRUNC = 0x20
_TICK = 10_000_000

_INLINE = (constant("SOL_SOCKET"), constant("SO_OOBINLINE"))
_LOWAT = (constant("SOL_SOCKET"), constant("SO_RCVLOWAT"))
_REPAIR = (constant("IPPROTO_TCP"), constant("TCP_REPAIR"))
_CONTROLLED = (
    *((constant("SOL_SOCKET"), constant(name)) for name in ("SO_TIMESTAMP", "SO_TIMESTAMPNS", "SO_TIMESTAMPING")),
    (constant("IPPROTO_TCP"), constant("TCP_INQ")),
)

replace = msgspec.structs.replace


class View(msgspec.Struct, frozen=True):
    """What a call finds: the flow that it reads from, and the least and the most that there is up to the mark, or the end."""

    flow: Flow
    least: int
    most: int


class Got(msgspec.Struct, frozen=True):
    """What a call that blocks has received so far: how much, and the bytes, None where they are not known.

    ``dissolved`` is how often the socket's connection had been dissolved when it began.
    """

    many: int = 0
    data: bytes | None = b""
    dissolved: int = 0


def inline(s: Situation) -> bool:
    """SO_OOBINLINE."""
    return bool(s.socket.options.get(_INLINE))


def _control(s: Situation) -> Out | None:
    """What comes as control messages: when the data came, and how much is left (tcp_recvmsg() in net/ipv4/tcp.c, TCP_INQ)."""
    return Free() if any(s.socket.options.get(key) for key in _CONTROLLED) else None


def _got(s: Situation) -> Got:
    return s.note if isinstance(s.note, Got) else Got(dissolved=s.socket.note.get("dissolved", 0))


def at_mark(flow: Flow) -> Flow:
    """The flow for a reader who does not take the urgent byte in line and stands at the mark: it is skipped (tcp(7))."""
    if flow.urgent is None or flow.urgent != flow.read:
        return flow
    return taken(flow, 1)


def taken(flow: Flow, many: int) -> Flow:
    """The flow after so many bytes were read."""
    read = flow.read + many
    return replace(
        flow, read=read, arrived=max(flow.arrived, read), data=None if flow.data is None else flow.data[many:], full=False,
        urgent=None if flow.urgent is not None and flow.urgent < read else flow.urgent,
        urgent_read=flow.urgent_read and flow.urgent is not None and flow.urgent >= read,
    )  # fmt: skip


def _view(s: Situation) -> View:
    """Found once a call: its rules ask again and again."""
    if not isinstance(s.found, View):
        s.found = _look(s)
    return s.found


def _reader(s: Situation) -> Flow:
    """What the call reads from: the flow, past an urgent byte that it does not take."""
    return _view(s).flow


def _stretch(s: Situation) -> tuple[int, int]:
    """The least and the most that there is to read up to the mark, or the end."""
    view = _view(s)
    return view.least, view.most


def _look(s: Situation) -> View:
    flow = s.incoming
    if flow.urgent is None or size(s) == 0:
        return View(flow, flow.queued, flow.under_way)
    peeks, whole = s.flag("MSG_PEEK"), inline(s)
    flow = flow if whole or peeks else at_mark(flow)
    least, most = flow.queued, flow.under_way
    if flow.urgent is not None and flow.urgent >= flow.read:
        ahead = flow.urgent - flow.read
        if ahead == 0 and peeks and not whole:
            # Looking, it skips the urgent byte as reading does.
            least, most = max(least - 1, 0), max(most - 1, 0)
        elif ahead:
            least, most = min(least, ahead), min(most, ahead)
    return View(flow, least, most)


def _want(s: Situation) -> int:
    return size(s) - _got(s).many


def _target(s: Situation) -> int:
    """How much a call that waits wants at least (sock_rcvlowat() in include/net/sock.h)."""
    whole = size(s)
    if s.flag("MSG_WAITALL"):
        return max(whole, 1)
    low = s.socket.options.get(_LOWAT, 1)
    return max(min(low if isinstance(low, int) else 1, whole), 1)


def _no_more(s: Situation) -> bool:
    """Whether nothing can come any more: it returns what it has."""
    one = s.socket
    return bool(one.error) or one.shut_read or bool(one.note.get("done")) or one.state == "CLOSED"


def _read_nothing(s: Situation) -> bool:
    return s.call.name == "read" and size(s) == 0


def _dissolved(s: Situation) -> bool:
    return s.resumed and not _got(s).many and _got(s).dissolved != s.socket.note.get("dissolved", 0)


def _woken(s: Situation) -> bool | None:
    if not s.resumed or size(s):
        return False
    # Whatever wakes it: data, an error, the socket's own shutdown().
    return True if s.incoming.queued or _no_more(s) else None


def _error_queue(s: Situation) -> bool:
    return s.flag("MSG_ERRQUEUE")


def _error_queue_used(s: Situation) -> bool:
    names = (("IPPROTO_IP", "IP_RECVERR"), ("IPPROTO_IPV6", "IPV6_RECVERR"), ("SOL_SOCKET", "SO_TIMESTAMPING"))
    return s.flag("MSG_ERRQUEUE") and any(given(s.socket, level, name) for level, name in names)


def _special(s: Situation) -> bool:
    """Options by which reading has rules of its own."""
    return (s.flag("MSG_PEEK") and given(s.socket, "SOL_SOCKET", "SO_PEEK_OFF", -1) != -1) or bool(s.socket.options.get(_REPAIR))


def _listening(s: Situation) -> bool:
    return s.socket.state == "LISTEN"


# Urgent data


def _out_of_band(s: Situation) -> bool:
    return s.flag("MSG_OOB")


def _mark(s: Situation) -> int | None:
    """Where the urgent byte is, if the reader has not passed it; it may not have arrived yet."""
    return s.incoming.urgent


def _no_urgent(s: Situation) -> bool | None:
    if not _out_of_band(s):
        return False
    mark = _mark(s)
    if inline(s) or mark is None or s.incoming.urgent_read:
        return True
    return False if mark < s.incoming.arrived else None


def _urgent_unconnected(s: Situation) -> bool:
    return _out_of_band(s) and s.socket.state == "CLOSED" and not s.socket.note.get("done")


def _urgent_on_its_way(s: Situation) -> bool | None:
    mark = _mark(s)
    if not _out_of_band(s) or mark is None:
        return False
    return False if mark < s.incoming.arrived else None


def _urgent_unwritable(s: Situation) -> bool:
    return _out_of_band(s) and unreadable(s)


def _urgent_left(s: Situation) -> World:
    flow = s.incoming
    if s.flag("MSG_PEEK"):
        return s.world
    return _with_incoming(s, replace(flow, urgent_read=True, arrived=max(flow.arrived, (_mark(s) or 0) + 1)))


def _urgent_fault(s: Situation) -> Iterable[Outcome]:
    yield Outcome(kind="fails", errno="EFAULT", world=_urgent_left(s))


def _urgent_given(s: Situation) -> Iterable[Outcome]:
    flow, mark = s.incoming, _mark(s) or 0
    room = 1 if size(s) else 0
    data = None if flow.data is None else flow.data[mark - flow.read : mark - flow.read + room]
    out, learn = message_out(s, data, flags=_OOB | (0 if room else _TRUNC), control=_control(s))
    yield Outcome(kind="returns", value=room, out=out, learn=learn, world=_urgent_left(s))


# The stream


def _with_incoming(s: Situation, flow: Flow) -> World:
    connection = s.connection
    if connection is None:
        return s.world
    return s.world.with_connection(s.socket.connection, with_flow(connection, 1 - s.side, flow))


def _some(s: Situation) -> bool | None:
    """Whether there is something to read, or some was; None where it may still be on its way."""
    if _got(s).many:
        return True
    least, most = _stretch(s)
    return True if least else (None if most else False)


def _unwritable(s: Situation) -> bool | None:
    if not unreadable(s) or s.flag("MSG_TRUNC") or _got(s).many:
        return False
    if not writable(s):
        return _some(s)
    least, most = (min(bound, _want(s)) for bound in _stretch(s))
    return True if least > writable(s) else None if most > writable(s) else False


def _faulting(s: Situation) -> Iterable[Outcome]:
    """A segment is copied as a whole or not at all; those before it count."""
    yield Outcome(kind="fails", errno="EFAULT", world=s.world)
    if writable(s):
        yield _given(s, _got(s), 1, writable(s))


class Prefix(msgspec.Struct, frozen=True):
    """Some of these bytes from the first on, as text; any where they are not known."""

    data: bytes

    def accepts(self, out: Any, world: World) -> bool:
        """The text of a beginning."""
        if not isinstance(out, str) or not out.startswith('"'):
            return True
        return print_bytes(self.data).startswith(out[:-1])

    def shown(self, world: World) -> Any:
        """A star: how much it is, the value says."""
        return "*"


def _reading(s: Situation) -> Iterable[Outcome]:
    """What is there is given; a call that waits for more keeps it until then."""
    got, want = _got(s), _want(s)
    least, most = _stretch(s)
    least, most = min(least, want), min(most, want)
    least = max(least, 1 - got.many) if want else 0
    whole = size(s)
    enough = waits_never(s) or _no_more(s) or whole == 0 or _stops_at_mark(s, least)
    target = _target(s)
    if enough or got.many + least >= target:
        yield _given(s, got, least, most)
        if not enough and _may_sleep_on(s, least):
            yield Outcome(kind="blocks", world=s.world, note=s.note)
    else:
        if got.many + most >= target:
            yield _given(s, got, target - got.many, most)
        ahead = _to_mark(s)
        if ahead is not None and 0 < got.many + ahead < target:
            yield _given(s, got, ahead, ahead)
        kept = got if s.flag("MSG_PEEK") else _with_more(s, got, least)
        yield Outcome(kind="blocks", world=_world_after(s, least), note=kept)
        longest = limit(s)
        if longest is not None:
            last = _given(s, got, least, min(most, max(target - got.many - 1, least)))
            yield replace(last, least=max(longest - _TICK, 0))


def _may_sleep_on(s: Situation, least: int) -> bool:
    """Whether a call that took part of what it wants may not be woken by the rest: what is new is less than SO_RCVLOWAT
    (tcp_data_ready() in net/ipv4/tcp_input.c)."""
    low = s.socket.options.get(_LOWAT, 1)
    return s.resumed and _got(s).many > 0 and not (isinstance(low, int) and least >= low)


def _to_mark(s: Situation) -> int | None:
    """How much there is before an urgent byte that may have come, at which reading stops."""
    flow = _reader(s)
    return flow.urgent - flow.read if flow.urgent is not None and flow.urgent >= flow.read else None


def _stops_at_mark(s: Situation, least: int) -> bool:
    """Reading stops before an urgent byte when it has something (tcp(7))."""
    flow = _reader(s)
    return flow.urgent is not None and flow.urgent == flow.read + least and least + _got(s).many > 0 and flow.arrived > flow.urgent


def _with_more(s: Situation, got: Got, many: int) -> Got:
    data = _data(s, many)
    return Got(got.many + many, None if data is None or got.data is None else got.data + data, got.dissolved)


def _data(s: Situation, many: int) -> bytes | None:
    flow = _reader(s)
    if flow.data is None:
        return None
    skipped = 1 if s.flag("MSG_PEEK") and not inline(s) and flow.urgent == flow.read else 0
    return flow.data[skipped : skipped + many]


def _world_after(s: Situation, many: int) -> World:
    if s.flag("MSG_PEEK"):
        flow = s.incoming
        seen = flow.read + many
        return s.world if flow.arrived >= seen else _with_incoming(s, replace(flow, arrived=seen))
    flow = taken(_reader(s), many)
    if many and not flow.under_way and s.outgoing.sent == 0:
        # Who only listens acknowledges what it has read (tcp_cleanup_rbuf()).
        flow = replace(flow, acked=flow.read)
    return _with_incoming(s, flow)


def _given(s: Situation, got: Got, least: int, most: int) -> Outcome:
    data = _with_more(s, got, most).data
    cut = s.flag("MSG_TRUNC") or data is None
    if least == most:
        out, learn = message_out(s, None if cut else data, control=_control(s))
        return Outcome(kind="returns", value=got.many + least, out=out, learn=learn, world=_world_after(s, least))
    out, _ = message_out(s, None, control=_control(s))

    def learn_number(_: World, seen: Seen) -> World:
        return _world_after(s, max(min(seen.result - got.many, most), 0))

    if s.call.name in ("recv", "read") and not cut and data is not None:
        out = Prefix(data)
    return Outcome(
        kind="returns", value=Between(got.many + least, got.many + most), out=out, learn=learn_number, world=_world_after(s, most)
    )


def _skipping(s: Situation) -> World:
    """The world after a call that gives nothing: it skips an urgent byte all the same."""
    flow = s.incoming
    reader = _reader(s)
    return s.world if reader is flow else _with_incoming(s, reader)


def _done(s: Situation) -> bool:
    return bool(s.socket.note.get("done"))


def _nothing_more(s: Situation) -> Iterable[Outcome]:
    out, learn = message_out(s, b"", control=_control(s))
    yield Outcome(kind="returns", value=0, out=out, learn=learn, world=_skipping(s))


def _error(name: str) -> Guard:
    def holds(s: Situation) -> bool:
        return s.socket.error == name

    return holds


def _taking_error(s: Situation) -> Iterable[Outcome]:
    world = _skipping(s).with_object(s.socket_id, replace(s.socket, error=""))
    yield Outcome(kind="fails", errno=s.socket.error, world=world)


def _shut(s: Situation) -> bool:
    return s.socket.shut_read


def _closed(s: Situation) -> bool:
    return s.socket.state == "CLOSED"


def _never_waits(s: Situation) -> bool:
    return waits_never(s)


def _again(s: Situation) -> Iterable[Outcome]:
    yield Outcome(kind="fails", errno="EAGAIN", world=_skipping(s))
    if _reader(s) is not s.incoming and s.incoming.arrived <= s.incoming.read:
        # The urgent byte that it would skip may not be here yet.
        yield Outcome(kind="fails", errno="EAGAIN", world=s.world)


def _waiting(s: Situation) -> Iterable[Outcome]:
    world = _skipping(s)
    yield Outcome(kind="blocks", world=world, note=_got(s))
    longest = limit(s)
    if longest is not None:
        yield Outcome(kind="fails", errno="EAGAIN", world=world, least=max(longest - _TICK, 0))


def _unknown_and_untold(s: Situation) -> bool:
    """Whether the call fails after it has taken data, of which nobody knows how much."""
    if s.call.name != "recvfrom" or not wants_address(s) or not unwritable(s, None):
        return False
    least, most = _stretch(s)
    return min(least, _want(s)) != min(most, _want(s))


def _told_to_nobody(rule: Rule) -> Rule:
    """The rule of a recvfrom() that may have a bad place for the address: it fails after the data was taken (__sys_recvfrom() in
    net/socket.c), though TCP has no address to write there."""
    if rule.call != "recvfrom" or rule.category == "unmodelled":
        return rule
    first = rule.gives

    def gives_named(s: Situation) -> Iterable[Outcome]:
        return (with_name_written(s, outcome) for outcome in first(s))

    return replace(rule, gives=gives_named)


def _receiving_rules(call: str) -> tuple[Rule, ...]:
    posix = f"POSIX.1-2024 {call}()"
    return (
        fails(f"{call}.tcp-dissolved", "EPIPE", _dissolved, "the connection was dissolved while the call waited",
              "sk_wait_event() in include/net/sock.h", kinds=KINDS),
        gives(f"{call}.tcp-woken", _nothing_more, "a call that waits for no bytes at all returns as soon as something happens",
              _SOURCE, when=_woken, kinds=KINDS),
        gives(f"{call}.tcp-reads-nothing", _nothing_read, "no bytes are asked for, and nothing is looked at",
              "read(2); sock_read_iter() in net/socket.c", when=_read_nothing, kinds=KINDS),
        unmodelled(f"{call}.tcp-special", _special, "SO_PEEK_OFF and TCP_REPAIR of TCP are not modelled", kinds=KINDS),
        unmodelled(f"{call}.tcp-address-refused", _unknown_and_untold, "how much a call that fails has taken is not known",
                   kinds=KINDS),
        unmodelled(f"{call}.tcp-error-queue-used", _error_queue_used, "what is in TCP's error queue is not modelled", kinds=KINDS),
        fails(f"{call}.tcp-error-queue", "EAGAIN", _error_queue, "the error queue is empty",
              "recv(2), MSG_ERRQUEUE; ip(7), IP_RECVERR", kinds=KINDS),
        fails(f"{call}.tcp-listening", "ENOTCONN", _listening, "the socket listens", f"{posix} ENOTCONN; {_SOURCE}", kinds=KINDS),
        fails(f"{call}.tcp-no-urgent", "EINVAL", _no_urgent, "there is no urgent data, it was read, or it is in line",
              f"recv(2), MSG_OOB; {_URGENT}", kinds=KINDS),
        fails(f"{call}.tcp-urgent-unconnected", "ENOTCONN", _urgent_unconnected, "the connection was reset", _URGENT, kinds=KINDS),
        fails(f"{call}.tcp-urgent-on-its-way", "EAGAIN", _urgent_on_its_way, "urgent data was announced and is not here yet",
              f"tcp(7); {_URGENT}", kinds=KINDS),
        fails(f"{call}.tcp-urgent-unwritable", "EFAULT", _urgent_unwritable, "the buffer cannot be written; the byte is gone",
              f"recv(2) EFAULT; {_URGENT}", kinds=KINDS, gives=_urgent_fault),
        gives(f"{call}.tcp-urgent", _urgent_given, "the urgent byte is given, and stays in its place in the stream as a mark",
              f"{posix}; tcp(7); {_URGENT}", when=_out_of_band, kinds=KINDS),
        fails(f"{call}.tcp-unwritable", "EFAULT", _unwritable, "the buffer cannot be written; the data stays", "recv(2) EFAULT",
              kinds=KINDS, gives=_faulting),
        gives(f"{call}.tcp-data", _reading, "what is there is given, up to an urgent byte", f"{posix}; {_SOURCE}", when=_some,
              kinds=KINDS),
        gives(f"{call}.tcp-end", _nothing_more, "the peer has closed: the end of the stream", posix, when=_done, kinds=KINDS),
        *(
            fails(f"{call}.tcp-error-{name.lower()}", name, _error(name), f"the pending error {name} is told, and cleared",
                  f"{posix}; {_SOURCE}", kinds=KINDS, gives=_taking_error, unreached=unreached)
            for name, unreached in ERRORS.items()
        ),
        gives(f"{call}.tcp-shut", _nothing_more, "the socket is shut down for receiving", f"{posix}; shutdown(2)", when=_shut,
              kinds=KINDS),
        fails(f"{call}.tcp-unconnected", "ENOTCONN", _closed, "the socket is not connected", f"{posix} ENOTCONN", kinds=KINDS),
        fails(f"{call}.tcp-nothing", "EAGAIN", _never_waits, "there is nothing to read", f"{posix} EAGAIN", kinds=KINDS,
              gives=_again),
        gives(f"{call}.tcp-waits", _waiting, "the call waits for data", posix, kinds=KINDS, category="blocks"),
    )  # fmt: skip


def _nothing_read(s: Situation) -> Iterable[Outcome]:
    out, learn = message_out(s, b"", control=_control(s))
    yield Outcome(kind="returns", value=0, out=out, learn=learn, world=s.world)


_FLAGGED = (
    "tcp-error-queue-used tcp-error-queue tcp-no-urgent tcp-urgent-unconnected tcp-urgent-on-its-way"
    " tcp-urgent-unwritable tcp-urgent"
)
RECEIVING: tuple[Rule, ...] = tuple(
    _told_to_nobody(rule)
    for call in RECEIVES
    for rule in sayable(call, _receiving_rules(call), flags=f"{_FLAGGED} tcp-woken")
    if call == "read" or not rule.id.endswith(".tcp-reads-nothing")
)
