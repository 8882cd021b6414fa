"""What is left of a world after a call that the model does not know: the things it touched are unknown, the rest stands."""

from itertools import zip_longest

import msgspec

from netlab.model.sockets.arguments import read_arguments
from netlab.model.sockets.objects import Unknown
from netlab.model.sockets.outcomes import Seen
from netlab.model.sockets.world import Pending, World
from netlab.notation.signatures import SIGNATURES
from netlab.notation.values import Rights

_ONLY_LOOK = frozenset({
    "getsockopt", "getsockname", "getpeername", "fstat", "poll", "select", "epoll_wait", "getpid", "access", "same_file",
    "lowest_free", "tcp_state", "exec_has_fd", "unused_port", "addr", "sleep",
})  # fmt: skip
_REACH_OTHERS = frozenset({"connect", "listen", "bind", "send", "sendto", "sendmsg", "write", "fill", "accept", "accept4"})
"""Calls by which a socket that the model has lost track of may have to do with others that it follows."""
_CHANGE = frozenset({"ECONNRESET", "ETIMEDOUT", "EHOSTUNREACH", "ENETUNREACH", "ECONNREFUSED", "EPIPE"})
"""Errors that tell of more than the call: the socket is another one afterwards."""


def forget(world: World, pending: Pending, seen: Seen) -> World:
    """The call's object becomes unknown, unless the call failed (a call that fails changes nothing); its results become unknown
    things under their numbers, where it succeeded."""
    name = pending.call.name
    if seen.errno and name != "connect" and seen.errno not in _CHANGE:
        return world
    signature = SIGNATURES.get(name)
    arguments = read_arguments(pending.call, world, pending.process) if signature is not None else {}
    why = f"{pending.call.name}() did what is not modelled"
    world = world.copy()
    fd = arguments.get("fd")
    descriptor = world.processes[pending.process].table.get(fd) if isinstance(fd, int) else None
    if name in _REACH_OTHERS:
        world.strangers = True
    if descriptor is not None and name == "close" and isinstance(fd, int):
        _spoil(world, world.descriptions[descriptor.description].object, why)
        world, _ = world.released(pending.process, fd)
    elif descriptor is not None and name not in _ONLY_LOOK:
        _spoil(world, world.descriptions[descriptor.description].object, why)
    if name == "unlink":
        world.paths = {}
    if name in _REACH_OTHERS:
        world.lost = True
    if name == "system":
        _spoil_all(world, pending.process, why)
    if seen.errno:
        return world
    wanted = dict(pending.call.keywords).get("control")
    words = wanted.names if isinstance(wanted, Rights) else ()
    for received, word in zip_longest(_passed(seen), words):
        if received is not None:
            world = _given(world, pending, received, why, word or "")
    duplicates = pending.call.name == "fcntl" and bool(pending.call.binds)
    if signature is not None and (signature.returns == "fd" or duplicates) and seen.result >= 0 and not seen.partial:
        world = _given(world, pending, seen.result, why)
    elif pending.call.name not in ("addr", "unused_port"):  # their names are no descriptors
        for name in pending.call.binds:
            world = _given(world, pending, world.processes[pending.process].lowest_free(), why, name)
    return world


def _passed(seen: Seen) -> list[int]:
    """The descriptors that recvmsg() gave (unix(7), SCM_RIGHTS)."""
    control = seen.out.get("control") if isinstance(seen.out, dict) else None
    return list(control.get("SCM_RIGHTS", ())) if isinstance(control, dict) else []


def _spoil(world: World, number: int, why: str) -> None:
    """The object, and whatever it is connected to, in a world that has just been copied."""
    one = world.objects.get(number)
    world.objects[number] = Unknown(why=why)
    connection = world.connections.get(getattr(one, "connection", 0) or 0)
    ends = connection.ends if connection is not None else (getattr(one, "peer", 0) or getattr(one, "other", 0),)
    for end in ends:
        if end and end in world.objects:
            world.objects[end] = Unknown(why=why)


def _spoil_all(world: World, process: str, why: str) -> None:
    """Whatever a program may have used that was handed its descriptors, and all names of files, in a world that was just copied."""
    world.strangers = world.lost = True
    world.paths = {}
    for descriptor in world.processes[process].table.values():
        if not descriptor.close_on_exec:
            _spoil(world, world.descriptions[descriptor.description].object, why)


def _given(world: World, pending: Pending, fd: int, why: str, name: str = "") -> World:
    if fd in world.processes[pending.process].table:
        world, _ = world.released(pending.process, fd)
    world, _ = world.opened(pending.process, Unknown(why=why), number=fd)
    names = (name,) if name else pending.call.binds
    owner = world.processes[pending.process]
    world.processes[pending.process] = msgspec.structs.replace(owner, names={**owner.names, **dict.fromkeys(names, fd)})
    return world
