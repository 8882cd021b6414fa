"""A run's result as one JSON object (schema 1), and back: what is written can be read again without loss.

The timeline's observations stand in a list of their own, with what the sources saw and lost beside it. Bytes are in base64. What
a call gave besides its value (``out``) comes back as JSON has it: a tuple as a list.
"""

from typing import Any

import msgspec

from netlab.check.covered import Covered
from netlab.check.result import HostFacts, RunResult, ScenarioResult
from netlab.check.verdicts import Outcome, Verdict
from netlab.report.evidence import lost
from netlab.timeline.observations import AnyObservation, SourceReport
from netlab.timeline.timeline import Node, Timeline

SCHEMA = 1


class _Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """A scenario's result as it is written."""

    file: str
    name: str
    outcome: Outcome
    verdicts: tuple[Verdict, ...]
    timeline: tuple[AnyObservation, ...]
    lost: dict[str, int]
    sources: tuple[SourceReport, ...] = ()
    nodes: dict[str, Node] = {}
    slack: int = 0
    topology: dict[str, Any] = {}
    group: str = ""
    elapsed: float = 0.0
    played_again: tuple[str, ...] = ()


class _Run(msgspec.Struct, frozen=True, kw_only=True):
    """A run's result as it is written."""

    schema: int
    netlab: str
    host: HostFacts
    outcome: Outcome
    scenarios: tuple[_Scenario, ...]
    not_tested: tuple[dict[str, str], ...] = ()
    covered: tuple[Covered, ...] = ()


def dumps(result: RunResult) -> bytes:
    """The result as JSON, indented, with a newline at its end."""
    scenarios = tuple(
        _Scenario(
            file=one.file,
            name=one.name,
            outcome=one.outcome,
            verdicts=one.verdicts,
            timeline=one.timeline.observations,
            lost=lost(one),
            sources=one.timeline.sources,
            nodes=one.timeline.nodes,
            slack=one.timeline.slack,
            topology=one.topology,
            group=one.group,
            elapsed=one.elapsed,
            played_again=one.played_again,
        )
        for one in result.scenarios
    )
    run = _Run(
        schema=result.schema,
        netlab=result.netlab,
        host=result.host,
        outcome=result.outcome,
        scenarios=scenarios,
        not_tested=result.not_tested,
        covered=result.covered,
    )
    return msgspec.json.format(msgspec.json.encode(run), indent=2) + b"\n"


def loads(data: bytes | str) -> RunResult:
    """What ``dumps`` wrote. Raises ValueError (msgspec's) for anything else, another schema included."""
    run = msgspec.json.decode(data, type=_Run)
    if run.schema != SCHEMA:
        raise ValueError(f"schema {run.schema}: this netlab reads schema {SCHEMA}")
    scenarios = tuple(
        ScenarioResult(
            file=one.file,
            name=one.name,
            verdicts=one.verdicts,
            timeline=Timeline(observations=one.timeline, sources=one.sources, nodes=one.nodes, slack=one.slack),
            topology=one.topology,
            group=one.group,
            elapsed=one.elapsed,
            played_again=one.played_again,
        )
        for one in run.scenarios
    )
    return RunResult(
        netlab=run.netlab,
        host=run.host,
        scenarios=scenarios,
        not_tested=run.not_tested,
        covered=run.covered,
        schema=run.schema,
    )
