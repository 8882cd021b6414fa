"""The planted bugs show where the packets that matter are lost, and nowhere else; so a failure under random loss is theirs."""

from pathlib import Path

import pytest
from planted.bugs import BUGS, DROPS, HARMLESS, SEEDS, lacking, scenario

from netlab.check.verdicts import Verdict
from netlab.run import RunOptions, run_scenario
from netlab.scenario.load import load_scenarios
from netlab.timeline.observations import Decision

pytestmark = [pytest.mark.proof, pytest.mark.netns, pytest.mark.skipif(bool(lacking()), reason=lacking())]

SYMPTOMS = {
    "greeting": ("return", "the program was still running when its time was over"),
    "heartbeat": ("exit status", "1 (1000 bytes of the answer are lost: "),
    "counting": ("exit status", "1 (3 additions came to "),
}
"""The field that fails, and how what it had instead begins."""
SURVIVED = [(name, number) for name in BUGS for number in range(len(HARMLESS[name]))]


def judged(file: Path, seed: int = 0) -> tuple[Verdict, list[Decision]]:
    """The scenario's own verdict, and what was done to packets."""
    (one,) = load_scenarios(file)
    result = run_scenario(one, RunOptions(seed=seed))
    verdict, *others = result.verdicts
    assert verdict.outcome != "INCONCLUSIVE", verdict.reason
    assert [other.id for other in others if other.outcome == "FAIL"] == []
    return verdict, [seen for seen in result.timeline.observations if isinstance(seen, Decision)]


def shows(name: str, verdict: Verdict) -> bool:
    """Whether it failed by the planted bug's symptom, and by nothing else."""
    field, begins = SYMPTOMS[name]
    return [one.field for one in verdict.mismatches] == [field] and verdict.mismatches[0].actual.startswith(begins)


@pytest.mark.parametrize("name", BUGS)
def test_it_shows_where_the_packets_that_matter_are_lost(name: str, tmp_path: Path) -> None:
    verdict, decisions = judged(scenario(name, tmp_path, impair=DROPS[name], timeout="4s"))
    assert shows(name, verdict), verdict.mismatches
    assert len(decisions) == DROPS[name].count("action: drop")


@pytest.mark.parametrize("name", BUGS)
def test_its_mended_twin_gets_over_that(name: str, tmp_path: Path) -> None:
    verdict, decisions = judged(scenario(name, tmp_path, mended=True, impair=DROPS[name]))
    assert (verdict.outcome, len(decisions)) == ("PASS", DROPS[name].count("action: drop"))


@pytest.mark.parametrize(("name", "number"), SURVIVED)
def test_it_survives_other_losses(name: str, number: int, tmp_path: Path) -> None:
    verdict, decisions = judged(scenario(name, tmp_path, impair=HARMLESS[name][number]))
    assert verdict.outcome == "PASS"
    assert decisions


@pytest.mark.parametrize("name", BUGS)
def test_random_loss_finds_it_with_this_seed_and_not_its_mended_twin(name: str, tmp_path: Path) -> None:
    faulty, lost = judged(scenario(name, tmp_path, timeout="4s"), SEEDS[name])
    mended, _ = judged(scenario(name, tmp_path, mended=True), SEEDS[name])
    assert shows(name, faulty), (faulty.mismatches, [one.packet for one in lost])
    assert mended.outcome == "PASS"
