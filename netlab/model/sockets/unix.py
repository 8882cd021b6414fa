"""UNIX sockets: what stands under a name, how much a sender may have under way, and what the end of one means for others.

It judges no call; which end of a pair says what is in calls/unix_stream.py and calls/unix_datagram.py.
"""

import posixpath

import msgspec

from netlab.model.sockets.addresses import UNIX, address_in, length_in
from netlab.model.sockets.arguments import local_name
from netlab.model.sockets.messages import truesize
from netlab.model.sockets.names import exists, name_key, permitted, way_error
from netlab.model.sockets.objects import Address, Connection, Flow, Socket, Unknown
from netlab.model.sockets.options.values import buffer_bounds
from netlab.model.sockets.situation import Situation
from netlab.model.sockets.world import World

_LONGEST = 110  # sizeof(struct sockaddr_un)
_SEND_BUFFER = 212992
"""net.core.wmem_default where nobody changed it (socket(7))."""
_WRITE = 2
DEAD = -1
"""What a socket's path is for when nobody has the socket any more (World.paths): connect() finds nobody, open() still a socket."""
LONGEST_PIECE = 36_000
"""A little less than one buffer of a stream holds; more is sent in several (UNIX_SKB_FRAGS_SZ)."""
OVERHEAD = 32
"""What unix_dgram_sendmsg() in net/unix/af_unix.c takes off SO_SNDBUF."""


def no_address(s: Situation) -> bool:
    """Whether an address is none of UNIX sockets: its length, its family (unix_validate_addr() in net/unix/af_unix.c)."""
    return not 2 < length_in(s) <= _LONGEST or address_in(s).family != UNIX


def bound_to(s: Situation) -> tuple[str, int] | None:
    """The errno with which looking an address up ends, and the socket that is bound to it; None where nobody knows.

    The order is Linux': the path, the right to write to it, a socket behind it, its type (unix_find_other()).
    """
    address, world = address_in(s), s.world
    key = name_key(s.process.host, address, s.socket.type)
    if isinstance(world.objects.get(world.paths.get(key, 0)), Unknown):
        return None
    if address.kind == "abstract":
        number = world.paths.get(key, 0)
        if number in world.objects:
            return "", number
        return ("ECONNREFUSED", 0) if exists(world, key) is False else None
    way = way_error(world, s.process.host, address.host)
    there = exists(world, key)
    if way is None or there is None:
        return None
    if way:
        return way, 0
    if not there:
        return "ENOENT", 0
    if address.host.endswith("/") and posixpath.normpath(address.host) == key[2]:
        return "ENOTDIR", 0
    right = permitted(world, s.process, key, _WRITE)
    if right is None:
        return None
    other = world.objects.get(world.paths.get(key, 0))
    if not right:
        return "EACCES", 0
    if not isinstance(other, Socket):
        return "ECONNREFUSED", 0
    return ("EPROTOTYPE", 0) if other.type != s.socket.type else ("", world.paths[key])


def send_buffer(one: Socket) -> tuple[int, int]:
    """How much memory its messages may take: the least and the most that this may be."""
    return buffer_bounds(one, "SO_SNDBUF") or (_SEND_BUFFER, _SEND_BUFFER)


def under_way(world: World, number: int, one: Socket) -> tuple[int, int]:
    """The least and the most memory that what it sent and nobody has read takes.

    Of a stream the pieces as they were sent are in ``note``, by the byte after each; messages know their sender. What was filled
    ("full": until what is read, with how large a buffer, in bounds) stays full until something is read, and then nobody knows.
    """
    filled = one.note.get("full")
    if one.kind == "unix-stream":
        connection = world.connections.get(one.connection)
        if connection is None or not connection.ends[1 - side(connection, number)]:
            return 0, 0  # what the other end had not read went with it
        flow = connection.flows[side(connection, number)]
        read = flow.read
        if flow.sent > read and filled is not None:
            at, small, large = filled
            return (small if at == read else 0), large + truesize(LONGEST_PIECE)[1]
        pieces = [many for end, many in one.note.get("pieces", ()) if end > read]
    else:
        pieces = []
        for receiver in one.note.get("receivers", ()):
            other = world.objects.get(receiver)
            if isinstance(other, Socket):
                pieces += [message.size for message in other.queue if message.sender == number]
    bounds = [truesize(many) for many in pieces]
    least, most = sum(least for least, _ in bounds), sum(most for _, most in bounds)
    if one.kind != "unix-stream" and filled is not None and filled[0] == len(pieces):
        return max(least, filled[1]), max(most, filled[1])
    return least, most


