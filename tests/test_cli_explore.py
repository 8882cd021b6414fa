"""explore, as a user runs it: what it says, what it writes, and what it exits with."""

import json
from pathlib import Path

import pytest
from labs import netlab

from netlab.scenario.load import load_scenarios

pytestmark = pytest.mark.netns


def test_it_tells_what_it_tried_what_it_saw_and_what_it_did_not_reach(tmp_path: Path) -> None:
    file, kept = tmp_path / "found.json", tmp_path / "kept"
    done = netlab("explore", "--sequences", 60, "--seed", 7, "--json", file, "--keep", kept, cwd=tmp_path)
    assert {one.name for one in tmp_path.iterdir()} <= {"found.json", "kept"}
    found = json.loads(file.read_text())
    assert done.returncode == (1 if found["disagreements"] else 0), done.stdout + done.stderr
    assert (found["seed"], found["schema"]) == (7, 1)
    assert found["sequences"] >= 60
    assert found["two_hosts"] > 0 < found["established"]
    assert {"call": "socket", "errno": ""} in [{"call": one["call"], "errno": one["errno"]} for one in found["outcomes"]]
    rules = found["rules"]
    assert len(rules["reached"]) + len(rules["not_reached"]) == rules["all"]
    told = done.stdout.splitlines()
    assert told[0].startswith(f"{found['sequences']} sequences of ")
    assert f"rules: {len(rules['reached'])} of {rules['all']} reached" in done.stdout
    assert all(f"  {one['id']}: " in done.stdout for one in rules["not_reached"])
    assert len(list(kept.glob("*.scenario.yaml"))) == len(found["disagreements"])
    for one in sorted(kept.glob("*.scenario.yaml")):
        load_scenarios(one)


def test_on_one_host_the_other_stands_by_and_several_searches_share_the_work() -> None:
    done = netlab("explore", "--sequences", 40, "--seed", 3, "--hosts", 1, "--jobs", 2, "--json", "-")
    found = json.loads(done.stdout)
    assert done.returncode == (1 if found["disagreements"] else 0), done.stderr
    assert found["sequences"] >= 40
    assert found["two_hosts"] == 0
    assert f"{found['sequences']} sequences of " in done.stderr


def test_without_root_it_is_the_same() -> None:
    done = netlab("explore", "--sequences", 20, "--seed", 5, "--json", "-", rootless=True)
    found = json.loads(done.stdout)
    assert done.returncode == (1 if found["disagreements"] else 0), done.stderr
    assert found["sequences"] >= 20
    assert found["two_hosts"] > 0


@pytest.mark.parametrize("wrong", [("--hosts", 3), ("--minutes", 0), ("--sequences", 0), ("--json", "/nowhere/at/all.json")])
def test_wrong_options_are_refused_before_anything_is_tried(wrong: tuple[object, ...]) -> None:
    done = netlab("explore", *wrong)
    assert done.returncode == 2
    assert str(wrong[0]) in done.stderr
