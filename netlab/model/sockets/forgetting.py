"""What is left of a world after a call that the model does not know: the things it touched are unknown, the rest stands.

What an unknown thing may have to do with is unknown, too: its peer, who waits for it to be accepted, what it was passed.
"""

import sys
from collections.abc import Mapping
from itertools import zip_longest

import msgspec

from netlab.model.sockets.addresses import UNIX
from netlab.model.sockets.arguments import Argument, Data, read_arguments
from netlab.model.sockets.ending import closed, process_ended
from netlab.model.sockets.names import ANY_NAME, Key, keys_of, path_key
from netlab.model.sockets.objects import Address, File, Pipe, Socket, Unknown
from netlab.model.sockets.outcomes import Seen
from netlab.model.sockets.unix import in_flight
from netlab.model.sockets.world import Pending, World
from netlab.notation.constants import constant
from netlab.notation.signatures import SIGNATURES
from netlab.notation.values import Rights

_ONLY_LOOK = frozenset({
    "getsockopt", "getsockname", "getpeername", "fstat", "poll", "select", "epoll_wait", "getpid", "access", "same_file",
    "lowest_free", "tcp_state", "exec_has_fd", "unused_port", "addr", "sleep",
})  # fmt: skip
_REACH_OTHERS = frozenset({"connect", "listen", "bind", "send", "sendto", "sendmsg", "write", "fill", "accept", "accept4"})
"""Calls by which a socket that the model has lost track of may have to do with others that it follows."""
_CHANGE = frozenset({
    "ECONNRESET", "ECONNABORTED", "ETIMEDOUT", "EHOSTUNREACH", "ENETUNREACH", "ECONNREFUSED", "EPIPE", "EINPROGRESS",
})  # fmt: skip
"""Errors that tell of more than the call: the socket is another one afterwards."""
_TAKE = ("accept", "recv", "read")
"""What these calls took is gone though they fail: a connection, a message."""
_LEAVE = frozenset({"EAGAIN", "EBADF", "ENOTSOCK", "ENOTCONN", "EOPNOTSUPP", "EMFILE"})
"""But not where they fail so."""
_SCM_PIDFD = f"{constant('SOL_SOCKET')}/4"
"""A control message whose type has no name here: include/linux/socket.h."""
_DUPLICATES = (constant("F_DUPFD"), constant("F_DUPFD_CLOEXEC"))


def forget(world: World, pending: Pending, seen: Seen) -> World:
    """The call's object becomes unknown, unless the call failed (a call that fails changes nothing); its results become unknown
    things under their numbers, where it succeeded."""
    world = _free_again(world, pending)
    why = f"{pending.call.name}() did what is not modelled"
    arguments = _arguments(world, pending)
    if _changes_nothing(pending.call.name, seen.errno) and not _may_name(world, pending, arguments):
        return world
    world = touched(world, pending, close=True)
    if seen.signal and not seen.errno:
        return _dead(world, pending.process)
    if seen.errno:
        return world
    wanted = dict(pending.call.keywords).get("control")
    words = wanted.names if isinstance(wanted, Rights) else ()
    for received, word in zip_longest(_passed(seen), words):
        if received is not None:
            world = _given(world, pending, received, why, word or "")
    signature = SIGNATURES.get(pending.call.name)
    gives = signature is not None and signature.returns == "fd"
    gives |= pending.call.name == "fcntl" and arguments.get("command") in _DUPLICATES
    if gives and seen.result >= 0 and not seen.partial:
        world = _given(world, pending, seen.result, why)
    elif pending.call.name not in ("addr", "unused_port", "fcntl") or gives:  # their names are no descriptors
        for name in pending.call.binds:
            world = _given(world, pending, world.processes[pending.process].lowest_free(), why, name)
    return world


