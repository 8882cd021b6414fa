"""From observations to a world: who had which socket under which number, when, and by which call.

It follows what each call did to the process' table and refuses to know whether that was right. A descriptor is taken out of the
table when close() begins, since the kernel does so first and another thread may be given the number before close() returns; one is
put in when the call that makes it returns. What a source did not see (a file opened under the number, a descriptor received by
SCM_RIGHTS) shows in the inode of the next call and mends the table.
"""

from collections.abc import Iterable

from netlab.check.use.syscalls import (
    ACCEPTS,
    CLOSES,
    DUPLICATES,
    IN_PROGRESS,
    MAKES_SOCKET,
    TRANSFERS,
    address,
    number,
    passed,
    succeeded,
    waited_for,
    words,
)
from netlab.check.use.world import Ended, Holding, Opened, Process, Socket, Use, World
from netlab.timeline.observation import Observation
from netlab.timeline.process_events import (
    DescriptorSeen,
    ProcessExecuted,
    ProcessExited,
    ProcessForked,
    SignalDelivered,
    SystemCall,
)
from netlab.timeline.timeline import Timeline

_Told = SystemCall | ProcessForked | ProcessExecuted | ProcessExited | SignalDelivered | DescriptorSeen
_KINDS = {"SOCK_STREAM": "tcp", "SOCK_DGRAM": "udp"}
_INTERNET = frozenset({"AF_INET", "AF_INET6", "PF_INET", "PF_INET6"})
_OTHER_STREAMS = frozenset({"IPPROTO_SCTP", "IPPROTO_SMC"})
_CLOSE_ON_EXEC = frozenset({"SOCK_CLOEXEC", "O_CLOEXEC", "FD_CLOEXEC", "F_DUPFD_CLOEXEC"})


def fold(timeline: Timeline) -> World:
    """The world that these observations tell of, without what the kernel did to its connections (joining.py adds that)."""
    folding = _Folding(timeline)
    for index, told in _ordered(timeline.observations):
        folding.take(index, told)
    return folding.finish()


def _ordered(observations: Iterable[Observation]) -> list[tuple[int, _Told]]:
    """What processes did in the order of its effect on their tables."""
    told = [(index, seen) for index, seen in enumerate(observations) if isinstance(seen, _Told)]
    first: dict[tuple[str, int], int] = {}
    for _, seen in told:
        if isinstance(seen, SystemCall):
            key = seen.host, seen.pid
            first[key] = min(first.get(key, seen.began), seen.began)

    def effect(entry: tuple[int, _Told]) -> tuple[int, int]:
        index, seen = entry
        if isinstance(seen, SystemCall) and seen.call in CLOSES:
            return seen.began, index
        if isinstance(seen, ProcessForked) and not seen.thread:
            # Where fork() is known by its return, the child may have been faster than its parent.
            return min(seen.time, first.get((seen.host, seen.pid), seen.time) - 1), index
        return seen.time, index

    return sorted(told, key=effect)


