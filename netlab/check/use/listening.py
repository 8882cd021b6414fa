"""Rules about the queue of a listening socket: it overflows, or what is in it waits for accept()."""

from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate

from netlab.check.use.finding import Found, Rule
from netlab.check.use.syscalls import ACCEPTS, MS, WAITS, took
from netlab.check.use.world import Connection, Holding, Process, Socket, Use, World, milliseconds, spelt
from netlab.timeline.headers import decode
from netlab.timeline.kernel_events import PacketDropped
from netlab.timeline.observations import Counters, Packet

_SLOW = 500 * MS
_OVERFLOW_REASONS = ("TCP_LISTEN_OVERFLOW", "TCP_ACCEPT")
_OVERFLOW_COUNTERS = ("ListenOverflows", "TcpExtListenOverflows")


def _queued(world: World, socket: Socket) -> Iterator[tuple[Connection, int, int | None]]:
    """Connections that went through a listener's queue: since when, and until when (None: nobody accepted them)."""
    local = socket.local
    for connection in world.connections:
        if connection.host != socket.host or local is None or connection.local[1] != local[1] or not connection.remote[1]:
            continue
        established, mine = connection.entered("ESTABLISHED"), connection.socket
        if established is None or connection.entered("SYN_SENT"):
            continue
        if mine is not None and mine.listener is socket and mine.made_at >= 0:
            yield connection, established[1].time, world.timeline.observations[mine.made_at].time
        elif mine is None:
            yield connection, established[1].time, None


def _depths(world: World, socket: Socket) -> list[tuple[int, int]]:
    """The length of the queue after each change."""
    changes = []
    for connection, began, accepted in _queued(world, socket):
        changes.append((began, 1))
        closed = connection.entered("CLOSE")
        until = accepted if accepted is not None else (closed[1].time if closed else None)
        if until is not None:
            changes.append((until, -1))
    depth, found = 0, []
    for at, change in sorted(changes):
        depth += change
        found.append((at, depth))
    return found


def _holder(socket: Socket) -> Holding | None:
    return next((holding for holding in socket.holdings if any(use.call.call in ACCEPTS for use in holding.uses)), None) or next(
        iter(socket.holdings), None
    )


def _backlog_overflow(world: World) -> Iterator[Found]:
    """The queue of connections that nobody accepted was full, and the kernel refused more. Told by its drops with their reason, by
    the counter ListenOverflows, or by a SYN that came again though the first one had come and had not been answered. False where it
    came again because the network lost something. (Of a SYN that is ignored the kernel reports no drop: only packets and the
    counter tell that there was none.)"""
    told: dict[int, tuple[Socket, list[int], list[str]]] = {}

    def tell(socket: Socket | None, evidence: list[int], what: str) -> None:
        if socket is not None:
            entry = told.setdefault(id(socket), (socket, [], []))
            entry[1].extend(evidence)
            entry[2].append(what)

    listeners = [socket for socket in world.sockets if socket.listening >= 0]
    if not listeners:
        return
    drops: dict[int, list[int]] = {}
    by_drop: dict[int, Socket] = {}
    for index, seen in enumerate(world.timeline.observations):
        if isinstance(seen, PacketDropped) and seen.reason.startswith(_OVERFLOW_REASONS):
            socket = _listener(listeners, seen.host, _target_port(seen.data))
            if socket is not None:
                by_drop[id(socket)] = socket
                drops.setdefault(id(socket), []).append(index)
    for key, indices in drops.items():
        tell(by_drop[key], indices, f"the kernel dropped {_packets(len(indices))} for it")
    for host, (indices, grew) in _overflows(world).items():
        tell(_fullest(world, listeners, host), indices, f"ListenOverflows grew by {grew}")
    for socket, indices in _unanswered(world, listeners):
        tell(socket, indices, f"{_syns(len(indices))} came again, unanswered the first time")
    for socket, evidence, whats in told.values():
        holder = _holder(socket)
        if holder is None:
            continue
        backlog = "" if socket.backlog is None else f", backlog {socket.backlog}"
        waiting = max((depth for _, depth in _depths(world, socket)), default=0)
        depth = f" Up to {waiting} connections waited for accept()." if waiting else ""
        says = f"The queue of the socket {socket.ends} (descriptor {holder.fd}{backlog}) overflowed: {', '.join(whats)}.{depth}"
        yield Found(process=holder.process, says=says, evidence=(socket.listening, *sorted(set(evidence))[:6]))


def _packets(count: int) -> str:
    return "a packet" if count == 1 else f"{count} packets"


def _syns(count: int) -> str:
    return "a SYN" if count == 2 else f"{count // 2} SYNs"


def _target_port(data: bytes) -> int:
    if not data:
        return 0
    headers = decode(bytes(12) + (b"\x86\xdd" if data[0] >> 4 == 6 else b"\x08\x00") + data)
    return headers.dport or 0


def _listener(listeners: list[Socket], host: str, port: int) -> Socket | None:
    mine = [socket for socket in listeners if socket.host == host]
    at_port = [socket for socket in mine if socket.local is not None and socket.local[1] == port]
    return at_port[-1] if at_port else (mine[0] if len(mine) == 1 and not port else None)


def _overflows(world: World) -> dict[str, tuple[list[int], int]]:
    first: dict[str, tuple[int, int]] = {}
    grown: dict[str, tuple[list[int], int]] = {}
    for index, seen in enumerate(world.timeline.observations):
        if isinstance(seen, Counters):
            count = next((seen.counts[name] for name in _OVERFLOW_COUNTERS if name in seen.counts), None)
            if count is None:
                continue
            begin = first.setdefault(seen.host, (index, count))
            if count > begin[1]:
                grown[seen.host] = ([begin[0], index], count - begin[1])
    return grown


