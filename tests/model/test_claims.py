"""The documented model's claims: each says what it rests on, holds on this machine, and has a world in which it fails."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from model.edits import EDITS

import netlab.model
from ci.model_pages import pages
from netlab.check.judge import judge
from netlab.check.result import ScenarioResult
from netlab.cli_conform import AGAIN
from netlab.files import shipped_claims
from netlab.observe.tier import Tier, probe
from netlab.report.model_pages import CHAPTERS
from netlab.run import RunOptions, run_all, run_scenario
from netlab.scenario.spec import CallStep, ExpectStep, JoinStep, Scenario
from netlab.scenario.worlds import World, load_worlds

CLAIMS: Mapping[str, Scenario] = {scenario.name: scenario for scenario in shipped_claims()[0]}
WORLDS: Mapping[str, World] = {
    world.claim: world
    for path in sorted(Path(netlab.model.__path__[0], "worlds").glob("*.yaml"))
    for world in load_worlds(path, CLAIMS)
}
GROUPS = sorted({scenario.claim.group for scenario in CLAIMS.values() if scenario.claim is not None})
PLAYED = (
    "reuseaddr-timewait", "simultaneous-close", "timewait-active-only", "socket-sends-nothing", "scm-rights-in-flight",
    "backlog-overflow-drop", "simultaneous-open", "memory-at-creation",
)  # fmt: skip
"""Some of each sort of world: a call that the kernel is kept from judging, a rule on packets, a setting, something that happens
meanwhile. python -m ci.worlds, a part of make proof, plays every claim's."""
CORE = [name for name, scenario in CLAIMS.items() if scenario.claim is not None and scenario.claim.core]
PAGES = Path(__file__).parents[2] / "docs" / "model"


def documented(scenario: Scenario) -> bool:
    """Whether some step says what the document has, where Linux is known to differ."""
    kinds = (CallStep, JoinStep, ExpectStep)
    return any(step.document is not None for step in scenario.steps if isinstance(step, kinds))


def needs_bpf(scenario: Scenario) -> bool:
    """Whether it asks for what nothing but BPF tells: kernel memory, or a socket's whole path."""
    asked = [expect for step in scenario.steps if isinstance(step, ExpectStep) for expect in (step.expect, step.document) if expect]
    return any(expect.memory or expect.path for expect in asked)


@pytest.fixture(scope="session")
def tier() -> Tier:
    return probe()


@pytest.mark.parametrize("name", CLAIMS)
def test_a_claim_says_what_it_rests_on(name: str) -> None:
    claim = CLAIMS[name].claim
    assert claim is not None
    assert claim.statement
    assert claim.group in CHAPTERS
    assert claim.sources
    assert all(source.strip() for source in claim.sources)
    assert claim.from_notes == any(source.startswith("the notes, ") for source in claim.sources)


def test_ids_are_unique() -> None:
    scenarios, not_tested = shipped_claims()
    names = [scenario.name for scenario in scenarios] + [one.id for one in not_tested]
    assert len(names) == len(set(names))


def test_every_claim_has_its_world() -> None:
    assert set(WORLDS) == set(CLAIMS)


def test_what_only_an_edited_timeline_shows_has_its_edit() -> None:
    assert set(EDITS) == {name for name, world in WORLDS.items() if world.edited}


def test_most_worlds_are_real() -> None:
    assert sum(not world.edited for world in WORLDS.values()) >= 0.85 * len(WORLDS)


def test_the_pages_are_current() -> None:
    written = {path.name: path.read_text() for path in PAGES.glob("*.md")}
    assert written == pages(), "python -m ci.model_pages writes them"


@pytest.mark.netns
@pytest.mark.timeout(300)
@pytest.mark.parametrize("group", GROUPS)
def test_the_claims_of_a_group_hold(group: str, tier: Tier) -> None:
    chosen = [one for one in CLAIMS.values() if one.claim is not None and one.claim.group == group and not one.claim.slow]
    wrong, missing = {}, []
    for ran in run_all(chosen, RunOptions(jobs=4, again=AGAIN)).scenarios:
        scenario, verdict = CLAIMS[ran.name], ran.verdicts[0]
        wanted = ("PASS", "known-deviation" if documented(scenario) else "as-documented")
        if needs_bpf(scenario) and not (tier.letter == "A" and tier.has("memory")):
            wanted = ("INCONCLUSIVE", "")
        if verdict.outcome == "INCONCLUSIVE" and "No such file or directory" in verdict.reason:
            missing.append(f"{ran.name}: {verdict.reason}")  # a program that the claim runs
        elif (verdict.outcome, verdict.conformance) != wanted:
            wrong[ran.name] = (verdict.outcome, verdict.conformance, verdict.reason, verdict.mismatches)
    assert not wrong
    if missing:
        pytest.skip("; ".join(missing))


def test_the_core_is_what_was_there_first() -> None:
    assert len(CORE) == 25


@pytest.mark.netns
@pytest.mark.parametrize("name", PLAYED)
def test_a_claim_fails_in_its_world(name: str, tier: Tier) -> None:
    if needs_bpf(CLAIMS[name]) and not tier.has("memory"):
        pytest.skip("; ".join(f"{lack.name}: {lack.reason}" for lack in tier.lacking))
    failed(run_scenario(WORLDS[name].scenario), WORLDS[name])


@pytest.mark.netns
@pytest.mark.parametrize("name", EDITS)
def test_a_claim_fails_on_its_edited_timeline(name: str, ran: Callable[[str], ScenarioResult], tier: Tier) -> None:
    if needs_bpf(CLAIMS[name]) and not tier.has("memory"):
        pytest.skip("; ".join(f"{lack.name}: {lack.reason}" for lack in tier.lacking))
    timeline = ran(name).timeline
    edited = EDITS[name](timeline)
    assert edited != timeline
    verdict = judge(CLAIMS[name], edited)[0]
    assert (verdict.id, verdict.outcome, verdict.conformance) == (name, "FAIL", "surprise")
    assert verdict.mismatches[0].field.startswith(WORLDS[name].fails)


@pytest.fixture(scope="session")
def ran() -> Callable[[str], ScenarioResult]:
    """Each claim's run, made when first asked for."""
    results: dict[str, ScenarioResult] = {}

    def result(claim: str) -> ScenarioResult:
        if claim not in results:
            results[claim] = run_scenario(CLAIMS[claim])
        return results[claim]

    return result


def failed(result: ScenarioResult, world: World) -> None:
    """It fails, and where its world says; each mismatch has its step and place."""
    verdict = result.verdicts[0]
    assert (verdict.id, verdict.outcome, verdict.conformance) == (world.claim, "FAIL", "surprise"), verdict.reason
    first = verdict.mismatches[0]
    assert first.field.startswith(world.fails)
    assert first.place
    assert first.step
