"""The fold from kernel events to transitions, on histories written by hand: no kernel."""

import dataclasses

from netlab.observe.minisocks import Connections, Event, KernelEvent
from netlab.timeline.observations import Address, SocketState

HERE, THERE, ANY = ("10.0.0.1", 40000), ("10.0.0.2", 80), ("0.0.0.0", 0)
SOCKET, MINISOCK, CHILD = 0x100, 0x200, 0x300
LATER = 1_000_000_000


def changed(time: int, old: str, new: str, *, sock: int = SOCKET, cpu: int = 0, remote: Address = THERE) -> KernelEvent:
    return KernelEvent(event=Event.TRANSITION, time=time, host="h", sock=sock, cpu=cpu, old=old, new=new, local=HERE, remote=remote)


def timer(event: Event, time: int, state: str, *, cpu: int = 0, remote: Address = THERE) -> KernelEvent:
    return KernelEvent(event=event, time=time, host="h", sock=MINISOCK, cpu=cpu, new=state, local=HERE, remote=remote)


def started(time: int, state: str, remote: Address = THERE) -> KernelEvent:
    return timer(Event.TIMER_STARTED, time, state, remote=remote)


def cancelled(time: int, state: str, cpu: int = 0) -> KernelEvent:
    return timer(Event.TIMER_CANCELLED, time, state, cpu=cpu)


def expired(time: int, state: str) -> KernelEvent:
    return timer(Event.TIMER_EXPIRED, time, state)


def seen(source: str, time: int, old: str, new: str, remote: Address = THERE, cause: str = "") -> SocketState:
    return SocketState(time=time, host="h", source=source, old=old, new=new, local=HERE, remote=remote, cause=cause)


def fold(*events: KernelEvent, now: int | None = None) -> list[SocketState]:
    connections = Connections()
    for event in events:
        connections.feed(event)
    return connections.take(now)


def test_an_orphan_goes_on_as_a_minisock_and_its_sockets_close_is_no_transition() -> None:
    assert fold(
        changed(1, "ESTABLISHED", "FIN_WAIT1"),
        changed(2, "FIN_WAIT1", "FIN_WAIT2"),
        started(3, "FIN_WAIT2"),
        changed(4, "FIN_WAIT2", "CLOSE"),
        KernelEvent(event=Event.DESTROYED, time=5, host="h", sock=SOCKET),
        started(6, "TIME_WAIT"),
        cancelled(7, "TIME_WAIT"),
        expired(8, "TIME_WAIT"),
        now=9,
    ) == [
        seen("tracepoint", 1, "ESTABLISHED", "FIN_WAIT1"),
        seen("tracepoint", 2, "FIN_WAIT1", "FIN_WAIT2"),
        seen("timer", 6, "FIN_WAIT2", "TIME_WAIT"),
        seen("timer", 7, "TIME_WAIT", "CLOSE", cause="timer"),
    ]


def test_a_request_that_its_timer_gave_up_was_ended_by_it() -> None:
    assert fold(started(1, "NEW_SYN_RECV"), cancelled(2, "NEW_SYN_RECV"), expired(3, "NEW_SYN_RECV")) == [
        seen("timer", 1, "LISTEN", "NEW_SYN_RECV"),
        seen("timer", 2, "NEW_SYN_RECV", "CLOSE", cause="timer"),
    ]


def test_the_thread_and_the_timer_that_made_a_transition_are_told() -> None:
    event = dataclasses.replace(changed(1, "SYN_SENT", "CLOSE"), tid=7, in_timer=True)
    assert [(state.tid, state.cause) for state in fold(event)] == [(7, "timer")]


def test_a_simultaneous_close_waits_too() -> None:
    assert fold(changed(1, "FIN_WAIT1", "CLOSING"), started(2, "TIME_WAIT"), changed(3, "CLOSING", "CLOSE"), now=LATER) == [
        seen("tracepoint", 1, "FIN_WAIT1", "CLOSING"),
        seen("timer", 2, "CLOSING", "TIME_WAIT"),
    ]


def test_a_close_without_a_minisock_is_a_transition() -> None:
    assert fold(changed(1, "LAST_ACK", "CLOSE")) == [seen("tracepoint", 1, "LAST_ACK", "CLOSE")]


