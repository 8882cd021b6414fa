"""What reaches a TCP socket without a call of its own: the steps of the handshake, acknowledgements, FIN, RST, refusal.

Each event is one thing that may be under way in a connection, with the worlds after it. Where hosts are apart, every event may have
happened or not; on one host's loopback those that are certain happen at once (``settled``). It knows no call.
"""

from collections.abc import Callable, Iterator, Mapping

from netlab.model.sockets.arriving import Arrive
from netlab.model.sockets.calls.tcp_records import (
    AFTER_ACK,
    AFTER_FIN,
    DEFER,
    WINDOW,
    deaf,
    entered,
    finished,
    full,
    listeners,
    near,
    noted,
    plain_host,
    put,
    replace,
    reset,
    seen_by,
    tcp,
    with_flow,
)
from netlab.model.sockets.objects import Connection, Flow, Socket
from netlab.model.sockets.options.values import inherited
from netlab.model.sockets.world import World

Event = tuple[bool, tuple[World, ...]]


"""Whether it is certain to have happened on loopback, and the worlds after it."""


def _syn(world: World, number: int, connection: Connection) -> Iterator[Event]:
    client = tcp(world, connection.ends[0])
    if client is None or client.remote is None:
        return
    host = world.owner(plain_host(client.remote), client.host)
    if not host:
        # Nobody answers for the address (ARP gives up), or a router on the way says that it knows none to its network.
        for error in ("EHOSTUNREACH", "ENETUNREACH"):
            after = world.copy()
            put(after, connection.ends[0], finished(client, error))
            yield False, (after,)
        return
    found = listeners(world, host, client.remote)
    if not found and _unanswered(client):
        if not connection.dropped:
            after = world.copy()
            after.connections[number] = replace(connection, dropped=True)
            yield True, (after,)
        return
    if not found:
        after = world.copy()
        refused = replace(connection.flows[1], end="rst")
        after.connections[number] = with_flow(replace(connection, stage="refused"), 1, refused)
        yield not connection.dropped, (after,)
        return
    worlds = tuple(_child(world, number, connection, client, one) for one in found if not full(world, one))
    if worlds:
        yield not connection.dropped, worlds
    elif not connection.dropped:
        after = world.copy()
        after.connections[number] = replace(connection, dropped=True)
        yield True, (after,)


def _unanswered(client: Socket) -> bool:
    """Whether nobody's reset would come back: from another address of the host itself none goes to ::1, since that is looked for
    behind the interface of the other one (rt6_need_strict() in tcp_v6_send_response(), net/ipv6/tcp_ipv6.c)."""
    local, remote = client.local, client.remote
    return local is not None and remote is not None and local.host == "::1" and remote.host != "::1"


def _child(world: World, number: int, connection: Connection, client: Socket, listener: int) -> World:
    after = world.copy()
    parent = after.objects[listener]
    assert isinstance(parent, Socket)
    child = after.fresh()
    # When more requests wait than the backlog, Linux answers by SYN cookies, and keeps nothing: TCP_DEFER_ACCEPT neither.
    requests = sum(one.listener == listener and one.stage in ("received", "answered") for one in world.connections.values())
    note = {"phase": "connected", "used": True} | ({"cookie": True} if requests > parent.backlog else {})
    after.objects[child] = Socket(
        host=parent.host, family=parent.family, type="stream", protocol=parent.protocol, kind="tcp", state="SYN-RECEIVED",
        local=seen_by(parent, client.remote), remote=seen_by(parent, client.local), connection=number,
        chosen=parent.chosen - {"port"}, options=inherited(parent), note=note,
    )  # fmt: skip
    after.connections[number] = replace(
        connection, stage="received", ends=(connection.ends[0], child), listener=listener, dropped=False
    )
    return after


def _syn_ack(world: World, number: int, connection: Connection) -> Iterator[Event]:
    client = tcp(world, connection.ends[0])
    if client is None or client.state != "SYN-SENT":
        return
    after = world.copy()
    after.connections[number] = replace(connection, stage="answered")
    put(after, connection.ends[0], replace(client, state="ESTABLISHED"))
    yield True, (after,)


