"""epoll: sets made and changed, what they tell of their members, how long that is waited for, and what is refused.

What a set has to tell is in epoll_sets.py.
"""

from collections.abc import Iterable

import msgspec

from netlab.model.sockets.calls.epoll_sets import WAKEUP, Item, Told, depth, learning, watched, without
from netlab.model.sockets.calls.ready import ALWAYS, pollable
from netlab.model.sockets.calls.waiting import MILLISECOND, count, known, once, waiting
from netlab.model.sockets.objects import Epoll, Unknown
from netlab.model.sockets.outcomes import Exactly, NewDescriptor, Outcome
from netlab.model.sockets.rules import EVERY, NOTHING, Rule, fails, gives, unmodelled
from netlab.model.sockets.situation import Situation
from netlab.notation.constants import combined, constant
from netlab.notation.values import BadPointer

_ADD, _MODIFY, _DELETE = constant("EPOLL_CTL_ADD"), constant("EPOLL_CTL_MOD"), constant("EPOLL_CTL_DEL")
_EXCLUSIVE = constant("EPOLLEXCLUSIVE")
_WITH_EXCLUSIVE = combined(("EPOLLIN", "EPOLLOUT", "EPOLLERR", "EPOLLHUP", WAKEUP, "EPOLLET", "EPOLLEXCLUSIVE"))
_MOST_EVENTS = (2**31 - 1) // 12  # EP_MAX_EVENTS in fs/eventpoll.c, where struct epoll_event is packed
_DEEPEST = 5  # EP_MAX_NESTS: four sets may hang below one
_ALL = (*EVERY, NOTHING)


def _unknown_flags(s: Situation) -> bool:
    return bool(s.number("flags") & ~constant("EPOLL_CLOEXEC"))


def _no_size(s: Situation) -> bool:
    return s.number("size") <= 0


def _table_full(s: Situation) -> bool | None:
    return s.process.beyond(s.process.lowest_free())


def _created(s: Situation) -> Iterable[Outcome]:
    world, _ = s.world.opened(s.process_name, Epoll(), cloexec=bool(s.number("flags") & constant("EPOLL_CLOEXEC")))
    yield Outcome(kind="returns", value=NewDescriptor(s.descriptor_free), world=world)


def _event_pointer(s: Situation) -> bool:
    bad = isinstance(s.args.get("event"), BadPointer) or s.args.get("event") == "NONE"
    return bad and s.number("operation") != _DELETE


def _target_closed(s: Situation) -> bool:
    return s.number("target", -1) not in s.process.table and known(s, s.number("target", -1))


def _target(s: Situation) -> int:
    """The id of the object to be watched, 0 where it is not known."""
    descriptor = s.process.table.get(s.number("target", -1))
    return s.world.descriptions[descriptor.description].object if descriptor is not None else 0


def _target_unknown(s: Situation) -> bool:
    number = _target(s)
    return not number or isinstance(s.world.objects[number], Unknown)


def _target_not_pollable(s: Situation) -> bool:
    return not pollable(s.world.objects[_target(s)])


def _no_set(s: Situation) -> bool:
    return not isinstance(s.object, Epoll) or _target(s) == s.socket_id


def _events(s: Situation) -> int:
    return s.number("event") & 0xFFFFFFFF


def _bad_exclusive(s: Situation) -> bool:
    if s.number("operation") == _DELETE or not _events(s) & _EXCLUSIVE:
        return False
    if s.number("operation") == _MODIFY:
        return True
    nested = isinstance(s.world.objects[_target(s)], Epoll) or bool(_events(s) & ~_WITH_EXCLUSIVE)
    return s.number("operation") == _ADD and nested


def _too_deep(s: Situation) -> bool:
    """A circle of sets, or more than four below each other (epoll_ctl(2) ELOOP)."""
    if s.number("operation") != _ADD or not isinstance(s.world.objects[_target(s)], Epoll):
        return False
    below = depth(s.world, _target(s), frozenset([s.socket_id]))
    return below >= _DEEPEST or below + _above(s, s.socket_id) > _DEEPEST


