"""poll() and select(): which descriptors are ready, how long they wait for one, and what is refused.

What an object is ready for is in ready.py.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from netlab.model.sockets.calls.ready import ALWAYS, READABLE, WRITABLE, ready
from netlab.model.sockets.calls.waiting import MILLISECOND, count, known, once, waiting
from netlab.model.sockets.outcomes import Events, Exactly, Message, Outcome
from netlab.model.sockets.rules import NOTHING, Rule, fails, gives, unmodelled
from netlab.model.sockets.situation import Situation
from netlab.model.sockets.world import World
from netlab.notation.constants import combined, constant, flag_names
from netlab.notation.values import BadPointer, Constant, Name, Number, Value

_INVALID = constant("POLLNVAL")


def _bits(s: Situation, fd: int, asked: int) -> tuple[int, int] | None:
    """What one descriptor is told with; None where that is not known."""
    if fd < 0:
        return 0, 0
    descriptor = s.process.table.get(fd)
    if descriptor is None:
        return (_INVALID, 0) if known(s, fd) else None
    found = ready(s.world, s.world.descriptions[descriptor.description].object)
    if found is None:
        return None
    asked |= ALWAYS
    return found[0] & asked, found[1] & asked


def _number(value: Value) -> int:
    return value.value if isinstance(value, Number) else combined(value.names) if isinstance(value, Constant) else 0


# poll()


def _pairs(s: Situation) -> list[tuple[int, int]] | None:
    pairs = s.args.get("pairs")
    return list(pairs) if isinstance(pairs, tuple) else None


def _poll_pointer(s: Situation) -> bool:
    many = _number(s.call.arguments[1])
    return _pairs(s) is None and many > 0 and not s.process.beyond(many - 1)


def _poll_many(s: Situation) -> bool | None:
    if s.resumed:
        return False
    pairs = _pairs(s)
    many = len(pairs) if pairs is not None else _number(s.call.arguments[1])
    return many < 0 or s.process.beyond(many - 1)


def _polled(s: Situation) -> list[tuple[int, int]] | None:
    found = [_bits(s, fd, events & 0xFFFF) for fd, events in _pairs(s) or ()]
    return None if any(one is None for one in found) else [one for one in found if one is not None]


def _poll_unknown(s: Situation) -> bool:
    return _pairs(s) is not None and once(s, _polled) is None


def _timeout(s: Situation) -> int:
    """In milliseconds; below 0 for ever."""
    return s.number("timeout") if _pairs(s) is not None else _number(s.call.arguments[-1])


def _poll_ready(s: Situation) -> bool | None:
    found = once(s, _polled) or ()
    if any(must for must, _ in found):
        return True
    return None if any(may for _, may in found) else False


def _poll_gives(s: Situation) -> Iterable[Outcome]:
    found = once(s, _polled)
    sure = sum(1 for must, _ in found if must)
    most = sum(1 for must, may in found if must or may)
    out = _Some(*found[0]) if len(found) == 1 else _told(s, found)
    yield Outcome(kind="returns", value=count(max(sure, 1), most), world=s.world, out=out)


class _Some(msgspec.Struct, frozen=True):
    """Events of which at least one is set."""

    must: int
    may: int

    def accepts(self, out: Any, world: World) -> bool:
        """As Events, but not none."""
        return out != "0" and Events(self.must, self.may).accepts(out, world)

    def shown(self, world: World) -> Any:
        """As Events; where none is certain, each by itself."""
        bits = (1 << at for at in range(16))
        each = [flag_names("POLL", bit) for bit in bits if self.may & bit] if not self.must else []
        return Events(self.must or self.may, 0 if not self.must else self.may).shown(world) if len(each) < 2 else each


def _told(s: Situation, found: list[tuple[int, int]]) -> Any:
    if len(found) == 1:
        return Events(*found[0])
    return Message({_named(value): Events(*bits) for value, bits in zip(s.call.arguments[:-1:2], found, strict=True)})


def _named(value: Value) -> str:
    return value.name if isinstance(value, Name) else str(_number(value))


def _poll_times_out(s: Situation) -> Iterable[Outcome]:
    nothing = [(0, 0)] * len(_pairs(s) or ())
    out = _told(s, nothing) if nothing else None
    yield Outcome(kind="returns", value=0, world=s.world, out=out, least=max(_timeout(s), 0) * MILLISECOND)


# select()


def _set(s: Situation, name: str) -> int | None:
    """The descriptor in a set, None without a set."""
    value = s.args.get(name)
    return value if isinstance(value, int) else None


def _select_limit(s: Situation) -> int:
    value = s.args.get("timeout")
    return value if isinstance(value, int) else -1


def _select_negative(s: Situation) -> bool:
    value = s.args.get("timeout")
    return isinstance(value, int) and value < 0


def _select_pointer(s: Situation) -> bool:
    return any(isinstance(s.args.get(name), BadPointer) and not _null(s, name) for name in ("readable", "writable"))


def _null(s: Situation, name: str) -> bool:
    value = s.args.get(name)
    return isinstance(value, BadPointer) and value.null


def _select_closed(s: Situation) -> bool:
    # One that is closed while the call waits counts as ready from Linux 5.17 on (POLLIN_SET in fs/select.c).
    if s.resumed:
        return False
    found = [_set(s, name) for name in ("readable", "writable")]
    return any(fd is not None and fd not in s.process.table and known(s, fd) for fd in found)


def _selected(s: Situation) -> dict[str, tuple[int, int]] | None:
    found: dict[str, tuple[int, int]] = {}
    for name, wanted in (("readable", READABLE), ("writable", WRITABLE)):
        fd = _set(s, name)
        if fd is None:
            continue
        bits = _bits(s, fd, wanted)
        if bits is None:
            return None
        found[name] = (bits[0] & (wanted | _INVALID), bits[1] & wanted)
    return found


def _select_unknown(s: Situation) -> bool:
    return once(s, _selected) is None


def _select_ready(s: Situation) -> bool | None:
    found = (once(s, _selected) or {}).values()
    if any(must for must, _ in found):
        return True
    return None if any(may for _, may in found) else False


def _select_gives(s: Situation) -> Iterable[Outcome]:
    """Every combination of the sets that may be ready, with at least one."""
    found = once(s, _selected)
    combinations: list[list[str]] = [[]]
    for name, (must, _) in found.items():
        with_it = [[*one, name] for one in combinations]
        combinations = with_it if must else combinations + with_it if found[name][1] else combinations
    for names in combinations:
        if names:
            yield Outcome(kind="returns", value=len(names), world=s.world, out=Exactly("|".join(names)))


def _select_times_out(s: Situation) -> Iterable[Outcome]:
    yield Outcome(kind="returns", value=0, world=s.world, out=Exactly("0"), least=max(_select_limit(s), 0) * MILLISECOND)


# The rules

_POLL, _SELECT = "POSIX.1-2024 poll()", "POSIX.1-2024 select()"

POLLING: tuple[Rule, ...] = (
    fails("poll.too-many", "EINVAL", _poll_many, "more descriptors than RLIMIT_NOFILE allows", f"{_POLL} EINVAL; poll(2)",
          kinds=NOTHING),
    fails("poll.bad-pointer", "EFAULT", _poll_pointer, "the list's pointer is bad", "poll(2) EFAULT", kinds=NOTHING),
    unmodelled("poll.unknown", _poll_unknown, "nothing is known of one of the descriptors", kinds=NOTHING),
    gives("poll.ready", _poll_gives, "how many descriptors have something to tell; POLLERR, POLLHUP and POLLNVAL unasked", _POLL,
          when=_poll_ready, kinds=NOTHING),
    *waiting("poll", _poll_times_out, _timeout, _POLL, NOTHING),
    fails("select.bad-timeout", "EINVAL", _select_negative, "the timeout is negative", f"{_SELECT} EINVAL", kinds=NOTHING),
    fails("select.bad-pointer", "EFAULT", _select_pointer, "a set's pointer is bad", "select(2); core_sys_select() in fs/select.c",
          kinds=NOTHING),
    fails("select.not-open", "EBADF", _select_closed, "a set has a descriptor that is not open", f"{_SELECT} EBADF", kinds=NOTHING),
    unmodelled("select.unknown", _select_unknown, "nothing is known of one of the descriptors", kinds=NOTHING),
    gives("select.ready", _select_gives, "how many members of the sets are ready", _SELECT, when=_select_ready, kinds=NOTHING),
    *waiting("select", _select_times_out, _select_limit, _SELECT, NOTHING),
)  # fmt: skip
