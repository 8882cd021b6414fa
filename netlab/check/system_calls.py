"""Whether the system calls of programs gave what the model of the sockets API allows: the calls of a timeline, or of an strace log.

Of programs nobody knows all: descriptors that were inherited, calls that were not traced, others on the network. What hangs on
that is not judged, and how much was judged is told. It does not say whether a program used its sockets well: check/use does.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from netlab.check.oracle import ID, Judged, verdict_of
from netlab.check.use.syscalls import INTERRUPTED
from netlab.check.verdicts import Verdict
from netlab.model.sockets.oracle import Inconsistency, Oracle
from netlab.model.sockets.outcomes import Seen
from netlab.model.sockets.world import Host, Process, World
from netlab.notation.calls import Call
from netlab.notation.constants import constant, known
from netlab.notation.values import Buffer, Constant, Name, Number, SocketAddress, Structure, Value
from netlab.timeline.observation import Observation
from netlab.timeline.process_events import ProcessExecuted, ProcessForked, SystemCall

__all__ = ["ID", "follow_programs", "judge_programs"]

_Arguments = Mapping[str, Any]
_UNSEEN = INTERRUPTED | {"ENFILE", "ENOMEM", "ENOBUFS"}
"""What a call may give in any situation: a signal came, or the machine is short of something."""


def judge_programs(observations: tuple[Observation, ...]) -> Verdict | None:
    """PASS, or FAIL at the first system call that no rule explains; None where none could be judged."""
    return verdict_of(follow_programs(observations), observations)


def follow_programs(observations: tuple[Observation, ...]) -> Judged:
    """Feed the oracle with all system calls, up to the first that no rule explains."""
    following = _Following()
    for index, seen in enumerate(observations):
        match seen:
            case SystemCall() if seen.returned:
                following.called(seen)
            case ProcessForked() if not seen.thread:
                following.lost(f"{seen.host}/{seen.pid}", seen.host)
            case ProcessExecuted():
                following.lost(f"{seen.host}/{seen.pid}", seen.host)
        if following.wrong is not None:
            return following.result(index)
    return following.result(-1)


class _Following:
    def __init__(self) -> None:
        self._oracle = Oracle(World(hosts={}, strangers=True, certain=False))
        self._calls = self._judged = 0
        self.wrong: Inconsistency | None = None

    def called(self, seen: SystemCall) -> None:
        """A system call that returned, whole."""
        name = f"{seen.host}/{seen.pid}"
        if name not in self._oracle.worlds[0].processes:
            self.lost(name, seen.host)
        call = written(seen)
        if call is None or seen.errno in _UNSEEN:
            self._touched(name, seen)
            return
        self._expect(name, _numbers(seen))
        number = self._oracle.start(name, call, seen.began)
        gave = Seen(result=seen.result, errno=seen.errno, elapsed=seen.time - seen.began, partial=not seen.errno)
        found = self._oracle.returned(number, gave, seen.time)
        self._expect(name, ())
        self._calls += 1
        self._judged += found.judged
        self.wrong = found.inconsistency
        if call.name == "close" and not seen.errno:
            self._gone(name, seen.fd)

    def lost(self, name: str, host: str) -> None:
        """From now on nothing is known about a process' descriptors: it is new to us, or has become another program."""
        self._each(lambda world: _beginning(world, name, host))

    def result(self, index: int) -> Judged:
        """What was found."""
        return Judged(
            calls=self._calls, judged=self._judged, reached=frozenset(self._oracle.reached), wrong=self.wrong, index=index
        )

    def _touched(self, name: str, seen: SystemCall) -> None:
        """A call that is not modelled: the descriptors that it names or gives are unknown now."""
        numbers = {seen.fd, *_numbers(seen)} - {-1}
        if seen.call == "close_range":
            self.lost(name, seen.host)
        elif numbers:
            self._each(lambda world: _without(world, name, numbers))

    def _expect(self, name: str, numbers: tuple[int, ...]) -> None:
        """The numbers that the next descriptors get were seen; what we thought was there is gone without a trace."""

        def told(world: World) -> World:
            world = _without(world, name, set(numbers))
            return world.with_process(name, msgspec.structs.replace(world.processes[name], told=numbers))

        self._each(told)

    def _gone(self, name: str, fd: int) -> None:
        def gone(world: World) -> World:
            process = world.processes[name]
            return world.with_process(name, msgspec.structs.replace(process, gone=process.gone | {fd}))

        self._each(gone)

    def _each(self, change: Callable[[World], World]) -> None:
        self._oracle.change(change(world) for world in self._oracle.worlds)