def _above(s: Situation, number: int) -> int:
    """How many sets hang above this one, with it."""
    holders = [
        each
        for each, one in s.world.objects.items()
        if isinstance(one, Epoll) and any(number == _object(s, description) for _, description in one.watched)
    ]
    return 1 + max((_above(s, each) for each in holders), default=0)


def _object(s: Situation, description: int) -> int:
    found = s.world.descriptions.get(description)
    return found.object if found is not None else 0


def _set_of(s: Situation) -> Epoll:
    assert isinstance(s.object, Epoll)
    return s.object


def _key(s: Situation) -> tuple[int, int]:
    fd = s.number("target", -1)
    return fd, s.process.table[fd].description


def _there(s: Situation) -> bool:
    return s.number("operation") == _ADD and _key(s) in _set_of(s).watched


def _not_there(s: Situation) -> bool:
    return s.number("operation") in (_MODIFY, _DELETE) and _key(s) not in _set_of(s).watched


def _exclusive_there(s: Situation) -> bool:
    return s.number("operation") == _MODIFY and bool(_set_of(s).watched[_key(s)][0] & _EXCLUSIVE)


def _no_operation(s: Situation) -> bool:
    return s.number("operation") not in (_ADD, _MODIFY, _DELETE)


def _controlled(s: Situation) -> Iterable[Outcome]:
    """Added at the end; changed in place; or gone. POLLERR and POLLHUP are always watched for."""
    after = without(_set_of(s), _key(s))
    if s.number("operation") != _DELETE:
        member = {_key(s): (_events(s) | ALWAYS, s.number("target"))}
        kept = _set_of(s).watched if s.number("operation") == _MODIFY else after.watched
        after = msgspec.structs.replace(after, watched={**kept, **member})
    yield Outcome(kind="returns", value=0, world=s.world.with_object(s.socket_id, after))


def _number_of_events(s: Situation) -> bool:
    return not 0 < s.number("maxevents") <= _MOST_EVENTS


def _items(s: Situation) -> list[Item] | None:
    return watched(s.world, _set_of(s))


def _members_unknown(s: Situation) -> bool:
    return once(s, _items) is None


def _events_pointer(s: Situation) -> bool | None:
    bad = isinstance(s.args.get("events"), BadPointer) or s.args.get("events") == "NONE"
    found = once(s, _items) or []
    if not bad or not found:
        return False
    return True if any(item.sure for item in found) else None


def _something(s: Situation) -> bool | None:
    found = once(s, _items) or []
    return True if any(item.sure for item in found) else None if found else False


def _epoll_gives(s: Situation) -> Iterable[Outcome]:
    if isinstance(s.args.get("events"), BadPointer):
        return
    items = tuple(once(s, _items))
    room = s.number("maxevents")
    least, most = max(min(room, sum(item.sure for item in items)), 1), min(room, len(items))
    if least == 1:
        # Of one alone the bits are told, and not which it is.
        for item in [item for item in items if item.sure] if room > 1 and any(item.sure for item in items) else items:
            yield Outcome(kind="returns", value=1, world=s.world, out=Told((item,), 1), learn=learning(s.socket_id, (item,), 1))
    if most > 1:
        least = max(least, 2)
        yield Outcome(kind="returns", value=count(least, most), world=s.world, out=Told(items, most if least == most else room),
                      learn=learning(s.socket_id, items, room))  # fmt: skip


def _epoll_limit(s: Situation) -> int:
    return s.number("timeout")


def _epoll_times_out(s: Situation) -> Iterable[Outcome]:
    bad = isinstance(s.args.get("events"), BadPointer)
    out = None if bad else Exactly("0")
    yield Outcome(kind="returns", value=0, world=s.world, out=out, least=max(_epoll_limit(s), 0) * MILLISECOND)


# The rules

_WAIT, _CTL, _CREATE = "epoll_wait(2)", "epoll_ctl(2)", "epoll_create(2)"
_NOT_SETS = tuple(kind for kind in EVERY if kind != "epoll")


