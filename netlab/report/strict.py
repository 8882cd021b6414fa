"""A result as --strict judges it: what is known to deviate from the document fails too, in every report alike."""

import msgspec

from netlab.check.result import RunResult
from netlab.check.verdicts import Verdict


def strict(result: RunResult) -> RunResult:
    """The same result with every PASS that is a known deviation turned into a FAIL that says so."""
    scenarios = (
        msgspec.structs.replace(scenario, verdicts=tuple(_strict(verdict) for verdict in scenario.verdicts))
        for scenario in result.scenarios
    )
    return msgspec.structs.replace(result, scenarios=tuple(scenarios))


def _strict(verdict: Verdict) -> Verdict:
    if verdict.outcome != "PASS" or verdict.conformance != "known-deviation":
        return verdict
    told = "this machine deviates from the document, as it is known to; --strict does not accept that"
    return msgspec.structs.replace(verdict, outcome="FAIL", reason=told)
