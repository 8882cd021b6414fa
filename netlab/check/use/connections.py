"""Rules about how connections end: with unread data, never, after a reset, by SIGPIPE."""

from collections.abc import Iterator

from netlab.check.use.descriptors import shut_writing, told_by, told_to_end
from netlab.check.use.finding import Found, Rule, Severity
from netlab.check.use.syscalls import ACCEPTS, MS, RECEIVES, SENDS, TRANSFERS, peeks, succeeded
from netlab.check.use.world import Holding, Process, Socket, Use, World, milliseconds, times
from netlab.timeline.headers import decode
from netlab.timeline.observations import Packet

_UNREAD, _LATE = "TCP_ABORT_ON_CLOSE", "TCP_ABORT_ON_DATA"
# More than socat's half-close time-out of 0.5 s: who waits for the other direction that long is still at it.
_HALF_CLOSED_FOR = 1_000 * MS
_WAITS_FOR = 5_000 * MS
_LEAKED_FOR = 500 * MS
# Who was not told (it has not read to the end) may be busy for the one who has gone.
_UNTOLD_FOR = 2_000 * MS
_LEAKED = 3
_WORK = TRANSFERS | ACCEPTS | {"connect", "socket"}
# A RST leaves inside close(); this is for stamps of different sources.
_CLOSE_SLACK = MS


def _close_unread(world: World) -> Iterator[Found]:
    """A connection was closed with data that was never read, and so reset. Where the process had sent something last, that may be
    destroyed at the peer before it is read: a fault; else it gave up what it did not want: a note. False where SO_LINGER asks for
    a reset, and where somebody ended the process. Of a client it is a warning (what it said last is often only a farewell), and
    so it is where the data came only after the close: whether more would come, the process could not see."""
    packets = _reset_packets(world) if not world.timeline.source("events").available else []
    for socket in world.sockets:
        if socket.kind != "tcp":
            continue
        for index, reason in _resets(socket, packets):
            last = _closing(world, socket, world.timeline.observations[index].time, late=reason == _LATE)
            if last is None or told_by(last.process, last.ended or 0):
                continue
            if last.end == "exit" and (last.process.status or 0) < 0:
                continue
            if not reason and any("SO_LINGER" in _option(use) for use in socket.uses):
                continue
            sent = next((use for use in reversed(socket.uses) if use.call.call in TRANSFERS and use.call.result > 0), None)
            harms = sent is not None and sent.call.call in SENDS
            how = f"close({last.fd})" if last.end == "closed" else f"Its exit, which closed descriptor {last.fd},"
            why = "data came after it" if reason == _LATE else "it held data that had not been read"
            says = f"{how} reset the connection {socket.ends}: {why}."
            if harms and sent is not None:
                says += f" What it had sent last ({sent.call.result} bytes by {sent.call.call}) may be lost with it at the peer."
            evidence = tuple(at for at in (sent.index if sent else -1, last.ended_at, index) if at >= 0)
            fault = socket.listener is not None and reason != _LATE
            severity: Severity = "note" if not harms else "fault" if fault else "warning"
            yield Found(process=last.process, says=says, evidence=evidence, severity=severity)
            break


def _option(use: Use) -> str:
    return str(use.call.arguments.get("option", "")) if use.call.call == "setsockopt" else ""


def _resets(socket: Socket, packets: list[tuple[int, str, tuple[str, int], tuple[str, int]]]) -> Iterator[tuple[int, str]]:
    """Resets that its close may have sent: the observation, and the kernel's reason where it gives one."""
    for index, reset in socket.resets:
        if reset.direction == "sent" and reset.reason in ("", _UNREAD, _LATE):
            yield index, reset.reason
    for index, host, source, target in packets:
        if host == socket.host and source == socket.local and target == socket.remote:
            yield index, ""


def _reset_packets(world: World) -> list[tuple[int, str, tuple[str, int], tuple[str, int]]]:
    found = []
    for index, packet in enumerate(world.timeline.observations):
        if isinstance(packet, Packet):  # of lo there are only those that come in
            headers = decode(packet.data)
            if "R" in headers.flags and headers.sport is not None and headers.dport is not None:
                found.append((index, packet.host, (headers.source, headers.sport), (headers.target, headers.dport)))
    return found


