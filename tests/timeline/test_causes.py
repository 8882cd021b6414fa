"""What made each transition happen: decisive evidence names it, anything less leaves it open."""

from typing import Any

import pytest
from hand_written import MS, NODES, frame, segment, sent

from netlab.timeline.causes import with_causes
from netlab.timeline.observations import (
    AnyObservation,
    CallReturned,
    CallStarted,
    Named,
    Packet,
    ProcessExited,
    SocketState,
    SystemCall,
)

US = 1000
C, S = ("10.0.0.1", 40000), ("10.0.0.2", 80)
NOBODY = ("0.0.0.0", 0)


def state(time: int, change: str, inode: int = 7, **more: Any) -> SocketState:
    """A transition of the client's socket, unless ``host`` says otherwise."""
    old, new = change.split(">")
    given = {"host": "client", "source": "tracepoint", **more}
    local, remote = (S, C) if given["host"] == "server" else (C, S)
    return SocketState(time=time, old=old, new=new, inode=inode, **{"local": local, "remote": remote, **given})


def came(time: int, flags: str, seq: int = 1, ack: int = 1, data: bytes = b"") -> Packet:
    return sent(time, "client", segment("server", "client", flags, seq, ack, data, ports=(80, 40000)), "in")


def went(time: int, flags: str, seq: int = 1, ack: int = 1) -> Packet:
    return sent(time, "client", segment("client", "server", flags, seq, ack))


def agent(time: int, text: str, until: int, process: str = "client") -> list[AnyObservation]:
    name, host = text.split("(")[0], process.split("/")[0]
    call = {"host": host, "id": time, "process": process, "call": name}
    return [
        CallStarted(time=time - 1, text=text, step=0, **call),  # type: ignore[arg-type]
        CallReturned(time=until, result=0, began=time, **call),  # type: ignore[arg-type]
    ]


def system_call(call: str, began: int, ended: int, **more: Any) -> SystemCall:
    given = {"host": "client", "pid": 31, "tid": 31, "program": "curl", "source": "bpf", "fd": 3, "inode": 7, **more}
    return SystemCall(call=call, began=began, time=ended, **given)


NAMED = Named(time=1, host="client", process="client", name="c", fd=3, inode=7)


def causes(*observations: Any) -> list[str]:
    """The cause of each transition, and what it was in short: "call close", "segment F.", "icmp", "timer", ""."""
    whole: list[AnyObservation] = [seen for one in observations for seen in (one if isinstance(one, list) else [one])]
    whole.sort(key=lambda seen: seen.time)
    told = []
    for seen in (given := with_causes(whole, NODES)):
        if isinstance(seen, SocketState):
            by = given[seen.caused_by] if seen.caused_by >= 0 else None
            what = by.call if isinstance(by, CallStarted | SystemCall) else str(whole.index(by)) if isinstance(by, Packet) else ""
            told.append(f"{seen.cause} {what}".strip())
    assert [type(seen) for seen in given] == [type(seen) for seen in whole]
    return told


def test_a_handshake_in_one_blocking_connect() -> None:
    assert causes(
        NAMED,
        agent(MS, "connect(c, server:80)", 2 * MS),
        state(MS + 30 * US, "CLOSE>SYN_SENT", local=("10.0.0.1", 0)),
        went(MS + 40 * US, "S", 0),
        # One more packet of another connection, which has nothing to do with it.
        sent(MS + 45 * US, "client", segment("server", "client", "R", 1, ports=(80, 40001)), "in"),
        came(MS + 50 * US, "SA", 0),
        state(MS + 60 * US, "SYN_SENT>ESTABLISHED"),
    ) == ["call connect", "segment 5"]


def test_one_segment_makes_several_transitions_without_another_between() -> None:
    # The peer's FIN acknowledges ours too; the ACK that it is answered with goes out in between.
    assert causes(
        came(MS, "FA"),
        state(MS + 12 * US, "FIN_WAIT1>FIN_WAIT2", 0),
        went(MS + 14 * US, "A"),
        state(MS + 18 * US, "FIN_WAIT2>TIME_WAIT", 0, source="timer"),
    ) == ["segment 0", "segment 0"]


def test_a_call_after_everything_that_came_had_been_dealt_with() -> None:
    closing = [NAMED, agent(10 * MS, "close(c)", 11 * MS), state(10 * MS + 9 * US, "ESTABLISHED>FIN_WAIT1")]
    assert causes(came(9 * MS, "A"), *closing) == ["call close"]
    # 40 us before the call: a bare ACK might be in process still, ...
    assert causes(came(10 * MS - 40 * US, "A"), *closing) == [""]
    # ... data that was acknowledged is not, nor is what has made a transition before.
    assert causes(came(10 * MS - 40 * US, "PA", 1, 1, b"hello"), went(10 * MS - 20 * US, "A", 1, 6), *closing) == ["call close"]
    before = [came(10 * MS - 40 * US, "FA"), state(10 * MS - 30 * US, "ESTABLISHED>CLOSE_WAIT")]
    assert causes(*before, NAMED, agent(10 * MS, "close(c)", 11 * MS), state(10 * MS + 9 * US, "CLOSE_WAIT>LAST_ACK")) == [
        "segment 1", "call close",
    ]  # fmt: skip


