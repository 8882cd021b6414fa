"""Every shipped scenario: it says what it is for and on whose word, the guide lists it, it passes, and fails when undisturbed."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from netlab.files import SCENARIO_SUFFIX, SHIPPED_SCENARIOS, Kind, found, shipped_scenario
from netlab.run import run_scenario
from netlab.scenario.load import load_scenarios
from netlab.scenario.spec import HealStep, ImpairStep, LinkStep, ReleaseStep, Scenario, all_rules

FILES = sorted(Path(SHIPPED_SCENARIOS).glob("*.yaml"))
NAMES = [file.name.removesuffix(SCENARIO_SUFFIX) for file in FILES]
SCHEMA = "# yaml-language-server: $schema=../schemas/scenario.schema.json"
GUIDE = Path(__file__).parent.parent / "docs" / "scenarios.md"


def shipped(name: str) -> Scenario:
    (scenario,) = load_scenarios(shipped_scenario(name))
    return scenario


def undisturbed(scenario: Scenario) -> Scenario:
    """The same over links to which nothing is done, from the start or by a step."""
    links = tuple(replace(link, impair=(), shapes=()) for link in scenario.topology.links)
    steps = tuple(step for step in scenario.steps if not isinstance(step, ReleaseStep | ImpairStep | HealStep | LinkStep))
    return replace(scenario, topology=replace(scenario.topology, links=links), steps=steps)


def test_those_that_are_promised_are_there() -> None:
    promised = {"drop-the-first-syn", "hold-both-syns", "delay-the-second-syn-ack", "pmtu-black-hole", "pmtu-black-hole-probed"}
    promised |= {"reorder-data-and-fin", "old-segment-after-time-wait", "ecn-mark", "forged-reset", "udp-request-reply-under-loss"}
    assert promised - set(NAMES) == set()


@pytest.mark.parametrize("name", NAMES)
def test_the_file_says_what_it_is_for_and_on_whose_word(name: str) -> None:
    scenario = shipped(name)
    assert scenario.claim is not None
    assert scenario.claim.statement.endswith(".")
    assert any(source.startswith("RFC ") for source in scenario.claim.sources)
    first, second, *_ = Path(scenario.place.file).read_text().splitlines()
    assert first == SCHEMA
    assert second == f"# {scenario.intent.splitlines()[0]}"
    assert any(True for _ in all_rules(scenario)) or any(isinstance(step, LinkStep) for step in scenario.steps)


@pytest.mark.parametrize("name", NAMES)
def test_the_guide_lists_it(name: str) -> None:
    assert f"| `{name}` |" in GUIDE.read_text()


def test_a_name_alone_is_a_shipped_scenario_and_a_file_of_that_name_comes_first(tmp_path: Path) -> None:
    ((one,), problems) = found(["ecn-mark"])
    assert (one.path, one.kind, one.named, problems) == (shipped_scenario("ecn-mark"), Kind.SCENARIO, True, [])
    before = os.getcwd()
    os.chdir(tmp_path)
    try:
        Path("ecn-mark").write_text("nodes: {}\n")
        ((own,), _) = found(["ecn-mark"])
    finally:
        os.chdir(before)
    assert (own.path, own.kind) == ("ecn-mark", Kind.TOPOLOGY)


@pytest.mark.parametrize("name", ["../scenarios/ecn-mark", "ecn-mark.scenario.yaml", "no-such-scenario", ""])
def test_what_is_no_name_of_one_is_a_path(name: str) -> None:
    assert shipped_scenario(name) == ""
    assert found([name])[1] != []


def test_a_name_that_is_nearly_one_is_guessed(tmp_path: Path) -> None:
    fixes = [problem.fix for name in ("ecn-marc", "ecn-mark.scenario.yaml", "nothing-like-it") for problem in found([name])[1]]
    assert fixes == ['did you mean "ecn-mark"?', 'did you mean "ecn-mark"?', ""]
    assert [problem.fix for problem in found([str(tmp_path / "ecn-mark")])[1]] == [""]


@pytest.mark.netns
@pytest.mark.parametrize("name", NAMES)
def test_it_passes(name: str) -> None:
    verdicts = run_scenario(shipped(name)).verdicts
    assert [(one.id, one.outcome, one.mismatches) for one in verdicts] == [(one.id, "PASS", ()) for one in verdicts]


@pytest.mark.netns
@pytest.mark.parametrize("name", NAMES)
def test_without_its_impairment_it_fails(name: str) -> None:
    verdict = run_scenario(undisturbed(shipped(name))).verdicts[0]
    assert verdict.outcome == "FAIL", verdict.reason
