"""Judges a finished timeline against its scenario: one verdict for the scenario, and the model's own where it has something to say.

Pure: the same timeline gets the same verdicts, here or on another machine, today or from a file.
"""

from collections.abc import Callable, Iterator

from netlab.check import oracle, transitions, wire
from netlab.check.calls import Calls
from netlab.check.expectations import evaluate
from netlab.check.findings import Finding, Window
from netlab.check.system_calls import judge_programs
from netlab.check.verdicts import Conformance, Mismatch, Outcome, Verdict
from netlab.check.view import View
from netlab.scenario.spec import AnyStep, ExpectStep, Scenario
from netlab.timeline.observations import CallReturned, CallStarted, StepBegan, StepEnded
from netlab.timeline.timeline import Timeline

_SLICE_BEFORE, _SLICE_AFTER = 12, 3


def judge(scenario: Scenario, timeline: Timeline, *, lacking: str = "") -> tuple[Verdict, ...]:
    """The scenario's verdict first, then the model's. ``lacking`` says what this machine lacked, when that ended the run."""
    own = _Judgement(scenario, timeline).verdict(lacking)
    judges: dict[str, Callable[[], Verdict | None]] = {
        transitions.ID: lambda: transitions.judge_transitions(timeline),
        oracle.ID: lambda: oracle.judge_calls(scenario, timeline),
        wire.ID: lambda: wire.judge_segments(timeline),
    }
    model = [_by_the_model(identity, judged) for identity, judged in judges.items()]
    return (own, *(verdict for verdict in model if verdict is not None))


def judge_by_model(timeline: Timeline) -> tuple[Verdict, ...]:
    """What the model says of a timeline whose scenario is not known: of TCP's states, of its segments, of programs' calls."""
    judges: dict[str, Callable[[], Verdict | None]] = {
        transitions.ID: lambda: transitions.judge_transitions(timeline),
        wire.ID: lambda: wire.judge_segments(timeline),
        oracle.ID: lambda: judge_programs(timeline.observations),
    }
    found = [_by_the_model(identity, judged) for identity, judged in judges.items()]
    nothing = Verdict(id="model", outcome="INCONCLUSIVE", reason="there is nothing in it that the model could judge")
    return tuple(verdict for verdict in found if verdict is not None) or (nothing,)


def _by_the_model(identity: str, judged: Callable[[], Verdict | None]) -> Verdict | None:
    """What a part of the model says. One that fails itself has said nothing: that is never a PASS."""
    try:
        return judged()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is a fault of the model's, and of nobody it judges
        return Verdict(id=identity, outcome="INCONCLUSIVE", reason=f"a bug of netlab's: the model itself failed: {error!r}")


class _Judgement:
    """One scenario held against one timeline."""

    def __init__(self, scenario: Scenario, timeline: Timeline) -> None:
        self._scenario, self._timeline = scenario, timeline
        self._view, self._calls = View(timeline), Calls(timeline.observations, timeline.nodes)
        self._began = {step.index: (index, step) for index, step in self._view.each(StepBegan)}
        self._ended = {step.index: (index, step) for index, step in self._view.each(StepEnded)}

    def verdict(self, lacking: str) -> Verdict:
        """PASS only when every step was played and held, and no evidence was missing."""
        failed: list[Mismatch] = []
        missing: list[str] = []
        evidence: set[int] = set()
        deviates, last = False, -1
        for index, step, window in self._steps():
            last = index
            findings = self._findings(step, index, window, document=False)
            failed += [found for found in findings if isinstance(found, Mismatch)]
            for found in findings:
                if isinstance(found, Finding):
                    evidence |= set(found.evidence)
                    if found.status == "lacking":
                        missing.append(f"{found.field}: {found.actual}")
                    elif found.status != "met":
                        failed.append(_mismatch(found, step))
            if getattr(step, "document", None) is not None and not failed:
                documented = self._findings(step, index, window, document=True)
                deviates |= any(isinstance(one, Mismatch) or one.status in ("unmet", "broken") for one in documented)
            if failed:
                break
        unplayed = len(self._scenario.steps) - 1 - last
        if not failed and unplayed and not lacking:
            lacking = f"the run ended {unplayed} steps early"
        return self._written(failed, [*([lacking] if lacking else []), *missing], evidence, deviates, last)

    def _steps(self) -> Iterator[tuple[int, AnyStep, Window]]:
        """The steps that were played to their end, each with the window that an expectation there is about."""
        start = self._began[0][1].time if 0 in self._began else 0
        began = packets_began = start
        for index, step in enumerate(self._scenario.steps):
            if index not in self._began or index not in self._ended:
                return
            ended = self._ended[index][1]
            until = ended.packets_until or ended.time
            yield index, step, Window(began=began, ended=ended.time, packets_began=packets_began, packets_until=until)
            if isinstance(step, ExpectStep):
                began, packets_began = ended.time, until

    def _findings(self, step: AnyStep, index: int, window: Window, *, document: bool) -> list[Mismatch | Finding]:
        if isinstance(step, ExpectStep):
            expect = (step.document if document else None) or step.expect
            return [*evaluate(expect, self._view, window, final=True)]
        return [*self._calls.mismatches(index, self._scenario.steps, document=document, slack=self._timeline.slack)]

    def _written(self, failed: list[Mismatch], missing: list[str], evidence: set[int], deviates: bool, last: int) -> Verdict:
        outcome: Outcome = "FAIL" if failed else "INCONCLUSIVE" if missing else "PASS"
        conformance: Conformance = ""
        if outcome == "PASS":
            conformance = "known-deviation" if deviates else "as-documented"
        elif outcome == "FAIL":
            conformance = "surprise"
        claim = self._scenario.claim
        if outcome == "FAIL":
            first = failed[0]
            reason = f"{first.field}: expected {first.expected}, got {first.actual}"
        else:
            reason = "; ".join(dict.fromkeys(missing))
        judged = evidence | {
            index for index, seen in enumerate(self._timeline.observations) if isinstance(seen, CallStarted | CallReturned)
        }
        return Verdict(
            id=self._scenario.name,
            outcome=outcome,
            conformance=conformance,
            statement=claim.statement if claim else self._scenario.intent,
            source="; ".join(claim.sources) if claim else "",
            reason=reason,
            mismatches=tuple(failed),
            evidence=tuple(sorted(judged)),
            slice=self._slice(last) if outcome == "FAIL" else (),
        )

    def _slice(self, last: int) -> tuple[int, ...]:
        """The observations around the step that failed: its own, and what came just before."""
        if last not in self._ended:
            return ()
        first, end = self._began[last][0], self._ended[last][0]
        shown = [
            index
            for index, seen in enumerate(self._timeline.observations[: end + _SLICE_AFTER])
            if not isinstance(seen, StepBegan | StepEnded) or index == first
        ]
        inside = sum(index >= first for index in shown)
        return tuple(shown[-(inside + _SLICE_BEFORE) :])


def _mismatch(found: Finding, step: AnyStep) -> Mismatch:
    return Mismatch(field=found.field, expected=found.expected, actual=found.actual, place=str(step.place), step=step.text)
