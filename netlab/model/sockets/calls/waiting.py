"""What all calls that wait for several descriptors have in common: giving up, blocking, and what is known of a descriptor."""

from collections.abc import Callable, Iterable
from typing import Any

from netlab.model.sockets.outcomes import Between, Outcome
from netlab.model.sockets.rules import Guard, Rule, gives
from netlab.model.sockets.situation import Situation

MILLISECOND = 1_000_000


def known(s: Situation, fd: int) -> bool:
    """Whether it is known what the descriptor is, or that it is none."""
    return fd in s.process.table or s.process.whole or fd < 0 or fd in s.process.gone


def once(s: Situation, find: Callable[[Situation], Any]) -> Any:
    """What was found out about this call, once for all rules."""
    if s.found is None:
        s.found = (find(s),)
    return s.found[0]


def count(least: int, most: int) -> Any:
    """A number between these bounds."""
    return most if least == most else Between(least, most)


def waits(timeout: Callable[[Situation], int]) -> tuple[Guard, Guard]:
    """The guards of giving up and of blocking: both are possible while a limited time passes."""

    def gives_up(s: Situation) -> bool | None:
        limit = timeout(s)
        return False if limit < 0 else True if limit == 0 else None

    def blocks(s: Situation) -> bool:
        return timeout(s) != 0

    return gives_up, blocks


def stays(s: Situation) -> Iterable[Outcome]:
    """The call blocks, and nothing changes."""
    yield Outcome(kind="blocks", world=s.world)


def waiting(call: str, gives_up: Any, timeout: Callable[[Situation], int], source: str, kinds: Any) -> tuple[Rule, ...]:
    """The rules of a call that found nothing."""
    over, on = waits(timeout)
    return (
        gives(f"{call}.timed-out", gives_up, "nothing is ready, and the time is over", source, when=over, kinds=kinds),
        gives(f"{call}.blocks", stays, "nothing is ready yet", source, when=on, kinds=kinds, category="blocks"),
    )
