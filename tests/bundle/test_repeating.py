"""How often a failure comes again: runs are counted as they ended, at once or one after another, and the rate has its interval."""

import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from bundles import HOST, bundle, decision, files, result

from netlab.bundle.comparing import differences
from netlab.bundle.repeating import repeat, wilson
from netlab.bundle.running import Again, again, missed
from netlab.bundle.spec import Failed, failed_of
from netlab.check.result import ScenarioResult

HERE = Path("lossy.scenario.yaml")
FAILED = result(HERE)
OTHERWISE = result(HERE, step="client: another step")
PASSED = result(HERE, "PASS")
UNTOLD = result(HERE, "INCONCLUSIVE")


def signature() -> Failed:
    failed = failed_of(FAILED)
    assert failed is not None
    return failed


def in_turn(*results: ScenarioResult) -> Callable[[], ScenarioResult]:
    left = iter(results)
    return lambda: next(left)


def test_a_run_fails_in_the_same_way_if_claim_field_and_step_are_the_same() -> None:
    ended = [again(one, signature()) for one in (FAILED, OTHERWISE, PASSED, UNTOLD)]
    assert ended == [Again.SAME, Again.OTHER, Again.PASSED, Again.UNTOLD]
    assert failed_of(PASSED) is None


def test_runs_are_counted_and_the_most_telling_one_is_kept() -> None:
    runs = repeat(in_turn(PASSED, OTHERWISE, FAILED, UNTOLD), signature(), times=4)
    assert runs.ended == Counter({Again.SAME: 1, Again.OTHER: 1, Again.PASSED: 1, Again.UNTOLD: 1})
    assert (runs.total, runs.shown, runs.best) == (4, FAILED, Again.SAME)


def test_until_fail_stops_at_the_first_that_fails_in_the_same_way() -> None:
    runs = repeat(in_turn(PASSED, OTHERWISE, FAILED, PASSED), signature(), times=1000, until_fail=True)
    assert (runs.total, runs.shown) == (3, FAILED)


def test_runs_go_on_at_once_as_many_as_asked_for() -> None:
    together = threading.Barrier(3)

    def run() -> ScenarioResult:
        together.wait(30)  # comes to an end only when three are here
        return FAILED

    assert repeat(run, signature(), times=6, jobs=3).ended == Counter({Again.SAME: 6})


def test_several_at_once_stop_too_when_one_has_failed() -> None:
    started: list[int] = []

    def run() -> ScenarioResult:
        started.append(1)
        return FAILED

    assert 1 <= repeat(run, signature(), times=1000, jobs=2, until_fail=True).total == len(started) <= 4


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_a_run_raises_is_raised(jobs: int) -> None:
    def run() -> ScenarioResult:
        raise OSError("no more memory")

    with pytest.raises(OSError, match="no more memory"):
        repeat(run, signature(), times=3, jobs=jobs)


@pytest.mark.parametrize(
    ("hits", "total", "low", "high"),
    [(20, 20, 0.8389, 1.0), (0, 20, 0.0, 0.1611), (10, 20, 0.2993, 0.7007), (1, 1, 0.2065, 1.0), (81, 263, 0.2553, 0.3662)],
)
def test_the_interval_is_wilsons(hits: int, total: int, low: float, high: float) -> None:
    """The last one is the example of R. G. Newcombe, Statistics in Medicine 17 (1998), table I, method 3."""
    assert wilson(hits, total) == pytest.approx((low, high), abs=5e-5)


def test_no_runs_have_no_rate() -> None:
    with pytest.raises(ValueError, match="0 of 0 is no rate"):
        wilson(0, 0)


def test_which_packets_of_the_record_a_run_did_not_have(tmp_path: Path) -> None:
    made = bundle(files(tmp_path))
    assert missed(made, FAILED) == ()
    late = msgspec.structs.replace(decision("x:1:1"), key="another")
    step = msgspec.structs.replace(decision("x:1:1"), key="", action="link down")
    more = msgspec.structs.replace(made, decisions=(*made.decisions, late, step))
    assert missed(more, FAILED) == ("another",)


def test_what_differs_from_the_machine_of_the_failure_is_told(tmp_path: Path) -> None:
    made = msgspec.structs.replace(bundle(files(tmp_path)), netlab="0.1.0", versions={"python": "3.11.2"})
    same = list(differences(made, HOST, "0.1.0", {"python": "3.11.2"}))
    here = msgspec.structs.replace(HOST, kernel="6.1.0", capabilities={"bpf": "not root"}, pinned={})
    assert same == []
    assert list(differences(made, here, "0.2.0", {"python": "3.12.1"})) == [
        "netlab: 0.2.0 here, 0.1.0 there",
        "kernel: 6.1.0 here, 6.18.44 there",
        "python: 3.12.1 here, 3.11.2 there",
        "net.core.rmem_max: none here, 212992 there",
        "bpf: not root here, yes there",
    ]
