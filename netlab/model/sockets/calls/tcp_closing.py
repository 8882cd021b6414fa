"""How TCP connections end: shutdown(), the end of a socket (close() and the like), what AF_UNSPEC dissolves, and the states then.

The states are RFC 9293's (3.6, 3.10.4, 3.10.5); which of them get a reset is Linux' choice (tcp_need_reset(), __tcp_close()).
"""

from collections.abc import Iterable, Mapping

import msgspec

from netlab.model.sockets.calls.tcp_arriving import settled
from netlab.model.sockets.calls.tcp_records import alone, noted, tcp, with_flow
from netlab.model.sockets.ending import End
from netlab.model.sockets.objects import Address, Socket, Unknown
from netlab.model.sockets.options.values import given, linger
from netlab.model.sockets.outcomes import Exactly, Outcome
from netlab.model.sockets.rules import Rule, fails, gives
from netlab.model.sockets.situation import Situation
from netlab.model.sockets.world import World
from netlab.model.tcp_linux import LINUX_NAMES
from netlab.notation.constants import constant

KINDS = ("tcp",)
AFTER_CLOSE: Mapping[str, str] = {"ESTABLISHED": "FIN-WAIT-1", "SYN-RECEIVED": "FIN-WAIT-1", "CLOSE-WAIT": "LAST-ACK"}
"""RFC 9293 3.10.4: the state once a FIN of ours is sent, and from which states one is."""

RESETTING = frozenset({"ESTABLISHED", "CLOSE-WAIT", "FIN-WAIT-1", "FIN-WAIT-2", "SYN-RECEIVED"})
"""States in which an abort sends a reset (RFC 9293 3.10.5; tcp_need_reset() in net/ipv4/tcp.c)."""

_OF_CONNECTIONS = frozenset({"phase", "done", "released", "segments", "held", "kept", "heard", "cookie"})
"""The notes that tell of one connection."""

_READ, _WRITE = 1, 2
_HOWS = {0: _READ, 1: _WRITE, 2: _READ | _WRITE}
_REPAIR = (constant("IPPROTO_TCP"), constant("TCP_REPAIR"))

replace = msgspec.structs.replace


def _side(world: World, number: int, one: Socket) -> int:
    connection = world.connections.get(one.connection)
    return 0 if connection is not None and connection.ends[0] == number else 1


def _sends_end(world: World, number: int, one: Socket, end: str, *, gone: int | None = None) -> None:
    """A FIN or reset goes out, in a world that has just been copied; ``gone`` takes the socket's place in its connection."""
    connection = world.connections.get(one.connection)
    if connection is None:
        return
    side = _side(world, number, one)
    flow = connection.flows[side]
    if end == "rst" and flow.ended != "rst":
        connection = with_flow(connection, side, replace(flow, end="rst", ended=""))
    elif end == "fin" and not flow.end:
        connection = with_flow(connection, side, replace(flow, end="fin"))
    if gone is not None:
        ends = (gone, connection.ends[1]) if side == 0 else (connection.ends[0], gone)
        ends = (gone, gone) if alone(connection) else ends
        connection = replace(connection, ends=ends)
    world.connections[one.connection] = connection


def _stop_listening(world: World, listener: Socket, number: int) -> World:
    """What waits for accept() is reset; half-open requests are forgotten (inet_csk_listen_stop())."""
    world = world.copy()
    for connection in list(world.connections.values()):
        if connection.listener != number or connection.stage not in ("received", "answered"):
            continue
        world.objects.pop(connection.ends[1], None)
    for key in listener.accepting:
        waiting = world.connections.get(key)
        child = tcp(world, waiting.ends[1]) if waiting is not None else None
        if waiting is None or child is None:
            continue
        if child.state in RESETTING:
            _sends_end(world, waiting.ends[1], child, "rst", gone=0)
        world.objects.pop(waiting.ends[1], None)
        world = settled(world, key)[-1].copy()
    return world


def disconnected(world: World, number: int) -> World:
    """A socket made as if new but for its options and what bind() gave it; its connection is aborted (tcp_disconnect())."""
    one = tcp(world, number)
    assert one is not None
    error = one.error
    world = world.copy()
    if one.state == "LISTEN":
        world = _stop_listening(world, one, number)
    elif one.state in RESETTING:
        _sends_end(world, number, one, "rst", gone=0)
        error = "ECONNRESET"
    elif one.state == "SYN-SENT":
        _abandon(world, number, one)
        error = "ECONNRESET"
    elif one.state in ("CLOSING", "LAST-ACK"):
        _stay_behind(world, number, one)
    else:
        _sends_end(world, number, one, "", gone=0)
    released = one.note.get("released") or (one.state != "CLOSED" and "port" not in one.chosen)
    new = replace(
        one, state="CLOSED", error=error, shut_read=False, shut_write=False, remote=None, connection=0, accepting=(), backlog=0,
        local=_without_address(one),
        note={name: value for name, value in one.note.items() if name not in _OF_CONNECTIONS}
        | {"used": True},
    )  # fmt: skip
    world.objects[number] = noted(new, released=True) if released and new.local is not None else new
    return settled(world, one.connection)[-1] if one.connection else world


