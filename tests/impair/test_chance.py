"""Chance: as often as asked, the same for the same packets, and the same bytes of a stream however that is cut.

Seeds are fixed: a test here fails in every run or in none. Bounds are those that one seed in ten thousand would miss.
"""

import random
from collections.abc import Iterator
from itertools import pairwise
from math import sqrt

import pytest
from link_frames import BACK, THERE, datagram, numbered, opening, rule, rules, segment

from netlab.impair.rules import LinkRules

MSS = 1448
ODDS = 3.9
"""Standard deviations."""


def binomial(count: int, chance: float) -> tuple[float, float]:
    margin = ODDS * sqrt(count * chance * (1 - chance))
    return count * chance - margin, count * chance + margin


def opened(chance: float, *, seed: int = 1, port: int = 5000, first: int = 1000, pattern: str = "len 1448") -> LinkRules:
    decider = rules((THERE, (rule(pattern, chance=chance),)), seed=seed)
    for one, direction in opening(port, first, mss=MSS):
        decider.ruling(one, direction)
    return decider


def cuts(seed: int, size: int) -> Iterator[tuple[int, int]]:
    """A stream of so many bytes cut as TCP might: mostly full segments, others where a write ended."""
    generator, at = random.Random(seed), 0
    while at < size:
        length = min(MSS if generator.random() < 0.9 else generator.randrange(1, MSS), size - at)
        yield at, length
        at += length


def lost(decider: LinkRules, segments: Iterator[tuple[int, int]], port: int = 5000, first: int = 1000) -> list[str]:
    """The keys of what is lost of a stream, each segment of which is sent again until it is not."""
    keys, full = [], segment("A", 0, 0, bytes(MSS), port=port)
    for at, length in segments:
        one = full if length == MSS else segment("A", 0, 0, bytes(length), port=port)
        one = numbered(one, first + 1 + at, 70001)
        while (ruling := decider.ruling(one, 0)) is not None:
            keys.append(ruling.key)
    return keys