def side(connection: Connection, number: int) -> int:
    """Which end of a connection a socket is."""
    return 0 if connection.ends[0] == number else 1


def linked(world: World, client: int, server: Socket, *, listener: int) -> int:
    """A connection from a socket to a new one that waits for accept(), in a world that has just been copied; gives its id."""
    number, connection = world.fresh(), world.fresh()
    one = world.objects[client]
    assert isinstance(one, Socket)
    world.connections[connection] = Connection(ends=(client, number), stage="queued", listener=listener)
    world.objects[number] = msgspec.structs.replace(server, state="ESTABLISHED", connection=connection, peer=client)
    world.objects[client] = msgspec.structs.replace(one, state="ESTABLISHED", connection=connection, peer=number)
    return connection


def unread(world: World, number: int, one: Socket) -> bool:
    """Whether something waits that it has not read."""
    if one.kind != "unix-stream":
        # A message of no bytes at the head is taken for urgent data that was read.
        return bool(one.queue[1:] if one.queue and not one.queue[0].size else one.queue)
    connection = world.connections.get(one.connection)
    if connection is None:
        return False
    flow = connection.flows[1 - side(connection, number)]
    return flow.sent > flow.read


def in_flight(one: Socket) -> list[int]:
    """The descriptions that are passed in what a socket has not received."""
    found = [number for message in one.queue for number in message.rights]
    return found + [number for _, _, numbers in one.note.get("rights", ()) for number in numbers]


def reached_by(world: World, description: int) -> set[int]:
    """The objects of a description, of those that are passed in what waits there, and so on: a socket that is among those passed
    to it keeps itself alive until the kernel looks for such circles (net/unix/garbage.c)."""
    found: set[int] = set()
    left = [description]
    while left:
        known = world.descriptions.get(left.pop())
        if known is None or known.object in found:
            continue
        found.add(known.object)
        one = world.objects.get(known.object)
        if isinstance(one, Socket) and one.family == "unix":
            left += in_flight(one)
            for connection in one.accepting:
                child = world.objects.get(world.connections[connection].ends[1])
                left += in_flight(child) if isinstance(child, Socket) else []
    return found


def held(world: World, number: int) -> bool:
    """Whether a process has a descriptor of an object."""
    return any(
        world.descriptions[descriptor.description].object == number
        for process in world.processes.values()
        for descriptor in process.table.values()
    )


def lost(world: World, description: int) -> World:
    """The world after a process has closed a descriptor, where its description is left: if only a circle of descriptors in flight
    keeps the socket, nobody knows when the kernel ends it, nor what its peer sees."""
    number = world.descriptions[description].object
    one = world.objects.get(number)
    peer = world.objects.get(one.peer) if isinstance(one, Socket) and one.family == "unix" else None
    if not isinstance(one, Socket) or not isinstance(peer, Socket) or not peer.note.get("circle") or held(world, number):
        return world
    world = world.copy()
    world.objects[number] = world.objects[one.peer] = Unknown(why="it was passed to itself, and closed")
    return world


def released(world: World, descriptions: list[int]) -> World:
    """The world after references to descriptions in flight are gone."""
    from netlab.model.sockets.ending import ended

    for description in descriptions:
        world = world.copy()
        last = world.dropped(description)
        if last:
            world = ended(world, last)
    return world


def _without_name(world: World, number: int, one: Socket) -> None:
    """The name in a world that has just been copied: a path stays and leads nowhere, an abstract name is free (unix(7))."""
    if one.local is None or one.local.kind not in ("path", "abstract"):
        return
    key = name_key(one.host, one.local, one.type)
    if world.paths.get(key) != number:
        return
    paths = dict(world.paths)
    if one.local.kind == "path":
        paths[key] = DEAD
    else:
        del paths[key]
    world.paths = paths


