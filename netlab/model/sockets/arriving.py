"""What may have arrived by now: the worlds in which more or less of what is under way to a socket has reached it. A table by kind.

Packets travel while calls are made. Rules look at one world, in which it is certain how much of a handshake, of a FIN, a reset
or an ICMP message has come; the amount of data is kept as bounds in the flows. Before a call is judged, the world is therefore
split by what may have reached the sockets that the call is about, and by nothing else.
"""

from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module

from netlab.model.sockets.objects import Epoll
from netlab.model.sockets.world import World

Arrive = Callable[[World, int], tuple[World, ...]]
"""All worlds in which 0, 1 ... of the things on their way to socket ``number`` have come; the last one is that in which all have.
Exactly that last one where ``World.prompt`` says that nothing is ever under way."""

_PARTS = ("tcp_arriving", "datagrams", "raw")


@cache
def _arrivals() -> Mapping[str, Arrive]:
    """Each part's ``ARRIVES``: kind to what may come."""
    found: dict[str, Arrive] = {}
    for part in _PARTS:
        found |= getattr(import_module(f"netlab.model.sockets.calls.{part}"), "ARRIVES", {})
    return found


def arrivals(world: World, numbers: tuple[int, ...]) -> tuple[World, ...]:
    """The worlds that may be, by what has reached these objects; the last one is that in which everything has."""
    worlds: tuple[World, ...] = (world,)
    for number in numbers:
        one = world.objects.get(number)
        arrive = _arrivals().get(one.kind) if one is not None else None
        if arrive is not None:
            # What has arrived for one of them may have ended another.
            spread = (arrive(before, number) if number in before.objects else (before,) for before in worlds)
            worlds = tuple(after for some in spread for after in some)
    return worlds


def concerned(world: World, process: str, descriptors: tuple[int, ...]) -> tuple[int, ...]:
    """The objects behind descriptors, each once; of an epoll set also those that it watches, other sets among them."""
    found: dict[int, None] = {}
    table = world.processes[process].table
    left = [table[fd].description for fd in descriptors if fd in table]
    while left:
        number = world.descriptions[left.pop(0)].object
        one = world.objects[number]
        if number not in found and isinstance(one, Epoll):
            left += [description for _, description in one.watched if description in world.descriptions]
        found[number] = None
    return tuple(found)
