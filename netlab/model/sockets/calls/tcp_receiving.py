"""Receiving on TCP: recv(), recvfrom(), recvmsg(), read(), in the order of tcp_recvmsg_locked() in net/ipv4/tcp.c.

How much is there is known on loopback, and bounds where it may still be on its way. What a call finds is in tcp_reading.py,
urgent data in tcp_urgent.py.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from netlab.model.sockets.addresses import unwritable, wants_address
from netlab.model.sockets.calls.tcp_reading import Got, control_of, inline, reader, so_far, stretch, taken, wanted, with_incoming
from netlab.model.sockets.calls.tcp_sending import ERRORS
from netlab.model.sockets.calls.tcp_urgent import urgent_rules
from netlab.model.sockets.messages import (
    RECEIVES,
    limit,
    message_out,
    sayable,
    size,
    unreadable,
    waits_never,
    with_name_written,
    writable,
)
from netlab.model.sockets.options.values import given
from netlab.model.sockets.outcomes import Between, Outcome, Seen
from netlab.model.sockets.rules import Guard, Rule, fails, gives, unmodelled
from netlab.model.sockets.situation import Situation
from netlab.model.sockets.world import World
from netlab.notation.constants import constant
from netlab.notation.printing import print_bytes

KINDS = ("tcp",)
_SOURCE = "tcp_recvmsg_locked() in net/ipv4/tcp.c"
_TICK = 10_000_000

_LOWAT = (constant("SOL_SOCKET"), constant("SO_RCVLOWAT"))
_REPAIR = (constant("IPPROTO_TCP"), constant("TCP_REPAIR"))

replace = msgspec.structs.replace


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
    return s.resumed and not so_far(s).many and so_far(s).dissolved != s.socket.note.get("dissolved", 0)


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


def _some(s: Situation) -> bool | None:
    """Whether there is something to read, or some was; None where it may still be on its way."""
    if so_far(s).many:
        return True
    least, most = stretch(s)
    return True if least else (None if most else False)


def _unwritable(s: Situation) -> bool | None:
    if not unreadable(s) or s.flag("MSG_TRUNC") or so_far(s).many:
        return False
    if not writable(s):
        return _some(s)
    least, most = (min(bound, wanted(s)) for bound in stretch(s))
    return True if least > writable(s) else None if most > writable(s) else False


def _faulting(s: Situation) -> Iterable[Outcome]:
    """A segment is copied as a whole or not at all; those before it count."""
    yield Outcome(kind="fails", errno="EFAULT", world=s.world)
    if writable(s):
        yield _given(s, so_far(s), 1, writable(s))


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
    got, want = so_far(s), wanted(s)
    least, most = stretch(s)
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
    return s.resumed and so_far(s).many > 0 and not (isinstance(low, int) and least >= low)


def _to_mark(s: Situation) -> int | None:
    """How much there is before an urgent byte that may have come, at which reading stops."""
    flow = reader(s)
    return flow.urgent - flow.read if flow.urgent is not None and flow.urgent >= flow.read else None


def _stops_at_mark(s: Situation, least: int) -> bool:
    """Reading stops before an urgent byte when it has something (tcp(7))."""
    flow = reader(s)
    return (
        flow.urgent is not None and flow.urgent == flow.read + least and least + so_far(s).many > 0 and flow.arrived > flow.urgent
    )


def _with_more(s: Situation, got: Got, many: int) -> Got:
    data = _data(s, many)
    return Got(got.many + many, None if data is None or got.data is None else got.data + data, got.dissolved)


def _data(s: Situation, many: int) -> bytes | None:
    flow = reader(s)
    if flow.data is None:
        return None
    skipped = 1 if s.flag("MSG_PEEK") and not inline(s) and flow.urgent == flow.read else 0
    return flow.data[skipped : skipped + many]


def _world_after(s: Situation, many: int) -> World:
    if s.flag("MSG_PEEK"):
        flow = s.incoming
        seen = flow.read + many
        return s.world if flow.arrived >= seen else with_incoming(s, replace(flow, arrived=seen))
    flow = taken(reader(s), many)
    if many and not flow.under_way and s.outgoing.sent == 0:
        # Who only listens acknowledges what it has read (tcp_cleanup_rbuf()).
        flow = replace(flow, acked=flow.read)
    return with_incoming(s, flow)


def _given(s: Situation, got: Got, least: int, most: int) -> Outcome:
    data = _with_more(s, got, most).data
    cut = s.flag("MSG_TRUNC") or data is None
    if least == most:
        out, learn = message_out(s, None if cut else data, control=control_of(s))
        return Outcome(kind="returns", value=got.many + least, out=out, learn=learn, world=_world_after(s, least))
    out, _ = message_out(s, None, control=control_of(s))

    def learn_number(_: World, seen: Seen) -> World:
        return _world_after(s, max(min(seen.result - got.many, most), 0))

    if s.call.name in ("recv", "read") and not cut and data is not None:
        out = Prefix(data)
    return Outcome(
        kind="returns", value=Between(got.many + least, got.many + most), out=out, learn=learn_number, world=_world_after(s, most)
    )


def _skipping(s: Situation) -> World:
    """The world after a call that gives nothing: it skips an urgent byte all the same."""
    flow = reader(s)
    return s.world if flow is s.incoming else with_incoming(s, flow)


def _done(s: Situation) -> bool:
    return bool(s.socket.note.get("done"))


def _nothing_more(s: Situation) -> Iterable[Outcome]:
    out, learn = message_out(s, b"", control=control_of(s))
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
    if reader(s) is not s.incoming and s.incoming.arrived <= s.incoming.read:
        # The urgent byte that it would skip may not be here yet.
        yield Outcome(kind="fails", errno="EAGAIN", world=s.world)


def _waiting(s: Situation) -> Iterable[Outcome]:
    world = _skipping(s)
    yield Outcome(kind="blocks", world=world, note=so_far(s))
    longest = limit(s)
    if longest is not None:
        yield Outcome(kind="fails", errno="EAGAIN", world=world, least=max(longest - _TICK, 0))


def _unknown_and_untold(s: Situation) -> bool:
    """Whether the call fails after it has taken data, of which nobody knows how much."""
    if s.call.name != "recvfrom" or not wants_address(s) or not unwritable(s, None):
        return False
    least, most = stretch(s)
    return min(least, wanted(s)) != min(most, wanted(s))


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
        *urgent_rules(call),
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
    out, learn = message_out(s, b"", control=control_of(s))
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