def _creations(call: str, refused: Rule) -> tuple[Rule, ...]:
    return (
        refused,
        fails(f"{call}.table-full", "EMFILE", _table_full, "no descriptor is free", "epoll_create(2) EMFILE", kinds=NOTHING),
        gives(f"{call}.made", _created, "a new, empty set", "epoll_create(2)", kinds=NOTHING),
    )


EPOLL: tuple[Rule, ...] = (
    *_creations("epoll_create1", fails("epoll_create1.unknown-flags", "EINVAL", _unknown_flags, "there is only EPOLL_CLOEXEC",
                                       "epoll_create(2) EINVAL", kinds=NOTHING)),
    *_creations("epoll_create", fails("epoll_create.no-size", "EINVAL", _no_size, "the size is not positive",
          "epoll_create(2) EINVAL",
                                      kinds=NOTHING)),
    fails("epoll_ctl.bad-pointer", "EFAULT", _event_pointer, "the event's pointer is bad",
          "epoll_ctl(2); do_epoll_ctl() in fs/eventpoll.c",
          kinds=_ALL),
    fails("epoll_ctl.not-open", "EBADF", lambda s: True, "the set's descriptor is not open", f"{_CTL} EBADF", kinds=NOTHING),
    fails("epoll_ctl.target-not-open", "EBADF", _target_closed, "the descriptor to watch is not open", f"{_CTL} EBADF"),
    unmodelled("epoll_ctl.unknown", _target_unknown, "nothing is known of the descriptor to watch"),
    fails("epoll_ctl.not-pollable", "EPERM", _target_not_pollable, "regular files and the like are always ready", f"{_CTL} EPERM"),
    fails("epoll_ctl.no-set", "EINVAL", _no_set, "the descriptor is no epoll set, or is to watch itself", f"{_CTL} EINVAL"),
    fails("epoll_ctl.exclusive", "EINVAL", _bad_exclusive, "EPOLLEXCLUSIVE goes with few other events, and only when adding",
          f"{_CTL} EINVAL", kinds="epoll"),
    fails("epoll_ctl.too-deep", "ELOOP", _too_deep, "sets would watch each other in a circle, or too deep", f"{_CTL} ELOOP",
          kinds="epoll"),
    fails("epoll_ctl.there", "EEXIST", _there, "the set watches it already", f"{_CTL} EEXIST", kinds="epoll"),
    fails("epoll_ctl.not-there", "ENOENT", _not_there, "the set does not watch it", f"{_CTL} ENOENT", kinds="epoll"),
    fails("epoll_ctl.no-operation", "EINVAL", _no_operation, "there is no such operation", f"{_CTL} EINVAL", kinds="epoll"),
    fails("epoll_ctl.exclusive-there", "EINVAL", _exclusive_there, "what is watched exclusively cannot be changed",
          f"{_CTL} EINVAL",
          kinds="epoll"),
    gives("epoll_ctl.done", _controlled, "added, changed or removed", _CTL, kinds="epoll"),
    fails("epoll_wait.not-open", "EBADF", lambda s: True, "the descriptor is not open", f"{_WAIT} EBADF", kinds=NOTHING,
          note="before Linux 6.9 the number of events was looked at first"),
    fails("epoll_wait.number", "EINVAL", _number_of_events, "room for no event, or for too many", f"{_WAIT} EINVAL"),
    fails("epoll_wait.no-set", "EINVAL", lambda s: True, "the descriptor is no epoll set", f"{_WAIT} EINVAL", kinds=_NOT_SETS),
    unmodelled("epoll_wait.unknown", _members_unknown, "nothing is known of a member of the set", kinds="epoll"),
    fails("epoll_wait.bad-pointer", "EFAULT", _events_pointer, "there is something to tell, and no memory for it",
          f"{_WAIT} EFAULT",
          kinds="epoll"),
    gives("epoll_wait.told", _epoll_gives, "the members that have something to tell", _WAIT, when=_something, kinds="epoll"),
    *waiting("epoll_wait", _epoll_times_out, _epoll_limit, _WAIT, "epoll"),
)  # fmt: skip
