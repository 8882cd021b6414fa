"""A run's result as one JSON object (schema 1), and back: what is written can be read again without loss.

The format is published as a JSON Schema (netlab-ns schema result). Within schema 1 keys may be added, and none changes or goes.
The timeline's observations stand in a list of their own, with what the sources saw and lost beside it. Bytes are in base64. What
a call gave besides its value (``out``) comes back as JSON has it: a tuple as a list.
"""

from typing import Annotated, Any, Literal

import msgspec

from netlab.check.covered import Covered
from netlab.check.result import HostFacts, RunResult, ScenarioResult
from netlab.check.verdicts import Outcome, Verdict
from netlab.report.evidence import lost
from netlab.timeline.observations import AnyObservation, SourceReport
from netlab.timeline.timeline import Node, Timeline

SCHEMA = 1


def _told(what: str) -> msgspec.Meta:
    return msgspec.Meta(description=what)


class _Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """A scenario's result."""

    file: Annotated[str, _told("The scenario's file, as it was named.")]
    name: Annotated[str, _told("The scenario's name, or the claim's id.")]
    outcome: Annotated[Outcome, _told("FAIL if any verdict is, else INCONCLUSIVE if any is, else PASS.")]
    verdicts: Annotated[tuple[Verdict, ...], _told("The scenario's own first, then those of the model.")]
    timeline: Annotated[tuple[AnyObservation, ...], _told("What was observed, in the order of time.")]
    lost: Annotated[dict[str, int], _told("How many observations each source lost.")]
    sources: Annotated[tuple[SourceReport, ...], _told("What each source could see, and saw.")] = ()
    nodes: Annotated[dict[str, Node], _told("The nodes of the network by name.")] = {}
    slack: Annotated[int, _told("The scheduling delay measured, in ns: upper bounds of times widen by it.")] = 0
    topology: Annotated[dict[str, Any], _told("The network: its name, the kinds of its nodes, the names of its links.")] = {}
    group: Annotated[str, _told("The claim's group.")] = ""
    elapsed: Annotated[float, _told("How long it took, in seconds.")] = 0.0
    played_again: Annotated[tuple[str, ...], _told("For each play before this one, what it had lost.")] = ()


class _Run(msgspec.Struct, frozen=True, kw_only=True):
    """What one run of netlab-ns found, as --json writes it."""

    schema: Annotated[int, _told("The version of this format.")]
    netlab: Annotated[str, _told("The version of netlab-ns that wrote it.")]
    host: HostFacts
    outcome: Annotated[Outcome, _told("FAIL if any scenario is, else INCONCLUSIVE if any is or there is none, else PASS.")]
    scenarios: tuple[_Scenario, ...]
    not_tested: Annotated[tuple[dict[str, str], ...], _told("The model's statements that nothing can test, with reasons.")] = ()
    covered: Annotated[tuple[Covered, ...], _told("Which of the model's rules were taken, where they were counted.")] = ()


class _Written(_Run, frozen=True, kw_only=True):
    """What one run of netlab-ns found, as --json writes it."""

    schema: Annotated[Literal[1], _told("The version of this format: 1.")]


def schema() -> dict[str, Any]:
    """The JSON Schema of what ``dumps`` writes, as msgspec makes it of the types."""
    return msgspec.json.schema(_Written)


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
