"""connect() of UNIX datagram sockets: who its messages go to from then on, and what the peer before learns of it.

The order is that of unix_dgram_connect() in net/unix/af_unix.c.
"""

from collections.abc import Iterable

import msgspec

from netlab.model.sockets.addresses import address_in, length_in
from netlab.model.sockets.calls.ancillary import named_by_then
from netlab.model.sockets.calls.unix_opening import lookup_rules
from netlab.model.sockets.calls.unix_opening import unknown as unknown_name
from netlab.model.sockets.objects import Socket
from netlab.model.sockets.outcomes import Outcome
from netlab.model.sockets.rules import Rule, fails, gives, unmodelled
from netlab.model.sockets.situation import Situation
from netlab.model.sockets.unix import (
    bound_to,
    no_address,
    released,
)
from netlab.model.sockets.unix import (
    in_flight as passed,
)
from netlab.model.sockets.world import World
from netlab.notation.constants import constant

_DATAGRAM = ("unix-dgram",)
_CONNECT = "unix_dgram_connect() in net/unix/af_unix.c"
_UNSPEC = constant("AF_UNSPEC")


def _no_family(s: Situation) -> bool:
    return length_in(s) < 2


def _dissolves(s: Situation) -> bool:
    return address_in(s).family == _UNSPEC


def _other(s: Situation) -> Socket | None:
    found = bound_to(s)
    other = s.world.objects.get(found[1]) if found is not None and not found[0] else None
    return other if isinstance(other, Socket) else None


def may_send(sender: int, other: Socket) -> bool:
    """Whether a datagram socket takes messages of another: a connected one those of its peer alone (unix_may_send())."""
    return other.peer in (0, sender)


def _taken_by_another(s: Situation) -> bool:
    other = _other(s)
    return other is not None and not may_send(s.socket_id, other)


def left(world: World, number: int) -> World:
    """The world after a datagram socket has left its peer: what waits for it is lost, and a peer that was connected to it learns
    of a reset (unix_dgram_disconnected())."""
    one = world.objects[number]
    assert isinstance(one, Socket)
    rights = passed(one)
    world = world.with_object(number, msgspec.structs.replace(one, queue=()))
    old = world.objects.get(one.peer)
    if one.queue and isinstance(old, Socket) and old.peer == number and one.peer != number:
        world = world.with_object(one.peer, msgspec.structs.replace(old, error="ECONNRESET"))
    return released(world, rights)


def with_peer(world: World, number: int, peer: int) -> World:
    """The world in which a datagram socket has this peer; 0 for none."""
    one = world.objects[number]
    assert isinstance(one, Socket)
    if one.peer and one.peer != peer:
        world = left(world, number)
        one = world.objects[number]
        assert isinstance(one, Socket)
    state = "ESTABLISHED" if peer else "CLOSED"
    return world.with_object(number, msgspec.structs.replace(one, peer=peer, state=state, remote=None, connection=0))


def _connecting(s: Situation) -> Iterable[Outcome]:
    found = bound_to(s)
    assert found is not None
    yield Outcome(kind="returns", world=with_peer(s.world, s.socket_id, found[1]))


def _dissolving(s: Situation) -> Iterable[Outcome]:
    yield Outcome(kind="returns", world=with_peer(s.world, s.socket_id, 0))


_LATER: tuple[Rule, ...] = (
    unmodelled("connect.unix-dgram-unknown", unknown_name, "what stands under a name outside the process's directory is not known",
               kinds=_DATAGRAM),
    *lookup_rules("connect.unix-dgram", _DATAGRAM),
    fails("connect.unix-dgram-taken", "EPERM", _taken_by_another, "the socket of this name has another peer", _CONNECT,
          kinds=_DATAGRAM),
    gives("connect.unix-dgram-peer", _connecting, "the peer is this from now on", "POSIX.1-2024 connect(); unix(7)",
          kinds=_DATAGRAM),
)  # fmt: skip
"""By then a socket that asks for credentials has a name."""

CONNECTING: tuple[Rule, ...] = (
    fails("connect.unix-dgram-no-family", "EINVAL", _no_family, "the address is too short to have a family", _CONNECT,
          kinds=_DATAGRAM),
    gives("connect.unix-dgram-dissolved", _dissolving, "AF_UNSPEC takes the peer away", "POSIX.1-2024 connect(); connect(2)",
          when=_dissolves, kinds=_DATAGRAM),
    fails("connect.unix-dgram-address", "EINVAL", no_address, "the length or the family is not that of a UNIX address",
          "unix(7) EINVAL", kinds=_DATAGRAM),
    *map(named_by_then, _LATER),
)  # fmt: skip
