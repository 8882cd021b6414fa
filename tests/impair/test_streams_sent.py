"""What has passed of a stream, against a count of every single byte."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netlab.impair import streams_sent
from netlab.impair.streams_sent import StreamSent

RANGES = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 30)), max_size=12)


@given(RANGES)
def test_how_often_each_byte_has_passed(ranges: list[tuple[int, int]]) -> None:
    stream, counts, high = StreamSent(), [0] * 100, 0
    for start, length in ranges:
        assert stream.send(start, start + length) is (start + length > high)
        high = max(high, start + length)
        for byte in range(start, start + length):
            counts[byte] += 1
        assert [stream.sent(byte) for byte in range(100)] == counts
    assert stream.high == high


@given(st.integers(0, 2**31), st.lists(st.integers(1, 2**20), max_size=200))
def test_offsets_go_on_where_sequence_numbers_wrap_round(first: int, lengths: list[int]) -> None:
    stream, at = StreamSent(), 0
    for length in [*[2**30] * 5, *lengths]:
        assert stream.offset((at + first) % 2**32, False) == at
        stream.send(at, at + length)
        at += length
    assert stream.offset((at + first - 10) % 2**32, False) == at - 10


def test_of_a_stream_with_a_hole_behind_each_segment_the_latest_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams_sent, "_MOST_HOLES", 10)
    stream = StreamSent()
    for start in range(0, 1000, 20):
        stream.send(start, start + 10)
    assert [stream.sent(byte) for byte in range(890, 1000, 10)] == [0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0]
    assert stream.sent(15) == 1, "it is taken to have passed"
    assert len(stream._holes) <= 10


def test_what_is_acknowledged_is_so_for_ever() -> None:
    stream = StreamSent()
    stream.acknowledge(77, False)
    assert stream.acked == 0, "of a stream whose first byte nobody knows"
    for number in (100, 50, 150):
        stream.send(stream.high, max(stream.high, number))
        stream.acknowledge(number, True)
    assert stream.acked == 150


@given(st.integers(0, 10_000), st.integers(10, 1500), st.sets(st.integers(0, 20_000), max_size=5))
def test_every_full_segment_has_one_point_and_a_shorter_one_at_most_one(start: int, unit: int, turns: set[int]) -> None:
    quiet = StreamSent()
    assert len(quiet.points(start, start + unit, unit)) == 1
    assert len(quiet.points(start, start + unit // 2, unit)) <= 1
    spoken = StreamSent()
    for turn in sorted(turns):
        spoken.turn(turn)
        assert turn in spoken.points(turn, turn + 1, unit)
        assert spoken.points(turn, turn + unit, unit) == [turn], "what speaks again is asked once"


@given(st.lists(st.integers(1, 3000), min_size=1, max_size=40), st.lists(st.integers(1, 3000), min_size=1, max_size=40))
def test_points_do_not_depend_on_the_cuts(one: list[int], other: list[int]) -> None:
    def points(cuts: list[int]) -> list[int]:
        stream, at, found = StreamSent(), 0, []
        stream.turn(0)
        for cut in cuts:
            found += stream.points(at, at + cut, 1448)
            at += cut
        return found

    whole = min(sum(one), sum(other))
    assert [p for p in points(one) if p < whole] == [p for p in points(other) if p < whole] == list(range(0, whole, 1448))