def test_a_segment_during_a_call_leaves_it_open_unless_the_thread_tells() -> None:
    closing = [NAMED, agent(MS, "close(c)", 2 * MS), came(MS + 5 * US, "R"), state(MS + 15 * US, "ESTABLISHED>CLOSE", tid=31)]
    assert causes(*closing) == [""]
    # Another thread than the one inside close() ran: then it was not the call.
    assert causes(*closing, system_call("close", MS + 2 * US, MS + 30 * US, tid=32)) == ["segment 2"]
    # Its own, and nothing that it sent can have come back to it within the call.
    assert causes(*closing, system_call("close", MS + 2 * US, MS + 30 * US)) == ["call close"]
    assert causes(*closing, went(MS + 3 * US, "A"), system_call("close", MS + 2 * US, MS + 30 * US)) == [""]


def test_what_came_too_late_to_have_been_processed_is_no_cause() -> None:
    assert causes(came(MS, "R"), state(MS + 200, "FIN_WAIT2>CLOSE", 0)) == [""]
    # 20 ms later a timer may have run out unseen; where timers are seen, it was a busy machine.
    late = [came(MS, "R"), state(21 * MS, "FIN_WAIT2>CLOSE", 0)]
    assert causes(*late) == [""]
    another = {"local": ("10.0.0.9", 1), "source": "timer", "cause": "timer"}
    assert causes(*late, state(30 * MS, "TIME_WAIT>CLOSE", 0, **another)) == ["segment 0", "timer"]
    assert causes(came(MS, "R"), state(90 * MS, "FIN_WAIT2>CLOSE", 0), state(99 * MS, "TIME_WAIT>CLOSE", 0, **another))[0] == ""


def test_calls_that_change_no_state_and_calls_on_other_sockets_are_no_cause() -> None:
    other = Named(time=2, host="client", process="client", name="d", fd=4, inode=8)
    assert causes(NAMED, other, agent(MS, "recv(c, buf(1))", 3 * MS), agent(MS, "close(d)", 3 * MS),
                  state(2 * MS, "ESTABLISHED>CLOSE")) == [""]  # fmt: skip


def test_a_segment_is_no_cause_where_a_call_may_have_gone_unseen() -> None:
    # Somebody has a descriptor of it (the inode shows), and nobody watched that process's calls.
    assert causes(came(MS, "A"), state(MS + 10 * US, "ESTABLISHED>FIN_WAIT1")) == [""]
    # The host's calls are watched, and none was on this socket.
    assert causes(came(MS, "FA"), state(MS + 10 * US, "ESTABLISHED>CLOSE_WAIT"), system_call("read", 1, 2, inode=9)) == [
        "segment 1"
    ]


def test_a_holders_thread_that_is_in_no_call_that_was_seen_may_be_in_one_that_was_not() -> None:
    # It made the socket in the node's namespace, and uses it from another one, where nobody watches.
    made = system_call("socket", MS, MS + 5 * US, fd=-1, inode=0, made=7, result=3)
    came_in = came(2 * MS, "A")
    assert causes(made, came_in, state(2 * MS + 200 * US, "ESTABLISHED>FIN_WAIT1", tid=31)) == [""]
    # Another thread, as the sender's is when it delivers.
    assert causes(made, came_in, state(2 * MS + 200 * US, "ESTABLISHED>CLOSE_WAIT", tid=99)) == ["segment 1"]
    # Its own, inside a call that was seen and changes no state: what it sent was answered at once.
    sending = system_call("sendto", 2 * MS - 50 * US, 2 * MS + 300 * US)
    assert causes(made, sending, came_in, state(2 * MS + 200 * US, "ESTABLISHED>CLOSE_WAIT", tid=31)) == ["segment 1"]


def test_a_timer_is_told_by_who_sees_timers_and_by_nobody_else() -> None:
    seen = state(MS, "TIME_WAIT>CLOSE", 0, source="timer", cause="timer")
    assert causes(seen) == ["timer"]
    assert causes(state(MS, "ESTABLISHED>CLOSE", 0)) == [""]
    # Also when a segment came just before.
    assert causes(came(MS - 10 * US, "A"), seen) == ["timer"]


def test_a_connect_that_fails_by_itself_makes_both_transitions() -> None:
    failing = [NAMED, agent(MS, "connect(c, server:80)", 2 * MS), state(MS + 5 * US, "CLOSE>SYN_SENT", local=("10.0.0.1", 0))]
    assert causes(*failing, state(MS + 9 * US, "SYN_SENT>CLOSE")) == ["call connect", "call connect"]
    # Long after its SYN, inside the same call: nothing shows what it was.
    late = [NAMED, agent(MS, "connect(c, server:80)", 9000 * MS), state(MS + 5 * US, "CLOSE>SYN_SENT", local=("10.0.0.1", 0))]
    assert causes(*late, state(8000 * MS, "SYN_SENT>CLOSE")) == ["call connect", ""]


