"""Rules about calls that did less than was asked: partial writes, EAGAIN, EINTR, a connection that was not made."""

from collections.abc import Iterator

from netlab.check.use.descriptors import told_by, told_to_end
from netlab.check.use.finding import Found, Rule, Severity
from netlab.check.use.syscalls import (
    ACCEPTS,
    IN_PROGRESS,
    MS,
    RECEIVES,
    SENDS,
    TRANSFERS,
    WAITS,
    at_once,
    failed,
    number,
    peeks,
    succeeded,
    took,
    would_block,
)
from netlab.check.use.world import Holding, Socket, Use, World, milliseconds, times

# sendfile and splice give less at a file's end, sendmmsg counts messages.
_WHOLE_WRITES = SENDS - {"sendfile", "sendfile64", "sendmmsg"}
_BLOCKED = 500 * MS
# What is closed this soon after a call that would have waited was closed because of it.
_RIGHT_AFTER = 100 * MS
_TIMEOUTS = frozenset({"SO_RCVTIMEO", "SO_SNDTIMEO"})
# signal(7): those that only tell something. SIGALRM is left out, since alarm() is how a call was given a time-out before poll().
_TELLING = frozenset({"SIGCHLD", "SIGUSR1", "SIGUSR2", "SIGWINCH", "SIGCONT", "SIGURG", "SIGIO", "SIGPROF", "SIGVTALRM"})
_UNCONNECTED = frozenset({"ENOTCONN", "EPIPE"})


def _partial_write(world: World) -> Iterator[Found]:
    """A send took less than it was given, and nothing was sent on the connection after that though it was closed in order, or
    the thread went to wait for an answer. False where the connection broke or the peer had closed, where a wait for room timed
    out first, and where the process was told to end: then giving up is right."""
    for socket in world.sockets:
        if socket.kind != "tcp":
            continue
        writes = [use for use in socket.uses if use.call.call in _WHOLE_WRITES and succeeded(use.call)]
        last = writes[-1] if writes else None
        if last is None:
            continue
        asked = number(last.call, "length")
        if asked is None or not 0 < last.call.result < asked:
            continue
        after = list(socket.after(last))
        if any(use.call.call in SENDS for use in after) or _broken(socket) or _gave_up(last):
            continue
        how = _abandoned(world, socket, last, after)
        if how is None:
            continue
        index, text = how
        says = (
            f"{last.call.call}({last.call.fd}) took {last.call.result} of {asked} bytes on the connection {socket.ends}. The other"
            f" {asked - last.call.result} were never sent: {text}."
        )
        yield Found(process=last.process, says=says, evidence=(last.index, *((index,) if index >= 0 else ())))


def _broken(socket: Socket) -> bool:
    broken = any(
        use.call.call in TRANSFERS and failed(use.call) and use.call.errno not in IN_PROGRESS and not would_block(use.call)
        for use in socket.uses
    )
    ended = any(
        use.call.call in RECEIVES and succeeded(use.call) and use.call.result == 0 and not peeks(use.call) for use in socket.uses
    )
    return broken or ended or any(reset.direction == "received" for _, reset in socket.resets)


def _gave_up(write: Use) -> bool:
    """Whether the thread waited in vain afterwards, until a time-out of its own."""
    return any(
        use.call.call in WAITS and succeeded(use.call) and use.call.result == 0 and not at_once(use.call)
        for use in write.process.next_in_thread(write)
    )


def _abandoned(world: World, socket: Socket, write: Use, after: list[Use]) -> tuple[int, str] | None:
    for use in after:
        if use.call.call in ("close", "shutdown") and not use.call.errno:
            if told_by(use.process, use.call.began):
                return None
            return use.index, f"{use.call.call}() followed {milliseconds(use.call.began - write.call.time)} later"
        waits = use.call.call in RECEIVES and use.call.tid == write.call.tid and use.process is write.process
        if waits and (took(use.call) >= _BLOCKED):
            return use.index, f"the thread went to wait for an answer in {use.call.call}() for {milliseconds(took(use.call))}"
    holding = write.holding
    if holding is not None and holding.end == "exit" and not told_to_end(holding.process):
        return holding.ended_at, "the process ended"
    return None


