"""What an epoll set has to tell: its members with their events, level or edge triggered, once or often. It knows no call.

Whether an edge-triggered member is told of again depends on whether something happened to it since: that is seen from whether it
looks different now (epoll(7)).
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from netlab.model.sockets.calls.ready import ready
from netlab.model.sockets.objects import Epoll, Flow, Pipe, Socket
from netlab.model.sockets.outcomes import Seen
from netlab.model.sockets.world import World
from netlab.notation.constants import combined, constant, flag_names

_EDGE, _ONCE = constant("EPOLLET"), constant("EPOLLONESHOT")
WAKEUP = 1 << 29  # EPOLLWAKEUP in include/uapi/linux/eventpoll.h
_PRIVATE = _EDGE | _ONCE | WAKEUP | constant("EPOLLEXCLUSIVE")
_WAKING = frozenset((constant(level), constant(name)) for level, name in (
    ("SOL_SOCKET", "SO_SNDBUF"), ("SOL_SOCKET", "SO_SNDBUFFORCE"), ("SOL_SOCKET", "SO_RCVLOWAT"),
    ("IPPROTO_TCP", "TCP_NOTSENT_LOWAT"),
))  # fmt: skip
"""Options by which setsockopt() wakes whoever waits: sk_setsockopt() in net/core/sock.c, tcp_set_rcvlowat() in net/ipv4/tcp.c."""
Key = tuple[int, int]


class Item(msgspec.Struct, frozen=True):
    """A member that has something to tell, or may: the bits that are told, those that may be; ``sure``: it is told of."""

    key: Key
    data: int
    must: int
    may: int
    sure: bool


def watched(world: World, epoll: Epoll) -> list[Item] | None:
    """What the members have to tell now; None where one is unknown. A member whose last descriptor is closed is none any more."""
    found: list[Item] = []
    for key, (events, data) in epoll.watched.items():
        description = world.descriptions.get(key[1])
        asked = events & ~_PRIVATE
        if description is None or not asked:
            continue
        bits = ready(world, description.object)
        if bits is None:
            return None
        must, may = bits[0] & asked, bits[1] & asked
        if not must and not may:
            continue
        sure = bool(must)
        if events & _EDGE and key in epoll.told:
            before, now = epoll.told[key], looks(world, description.object)
            if before == now and not _restless(world, description.object):
                continue
            sure = sure and _came(before, now)
        found.append(Item(key, data, must, may, sure))
    return found


class Look(msgspec.Struct, frozen=True):
    """What of an object changes whenever those who wait for it are woken: what came in, and the rest.

    ``came`` are numbers that only grow as something comes that wakes readers.
    """

    came: tuple[int, ...] = ()
    rest: Any = None


def looks(world: World, number: int) -> Look:
    """How an object looks now."""
    one = world.objects[number]
    if isinstance(one, Socket):
        connection = world.connections.get(one.connection)
        flows = connection.flows if connection is not None else ()
        incoming = flows[1 if connection is not None and connection.ends[0] == number else 0] if flows else Flow()
        peer = world.objects.get(one.peer) if one.peer else None
        taken = len(peer.queue) if isinstance(peer, Socket) else 0
        came = (incoming.arrived, len(one.queue), len(one.accepting), one.shut_read, bool(one.error))
        return Look(came, (one.state, one.error, one.shut_read, one.shut_write, one.accepting, one.queue, taken, flows))
    if isinstance(one, Pipe):
        other = world.objects.get(one.other)
        flow = other.flow if one.writes and isinstance(other, Pipe) else one.flow
        return Look(() if one.writes else (flow.arrived, other is None), (flow, other is None))
    if isinstance(one, Epoll):
        return Look((), (tuple(one.watched), tuple(one.told.items())))
    return Look()


def _restless(world: World, number: int) -> bool:
    """Whether things may have happened without a trace: a connection attempt that failed, or a shutdown(), as the one before; a
    setsockopt() that wakes."""
    one = world.objects[number]
    if isinstance(one, Socket) and not one.options.keys().isdisjoint(_WAKING):
        return True
    return isinstance(one, Socket) and ((one.kind == "tcp" and one.state == "CLOSED") or one.shut_read or one.shut_write)


def _came(before: Look | None, now: Look) -> bool:
    """Whether something came that surely woke whoever waits."""
    return before is not None and any(new > old for old, new in zip(before.came, now.came, strict=False))


def delivered(world: World, number: int, keys: tuple[Key, ...], *, sure: bool = True) -> World:
    """The world after these members of the set were told of (``sure`` is false where they may have been)."""
    epoll = world.objects[number]
    assert isinstance(epoll, Epoll)
    members, told = dict(epoll.watched), dict(epoll.told)
    for key in keys:
        events, data = members[key]
        if events & _EDGE:
            told[key] = looks(world, world.descriptions[key[1]].object) if sure else None
        if events & _ONCE and sure:
            members[key] = (events & _PRIVATE, data)
    if members == epoll.watched and told == epoll.told:
        return world
    return world.with_object(number, msgspec.structs.replace(epoll, watched=members, told=told))


class Told(msgspec.Struct, frozen=True):
    """What epoll_wait() gives: the bits of one member by name, [descriptor, bits] of several, at most ``most``, in any order."""

    items: tuple[Item, ...]
    most: int

    def accepts(self, out: Any, world: World) -> bool:
        """Each one told of is a member with those bits; all that are sure are there, as far as there is room."""
        if isinstance(out, str):
            return any(_fits(item, out) for item in self.items)
        if not isinstance(out, list):
            return False
        by_data: dict[int, list[Item]] = {}
        for item in self.items:
            by_data.setdefault(item.data, []).append(item)
        for data, bits in out:
            mine = next((item for item in by_data.get(data, []) if _fits(item, bits)), None)
            if mine is None:
                return False
            by_data[data].remove(mine)
        left = any(item.sure for rest in by_data.values() for item in rest)
        return not left or len(out) >= self.most

    def shown(self, world: World) -> Any:
        """As it is given where all is known."""
        shown = [[item.data, flag_names("EPOLL", item.must or item.may)] for item in self.items[: self.most]]
        return shown[0][1] if len(shown) == 1 else shown


def _fits(item: Item, bits: str) -> bool:
    told = combined(tuple(bits.split("|"))) if bits != "0" else 0
    return told & item.must == item.must and not told & ~(item.must | item.may) and told != 0


def learning(number: int, items: tuple[Item, ...], most: int) -> Any:
    """Take in which members were told of."""

    def learn(world: World, seen: Seen) -> World:
        if isinstance(seen.out, list):
            told = {data for data, _ in seen.out}
            return delivered(world, number, tuple(item.key for item in items if item.data in told))
        fitting = tuple(item.key for item in items if isinstance(seen.out, str) and _fits(item, seen.out))
        if len(fitting) == 1:
            return delivered(world, number, fitting)
        if seen.out is None:
            sure = tuple(item.key for item in items if item.sure)
            return delivered(world, number, sure[:most], sure=len(sure) <= most)
        return delivered(world, number, fitting, sure=False)

    return learn


def without(epoll: Epoll, key: Key) -> Epoll:
    """The set without a member."""
    members, told = dict(epoll.watched), dict(epoll.told)
    members.pop(key, None)
    told.pop(key, None)
    return msgspec.structs.replace(epoll, watched=members, told=told)


def depth(world: World, number: int, seen: frozenset[int] = frozenset()) -> int:
    """How many sets hang below each other from this one on; a circle counts as very many."""
    if number in seen:
        return 1 << 16
    one = world.objects.get(number)
    if not isinstance(one, Epoll):
        return 0
    below: Mapping[Key, tuple[int, int]] = one.watched
    inner = [world.descriptions[description].object for _, description in below if description in world.descriptions]
    return 1 + max((depth(world, each, seen | {number}) for each in inner), default=0)
