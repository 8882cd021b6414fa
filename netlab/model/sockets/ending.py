"""What the end of an object means: the last reference to it is gone (close, exit, exec, dup2 over it). A table by kind."""

from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module

import msgspec

from netlab.model.sockets.world import World

End = Callable[[World, int], World]
"""Gives the world after the end of object ``number``; the object is still in the world that it gets, and taken out after it."""

_PARTS = ("tcp_closing", "datagrams", "raw", "unix_stream", "unix_datagram", "files", "readiness")


@cache
def _ends() -> Mapping[str, End]:
    """Each part's ``ENDS``: kind to what its end does."""
    found: dict[str, End] = {}
    for part in _PARTS:
        found |= getattr(import_module(f"netlab.model.sockets.calls.{part}"), "ENDS", {})
    return found


def ended(world: World, number: int) -> World:
    """The world without object ``number``, and with what its end does to its peer, its queue, its name."""
    one = world.objects[number]
    end = _ends().get(one.kind)
    if end is not None:
        world = end(world, number)
    world = world.copy()
    world.objects.pop(number, None)
    return world


def closed(world: World, process: str, fd: int) -> World:
    """The world after a descriptor was closed, whatever that ends (POSIX close())."""
    from netlab.model.sockets.unix import lost

    description = world.processes[process].table[fd].description
    world, number = world.released(process, fd)
    return ended(world, number) if number else lost(world, description)


def process_ended(world: World, process: str) -> World:
    """The world after a process has ended: all its descriptors are closed (POSIX _Exit())."""
    for fd in sorted(world.processes[process].table):
        world = closed(world, process, fd)
    return world.with_process(process, msgspec.structs.replace(world.processes[process], alive=False))