def _part(world: World, number: int, one: Socket, *, embryo: bool) -> None:
    """What the peer of a connection sees of its end, in a world that has just been copied (unix_release_sock())."""
    peer = world.objects.get(one.peer)
    if isinstance(peer, Socket) and peer.peer == number:
        error = "ECONNRESET" if embryo or unread(world, number, one) else peer.error
        world.objects[one.peer] = msgspec.structs.replace(
            peer, shut_read=True, shut_write=True, error=error, remote=local_name(one)
        )
    connection = world.connections.get(one.connection)
    if connection is None:
        return
    first, second = (0 if end == number else end for end in connection.ends)
    if not first and not second:
        del world.connections[one.connection]
        return
    mine = side(connection, number)
    flows = list(connection.flows)
    end = msgspec.structs.replace(flows[mine], end="fin", ended="fin")
    flows[mine] = end
    world.connections[one.connection] = msgspec.structs.replace(connection, ends=(first, second), flows=(flows[0], flows[1]))


def connection_ended(world: World, number: int) -> World:
    """What the end of a stream or seqpacket socket does: its peer reads what is there and then the end, or a reset where this one
    had not read all; connections that nobody accepted are reset; descriptors under way to it are closed."""
    one = world.objects[number]
    assert isinstance(one, Socket)
    world = world.copy()
    _without_name(world, number, one)
    _signed(world, number, one)
    rights = in_flight(one)
    for connection in one.accepting:
        waiting = world.connections[connection].ends[1]
        child = world.objects[waiting]
        assert isinstance(child, Socket)
        _part(world, waiting, child, embryo=True)
        rights += in_flight(child)
        del world.objects[waiting]
    if one.peer:
        _part(world, number, one, embryo=False)
    world.objects[number] = msgspec.structs.replace(one, queue=(), note={}, accepting=())
    return released(world, rights)


def datagrams_ended(world: World, number: int) -> World:
    """What the end of a datagram socket does: its name goes, its messages are lost; its peers learn of it when they send."""
    one = world.objects[number]
    assert isinstance(one, Socket)
    world = world.copy()
    _without_name(world, number, one)
    _signed(world, number, one)
    for other, peer in tuple(world.objects.items()):
        if isinstance(peer, Socket) and peer.kind == "unix-dgram" and peer.peer == number and other != number:
            world.objects[other] = msgspec.structs.replace(peer, remote=local_name(one))
    world.objects[number] = msgspec.structs.replace(one, queue=(), note={})
    return released(world, in_flight(one))


def _signed(world: World, number: int, one: Socket) -> None:
    """The name that a socket had last stays on what it sent, in a world that has just been copied."""
    for receiver in one.note.get("receivers", ()):
        other = world.objects.get(receiver)
        if isinstance(other, Socket) and any(message.sender == number for message in other.queue):
            queue = tuple(
                msgspec.structs.replace(message, source=one.local, sender=0) if message.sender == number else message
                for message in other.queue
            )
            world.objects[receiver] = msgspec.structs.replace(other, queue=queue)


def with_flow(world: World, connection: int, which: int, flow: Flow) -> World:
    """The connection with another state of what one end sends."""
    old = world.connections[connection]
    flows = (flow, old.flows[1]) if which == 0 else (old.flows[0], flow)
    return world.with_connection(connection, msgspec.structs.replace(old, flows=flows))


def autobound(world: World, number: int) -> World:
    """A name of the kernel's choice for a socket without, where credentials are asked for (unix(7), Autobind feature)."""
    one = world.objects[number]
    if not isinstance(one, Socket) or one.local is not None:
        return world
    world = world.copy()
    fresh = world.fresh()
    address = Address(UNIX, f"*{fresh}", -fresh, kind="abstract")
    world.paths = {**world.paths, name_key(one.host, address, one.type): number}
    world.objects[number] = msgspec.structs.replace(one, local=address)
    return world
