"""The model folded over what was seen: every world that the observations allow is kept; none left is the inconsistency.

A call takes effect at some moment between its start and its return. Those under way are therefore tried in every order that their
times allow (linearizability), but only where they overlap. Pure: it knows no clock and no kernel.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from netlab.model.sockets.arriving import arrivals, concerned
from netlab.model.sockets.ending import ended, process_ended
from netlab.model.sockets.forgetting import forget
from netlab.model.sockets.outcomes import NewDescriptor, Outcome, Seen
from netlab.model.sockets.rules import Profile, Rule
from netlab.model.sockets.situation import Situation
from netlab.model.sockets.tables import Allowed, allowed
from netlab.model.sockets.world import Pending, World
from netlab.notation.calls import Call

IN_CHILD = "in a child"
"""The note of an outcome that ends a process which was made for the call only (``child``), and not the caller."""
MOST_WORLDS = 16
"""More than this many worlds at a time are not followed: what comes then is not judged (and said so), never judged wrongly."""

_FEW = 3
"""Connections of which all that may have arrived is looked at together."""

Chosen = Callable[[Outcome, World], tuple[Seen, ...]]
"""What an outcome is taken to have given, if it is one of those that came; () if not."""


class Possible(msgspec.Struct, frozen=True, kw_only=True):
    """An outcome that was allowed, with the rule: for reports."""

    rule: Rule
    shown: dict[str, Any]


class Inconsistency(msgspec.Struct, frozen=True, kw_only=True):
    """The first observation that no world explains: what was seen, and what would have been allowed by which rules."""

    process: str
    call: Call
    seen: Seen | None
    possible: tuple[Possible, ...]

    def sentence(self) -> str:
        """What would have been allowed, and by which rules."""
        if not self.possible:
            return "nothing was allowed"
        return "; or ".join(f"{show(one.shown)} ({one.rule.id}: {one.rule.says} [{one.rule.source}])" for one in self.possible)


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What one observation came to. ``judged`` is false where the model could not say; ``rules`` are those that explain it."""

    inconsistency: Inconsistency | None = None
    rules: tuple[Rule, ...] = ()
    judged: bool = True


