"""Worlds in which claims fail: what each changes of its claim's scenario, and what a wrong file of them is told."""

from pathlib import Path

import pytest

from netlab.errors import SpecError
from netlab.scenario.load import load_claims
from netlab.scenario.spec import CallStep, Refusal, Scenario
from netlab.scenario.worlds import World, load_worlds

CLAIMS = """
group: g
claims:
  - id: one
    statement: A statement.
    sources: [a source]
    topology: two-hosts
    impair: {client->server: [{match: S, action: drop}]}
    steps:
      - client: s = socket(AF_INET, SOCK_STREAM, 0)
      - client: close(s)
"""


def claims(folder: Path) -> dict[str, Scenario]:
    file = folder / "claims.yaml"
    file.write_text(CLAIMS)
    return {scenario.name: scenario for scenario in load_claims(file)[0]}


def worlds(folder: Path, text: str) -> tuple[World, ...]:
    file = folder / "worlds.yaml"
    file.write_text("worlds:\n  one:\n" + "".join(f"    {line}\n" for line in text.splitlines()))
    return load_worlds(file, claims(folder))


def test_a_world_changes_what_is_around_the_workload(tmp_path: Path) -> None:
    (world,) = worlds(
        tmp_path,
        """what: everything is wrong
fails: return
kernel: [{process: client, call: socket, nth: 1, gives: EMFILE}, {process: client, call: close, gives: 0}]
sysctls: {server: {net.ipv4.tcp_sack: 0}}
impair: {client->server: [{match: R, action: drop}], server->client: [{match: S., action: drop}]}
before: {2: [client: getpid(), client: getpid()]}""",
    )
    assert (world.claim, world.what, world.fails, world.edited) == ("one", "everything is wrong", "return", "")
    assert world.scenario.refusals == (
        Refusal(process="client", call="socket", nth=1, errno="EMFILE"),
        Refusal(process="client", call="close"),
    )
    server = next(node for node in world.scenario.topology.nodes if node.name == "server")
    assert server.sysctls[-1] == ("net.ipv4.tcp_sack", "0")
    rules = {direction: [rule.match.text for rule in said] for direction, said in world.scenario.topology.links[0].impair}
    assert rules == {("client", "server"): ["R", "S"], ("server", "client"): ["S."]}, "its rules come before the claim's own"
    calls = [step.what.call.name for step in world.scenario.steps if isinstance(step, CallStep)]
    assert calls == ["socket", "getpid", "getpid", "close"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("what: w\nfails: return", "this world is like the real one"),
        ("what: w\nfails: return\nedited: no\nsysctls: {}", "a world is real or edited"),
        ("what: w\nfails: return\nsysctls: {nobody: {net.ipv4.tcp_sack: 0}}", 'no node "nobody"'),
        ("what: w\nfails: return\nkernel: [{process: client, call: sleep, gives: 0}]", 'the kernel judges no call "sleep"'),
        ("what: w\nfails: return\nkernel: [{process: client, call: bind, gives: 7}]", "7 is neither an errno's name nor 0"),
        ("what: w\nfails: return\nbefore: {3: [client: getpid()]}", "there is no step 3"),
        ("what: w\nfails: return\nbefore: {third: [client: getpid()]}", '"third" is no step\'s number'),
        ("what: w\nfails: return\nimpair: {client->nobody: [{match: S, action: drop}]}", 'no node "nobody"'),
    ],
)
def test_a_wrong_world_is_told_at_its_place(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=message) as caught:
        worlds(tmp_path, text)
    assert all(problem.place.line >= 2 for problem in caught.value.problems)


def test_a_world_of_no_claim(tmp_path: Path) -> None:
    file = tmp_path / "worlds.yaml"
    file.write_text("worlds: {onee: {what: w, fails: return, edited: because}}")
    with pytest.raises(SpecError, match='no claim "onee"; did you mean "one"'):
        load_worlds(file, claims(tmp_path))
