import xml.etree.ElementTree as ET

import msgspec
import results

from netlab.check.result import ScenarioResult
from netlab.report import junit
from netlab.report.strict import strict


def parsed(*scenarios: ScenarioResult) -> ET.Element:
    return ET.fromstring(junit.dumps(results.result(*scenarios)))


def test_a_suite_a_file_and_a_case_a_scenario() -> None:
    root = ET.fromstring(junit.dumps(results.EVERYTHING))
    assert root.attrib == {"name": "netlab", "tests": "4", "failures": "1", "errors": "0", "skipped": "1", "time": "2.000"}
    assert [(suite.get("name"), [case.get("name") for case in suite.iter("testcase")]) for suite in root] == [
        ("claims/handshake.yaml", ["refused", "differs"]),
        ("refused.scenario.yaml", ["connects"]),
        ("memory.scenario.yaml", ["memory"]),
    ]


def test_a_failure_has_its_text_and_the_slice() -> None:
    case = next(parsed(results.FAILED).iter("testcase"))
    failure, out = case.find("failure"), case.find("system-out")
    assert failure is not None
    assert failure.get("message") == "connects: result: expected success, got ECONNREFUSED"
    assert failure.text is not None
    assert "    actual    ECONNREFUSED" in failure.text.splitlines()
    assert out is not None
    assert out.text is not None
    assert "  > 9.000  client  connect() = -1 ECONNREFUSED" in out.text.splitlines()


def test_inconclusive_is_skipped_with_the_reason() -> None:
    skipped = next(parsed(results.UNDECIDED).iter("skipped"))
    assert skipped.attrib == {"type": "INCONCLUSIVE", "message": "memory: not seen"}


def test_evidence_is_counted_in_the_properties() -> None:
    case = next(parsed(results.PASSED).iter("testcase"))
    told = {one.get("name"): one.get("value") for one in case.iter("property")}
    assert {name: told[name] for name in ("outcome", "conformance", "calls", "packets", "states")} == {
        "outcome": "PASS",
        "conformance": "as-documented",
        "calls": "2",
        "packets": "2",
        "states": "1",
    }


def test_what_xml_cannot_hold_is_left_out() -> None:
    verdict = msgspec.structs.replace(results.UNDECIDED.verdicts[0], reason="a\x00b\x1bc\ud800d\ufffee")
    skipped = next(parsed(msgspec.structs.replace(results.UNDECIDED, verdicts=(verdict,))).iter("skipped"))
    assert skipped.get("message") == "abcde"


def test_strict_makes_a_known_deviation_a_failure_in_every_report() -> None:
    judged = strict(results.result(results.PASSED, results.DEVIATES))
    assert [scenario.outcome for scenario in judged.scenarios] == ["PASS", "FAIL"]
    assert next(ET.fromstring(junit.dumps(judged)).iter("failure")).get("message") == (
        "differs: this machine deviates from the document, as it is known to; --strict does not accept that"
    )