def touched(world: World, pending: Pending, *, close: bool = False) -> World:
    """The world in which what a call is about is unknown: it is inside, or over (``close``: then what it closes is closed)."""
    call, process = pending.call, pending.process
    why = f"{call.name}() did what is not modelled"
    if call.inner is not None:
        return touched(world, msgspec.structs.replace(pending, call=call.inner))
    name, arguments = call.name, _arguments(world, pending)
    world = world.copy()
    number = _object(world, pending, arguments.get("fd"))
    if name in _REACH_OTHERS:
        world.strangers = world.lost = True
    if number and name not in _ONLY_LOOK and not isinstance(world.objects[number], File):  # what is in files is not followed
        _spoil(world, number, why)
    for description in _passed_on(world, pending, arguments):
        _spoil(world, world.descriptions[description].object, why)
    _without_names(world, pending, arguments)
    fd = arguments.get("fd")
    if close and name == "close" and not pending.lost and isinstance(fd, int) and fd in world.processes[process].table:
        world = closed(world, process, fd)
    if name == "system":
        _spoil_all(world, process, why)
    if name == "fill_fds":
        world.processes[process] = msgspec.structs.replace(world.processes[process], whole=False)
    if name == "interrupt":
        _spoil_waiting(world, process, why)
    return world


def _changes_nothing(name: str, errno: str) -> bool:
    if not errno or name == "connect" or errno in _CHANGE:
        return False
    return errno in _LEAVE or not name.startswith(_TAKE)


def _may_name(world: World, pending: Pending, arguments: Mapping[str, Argument]) -> bool:
    """Whether the call gave its socket a port before it failed: inet_send_prepare() in net/ipv4/af_inet.c is first."""
    one = world.objects.get(_object(world, pending, arguments.get("fd")))
    unnamed = isinstance(one, Socket) and one.kind == "udp" and (one.local is None or not one.local.port)
    return unnamed and pending.call.name in ("send", "sendto", "sendmsg", "write", "fill", "connect")


def _arguments(world: World, pending: Pending) -> Mapping[str, Argument]:
    known = pending.call.name in SIGNATURES and pending.call.inner is None
    return read_arguments(pending.call, world, pending.process) if known else {}


def _object(world: World, pending: Pending, fd: Argument) -> int:
    """What the call is about: what it has kept open since it began, or what its descriptor is for by now; 0 for nothing."""
    if pending.held in world.descriptions:
        return world.descriptions[pending.held].object
    descriptor = world.processes[pending.process].table.get(fd) if isinstance(fd, int) else None
    return world.descriptions[descriptor.description].object if descriptor is not None else 0


def _passed(seen: Seen) -> list[int]:
    """The descriptors that recvmsg() gave (unix(7), SCM_RIGHTS, SCM_PIDFD)."""
    control = seen.out.get("control") if isinstance(seen.out, dict) else None
    if not isinstance(control, dict):
        return []
    process = control.get(_SCM_PIDFD, "")
    return [*control.get("SCM_RIGHTS", ()), *([int.from_bytes(bytes.fromhex(process), sys.byteorder)] if process else [])]


def _passed_on(world: World, pending: Pending, arguments: Mapping[str, Argument]) -> list[int]:
    """The descriptions that a sendmsg() passes to somebody of whom nothing is known: who gets them may do anything with them."""
    given, process = arguments.get("control"), world.processes[pending.process]
    if pending.call.name != "sendmsg" or not isinstance(given, Rights):
        return []
    numbers = [process.names.get(name, int(name) if name.lstrip("-").isdigit() else -1) for name in given.names]
    return [process.table[number].description for number in numbers if number in process.table]


def _entangled(world: World, number: int) -> list[int]:
    """The object, whatever it is connected to, and whatever these are: what is unknown of one is unknown of all."""
    found: dict[int, None] = {}
    left = [number]
    while left:
        each = left.pop()
        one = world.objects.get(each)
        if one is None or each in found:
            continue
        found[each] = None
        if isinstance(one, Pipe):
            left.append(one.other)
        if not isinstance(one, Socket):
            continue
        left += [one.peer, *(world.descriptions[each].object for each in in_flight(one) if each in world.descriptions)]
        for connection in (one.connection, *one.accepting, *_asking(world, each, one)):
            known = world.connections.get(connection)
            if known is not None:
                left += [*known.ends, 0 if known.stage == "accepted" else known.listener]
        if one.family == "unix":
            left += [other for other, another in world.objects.items() if isinstance(another, Socket) and _knows(another, each)]
    return list(found)


