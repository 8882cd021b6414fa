"""The model folded over what was seen: every world that the observations allow is kept; none left is the inconsistency.

A call takes effect at some moment between its start and its return. Those under way are therefore tried in every order that their
times allow (linearizability), but only where they overlap. Pure: it knows no clock and no kernel.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from netlab.model.sockets.arriving import arrivals, concerned
from netlab.model.sockets.forgetting import forget, touched
from netlab.model.sockets.objects import Socket
from netlab.model.sockets.outcomes import NewDescriptor, Outcome, Seen
from netlab.model.sockets.rules import Profile, Rule
from netlab.model.sockets.situation import Situation
from netlab.model.sockets.tables import Allowed, allowed
from netlab.model.sockets.under_way import (
    begun,
    buried,
    descriptors_of,
    entered,
    inside,
    interrupted,
    keeps_alive,
    let_go,
    let_go_early,
    restarted,
    without,
)
from netlab.model.sockets.world import Pending, World
from netlab.notation.calls import Call

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
        self.worlds = tuple(begun(world, self._count, process, call, at) for world in self.worlds)
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
            self.worlds = tuple(without(world, number) for world in self.worlds)
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
                after.append(let_go(forget(without(world, number), pending, seen or Seen(partial=True)), pending))
                continue
            for one in found:
                taken = chosen(one.outcome, one.outcome.world if effective else world)
                for each in taken:
                    after.append(buried(_ended(one.outcome, world, effective, pending, each, number), one, pending))
                    rules.append(one.rule)
                if not taken:
                    others.append(one)
        if not after:
            pending = self.worlds[0].pending[number]
            self.worlds = tuple(without(world, number) for world in self.worlds)
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
                after.append(inside(world, number, pending))
                continue
            for one in found:
                if one.outcome.kind == "blocks":
                    after.append(entered(one.outcome.world, number, pending, None, one.outcome.note))
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
        if pending.lost:
            return None
        waited = at - pending.began if at and pending.began else None
        found = possible_now(
            world,
            pending.process,
            pending.call,
            self.profile,
            resumed=pending.entered,
            note=pending.note,
            waited=waited,
            at=at,
            held=pending.held,
            before=pending.before,
        )
        if pending.signalled and found is not None:
            # What is there by now is looked at before the signal is.
            return [*(one for one in found if one.outcome.kind != "blocks"), interrupted(world, pending)]
        return found

    def orders(self, number: int) -> list[World]:
        """The worlds, and those in which other calls under way have already taken effect or blocked, in any order; the call itself
        may have done a part of what it does, and wait for the rest."""
        worlds = list(self.worlds)
        if all(len(world.pending) <= 1 and not any(one.restarts for one in world.pending.values()) for world in worlds):
            return worlds
        at = 0
        while at < len(worlds) and len(worlds) <= MOST_WORLDS:
            world = worlds[at]
            at += 1
            for other, pending in world.pending.items():
                for new in self._further(world, other, pending, itself=other == number):
                    if new not in worlds:
                        worlds.append(new)
        if len(worlds) > MOST_WORLDS:  # there may be orders that were not tried
            self.overwhelmed = True
        return worlds

    def _further(self, world: World, number: int, pending: Pending, *, itself: bool) -> Iterable[World]:
        """The worlds in which a call under way has gone on; what it kept open is let go before its return is seen, or then."""
        keeps = keeps_alive(world, pending)
        if isinstance(pending.answer, Allowed):
            if keeps and not itself:
                yield let_go_early(world, number)
            return
        if pending.restarts:
            yield restarted(world, number)
        found = self._allowed(world, pending, 0)
        if found is None and not itself:
            yield touched(world, pending)
            if keeps:
                yield let_go_early(touched(world, pending), number)
        for one in found or ():
            if one.outcome.kind == "blocks":
                if one.outcome.note != pending.note or not (pending.entered or (itself and not _closing(world, number))):
                    yield entered(one.outcome.world, number, pending, None, one.outcome.note)
            elif keeps or not itself:
                yield buried(entered(one.outcome.world, number, pending, one, None), one, pending)

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
    before: Socket | None = None,
) -> Sequence[Allowed] | None:
    """What may come of a call, whatever of what is under way has arrived; a call that blocks may also go on when that arrives.

    None where the model does not know. "blocks" is among the outcomes of a call that only waits for what is under way, too:
    ``lasting`` tells it from one that stays blocked until somebody does something.
    """

    def situated(some: World, resumed: bool, note: object) -> Situation:
        return Situation(some, process, call, resumed=resumed, note=note, waited=waited, at=at, held=held, before=before)

    first = situated(world, resumed, note)
    before = before or first.as_socket
    numbers = concerned(world, process, tuple(descriptors_of(first)))
    if held and first.socket_id and first.socket_id not in numbers:
        numbers = (*numbers, first.socket_id)
    found: list[Allowed] = []
    for some_world in arrivals(world, numbers):
        situation = first if some_world is world else situated(some_world, resumed, note)
        some = allowed(situation, profile)
        if some is None:
            return None
        for one in some:
            found.append(one)
            if one.outcome.kind != "blocks":
                continue
            for after in arrivals(one.outcome.world, numbers):
                later = situated(after, True, one.outcome.note)
                once_more = allowed(later, profile)
                if once_more is None:
                    return None
                found += [again for again in once_more if again.outcome.kind != "blocks"]
    return found


def lasting(world: World, process: str, call: Call, profile: Profile = "linux") -> bool:
    """Whether a call stays blocked though all that is under way has arrived."""
    first = Situation(world, process, call)
    numbers = concerned(world, process, tuple(descriptors_of(first)))
    settled = arrivals(world, numbers)[-1]
    some = allowed(Situation(settled, process, call), profile) or ()
    for one in some:
        if one.outcome.kind == "blocks":
            after = arrivals(one.outcome.world, numbers)[-1]
            later = allowed(Situation(after, process, call, resumed=True, note=one.outcome.note), profile) or ()
            if any(again.outcome.kind == "blocks" for again in later):
                return True
    return False


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


_CLOSES = ("close", "dup2", "dup3")


def _closing(world: World, number: int) -> bool:
    """Whether another call under way may take the descriptor away that this one has found."""
    others = (one for other, one in world.pending.items() if other != number and not isinstance(one.answer, Allowed))
    return any(one.call.name in _CLOSES for one in others)


def _ended(outcome: Outcome, world: World, effective: bool, pending: Pending, seen: Seen, number: int) -> World:
    """The world after a call's return: with what was seen taken in, and the names bound that the call binds."""
    after = outcome.after(seen) if effective else (outcome.learn(world, seen) if outcome.learn is not None else world)
    after = without(after, number)
    _renumber(after, world, pending, outcome, seen)
    _bind(after, pending, outcome, seen)
    return let_go(after, pending)


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
