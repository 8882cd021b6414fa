"""Delta debugging finds the least part with which a test fails, in few tests, whatever the items are."""

from collections.abc import Callable, Sequence

from hypothesis import given
from hypothesis import strategies as st

from netlab.shrink.ddmin import ddmin, singly


class Counting:
    """A test of parts by a predicate, which counts how often it is asked."""

    def __init__(self, fails: Callable[[frozenset[int]], bool]) -> None:
        self.fails, self.asked = fails, 0

    def __call__(self, parts: Sequence[tuple[int, ...]]) -> tuple[int, ...] | None:
        for part in parts:
            self.asked += 1
            if self.fails(frozenset(part)):
                return part
        return None


@st.composite
def needed(draw: st.DrawFn) -> tuple[int, frozenset[int]]:
    size = draw(st.integers(1, 40))
    return size, draw(st.frozensets(st.integers(0, size - 1), max_size=5))


@given(needed())
def test_what_is_needed_together_is_found_and_nothing_else(case: tuple[int, frozenset[int]]) -> None:
    size, wanted = case
    first = Counting(wanted.issubset)
    assert ddmin(range(size), first) == tuple(sorted(wanted))
    assert first.asked <= 1 + size**2 + 3 * size


@given(st.integers(1, 30), st.lists(st.frozensets(st.integers(0, 29), min_size=1, max_size=4), min_size=1, max_size=4))
def test_what_it_gives_is_1_minimal_where_failures_have_several_causes(size: int, causes: list[frozenset[int]]) -> None:
    possible = [frozenset(item % size for item in cause) for cause in causes]

    def fails(part: frozenset[int]) -> bool:
        return any(cause <= part for cause in possible)

    found = ddmin(range(size), Counting(fails))
    assert fails(frozenset(found))
    assert not any(fails(frozenset(found) - {item}) for item in found)


@given(st.integers(1, 30), st.integers(0, 2**30 - 1))
def test_a_test_that_is_not_monotonic_ends_too_with_a_part_that_fails(size: int, salt: int) -> None:
    def fails(part: frozenset[int]) -> bool:
        return len(part) == size or hash((salt, tuple(sorted(part)))) % 3 == 0

    found = ddmin(range(size), Counting(fails))
    assert fails(frozenset(found))
    assert found == tuple(sorted(set(found)))


def test_one_item_of_a_thousand_takes_few_tests() -> None:
    first = Counting(frozenset({617}).issubset)
    assert ddmin(range(1000), first) == (617,)
    assert first.asked < 60


def test_a_failure_that_needs_nothing_takes_one_test() -> None:
    first = Counting(lambda part: True)
    assert ddmin(range(100), first) == ()
    assert first.asked == 1


def test_of_nothing_there_is_nothing_to_try() -> None:
    first = Counting(lambda part: False)
    assert ddmin((), first) == ()
    assert first.asked == 0


def test_what_the_test_leaves_out_of_a_part_stays_out() -> None:
    """A part may not be possible without more being left out: what was tried then is what goes on."""

    def first(parts: Sequence[tuple[int, ...]]) -> tuple[int, ...] | None:
        for part in parts:
            coherent = tuple(item for item in part if item % 2 == 0 or item - 1 in part)
            if 4 in coherent:
                return coherent
        return None

    assert ddmin(range(10), first) == (4,)


@given(needed())
def test_one_by_one_what_is_not_needed_goes(case: tuple[int, frozenset[int]]) -> None:
    size, wanted = case
    assert singly(range(size), Counting(wanted.issubset)) == tuple(sorted(wanted))


def test_what_is_minimal_takes_one_test_an_item() -> None:
    first = Counting(lambda part: len(part) == 5)
    assert singly(range(5), first) == (0, 1, 2, 3, 4)
    assert first.asked == 5
