from pathlib import Path

import pytest

from netlab.errors import SpecError
from netlab.scenario.load import load_claims, load_scenarios
from netlab.topology.expanding.variables import Settings

NETWORK = """\
vars: {hosts: 1, kind: host}
nodes: {s: {kind: switch}, h: {count: "${hosts}", kind: "${kind}"}}
links: [{endpoints: [h, s]}]
"""
STEPS = "steps: [{h1: 's = socket(AF_INET, SOCK_STREAM, 0)'}]\n"
CLAIM = "  - {id: %s, statement: x, sources: y, topology: network, set: {hosts: %s}, "
CLAIM += "steps: [{h1: 's = socket(AF_INET, SOCK_STREAM, 0)'}]}\n"
INLINE = "topology:\n  vars: {n: 2}\n  nodes: {h: {count: '${n}'}, b: {}}\n  links: [{line: [h, b]}]\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "network.yaml").write_text(NETWORK)
    return tmp_path / "x.scenario.yaml"


def counted(path: Path, text: str, settings: dict[str, str] | Settings | None = None) -> list[int]:
    path.write_text(text)
    return [len(scenario.topology.nodes) for scenario in load_scenarios(path, settings)]


def told(path: Path, text: str, settings: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(SpecError) as caught:
        counted(path, text, settings)
    return [str(problem).removeprefix(f"{path}:") for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("own", "given", "nodes"),
    [("", None, 2), ("set: {hosts: 3}\n", None, 4), ("set: {hosts: 3}\n", {"hosts": "5"}, 6), ("", {"hosts": "5"}, 6)],
)
def test_a_scenario_sets_variables_of_its_topology_and_the_command_line_goes_first(
    path: Path, own: str, given: dict[str, str] | None, nodes: int
) -> None:
    assert counted(path, f"topology: network\n{own}{STEPS}", given) == [nodes]


@pytest.mark.parametrize(("given", "nodes"), [(None, 3), ({"n": "4"}, 5)])
def test_a_topology_inside_of_a_scenario_has_variables_too(path: Path, given: dict[str, str] | None, nodes: int) -> None:
    assert counted(path, INLINE + STEPS, given) == [nodes]
    assert counted(path, INLINE + "set: {n: 6}\n" + STEPS) == [7]


def test_each_claim_of_a_file_may_set_its_own(path: Path) -> None:
    text = "group: g\nclaims:\n" + CLAIM % ("a", 1) + CLAIM % ("b", 2) + CLAIM % ("c", 2)
    assert counted(path, text) == [2, 3, 3]
    first, second = (load_claims(path)[0][i].topology for i in (1, 2))
    assert first is not second
    assert [len(one.topology.nodes) for one in load_claims(path, {"hosts": "4"})[0]] == [5, 5, 5]


@pytest.mark.parametrize(
    ("text", "given", "problems"),
    [
        (
            f"topology: network\nset: {{hots: 3, kind: host, x: 1}}\n{STEPS}",
            None,
            [
                '2:7: the topology declares no variable "hots"; did you mean "hosts"?',
                '2:28: the topology declares no variable "x"; the variables are hosts, kind',
            ],
        ),
        (f"topology: network\n{STEPS}", {"hots": "1"}, ['--set hots: no variable "hots" is declared; did you mean "hosts"?']),
        (
            f"topology: two-hosts\nset: {{x: 1}}\n{STEPS.replace('h1', 'client')}",
            {"x": "1"},
            ['2:7: the topology declares no variable "x"; there are none: add vars:'],
        ),
        (f"topology: network\nset: [a]\n{STEPS}", None, ["2:6: this must be a mapping, not a list"]),
        (f"topology: network\nset: {{hosts: many}}\n{STEPS}", None, ['network.yaml:2:39: this must be a whole number, not "many"']),
        ("topology: ''\n" + STEPS, None, ['1:11: topology must be a name, a path or a topology itself, not ""']),
        ("topology: []\n" + STEPS, None, ["1:11: topology must be a name, a path or a topology itself, not a list"]),
    ],
)
def test_what_is_wrong_with_settings(path: Path, text: str, given: dict[str, str] | None, problems: list[str]) -> None:
    assert [line.removeprefix(f"{path.parent}/") for line in told(path, text, given)] == problems


def test_settings_that_several_files_share_are_the_callers_to_check(path: Path) -> None:
    shared = Settings.of({"hosts": "3", "n": "1"})
    assert counted(path, f"topology: network\n{STEPS}", shared) + counted(path, INLINE + STEPS, shared) == [4, 2]
    shared.check()