def _final_ack(world: World, number: int, connection: Connection) -> Iterator[Event]:
    child, listener = tcp(world, connection.ends[1]), tcp(world, connection.listener)
    flow = connection.flows[0]
    client = tcp(world, connection.ends[0])
    held = client is not None and bool(client.note.get("held")) and not flow.end
    if child is None or listener is None or listener.state != "LISTEN":
        # The request went away with its listener: whatever comes now is answered by a reset.
        if connection.flows[1].end != "rst" and (flow.sent or flow.end):
            after = world.copy()
            after.objects.pop(connection.ends[1], None)
            after.connections[number] = with_flow(connection, 1, replace(connection.flows[1], end="rst"))
            yield not held, (after,)
        return
    if flow.end == "rst":
        after = world.copy()
        after.objects.pop(connection.ends[1], None)
        after.connections[number] = with_flow(replace(connection, stage="refused"), 0, replace(flow, ended="rst"))
        yield True, (after,)
        return
    # TCP_DEFER_ACCEPT: the listener takes no notice before data comes, or some seconds have passed (tcp(7)).
    waits = bool(listener.options.get(DEFER)) and not flow.sent and not flow.end and not child.note.get("cookie")
    held = held and bool(listener.options.get(DEFER))
    if full(world, connection.listener) or (waits and not connection.dropped):
        return
    after = world.copy()
    put(after, connection.ends[1], replace(child, state="ESTABLISHED"))
    put(after, connection.listener, replace(listener, accepting=(*listener.accepting, number)))
    if world.prompt(child.host, listener.host) and flow.sent <= WINDOW:
        flow = replace(flow, arrived=flow.sent)
    after.connections[number] = with_flow(replace(connection, stage="queued", dropped=False), 0, flow)
    yield not waits and not held, (after,)


def _fin(world: World, number: int, connection: Connection, side: int) -> Iterator[Event]:
    flow = connection.flows[side]
    receiver = connection.ends[1 - side]
    one = tcp(world, receiver)
    after = world.copy()
    after.connections[number] = with_flow(connection, side, replace(flow, ended="fin", arrived=flow.sent, acked=flow.sent))
    if one is not None and one.state in AFTER_FIN:
        one = noted(replace(one, shut_read=True), done=True)
        entered(after, receiver, one, AFTER_FIN[one.state])
    # What may have come before the program closed its end would have made that a reset.
    back = connection.flows[1 - side]
    sender = tcp(world, connection.ends[side])
    doubtful = back.sent > back.arrived and sender is not None and bool(sender.note.get("orphan"))
    yield flow.under_way <= WINDOW and not doubtful, (after,)


def _fin_acknowledged(world: World, number: int, connection: Connection, side: int) -> Iterator[Event]:
    sender, receiver = connection.ends[side], tcp(world, connection.ends[1 - side])
    one = tcp(world, sender)
    if one is None or one.state not in AFTER_ACK:
        return
    after = world.copy()
    entered(after, sender, one, AFTER_ACK[one.state])
    # A socket that gets a FIN delays its acknowledgement: it hopes to send it with its own data (tcp_fin(), pingpong mode).
    delayed = one.state == "FIN-WAIT-1" and receiver is not None and receiver.state == "CLOSE-WAIT"
    yield not delayed, (after,)


def _rst(world: World, number: int, connection: Connection, side: int) -> Iterator[Event]:
    flow = connection.flows[side]
    after = world.copy()
    after.connections[number] = with_flow(connection, side, replace(flow, ended="rst"))
    reset(after, connection.ends[1 - side])
    yield True, (after,)


def _refused_data(flow: Flow, kept: int) -> Flow:
    """What came too late is not kept: no more than the first ``kept`` bytes can be read."""
    return replace(flow, sent=kept, data=None if flow.data is None else flow.data[: max(kept - flow.read, 0)])


def _data_in_vain(world: World, number: int, connection: Connection, side: int) -> Iterator[Event]:
    flow, back = connection.flows[side], connection.flows[1 - side]
    receiver = connection.ends[1 - side]
    after = world.copy()
    one = tcp(world, receiver)
    heard = one.note.get("heard", 0) if one is not None else 0
    # What was sent before the receiver went deaf may have come in time.
    kept = max(flow.arrived, heard if near(world, connection) or one is None else one.note.get("heard", flow.sent))
    changed = with_flow(connection, side, _refused_data(flow, min(kept, flow.sent)))
    after.connections[number] = with_flow(changed, 1 - side, replace(back, end="rst", ended=""))
    if one is not None and one.state != "TIME-WAIT":
        reset(after, receiver)
    sender = tcp(world, connection.ends[side])
    late = flow.sent > heard
    yield late and (sender is None or not sender.note.get("held") or bool(flow.end)), (after,)


