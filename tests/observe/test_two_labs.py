"""Two labs with the same addresses and ports at once, each observed: each timeline has its own lab's events, and no other."""

from contextlib import ExitStack

import msgspec
import pytest

from ci.five_hundred import SEEN, Observed, strangers
from netlab.observe.tier import Tier
from netlab.timeline.observations import Packet, SocketState

pytestmark = pytest.mark.bpf


@pytest.fixture
def two(tier: Tier) -> tuple[Observed, Observed]:
    """Two labs that have been observed, all steps taken in turn, so that each connection exists while the other does."""
    with ExitStack() as stack:
        one, other = stack.enter_context(Observed()), stack.enter_context(Observed())
        for step in (Observed.open, Observed.talk, Observed.close):
            step(one)
            step(other)
    return one, other


def test_no_event_is_in_the_wrong_one(two: tuple[Observed, Observed]) -> None:
    one, other = two
    assert strangers(one.timeline, one) == []
    assert strangers(other.timeline, other) == []
    ends = [{(seen.local, seen.remote) for seen in lab.timeline.observations if isinstance(seen, SocketState)} for lab in two]
    assert ends[0] == ends[1], "the addresses and ports must not tell them apart"


def test_an_event_in_the_wrong_one_would_be_found(two: tuple[Observed, Observed]) -> None:
    one, other = two
    for kind in (SocketState, Packet):
        for foreign in other.timeline.observations:
            if not isinstance(foreign, kind) or (isinstance(foreign, Packet) and other.mark not in foreign.data):
                continue
            mixed = sorted((*one.timeline.observations, foreign), key=lambda seen: seen.time)
            assert strangers(msgspec.structs.replace(one.timeline, observations=tuple(mixed)), one), foreign
    missing = [seen for seen in one.timeline.observations if not isinstance(seen, SocketState) or seen.new != "LISTEN"]
    assert strangers(msgspec.structs.replace(one.timeline, observations=tuple(missing)), one)
    assert len(SEEN) == 13