def _asking(world: World, number: int, listener: Socket) -> list[int]:
    """The connections that are being opened to a listener: what becomes of them is not known either."""
    if listener.state != "LISTEN" or listener.local is None:
        return []
    found = []
    for key, connection in world.connections.items():
        client = world.objects.get(connection.ends[0])
        remote = client.remote if isinstance(client, Socket) else None
        asks = remote is not None and world.same_port(remote.port, listener.local.port) is not False
        if connection.listener == number or (connection.stage == "syn" and asks):
            found.append(key)
    return found


def _knows(one: Socket, other: int) -> bool:
    """Whether a socket's messages go to another, or have gone there."""
    return one.peer == other or other in one.note.get("receivers", ())


def _spoil(world: World, number: int, why: str) -> None:
    """The object, and whatever it has to do with, in a world that has just been copied."""
    for each in _entangled(world, number):
        one = world.objects[each]
        world.objects[each] = Unknown(why=why)
        if isinstance(one, Socket) and one.local is not None and one.local.kind == "abstract":
            _doubt(world, keys_of(one.host, one.local))


def _spoil_all(world: World, process: str, why: str) -> None:
    """Whatever a program may have used that was handed its descriptors, and all names of files, in a world that was just copied."""
    world.strangers = world.lost = True
    _doubt(world, None)
    for descriptor in world.processes[process].table.values():
        if not descriptor.close_on_exec:
            _spoil(world, world.descriptions[descriptor.description].object, why)


def _spoil_waiting(world: World, process: str, why: str) -> None:
    """The calls that a signal may have ended, and what they are about."""
    for number, one in tuple(world.pending.items()):
        if one.process == process and one.answer is None:
            world.pending[number] = msgspec.structs.replace(one, lost=True)
            if one.held in world.descriptions:
                _spoil(world, world.descriptions[one.held].object, why)


def _doubt(world: World, keys: tuple[Key, ...] | None) -> None:
    """Nobody knows whether these names are there, or any (None), in a world that has just been copied."""
    world.paths = {} if keys is None else {key: one for key, one in world.paths.items() if key not in keys}
    world.modes = {} if keys is None else {key: one for key, one in world.modes.items() if key not in keys}
    world.doubtful = world.doubtful | frozenset((ANY_NAME,) if keys is None else keys)


def _without_names(world: World, pending: Pending, arguments: Mapping[str, Argument]) -> None:
    """The names that a call may have made or taken away, in a world that has just been copied."""
    name, host = pending.call.name, world.processes[pending.process].host
    if name in ("open", "mkfile", "unlink", "chmod"):
        path = arguments.get("path")
        known = isinstance(path, Data) and path.content is not None
        text = path.content.split(b"\0")[0].decode(errors="backslashreplace") if isinstance(path, Data) and path.content else ""
        key = path_key(host, text) if known else None
        _doubt(world, (key,) if key is not None else None)
        for number, one in tuple(world.objects.items()):
            if name == "unlink" and isinstance(one, File) and (key is None or one.path == key[2]):
                world.objects[number] = Unknown(why="whether its path is still its own is not known")
    elif name == "bind":
        address = arguments.get("address")
        if not isinstance(address, Address):
            _doubt(world, None)
        elif address.family == UNIX and address.kind in ("path", "abstract"):
            _doubt(world, keys_of(host, address))


def _dead(world: World, process: str) -> World:
    """The world after a signal has ended the process, and its other calls with it."""
    world = process_ended(world, process).copy()
    for number, one in tuple(world.pending.items()):
        if one.process == process:
            world.pending[number] = msgspec.structs.replace(one, lost=True)
    return world


def _free_again(world: World, pending: Pending) -> World:
    """The number that an accept() of which nothing else is known took before it waited is free again, or given."""
    owner = world.processes[pending.process]
    if not pending.call.name.startswith("accept") or pending.note not in owner.reserved:
        return world
    return world.with_process(pending.process, msgspec.structs.replace(owner, reserved=owner.reserved - {pending.note}))


def _given(world: World, pending: Pending, fd: int, why: str, name: str = "") -> World:
    if fd in world.processes[pending.process].table:
        world = closed(world, pending.process, fd)
    world, _ = world.opened(pending.process, Unknown(why=why), number=fd)
    names = (name,) if name else pending.call.binds
    owner = world.processes[pending.process]
    world.processes[pending.process] = msgspec.structs.replace(owner, names={**owner.names, **dict.fromkeys(names, fd)})
    return world
