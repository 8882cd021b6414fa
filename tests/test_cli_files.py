"""The commands about files, as a user gives them. Those that were there before graph and schema are in test_cli too."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from netlab.cli import cli
from netlab.json_schemas import schema_text

STAR = """\
# So many hosts.
vars: {hosts: 3}
nodes: {s: {kind: switch}, h: {count: "${hosts}"}}
links: [{endpoints: [h, s]}]
"""
SCENARIO = """\
# Drawn and planned, not run.
topology: star.yaml
steps: [{h1: "s = socket(AF_INET, SOCK_STREAM, 0)"}]
"""
CLAIMS = """\
group: some
claims:
  - {id: one, statement: One., sources: none, topology: one-host, steps: [{host: "s = socket(AF_INET, SOCK_STREAM, 0)"}]}
  - {id: two, statement: Two., sources: none, topology: two-hosts, steps: [{client: "s = socket(AF_INET, SOCK_STREAM, 0)"}]}
"""


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments], prog_name="netlab-ns")


@pytest.fixture
def star(tmp_path: Path) -> Path:
    path = tmp_path / "star.yaml"
    path.write_text(STAR)
    (tmp_path / "star.scenario.yaml").write_text(SCENARIO)
    return path


def test_validate_takes_settings(star: Path) -> None:
    assert invoke("validate", star).stdout == f"{star}: OK: topology star, 4 nodes, 3 links\n"
    assert invoke("validate", star, "--set", "hosts=7").stdout == f"{star}: OK: topology star, 8 nodes, 7 links\n"


@pytest.mark.parametrize("command", ["validate", "plan", "graph"])
def test_a_name_that_no_file_declares_is_refused(command: str, star: Path) -> None:
    told = invoke(command, star, "--set", "host=7")
    assert told.exit_code == 2
    assert told.stderr == '--set host: no variable "host" is declared; did you mean "hosts"?\n'


def test_settings_are_shared_by_all_files_of_a_directory(star: Path) -> None:
    (star.parent / "other.yaml").write_text("nodes: {a: {}}\n")
    told = invoke("validate", star.parent, "--set", "hosts=2")
    assert told.exit_code == 0, told.stderr
    assert f"{star}: OK: topology star, 3 nodes, 2 links" in told.stdout.splitlines()


def test_plan_takes_settings_and_tells_json(star: Path) -> None:
    lines = invoke("plan", star, "--set", "hosts=2").stdout.splitlines()
    assert [line for line in lines if line.startswith("namespace")] == [
        "namespace s (switch)",
        "namespace h1 (host)",
        "namespace h2 (host)",
    ]
    told = json.loads(invoke("plan", star, "--json", "--set", "hosts=2").stdout)
    assert [[node["name"] for node in each["nodes"]] for each in told["plans"]] == [["s", "h1", "h2"]]


def test_a_scenarios_topology_is_planned_and_drawn(star: Path) -> None:
    scenario = star.with_suffix(".scenario.yaml")
    assert invoke("plan", scenario).stdout == invoke("plan", star).stdout
    assert invoke("graph", scenario).stdout == invoke("graph", star).stdout


def test_graph_writes_the_format_that_the_output_is_named_for(star: Path, tmp_path: Path) -> None:
    begins = {"a.svg": "<svg", "a.dot": "graph", "a.gv": "graph", "a.mmd": "---", "a.txt": "star: 1 switch", "a": "star: 1 switch"}
    for name, begin in begins.items():
        told = invoke("graph", star, "-o", tmp_path / name)
        assert (told.exit_code, told.output) == (0, "")
        assert (tmp_path / name).read_text().startswith(begin), name
    assert invoke("graph", star).stdout == (tmp_path / "a.txt").read_text()
    assert invoke("graph", star, "-o", "-", "--format", "svg").stdout == (tmp_path / "a.svg").read_text()
    ET.parse(tmp_path / "a.svg")


def test_a_format_that_nobody_knows_is_refused(star: Path, tmp_path: Path) -> None:
    told = invoke("graph", star, "-o", tmp_path / "a.png")
    assert told.exit_code == 2
    assert "no format has the suffix .png, only .svg, .dot, .gv, .mmd, .mermaid, .txt; say which with --format" in told.stderr
    assert invoke("graph", star, "-o", tmp_path / "a.png", "--format", "svg").exit_code == 0
    assert invoke("graph", star, "--format", "png").exit_code == 2


def test_what_cannot_be_written_is_told_in_one_line(star: Path, tmp_path: Path) -> None:
    told = invoke("graph", star, "-o", tmp_path / "nowhere" / "a.svg")
    assert told.exit_code == 2
    assert "no directory" in told.stderr
    full = invoke("graph", star, "-o", "/dev/full")
    assert full.exit_code == 2
    assert full.stderr == "Error: /dev/full: cannot be written: No space left on device\n"


def test_a_file_of_claims_may_have_too_many_networks_for_one_picture(tmp_path: Path) -> None:
    claims = tmp_path / "claims.yaml"
    claims.write_text(CLAIMS)
    told = invoke("graph", claims)
    assert told.exit_code == 2
    assert "claims.yaml has 2 topologies; graph draws one" in told.stderr
    assert invoke("plan", claims).stdout == invoke("plan", "one-host").stdout + invoke("plan", "two-hosts").stdout


@pytest.mark.parametrize("kind", ["topology", "scenario", "claims"])
def test_schema_prints_one(kind: str, tmp_path: Path) -> None:
    assert invoke("schema", kind).stdout == schema_text(kind)
    assert invoke("schema", kind, "-o", tmp_path / "s.json").output == ""
    assert (tmp_path / "s.json").read_text() == schema_text(kind)


def test_schema_is_the_topologys_if_nothing_is_said() -> None:
    assert invoke("schema").stdout == schema_text("topology")
    assert invoke("schema", "claim").exit_code == 2
