"""star: all 200 hosts reach the first and the last, both families, without asking for a neighbour, and fast."""

import pytest
from topologies_help import BOTH, hop_counts, hosts, shipped

pytestmark = pytest.mark.netns


def test_every_host_reaches_the_first_and_the_last_without_asking_for_neighbours() -> None:
    with shipped("star") as lab:
        every = [f"h{number}" for number in range(1, 201)]
        assert hosts(lab) == every
        for family in BOTH:
            ends = {(one, end): 0 for one in every for end in ("h1", "h200") if one != end}
            assert hop_counts(lab, every, ["h1", "h200"], family) == ends
