"""What runs write for CI systems, and results held against each other, by the command line."""

import json
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import msgspec
import pytest
import results
import xmlschema
from click.testing import CliRunner, Result
from jsonschema import Draft202012Validator

from netlab.cli import cli
from netlab.json_schemas import schema_of
from netlab.report import json as report
from netlab.report.job_summary import LIMIT
from netlab.report.outputs import Outputs

SCHEMAS = Path(__file__).parent / "report"
WRONG = """\
# Nobody listens, and the scenario does not know.
topology: two-hosts
steps:
  - client: c = socket(AF_INET, SOCK_STREAM, 0)
  - client: connect(c, server:8080)
"""


def invoke(*arguments: object, **environment: str) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments], prog_name="netlab-ns", env=environment)


@pytest.fixture
def saved(tmp_path: Path) -> tuple[Path, Path]:
    a, b = tmp_path / "a.json", tmp_path / "b.json"
    a.write_bytes(report.dumps(results.result(results.PASSED, results.DEVIATES)))
    b.write_bytes(report.dumps(results.result(results.PASSED, results.FAILED)))
    return a, b


def test_diff_of_a_result_with_itself_is_0(saved: tuple[Path, Path]) -> None:
    told = invoke("diff", saved[0], saved[0])
    assert (told.exit_code, told.stdout.splitlines()[-1]) == (0, "3 verdicts the same, none changed")


def test_diff_of_results_that_differ_is_1(saved: tuple[Path, Path]) -> None:
    told = invoke("diff", *saved)
    assert told.exit_code == 1
    assert told.stdout.splitlines()[:2] == [f"A: {saved[0]}", f"B: {saved[1]}"]
    assert "  connects: not there -> FAIL surprise" in told.stdout.splitlines()
    found = invoke("diff", *saved, "--json")
    assert (found.exit_code, json.loads(found.stdout)["differs"]) == (1, True)


@pytest.mark.parametrize(("text", "said"), [("", "this is no result: "), ("{}", "this is no result: "), (None, "cannot be read: ")])
def test_diff_refuses_what_is_no_result(saved: tuple[Path, Path], tmp_path: Path, text: str | None, said: str) -> None:
    path = tmp_path / "c.json"
    if text is not None:
        path.write_text(text)
    told = invoke("diff", saved[0], path)
    assert (told.exit_code, told.stdout) == (2, "")
    assert told.stderr.startswith(f"{path}: {said}")