def _fullest(world: World, listeners: list[Socket], host: str) -> Socket | None:
    """Whose queue a counter of the whole namespace means: the only one, or the one that was longest by its own measure."""
    mine = [socket for socket in listeners if socket.host == host]
    if len(mine) == 1:
        return mine[0]
    full = {id(one): max((depth for _, depth in _depths(world, one)), default=0) - (one.backlog or 0) for one in mine}
    best = [one for one in mine if full[id(one)] == max(full.values())]
    return best[0] if len(best) == 1 else None


def _unanswered(world: World, listeners: list[Socket]) -> Iterator[tuple[Socket, list[int]]]:
    """SYNs that arrived at a listener twice with no SYN-ACK sent in between."""
    ports = {(socket.host, socket.local[1]): socket for socket in listeners if socket.local is not None}
    pending: dict[tuple[str, str, int, int, int], int] = {}
    found: dict[int, list[int]] = {}
    for index, packet in enumerate(world.timeline.observations):
        if not isinstance(packet, Packet):
            continue
        headers = decode(packet.data)
        if "S" not in headers.flags or headers.sport is None or headers.dport is None or headers.seq is None:
            continue
        if packet.direction == "in" and "." not in headers.flags:
            socket = ports.get((packet.host, headers.dport))
            if socket is None or packet.time < world.timeline.observations[socket.listening].time:
                continue
            key = packet.host, headers.source, headers.sport, headers.dport, headers.seq
            if key in pending:
                found.setdefault(id(socket), []).extend((pending[key], index))
            pending[key] = index
        elif "." in headers.flags and headers.ack is not None:
            pending.pop((packet.host, headers.target, headers.dport, headers.sport, (headers.ack - 1) % 2**32), None)
    for socket in listeners:
        if id(socket) in found:
            yield socket, found[id(socket)]


def _slow_accept(world: World) -> Iterator[Found]:
    """A connection was established and waited for accept() while the process did something else. False where it was inside
    accept(), poll or epoll for most of that time: then it was ready, and did not want the connection (or the machine did not let
    it run)."""
    threshold = _SLOW + world.timeline.slack
    for socket in world.sockets:
        if socket.listening < 0:
            continue
        slow, ready = [], _Readiness(socket)
        for connection, began, accepted in _queued(world, socket):
            closed = connection.entered("CLOSE")
            until = _called(world, connection, accepted) if accepted is not None else _last(world, socket)
            if closed is not None and accepted is None:
                until = min(until, closed[1].time)
            if until - began >= threshold and not ready.between(began, until):
                slow.append((until - began, connection, accepted))
        holder = _holder(socket)
        if not slow or holder is None:
            continue
        longest, connection, accepted = max(slow, key=lambda one: one[0])
        never = sum(one[2] is None for one in slow)
        says = (
            f"{len(slow)} established connection{'s' if len(slow) > 1 else ''} waited for accept() on descriptor {holder.fd}"
            f" ({socket.ends}), the longest {milliseconds(longest)} (from {spelt(connection.remote)}), while the process was busy"
            " with something else."
        )
        says += f" {never} of them {'was' if never == 1 else 'were'} never accepted." if never else ""
        established = connection.entered("ESTABLISHED")
        evidence = [socket.listening, *([established[0]] if established else [])]
        evidence += [connection.socket.made_at] if connection.socket is not None else []
        yield Found(process=holder.process, says=says, evidence=tuple(evidence))


def _called(world: World, connection: Connection, accepted: int) -> int:
    """When the accept() that took it began."""
    if connection.socket is None:
        return accepted
    made = world.timeline.observations[connection.socket.made_at]
    return getattr(made, "began", accepted)


def _last(world: World, socket: Socket) -> int:
    return max((one.ended or world.ended for one in socket.holdings), default=world.ended)


class _Readiness:
    """When the threads of a listener's holders were inside accept(), poll or epoll."""

    def __init__(self, socket: Socket) -> None:
        holders: dict[int, Process] = {id(one.process): one.process for one in socket.holdings}
        self._threads: list[tuple[list[int], list[int], list[int]]] = []
        for thread in (thread for process in holders.values() for thread in process.threads.values()):
            calls = [use.call for use in thread if use.call.call in WAITS or _accepts(use, socket)]
            before = list(accumulate((took(call) for call in calls), initial=0))
            self._threads.append(([call.began for call in calls], [call.time for call in calls], before))

    def between(self, began: int, until: int) -> bool:
        """Whether one of them was, for most of this time."""
        return any(2 * (_inside(*thread, until) - _inside(*thread, began)) > until - began for thread in self._threads)


def _inside(begins: list[int], ends: list[int], before: list[int], at: int) -> int:
    """How long a thread had been inside such calls by an instant; they follow each other."""
    count = bisect_left(begins, at)
    return before[count] - (max(0, ends[count - 1] - at) if count else 0)


def _accepts(use: Use, socket: Socket) -> bool:
    return use.call.call in ACCEPTS and use.socket is socket


_CALLS = ("calls",)

RULES = (
    Rule(
        id="use.backlog-overflow",
        title="Queue of connections overflowed",
        source="POSIX.1-2024 listen(): the backlog argument; listen(2), tcp(7): tcp_abort_on_overflow",
        severity="warning",
        needs=(_CALLS, ("packets", "counters")),
        find=_backlog_overflow,
        certain=True,
    ),
    Rule(
        id="use.slow-accept",
        title="Connections wait for accept()",
        source="POSIX.1-2024 listen(): connections are queued until accept()",
        severity="warning",
        needs=(_CALLS, ("states",)),
        find=_slow_accept,
    ),
)