class Oracle:
    """Follows worlds through a run. ``worlds`` are those that all observations so far allow; never empty (after an inconsistency it
    goes on from the worlds before it, with the call left out)."""

    def __init__(self, world: World, profile: Profile = "linux") -> None:
        self.worlds: tuple[World, ...] = (world,)
        self.profile: Profile = profile
        self.reached: set[str] = set()
        self.overwhelmed = False
        self._count = 0

    def start(self, process: str, call: Call, at: int = 0) -> int:
        """A call is about to be made; gives the number under which its return is told."""
        self._count += 1
        self.worlds = tuple(_begun(world, self._count, process, call, at) for world in self.worlds)
        return self._count

    def returned(self, number: int, seen: Seen, at: int = 0) -> Step:
        """A call returned."""

        def same(outcome: Outcome, world: World) -> tuple[Seen, ...]:
            return (seen,) if outcome.kind != "blocks" and outcome.accepts(seen, world) else ()

        return self._advance(number, same, at, seen)

    def assume(self, number: int, chosen: Chosen, at: int = 0) -> Step:
        """A call is taken to have come to any of the outcomes for which ``chosen`` says what it is taken to have given."""
        return self._advance(number, chosen, at, None)

    def _advance(self, number: int, chosen: Chosen, at: int, seen: Seen | None) -> Step:
        if self.overwhelmed:
            self.worlds = tuple(_without(world, number) for world in self.worlds)
            return Step(judged=False)
        after: list[World] = []
        rules: list[Rule] = []
        unknown = False
        others: list[Allowed] = []
        for world in self.orders(number):
            pending = world.pending[number]
            effective = not isinstance(pending.answer, Allowed)
            found = self._allowed(world, pending, at) if not isinstance(pending.answer, Allowed) else (pending.answer,)
            if found is None:
                unknown = True
                after.append(forget(_without(world, number), pending, seen or Seen(partial=True)))
                continue
            for one in found:
                taken = chosen(one.outcome, one.outcome.world if effective else world)
                for each in taken:
                    after.append(_buried(_ended(one.outcome, world, effective, pending, each, number), one, pending))
                    rules.append(one.rule)
                if not taken:
                    others.append(one)
        if not after:
            pending = self.worlds[0].pending[number]
            self.worlds = tuple(_without(world, number) for world in self.worlds)
            if self.overwhelmed:
                return Step(judged=False)
            return Step(inconsistency=_nothing(pending, seen, others))
        self.reached.update(rule.id for rule in rules)
        self._keep(after if len(after) == 1 else _fewest(after))
        return Step(rules=tuple(dict.fromkeys(rules)), judged=not unknown)

    def blocked(self, number: int, at: int = 0) -> Step:
        """A call was seen to be blocked: its thread waits inside it."""
        if self.overwhelmed:
            return Step(judged=False)
        after: list[World] = []
        rules: list[Rule] = []
        unknown = False
        others: list[Allowed] = []
        for world in self.orders(number):
            pending = world.pending[number]
            found = None if isinstance(pending.answer, Allowed) else self._allowed(world, pending, at)
            if isinstance(pending.answer, Allowed):
                continue
            if found is None:
                unknown = True
                after.append(_perhaps_with_number(world, pending))
                continue
            for one in found:
                if one.outcome.kind == "blocks":
                    after.append(_entered(one.outcome.world, number, pending, None, one.outcome.note))
                    rules.append(one.rule)
                else:
                    others.append(one)
        if not after:
            if self.overwhelmed:
                return Step(judged=False)
            return Step(inconsistency=_nothing(self.worlds[0].pending[number], None, others))
        self.reached.update(rule.id for rule in rules)
        self._keep(after)
        return Step(rules=tuple(dict.fromkeys(rules)), judged=not unknown)

    def allowed(self, process: str, call: Call, at: int = 0) -> tuple[Allowed, ...] | None:
        """What may come of a call if it were made now, in any of the worlds; None where the model does not know."""
        found: dict[str, Allowed] = {}
        for world in self.worlds:
            some = possible_now(world, process, call, self.profile, at=at)
            if some is None:
                return None
            for one in some:
                found.setdefault(f"{one.rule.id} {one.outcome.shown()}", one)
        return tuple(found.values())

    def change(self, worlds: Iterable[World]) -> None:
        """Go on from these worlds: what was learnt in another way than by a call's return."""
        self._keep(list(worlds))

    def _allowed(self, world: World, pending: Pending, at: int) -> Sequence[Allowed] | None:
        waited = at - pending.began if at and pending.began else None
        return possible_now(
            world,
            pending.process,
            pending.call,
            self.profile,
            resumed=pending.entered,
            note=pending.note,
            waited=waited,
            at=at,
            held=pending.held,
        )

    def orders(self, number: int) -> list[World]:
        """The worlds, and those in which other calls under way have already taken effect or blocked, in any order."""
        worlds = list(self.worlds)
        if all(len(world.pending) <= 1 for world in worlds):
            return worlds
        at = 0
        while at < len(worlds) and len(worlds) <= MOST_WORLDS:
            world = worlds[at]
            at += 1
            for other, pending in world.pending.items():
                if other == number or isinstance(pending.answer, Allowed):
                    continue
                found = self._allowed(world, pending, 0)
                for one in found or ():
                    if one.outcome.kind == "blocks":
                        if pending.entered:
                            continue
                        new = _entered(one.outcome.world, other, pending, None, one.outcome.note)
                    else:
                        new = _entered(one.outcome.world, other, pending, one, None)
                    if new not in worlds:
                        worlds.append(new)
        if len(worlds) > MOST_WORLDS:  # there may be orders that were not tried
            self.overwhelmed = True
        return worlds

    def _keep(self, worlds: list[World]) -> None:
        distinct: list[World] = worlds[:1]
        for world in worlds[1:]:
            if world not in distinct:
                distinct.append(world)
            if len(distinct) > MOST_WORLDS:
                self.overwhelmed = True
                distinct = distinct[:1]
                break
        self.worlds = tuple(distinct)


