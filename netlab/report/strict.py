"""A result as --strict judges it: what is known to deviate from the document fails too, in every report alike."""

import msgspec

from netlab.check.result import RunResult, ScenarioResult
from netlab.check.verdicts import Verdict


def strict(result: RunResult) -> RunResult:
    """The same result with every PASS that is a known deviation turned into a FAIL that says so."""
    return msgspec.structs.replace(result, scenarios=tuple(strict_scenario(scenario) for scenario in result.scenarios))


def strict_scenario(scenario: ScenarioResult) -> ScenarioResult:
    """The same for one scenario's result."""
    return msgspec.structs.replace(scenario, verdicts=tuple(_strict(verdict) for verdict in scenario.verdicts))


def _strict(verdict: Verdict) -> Verdict:
    if verdict.outcome != "PASS" or verdict.conformance != "known-deviation":
        return verdict
    told = "this machine deviates from the document, as it is known to; --strict does not accept that"
    return msgspec.structs.replace(verdict, outcome="FAIL", reason=told)