def _beginning(world: World, name: str, host: str) -> World:
    world = world.with_process(name, Process(host=host, whole=False, limited=False, handled={}))
    if host not in world.hosts:
        world.hosts = {**world.hosts, host: Host(name=host, default=frozenset({4, 6}))}
    return world


def _without(world: World, name: str, numbers: set[int]) -> World:
    process = world.processes[name]
    table = {fd: one for fd, one in process.table.items() if fd not in numbers}
    return world.with_process(name, msgspec.structs.replace(process, table=table, gone=process.gone - numbers))


def _numbers(seen: SystemCall) -> tuple[int, ...]:
    """The descriptors that a call made."""
    if seen.errno:
        return ()
    if seen.call in ("socketpair", "pipe", "pipe2"):
        return tuple(seen.arguments.get("descriptors") or ())
    makes = seen.call in ("socket", "accept", "accept4", "dup", "epoll_create1", "open", "openat", "eventfd2", "timerfd_create")
    return (seen.result,) if makes or str(seen.arguments.get("command", "")).startswith("F_DUPFD") else ()


def written(seen: SystemCall) -> Call | None:
    """The call in the notation; None for one that cannot be said with what is known of its arguments."""
    arrange = _ARRANGED.get(seen.call)
    if arrange is None:
        return None
    try:
        given = arrange(seen.arguments)
    except (KeyError, TypeError, ValueError):
        return None
    head = () if seen.call in ("socket", "socketpair") else (Number(seen.fd),)
    return Call(seen.call, (*head, *given))


def _word(value: Any) -> Value:
    """A constant by its name, several of them, or a number."""
    if isinstance(value, int):
        return Number(value)
    names = [value] if isinstance(value, str) else list(value)
    if not all(isinstance(name, str) and known(name) for name in names):
        raise ValueError(f"no constant: {value}")
    return Constant(tuple(names)) if names else Number(0)


def _socket(a: _Arguments) -> tuple[Value, ...]:
    number = constant(a["type"]) if isinstance(a["type"], str) else a["type"]
    for flag in a.get("flags") or ():
        number |= constant(flag)
    return _word(a["domain"]), Number(number), _word(a.get("protocol") or 0)


def _address(a: _Arguments) -> Value:
    said = a.get("address")
    if isinstance(said, str):
        form = "abstract" if said.startswith("@") else "path"
        return SocketAddress("unix", host=said.removeprefix("@"), variant=form if said else "unnamed")
    if said is None:
        raise ValueError("no address")
    return SocketAddress("ip", host=said[0], port=said[1])


def _room(a: _Arguments) -> Value:
    if not isinstance(a.get("length"), int):
        raise TypeError("no length")
    return Buffer(a["length"])


def _option(a: _Arguments) -> tuple[Value, ...]:
    value = a.get("value")
    if isinstance(value, int) and not isinstance(value, bool):
        return _word(a["level"]), _word(a["option"]), Number(value)
    if isinstance(value, list | tuple) and all(isinstance(one, int) for one in value) and a["option"] == "SO_LINGER":
        return _word(a["level"]), _word(a["option"]), Structure("linger", tuple(value))
    raise ValueError("no value")


_ARRANGED: Mapping[str, Callable[[_Arguments], tuple[Value, ...]]] = MappingProxyType({
    "socket": _socket,
    "socketpair": _socket,
    "bind": lambda a: (_address(a),),
    "connect": lambda a: (_address(a),),
    "listen": lambda a: (Number(a["backlog"]),),
    "accept": lambda a: (),
    "accept4": lambda a: (_word(a.get("flags") or 0),),
    "shutdown": lambda a: (_word(a["how"]),),
    "close": lambda a: (),
    "dup": lambda a: (),
    "getsockname": lambda a: (),
    "getpeername": lambda a: (),
    "read": lambda a: (_room(a),),
    "write": lambda a: (_room(a),),
    "sendto": lambda a: (_room(a), _word(a.get("flags") or 0), *((_address(a),) if "address" in a else ())),
    "recvfrom": lambda a: (_room(a), _word(a.get("flags") or 0)),
    "setsockopt": _option,
    "getsockopt": lambda a: (_word(a["level"]), _word(a["option"]), Name("BUF")),
})  # fmt: skip
"""Of each call its arguments after the descriptor, from what SystemCall.arguments has."""
