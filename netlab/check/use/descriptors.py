"""Rules about descriptors: left open, leaked over fork and exec, closed twice, used after they were closed."""

from collections.abc import Iterator

from netlab.check.use.finding import Found, Rule, Severity
from netlab.check.use.syscalls import ACTS_ON_SOCKET, MS, RECEIVES, TRANSFERS, succeeded, words
from netlab.check.use.world import Holding, Process, Socket, Use, World, milliseconds, times

_INTERNET = ("tcp", "udp")
_ENDING_SIGNALS = frozenset({"SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGKILL"})
# Long enough for a process that only lags behind: a worker which is about to close what it was given does so at its start.
_HELD_FOR = 500 * MS
_CLOSED_BY_FIN = frozenset({"FIN_WAIT1", "LAST_ACK", "CLOSING", "TIME_WAIT", "CLOSE"})


def told_to_end(process: Process) -> bool:
    """Whether somebody ended it, or those who made it: then what it still had open is no sign of anything."""
    if process.status is not None and process.status < 0:
        return True
    return told_by(process, process.ended)


def told_by(process: Process, at: int) -> bool:
    """Whether it, or one of those who made it, had been told to end by then."""
    line: Process | None = process
    while line is not None:
        if any(seen.signal in _ENDING_SIGNALS and seen.time <= at for _, seen in line.signals):
            return True
        line = line.parent
    return False


def _open_at_exit(world: World) -> Iterator[Found]:
    """A process that ended by itself still had sockets open. False where it was told to end, where it never knew of them (they came
    by fork or exec and were not used), and for sockets within the machine (AF_UNIX, netlink), which nobody else waits for."""
    for process in world.processes:
        if process.status is None or told_to_end(process):
            continue
        left = [
            holding
            for holding in process.table.values()
            if holding.socket.kind in _INTERNET and (holding.opened in ("made", "accepted", "duplicated") or holding.uses)
        ]
        if left:
            listed = "; ".join(f"descriptor {one.fd} ({one.socket.ends})" for one in sorted(left, key=lambda one: one.fd)[:8])
            more = f" and {len(left) - 8} more" if len(left) > 8 else ""
            says = f"It ended with status {process.status} and had not closed {_sockets(len(left))}: {listed}{more}."
            yield Found(process=process, says=says, evidence=(*(one.opened_at for one in left[:8]), process.ended_at))


def _sockets(count: int) -> str:
    return "a socket" if count == 1 else f"{count} sockets"


def _leaked_over_exec(world: World) -> Iterator[Found]:
    """A program was executed with a socket open of which it knows nothing. False where it uses, watches or closes it, or a program
    that it starts does; for 0, 1 and 2, which are passed on purpose; and while it has hardly begun."""
    for holding in world.holdings():
        socket, process = holding.socket, holding.process
        if holding.opened != "exec" or holding.fd <= 2 or socket.kind not in _INTERNET or socket.made_at < 0:
            continue
        until = holding.ended or world.ended
        if _used_below(world, holding) or (process.lives and until - holding.began < _HELD_FOR):
            continue
        others = [other for other in socket.holdings if other is not holding and other.end not in ("exec",)]
        alone = holding.began if not others else max(other.ended or world.ended for other in others)
        kept = until - alone
        path = next((path for index, _, path in process.executed if index == holding.opened_at), process.program)
        says = f"{path} was executed with descriptor {holding.fd} open, a socket {_which(socket)}, and never used it."
        harms = kept > _HELD_FOR and all(other.end in ("closed", "exit") for other in others) and bool(others)
        if harms:
            says += f" It kept it for {milliseconds(kept)} after everyone else had closed it, so that the connection did not end."
        evidence = (socket.made_at, holding.opened_at, *(other.ended_at for other in others if other.ended_at >= 0))
        yield Found(process=process, says=says, evidence=evidence, severity="fault" if harms else "warning")


def _which(socket: Socket) -> str:
    return socket.ends if socket.listening >= 0 else f"({socket.ends})"


def _used_below(world: World, holding: Holding) -> bool:
    if holding.used:
        return True
    below = [other for other in holding.socket.holdings if other.source is holding]
    return any(_used_below(world, other) for other in below)


