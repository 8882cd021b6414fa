"""What the kernel did with each socket: its states and resets, joined by inode, by cookie, or by the connection's two addresses.

A connection that waits for accept() has no inode: it is joined when it is accepted, by the address that accept() gave, or else by
order, since the queue is first in, first out. Those that nobody accepted stand by their listener. Refuses to judge any of it.
"""

from collections.abc import Iterable

from netlab.check.use.world import Connection, World
from netlab.timeline.kernel_events import Reset
from netlab.timeline.observation import Address
from netlab.timeline.observations import SocketState

Ends = tuple[str, Address, Address]


def join(world: World) -> World:
    """Add what the kernel told to the world, and give each socket its own part of it."""
    states: list[tuple[int, SocketState]] = []
    resets: list[tuple[int, Reset]] = []
    for index, seen in enumerate(world.timeline.observations):
        if isinstance(seen, SocketState):
            states.append((index, seen))
        elif isinstance(seen, Reset):
            resets.append((index, seen))
    connections = _connections(states)
    _by_inode(world, connections)
    _accepted(world, connections)
    for connection in connections:
        if connection.socket is not None:
            connection.socket.states = sorted([*connection.socket.states, *connection.states], key=lambda seen: seen[0])
            connection.socket.kind = connection.socket.kind or "tcp"
            connection.socket.connected |= connection.entered("ESTABLISHED") is not None
    _resets(world, connections, resets)
    world.connections = connections
    return world


def _connections(states: Iterable[tuple[int, SocketState]]) -> list[Connection]:
    """Group transitions. Minisocks (TIME_WAIT) have cookies of their own or none: they follow the connection of their addresses."""
    found: list[Connection] = []
    by_cookie: dict[tuple[str, int], Connection] = {}
    by_ends: dict[Ends, Connection] = {}
    for index, seen in states:
        ends = seen.host, seen.local, seen.remote
        connection = by_cookie.get((seen.host, seen.cookie)) if seen.cookie else None
        if connection is None and seen.remote[1]:
            connection = by_ends.get(ends)
            fresh = seen.new in ("SYN_SENT", "NEW_SYN_RECV") or (
                seen.cookie
                and connection is not None
                and any(one.cookie for _, one in connection.states)
                and seen.old != "FIN_WAIT2"
            )
            if connection is not None and fresh and not _opening(connection):
                connection = None
        if connection is None:
            connection = Connection(host=seen.host, local=seen.local, remote=seen.remote)
            found.append(connection)
        connection.states.append((index, seen))
        connection.inode = connection.inode or seen.inode
        if seen.remote[1]:
            connection.local, connection.remote = seen.local, seen.remote
            by_ends[ends] = connection
        if seen.cookie:
            by_cookie[seen.host, seen.cookie] = connection
    return found


def _opening(connection: Connection) -> bool:
    return all(seen.new in ("NEW_SYN_RECV", "SYN_RECV", "SYN_SENT") for _, seen in connection.states)


def _by_inode(world: World, connections: list[Connection]) -> None:
    sockets = {(socket.host, socket.inode): socket for socket in world.sockets}
    for connection in connections:
        if connection.inode:
            connection.socket = sockets.get((connection.host, connection.inode))


def _accepted(world: World, connections: list[Connection]) -> None:
    """Join what never changed its state while a descriptor had it: FIFO, by the address that accept() gave where it did."""
    waiting: dict[tuple[str, int], list[Connection]] = {}
    for connection in connections:
        if connection.socket is None and connection.entered("ESTABLISHED") and not connection.entered("SYN_SENT"):
            waiting.setdefault((connection.host, connection.local[1]), []).append(connection)
    known = {id(one.socket) for one in connections if one.socket is not None}
    for socket in sorted((one for one in world.sockets if one.made_at >= 0), key=lambda one: one.made_at):
        if socket.listener is None or socket.listener.local is None or id(socket) in known:
            continue
        queue = waiting.get((socket.host, socket.listener.local[1]), [])
        accepted = world.timeline.observations[socket.made_at].time
        for position, connection in enumerate(queue):
            established = connection.entered("ESTABLISHED")
            if established is not None and established[1].time <= accepted and socket.peer in (None, connection.remote):
                connection.socket = socket
                del queue[position]
                break


def _resets(world: World, connections: list[Connection], resets: Iterable[tuple[int, Reset]]) -> None:
    sockets = {(socket.host, socket.inode): socket for socket in world.sockets}
    cookies = {
        (one.host, seen.cookie): one.socket
        for one in connections
        for _, seen in one.states
        if seen.cookie and one.socket is not None
    }
    ends = {(one.host, one.local, one.remote): one.socket for one in connections if one.socket is not None}
    for index, reset in resets:
        socket = sockets.get((reset.host, reset.inode)) if reset.inode else None
        socket = socket or (cookies.get((reset.host, reset.cookie)) if reset.cookie else None)
        socket = socket or ends.get((reset.host, reset.local, reset.remote))
        if socket is not None:
            socket.resets.append((index, reset))
