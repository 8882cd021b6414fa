"""Random loss of a stream is of its bytes: one seed loses the same ones, however the stream is cut, and another seed others."""

import pytest

from ci.same_bytes import SEED, transferred

pytestmark = pytest.mark.netns


def test_the_same_bytes_are_lost_by_the_same_seed_and_others_by_another() -> None:
    one, same, other = transferred(2), transferred(2), transferred(2, SEED + 1)
    for run in (one, same, other):
        assert (run.whole, run.lost_by_wire) == (True, 0)
        assert run.first
    assert same.first == one.first
    assert other.first != one.first