def possible_now(
    world: World,
    process: str,
    call: Call,
    profile: Profile,
    *,
    resumed: bool = False,
    note: object = None,
    waited: int | None = None,
    at: int = 0,
    held: int = 0,
) -> Sequence[Allowed] | None:
    """What may come of a call, whatever of what is under way has arrived; a call that blocks may also go on when that arrives.

    None where the model does not know. "blocks" is among the outcomes of a call that only waits for what is under way, too:
    ``lasting`` tells it from one that stays blocked until somebody does something.
    """

    def situated(some: World, resumed: bool, note: object) -> Situation:
        return Situation(some, process, call, resumed=resumed, note=note, waited=waited, at=at, held=held)

    first = situated(world, resumed, note)
    numbers = concerned(world, process, tuple(_descriptors(first)))
    if held and first.socket_id and first.socket_id not in numbers:
        numbers = (*numbers, first.socket_id)
    found: list[Allowed] = []
    for before in arrivals(world, numbers):
        situation = first if before is world else situated(before, resumed, note)
        some = allowed(situation, profile)
        if some is None:
            return None
        for one in some:
            found.append(one)
            if one.outcome.kind != "blocks":
                continue
            for after in arrivals(one.outcome.world, numbers):
                later = situated(after, True, one.outcome.note)
                found += [again for again in allowed(later, profile) or () if again.outcome.kind != "blocks"]
    return found


def lasting(world: World, process: str, call: Call, profile: Profile = "linux") -> bool:
    """Whether a call stays blocked though all that is under way has arrived."""
    first = Situation(world, process, call)
    numbers = concerned(world, process, tuple(_descriptors(first)))
    settled = arrivals(world, numbers)[-1]
    some = allowed(Situation(settled, process, call), profile) or ()
    for one in some:
        if one.outcome.kind == "blocks":
            after = arrivals(one.outcome.world, numbers)[-1]
            later = allowed(Situation(after, process, call, resumed=True, note=one.outcome.note), profile) or ()
            if any(again.outcome.kind == "blocks" for again in later):
                return True
    return False


def _descriptors(situation: Situation) -> Iterable[int]:
    """The descriptors that a call is about, by the names of the parameters that hold some."""
    pairs = situation.args.get("pairs")
    if isinstance(pairs, tuple):
        yield from (fd for fd, _ in pairs)
    for name in ("fd", "target", "readable", "writable"):
        value = situation.args.get(name)
        if isinstance(value, int):
            yield value


def _fewest(worlds: list[World]) -> list[World]:
    """The worlds without those that another one becomes when more of what is under way arrives: what they allow, it allows too."""
    kept: list[World] = []
    later: list[World] = []
    for world in worlds:
        if world in later:
            continue
        kept.append(world)
        differing = _differing(world, worlds)
        if len(differing) <= _FEW:
            later += arrivals(world, differing)
        if len(kept) > MOST_WORLDS:
            return worlds
    return kept


def _differing(world: World, others: Iterable[World]) -> tuple[int, ...]:
    """The sockets that are not the same in another world, or whose connections are not; one a connection."""
    found: dict[int, int] = {}
    for other in others:
        if other is world:
            continue
        for number, connection in world.connections.items():
            there = other.connections.get(number)
            if there is not connection and there != connection:
                found[number] = next((end for end in connection.ends if end in world.objects), 0)
        for number, one in world.objects.items():
            theirs = other.objects.get(number)
            if theirs is not one and theirs != one:
                found.setdefault(getattr(one, "connection", 0) or -number, number)
    return tuple(number for number in found.values() if number)


def _begun(world: World, number: int, process: str, call: Call, at: int) -> World:
    return world.waiting({**world.pending, number: Pending(process=process, call=call, began=at)})


def _entered(world: World, number: int, pending: Pending, answer: Allowed | None, note: object) -> World:
    world = world.copy()
    held = pending.held
    if answer is None and not held:
        descriptor = Situation(world, pending.process, pending.call).descriptor
        if descriptor is not None and pending.call.name != "close":
            held = descriptor.description
            old = world.descriptions[held]
            world.descriptions[held] = msgspec.structs.replace(old, references=old.references + 1)
    world.pending[number] = msgspec.structs.replace(pending, entered=True, answer=answer, note=note, held=held)
    return world


