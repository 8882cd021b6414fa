"""Each candidate is run once, until it fails; what is known is kept when the search is stopped."""

import time
from threading import Barrier, Lock
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netlab.shrink.trials import OutOfTimeError, Trials, Tried


class Runs:
    """Runs of numbers by a script: for each number whether its first run fails, its second, and so on."""

    def __init__(self, **fails: str) -> None:
        self.fails = {int(name.lstrip("_")): list(text) for name, text in fails.items()}
        self.of: list[int] = []
        self.lock = Lock()

    def __call__(self, number: int) -> str | None:
        with self.lock:
            self.of.append(number)
            return f"{number} failed" if self.fails[number].pop(0) == "F" else None

    def trials(self, **options: Any) -> Trials[int, str]:
        return Trials(self, str, **options)


def test_what_fails_now_and_then_fails() -> None:
    runs = Runs(_1="..F", _2="...")
    trials = runs.trials(tries=3)
    assert trials.first([2, 1]) == 1
    assert trials.tried(1) == Tried(same=1, runs=3, result="1 failed")
    assert trials.tried(2) == Tried(same=0, runs=3)
    assert (runs.of, trials.runs) == ([2, 2, 2, 1, 1, 1], 6)


def test_nothing_runs_twice_and_nothing_after_it_has_failed() -> None:
    runs = Runs(_1="F", _2=".")
    trials = runs.trials(tries=1)
    assert [trials.first(some) for some in ([2, 1], [1], [2], [2, 2, 1])] == [1, 0, None, 2]
    assert runs.of == [2, 1]


def test_with_more_tries_only_what_is_missing_is_run() -> None:
    runs = Runs(_1="..F")
    trials = runs.trials(tries=1)
    assert trials.first([1]) is None
    trials.tries = 3
    assert trials.first([1]) == 0
    assert runs.of == [1, 1, 1]


def test_a_rate_is_of_all_runs() -> None:
    runs = Runs(_1="F.F")
    trials = runs.trials(tries=3)
    assert trials.repeated(1) == trials.tried(1) == Tried(same=2, runs=3, result="1 failed")


def test_several_run_at_once() -> None:
    together = Barrier(3, timeout=60)

    def run(number: int) -> str | None:
        together.wait()
        return "failed" if number == 2 else None

    trials = Trials(run, str, tries=1, jobs=3)
    assert trials.first([1, 2, 3]) == 1
    assert trials.runs == 3


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), unique_by=lambda one: one[0]), st.integers(1, 4))
def test_jobs_do_not_change_what_is_found(things: list[tuple[int, bool]], jobs: int) -> None:
    wanted = next((index for index, (_, fails) in enumerate(things) if fails), None)
    trials = Trials[tuple[int, bool], str](lambda one: "failed" if one[1] else None, str, tries=2, jobs=jobs)
    assert trials.first(things) == wanted


@pytest.mark.parametrize("jobs", [1, 2])
def test_the_end_of_the_time_ends_it(jobs: int) -> None:
    runs = Runs(_1="F", _2="F")
    trials = runs.trials(jobs=jobs, deadline=time.monotonic() - 1)
    with pytest.raises(OutOfTimeError):
        trials.first([1, 2])
    assert runs.of == []
    trials.deadline = None
    assert trials.first([1, 2]) == 0


def test_what_one_found_is_kept_when_another_ends_by_an_error() -> None:
    asked: list[int] = []

    def run(number: int) -> str | None:
        asked.append(number)
        if number == 2:
            raise KeyboardInterrupt
        return "failed"

    trials = Trials(run, str, tries=3, jobs=2)
    with pytest.raises(KeyboardInterrupt):
        trials.first([1, 2])
    assert trials.tried(1).same == 1
    assert sorted(asked) == [1, 2]


def test_each_run_is_told() -> None:
    told: list[int] = []
    runs = Runs(_1="..F")
    trials: Trials[int, str] = runs.trials(tries=3, told=lambda: told.append(len(runs.of)))
    trials.tried(1)
    assert told == [1, 2, 3]


def test_only_the_last_results_are_kept_and_others_are_had_by_running_again() -> None:
    runs = Runs(**{f"_{number}": "FF" for number in range(6)})
    trials = runs.trials(tries=1)
    assert [trials.tried(number).result for number in range(6)] == [f"{number} failed" for number in range(6)]
    assert [trials.tried(number) for number in (0, 1)] == [Tried(same=1, runs=1)] * 2
    assert trials.tried(2).result == "2 failed"
    assert runs.of == [0, 1, 2, 3, 4, 5]
    assert trials.result(1) == "1 failed"
    assert runs.of == [0, 1, 2, 3, 4, 5, 1]


def test_where_the_whole_always_fails_once_is_not_enough() -> None:
    runs = Runs(_1="FF", _2="F..F.")
    trials = runs.trials(tries=1)
    trials.twice = True
    assert trials.first([2, 1]) == 1
    assert runs.of == [2, 2, 1, 1]
    assert trials.tried(2) == Tried(same=0, runs=2)