def _eagain(world: World) -> Iterator[Found]:
    """A call would have had to wait (EAGAIN; EINPROGRESS of connect), and the thread closed the socket instead of waiting. False
    where the receive only emptied the queue of a connection that had had its answer, where the wait timed out (SO_RCVTIMEO, or
    the thread polled since), and where the peer had gone."""
    for process in world.processes:
        for use in process.uses:
            call, socket = use.call, use.socket
            in_vain = call.call in TRANSFERS and would_block(call) and at_once(call) and not peeks(call)
            if socket is None or socket.kind != "tcp" or not (in_vain or (call.call == "connect" and call.errno == "EINPROGRESS")):
                continue
            closing = _closed_instead(use)
            if closing is None or _broken(socket) or any(_option(one) in _TIMEOUTS for one in socket.uses):
                continue
            severity = _unfinished(use, socket)
            if severity is None:
                continue
            what = "would have had to wait" if call.call != "connect" else "had only begun"
            says = (
                f"{call.call}({call.fd}) gave {call.errno}: it {what}. The socket ({socket.ends}) was closed"
                f" {milliseconds(closing.call.began - call.time)} later, as if that were an error, without a wait for it."
            )
            yield Found(process=process, says=says, evidence=(use.index, closing.index), severity=severity)


def _option(use: Use) -> str:
    return str(use.call.arguments.get("option", "")) if use.call.call == "setsockopt" else ""


def _closed_instead(use: Use) -> Use | None:
    """The close that the same thread made right after it, with no wait and no other try on the socket between."""
    for later in use.process.next_in_thread(use):
        if later.call.began - use.call.time > _RIGHT_AFTER or later.call.call in WAITS:
            return None
        if later.socket is use.socket:
            if later.call.call in ("close", "shutdown"):
                return later
            if later.call.call in (*TRANSFERS, "connect"):
                return None
    return None


def _unfinished(use: Use, socket: Socket) -> Severity | None:
    """What giving up then costs: what was to be sent, or an answer that had not begun to come. None where nothing shows that it
    was too early."""
    call = use.call
    if call.call in SENDS or call.call == "connect":
        return "fault"
    before = [one for one in socket.uses if one.index < use.index and succeeded(one.call) and one.call.result > 0]
    received = [one for one in before if one.call.call in RECEIVES]
    sent = [one for one in before if one.call.call in SENDS]
    accepted = socket.listener is not None
    if not received:
        return None if accepted and sent else "fault"
    return "warning" if accepted and not sent else None


def _eintr(world: World) -> Iterator[Found]:
    """A signal interrupted a call (EINTR), it was not made again, and its socket was abandoned: closed, or left while the
    process ended with an error. False where the signal asks for an end or a time-out (SIGTERM, SIGINT, SIGALRM), where the
    process ended well, and where the kernel makes the call again by itself."""
    for process in world.processes:
        for use in process.uses:
            call, socket = use.call, use.socket
            interrupted = call.errno == "EINTR" and call.call in (TRANSFERS | ACCEPTS | {"connect"})
            if not interrupted or socket is None or use.holding is None:
                continue
            following = next((one.call.began for one in process.next_in_thread(use)), process.ended)
            near = [(at, seen) for at, seen in process.signals if call.began <= seen.time <= following]
            if not near or any(seen.signal not in _TELLING for _, seen in near) or _told_first(use.holding):
                continue
            after = [one for one in socket.after(use) if one.process is process]
            if any(one.call.call in (TRANSFERS | ACCEPTS | {"connect", "getsockopt"}) for one in after) or use.holding.watched:
                continue
            if use.holding.end == "closed" and process.status != 0:
                end = f"closed {milliseconds((use.holding.ended or 0) - call.time)} later"
            elif use.holding.end == "closed" and _goes_on(use):
                end = "closed, and the process went on"
            elif use.holding.end == "exit" and process.status:
                end = f"left, and the process ended with status {process.status}"
            else:
                continue
            says = (
                f"{near[0][1].signal} interrupted {call.call}({call.fd}), which gave EINTR. It was not called again: the socket"
                f" ({socket.ends}) was {end}."
            )
            evidence = (use.index, near[0][0], *((use.holding.ended_at,) if use.holding.ended_at >= 0 else ()))
            yield Found(process=process, says=says, evidence=evidence)
            break


