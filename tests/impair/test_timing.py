"""The timer goes off at its time and not before; haste is given back; one clock's time is told as another's."""

import os
import select
import sys
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from netlab.impair.timing import Haste, Timer, to_monotonic

MS = 1_000_000


@pytest.fixture
def timer() -> Iterator[Timer]:
    with closing(Timer()) as made:
        yield made


def goes_off(timer: Timer, within: float = 20.0) -> bool:
    return bool(select.select([timer], [], [], within)[0])


def test_it_goes_off_at_its_time_and_not_before(timer: Timer) -> None:
    at = time.monotonic_ns() + 5 * MS
    timer.set(at)
    assert goes_off(timer)
    assert time.monotonic_ns() >= at


@pytest.mark.parametrize("at", [-5, 0, 1])
def test_a_time_that_has_passed_is_now(timer: Timer, at: int) -> None:
    timer.set(at)
    assert goes_off(timer)


def test_it_can_be_called_off_and_put_off(timer: Timer) -> None:
    timer.set(1)
    assert goes_off(timer)
    timer.set(None)
    assert not goes_off(timer, 0)
    timer.set(1)
    timer.set(time.monotonic_ns() + 3600 * 1000 * MS)
    assert not goes_off(timer, 0)


def test_haste_leaves_all_as_it_was_found() -> None:
    before = sys.getswitchinterval(), os.sched_getscheduler(0)
    with Haste() as haste:
        assert (sys.getswitchinterval(), os.sched_getscheduler(0)) == before
        haste.set(True)
        assert sys.getswitchinterval() < before[0]
        haste.set(True)
    assert (sys.getswitchinterval(), os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK) == before


def test_of_two_in_haste_the_last_gives_it_back() -> None:
    before = sys.getswitchinterval()
    with Haste() as last:
        with Haste() as first:
            first.set(True)
            last.set(True)
        last.set(True)
        assert sys.getswitchinterval() < before
    assert sys.getswitchinterval() == before


def test_a_time_of_one_clock_is_one_of_the_other() -> None:
    before = time.monotonic_ns()
    there = time.time_ns() + to_monotonic()
    assert before - 50 * MS < there < time.monotonic_ns() + 50 * MS