def _leaked_over_fork(world: World) -> Iterator[Found]:
    """A process keeps a socket that it shares by a fork, never uses it after that, and everyone who did use it has closed it: the
    peer is not told. False for listeners that only end with their process (workers share them on purpose), where shutdown() or
    the peer had ended the connection already, and while nobody has waited."""
    for socket in world.sockets:
        if socket.kind != "tcp" or len(socket.holdings) < 2 or not (socket.connected or socket.listening >= 0):
            continue
        for holding in socket.holdings:
            found = _kept(world, socket, holding)
            if found is not None:
                yield found


def _kept(world: World, socket: Socket, holding: Holding) -> Found | None:
    if holding.opened == "exec" or holding.end not in ("", "exit", "closed") or not (holding.opened == "fork" or holding.shared):
        return None
    others = [other for other in socket.holdings if other.process is not holding.process]
    if not others or any(other.end not in ("closed", "exit", "exec") for other in others):
        return None
    since = holding.began if holding.opened == "fork" else min(holding.shared)
    if any(use.call.call != "close" and (use.call.began > since or not use.call.returned) for use in holding.uses):
        return None
    if holding.watched:
        return None
    if not any(_theirs(other) for other in others):
        return None
    last = max(others, key=lambda other: other.ended or 0)
    ended = last.ended or world.ended
    listening = socket.listening >= 0
    if last.end != "closed" and (listening or not last.uses):
        return None
    kept = (holding.ended or world.ended) - ended
    if kept < _HELD_FOR or _finished(socket, ended):
        return None
    what = "keeps accepting connections that nobody will take" if listening else "is not closed: its peer sees no FIN"
    says = (
        f"{last.process.program}[{last.process.pid}] closed its descriptor {last.fd} ({socket.ends}), but this process has had the"
        f" same socket as descriptor {holding.fd} since a fork, never used it, and kept it for another {milliseconds(kept)}."
        f" It {what}."
    )
    evidence = tuple(index for index in (holding.opened_at, last.opened_at, last.ended_at) if index >= 0)
    return Found(process=holding.process, says=says, evidence=evidence, severity="note" if _peer_was_first(socket, ended) else None)


def _peer_was_first(socket: Socket, at: int) -> bool:
    """Whether the peer had closed by then: it hardly waits for our end. (A server's child that saves a snapshot is such a case.)"""
    read = any(use.call.call in RECEIVES and succeeded(use.call) and use.call.result == 0 for use in socket.uses)
    return read or any(state.new == "CLOSE_WAIT" and state.time <= at for _, state in socket.states)


def _theirs(holding: Holding) -> bool:
    """Whether the socket was this process' to work with: a copy that is closed unused is how to share rightly."""
    return holding.opened in ("made", "accepted") or holding.watched or any(use.call.call != "close" for use in holding.uses)


def _finished(socket: Socket, at: int) -> bool:
    """Whether the connection had ended on our side by then, whoever held it."""
    shut = any(
        use.call.call == "shutdown" and succeeded(use.call) and (words(use.call) & {"SHUT_WR", "SHUT_RDWR"} or shut_writing(use))
        for use in socket.uses
    )
    return shut or any(state.new in _CLOSED_BY_FIN and state.time <= at for _, state in socket.states)


def shut_writing(use: Use) -> bool:
    """Whether a shutdown() ended this side's sending."""
    how = use.call.arguments.get("how")
    return how in (1, 2, "SHUT_WR", "SHUT_RDWR")


def _double_close(world: World) -> Iterator[Found]:
    """close() of a number that was a socket, is closed, and was not given out again. A warning where the process has one thread and
    nothing could take the number between. False in a sweep, where a program closes all numbers in a row whatever they are: known
    by one in the row that never was anything."""
    for process in world.processes:
        for use in process.uses:
            call = use.call
            if call.call != "close" or call.errno != "EBADF" or use.was is None or use.was.end != "closed" or _sweep(use):
                continue
            was = use.was
            says = (
                f"close({call.fd}) gave EBADF: the number was a socket ({was.socket.ends}) that"
                f" {_thread(was, use)} had closed {milliseconds(call.began - (was.ended or 0))} before. Had another thread or a"
                " library been given the number meanwhile, this would have closed theirs."
            )
            severity: Severity = "fault" if len(process.threads) > 1 else "warning"
            yield Found(process=process, says=says, evidence=(was.opened_at, was.ended_at, use.index), severity=severity)


