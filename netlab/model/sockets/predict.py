"""What the model allows at each step of a scenario, without a kernel: values, errnos, what is given besides, states, being blocked.

A step is predicted given the results that earlier steps assert: one without counts as a success, ``-> ?`` as any outcome that the
model allows. Nothing is judged here.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from netlab.model.sockets.arriving import arrivals
from netlab.model.sockets.beginning import first_world
from netlab.model.sockets.calls.waiting import MILLISECOND
from netlab.model.sockets.objects import Socket
from netlab.model.sockets.oracle import Chosen, Oracle, possible_now
from netlab.model.sockets.outcomes import AnAddress, Between, NewDescriptor, Outcome, Seen, agrees, candidates
from netlab.model.sockets.rules import Profile
from netlab.model.sockets.tables import Allowed
from netlab.model.sockets.world import World
from netlab.model.tcp_linux import LINUX_NAMES
from netlab.notation.calls import Call, Result
from netlab.notation.constants import combined
from netlab.notation.values import Number
from netlab.scenario.spec import AnyStep, CallStep, JoinStep, Scenario


class Prediction(msgspec.Struct, frozen=True, kw_only=True):
    """What one step may come to. ``call`` is the step as written. ``modelled`` is false where the model does not know, and of steps
    that are no calls. ``allowed`` are the outcomes, ``rules`` the ids of the rules that allow them, with ``sources`` by id.
    ``contradicted``: the step asserts what the model does not allow.
    """

    call: str
    modelled: bool
    allowed: tuple[Mapping[str, Any], ...] = ()
    rules: tuple[str, ...] = ()
    sources: Mapping[str, str] = {}
    contradicted: bool = False


def predict(scenario: Scenario, profile: Profile = "linux") -> tuple[Prediction, ...]:
    """One prediction a step, in order."""
    return tuple(_Predicting(scenario, profile).steps())


class _Predicting:
    def __init__(self, scenario: Scenario, profile: Profile) -> None:
        self._scenario = scenario
        self._oracle = Oracle(first_world(scenario, certain=True), profile)
        self._jobs: dict[str, tuple[int, CallStep]] = {}
        self._due: dict[int, int] = {}
        """Calls that after() puts off, by their number: by how long, in ns."""

    def steps(self) -> Iterator[Prediction]:
        """Step after step."""
        for step in self._scenario.steps:
            match step:
                case CallStep():
                    yield self._call(step)
                case JoinStep() if step.what.job in self._jobs:
                    number, origin = self._jobs.pop(step.what.job)
                    yield self._ended(step, number, origin.what.call, step.what.result)
                case _:
                    yield Prediction(call=_written(step), modelled=False)

    def _call(self, step: CallStep) -> Prediction:
        number = self._oracle.start(step.process, step.what.call)
        if step.what.job:
            self._jobs[step.what.job] = (number, step)
            return self._shown(step, number, step.what.call)
        return self._ended(step, number, step.what.call, step.what.result)

    def _ended(self, step: AnyStep, number: int, call: Call, result: Result) -> Prediction:
        shown = self._shown(step, number, call)
        if not shown.modelled:
            self._oracle.assume(number, lambda outcome, world: ())
            return shown
        if result.form == "blocks" or (result.form in ("success", "any") and shown.allowed == ({"blocks": True},)):
            return msgspec.structs.replace(shown, contradicted=self._oracle.blocked(number).inconsistency is not None)
        asserted = _as_asserted(result, self._oracle.worlds[0], step)

        def chosen(outcome: Outcome, world: World) -> tuple[Seen, ...]:
            return () if self._overtakes(outcome, world) else asserted(outcome, world)

        found = self._oracle.assume(number, chosen)
        if call.name == "after" and call.inner is not None:
            put_off = self._oracle.start(getattr(step, "process", ""), call.inner)
            self._due[put_off] = _milliseconds(call) * MILLISECOND
        return msgspec.structs.replace(shown, contradicted=found.inconsistency is not None)

    def _shown(self, step: AnyStep, number: int, call: Call) -> Prediction:
        found = self._possible(number)
        if found is None:
            return Prediction(call=_written(step), modelled=False)
        allowed: dict[str, dict[str, Any]] = {}
        rules: dict[str, str] = {}
        for one, process in found:
            states = _states(one.outcome.world, process)
            for named in _outs_by_name(one, process, call.name) or ({},):
                said = one.outcome.shown() | named | ({"state": states} if states else {})
                allowed.setdefault(repr(said), said)
            rules[one.rule.id] = one.rule.source
        return Prediction(call=_written(step), modelled=True, allowed=tuple(allowed.values()), rules=tuple(rules), sources=rules)

    def _overtakes(self, outcome: Outcome, world: World) -> bool:
        """Whether an outcome takes so long that a call which was put off for at most half of that should have come before it."""
        return any(0 < 2 * due <= outcome.least for due in self._to_come(world))

    def _to_come(self, world: World) -> list[int]:
        """When the calls that were put off and have not begun come, in ns from where they were."""
        return [self._due[number] for number, one in world.pending.items() if number in self._due and not one.entered]

    def _possible(self, number: int) -> list[tuple[Allowed, str]] | None:
        """The outcomes in any of the worlds; "blocks" only where the call stays blocked though all that is under way has come."""
        found: list[tuple[Allowed, str]] = []
        until: list[tuple[Allowed, str]] = []
        for world in self._oracle.orders(number):
            pending = world.pending[number]
            if isinstance(pending.answer, Allowed):
                found.append((pending.answer, pending.process))
                continue
            some = possible_now(
                world,
                pending.process,
                pending.call,
                self._oracle.profile,
                resumed=pending.entered,
                note=pending.note,
                held=pending.held,
                before=pending.before,
            )
            if some is None:
                return None
            some = [one for one in some if not self._overtakes(one.outcome, world)]
            others = any(one.outcome.kind != "blocks" for one in some)
            ends = until if self._to_come(world) and not others else found
            ends += [(one, pending.process) for one in some if one.outcome.kind != "blocks" or not others]
        return found or until


def _milliseconds(call: Call) -> int:
    """How long after() puts a call off."""
    time = call.arguments[0] if call.arguments else None
    return time.value if isinstance(time, Number) else 0


def _as_asserted(result: Result, world: World, step: AnyStep) -> Chosen:
    """Which outcomes agree with what a step asserts, and what each is taken to have given."""
    process = getattr(step, "process", "")

    def chosen(outcome: Outcome, _: World) -> tuple[Seen, ...]:
        match result.form:
            case "errno":
                wanted = outcome.kind == "fails" and outcome.errno == result.errno
                return (Seen(result=-1, errno=outcome.errno),) if wanted else ()
            case "signal":
                return (
                    (Seen(result=-1, signal=outcome.signal),) if outcome.kind == "ends" and outcome.signal == result.errno else ()
                )
            case "any" if outcome.kind == "fails":
                return (Seen(result=-1, errno=outcome.errno),)
            case "any" if outcome.kind == "ends":
                return (Seen(result=-1, signal=outcome.signal),)
            case "success" if outcome.kind == "ends":
                return (Seen(result=-1, signal=outcome.signal),)
        if outcome.kind != "returns":
            return ()
        return tuple(Seen(result=number, partial=True) for number in _numbers(result, outcome, world, process))

    return chosen


def _numbers(result: Result, outcome: Outcome, world: World, process: str) -> tuple[int, ...]:
    """The numbers of an outcome that an assertion lets stand."""
    value = outcome.value
    match result.form:
        case "value":
            number = result.value if result.value is not None else 0
            return (number,) if agrees(value, number) else ()
        case "same":
            number = world.processes[process].names.get(result.name, -1)
            return (number,) if agrees(value, number) else ()
        case "at_least" if isinstance(value, Between):
            return tuple(one for one in candidates(value) if one >= (result.value or 0)) or candidates(value)[:1]
        case "flag":
            return tuple(one for one in candidates(value) if one & combined(result.flags) == combined(result.flags))
        case "no_flag":
            return tuple(one for one in candidates(value) if not one & combined(result.flags))
        case "fd" if not isinstance(value, NewDescriptor):
            return tuple(one for one in candidates(value) if one >= 0)
    return candidates(value)


def _states(world: World, process: str) -> dict[str, str]:
    """The TCP state of each socket that the process has a name for, in Linux' spelling, when all that is under way has come."""
    owner = world.processes.get(process)
    found = {}
    for name, fd in (owner.names if owner is not None else {}).items():
        descriptor = owner.table.get(fd) if owner is not None else None
        if descriptor is None:
            continue
        number = world.descriptions[descriptor.description].object
        if isinstance(world.objects[number], Socket) and world.objects[number].kind == "tcp":
            settled = arrivals(world, (number,))[-1].objects[number]
            if isinstance(settled, Socket):
                found[name] = LINUX_NAMES.get(settled.state, settled.state)
    return found


def _outs_by_name(one: Allowed, process: str, call: str) -> list[dict[str, Any]]:
    """An address whose port nobody knows, by the name of each other socket that is bound to it: @getsockname:b. A listener and
    what accept() gave have one address."""
    out, world = one.outcome.out, one.outcome.world
    if not isinstance(out, AnAddress) or out.address is None or world.port(out.address.port) >= 0 or call == "getsockname":
        return []
    owner = world.processes[process]
    found = []
    for name, fd in owner.names.items():
        descriptor = owner.table.get(fd)
        bound = world.objects[world.descriptions[descriptor.description].object] if descriptor is not None else None
        if isinstance(bound, Socket) and bound.local == out.address:
            found.append({"out": f"@getsockname:{name}"})
    return found


def _written(step: AnyStep) -> str:
    return step.text
