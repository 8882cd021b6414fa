"""ring: packets take the shortest way round, and what happens is what was computed."""

import pytest
from topologies_help import BOTH, computed, hop_counts, hosts, route, shipped

pytestmark = pytest.mark.netns


def clockwise(source: int, steps: int) -> list[str]:
    return [f"r{(source - 1 + step) % 6 + 1}" for step in range(steps + 1)]


def counterclockwise(source: int, steps: int) -> list[str]:
    return [f"r{(source - 1 - step) % 6 + 1}" for step in range(steps + 1)]


@pytest.mark.parametrize("family", BOTH)
def test_every_pair_is_as_far_apart_as_the_shorter_way_round(family: int) -> None:
    with shipped("ring") as lab:
        found = hop_counts(lab, hosts(lab), hosts(lab), family)
    apart = {(f"h{a}", f"h{b}"): 1 + min((a - b) % 6, (b - a) % 6) for a in range(1, 7) for b in range(1, 7) if a != b}
    assert found == apart


@pytest.mark.parametrize("family", BOTH)
def test_the_next_two_are_reached_clockwise_and_the_last_two_the_other_way(family: int) -> None:
    with shipped("ring") as lab:
        for source in (1, 5):
            for steps in (1, 2):
                there, back = (f"h{(source - 1 + turn) % 6 + 1}" for turn in (steps, -steps))
                assert route(lab, f"h{source}", there, family) == [*clockwise(source, steps), there]
                assert route(lab, f"h{source}", back, family) == [*counterclockwise(source, steps), back]


@pytest.mark.parametrize("family", BOTH)
def test_what_happens_is_what_was_computed(family: int) -> None:
    with shipped("ring") as lab:
        for source in range(1, 7):
            target = f"h{(source + 2) % 6 + 1}"  # on the other side: both ways are equally long
            taken = route(lab, f"h{source}", target, family)
            assert taken == computed(lab, f"h{source}", target, family)
            assert taken[:-1] in (clockwise(source, 3), counterclockwise(source, 3))