def test_the_same_bytes_are_lost_however_the_stream_is_cut() -> None:
    size = 1_500_000
    runs = [
        lost(opened(0.02, port=port, first=first, pattern="tcp"), cuts(seed, size), port, first)
        for seed, (port, first) in enumerate([(5000, 1000), (40001, 2**32 - 700_000), (60_000, 2**31 - 5)])
    ]
    firsts = [[key for key in keys if key.endswith(" 1")] for keys in runs]
    assert firsts[0] == firsts[1] == firsts[2]
    low, high = binomial(-(-size // MSS), 0.02)
    assert low < len(firsts[0]) < high
    assert len(firsts[0]) > 5
    assert {key.rpartition(" data ")[0] for key in firsts[0]} == {"client>server:80 #1"}


def test_with_full_segments_what_is_lost_is_the_same_sent_again_too_and_as_often_as_asked() -> None:
    segments = [(number * MSS, MSS) for number in range(3000)]
    for offset in (0, 1, 700, 1447):  # a short segment ahead moves every boundary
        begun = [(0, offset)] if offset else []
        moved = [(at + offset, length) for at, length in segments]
        keys = lost(opened(0.05, pattern="tcp"), iter([*begun, *moved]))
        low, high = binomial(3000, 0.05)
        assert low < len(keys) < high, offset


def test_another_seed_loses_others() -> None:
    runs = {tuple(lost(opened(0.05, seed=seed, pattern="tcp"), cuts(1, 300_000))) for seed in range(5)}
    assert len(runs) == 5


def test_the_rules_own_seed_goes_before_the_runs() -> None:
    def numbers(run: int) -> list[int]:
        decider, one = rules((THERE, (rule("udp", chance=0.3, seed=7),)), seed=run), datagram()
        return [number for number in range(100) if decider.ruling(one, 0) is not None]

    assert numbers(1) == numbers(2) != []


@pytest.mark.parametrize("chance", [0.001, 0.01, 0.5, 0.9])
def test_datagrams_are_lost_as_often_as_asked_and_apart_from_one_another(chance: float) -> None:
    decider, one = rules((THERE, (rule("udp", chance=chance),))), datagram()
    hit = [decider.ruling(one, 0) is not None for _ in range(10_000)]
    low, high = binomial(len(hit), chance)
    assert low < sum(hit) < high
    both = sum(one and following for one, following in pairwise(hit))
    low, high = binomial(len(hit) - 1, chance**2)
    assert low <= both <= high


def test_a_request_and_its_answer_are_lost_as_often_as_asked_however_small() -> None:
    decider = rules((THERE, (rule("tcp len 20", chance=0.1),)))
    for one, direction in opening():
        decider.ruling(one, direction)
    hit, request, answer = 0, segment("PA", data=bytes(20)), segment("PA", data=bytes(30), back=True)
    for number in range(3000):
        hit += decider.ruling(numbered(request, 1001 + 20 * number, 70001 + 30 * number), 0) is not None
        decider.ruling(numbered(answer, 70001 + 30 * number, 1021 + 20 * number), 1)
    low, high = binomial(3000, 0.1)
    assert low < hit < high


def crossing(seed: int, size: int, chance: float) -> tuple[list[str], list[str]]:
    """What is lost of two streams at once, one each way, that meet as chance has it, most often with some of each on the way."""
    generator = random.Random(seed)
    both = (rule("tcp", chance=chance),)
    decider = rules((THERE, both), (BACK, both), seed=1)
    for one, direction in opening(mss=MSS):
        decider.ruling(one, direction)
    firsts = 1001, 70001
    whole = [segment("A", 0, 0, bytes(MSS), back=back) for back in (False, True)]
    sent, known, lost = [0, 0], [0, 0], ([], [])  # type: tuple[list[int], list[int], tuple[list[str], list[str]]]
    while min(sent) < size:
        direction = generator.randrange(2)
        if sent[direction] >= size:
            direction = 1 - direction
        # Each side has got all but the last few segments of the other's, or now and then all.
        known[direction] = max(known[direction], sent[1 - direction] - MSS * generator.randrange(8))
        number, ack = firsts[direction] + sent[direction], firsts[1 - direction] + known[direction]
        ruling = decider.ruling(numbered(whole[direction], number, ack), direction)
        if ruling is not None:
            lost[direction].append(ruling.key)
        sent[direction] += MSS
    return lost


def test_streams_that_cross_lose_the_same_bytes_however_they_meet() -> None:
    runs = [crossing(seed, 1_000_000, 0.05) for seed in range(3)]
    assert runs[0] == runs[1] == runs[2]
    low, high = binomial(-(-1_000_000 // MSS), 0.05)
    assert all(low < len(lost) < high for lost in runs[0])


def test_a_side_that_speaks_out_of_turn_is_asked_by_the_grid_until_both_alternate_again() -> None:
    decider = rules((THERE, (rule("tcp len 20", chance=0.999999),)))
    for one, direction in opening():
        decider.ruling(one, direction)
    request, answer, hit = segment("PA", data=bytes(20)), segment("PA", data=bytes(30), back=True), []
    for number in range(12):
        crossed = number == 3
        hit.append(decider.ruling(numbered(request, 1001 + 20 * number, 70001 + 30 * (number - crossed)), 0) is not None)
        decider.ruling(numbered(answer, 70001 + 30 * number, 1021 + 20 * number), 1)
    assert hit == [True] * 3 + [False] * 3 + [True] * 6


def test_what_carries_no_data_is_lost_by_its_name() -> None:
    decider = rules((THERE, (rule("tcp len 0", chance=0.25),)))
    one = segment("S", 7)
    hit = sum(decider.ruling(one[:34] + port.to_bytes(2, "big") + one[36:], 0) is not None for port in range(1024, 4024))
    low, high = binomial(3000, 0.25)
    assert low < hit < high


def test_packets_that_pass_between_do_not_matter() -> None:
    one, others = datagram(port=5000, server=54), [datagram(port=port) for port in (6000, 6001, 6002)]

    def lost_of(noise: int) -> list[str]:
        decider = rules((THERE, (rule("udp", chance=0.2),)))
        found = []
        for _ in range(300):
            for other in others[:noise]:
                decider.ruling(other, 0)
            ruling = decider.ruling(one, 0)
            found += [] if ruling is None else [ruling.key]
        return found

    assert lost_of(0) == lost_of(3) != []
