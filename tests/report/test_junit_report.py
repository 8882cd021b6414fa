import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import results
import xmlschema

from netlab.check.result import ScenarioResult
from netlab.report import junit
from netlab.report.strict import strict

SCHEMA = xmlschema.XMLSchema(str(Path(__file__).with_name("junit.xsd")))


def parsed(*scenarios: ScenarioResult) -> ET.Element:
    return ET.fromstring(junit.dumps(results.result(*scenarios)))


def test_a_suite_a_file_and_a_case_a_scenario() -> None:
    root = ET.fromstring(junit.dumps(results.EVERYTHING))
    assert root.attrib == {"name": "netlab", "tests": "4", "failures": "1", "errors": "0", "time": "2.000"}
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
    assert skipped.attrib == {"message": "INCONCLUSIVE: memory: not seen"}


def test_evidence_is_counted_in_the_properties() -> None:
    told = {one.get("name"): one.get("value") for one in parsed(results.PASSED).iter("property")}
    assert told["kernel"] == "6.18.44"
    assert {name: told[f"refused.{name}"] for name in ("outcome", "conformance", "calls", "packets", "states")} == {
        "outcome": "PASS",
        "conformance": "as-documented",
        "calls": "2",
        "packets": "2",
        "states": "1",
    }


def test_what_xml_cannot_hold_is_left_out() -> None:
    verdict = msgspec.structs.replace(results.UNDECIDED.verdicts[0], reason="a\x00b\x1bc\ud800d\ufffee")
    skipped = next(parsed(msgspec.structs.replace(results.UNDECIDED, verdicts=(verdict,))).iter("skipped"))
    assert skipped.get("message") == "INCONCLUSIVE: abcde"


def test_strict_makes_a_known_deviation_a_failure_in_every_report() -> None:
    judged = strict(results.result(results.PASSED, results.DEVIATES))
    assert [scenario.outcome for scenario in judged.scenarios] == ["PASS", "FAIL"]
    assert next(ET.fromstring(junit.dumps(judged)).iter("failure")).get("message") == (
        "differs: this machine deviates from the document, as it is known to; --strict does not accept that"
    )


def hostile() -> ScenarioResult:
    verdict = msgspec.structs.replace(results.FAILED.verdicts[0], reason="]]> <b> & \x00 \ud800", statement='"><x y="')
    return msgspec.structs.replace(results.FAILED, name="<&\x1b>", file="a\nb.yaml", verdicts=(verdict,), elapsed=12345.6789)


@pytest.mark.parametrize(
    "scenarios",
    [(), (results.PASSED,), (results.AGAIN, results.DEVIATES), (results.FAILED, results.UNDECIDED), (hostile(), hostile())],
    ids=["none", "passed", "again", "failed", "hostile"],
)
def test_it_is_valid_by_the_schemas_of_jenkins_and_of_surefire(scenarios: tuple[ScenarioResult, ...]) -> None:
    SCHEMA.validate(parsed(*scenarios))


@pytest.mark.parametrize(
    "damage",
    [
        lambda root: root.set("skipped", "1"),
        lambda root: ET.SubElement(root[0][1], "properties"),
        lambda root: root[0].attrib.pop("errors"),
        lambda root: root[0][1].set("time", "soon"),
    ],
    ids=["skipped in all", "properties in a case", "no errors", "no time"],
)
def test_the_schema_refuses_what_those_refuse(damage: Callable[[ET.Element], object]) -> None:
    root = parsed(results.FAILED)
    damage(root)
    assert not SCHEMA.is_valid(root)
