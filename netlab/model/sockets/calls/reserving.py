"""Which number accept() gives: the one that was the lowest free one when the call began, which nobody else gets while it waits.

It knows no kind of socket: those that wait for connections take its rules from here (__sys_accept4_file() in net/socket.c).
"""

from collections.abc import Iterable

import msgspec

from netlab.model.sockets.messages import waiting
from netlab.model.sockets.outcomes import Outcome
from netlab.model.sockets.rules import Rule
from netlab.model.sockets.situation import Situation
from netlab.model.sockets.world import World

replace = msgspec.structs.replace


def reserved(s: Situation) -> int | None:
    """The number that the call took before it waited; None where it did not wait, or somebody has put something else there."""
    return s.note if isinstance(s.note, int) and s.note not in s.process.table else None


def waiting_with_number(s: Situation, world: World) -> Iterable[Outcome]:
    """The call waits, and keeps its number."""
    number = s.note if isinstance(s.note, int) else s.process.lowest_free()
    owner = world.processes[s.process_name]
    world = world.with_process(s.process_name, replace(owner, reserved=owner.reserved | {number}))
    for one in waiting(s, world, note=number):
        yield one if one.kind == "blocks" else _given_back(s, one)


def _given_back(s: Situation, one: Outcome) -> Outcome:
    """The outcome, with the number that the call had reserved when it began to wait free again, or open."""
    owner = one.world.processes[s.process_name]
    if s.note not in owner.reserved:
        return one
    kept = replace(owner, reserved=owner.reserved - {s.note})
    return replace(one, world=one.world.with_process(s.process_name, kept))


def before_waiting(rule: Rule) -> Rule:
    """A rule that is asked when the call begins, and not again when it goes on."""
    return replace(rule, when=lambda s: not s.resumed and rule.when(s))


def after_waiting(rule: Rule) -> Rule:
    """A rule of accept() that gives back what the call reserved before it waited."""

    def free(s: Situation) -> Iterable[Outcome]:
        for one in rule.gives(s):
            yield _given_back(s, one) if s.resumed and one.kind != "blocks" else one

    return replace(rule, gives=free)
