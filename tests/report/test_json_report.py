import json

import msgspec
import pytest
import results

from netlab.report import json as report


def test_what_is_written_is_read_again_without_loss() -> None:
    assert report.loads(report.dumps(results.EVERYTHING)) == results.EVERYTHING


def test_what_was_played_again_and_which_rules_were_taken_is_written() -> None:
    whole = msgspec.structs.replace(results.result(results.AGAIN), covered=(results.COVERED,))
    assert report.loads(report.dumps(whole)) == whole
    written = json.loads(report.dumps(whole))
    assert written["scenarios"][0]["played_again"] == ["states lost 1 event", "packets lost 7 events"]
    assert written["covered"] == [{"kind": "TCP transitions", "taken": ["tcp.a"], "untaken": {"tcp.b": "nobody | nothing"}}]


def test_the_object_has_the_documented_keys() -> None:
    written = json.loads(report.dumps(results.result(results.FAILED)))
    scenario = written["scenarios"][0]
    assert {key: written[key] for key in ("schema", "netlab", "outcome")} == {"schema": 1, "netlab": "0.1.0", "outcome": "FAIL"}
    assert written["not_tested"][0]["id"] == "origin"
    assert scenario["lost"] == {"packets": 0, "memory": 0}
    assert scenario["timeline"][7]["kind"] == "packet"
    assert scenario["verdicts"][0]["mismatches"][0]["expected"] == "success"


def test_another_schema_is_refused() -> None:
    other = msgspec.structs.replace(results.EVERYTHING, schema=2)
    with pytest.raises(ValueError, match="schema 2: this netlab reads schema 1"):
        report.loads(report.dumps(other))


def test_what_is_no_result_is_refused() -> None:
    with pytest.raises(ValueError, match="schema"):
        report.loads(b"{}")
