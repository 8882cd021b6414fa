"""Rule about servers that are started again: an address still in use by what is left of earlier connections."""

from collections.abc import Iterator

from netlab.check.use.finding import Found, Rule
from netlab.check.use.syscalls import address, succeeded
from netlab.check.use.world import Socket, Use, World, spelt
from netlab.timeline.observations import SocketTable

_LINGERING = frozenset({"FIN_WAIT1", "FIN_WAIT2", "CLOSING", "TIME_WAIT", "LAST_ACK"})


def _no_reuseaddr(world: World) -> Iterator[Found]:
    """bind() gave EADDRINUSE, SO_REUSEADDR was not set, and all that had the port was what is left of earlier connections
    (TIME-WAIT). False where a socket is bound or listening there: then the address is in use indeed."""
    for process in world.processes:
        for use in process.uses:
            call, socket, asked = use.call, use.socket, address(use.call)
            if call.call != "bind" or call.errno != "EADDRINUSE" or socket is None or asked is None or socket.kind != "tcp":
                continue
            if any(_reuses(earlier) and earlier.index < use.index for earlier in socket.uses):
                continue
            if not asked[1] or _live(world, socket, asked[1], call.time):
                continue
            left = _lingering(world, use, asked[1])
            if left is None:
                continue
            index, what = left
            says = (
                f"bind({call.fd}, {spelt(asked)}) gave EADDRINUSE, and SO_REUSEADDR had not been set on the socket: the port was"
                f" held by {what}. With the option on both the earlier listener and this one, bind() succeeds."
            )
            yield Found(
                process=process, says=says, evidence=(*((socket.made_at,) if socket.made_at >= 0 else ()), index, use.index)
            )


def _reuses(use: Use) -> bool:
    option = use.call.arguments.get("option")
    return use.call.call == "setsockopt" and option in ("SO_REUSEADDR", "SO_REUSEPORT") and succeeded(use.call)


def _live(world: World, mine: Socket, port: int, at: int) -> bool:
    """Whether another socket without a connection has the port: bound or listening."""
    for socket in world.sockets:
        if socket is mine or socket.host != mine.host or socket.kind not in ("tcp", "") or socket.connected:
            continue
        bound = socket.bound
        held = any(one.began <= at and (one.ended is None or one.ended > at) for one in socket.holdings)
        if held and bound is not None and bound[1] == port:
            return True
    return _listed(world, mine.host, port, at, frozenset({"LISTEN"})) is not None and not _known_listener_closed(
        world, mine.host, port, at
    )


def _known_listener_closed(world: World, host: str, port: int, at: int) -> bool:
    """Whether the listener that an old dump shows has been closed since."""
    return any(
        socket.host == host
        and socket.listening >= 0
        and socket.bound is not None
        and socket.bound[1] == port
        and all(one.ended is not None and one.ended <= at for one in socket.holdings)
        for socket in world.sockets
    )


def _lingering(world: World, use: Use, port: int) -> tuple[int, str] | None:
    host, at = use.call.host, use.call.time
    for connection in world.connections:
        if connection.host == host and connection.local[1] == port and connection.remote[1]:
            past = [(index, state) for index, state in connection.states if state.time <= at]
            if not past:
                continue
            waits = any(state.new == "TIME_WAIT" for _, state in past)
            gone = any(state.old == "TIME_WAIT" and state.new == "CLOSE" for _, state in past)
            now = "TIME_WAIT" if waits and not gone else past[-1][1].new
            if now in _LINGERING:
                index = next(index for index, state in reversed(past) if state.new == now)
                return index, f"its earlier connection to {spelt(connection.remote)} in {now.replace('_', '-')}"
    return _listed(world, host, port, at, _LINGERING)


def _listed(world: World, host: str, port: int, at: int, states: frozenset[str]) -> tuple[int, str] | None:
    """A socket on the port in one of these states, by the last dump of the node's tables before ``at``."""
    last = None
    for index, table in enumerate(world.timeline.observations):
        if table.time > at:
            break
        if isinstance(table, SocketTable) and table.host == host:
            last = index, table
    if last is not None:
        for entry in last[1].entries:
            if entry.protocol == "tcp" and entry.local[1] == port and entry.state in states:
                return last[0], f"its earlier connection to {spelt(entry.remote)} in {entry.state.replace('_', '-')}"
    return None


_CALLS = ("calls",)

RULES = (
    Rule(
        id="use.no-reuseaddr",
        title="SO_REUSEADDR missing",
        source="POSIX.1-2024 setsockopt(), SO_REUSEADDR; socket(7); RFC 9293 §3.6.1 (MUST-13): TIME-WAIT lasts 2 MSL",
        severity="fault",
        needs=(_CALLS, ("states", "sock_diag")),
        find=_no_reuseaddr,
    ),
)
