"""Calls under way: what they keep open while they wait, what is known of one that waits, and how one ends that a signal ends.

Which outcomes a call may have it does not know; each function makes a world.
"""

from collections.abc import Iterable

import msgspec

from netlab.model.sockets.ending import ended, process_ended
from netlab.model.sockets.forgetting import touched
from netlab.model.sockets.outcomes import Outcome
from netlab.model.sockets.situation import Situation
from netlab.model.sockets.tables import Allowed, all_rules
from netlab.model.sockets.world import Pending, World
from netlab.notation.calls import Call

IN_CHILD = "in a child"
"""The note of an outcome that ends a process which was made for the call only (``child``), and not the caller."""
INTERRUPTED = "interrupt.call"
"""The rule by which a call ends that a signal interrupts."""


def begun(world: World, number: int, process: str, call: Call, at: int) -> World:
    """The world in which a call is about to be made."""
    return world.waiting({**world.pending, number: Pending(process=process, call=call, began=at)})


def entered(world: World, number: int, pending: Pending, answer: Allowed | None, note: object) -> World:
    """The world in which a call has taken effect, and will give ``answer``; or waits, without one, and ``note`` is kept."""
    world = world.copy()
    pending = msgspec.structs.replace(pending, answer=answer, note=note)
    if answer is None and not pending.entered:
        pending = _holding(world, pending)
    world.pending[number] = msgspec.structs.replace(pending, entered=True)
    return world


def _holding(world: World, pending: Pending) -> Pending:
    """The call as it waits, and keeps descriptions open, in a world that has just been copied."""
    situation = Situation(world, pending.process, pending.call)
    table = world.processes[pending.process].table
    polled = tuple(table[fd].description for fd in descriptors_of(situation) if fd in table) if _polls(pending.call) else ()
    held = situation.descriptor.description if situation.descriptor is not None and pending.call.name != "close" else 0
    for each in (held, *polled):
        if each:
            old = world.descriptions[each]
            world.descriptions[each] = msgspec.structs.replace(old, references=old.references + 1)
    return msgspec.structs.replace(pending, held=held, polled=polled, before=situation.as_socket)


def _polls(call: Call) -> bool:
    """Whether the call keeps all that it looks at open while it waits (__pollwait() in fs/select.c)."""
    return call.name in ("poll", "select")


def inside(world: World, number: int, pending: Pending) -> World:
    """The world in which a call waits though the model does not know why: what it is about is unknown from now on, not only when
    it returns. accept() has taken the lowest free number by then; which one that is, is not known if others began meanwhile."""
    world = world.copy()
    kept = pending if pending.entered else _holding(world, pending)
    world = touched(world, pending, close=True)
    owner, taken = world.processes[pending.process], pending.note
    if pending.call.name.startswith("accept") and (not isinstance(taken, int) or taken not in owner.reserved):
        mine = [one for other, one in world.pending.items() if one.process == pending.process and other != number]
        if owner.whole and all(one.entered or one.lost for one in mine):
            taken = owner.lowest_free()
            owner = msgspec.structs.replace(owner, reserved=owner.reserved | {taken})
        else:
            owner = msgspec.structs.replace(owner, whole=False)
        world.processes[pending.process] = owner
    world.pending[number] = msgspec.structs.replace(kept, note=taken, lost=True)
    return world


def let_go(world: World, pending: Pending) -> World:
    """The world in which a call that blocked keeps its descriptions open no longer."""
    for each in (pending.held, *pending.polled):
        if each in world.descriptions:
            world = world.copy()
            last = world.dropped(each)
            world = ended(world, last) if last else world
    return world


def interrupted(world: World, pending: Pending) -> Allowed:
    """That a signal ends the call; what accept() had reserved is free again."""
    owner = world.processes[pending.process]
    if pending.call.name.startswith("accept"):
        world = world.with_process(pending.process, msgspec.structs.replace(owner, reserved=owner.reserved - {pending.note}))
    return Allowed(all_rules()[INTERRUPTED], Outcome(kind="fails", errno="EINTR", world=world))


def keeps_alive(world: World, pending: Pending) -> bool:
    """Whether a call that waits is all that keeps some description open."""
    descriptions = (world.descriptions.get(each) for each in (pending.held, *pending.polled))
    return any(one is not None and one.references == 1 for one in descriptions)


def let_go_early(world: World, number: int) -> World:
    """The world in which a call is over, though its return has not been seen, and keeps nothing open."""
    pending = world.pending[number]
    world = let_go(world, pending).copy()
    world.pending[number] = msgspec.structs.replace(pending, held=0, polled=())
    return world


def restarted(world: World, number: int) -> World:
    """The world in which a call that a signal interrupted is about to begin again, and looks its descriptor up anew (signal(7))."""
    pending = world.pending[number]
    world = let_go(world, pending).copy()
    owner = world.processes[pending.process]
    if pending.call.name.startswith("accept"):
        world.processes[pending.process] = msgspec.structs.replace(owner, reserved=owner.reserved - {pending.note})
    world.pending[number] = Pending(process=pending.process, call=pending.call, began=pending.began)
    return world


def without(world: World, number: int) -> World:
    """The world in which a call is over."""
    return world.waiting({other: pending for other, pending in world.pending.items() if other != number})


def buried(world: World, one: Allowed, pending: Pending) -> World:
    """The world after a call that may have ended its process: all that it had open is closed, and its other calls end with it."""
    if one.outcome.kind != "ends" or one.outcome.note == IN_CHILD:
        return world
    world = process_ended(world, pending.process)
    for number, other in tuple(world.pending.items()):
        if other.process == pending.process:
            world = let_go(world, other).copy()
            world.pending[number] = msgspec.structs.replace(other, entered=True, answer=one, held=0, polled=())
    return world


def descriptors_of(situation: Situation) -> Iterable[int]:
    """The descriptors that a call is about, by the names of the parameters that hold some."""
    pairs = situation.args.get("pairs")
    if isinstance(pairs, tuple):
        yield from (fd for fd, _ in pairs)
    for name in ("fd", "target", "readable", "writable"):
        value = situation.args.get(name)
        if isinstance(value, int):
            yield value