class _Folding:
    def __init__(self, timeline: Timeline) -> None:
        self._world = World(timeline=timeline, ended=max((seen.time for seen in timeline.observations), default=0))
        self._running: dict[tuple[str, int], Process] = {}
        self._sockets: dict[tuple[str, int], Socket] = {}
        self._unknown = 0
        # An inode of 0 says "no socket" only where the source looks inodes up at all.
        self._inodes = {seen.source for seen in timeline.observations if isinstance(seen, SystemCall) and (seen.inode or seen.made)}

    def take(self, index: int, told: _Told) -> None:
        """Fold one observation in."""
        match told:
            case SystemCall():
                self._called(index, told)
            case ProcessForked():
                if not told.thread:
                    self._forked(index, told)
            case ProcessExecuted():
                self._executed(index, told)
            case ProcessExited():
                self._exited(index, told)
            case SignalDelivered():
                self._process(told.host, told.pid, told.program, told.time).signals.append((index, told))
            case DescriptorSeen():
                self._listed(index, told)

    def finish(self) -> World:
        """The world, complete."""
        for process in self._running.values():
            process.ended = self._world.ended
        return self._world

    def _process(self, host: str, pid: int, program: str, at: int) -> Process:
        process = self._running.get((host, pid))
        if process is None:
            process = self._running[host, pid] = Process(host=host, pid=pid, program=program, began=at)
            self._world.processes.append(process)
        return process

    def _socket(self, host: str, inode: int) -> Socket:
        if not inode:
            self._unknown -= 1
            inode = self._unknown
        socket = self._sockets.get((host, inode))
        if socket is None:
            socket = self._sockets[host, inode] = Socket(host=host, inode=inode)
            self._world.sockets.append(socket)
        return socket

    def _open(self, process: Process, fd: int, socket: Socket, opened: Opened, at: int, index: int, cloexec: bool) -> Holding:
        self._end(process, fd, "lost", at, index)
        holding = Holding(process=process, fd=fd, socket=socket, opened=opened, began=at, opened_at=index, close_on_exec=cloexec)
        process.table[fd] = holding
        process.past.pop(fd, None)
        process.touched.add(fd)
        process.holdings.append(holding)
        socket.holdings.append(holding)
        return holding

    @staticmethod
    def _end(process: Process, fd: int, end: Ended, at: int, index: int) -> Holding | None:
        process.touched.add(fd)
        holding = process.table.pop(fd, None)
        if holding is not None:
            holding.end, holding.ended, holding.ended_at = end, at, index
        return holding

    def _called(self, index: int, call: SystemCall) -> None:
        process = self._process(call.host, call.pid, call.program, call.began)
        if call.tid == call.pid:
            process.program = call.program  # threads have names of their own
        thread = process.threads.setdefault(call.tid, [])
        use = Use(index=index, call=call, process=process, in_thread=len(thread))
        thread.append(use)
        process.uses.append(use)
        if call.call == "close_range":
            self._closed_range(index, call, process)
            return
        if call.fd >= 0:
            self._about(use)
        if use.socket is not None:
            self._connecting(use.socket, call)
        for fd in waited_for(call):
            if fd in process.table and process.table[fd].watched_since is None:
                process.table[fd].watched_since = call.began
        if call.call == "close" and call.errno != "EBADF" and call.fd >= 0:
            holding = self._end(process, call.fd, "closed", call.began, index)
            if holding is None:
                process.past.pop(call.fd, None)
            else:
                process.past[call.fd] = holding
        elif succeeded(call):
            self._changed(use)

    @staticmethod
    def _connecting(socket: Socket, call: SystemCall) -> None:
        if call.call == "connect" and (not call.errno or call.errno in IN_PROGRESS):
            socket.peer = address(call) or socket.peer
        if socket.kind == "tcp" and call.call in TRANSFERS and succeeded(call) and call.result > 0:
            socket.connected = True

    def _about(self, use: Use) -> None:
        """Find the socket that a call is about."""
        call, process = use.call, use.process
        holding = process.table.get(call.fd)
        if call.errno == "EBADF":
            use.was = process.past.get(call.fd)
            return
        if call.errno == "ENOTSOCK":
            use.was = process.past.pop(call.fd, None) or self._end(process, call.fd, "lost", call.began, use.index)
            return
        if call.inode:
            if holding is None or holding.socket.inode != call.inode:
                socket = self._socket(call.host, call.inode)
                holding = self._open(process, call.fd, socket, "seen", call.began, use.index, cloexec=False)
        elif call.source in self._inodes:
            self._end(process, call.fd, "lost", call.began, use.index)
            process.past.pop(call.fd, None)
            return
        if holding is not None:
            use.socket, use.holding = holding.socket, holding
            holding.uses.append(use)
            holding.socket.uses.append(use)

    def _changed(self, use: Use) -> None:
        """What a call that succeeded did to the table or to its socket."""
        call, socket, process = use.call, use.socket, use.process
        for fd, inode in passed(call):
            if inode:
                self._open(process, fd, self._socket(call.host, inode), "seen", call.time, use.index, cloexec=False)
            else:
                self._end(process, fd, "lost", call.time, use.index)
                process.past.pop(fd, None)
        if call.call in MAKES_SOCKET:
            self._made(use)
        elif call.call in DUPLICATES or (call.call == "fcntl" and words(call) & {"F_DUPFD", "F_DUPFD_CLOEXEC"}):
            self._duplicated(use)
        elif socket is None:
            return
        elif call.call == "listen":
            socket.listening = use.index if socket.listening < 0 else socket.listening
            backlog = number(call, "backlog")
            socket.backlog = socket.backlog if backlog is None else backlog
        elif call.call in ("bind", "getsockname"):
            socket.bound = address(call) or socket.bound
        elif call.call in ("connect", "getpeername"):
            socket.connected, socket.peer = True, address(call) or socket.peer
        elif call.call in ("fcntl", "ioctl") and use.holding is not None:
            self._flagged(use.holding, call)

    @staticmethod
    def _flagged(holding: Holding, call: SystemCall) -> None:
        asked = words(call)
        if "FIOCLEX" in asked or "FIONCLEX" in asked:
            holding.close_on_exec = "FIOCLEX" in asked
        elif "F_SETFD" in asked:
            value = number(call, "value", "argument", "flags")
            holding.close_on_exec = "FD_CLOEXEC" in asked or bool(value and value & 1)

    def _made(self, use: Use) -> None:
        call, process = use.call, use.process
        made = self._socket(call.host, call.made)
        made.made_at = use.index
        if call.call in ACCEPTS:
            made.listener, made.connected, made.peer = use.socket, True, address(call)
            made.kind = use.socket.kind if use.socket else made.kind
        else:
            asked = words(call)
            stream = next((kind for word, kind in _KINDS.items() if word in asked), "other")
            made.kind = stream if asked & _INTERNET and not asked & _OTHER_STREAMS else "other"
        use.made = made
        opened: Opened = "accepted" if call.call in ACCEPTS else "made"
        self._open(process, call.result, made, opened, call.time, use.index, bool(words(call) & _CLOSE_ON_EXEC))

    def _duplicated(self, use: Use) -> None:
        call, process = use.call, use.process
        socket = self._socket(call.host, call.made) if call.made else use.socket
        if socket is None:
            self._end(process, call.result, "lost", call.time, use.index)
            process.past.pop(call.result, None)
            return
        if call.call == "dup2" and call.result == call.fd:
            return
        self._end(process, call.result, "closed", call.time, use.index)
        use.made = socket
        cloexec = bool(words(call) & _CLOSE_ON_EXEC)
        self._open(process, call.result, socket, "duplicated", call.time, use.index, cloexec).source = use.holding

    def _closed_range(self, index: int, call: SystemCall, process: Process) -> None:
        if call.errno:
            return
        first, last = number(call, "first"), number(call, "last")
        first = call.fd if first is None else first
        for fd in [fd for fd in process.table if fd >= first and (last is None or last < 0 or fd <= last)]:
            if "CLOSE_RANGE_CLOEXEC" in words(call):
                process.table[fd].close_on_exec = True
            else:
                self._end(process, fd, "closed", call.began, index)

    def _forked(self, index: int, fork: ProcessForked) -> None:
        parent = self._process(fork.host, fork.parent, "", fork.time)
        child = self._process(fork.host, fork.pid, fork.program or parent.program, fork.time)
        child.parent = parent
        for fd, holding in parent.table.items():
            if fd not in child.touched:
                holding.shared.append(fork.time)
                got = self._open(child, fd, holding.socket, "fork", fork.time, index, holding.close_on_exec)
                got.source = holding
        child.past.update({fd: was for fd, was in parent.past.items() if fd not in child.touched})

    def _executed(self, index: int, executed: ProcessExecuted) -> None:
        process = self._process(executed.host, executed.pid, executed.program, executed.time)
        process.executed.append((index, executed.time, executed.path))
        process.program = executed.program
        process.past.clear()
        for fd, holding in list(process.table.items()):
            self._end(process, fd, "exec", executed.time, index)
            if not holding.close_on_exec:
                got = self._open(process, fd, holding.socket, "exec", executed.time, index, cloexec=False)
                got.source = holding

    def _exited(self, index: int, exited: ProcessExited) -> None:
        process = self._process(exited.host, exited.pid, exited.program, exited.time)
        process.status, process.ended, process.ended_at = exited.status, exited.time, index
        for holding in process.table.values():
            holding.end, holding.ended, holding.ended_at = "exit", exited.time, index
        del self._running[exited.host, exited.pid]

    def _listed(self, index: int, seen: DescriptorSeen) -> None:
        process = self._process(seen.host, seen.pid, seen.program, seen.time)
        if not seen.target.startswith("socket:["):
            return
        inode = int(seen.target[8:-1])
        holding = process.table.get(seen.fd)
        if holding is None or (holding.socket.inode != inode and holding.socket.inode > 0):
            holding = self._open(process, seen.fd, self._socket(seen.host, inode), "seen", seen.time, index, cloexec=False)
        holding.close_on_exec = seen.close_on_exec
