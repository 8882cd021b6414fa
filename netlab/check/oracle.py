"""Whether every call of a scenario gave what the model of the sockets API allows: one verdict about a timeline.

It feeds the oracle (netlab.model.sockets) with the calls as they began and returned; what the steps say that must come of them it
does not look at. A call that the model does not know is not judged, and the verdict says how many those are.
"""

from collections.abc import Sequence

import msgspec

from netlab.check.verdicts import Mismatch, Verdict
from netlab.model.sockets.beginning import first_world
from netlab.model.sockets.oracle import Inconsistency, Oracle
from netlab.model.sockets.outcomes import Seen
from netlab.notation.calls import Call
from netlab.notation.parse import parse_step
from netlab.notation.printing import print_call
from netlab.scenario.spec import CallStep, Scenario
from netlab.timeline.observation import Observation
from netlab.timeline.observations import CallReturned, CallStarted, StepEnded, SystemCall
from netlab.timeline.timeline import Timeline

ID = "model.calls"
_STATEMENT = "Every call gave what the model of the sockets API allows."
_SOURCE = "POSIX.1-2024; Linux man-pages; docs/model/rules.md"
_AROUND = 8
_OTHERS_FROM = 500
"""The agent that makes a scenario's calls has its own descriptors from here on (docs/scenarios.md)."""
_CALLS = (CallStarted, CallReturned, SystemCall)


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """What the oracle made of a timeline. ``calls`` is how many returned, ``judged`` of how many the model knew what is allowed;
    ``reached`` are the ids of the rules that explained them; ``wrong`` is the first that none explains, at ``index``."""

    calls: int
    judged: int
    reached: frozenset[str]
    wrong: Inconsistency | None = None
    index: int = -1
    step: int = -1


def judge_calls(scenario: Scenario, timeline: Timeline) -> Verdict | None:
    """PASS, or FAIL at the first call that no rule explains; None where no call could be judged."""
    return verdict_of(follow(scenario, timeline), timeline.observations, scenario)


def verdict_of(found: Judged, observations: Sequence[Observation], scenario: Scenario | None = None) -> Verdict | None:
    """The verdict about calls; None where none could be judged. ``scenario`` has the step that was wrong."""
    if not found.judged:
        return None
    rest = found.calls - found.judged
    verdict = Verdict(
        id=ID,
        outcome="PASS",
        conformance="as-documented",
        statement=_STATEMENT,
        source=_SOURCE,
        reason=f"{rest} of {found.calls} calls are not modelled, and were not judged" if rest else "",
        evidence=tuple(index for index, seen in enumerate(observations) if isinstance(seen, _CALLS)),
        explained=tuple(sorted(found.reached)),
    )
    if found.wrong is None:
        return verdict
    wrong = found.wrong
    step = scenario.steps[found.step] if scenario is not None and 0 <= found.step < len(scenario.steps) else None
    mismatch = Mismatch(
        field=f"what {print_call(wrong.call)} gave",
        expected=wrong.sentence(),
        actual=_gave(wrong),
        place=str(step.place) if step is not None else "",
        step=step.text if step is not None else "",
    )
    return msgspec.structs.replace(
        verdict,
        outcome="FAIL",
        conformance="surprise",
        reason=f"{wrong.process}: {print_call(wrong.call)} gave {mismatch.actual}; allowed: {mismatch.expected}",
        rule=", ".join(dict.fromkeys(one.rule.id for one in wrong.possible)),
        mismatches=(mismatch,),
        slice=tuple(range(max(0, found.index - _AROUND), min(len(observations), found.index + 2))),
    )


def follow(scenario: Scenario, timeline: Timeline) -> Judged:
    """Feed the oracle with all calls of a timeline, up to the first that no rule explains."""
    following = _Following(scenario)
    for index, seen in enumerate(timeline.observations):
        match seen:
            case CallStarted():
                following.started(seen)
            case CallReturned():
                following.returned(seen)
            case StepEnded():
                following.step_ended(seen)
        if following.wrong is not None:
            return following.result(index)
    return following.result(-1)


class _Following:
    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        world = first_world(scenario, certain=False)
        for name, process in world.processes.items():
            world = world.with_process(name, msgspec.structs.replace(process, others_from=_OTHERS_FROM))
        self._oracle = Oracle(world)
        self._numbers: dict[int, tuple[int, CallStarted]] = {}
        self._of_step: dict[int, int] = {}
        self._calls = self._judged = 0
        self.wrong: Inconsistency | None = None
        self._step = -1

    def started(self, seen: CallStarted) -> None:
        """A call began, in a process that the model follows."""
        call = self._call(seen)
        if call is None or seen.process not in self._oracle.worlds[0].processes:
            return
        self._numbers[seen.id] = (self._oracle.start(seen.process, call, seen.time), seen)
        self._of_step[seen.step] = seen.id

    def returned(self, seen: CallReturned) -> None:
        """A call returned."""
        if seen.id not in self._numbers:
            return
        number, began = self._numbers.pop(seen.id)
        elapsed = seen.time - (seen.began or began.time)
        gave = Seen(result=seen.result, errno=seen.errno, signal=seen.signal, out=seen.out, elapsed=elapsed)
        found = self._oracle.returned(number, gave, seen.time)
        self._calls += 1
        self._judged += found.judged
        self.wrong, self._step = found.inconsistency, began.step

    def step_ended(self, seen: StepEnded) -> None:
        """A step is over whose call is still under way, though it is no job: it was seen to be blocked."""
        identity = self._of_step.get(seen.index)
        step = self._scenario.steps[seen.index] if seen.index < len(self._scenario.steps) else None
        if identity not in self._numbers or not isinstance(step, CallStep) or step.what.job:
            return
        number, began = self._numbers[identity]
        self.wrong, self._step = self._oracle.blocked(number, seen.time).inconsistency, began.step

    def result(self, index: int) -> Judged:
        """What was found."""
        return Judged(
            calls=self._calls,
            judged=self._judged,
            reached=frozenset(self._oracle.reached),
            wrong=self.wrong,
            index=index,
            step=self._step,
        )

    def _call(self, seen: CallStarted) -> Call | None:
        step = self._scenario.steps[seen.step] if 0 <= seen.step < len(self._scenario.steps) else None
        if isinstance(step, CallStep) and step.what.call.name == seen.call:
            return step.what.call
        said = parse_step(seen.text.partition(": ")[2])  # what after() has made later is written so
        call = getattr(said, "call", None)
        return call if isinstance(call, Call) else None


def _gave(wrong: Inconsistency) -> str:
    seen = wrong.seen
    if seen is None:
        return "nothing: it is still inside"
    if seen.signal:
        return f"the signal {seen.signal}"
    return seen.errno or f"{seen.result}" + (f" out {seen.out}" if seen.out is not None else "")