def _closing(world: World, socket: Socket, at: int, *, late: bool) -> Holding | None:
    """The holding whose end was the socket's, if the reset at ``at`` was sent while it ended or, ``late``, after that."""
    if any(holding.ended is None for holding in socket.holdings):
        return None
    last = max(socket.holdings, key=lambda one: one.ended or 0, default=None)
    if last is None or last.ended is None or last.end not in ("closed", "exit"):
        return None
    over = world.timeline.observations[last.ended_at].time if last.ended_at >= 0 else last.ended
    return last if last.ended - _CLOSE_SLACK <= at and (late or at <= over + _CLOSE_SLACK) else None


def _open_to_the_end(process: Process) -> Iterator[Holding]:
    for holding in process.table.values():
        mine = holding.opened in ("made", "accepted", "duplicated", "seen") or holding.uses
        if mine and holding.socket.kind == "tcp" and holding.socket.connected:
            yield holding


def _told_of_end(socket: Socket) -> Use | None:
    """The call that gave 0 at the end of the peer's data, or an error that ended the connection."""
    for use in socket.uses:
        call = use.call
        ended = call.call in RECEIVES and succeeded(call) and call.result == 0 and not peeks(call)
        if ended or (call.call in TRANSFERS and call.errno in ("ECONNRESET", "EPIPE", "ETIMEDOUT")):
            return use
    return None


def _peer_closed(socket: Socket) -> tuple[int, int] | None:
    """Since when the peer had closed: the time and the observation that tells."""
    found = [(state.time, index) for index, state in socket.states if state.new == "CLOSE_WAIT" or (state.new == "CLOSE")]
    told = _told_of_end(socket)
    if told is not None:
        found.append((told.call.time, told.index))
    return min(found, default=None)


def _forgotten(process: Process) -> list[tuple[Holding, int, int]]:
    """Connections that the process still had at its end though the peer had closed: since when, and what tells."""
    found = []
    for holding in _open_to_the_end(process):
        closed = _peer_closed(holding.socket)
        knows = _told_of_end(holding.socket) is not None
        if closed is None or not (knows or holding.socket.listener is not None):
            continue
        since = max(closed[0], *(use.call.time for use in holding.socket.uses))
        if process.ended - since >= (_LEAKED_FOR if knows else _UNTOLD_FOR):
            found.append((holding, since, closed[1]))
    return sorted(found, key=lambda one: one[1])


def _grows(process: Process, forgotten: list[tuple[Holding, int, int]]) -> bool:
    """Whether the process took new connections while old ones lay about."""
    return len(forgotten) >= _LEAKED and any(
        holding.began > forgotten[0][1] and holding.opened in ("made", "accepted") for holding in process.holdings
    )


def _leak(world: World) -> Iterator[Found]:
    """Open connections only grow: three or more whose peers had closed were never closed, while the process took new ones. False
    for a client's pool of idle connections, of whose end it learns when it uses them again: for connections that it made itself,
    only those count of whose end it was told."""
    for process in world.processes:
        forgotten = _forgotten(process)
        if not _grows(process, forgotten):
            continue
        numbers = ", ".join(str(holding.fd) for holding, _, _ in sorted(forgotten, key=lambda one: one[0].fd)[:12])
        peak = len([one for one in process.table.values() if one.socket.connected])
        says = (
            f"{len(forgotten)} connections were never closed though their peers had closed theirs (descriptors {numbers}); at the"
            f" end the process had {peak} connections open. The first has been like this for"
            f" {milliseconds(process.ended - forgotten[0][1])}."
        )
        evidence = tuple(sorted({index for holding, _, told in forgotten[:6] for index in (holding.opened_at, told)}))
        yield Found(process=process, says=says, evidence=evidence)


def _half_closed(world: World) -> Iterator[Found]:
    """The process was told that the peer had closed (a receive gave 0) and did not close its side, for a second and more. False
    while it still uses the connection (half-closing is a way to say "that was all I had to ask"), and where it was only waiting
    to be ended: it must have gone on with other sockets, have waited for 5 seconds, or have ended by itself."""
    for process in world.processes:
        if _grows(process, _forgotten(process)):
            continue
        for holding in _open_to_the_end(process):
            socket, told = holding.socket, _told_of_end(holding.socket)
            if told is None or told.call.errno or told.process is not process:
                continue
            since = max(use.call.time for use in socket.uses)
            later = [use.call.call for use in process.uses if use.call.began > since and use.socket is not socket]
            goes_on = any(call in _WORK for call in later) or (bool(later) and process.ended - since >= _WAITS_FOR)
            if process.ended - since < _HALF_CLOSED_FOR or not (goes_on or _ended_itself(process)):
                continue
            if any(not use.call.returned for use in socket.uses):
                continue
            says = (
                f"{told.call.call}({holding.fd}) gave 0, so the peer ({socket.ends}) had closed. The descriptor was not closed in"
                f" the {milliseconds(process.ended - since)} after its last use, while the process went on: the connection stays"
                " in CLOSE-WAIT."
            )
            yield Found(process=process, says=says, evidence=(holding.opened_at, told.index))


