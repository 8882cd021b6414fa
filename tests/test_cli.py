import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from results import DEVIATES, EVERYTHING, PASSED, UNDECIDED, result

from netlab.check.result import ScenarioResult
from netlab.cli import cli
from netlab.cli_options import Length, Size
from netlab.cli_run import status
from netlab.errors import HostError
from netlab.timeline.timeline import Timeline

REFUSED = """\
# Nobody listens.
topology: two-hosts
steps:
  - client: c = socket(AF_INET, SOCK_STREAM, 0)
  - client: connect(c, server:8080) -> ECONNREFUSED
"""
WRONG = REFUSED.replace(" -> ECONNREFUSED", "")
TOPOLOGY = """\
# One host.
nodes:
  alone: {}
"""


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments], prog_name="netlab-ns")


@pytest.fixture
def refused(tmp_path: Path) -> Path:
    path = tmp_path / "refused.scenario.yaml"
    path.write_text(REFUSED)
    return path


def test_help_lists_the_commands_and_the_exit_statuses() -> None:
    told = invoke("--help")
    assert told.exit_code == 0
    assert all(f"\n  {command} " in told.stdout for command in ("run", "conform", "validate", "plan", "model", "doctor"))
    assert "130 interrupted" in told.stdout


def test_the_version() -> None:
    assert invoke("--version").stdout == "netlab-ns, version 0.1.0\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["fly"], "No such command 'fly'"),
        (["run"], "Missing argument 'FILE|DIR|NAME...'"),
        (["run", "x", "--timeout", "5"], "'5' is not a duration"),
        (["run", "x", "--timeout", "0s"], "it must be longer than 0"),
        (["run", "x", "--capture-buffer", "-1"], "'-1' is not a size"),
        (["run", "x", "--jobs", "0"], "0 is not in the range x>=1"),
        (["run", "x", "--json", "/nowhere/at/all.json"], "no directory /nowhere/at"),
        (["conform", "--claim", "simultaneous-opn"], "no claim 'simultaneous-opn'; did you mean simultaneous-open?"),
        (["conform", "--group", "closing"], "no group 'closing'"),
        (["model", "nosuchclaim"], "no claim, rule or call 'nosuchclaim'"),
    ],
)
def test_a_wrong_command_line_is_refused_with_status_2(arguments: list[str], said: str) -> None:
    told = invoke(*arguments)
    assert (told.exit_code, told.stdout) == (2, "")
    assert said in told.stderr


def test_only_one_report_can_go_to_standard_output(refused: Path) -> None:
    told = invoke("run", refused, "--json", "-", "--junit", "-")
    assert told.exit_code == 2
    assert "only one report can go to standard output" in told.stderr


def test_all_errors_of_all_files_are_told_with_their_places(tmp_path: Path, refused: Path) -> None:
    first, second = tmp_path / "a.yaml", tmp_path / "b.yaml"
    first.write_text("nodes:\n  a: {kind: hots}\nlinks:\n  - endpoints: [a, b]\n")
    second.write_text("topology: two-hosts\nsteps:\n  - client: connect(\n")
    told = invoke("validate", tmp_path)
    lines = told.stderr.splitlines()
    assert told.exit_code == 2
    assert [line.rsplit("/", 1)[-1].split(": ")[0] for line in lines] == ["a.yaml:2:13", "a.yaml:4:20", "b.yaml:3:21"]
    assert told.stdout == f"{refused}: OK: scenario refused, 2 steps\n"


def test_validate_tells_what_is_in_good_files(tmp_path: Path) -> None:
    path = tmp_path / "one.yaml"
    path.write_text(TOPOLOGY)
    assert invoke("validate", path).stdout == f"{path}: OK: topology one, 1 node, 0 links\n"


def test_a_file_that_is_nothing_of_ours_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "compose.yaml"
    path.write_text("services: {}\n")
    told = invoke("validate", path)
    assert told.exit_code == 2
    assert told.stderr.startswith(f"{path}:1:1: this is neither a topology")


@pytest.mark.parametrize("command", ["run", "validate", "plan"])
def test_a_file_that_is_not_there_is_the_users_error(command: str, tmp_path: Path) -> None:
    told = invoke(command, tmp_path / "no.yaml")
    assert (told.exit_code, told.stdout) == (2, "")
    assert "Traceback" not in told.stderr
    assert "there is no " in told.stderr


def test_run_refuses_a_topology_and_leaves_it_out_of_a_directory(tmp_path: Path) -> None:
    path = tmp_path / "one.yaml"
    path.write_text(TOPOLOGY)
    named, inside = invoke("run", path), invoke("run", tmp_path)
    assert (named.exit_code, inside.exit_code) == (2, 2)
    assert named.stderr == (
        f"{path}:1:1: this is a file of kind topology; run takes scenarios; see netlab-ns plan FILE for a topology\n"
    )
    assert f"Error: no scenario in {tmp_path}" in inside.stderr


