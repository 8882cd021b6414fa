import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
import results
from jsonschema import Draft202012Validator

from netlab.check.result import ScenarioResult
from netlab.report import ctrf

SCHEMA = Draft202012Validator(json.loads(Path(__file__).with_name("ctrf.schema.json").read_text()))


def written(*scenarios: ScenarioResult) -> dict[str, Any]:
    document = json.loads(ctrf.dumps(results.result(*scenarios)))
    SCHEMA.validate(document)
    found: dict[str, Any] = document["results"]
    return found


def test_a_test_a_scenario_with_its_outcome_in_ctrfs_words() -> None:
    found = written(results.PASSED, results.DEVIATES, results.FAILED, results.UNDECIDED)
    assert [(one["name"], one["status"], one["rawStatus"], one["duration"]) for one in found["tests"]] == [
        ("refused", "passed", "PASS", 500),
        ("differs", "passed", "PASS", 250),
        ("connects", "failed", "FAIL", 1000),
        ("memory", "other", "INCONCLUSIVE", 250),
    ]
    assert found["tests"][1]["tags"] == ["known-deviation"]
    start = results.START // results.MS
    assert found["summary"] == {
        "tests": 4, "passed": 2, "failed": 1, "skipped": 0, "pending": 0, "other": 1, "suites": 3,
        "start": start, "stop": start + 1000,
    }  # fmt: skip
    assert found["environment"]["osRelease"] == "6.18.44"
    assert found["extra"] == {"not_tested": ["origin"]}


def test_a_failure_has_its_reason_its_text_and_its_line() -> None:
    (test,) = written(results.FAILED)["tests"]
    assert test["message"] == "connects: result: expected success, got ECONNREFUSED"
    assert "    actual    ECONNREFUSED" in test["trace"].splitlines()
    assert (test["filePath"], test["line"]) == ("refused.scenario.yaml", 4)


def test_plays_before_the_last_are_retries() -> None:
    (test,) = written(results.AGAIN)["tests"]
    assert test["retries"] == 2
    assert [one["message"] for one in test["retryAttempts"]] == ["states lost 1 event", "packets lost 7 events"]


def test_what_never_ran_and_what_has_no_name_is_still_valid() -> None:
    nothing = msgspec.structs.replace(results.FAILED.timeline, observations=())
    empty = msgspec.structs.replace(results.UNDECIDED, name="", file="", timeline=nothing, verdicts=())
    found = written(empty)
    assert (found["tests"][0]["name"], found["tests"][0]["message"]) == ("unnamed", "memory: needs root with BPF and BTF")
    assert (found["summary"]["start"], found["summary"]["stop"]) == (0, 0)
    assert written()["summary"]["tests"] == 0


def test_a_half_of_a_character_does_not_end_the_report() -> None:
    verdict = msgspec.structs.replace(results.FAILED.verdicts[0], reason="got \ud800")
    (test,) = written(msgspec.structs.replace(results.FAILED, verdicts=(verdict,)))["tests"]
    assert test["message"] == "connects: got \ud800"


@pytest.mark.parametrize("damage", [{"status": "INCONCLUSIVE"}, {"duration": 0.5}, {"name": ""}, {"conformance": "surprise"}])
def test_the_schema_refuses_what_ctrf_refuses(damage: dict[str, object]) -> None:
    document = json.loads(ctrf.dumps(results.result(results.PASSED)))
    document["results"]["tests"][0] |= damage
    assert not SCHEMA.is_valid(document)
