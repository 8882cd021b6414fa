"""Several sources in one order of time."""

from netlab.timeline.observations import Named, Packet, StepBegan
from netlab.timeline.timeline import Timeline, merge


def packet(time: int, host: str) -> Packet:
    return Packet(time=time, host=host, interface="eth0", direction="in", data=b"", length=0)


def test_all_sources_are_in_the_order_of_time_and_one_instant_in_the_order_given() -> None:
    step = StepBegan(time=5, index=0, text="x")
    named = Named(time=1, process="p", name="n", fd=3)
    packets = [packet(9, "late"), packet(5, "same"), packet(2, "early")]
    assert merge([step], packets, [named]) == (named, packets[2], step, packets[1], packets[0])
    assert merge(packets, [step]) == (packets[2], packets[1], step, packets[0])
    assert merge() == merge([]) == ()


def test_a_source_that_was_not_there_is_unavailable() -> None:
    assert Timeline().source("packets").reason == "the source 'packets' was not part of this run"
