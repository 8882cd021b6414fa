"""A run's packets as pcapng, verdicts as comments: a section a scenario, a comment on every packet that a verdict rests on.

Its section's comment tells each verdict, those included that no packet bears witness to. It leaves the format to
netlab.timeline.pcapng.
"""

from io import BytesIO

from netlab.check.result import RunResult, ScenarioResult
from netlab.check.verdicts import Verdict
from netlab.report.evidence import failing
from netlab.timeline.observations import Packet
from netlab.timeline.pcapng import write


def dumps(result: RunResult) -> bytes:
    """All packets of all scenarios, in the order of the result."""
    stream = BytesIO()
    for scenario in result.scenarios:
        packets = {index: one for index, one in enumerate(scenario.timeline.observations) if isinstance(one, Packet)}
        positions = {index: position for position, index in enumerate(packets)}
        comments: dict[int, list[str]] = {}
        for verdict in scenario.verdicts:
            for index, comment in _comments(verdict, scenario, packets).items():
                comments.setdefault(positions[index], []).append(comment)
        write(
            stream,
            packets.values(),
            comments=comments,
            section_comment="\n".join([f"netlab scenario {scenario.name}", *map(_head, scenario.verdicts)]),
            dropped=scenario.timeline.source("packets").lost,
        )
    if not result.scenarios:
        write(stream, ())
    return stream.getvalue()


def _comments(verdict: Verdict, scenario: ScenarioResult, packets: dict[int, Packet]) -> dict[int, str]:
    """A verdict's comments by the index of the packet in the timeline: on its evidence, and on the packet that it failed at."""
    head = _head(verdict)
    told = {index: head for index in verdict.evidence if index in packets}
    at = failing(verdict, scenario.timeline)
    if at is not None:
        shown = [index for index in verdict.slice if index in packets]
        before = [index for index in shown if index <= at]
        for index in (before or shown)[-1:]:
            told[index] = "\n".join([head, *_mismatches(verdict)])
    return told


def _head(verdict: Verdict) -> str:
    return f"{verdict.outcome} {verdict.id}: {verdict.statement or verdict.reason}".rstrip(": ")


def _mismatches(verdict: Verdict) -> list[str]:
    return [
        f"{one.field}: expected {one.expected}, got {one.actual}" + (f" ({one.place} {one.step})" if one.place else "")
        for one in verdict.mismatches
    ] or [verdict.reason]
