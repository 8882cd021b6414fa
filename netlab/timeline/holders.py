"""Which descriptor of which process was which socket, and from when until when. It knows descriptors, and nothing of addresses.

A process is an agent's (by the scenario's name) or any other (by its pid). A number is used again as soon as it is free, so a
descriptor is a number with a time. Sources: dup(2), fork(2), execve(2), close(2), fcntl(2), proc(5).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from netlab.notation.calls import CallText
from netlab.notation.parse import NotationError, parse_step
from netlab.notation.values import Name, Number
from netlab.timeline.observations import (
    AnyObservation,
    CallReturned,
    CallStarted,
    DescriptorSeen,
    DescriptorTable,
    Named,
    ProcessExecuted,
    ProcessExited,
    ProcessForked,
    SystemCall,
)

_SOCKET = re.compile(r"socket:\[(\d+)\]")
_COPIES = frozenset({"dup", "dup2", "dup3", "fcntl"})
_FOR_EXEC = frozenset({"SOCK_CLOEXEC", "O_CLOEXEC", "FD_CLOEXEC", "F_DUPFD_CLOEXEC"})
_UNKNOWN = -1
Process = tuple[str, str | int]


@dataclass(kw_only=True, slots=True)
class Holding:
    """A process (``process`` by its name, or ``program`` with ``pid``) had the socket as descriptor ``fd``, from ``began`` until
    ``ended`` (None: to the end). ``given`` are the scenario's names for it, each with its time."""

    host: str
    fd: int
    inode: int
    began: int
    ended: int | None = None
    process: str = ""
    program: str = ""
    pid: int = 0
    close_on_exec: bool = False
    given: list[tuple[int, str]] = field(default_factory=list)

    def covers(self, time: int) -> bool:
        """Whether it was held at that time."""
        return self.began <= time and (self.ended is None or time <= self.ended)


