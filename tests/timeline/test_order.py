"""Order by time with the sources' uncertainty, by cause where that settles it, and "unknown" where nothing does."""

from typing import Any

from hand_written import segment, sent

from netlab.timeline.observations import CallReturned, CallStarted, Packet, SocketState, SourceReport, SystemCall
from netlab.timeline.order import order, source_of
from netlab.timeline.timeline import Timeline

SOURCES = (
    SourceReport(name="packets", available=True, uncertainty=200),
    SourceReport(name="states", available=True, uncertainty=300),
    SourceReport(name="calls", available=True, uncertainty=5000),
)
FRAME = segment("client", "server", "A", 1, 1)


def packet(time: int, host: str = "client", direction: str = "out") -> Packet:
    return sent(time, host, FRAME, direction)


def state(time: int, **more: Any) -> SocketState:
    given: dict[str, Any] = {"source": "tracepoint", "old": "ESTABLISHED", "new": "CLOSE_WAIT", **more}
    return SocketState(time=time, host="client", local=("10.0.0.1", 1), remote=("10.0.0.2", 2), **given)


def both(one: Any, other: Any) -> tuple[str, str]:
    timeline = Timeline(observations=(one, other), sources=SOURCES)
    return order(timeline, 0, 1), order(timeline, 1, 0)


def test_of_one_source_the_stamps_decide() -> None:
    assert both(packet(1000), packet(1001)) == ("before", "after")
    assert both(packet(1001), packet(1000)) == ("after", "before")
    assert both(state(1000), state(1001)) == ("before", "after")
    assert both(packet(1000), packet(1000)) == ("unknown", "unknown")


def test_of_two_sources_only_what_is_further_apart_than_both_may_be_wrong() -> None:
    assert both(packet(1000), state(1501)) == ("before", "after")
    assert both(packet(1000), state(1500)) == ("unknown", "unknown")
    assert both(state(1000), packet(1500)) == ("unknown", "unknown")


def test_a_call_returns_after_its_entry_whatever_the_stamps_say() -> None:
    call: dict[str, Any] = {"host": "client", "process": "client", "id": 1, "call": "close"}
    entry, back = CallStarted(time=1000, text="close(c)", step=0, **call), CallReturned(time=1000, result=0, **call)
    assert both(entry, back) == ("before", "after")
    assert both(back, entry) == ("after", "before")
    # What netlab did itself it did in the order in which it wrote it down.
    other = CallReturned(time=1000, result=0, **{**call, "id": 2})
    assert both(entry, other) == ("before", "after")


def test_an_effect_comes_after_its_cause() -> None:
    assert both(packet(1000, direction="in"), state(1100)) == ("unknown", "unknown")
    assert both(packet(1000, direction="in"), state(1100, cause="segment", caused_by=0)) == ("before", "after")


def test_a_state_that_a_thread_changed_inside_a_call_comes_before_its_end() -> None:
    call: dict[str, Any] = {"host": "client", "pid": 5, "tid": 5, "program": "curl", "call": "close", "source": "bpf"}
    made: dict[str, Any] = {"cause": "call", "caused_by": 1, "tid": 5}
    assert both(state(1000, **made), SystemCall(began=900, time=1100, **call)) == ("before", "after")
    # Not by this call: the cause's index alone does not order them.
    assert both(state(1000, **made), SystemCall(began=1050, time=1100, **call)) == ("unknown", "unknown")


def test_a_frame_arrives_after_it_was_sent() -> None:
    assert both(packet(1000, "server", "in"), packet(1000)) == ("after", "before")


def test_which_source_says_what() -> None:
    assert [source_of(one) for one in (packet(1), state(1), state(1, source="sock_diag"))] == ["packets", "states", "lockstep"]
