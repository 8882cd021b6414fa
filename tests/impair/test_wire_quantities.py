"""Quantities in user space, in real labs: what netem would do, and a decision for each packet that chance changed."""

from collections import Counter

import pytest
from wired import THERE, numbered, numbers, quantities, wired

from netlab.impair.script import Script
from netlab.timeline.observations import Decision
from netlab.topology.spec import Shape

pytestmark = pytest.mark.netns

MS = 1_000_000
MANY = range(100)


def which(decisions: list[Decision], action: str) -> set[int]:
    """Which datagrams were decided about: their key says the how manyth they were."""
    return {int(one.key.rpartition("datagram ")[2]) - 1 for one in decisions if one.action == action}


def test_every_packet_is_delayed_by_no_less_and_none_overtakes() -> None:
    with wired(shape=quantities(delay=15)) as (lab, wire), numbered(lab) as sender:
        for number in MANY:
            sender.send(number)
        left, came = sender.departed(len(MANY)), sender.arrive(len(MANY))
        assert numbers(left) == numbers(came)
        assert all(there.stamp - here.stamp >= 15 * MS for here, there in zip(left, came, strict=True))
        assert [one.frame for one in left] == [one.frame for one in came]
        assert wire.drain() == []
        assert wire.report().lost == 0


def test_the_other_way_is_not_delayed() -> None:
    with wired(shape=quantities(delay=600)) as (lab, _), numbered(lab, "server", "client") as sender:
        sender.send(1)  # it leaves when the client has told its hardware address, 600 ms later
        ((left,), (came,)) = sender.departed(1), sender.arrive(1)
        assert 0 <= came.stamp - left.stamp < 600 * MS


def test_jitter_lets_packets_overtake_and_loses_none() -> None:
    with wired(shape=quantities(delay=50, jitter=50, seed=7)) as (lab, wire), numbered(lab) as sender:
        sender.send(*MANY)
        came = numbers(sender.arrive(len(MANY)))
        assert sorted(came) == [*MANY] != came
        assert wire.drain() == []


@pytest.mark.parametrize("seed", [1, 2])
def test_what_is_lost_is_decided_by_the_seed_and_told(seed: int) -> None:
    lost = []
    for _ in range(2):
        with wired(shape=quantities(loss=0.3), seed=seed) as (lab, wire), numbered(lab) as sender:
            sender.send(*MANY)
            came, decisions = sender.all(wire, len(MANY))
            lost.append(sorted(which(decisions, "drop")))
            # The order of passing is that of the keys; a sender that changes its processor may have sent in another.
            assert len(came) == len(MANY) - len(decisions)
            assert len(set(numbers(came))) == len(came)
            assert {(one.rule, one.action, one.direction, one.place) for one in decisions} == {
                ("loss 30%", "drop", THERE, "<test>:1:1")
            }
    assert lost[0] == lost[1]
    assert 10 < len(lost[0]) < 50


def test_different_seeds_lose_different_packets() -> None:
    found = []
    for seed in (1, 2):
        with wired(shape=quantities(loss=0.3), seed=seed) as (lab, wire), numbered(lab) as sender:
            sender.send(*MANY)
            found.append(which(sender.all(wire, len(MANY))[1], "drop"))
    assert found[0] != found[1]


def test_what_is_duplicated_comes_twice() -> None:
    with wired(shape=quantities(duplicate=0.3, seed=7)) as (lab, wire), numbered(lab) as sender:
        sender.send(*MANY)
        came, decisions = sender.all(wire, len(MANY))
        counts = Counter(numbers(came))
        assert set(counts) == set(MANY)
        assert sum(count == 2 for count in counts.values()) == len(decisions) > 10
        assert set(counts.values()) == {1, 2}


def test_what_is_corrupted_has_one_bit_inverted() -> None:
    with wired(shape=quantities(corrupt=0.3, seed=7)) as (lab, wire), numbered(lab) as sender:
        sender.send(*MANY)
        left, (came, decisions) = sender.departed(len(MANY)), sender.all(wire, len(MANY))
        sent = [int.from_bytes(one.frame, "big") for one in left]
        inverted = Counter(min((int.from_bytes(one.frame, "big") ^ each).bit_count() for each in sent) for one in came)
        assert inverted == {1: len(decisions), 0: len(MANY) - len(decisions)}
        assert len(decisions) > 10


def test_what_is_reordered_overtakes_what_is_delayed() -> None:
    with wired(shape=quantities(delay=500, reorder=0.3, seed=7)) as (lab, wire), numbered(lab) as sender:
        sender.send(0)
        sender.arrive(1)  # ... after it was delayed once, and the neighbour was asked for
        wire.drain()
        sender.send(*MANY)
        came = sender.arrive(len(MANY))
        decisions = wire.drain()
        left = {one.number: one.stamp for one in sender.departed(len(MANY) + 1)[1:]}
        early = {one.number for one in came if one.stamp - left[one.number] < 500 * MS}
        assert len(early) == len(decisions) > 10
        assert set(numbers(came[: len(early)])) == early
        assert {one.action for one in decisions} == {"reorder"}


def test_a_queue_that_is_full_drops_the_last_ones_and_says_so() -> None:
    with wired(shape=quantities(rate=400_000, limit=5)) as (lab, wire), numbered(lab) as sender:
        sender.send(0)
        sender.arrive(1)  # the neighbour is known from now on
        sender.send(*MANY)
        came, decisions = sender.all(wire, len(MANY))
        first = sender.departed(2)[1].stamp
        assert len(came) >= 3  # a report to a multicast group may take a place too
        assert {(one.action, one.rule, one.direction) for one in decisions} == {("overflow", "limit 5", THERE)}
        # 142 bytes with their Ethernet header: 2.84 ms each, one after the other.
        assert all(one.stamp - first >= count * 2.84 * MS for count, one in enumerate(came, 1))
        assert wire.report().lost == 0


def test_what_chance_did_is_done_again_whatever_the_seed() -> None:
    shape = quantities(delay=1, loss=0.1, duplicate=0.1, corrupt=0.1, reorder=0.1)

    def done(seed: int, script: Script | None = None) -> list[Decision]:
        with wired(shape=shape, seed=seed, script=script) as (lab, wire), numbered(lab) as sender:
            sender.send(*MANY)
            return sender.all(wire, len(MANY))[1]

    first = done(1)
    again = done(2, Script.of(first, ()))
    told = [sorted((one.key, one.action, one.rule, tuple(one.values.items())) for one in each) for each in (first, again)]
    assert told[0] == told[1]
    assert len({action for _, action, _, _ in told[0]}) == 4


@pytest.mark.parametrize("shape", [quantities(delay=5), quantities(rate=50_000_000), quantities(loss=0.02, seed=3)])
def test_offloads_change_nothing(shape: Shape) -> None:
    with wired(shape=shape, offloads=frozenset({"tx", "sg", "tso", "gso"})) as (lab, wire), numbered(lab) as sender:
        sender.send(*MANY)
        came, decisions = sender.all(wire, len(MANY))
        assert len(set(numbers(came))) == len(MANY) - len(decisions)