def _told_first(holding: Holding) -> bool:
    """Whether the process was told to end before it gave the socket up."""
    if holding.end == "exit":
        return told_to_end(holding.process)
    return told_by(holding.process, holding.ended or holding.process.ended)


def _goes_on(use: Use) -> bool:
    closed = use.holding.ended if use.holding is not None else None
    return closed is not None and any(
        one.call.began > closed and one.call.call in (TRANSFERS | ACCEPTS | {"connect", "socket"}) for one in use.process.uses
    )


def _connect_ignored(world: World) -> Iterator[Found]:
    """connect() failed or had only begun, and data was moved all the same, which fails since there is no connection. False where
    the program asked for the outcome first (poll, SO_ERROR, another connect) and for sockets that were connected before."""
    for socket in world.sockets:
        if socket.kind != "tcp":
            continue
        for use in socket.uses:
            call = use.call
            if call.call != "connect" or not failed(call) or call.errno in ("EISCONN", "EALREADY"):
                continue
            wrong = _moved_regardless(use, socket)
            if wrong is None:
                continue
            count = sum(one.call.call in TRANSFERS and one.call.errno in _UNCONNECTED for one in socket.after(use))
            what = "had only begun the connection" if call.errno in IN_PROGRESS else "had failed"
            says = (
                f"connect({call.fd}) gave {call.errno}, so it {what}. Without asking what came of it, {wrong.call.call}({call.fd})"
                f" was called {milliseconds(wrong.call.began - call.time)} later and gave {wrong.call.errno} ({times(count)})."
            )
            yield Found(process=use.process, says=says, evidence=(use.index, wrong.index))
            break


def _moved_regardless(connect: Use, socket: Socket) -> Use | None:
    for later in socket.after(connect):
        if later.call.call in ("connect", "getsockopt", "getpeername"):
            return None
        if later.call.call in TRANSFERS:
            return later if later.call.errno in _UNCONNECTED and not _waited(connect, later) else None
    return None


def _waited(connect: Use, later: Use) -> bool:
    if connect.call.errno not in IN_PROGRESS:
        return False
    watched = connect.holding.watched_since if connect.holding is not None else None
    return (watched is not None and watched < later.call.began) or any(
        use.call.call in WAITS and use.call.began < later.call.began for use in connect.process.next_in_thread(connect)
    )


_CALLS = ("calls",)

RULES = (
    Rule(
        id="use.partial-write",
        title="Partial write ignored",
        source="POSIX.1-2024 write(), send(): the number of bytes sent is returned, which may be less than asked for",
        severity="fault",
        needs=(_CALLS,),
        find=_partial_write,
    ),
    Rule(
        id="use.eagain",
        title="EAGAIN taken for an error",
        source="POSIX.1-2024 recv(), send(): [EAGAIN] the call would block; connect(): [EINPROGRESS]",
        severity="fault",
        needs=(_CALLS,),
        find=_eagain,
    ),
    Rule(
        id="use.eintr",
        title="EINTR taken for an error",
        source="POSIX.1-2024 recv(), accept(): [EINTR] interrupted by a signal that was caught; signal(7)",
        severity="fault",
        needs=(_CALLS,),
        find=_eintr,
    ),
    Rule(
        id="use.connect-ignored",
        title="Outcome of connect() ignored",
        source="POSIX.1-2024 connect(): [EINPROGRESS], then poll() for writing and SO_ERROR; send(): [ENOTCONN]",
        severity="fault",
        needs=(_CALLS,),
        find=_connect_ignored,
    ),
)
