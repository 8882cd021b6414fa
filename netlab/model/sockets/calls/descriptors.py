"""close(), dup(), dup2(), dup3(), fcntl(): numbers for open file descriptions, and what stands in them and behind them.

What the end of an object means is not known here: ending.py has it from the parts that own the objects.
"""

from collections.abc import Iterable

import msgspec

from netlab.model.sockets.ending import closed
from netlab.model.sockets.names import DEVICES
from netlab.model.sockets.objects import File
from netlab.model.sockets.outcomes import FlagsSet, NewDescriptor, Outcome
from netlab.model.sockets.rules import EVERY, NOTHING, Guard, Rule, always, fails, gives, unmodelled
from netlab.model.sockets.situation import Situation
from netlab.model.sockets.world import Descriptor, World
from netlab.notation.constants import constant

_CLOEXEC, _ASYNC, _DIRECT = constant("O_CLOEXEC"), constant("O_ASYNC"), constant("O_DIRECT")
_SETTABLE = constant("O_APPEND") | constant("O_NONBLOCK") | _DIRECT | constant("O_NOATIME")
_SIGNALS = 64
_MOST_PROCESSES = 1 << 22  # PID_MAX_LIMIT, proc(5)
_PIPE_SIZE = 65536  # pipe(7)
_COMMANDS = {name: constant(name) for name in ("F_DUPFD", "F_GETFD", "F_SETFD", "F_GETFL", "F_SETFL", "F_GETOWN", "F_SETOWN",
                                               "F_GETSIG", "F_SETSIG", "F_DUPFD_CLOEXEC")}  # fmt: skip
_F_GETPIPE_SZ, _F_ADD_SEALS, _F_GET_SEALS = 1032, 1033, 1034
_OTHER_COMMANDS = frozenset({5, 6, 7, 12, 13, 14, 15, 16, 17, 36, 37, 38, *range(1024, 1043)}) - {1030, 1032, 1033, 1034}
"""Locks, leases, owners of other kinds, hints: include/uapi/linux/fcntl.h, include/uapi/asm-generic/fcntl.h."""
_ASYNCHRONOUS = ("tcp", "udp", "raw", "unix-stream", "unix-dgram", "unix-seqpacket", "pipe")
_ALL = (*EVERY, NOTHING)


def table_full(s: Situation, start: int = 0) -> bool | None:
    """Whether no descriptor from ``start`` on is free within RLIMIT_NOFILE; None where nobody told of all that are open."""
    full = s.process.beyond(s.process.lowest_free(start))
    return full if s.process.whole or s.process.told or full else None


def _no_room(s: Situation) -> bool | None:
    return table_full(s)


def _another(s: Situation, start: int = 0, *, cloexec: bool = False) -> Iterable[Outcome]:
    assert s.descriptor is not None
    fd = s.process.lowest_free(start)
    world = s.world.referred(s.process_name, fd, s.descriptor.description, cloexec=cloexec)
    yield Outcome(kind="returns", value=NewDescriptor(fd if s.process.whole or s.process.told else None), world=world)


# dup2, dup3


def _same(s: Situation) -> bool:
    return s.fd == s.number("target")


def _out_of_range(s: Situation) -> bool | None:
    return s.number("target") < 0 or s.process.beyond(s.number("target"))


def _reserved(s: Situation) -> bool:
    return s.number("target") in s.process.reserved


def _unknown_flags(s: Situation) -> bool:
    return bool(s.number("flags") & ~_CLOEXEC)


def _itself(s: Situation) -> Iterable[Outcome]:
    yield Outcome(kind="returns", value=NewDescriptor(s.fd), world=s.world)


def _put_over(s: Situation) -> Iterable[Outcome]:
    assert s.descriptor is not None
    target = s.number("target")
    world = closed(s.world, s.process_name, target) if target in s.process.table else s.world
    world = world.referred(s.process_name, target, s.descriptor.description, cloexec=bool(s.number("flags") & _CLOEXEC))
    yield Outcome(kind="returns", value=NewDescriptor(target), world=world)


# fcntl


def _command(s: Situation) -> int:
    return s.number("command")


_DUPLICATES = (_COMMANDS["F_DUPFD"], _COMMANDS["F_DUPFD_CLOEXEC"])


def _duplicates_too_high(s: Situation) -> bool | None:
    return _command(s) in _DUPLICATES and (s.number("argument") < 0 or s.process.beyond(s.number("argument")))


def _duplicates_without_room(s: Situation) -> bool | None:
    return _command(s) in _DUPLICATES and table_full(s, s.number("argument"))


def _duplicates(s: Situation) -> bool:
    return _command(s) in _DUPLICATES


def _duplicated(s: Situation) -> Iterable[Outcome]:
    return _another(s, s.number("argument"), cloexec=_command(s) == _COMMANDS["F_DUPFD_CLOEXEC"])


def _command_is(name: str) -> Guard:
    number = _COMMANDS[name]

    def when(s: Situation) -> bool:
        return _command(s) == number

    return when


def _plain(s: Situation, value: int, world: World | None = None) -> Iterable[Outcome]:
    # A name that the call binds stands for descriptors only.
    yield Outcome(kind="returns", value=value, world=world if world is not None else s.world, note=())


