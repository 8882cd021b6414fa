"""When packets leave a link with quantities, reckoned without a clock: delay, jitter, rate and queue as netem has them."""

from itertools import pairwise
from math import sqrt
from typing import Any

import pytest
from networks import HERE

from netlab.impair.schedule import LIMIT, Line, Schedule
from netlab.topology.spec import Shape
from netlab.units import Duration, milliseconds

MS = 1_000_000
FRAME = 1000  # bytes: 8 ms at 1 Mbit/s


def line(*, delay: int = 0, jitter: int = 0, seed: int = 0, **quantities: Any) -> Line:
    shape = Shape(delay=Duration(delay), jitter=Duration(jitter), place=HERE, **quantities)
    return Line(shape, seed=seed, link="a:eth0-b:eth0", direction="a->b")


def test_a_delay_is_added_to_each_packet() -> None:
    delayed = line(delay=10 * MS)
    assert [delayed.departure(at, FRAME) for at in (0, 1, 5 * MS)] == [10 * MS, 10 * MS + 1, 15 * MS]


def test_without_jitter_packets_keep_their_order_though_clocks_do_not() -> None:
    delayed = line(delay=10 * MS)
    assert [delayed.departure(at, FRAME) for at in (500, 400, 600)] == [10 * MS + 500, 10 * MS + 500, 10 * MS + 600]


def test_extra_delay_is_of_one_packet_alone() -> None:
    delayed = line(delay=10 * MS)
    assert [delayed.departure(0, FRAME, extra=extra) for extra in (0, 300 * MS, 0)] == [10 * MS, 310 * MS, 10 * MS]


def test_a_packet_is_transmitted_after_those_before_it() -> None:
    slow = line(rate=1_000_000)
    # Two at once, one while the second is transmitted, one when all is quiet again.
    assert [slow.departure(at, FRAME) for at in (0, 0, 10 * MS, 100 * MS)] == [8 * MS, 16 * MS, 24 * MS, 108 * MS]


def test_a_packet_that_is_transmitted_has_had_its_delay_first() -> None:
    slow = line(rate=1_000_000, delay=20 * MS)
    assert [slow.departure(at, FRAME) for at in (0, 0, 50 * MS)] == [28 * MS, 36 * MS, 78 * MS]


def test_what_overtakes_is_not_delayed_and_waits_for_none() -> None:
    slow = line(rate=1_000_000, delay=20 * MS)
    assert [slow.departure(0, FRAME, overtakes=each) for each in (False, True, False)] == [28 * MS, 0, 36 * MS]


def test_a_packet_that_finds_the_queue_full_is_dropped_and_takes_no_time() -> None:
    slow = line(rate=1_000_000, limit=2)
    assert [slow.departure(0, FRAME) for _ in range(4)] == [8 * MS, 16 * MS, None, None]
    assert slow.dropped == 2
    assert [slow.departure(8 * MS, FRAME), slow.departure(8 * MS, FRAME)] == [24 * MS, None]


def test_packets_that_are_only_delayed_fill_the_queue_too() -> None:
    delayed = line(delay=10 * MS)
    assert delayed.limit == LIMIT == 1000
    assert [delayed.departure(n, FRAME) for n in range(1000)] == [10 * MS + n for n in range(1000)]
    assert delayed.departure(1000, FRAME) is None
    assert delayed.departure(10 * MS, FRAME) == 20 * MS


def delays(one: Line, count: int) -> list[int]:
    """Of so many packets, each of which comes when the one before has gone."""
    found = []
    for n in range(count):
        leaves = one.departure(n * 1000 * MS, FRAME)
        assert leaves is not None
        found.append(leaves - n * 1000 * MS)
    return found


def test_jitter_is_spread_evenly_around_the_delay() -> None:
    count, spread = 20_000, 4 * MS
    found = delays(line(delay=10 * MS, jitter=spread), count)
    assert 6 * MS <= min(found) < max(found) <= 14 * MS
    mean = sum(found) / count
    assert abs(mean - 10 * MS) < 4 * spread / sqrt(3 * count)
    # Kolmogorov's distance to the uniform distribution; one seed in a thousand would miss the bound.
    distance = max(abs(n / count - (one - 6 * MS) / (2 * spread)) for n, one in enumerate(sorted(found)))
    assert distance < 1.95 / sqrt(count)
    # Neighbours have nothing to do with each other.
    product = sum((a - mean) * (b - mean) for a, b in pairwise(found)) / sum((one - mean) ** 2 for one in found)
    assert abs(product) < 4 / sqrt(count)


def test_jitter_never_lets_a_packet_leave_before_it_came() -> None:
    found = delays(line(delay=1 * MS, jitter=2 * MS), 1000)
    assert min(found) == 0
    assert sum(one == 0 for one in found) > 150


def test_packets_overtake_each_other_where_jitter_is_longer_than_the_gaps() -> None:
    close, apart = line(delay=10 * MS, jitter=2 * MS), line(delay=10 * MS, jitter=2 * MS)
    leaves = [[one.departure(n * gap, FRAME) or 0 for n in range(100)] for one, gap in ((close, MS // 10), (apart, 4 * MS))]
    assert [times == sorted(times) for times in leaves] == [False, True]


@pytest.mark.parametrize(("own", "alike"), [(None, False), (7, True)])
def test_the_shapes_own_seed_decides_or_else_the_runs(own: int | None, alike: bool) -> None:
    shape = Shape(delay=milliseconds(10), jitter=milliseconds(2), seed=own, place=HERE)
    one, again, other = (delays(Line(shape, seed=seed, link="a:eth0-b:eth0", direction="a->b"), 50) for seed in (1, 1, 2))
    assert one == again
    assert (one == other) is alike


def test_each_direction_has_a_chance_of_its_own() -> None:
    shape = Shape(delay=milliseconds(10), jitter=milliseconds(2), seed=7, place=HERE)
    there, back = (delays(Line(shape, link="a:eth0-b:eth0", direction=direction), 50) for direction in ("a->b", "b->a"))
    assert there != back


def test_what_neither_delays_nor_queues_is_known() -> None:
    kinds: list[dict[str, Any]] = [{"loss": 0.1, "limit": 5}, {"delay": 1}, {"jitter": 1}, {"rate": 1}]
    assert [line(**each).at_once for each in kinds] == [True, False, False, False]


def test_things_are_due_in_the_order_of_their_times_and_then_of_their_coming() -> None:
    schedule: Schedule[str] = Schedule()
    assert (schedule.next, len(schedule), schedule.due(10)) == (None, 0, [])
    for at, what in ((30, "third"), (10, "first"), (20, "second"), (10, "first again"), (30, "third again")):
        schedule.put(at, what)
    assert (schedule.next, len(schedule)) == (10, 5)
    assert schedule.due(9) == []
    assert schedule.due(20) == ["first", "first again", "second"]
    assert (schedule.next, len(schedule)) == (30, 2)
    assert schedule.due(1000) == ["third", "third again"]
    assert schedule.next is None


def test_units_are_those_of_a_shape() -> None:
    shape = Shape(delay=milliseconds(2.5), jitter=milliseconds(0), rate=8_000, place=HERE)
    assert Line(shape).departure(0, 1) == 3_500_000