def test_an_error_message_about_the_connection() -> None:
    from scapy.layers.inet import ICMP, IP, TCP

    about = IP(src="10.0.0.1", dst="10.0.0.2") / TCP(sport=40000, dport=80, flags="S", seq=5)
    message = frame(IP(src="10.0.0.254", dst="10.0.0.1") / ICMP(type=3, code=1) / about)
    connecting = [NAMED, agent(MS, "connect(c, server:80)", 3 * MS), state(MS + 5 * US, "CLOSE>SYN_SENT", local=("10.0.0.1", 0))]
    assert causes(*connecting, sent(2 * MS, "client", message, "in"), state(2 * MS + 9 * US, "SYN_SENT>CLOSE")) == [
        "call connect", "icmp 3",
    ]  # fmt: skip


def test_the_end_of_a_listener_ends_its_children_that_nobody_accepted() -> None:
    listener = Named(time=1, host="server", process="server", name="s", fd=3, inode=5)
    child: dict[str, Any] = {"host": "server", "inode": 0}
    closing = [
        listener,
        state(2, "CLOSE>LISTEN", 5, host="server", local=("0.0.0.0", 80), remote=NOBODY),
        state(MS, "LISTEN>SYN_RECV", **child),
        agent(5 * MS, "close(s)", 6 * MS, "server"),
        state(5 * MS + 9 * US, "LISTEN>CLOSE", 5, host="server", local=("0.0.0.0", 80), remote=NOBODY),
        state(5 * MS + 20 * US, "ESTABLISHED>CLOSE", **child),
    ]
    assert causes(*closing)[-2:] == ["call close", "call close"]
    accepted = Named(time=2 * MS, host="server", process="server", name="a", fd=4, inode=6)
    assert causes(accepted, *closing[:-1], state(5 * MS + 20 * US, "ESTABLISHED>CLOSE", 6, host="server"))[-1] == ""


def test_a_process_that_ends_closes_what_it_has() -> None:
    told = [system_call("connect", 1, 2), state(MS, "ESTABLISHED>FIN_WAIT1", tid=31)]
    ended = ProcessExited(time=MS - 20 * US, host="client", pid=31, program="curl", status=-9)
    assert causes(*told, ended) == ["exit"]
    # It called exit(): that is the call which did it.
    assert causes(*told, ended, system_call("exit_group", MS - 30 * US, MS, fd=-1, inode=0, returned=False)) == ["call exit_group"]
    # Another process ended.
    assert causes(*told, ProcessExited(time=MS, host="client", pid=32, program="curl", status=0)) == [""]


def test_a_socket_in_flight_ends_with_the_one_that_it_is_in_where_the_thread_shows_it() -> None:
    unix = system_call("close", MS, MS + 50 * US, inode=12)
    assert causes(unix, state(MS + 20 * US, "ESTABLISHED>FIN_WAIT1", tid=31)) == ["call close"]
    assert causes(unix, state(MS + 20 * US, "ESTABLISHED>FIN_WAIT1")) == [""]


def test_an_agents_call_and_the_system_call_in_it_are_one() -> None:
    inside = system_call("shutdown", MS + 2 * US, MS + 40 * US)
    assert causes(NAMED, agent(MS, "shutdown(c, SHUT_WR)", MS + 50 * US), inside, state(MS + 20 * US, "ESTABLISHED>FIN_WAIT1")) == [
        "call shutdown"
    ]
    # Two threads are inside calls on it, and the one that ran tells which.
    other = system_call("close", MS + 3 * US, MS + 60 * US, tid=40)
    assert causes(inside, other, state(MS + 20 * US, "ESTABLISHED>FIN_WAIT1", tid=40)) == ["call close"]
    assert causes(inside, other, state(MS + 20 * US, "ESTABLISHED>FIN_WAIT1")) == [""]


@pytest.mark.parametrize(("flags", "told"), [("MSG_FASTOPEN", "call send"), ("MSG_NOSIGNAL", "")])
def test_only_a_send_that_opens_is_one_that_may_change_a_state(flags: str, told: str) -> None:
    assert causes(NAMED, agent(MS, f'send(c, "x", {flags})', 2 * MS), state(MS + 9 * US, "CLOSE>SYN_SENT")) == [told]


def test_everything_else_stays_as_it_was() -> None:
    observations = (NAMED, came(MS, "A"), went(2 * MS, "A"))
    assert with_causes(observations) == observations


def test_a_segment_that_has_had_its_effect_makes_no_other_one_later() -> None:
    assert causes(
        came(MS, "FA"),
        state(MS + 9 * US, "FIN_WAIT2>TIME_WAIT", 0, source="timer"),
        state(9 * MS, "TIME_WAIT>CLOSE", 0, source="timer"),
    ) == ["segment 0", ""]