def _told_cloexec(s: Situation) -> Iterable[Outcome]:
    assert s.descriptor is not None
    return _plain(s, int(s.descriptor.close_on_exec))


def _with_cloexec(s: Situation) -> Iterable[Outcome]:
    assert s.descriptor is not None
    new = Descriptor(s.descriptor.description, bool(s.number("argument") & constant("FD_CLOEXEC")))
    table = {**s.process.table, s.fd: new}
    return _plain(s, 0, s.world.with_process(s.process_name, msgspec.structs.replace(s.process, table=table)))


def _told_flags(s: Situation) -> Iterable[Outcome]:
    assert s.description is not None
    flags = s.description.flags
    if s.kind != "file":
        return _plain(s, flags)
    # What open() was given besides may show as well: O_LARGEFILE does, on machines of 64 bits.
    unset = _SETTABLE & ~flags & ~_DIRECT & ~constant("O_NOATIME")
    return (Outcome(kind="returns", value=FlagsSet(flags, unset), world=s.world, note=()),)


def _no_direct(s: Situation) -> bool | None:
    if _command(s) != _COMMANDS["F_SETFL"] or not s.number("argument") & _DIRECT or s.kind == "pipe":
        return False
    return None if s.kind == "file" else True


def _described(s: Situation, **changes: int) -> World:
    """The world in which the open file description has changed."""
    assert s.descriptor is not None
    assert s.description is not None
    world = s.world.copy()
    world.descriptions[s.descriptor.description] = msgspec.structs.replace(s.description, **changes)
    return world


def _with_flags(s: Situation) -> Iterable[Outcome]:
    assert s.description is not None
    wanted = s.number("argument")
    mask = _SETTABLE | (_ASYNC if s.kind in _ASYNCHRONOUS else 0)
    flags = (wanted & mask) | (s.description.flags & ~mask)
    return _plain(s, 0, _described(s, flags=flags))


def _bad_signal(s: Situation) -> bool:
    return _command(s) == _COMMANDS["F_SETSIG"] and not 0 <= s.number("argument") <= _SIGNALS


def _signal_set(s: Situation) -> Iterable[Outcome]:
    return _plain(s, 0, _described(s, signal=s.number("argument")))


def _signal_told(s: Situation) -> Iterable[Outcome]:
    assert s.description is not None
    return _plain(s, s.description.signal)


def _no_owner_known(s: Situation) -> bool:
    assert s.description is not None
    return _command(s) == _COMMANDS["F_GETOWN"] and s.description.owner is None


def _owner_told(s: Situation) -> Iterable[Outcome]:
    assert s.description is not None
    return _plain(s, s.description.owner or 0)


def _no_group(s: Situation) -> bool:
    return _command(s) == _COMMANDS["F_SETOWN"] and s.number("argument") == -(1 << 31)


def _no_process(s: Situation) -> bool | None:
    wanted = s.number("argument")
    if _command(s) != _COMMANDS["F_SETOWN"] or wanted in (0, s.process.number):
        return False
    return True if abs(wanted) >= _MOST_PROCESSES else None


def _owner_set(s: Situation) -> Iterable[Outcome]:
    return _plain(s, 0, _described(s, owner=s.number("argument")))


def _pipe_size(s: Situation) -> bool:
    return _command(s) == _F_GETPIPE_SZ


def _seals(s: Situation) -> bool:
    return _command(s) in (_F_ADD_SEALS, _F_GET_SEALS) and (not isinstance(s.object, File) or s.object.path in DEVICES)


def _not_modelled(s: Situation) -> bool:
    return _command(s) in _OTHER_COMMANDS or _command(s) in (_F_ADD_SEALS, _F_GET_SEALS)


def _closed(s: Situation) -> Iterable[Outcome]:
    yield Outcome(kind="returns", world=closed(s.world, s.process_name, s.fd))


_NOT_PIPES = tuple(kind for kind in EVERY if kind != "pipe")