def test_plan_prints_what_would_be_built(tmp_path: Path, refused: Path) -> None:
    path = tmp_path / "one.yaml"
    path.write_text(TOPOLOGY)
    assert invoke("plan", path).stdout.splitlines()[0] == "namespace alone (host)"
    assert invoke("plan", refused).stdout == invoke("plan", "two-hosts").stdout


def test_model_lists_claims_and_shows_one() -> None:
    listed, shown, table = invoke("model"), invoke("model", "simultaneous-open"), invoke("model", "tcp")
    assert "  simultaneous-open" in listed.stdout.splitlines()
    assert shown.stdout.startswith("simultaneous-open (")
    assert "\n  steps\n" in shown.stdout
    assert "TIME-WAIT" in table.stdout.splitlines()
    assert {listed.exit_code, shown.exit_code, table.exit_code} == {0}


def test_doctor_tells_the_same_as_text_and_as_json() -> None:
    text, told = invoke("doctor"), invoke("doctor", "--json")
    found = json.loads(told.stdout)
    assert found["schema"] == 1
    assert text.exit_code == told.exit_code == (0 if found["usable"] else 4)
    for check in found["checks"]:
        assert f"  {'yes' if check['available'] else 'no '}  {check['name']}" in text.stdout
        assert check["available"] == (not check["reason"])


def finished(*scenarios: ScenarioResult) -> int:
    return status(result(*scenarios))


def test_the_status_of_a_finished_run() -> None:
    nothing = ScenarioResult(file="f", name="n", verdicts=UNDECIDED.verdicts, timeline=Timeline())
    assert status(EVERYTHING) == 1
    assert (finished(PASSED), finished(PASSED, DEVIATES), finished(PASSED, UNDECIDED), finished(nothing)) == (0, 0, 3, 4)
    assert status(result(PASSED, UNDECIDED), allow_inconclusive=True) == 0
    assert status(result(nothing), allow_inconclusive=True) == 4


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (HostError("no user namespaces", "sudo sysctl -w x=1"), 4, "no user namespaces\n  fix: sudo sysctl -w x=1"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (BrokenPipeError(), 0, ""),
        (ZeroDivisionError("oh"), 70, "ZeroDivisionError: oh"),
    ],
)
def test_what_a_command_raises_becomes_a_status(error: BaseException, code: int, said: str) -> None:
    @click.command()
    def failing() -> None:
        raise error

    group = type(cli)(commands={"failing": failing})
    told = CliRunner().invoke(group, ["failing"])
    assert told.exit_code == code
    assert said in told.stderr


@pytest.mark.parametrize(("text", "size"), [("4096", 4096), ("512k", 1 << 19), ("8M", 8 << 20), ("8MiB", 8 << 20), ("1g", 1 << 30)])
def test_sizes(text: str, size: int) -> None:
    assert Size().convert(text, None, None) == size


@pytest.mark.parametrize("text", ["", "k", "1.5M", "0", "-3", "8 M", "²"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(click.BadParameter):
        Size().convert(text, None, None)


def test_durations_keep_their_units() -> None:
    assert Length().convert("200ms", None, None).ns == 200_000_000


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys, netlab.cli; print(sorted({'yaml', 'pydantic', 'scapy', 'msgspec', 'rich', 'pyroute2'} & set(sys.modules)))"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert told.stdout == "[]\n"


def test_a_reader_that_goes_away_ends_the_command_quietly() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as pipe:
        told = subprocess.run([sys.executable, "-m", "netlab", "model"], stdout=pipe, stderr=subprocess.PIPE, check=False)
    assert (told.returncode, told.stderr) == (0, b"")


@pytest.mark.netns
class TestRun:
    def test_a_scenario_that_holds(self, refused: Path, tmp_path: Path) -> None:
        told = invoke("run", refused, "--json", tmp_path / "r.json", "--junit", tmp_path / "r.xml")
        assert told.exit_code == 0, told.output
        assert told.stdout.splitlines()[-1].startswith("1 passed, 0 failed, 0 inconclusive in ")
        assert json.loads((tmp_path / "r.json").read_text())["outcome"] == "PASS"
        assert ET.parse(tmp_path / "r.xml").getroot().get("tests") == "1"

    def test_one_that_does_not(self, tmp_path: Path) -> None:
        path = tmp_path / "wrong.scenario.yaml"
        path.write_text(WRONG)
        told = invoke("run", tmp_path)
        assert told.exit_code == 1
        assert f"  {path}:5:5  client: connect(c, server:8080)" in told.stdout.splitlines()
        assert "    actual    -1 ECONNREFUSED" in told.stdout.splitlines()

    def test_json_on_standard_output_leaves_the_text_to_standard_error(self, refused: Path) -> None:
        told = invoke("run", refused, "--json", "-")
        assert json.loads(told.stdout)["scenarios"][0]["name"] == "refused"
        assert "1 passed, 0 failed" in told.stderr

    def test_a_claim(self) -> None:
        told = invoke("conform", "--claim", "refused-rst")
        assert told.exit_code == 0, told.output
        assert told.stdout.splitlines()[-1].startswith("1 passed")