def _without_address(one: Socket) -> Address | None:
    if one.local is None or "address" in one.chosen:
        return one.local
    return replace(one.local, host="::" if one.family == "inet6" else "0.0.0.0", scope=0)


def _abandon(world: World, number: int, one: Socket) -> None:
    """A connection that was only asked for is given up: nobody is told (RFC 9293 3.10.4, SYN-SENT)."""
    connection = world.connections.pop(one.connection, None)
    if connection is not None and connection.ends[1]:
        world.objects.pop(connection.ends[1], None)


def _stay_behind(world: World, number: int, one: Socket) -> int:
    """The connection goes on without its program: an orphan under a new id takes the socket's place."""
    orphan = world.fresh()
    connection = world.connections.get(one.connection)
    heard = connection.flows[1 - _side(world, number, one)].sent if connection is not None else 0
    new = replace(one, shut_read=True, shut_write=True, error="")
    world.objects[orphan] = noted(new, orphan=True, heard=_heard(one, heard))
    _sends_end(world, number, one, "", gone=orphan)
    return orphan


def _heard(one: Socket, sent: int) -> int:
    """How much the peer had sent when the socket was shut both ways: that may still have come in time. It is now, or was before."""
    before: int = one.note.get("heard", sent)
    return before if one.shut_read and one.shut_write else sent


def _ended(world: World, number: int) -> World:
    """__tcp_close() in net/ipv4/tcp.c."""
    one = tcp(world, number)
    assert one is not None
    world = world.copy()
    if one.state == "LISTEN":
        return _stop_listening(world, one, number)
    if one.state == "SYN-SENT":
        _abandon(world, number, one)
        return world
    connection = world.connections.get(one.connection)
    if connection is None:
        return world
    incoming = connection.flows[1 - _side(world, number, one)]
    if one.state == "CLOSED":
        _sends_end(world, number, one, "", gone=0)
        return _forgotten(world, one.connection)
    aborts = linger(one) == 0 or (one.state == "FIN-WAIT-2" and _no_waiting(one))
    if incoming.queued or (aborts and one.state in RESETTING):
        _sends_end(world, number, one, "rst", gone=0)
        return settled(world, one.connection)[-1]
    if one.options.get(_REPAIR):
        # Closed without a word (__tcp_close() in net/ipv4/tcp.c): what its peer sends from now on nobody may answer.
        peer = connection.ends[1 - _side(world, number, one)]
        _sends_end(world, number, one, "", gone=0)
        if peer in world.objects:
            world.objects[peer] = Unknown(why="its peer was closed in repair mode")
        return world
    if aborts:
        _sends_end(world, number, one, "", gone=0)
        return world
    orphan = _stay_behind(world, number, one)
    left = world.objects[orphan]
    assert isinstance(left, Socket)
    if one.state in AFTER_CLOSE:
        world.objects[orphan] = replace(left, state=AFTER_CLOSE[one.state])
        _sends_end(world, orphan, left, "fin")
    return _forgotten(settled(world, one.connection)[-1], one.connection)


def _no_waiting(one: Socket) -> bool:
    """TCP_LINGER2 below 0: a connection that nobody holds does not stay in FIN-WAIT-2 (tcp(7))."""
    after = given(one, "IPPROTO_TCP", "TCP_LINGER2", 0)
    return isinstance(after, int) and after < 0


def _forgotten(world: World, key: int) -> World:
    """Without the connection, once no socket is at either end of it."""
    connection = world.connections.get(key)
    if connection is not None and not any(end in world.objects for end in connection.ends):
        world = world.copy()
        world.connections.pop(key)
    return world


ENDS: Mapping[str, End] = {"tcp": _ended}


# shutdown()


def _bad_how(s: Situation) -> bool:
    return s.number("how") not in _HOWS


def _how(s: Situation) -> int:
    return _HOWS[s.number("how")]


def _phase(s: Situation) -> dict[str, str]:
    """A connection that connect() began and nobody asked about since: it is settled now what became of it (inet_shutdown())."""
    if s.socket.note.get("phase") != "connecting":
        return {}
    return {"phase": "ended" if s.socket.state in ("SYN-SENT", "SYN-RECEIVED", "CLOSED") else "connected"}


def _closed(s: Situation) -> bool:
    return s.socket.state == "CLOSED"