def test_the_close_of_another_connection_is_kept() -> None:
    other = ("10.0.0.9", 9)
    assert fold(
        changed(1, "FIN_WAIT1", "FIN_WAIT2"),
        started(2, "FIN_WAIT2"),
        changed(3, "LAST_ACK", "CLOSE", sock=CHILD, remote=other),
        now=LATER,
    ) == [seen("tracepoint", 1, "FIN_WAIT1", "FIN_WAIT2"), seen("tracepoint", 3, "LAST_ACK", "CLOSE", other)]


def test_a_minisock_whose_socket_was_never_seen_comes_from_nowhere() -> None:
    assert fold(started(1, "TIME_WAIT")) == [seen("timer", 1, "", "TIME_WAIT")]


def test_a_minisock_older_than_the_observer_is_seen_to_end() -> None:
    assert fold(cancelled(1, "TIME_WAIT")) == [seen("timer", 1, "TIME_WAIT", "CLOSE")]


def test_a_cancelled_timer_is_held_until_it_cannot_start_again() -> None:
    connections = Connections()
    connections.feed(started(1, "TIME_WAIT"))
    connections.feed(cancelled(1000, "TIME_WAIT"))
    assert connections.take(2000) == [seen("timer", 1, "", "TIME_WAIT")]
    connections.feed(started(2500, "TIME_WAIT"))
    assert connections.take(LATER) == []
    connections.feed(cancelled(LATER, "TIME_WAIT"))
    assert connections.take(LATER + 1) == []
    assert connections.take(2 * LATER) == [seen("timer", LATER, "TIME_WAIT", "CLOSE")]


def test_a_request_becomes_a_child_socket() -> None:
    assert fold(
        started(1, "NEW_SYN_RECV"),
        changed(2, "LISTEN", "SYN_RECV", sock=CHILD, remote=ANY),
        cancelled(3, "NEW_SYN_RECV"),
        changed(4, "SYN_RECV", "ESTABLISHED", sock=CHILD),
        now=LATER,
    ) == [
        seen("timer", 1, "LISTEN", "NEW_SYN_RECV"),
        seen("tracepoint", 2, "LISTEN", "SYN_RECV"),
        seen("tracepoint", 4, "SYN_RECV", "ESTABLISHED"),
    ]


def test_a_request_that_is_dropped_while_another_cpu_makes_a_child_ends() -> None:
    assert fold(
        started(1, "NEW_SYN_RECV"),
        changed(2, "LISTEN", "SYN_RECV", sock=CHILD, cpu=1, remote=ANY),
        cancelled(3, "NEW_SYN_RECV", cpu=0),
        changed(4, "SYN_RECV", "ESTABLISHED", sock=CHILD, cpu=1, remote=("10.0.0.9", 9)),
        now=LATER,
    ) == [
        seen("timer", 1, "LISTEN", "NEW_SYN_RECV"),
        seen("tracepoint", 2, "LISTEN", "SYN_RECV", ("10.0.0.9", 9)),
        seen("timer", 3, "NEW_SYN_RECV", "CLOSE"),
        seen("tracepoint", 4, "SYN_RECV", "ESTABLISHED", ("10.0.0.9", 9)),
    ]


def test_a_request_whose_timer_runs_out_sends_again_and_goes_on() -> None:
    assert fold(
        started(1, "NEW_SYN_RECV"),
        cancelled(2, "NEW_SYN_RECV"),
        expired(3, "NEW_SYN_RECV"),
        started(4, "NEW_SYN_RECV"),
        now=LATER,
    ) == [seen("timer", 1, "LISTEN", "NEW_SYN_RECV")]


def test_a_request_in_reused_memory_is_another_one() -> None:
    assert fold(started(1, "NEW_SYN_RECV"), cancelled(2, "NEW_SYN_RECV"), started(3, "NEW_SYN_RECV"), now=4) == [
        seen("timer", 1, "LISTEN", "NEW_SYN_RECV"),
        seen("timer", 2, "NEW_SYN_RECV", "CLOSE"),
        seen("timer", 3, "LISTEN", "NEW_SYN_RECV"),
    ]


def test_a_child_that_never_got_its_addresses_is_told_at_the_end() -> None:
    birth = changed(1, "LISTEN", "SYN_RECV", sock=CHILD, remote=ANY)
    assert fold(birth, now=LATER) == []
    assert fold(birth) == [seen("tracepoint", 1, "LISTEN", "SYN_RECV", ANY)]