def _perhaps_with_number(world: World, pending: Pending) -> World:
    """A call that waits though the model does not know why: accept() has taken a number by then, and which is not known."""
    owner = world.processes[pending.process]
    taken = pending.call.name.startswith("accept")
    return world.with_process(pending.process, msgspec.structs.replace(owner, whole=False)) if taken else world


def _let_go(world: World, held: int) -> World:
    """The world in which a call that blocked keeps its description open no longer."""
    if held not in world.descriptions:
        return world
    world = world.copy()
    last = world.dropped(held)
    return ended(world, last) if last else world


def _without(world: World, number: int) -> World:
    return world.waiting({other: pending for other, pending in world.pending.items() if other != number})


def _ended(outcome: Outcome, world: World, effective: bool, pending: Pending, seen: Seen, number: int) -> World:
    """The world after a call's return: with what was seen taken in, and the names bound that the call binds."""
    after = outcome.after(seen) if effective else (outcome.learn(world, seen) if outcome.learn is not None else world)
    after = _without(after, number)
    _renumber(after, world, pending, outcome, seen)
    _bind(after, pending, outcome, seen)
    return _let_go(after, pending.held) if pending.held else after


def _buried(world: World, one: Allowed, pending: Pending) -> World:
    """The world after a call that may have ended its process: all that it had open is closed, and its other calls end with it."""
    if one.outcome.kind != "ends" or one.outcome.note == IN_CHILD:
        return world
    world = process_ended(world, pending.process)
    for number, other in tuple(world.pending.items()):
        if other.process == pending.process:
            world = _let_go(world, other.held).copy()
            world.pending[number] = msgspec.structs.replace(other, entered=True, answer=one, held=0)
    return world


def _renumber(after: World, before: World, pending: Pending, outcome: Outcome, seen: Seen) -> None:
    """A new descriptor whose number could not be known has the one that was seen, in a world that nobody else has."""
    if not isinstance(outcome.value, NewDescriptor) or outcome.value.number is not None or seen.partial or seen.errno:
        return
    owner = after.processes[pending.process]
    new = [fd for fd in owner.table if fd not in before.processes[pending.process].table]
    if len(new) == 1 and new[0] != seen.result:
        table = dict(owner.table)
        table[seen.result] = table.pop(new[0])
        after.processes = {**after.processes, pending.process: msgspec.structs.replace(owner, table=table)}


def _bind(world: World, pending: Pending, outcome: Outcome, seen: Seen) -> None:
    """The scenario's names for new descriptors, in a world that nobody else has."""
    binds = pending.call.binds
    if not binds or seen.errno or outcome.kind != "returns":
        return
    process = world.processes[pending.process]
    numbers = outcome.note if isinstance(outcome.note, tuple) else (seen.result,)
    names = dict(process.names)
    names.update(zip(binds, numbers, strict=False))
    if not numbers:
        return
    saved = {name: address for name, address in process.saved.items() if name not in binds}
    world.processes = {**world.processes, pending.process: msgspec.structs.replace(process, names=names, saved=saved)}


def _nothing(pending: Pending, seen: Seen | None, others: Iterable[Allowed]) -> Inconsistency:
    possible: dict[str, Possible] = {}
    for one in others:
        shown = one.outcome.shown()
        possible.setdefault(f"{one.rule.id} {shown}", Possible(rule=one.rule, shown=shown))
    return Inconsistency(process=pending.process, call=pending.call, seen=seen, possible=tuple(possible.values()))


def show(outcome: dict[str, Any]) -> str:
    """An outcome in the notation of results: EAGAIN, 5 out "hello", blocks, signal SIGPIPE."""
    if "errno" in outcome:
        return str(outcome["errno"]) + (f" and {outcome['signal']}" if "signal" in outcome else "")
    if "blocks" in outcome:
        return "blocks"
    if "signal" in outcome:
        return f"signal {outcome['signal']}"
    return str(outcome["ret"]) + (f" out {outcome['out']}" if "out" in outcome else "")