def _shut(s: Situation, one: Socket) -> Socket:
    how = _how(s)
    heard = _heard(one, s.incoming.sent) if one.connection else one.note.get("heard")
    return noted(
        replace(one, shut_read=one.shut_read or bool(how & _READ), shut_write=one.shut_write or bool(how & _WRITE)),
        **_phase(s), heard=heard,
    )  # fmt: skip


def _shutting_closed(s: Situation) -> Iterable[Outcome]:
    yield Outcome(kind="fails", errno="ENOTCONN", world=s.world.with_object(s.socket_id, _shut(s, s.socket)))


def _ends_listening(s: Situation) -> bool:
    return s.socket.state == "LISTEN" and bool(_how(s) & _READ)


def _listens(s: Situation) -> bool:
    return s.socket.state == "LISTEN"


def _opening(s: Situation) -> bool:
    return s.socket.state == "SYN-SENT"


def _disconnecting(s: Situation) -> Iterable[Outcome]:
    yield Outcome(kind="returns", world=disconnected(s.world, s.socket_id))


def _nothing_done(s: Situation) -> Iterable[Outcome]:
    yield Outcome(kind="returns", world=s.world)


def _sends_fin(s: Situation) -> bool:
    return bool(_how(s) & _WRITE) and s.socket.state in AFTER_CLOSE


def _closing_half(s: Situation) -> Iterable[Outcome]:
    world = s.world.copy()
    one = s.socket
    world.objects[s.socket_id] = replace(_shut(s, one), state=AFTER_CLOSE[one.state])
    _sends_end(world, s.socket_id, one, "fin")
    for after in settled(world, one.connection):
        yield Outcome(kind="returns", world=after)


def _shutting(s: Situation) -> Iterable[Outcome]:
    yield Outcome(kind="returns", world=s.world.with_object(s.socket_id, _shut(s, s.socket)))


# close() that lingers


def _lingers(s: Situation) -> bool:
    """The last reference to a connection that has something to say to its peer, with a time to wait for that."""
    last = s.description is not None and s.description.references == 1
    return last and bool(linger(s.socket)) and s.socket.state not in ("CLOSED", "LISTEN", "SYN-SENT")


def _lingering(s: Situation) -> Iterable[Outcome]:
    yield Outcome(kind="blocks", world=s.world)


# What a test asks


def _state(s: Situation) -> Iterable[Outcome]:
    yield Outcome(kind="returns", out=Exactly(LINUX_NAMES[s.socket.state]), world=s.world)


_INET = "inet_shutdown() in net/ipv4/af_inet.c"

RULES: tuple[Rule, ...] = (
    gives("close.tcp-lingers", _lingering, "the call waits until the peer has acknowledged all, or for SO_LINGER's time",
          "POSIX.1-2024 close(), SO_LINGER in 2.10.16; socket(7)", when=_lingers, kinds=KINDS, category="blocks", may=True),
    fails("shutdown.tcp-how", "EINVAL", _bad_how, "there is no such direction", "POSIX.1-2024 shutdown() EINVAL", kinds=KINDS),
    fails("shutdown.tcp-closed", "ENOTCONN", _closed, "the socket is not connected", "POSIX.1-2024 shutdown() ENOTCONN",
          kinds=KINDS, gives=_shutting_closed, note=f"the directions are shut all the same, for a later connection, too: {_INET}"),
    gives("shutdown.tcp-stops-listening", _disconnecting, "the listener is closed, what waits for accept() is reset", _INET,
          when=_ends_listening, kinds=KINDS, note="POSIX has ENOTCONN"),
    gives("shutdown.tcp-listens", _nothing_done, "a listener sends nothing, so there is nothing to end", _INET, when=_listens,
          kinds=KINDS, note="POSIX has ENOTCONN"),
    gives("shutdown.tcp-gives-up", _disconnecting, "the connection that is being opened is given up", _INET, when=_opening,
          kinds=KINDS, note="POSIX has ENOTCONN; SO_ERROR is ECONNRESET then (tcp_disconnect())"),
    gives("shutdown.tcp-half", _closing_half, "a FIN follows the data", "POSIX.1-2024 shutdown(); RFC 9293 3.10.4", when=_sends_fin,
          kinds=KINDS),
    gives("shutdown.tcp-done", _shutting, "nothing more is received, or a FIN was sent before", "POSIX.1-2024 shutdown()",
          kinds=KINDS, note="nothing goes out for SHUT_RD, and what arrives can still be read: tcp_shutdown()"),
    gives("tcp_state.tcp", _state, "the state that TCP_INFO gives", "tcp(7), TCP_INFO; RFC 9293 3.3.2", kinds=KINDS,
          note="a connection in TIME-WAIT is out of the program's hands: its socket is CLOSED (tcp_time_wait())"),
)  # fmt: skip