def test_diff_refuses_another_schema(saved: tuple[Path, Path], tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    path.write_bytes(report.dumps(msgspec.structs.replace(results.EVERYTHING, schema=2)))
    assert "schema 2: this netlab reads schema 1" in invoke("diff", path, saved[0]).stderr


def test_the_results_schema_is_printed_and_versioned() -> None:
    schema = json.loads(invoke("schema", "result").stdout)
    Draft202012Validator.check_schema(schema)
    assert schema["properties"]["schema"]["enum"] == [1]
    valid = Draft202012Validator(schema).is_valid
    written = json.loads(report.dumps(results.EVERYTHING))
    assert valid(written)
    assert not valid(written | {"schema": 2})
    for wrong in ({"kind": "packet", "time": 0}, {"kind": "unheard-of", "time": 0}, {"time": 0}, {"kind": "state", "time": "0"}):
        scenario = written["scenarios"][0] | {"timeline": [wrong]}
        assert not valid(written | {"scenarios": [scenario]}), wrong
    assert valid(written | {"something": "new"})  # keys may be added within a version


def test_a_step_summary_outside_of_github_is_refused_before_anything_runs(tmp_path: Path) -> None:
    told = invoke("run", tmp_path, "--github-summary", GITHUB_STEP_SUMMARY="")
    assert told.exit_code == 2
    assert "GITHUB_STEP_SUMMARY is not set: this is no step of a GitHub job; --summary FILE writes the same anywhere" in told.stderr


def test_the_step_summary_is_appended_to_and_stays_within_what_github_takes(tmp_path: Path) -> None:
    step = tmp_path / "summary"
    outputs = Outputs(github_summary=str(step))
    step.write_text("before\n")
    outputs.write_files(results.EVERYTHING)
    outputs.write_files(results.EVERYTHING)
    assert step.read_text().startswith("before\n## ")
    assert step.read_text().count("## ❌ netlab: 2 passed, 1 failed, 1 inconclusive") == 2
    for room in (5000, 900, 10, 0):
        step.write_bytes(b"x" * (LIMIT - room))
        outputs.write_files(results.EVERYTHING)
        assert LIMIT - room <= step.stat().st_size <= LIMIT


@pytest.mark.netns
def test_every_report_of_a_real_failure_is_valid(tmp_path: Path) -> None:
    scenario = tmp_path / "wrong.scenario.yaml"
    scenario.write_text(WRONG)
    names = {"json": "r.json", "junit": "r.xml", "ctrf": "r.ctrf.json", "summary": "r.md", "pcap": "r.pcapng"}
    options = [f"--{name}={tmp_path / file}" for name, file in names.items()]
    told = invoke("run", scenario, *options, "--github-summary", GITHUB_STEP_SUMMARY=str(tmp_path / "step"))
    assert told.exit_code == 1, told.stderr
    xmlschema.XMLSchema(str(SCHEMAS / "junit.xsd")).validate(ET.parse(tmp_path / "r.xml").getroot())
    ctrf = json.loads((tmp_path / "r.ctrf.json").read_text())
    Draft202012Validator(json.loads((SCHEMAS / "ctrf.schema.json").read_text())).validate(ctrf)
    assert ctrf["results"]["summary"]["failed"] == 1
    Draft202012Validator(schema_of("result")).validate(json.loads((tmp_path / "r.json").read_text()))
    summary = (tmp_path / "r.md").read_text()
    assert (tmp_path / "step").read_text() == summary
    assert "ECONNREFUSED" in summary
    assert re_found(summary, "n0->>n1: ", " S seq 0 ")
    assert re_found(summary, "n1->>n0: ", " R. seq 0 ack 1 ")
    again = invoke("diff", tmp_path / "r.json", tmp_path / "r.json")
    assert again.exit_code == 0
    if shutil.which("tshark"):
        command = [
            "tshark",
            "-r",
            str(tmp_path / "r.pcapng"),
            "-Y",
            "frame.comment contains FAIL",
            "-T",
            "fields",
            "-e",
            "tcp.flags.str",
        ]
        shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        assert shown
        assert "R" in shown[-1]


def re_found(text: str, *parts: str) -> bool:
    return any(all(part in line for part in parts) for line in text.splitlines())


@pytest.mark.netns
@pytest.mark.parametrize("command", ["check", "watch"])
def test_other_commands_write_them_too(command: str, tmp_path: Path) -> None:
    if command == "check":
        capture = tmp_path / "c.pcapng"
        from netlab.report.pcapng import dumps

        capture.write_bytes(dumps(results.result(results.PASSED)))
        arguments: list[object] = ["check", capture]
    else:
        arguments = ["watch", "--quiet", "one-host", "host"]
    options = ["--ctrf", tmp_path / "c.json", "--summary", tmp_path / "c.md"]
    program = ["--", sys.executable, "-c", "import socket; socket.socket().close()"] if command == "watch" else []
    positional = arguments[1:] if command == "check" else ["one-host", "host"]
    flags = ["--quiet"] if command == "watch" else []
    told = invoke(command, *flags, *options, *positional, *program)
    assert told.exit_code in (0, 1, 3), told.stderr
    assert json.loads((tmp_path / "c.json").read_text())["results"]["summary"]["tests"] == 1
    assert (tmp_path / "c.md").read_text().startswith("## ")