class Holders:
    """All descriptors of all processes, fed with observations in the order of time."""

    def __init__(self, observations: Iterable[AnyObservation]) -> None:
        self._open: dict[Process, dict[int, Holding]] = {}
        self.history: dict[tuple[Process, int], list[Holding]] = {}
        self._names: dict[tuple[str, str], list[tuple[int, int]]] = {}
        self._started: dict[tuple[str, int], tuple[CallStarted, CallText | None]] = {}
        for seen in observations:
            self._take(seen)

    def _take(self, seen: AnyObservation) -> None:
        match seen:
            case Named():
                self._named(seen)
            case CallStarted():
                self._started[seen.process, seen.id] = (seen, _parsed(seen))
            case CallReturned(call="close", result=0):
                self._end((seen.host, seen.process), self._first(seen), seen.time)
            case DescriptorTable():
                self._table(seen)
            case SystemCall():
                self._called(seen)
            case DescriptorSeen():
                found = _SOCKET.fullmatch(seen.target)
                one = self._hold(_key(seen.host, seen.pid), seen.fd, int(found[1]) if found else 0, seen.time, seen.program)
                one.close_on_exec = seen.close_on_exec
            case ProcessForked(thread=False):
                for fd, one in list(self._open.get(_key(seen.host, seen.parent), {}).items()):
                    copy = self._hold(_key(seen.host, seen.pid), fd, one.inode, seen.time, seen.program)
                    copy.close_on_exec = one.close_on_exec
            case ProcessExecuted():
                for fd, one in list(self._open.get(_key(seen.host, seen.pid), {}).items()):
                    one.program = seen.program
                    if one.close_on_exec:
                        self._end(_key(seen.host, seen.pid), fd, seen.time)
            case ProcessExited():
                for fd in list(self._open.get(_key(seen.host, seen.pid), {})):
                    self._end(_key(seen.host, seen.pid), fd, seen.time)

    def inode(self, host: str, process: str | int, fd: int, time: int) -> int:
        """The inode of the socket that the descriptor was at that time, 0 where it was none or that was not seen."""
        for one in self.history.get((_key(host, process), fd), ()):
            if one.covers(time):
                return one.inode
        return 0

    def inode_of_call(self, seen: CallStarted | CallReturned) -> int:
        """The socket that an agent's call is about: its first argument's; of a call that makes one (socket), the one made."""
        started, text = self._started.get((seen.process, seen.id), (None, None))
        began = seen.began if isinstance(seen, CallReturned) and seen.began else started.time if started else seen.time
        fd = self._first(seen)
        if fd != _UNKNOWN:
            return self.inode(seen.host, seen.process, fd, began)
        if text is None or (text.call.arguments[:1] and isinstance(text.call.arguments[0], Name | Number)):
            return 0
        made = [self._given(seen.host, seen.process, name, began) for name in text.call.binds]
        return made[0] if len(made) == 1 else 0

    def arguments(self, seen: CallStarted | CallReturned) -> CallText | None:
        """An agent's call as it was written; None where that was not seen or cannot be read."""
        return self._started.get((seen.process, seen.id), (None, None))[1]

    def _given(self, host: str, process: str, name: str, since: int) -> int:
        """What a name was given for, once the call that began at ``since`` had returned."""
        for time, fd in self._names.get((process, name), ()):
            if time >= since:
                return self.inode(host, process, fd, time)
        return 0

    def _first(self, seen: CallStarted | CallReturned) -> int:
        """The descriptor that the call's first argument stood for when the call began."""
        started, text = self._started.get((seen.process, seen.id), (None, None))
        if started is None or text is None or not text.call.arguments:
            return _UNKNOWN
        call = text.call.inner or text.call
        first = call.arguments[0] if call.arguments else None
        if isinstance(first, Number) and call.name != "socket":
            return first.value
        if not isinstance(first, Name):
            return _UNKNOWN
        numbers = [fd for time, fd in self._names.get((started.process, first.name), ()) if time <= started.time]
        return numbers[-1] if numbers else _UNKNOWN

    def _named(self, seen: Named) -> None:
        self._names.setdefault((seen.process, seen.name), []).append((seen.time, seen.fd))
        self._hold((seen.host, seen.process), seen.fd, seen.inode, seen.time).given.append((seen.time, seen.name))

    def _table(self, seen: DescriptorTable) -> None:
        process = (seen.host, seen.process)
        for fd in set(self._open.get(process, {})) - set(seen.table):
            self._end(process, fd, seen.time)
        for fd, target in seen.table.items():
            found = _SOCKET.fullmatch(target)
            if found:
                self._hold(process, fd, int(found[1]), seen.time)

    def _called(self, seen: SystemCall) -> None:
        process = _key(seen.host, seen.pid)
        held = self._open.get(process, {}).get(seen.fd)
        if seen.inode and seen.fd >= 0:
            held = self._hold(process, seen.fd, seen.inode, seen.began, seen.program)
        if seen.errno or not seen.returned:
            return
        flags = {
            str(word) for value in seen.arguments.values() for word in (value if isinstance(value, list | tuple) else (value,))
        }
        if seen.call == "close":
            self._end(process, seen.fd, seen.time)
        elif seen.made or (seen.call in _COPIES and held is not None and _copied(seen, flags)):
            made = seen.made or (held.inode if held is not None else 0)
            self._hold(process, seen.result, made, seen.time, seen.program).close_on_exec = bool(flags & _FOR_EXEC)
        elif seen.call == "fcntl" and held is not None and "F_SETFD" in flags:
            held.close_on_exec = "FD_CLOEXEC" in flags

    def _hold(self, process: Process, fd: int, inode: int, time: int, program: str = "") -> Holding:
        """From now on the descriptor is this socket, as it may have been already."""
        known = self._open.setdefault(process, {}).get(fd)
        if known is not None and known.inode == inode:
            known.program = program or known.program
            return known
        self._end(process, fd, time)
        host, who = process
        one = Holding(host=host, fd=fd, inode=inode, began=time, program=program)
        if isinstance(who, str):
            one.process = who
        else:
            one.pid = who
        self._open[process][fd] = one
        self.history.setdefault((process, fd), []).append(one)
        return one

    def _end(self, process: Process, fd: int, time: int) -> None:
        ended = self._open.get(process, {}).pop(fd, None)
        if ended is not None:
            ended.ended = time


def _key(host: str, process: str | int) -> Process:
    return host, process


def _copied(seen: SystemCall, flags: set[str]) -> bool:
    return seen.call != "fcntl" or bool(flags & {"F_DUPFD", "F_DUPFD_CLOEXEC"})


def _parsed(seen: CallStarted) -> CallText | None:
    try:
        text = parse_step(seen.text.removeprefix(f"{seen.process}: "))
    except NotationError:
        return None
    return text if isinstance(text, CallText) else None