def events(world: World, number: int) -> Iterator[Event]:
    """What may happen next in a connection."""
    connection = world.connections[number]
    stage = connection.stage
    if stage in _HANDSHAKE:
        yield from _HANDSHAKE[stage](world, number, connection)
    for side in (0, 1):
        flow = connection.flows[side]
        if flow.end == "rst" and flow.ended != "rst" and (side == 1 or stage in ("queued", "accepted")):
            yield from _rst(world, number, connection, side)
    for side in (0, 1):
        flow = connection.flows[side]
        if flow.end == "rst" or stage not in ("queued", "accepted"):
            continue
        receiver = tcp(world, connection.ends[1 - side])
        if flow.sent > flow.arrived and connection.flows[1 - side].end != "rst" and deaf(receiver):
            yield from _data_in_vain(world, number, connection, side)
            if receiver is None or receiver.note.get("orphan") or flow.sent > receiver.note.get("heard", 0):
                continue
        if flow.end == "fin" and not flow.ended:
            yield from _fin(world, number, connection, side)
        elif flow.ended == "fin":
            yield from _fin_acknowledged(world, number, connection, side)


_HANDSHAKE: Mapping[str, Callable[[World, int, Connection], Iterator[Event]]] = {
    "syn": _syn, "received": _syn_ack, "answered": _final_ack,
}  # fmt: skip


def settled(world: World, number: int) -> tuple[World, ...]:
    """The worlds after all that is certain to have happened in a connection by now: on loopback, what was sent has arrived."""
    connection = world.connections.get(number)
    if connection is None or not near(world, connection):
        return (world,)
    for certain, worlds in events(world, number):
        if certain:
            return tuple(last for after in worlds for last in settled(after, number))
    return (world,)


def _quiet(world: World, one: Socket) -> bool:
    """Whether nothing can be under way in a socket's connection: the usual case, told fast."""
    connection = world.connections.get(one.connection)
    if connection is None:
        return True
    if connection.stage not in ("queued", "accepted"):
        return False
    first, second = connection.flows
    return not first.end and not second.end and first.sent == first.arrived and second.sent == second.arrived


def _spread(world: World, number: int) -> tuple[World, ...]:
    """All worlds that a connection may be in by now; the last is one in which nothing is under way any more."""
    if number not in world.connections:
        return (world,)
    found: list[World] = [world]
    at = 0
    last = world
    while at < len(found):
        moved = False
        for _, worlds in events(found[at], number):
            for after in worlds:
                for one in settled(after, number):
                    moved = True
                    if not any(_same(one, known, number) for known in found):
                        found.append(one)
        if not moved:
            last = found[at]
        at += 1
    return tuple(_tidy(one, number) for one in (*(one for one in found if one is not last), last))


def _tidy(world: World, number: int) -> World:
    """The world without a connection that has no end any more."""
    if any(end in world.objects for end in world.connections[number].ends):
        return world
    world = world.copy()
    del world.connections[number]
    return world


def _same(one: World, other: World, number: int) -> bool:
    mine, theirs = one.connections[number], other.connections[number]
    return mine == theirs and all(one.objects.get(end) == other.objects.get(end) for end in mine.ends)


_LATEST = 2
"""Of the handshakes with one listener so many may be anywhere; those begun before them have come as far as they can, since what is
sent on an undisturbed path comes in order."""


def _arrive(world: World, number: int) -> tuple[World, ...]:
    one = world.objects[number]
    assert isinstance(one, Socket)
    if one.state == "LISTEN" or (one.state == "CLOSED" and one.local is not None and not one.connection):
        # A listener's requests; and a SYN may come before or after the call that makes a listener of this socket.
        coming = [
            key
            for key, connection in world.connections.items()
            if connection.stage in ("syn", "received", "answered") and _concerns(world, connection, number)
        ]
        for key in coming[:-_LATEST]:
            world = _spread(world, key)[-1]
        worlds: tuple[World, ...] = (world,)
        for key in coming[-_LATEST:]:
            worlds = tuple(after for before in worlds for after in _spread(before, key))
        return worlds
    if not one.connection or _quiet(world, one):
        return (world,)
    return _spread(world, one.connection)


def _concerns(world: World, connection: Connection, listener: int) -> bool:
    if connection.listener:
        return connection.listener == listener
    client, one = tcp(world, connection.ends[0]), tcp(world, listener)
    if client is None or one is None or client.remote is None or one.local is None:
        return False
    return bool(world.same_port(client.remote.port, one.local.port))


ARRIVES: Mapping[str, Arrive] = {"tcp": _arrive}