RULES: tuple[Rule, ...] = (
    gives("close.closed", _closed, "the number is free again; with the last reference its object ends", "POSIX.1-2024 close()"),
    fails("dup.table-full", "EMFILE", _no_room, "no descriptor is free within RLIMIT_NOFILE", "POSIX.1-2024 dup() EMFILE"),
    gives("dup.another", _another, "the lowest free number, for the same open file description", "POSIX.1-2024 dup()"),
    fails("dup2.not-open", "EBADF", always, "the descriptor is not open", "POSIX.1-2024 dup2() EBADF", kinds=(NOTHING,)),
    gives("dup2.itself", _itself, "both are the same: nothing is closed", "POSIX.1-2024 dup2()", when=_same),
    fails("dup2.range", "EBADF", _out_of_range, "the new number is below 0 or beyond RLIMIT_NOFILE", "POSIX.1-2024 dup2() EBADF"),
    fails("dup2.busy", "EBUSY", _reserved, "a call that waits, as accept() does, has taken the new number",
          "dup(2) EBUSY; do_dup2() in fs/file.c"),
    gives("dup2.put-over", _put_over, "the new number is for the same description; what it was before is closed",
          "POSIX.1-2024 dup2()"),
    fails("dup3.unknown-flags", "EINVAL", _unknown_flags, "there is no flag but O_CLOEXEC", "POSIX.1-2024 dup3() EINVAL; dup(2)",
          kinds=_ALL, note="POSIX.1-2024 has O_CLOFORK, too, which Linux does not know"),
    fails("dup3.same", "EINVAL", _same, "both numbers are the same", "POSIX.1-2024 dup3() EINVAL; dup(2)", kinds=_ALL),
    fails("dup3.not-open", "EBADF", always, "the descriptor is not open", "POSIX.1-2024 dup3() EBADF", kinds=(NOTHING,)),
    fails("dup3.range", "EBADF", _out_of_range, "the new number is below 0 or beyond RLIMIT_NOFILE", "POSIX.1-2024 dup3() EBADF"),
    fails("dup3.busy", "EBUSY", _reserved, "a call that waits, as accept() does, has taken the new number",
          "dup(2) EBUSY; do_dup2() in fs/file.c"),
    gives("dup3.put-over", _put_over, "the new number is for the same description; what it was before is closed",
          "POSIX.1-2024 dup3()"),
    fails("fcntl.not-open", "EBADF", always, "the descriptor is not open", "POSIX.1-2024 fcntl() EBADF", kinds=(NOTHING,)),
    fails("fcntl.dupfd-range", "EINVAL", _duplicates_too_high, "the least number is below 0 or beyond RLIMIT_NOFILE",
          "POSIX.1-2024 fcntl() EINVAL"),
    fails("fcntl.dupfd-full", "EMFILE", _duplicates_without_room, "no number from there on is free within RLIMIT_NOFILE",
          "POSIX.1-2024 fcntl() EMFILE"),
    gives("fcntl.dupfd", _duplicated, "the lowest free number from the argument on, for the same description",
          "POSIX.1-2024 fcntl() F_DUPFD, F_DUPFD_CLOEXEC", when=_duplicates),
    gives("fcntl.getfd", _told_cloexec, "the descriptor's own flags", "POSIX.1-2024 fcntl() F_GETFD", when=_command_is("F_GETFD")),
    gives("fcntl.setfd", _with_cloexec, "the flag is the descriptor's, not the description's", "POSIX.1-2024 fcntl() F_SETFD",
          when=_command_is("F_SETFD")),
    gives("fcntl.getfl", _told_flags, "the description's access mode and status flags", "POSIX.1-2024 fcntl() F_GETFL",
          when=_command_is("F_GETFL")),
    fails("fcntl.no-direct", "EINVAL", _no_direct, "what is no file on a disk has no direct I/O",
          "fcntl(2) F_SETFL; open(2) O_DIRECT"),
    gives("fcntl.setfl", _with_flags, "the description has these status flags; the access mode stays",
          "POSIX.1-2024 fcntl() F_SETFL", when=_command_is("F_SETFL")),
    unmodelled("fcntl.owner-unknown", _no_owner_known, "who owns it is not known"),
    gives("fcntl.getown", _owner_told, "who gets SIGIO and SIGURG, 0 for nobody", "POSIX.1-2024 fcntl() F_GETOWN",
          when=_command_is("F_GETOWN")),
    fails("fcntl.no-group", "EINVAL", _no_group, "the least number is no group's", "f_setown() in fs/fcntl.c"),
    fails("fcntl.no-process", "ESRCH", _no_process, "there is no such process or group", "POSIX.1-2024 fcntl() ESRCH"),
    gives("fcntl.setown", _owner_set, "this process or group gets SIGIO and SIGURG", "POSIX.1-2024 fcntl() F_SETOWN",
          when=_command_is("F_SETOWN")),
    fails("fcntl.bad-signal", "EINVAL", _bad_signal, "there is no such signal", "fcntl(2) F_SETSIG EINVAL"),
    gives("fcntl.setsig", _signal_set, "this signal is sent instead of SIGIO", "fcntl(2) F_SETSIG", when=_command_is("F_SETSIG")),
    gives("fcntl.getsig", _signal_told, "the signal that is sent, 0 for SIGIO", "fcntl(2) F_GETSIG", when=_command_is("F_GETSIG")),
    fails("fcntl.no-pipe", "EBADF", _pipe_size, "only pipes have a size", "F_GETPIPE_SZ: pipe_fcntl() in fs/pipe.c",
          kinds=_NOT_PIPES),
    gives("fcntl.pipe-size", lambda s: _plain(s, _PIPE_SIZE), "a pipe takes 16 pages", "fcntl(2) F_GETPIPE_SZ; pipe(7)",
          when=_pipe_size, kinds=("pipe",)),
    fails("fcntl.no-seals", "EINVAL", _seals, "only memory files have seals", "fcntl(2) F_GET_SEALS EINVAL"),
    unmodelled("fcntl.others", _not_modelled, "locks, leases and hints are not modelled"),
    fails("fcntl.no-command", "EINVAL", always, "there is no such command", "POSIX.1-2024 fcntl() EINVAL"),
)  # fmt: skip
