"""Several rounds as one result, and what a user's own known deviations make of it."""

import msgspec
import results

from netlab.check.result import RunResult, ScenarioResult
from netlab.report.rounds import accepted, stale, unsteady, worst


def named(scenario: ScenarioResult, name: str) -> ScenarioResult:
    first = msgspec.structs.replace(scenario.verdicts[0], id=name)
    return msgspec.structs.replace(scenario, name=name, verdicts=(first,))


def rounds() -> list[RunResult]:
    passed, failed = named(results.PASSED, "one"), named(results.FAILED, "one")
    steady = named(results.PASSED, "two")
    return [results.result(passed, steady), results.result(failed, steady), results.result(passed, steady)]


def test_the_worst_of_each_scenario_is_kept() -> None:
    assert [one.outcome for one in worst(rounds()).scenarios] == ["FAIL", "PASS"]


def test_what_did_not_come_out_the_same_is_counted() -> None:
    assert unsteady(rounds()) == {"one": {"PASS": 2, "FAIL": 1}}
    assert unsteady(rounds()[:1]) == {}


def test_a_known_deviation_passes_and_says_why() -> None:
    result = worst(rounds())
    (verdict,) = accepted(result, {"one": "our kernel is patched"}).scenarios[0].verdicts
    assert (verdict.outcome, verdict.conformance, verdict.reason) == (
        "PASS",
        "known-deviation",
        "known here: our kernel is patched",
    )
    assert accepted(result, {"two": "no"}) == result


def test_what_does_not_deviate_any_more_is_told() -> None:
    assert stale(worst(rounds()), {"one": "so", "two": "so"}) == ["two"]
