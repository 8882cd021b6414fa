"""What a verdict rests on, counted, and which observation it failed at: the same for every kind of report.

It reads verdicts and timelines and changes neither.
"""

from dataclasses import dataclass

from netlab.check.result import ScenarioResult
from netlab.check.verdicts import Verdict
from netlab.timeline.observations import CallReturned, CallStarted, Packet, ProgramEnded, SocketState, StepBegan
from netlab.timeline.timeline import Timeline


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many calls, packets and changes of state were judged."""

    calls: int
    packets: int
    states: int


def counts(timeline: Timeline, *verdicts: Verdict) -> Counts:
    """What the evidence of these verdicts consists of. A call counts once, though its start and its return are two observations."""
    judged = {index for verdict in verdicts for index in verdict.evidence}
    seen = [timeline.observations[index] for index in judged]
    calls = {(one.host, one.process, one.id) for one in seen if isinstance(one, CallStarted | CallReturned)}
    return Counts(
        calls=len(calls),
        packets=sum(isinstance(one, Packet) for one in seen),
        states=sum(isinstance(one, SocketState) for one in seen),
    )


def failing(verdict: Verdict, timeline: Timeline) -> int | None:
    """The observation to point at in a failure's slice: what the failed step's call gave, or the step itself; None if nobody knows.

    A verdict without steps of its own, such as the model's, fails at the last of its evidence.
    """
    if verdict.outcome != "FAIL" or not verdict.slice:
        return None
    texts = {mismatch.step for mismatch in verdict.mismatches}
    steps = [index for index in verdict.slice if isinstance(one := timeline.observations[index], StepBegan) and one.text in texts]
    if not steps:
        judged = set(verdict.evidence)
        return max((index for index in verdict.slice if index in judged), default=verdict.slice[-1])
    step = steps[-1]
    number = timeline.observations[step].index  # type: ignore[union-attr]
    started = {one.id for one in timeline.observations if isinstance(one, CallStarted) and one.step == number}
    after = [(index, timeline.observations[index]) for index in verdict.slice if index > step]
    returned = [
        index for index, one in after if isinstance(one, ProgramEnded) or (isinstance(one, CallReturned) and one.id in started)
    ]
    called = [index for index, one in after if isinstance(one, CallStarted) and one.step == number]
    return [step, *called, *returned][-1]


def lost(result: ScenarioResult) -> dict[str, int]:
    """How many observations each source of a scenario lost, sources that lost nothing included."""
    return {report.name: report.lost for report in result.timeline.sources}


def lacking(result: ScenarioResult) -> list[str]:
    """Why evidence is missing, source by source: what was not available and what that needs, what lost how much."""
    told = [f"{report.name}: {report.reason}" for report in result.timeline.sources if not report.available and report.reason]
    return told + [f"{name}: {count} observations lost" for name, count in lost(result).items() if count]
