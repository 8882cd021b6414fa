import json

import msgspec
import results

from netlab.check.result import RunResult, ScenarioResult
from netlab.report.differing import difference, told, told_as_json
from netlab.report.text import text_of


def other(result: RunResult, **facts: object) -> RunResult:
    return msgspec.structs.replace(result, host=msgspec.structs.replace(result.host, **facts))


def changed(scenario: ScenarioResult, outcome: str, **more: object) -> ScenarioResult:
    verdict, *rest = scenario.verdicts
    return msgspec.structs.replace(
        scenario, verdicts=(msgspec.structs.replace(verdict, outcome=outcome, conformance="", reason="lost"), *rest), **more
    )


def test_a_result_is_the_same_as_itself() -> None:
    found = difference(results.EVERYTHING, results.EVERYTHING)
    assert (found.differs, found.host, found.verdicts, found.times, found.same) == (False, (), (), (), 5)


def test_another_machine_and_another_time_decide_nothing() -> None:
    slow = msgspec.structs.replace(results.PASSED, elapsed=9.0)
    a, b = (
        results.result(results.PASSED),
        other(results.result(slow), kernel="6.1.0", tier="C", capabilities={"bpf": "no BPF here"}),
    )
    found = difference(a, b, names=("a.json", "b.json"))
    assert not found.differs
    assert text_of(told(found)) == (
        "A: a.json\n"
        "B: b.json\n"
        "The machines:\n"
        "          A        B\n"
        "  kernel  6.18.44  6.1.0\n"
        "  tier    A        C\n"
        "  bpf     yes      no\n"
        "Times, in seconds:\n"
        "           A     B\n"
        "  refused  0.50  9.00\n"
        "All scenarios took 0.5 s in A, 9.0 s in B.\n"
        "2 verdicts the same, none changed"
    )


def test_a_verdict_that_changed_came_or_went_is_told_with_its_reasons() -> None:
    a = results.result(results.PASSED, results.DEVIATES)
    b = results.result(changed(results.PASSED, "INCONCLUSIVE"), results.UNDECIDED)
    found = difference(a, b)
    assert found.differs
    assert text_of(told(found)).splitlines()[2:-2] == [
        "Verdicts that are not the same:",
        "  refused: PASS as-documented -> INCONCLUSIVE",
        "    B: lost",
        "  differs: PASS known-deviation -> not there",
        "  memory: not there -> INCONCLUSIVE",
        "    B: memory: not seen",
    ]
    assert text_of(told(found)).splitlines()[-1] == "1 verdict the same, 3 not"


def test_a_file_elsewhere_is_the_same_scenario_and_equal_names_are_kept_apart() -> None:
    moved = msgspec.structs.replace(results.PASSED, file="/elsewhere/x.yaml")
    assert not difference(results.result(results.PASSED), results.result(moved)).differs
    twice = results.result(results.PASSED, changed(results.PASSED, "FAIL"))
    found = difference(twice, results.result(results.PASSED, results.PASSED))
    assert [(one.scenario, one.a, one.b) for one in found.verdicts] == [("refused", "FAIL", "PASS as-documented")]


def test_the_same_as_json() -> None:
    found = json.loads(told_as_json(difference(results.result(results.PASSED), results.result(), names=("a", "b"))))
    assert (found["schema"], found["differs"], found["same"], len(found["verdicts"])) == (1, True, 0, 2)
    assert found["verdicts"][0] == {
        "scenario": "refused", "verdict": "refused", "a": "PASS as-documented", "b": "", "reason_a": "", "reason_b": "",
    }  # fmt: skip


def test_what_a_network_said_never_reaches_the_terminal() -> None:
    evil = msgspec.structs.replace(results.PASSED, name="\x1b[2J")
    assert "\x1b" not in text_of(told(difference(results.result(evil), results.result())))
