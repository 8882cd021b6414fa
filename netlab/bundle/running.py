"""Runs a bundle: its scenario in a lab of its own, with the recorded decisions, and tells whether it failed in the same way again.

It judges nothing: what failed is what the run's verdicts say, before and now.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from enum import Enum

from netlab.bundle.loading import loaded, parts
from netlab.bundle.spec import Bundle, Failed, failed_of, failures
from netlab.check.result import ScenarioResult
from netlab.errors import Problem, SpecError
from netlab.impair.script import Script, prescribes
from netlab.report.strict import strict_scenario
from netlab.run import RunOptions, run_scenario
from netlab.scenario.spec import Scenario
from netlab.timeline.observations import Decision
from netlab.topology.spec import Rule
from netlab.units import Duration

__all__ = ["Again", "about_packets", "again", "decisions_of", "failed_of", "missed", "prescribed", "run_bundle"]


class Again(Enum):
    """How a run of a bundle ended: it failed in the same way, in another way, not at all, or nothing could be told."""

    SAME = "the same failure"
    OTHER = "another failure"
    PASSED = "no failure"
    UNTOLD = "inconclusive"


def run_bundle(
    bundle: Bundle, *, script: Script | None = None, seed: int | None = None, options: RunOptions = RunOptions()
) -> ScenarioResult:
    """Run the bundle's scenario. Its recorded decisions are followed exactly, or those of ``script``; with a ``seed`` and no script
    the rules decide anew by it. ``options`` say the rest; the bundle's own timeout and capture buffer come before theirs. Places in
    the result name the bundle's files.

    Raises SpecError for what is wrong with the bundle's files. What this machine lacks makes the result's verdict INCONCLUSIVE.
    """
    with loaded(bundle) as scenario:
        if script is None and seed is None:
            script = prescribed(bundle, scenario)
        timeout = Duration(bundle.timeout) if bundle.timeout else options.timeout
        buffer = bundle.capture_buffer or options.capture_buffer
        chosen = replace(options, timeout=timeout, capture_buffer=buffer, seed=bundle.seed if seed is None else seed, script=script)
        result = run_scenario(scenario, chosen)
    return strict_scenario(result) if bundle.strict else result


def prescribed(bundle: Bundle, scenario: Scenario) -> Script:
    """What the bundle's decisions prescribe, by the rules of its scenario. Raises SpecError if they are of other rules."""
    try:
        return Script.of(bundle.decisions, parts(scenario, Rule))
    except ValueError as error:
        told = f"the recorded decisions do not fit the scenario: {error}"
        raise SpecError(Problem(scenario.place, told, "replay them with --seed, by which the rules decide anew")) from None


def again(result: ScenarioResult, failed: Failed) -> Again:
    """Whether a run failed as before. With several failures, of one scenario, one that is the same suffices."""
    told = tuple(failures(result.verdicts))
    if any(failed.same(one) for one in told):
        return Again.SAME
    if told:
        return Again.OTHER
    return Again.PASSED if result.outcome == "PASS" else Again.UNTOLD


def decisions_of(result: ScenarioResult) -> tuple[Decision, ...]:
    """All that was decided about packets in a run, in the order of time."""
    return tuple(one for one in result.timeline.observations if isinstance(one, Decision))


def missed(bundle: Bundle, result: ScenarioResult) -> tuple[str, ...]:
    """The packets, by name, about which the bundle has a decision that a run did not take: they did not come up in it."""
    left = about_packets(bundle.decisions) - about_packets(decisions_of(result))
    return tuple(key for _, _, key, _ in left.elements())


def about_packets(decisions: Iterable[Decision]) -> Counter[tuple[str, str, str, str]]:
    """How many were about which packet, without what was told of one later, and what steps did to links."""
    told = (one for one in decisions if prescribes(one))
    return Counter((one.link, one.direction, one.key, one.action) for one in told)