def _ended_itself(process: Process) -> bool:
    return process.status is not None and not told_to_end(process)


def _write_after_reset(world: World) -> Iterator[Found]:
    """The connection was reported broken (EPIPE or ECONNRESET) and the process wrote to it again. False where its own shutdown()
    made writing impossible. One more write is a warning, or a note where close() follows: buffers are flushed like this."""
    for socket in world.sockets:
        if socket.kind not in ("tcp", ""):
            continue
        broken = next(
            (use for use in socket.uses if use.call.call in TRANSFERS and use.call.errno in ("EPIPE", "ECONNRESET")), None
        )
        if broken is None or (broken.call.errno == "EPIPE" and not socket.connected):
            continue
        if any(use.call.call == "shutdown" and shut_writing(use) and use.index < broken.index for use in socket.uses):
            continue
        again = [use for use in socket.after(broken) if use.call.call in SENDS and use.process is broken.process]
        if again:
            call = broken.call
            says = (
                f"{call.call}({call.fd}) gave {call.errno}: the connection {socket.ends} had been reset. It was written to"
                f" {times(len(again))} after that, up to {milliseconds(again[-1].call.began - call.time)} later."
            )
            severity: Severity = "fault" if len(again) > 1 else "note" if _closed_next(again[0]) else "warning"
            evidence = (broken.index, *(use.index for use in again[:4]))
            yield Found(process=broken.process, says=says, evidence=evidence, severity=severity)


def _closed_next(use: Use) -> bool:
    following = next((one for one in use.process.next_in_thread(use) if one.socket is use.socket), None)
    return following is not None and following.call.call in ("close", "shutdown")


def _sigpipe(world: World) -> Iterator[Found]:
    """A process died of SIGPIPE by writing to a socket. False where the last thing it wrote to was a pipe: a filter whose reader
    has gone is ended so on purpose."""
    for process in world.processes:
        if process.status != -13:
            continue
        writes = [
            use
            for use in process.uses
            if use.call.call in SENDS and use.socket is not None and (use.call.errno == "EPIPE" or not use.call.returned)
        ]
        if not writes:
            continue
        use = writes[-1]
        signals = [index for index, seen in process.signals if seen.signal == "SIGPIPE"]
        ends = use.socket.ends if use.socket else "a socket"
        says = (
            f"{use.call.call}({use.call.fd}) on the connection {ends}, which no longer took data, raised SIGPIPE, and the process"
            " died of it. MSG_NOSIGNAL or ignoring the signal turns it into EPIPE."
        )
        yield Found(process=process, says=says, evidence=(use.index, *signals[-1:], process.ended_at))


_CALLS = ("calls",)

RULES = (
    Rule(
        id="use.close-unread",
        title="Closed with unread data",
        source="RFC 9293 §3.6.1 (SHLD-3), RFC 2525 §2.17: a close with received data still pending sends a RST",
        severity="fault",
        needs=(_CALLS, ("events", "packets")),
        find=_close_unread,
    ),
    Rule(
        id="use.connection-leak",
        title="Connections are never closed",
        source="RFC 9293 §3.6: CLOSE-WAIT lasts until the application closes; POSIX.1-2024 accept(): [EMFILE]",
        severity="fault",
        needs=(_CALLS,),
        find=_leak,
    ),
    Rule(
        id="use.half-closed",
        title="Half-closed connection never finished",
        source="RFC 9293 §3.6, case 2: the user answers the remote FIN with a CLOSE; POSIX.1-2024 recv(): 0 at an orderly shutdown",
        severity="warning",
        needs=(_CALLS,),
        find=_half_closed,
    ),
    Rule(
        id="use.write-after-reset",
        title="Written to after a reset",
        source="POSIX.1-2024 send(): [ECONNRESET], [EPIPE]; RFC 9293 §3.10.7.4: a reset connection is CLOSED",
        severity="fault",
        needs=(_CALLS,),
        find=_write_after_reset,
    ),
    Rule(
        id="use.sigpipe",
        title="Died of SIGPIPE",
        source="POSIX.1-2024 send(): [EPIPE] and SIGPIPE, unless MSG_NOSIGNAL; signal(7)",
        severity="fault",
        needs=(_CALLS,),
        find=_sigpipe,
        certain=True,
    ),
)