def _thread(was: Holding, use: Use) -> str:
    closing = next((one for one in reversed(was.uses) if one.index == was.ended_at), None)
    same = closing is None or closing.call.tid == use.call.tid
    return "it" if same else f"thread {closing.call.tid if closing else 0}"


def _sweep(use: Use) -> bool:
    for direction in (use.process.next_in_thread(use), use.process.before_in_thread(use)):
        step = 0
        before = use.call.fd
        for other in direction:
            difference = other.call.fd - before
            if other.call.call != "close" or abs(difference) != 1 or (step and difference != step):
                break
            if other.call.errno == "EBADF" and other.was is None:
                return True
            step, before = difference, other.call.fd
    return False


def _use_after_close(world: World) -> Iterator[Found]:
    """A call on a number that was a socket and is closed (EBADF), or is no socket's now (ENOTSOCK), or another's: data moved on one
    that was never connected, under the number of one that was. False for what only asks whether a number is open (fcntl, poll,
    epoll_ctl after a close, which the kernel has done already)."""
    told: dict[tuple[int, int], list[Use]] = {}
    was: dict[tuple[int, int], Holding] = {}
    for process in world.processes:
        for use in process.uses:
            before = use.was if use.was is not None and use.was.end == "closed" else _reused(use)
            if before is not None and use.call.call in ACTS_ON_SOCKET:
                key = id(process), id(before)
                told.setdefault(key, []).append(use)
                was[key] = before
    for key, uses in told.items():
        first, before = uses[0], was[key]
        call = first.call
        now = {"EBADF": "is closed", "ENOTSOCK": "is no socket any more"}.get(call.errno, "is another socket now, never connected")
        says = (
            f"{call.call}({call.fd}) gave {call.errno}: the number was a socket ({before.socket.ends}), closed"
            f" {milliseconds(max(0, call.began - (before.ended or 0)))} before, and {now}."
        )
        says += f" It was used {times(len(uses))} like this." if len(uses) > 1 else ""
        yield Found(
            process=first.process, says=says, evidence=(before.opened_at, before.ended_at, *(use.index for use in uses[:3]))
        )


def _reused(use: Use) -> Holding | None:
    """What the number of a call had been, when the call makes sense only for that."""
    call, socket, holding = use.call, use.socket, use.holding
    if socket is None or holding is None or call.call not in TRANSFERS or call.errno not in ("ENOTCONN", "EPIPE", "EDESTADDRREQ"):
        return None
    if socket.kind != "tcp" or socket.made_at < 0 or socket.connected or any(one.call.call == "connect" for one in socket.uses):
        return None
    earlier = [one for one in use.process.holdings if one.fd == call.fd and one.end == "closed" and one.began < holding.began]
    return earlier[-1] if earlier and earlier[-1].socket.connected else None


_CLOSE = "POSIX.1-2024 close(): [EBADF] the fildes argument is not an open file descriptor"

RULES = (
    Rule(
        id="use.open-at-exit",
        title="Sockets left open at exit",
        source="POSIX.1-2024 _exit(): all of the file descriptors open in the calling process shall be closed",
        severity="note",
        needs=(("calls",),),
        find=_open_at_exit,
    ),
    Rule(
        id="use.leaked-over-exec",
        title="Socket leaked over exec",
        source="POSIX.1-2024 exec: descriptors remain open except those with FD_CLOEXEC; open(2), O_CLOEXEC",
        severity="warning",
        needs=(("calls",),),
        find=_leaked_over_exec,
    ),
    Rule(
        id="use.leaked-over-fork",
        title="Socket leaked over fork",
        source="POSIX.1-2024 fork(): the child has its own copy of the parent's descriptors; close(): a socket is destroyed with"
        " the last descriptor",
        severity="fault",
        needs=(("calls",),),
        find=_leaked_over_fork,
    ),
    Rule(
        id="use.double-close",
        title="Socket closed twice",
        source=_CLOSE,
        severity="fault",
        needs=(("calls",),),
        find=_double_close,
    ),
    Rule(
        id="use.after-close",
        title="Socket used after it was closed",
        source="POSIX.1-2024 §2.14: the lowest number available is given out again; send(): [EBADF], [ENOTSOCK], [ENOTCONN]",
        severity="fault",
        needs=(("calls",),),
        find=_use_after_close,
    ),
)
