"""Several runs of the same scenarios as one result: of each scenario the worst, and how often it came out how.

It also lays a user's known deviations over a result. It runs nothing.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from netlab.check.result import RunResult, ScenarioResult
from netlab.check.verdicts import Verdict

__all__ = ["accepted", "stale", "unsteady", "worst"]

_WORST = {"FAIL": 0, "INCONCLUSIVE": 1, "PASS": 2}


def worst(rounds: Sequence[RunResult]) -> RunResult:
    """One result with each scenario's worst run, of the same scenarios in the same order: a FAIL before an INCONCLUSIVE."""
    each = zip(*(one.scenarios for one in rounds), strict=True)
    scenarios = tuple(min(runs, key=lambda one: _WORST[one.outcome]) for runs in each)
    return msgspec.structs.replace(rounds[0], scenarios=scenarios)


def unsteady(rounds: Sequence[RunResult]) -> dict[str, dict[str, int]]:
    """The scenarios that did not come out the same in all rounds: how often each outcome, by the scenario's name."""
    each = zip(*(one.scenarios for one in rounds), strict=True)
    counted = {runs[0].name: Counter(one.outcome for one in runs) for runs in each}
    return {name: dict(outcomes) for name, outcomes in counted.items() if len(outcomes) > 1}


def accepted(result: RunResult, known: Mapping[str, str]) -> RunResult:
    """The same result with every FAIL of a claim that is known to deviate turned into a PASS that says so, with the reason."""
    return msgspec.structs.replace(result, scenarios=tuple(_accepted(one, known) for one in result.scenarios))


def stale(result: RunResult, known: Mapping[str, str]) -> list[str]:
    """The claims that were said to deviate and do not."""
    return [one.name for one in result.scenarios if one.name in known and one.outcome == "PASS"]


def _accepted(scenario: ScenarioResult, known: Mapping[str, str]) -> ScenarioResult:
    def one(verdict: Verdict) -> Verdict:
        if verdict.outcome != "FAIL" or verdict.id not in known:
            return verdict
        return msgspec.structs.replace(
            verdict, outcome="PASS", conformance="known-deviation", reason=f"known here: {known[verdict.id]}", mismatches=()
        )

    return msgspec.structs.replace(scenario, verdicts=tuple(one(verdict) for verdict in scenario.verdicts))
