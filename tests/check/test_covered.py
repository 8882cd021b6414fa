"""Which arcs of TCP's table a timeline took: told by the states alone, by what caused them, or not to be told apart."""

import pytest
from hand_written import NODES, delivered

from netlab.check.covered import KINDS, NOT_SEEN, covered, edges, tcp_transitions
from netlab.model.tcp import UNREACHED
from netlab.timeline.observations import AnyObservation, CallStarted, SocketState, SourceReport
from netlab.timeline.timeline import Timeline

LOCAL, REMOTE = ("10.0.0.1", 40000), ("10.0.0.2", 80)


def state(
    time: int, old: str, new: str, cause: str = "", caused_by: int = -1, inode: int = 7, source: str = "tracepoint"
) -> SocketState:
    return SocketState(
        time=time, host="client", source=source, old=old, new=new, local=LOCAL, remote=REMOTE, cookie=1, inode=inode,
        cause=cause, caused_by=caused_by,
    )  # fmt: skip


def call(time: int, name: str) -> CallStarted:
    return CallStarted(time=time, host="client", id=time, process="client", call=name, text=f"{name}(c)", step=0)


def taken(*observations: AnyObservation, lost: int = 0) -> set[str]:
    report = SourceReport(name="states", available=True, lost=lost)
    return set(tcp_transitions(Timeline(observations=observations, sources=(report,), nodes=NODES)))


def test_states_alone_tell_where_one_arc_only_joins_them() -> None:
    assert taken(state(1, "CLOSE", "SYN_SENT"), state(2, "SYN_SENT", "ESTABLISHED"), state(3, "ESTABLISHED", "FIN_WAIT1")) == {
        "tcp.closed.active-open",
        "tcp.syn-sent.rcv-syn-ack",
        "tcp.established.close",
    }


ENDS = [
    (call(1, "close"), state(2, "LISTEN", "CLOSE", "call", 0), {"tcp.listen.close"}),
    (call(1, "connect"), state(2, "LISTEN", "CLOSE", "call", 0), {"tcp.listen.abort"}),
    (call(1, "close"), state(2, "ESTABLISHED", "CLOSE", "call", 0), {"tcp.established.abort"}),
    # A connection that nobody had accepted: the listener's close ended it.
    (call(1, "close"), state(2, "ESTABLISHED", "CLOSE", "call", 0, inode=0), set()),
    (call(1, "send"), state(2, "ESTABLISHED", "CLOSE"), set()),
    (call(1, "send"), state(2, "SYN_SENT", "CLOSE", "timer"), {"tcp.syn-sent.user-timeout"}),
    (call(1, "send"), state(2, "SYN_SENT", "CLOSE", "icmp"), {"tcp.syn-sent.icmp-hard-error"}),
    (call(1, "send"), state(2, "TIME_WAIT", "CLOSE", "timer", source="timer"), {"tcp.time-wait.timeout"}),
    # An orphan in FIN-WAIT-2 has a timer of Linux' own.
    (call(1, "send"), state(2, "FIN_WAIT2", "CLOSE", "timer", source="timer"), set()),
]


@pytest.mark.parametrize(("cause", "ended", "wanted"), ENDS)
def test_the_cause_tells_where_several_arcs_join_them(cause: AnyObservation, ended: SocketState, wanted: set[str]) -> None:
    assert {identity for identity in taken(cause, ended) if identity.startswith("tcp.")} == wanted


@pytest.mark.parametrize(
    ("flags", "old", "wanted"),
    [
        ("R", "LAST_ACK", {"tcp.last-ack.rcv-rst"}),
        ("A", "LAST_ACK", {"tcp.last-ack.rcv-ack-of-fin"}),
        ("R", "FIN_WAIT1", {"tcp.fin-wait-1.rcv-rst"}),
        ("PA", "FIN_WAIT1", {"linux.orphan.data"}),
        ("RA", "SYN_SENT", {"tcp.syn-sent.rcv-rst"}),
    ],
)
def test_the_segments_flags_tell(flags: str, old: str, wanted: set[str]) -> None:
    (segment,) = delivered(1, "server", "client", flags, 5)[1:]
    assert taken(segment, state(20, old, "CLOSE", "segment", 0)) == wanted


def test_what_lost_events_shows_nothing() -> None:
    assert taken(state(1, "CLOSE", "SYN_SENT"), lost=1) == set()


def test_all_timelines_together_with_why_the_rest_was_not_taken() -> None:
    sources = (SourceReport(name="states", available=True),)
    one, other = (
        Timeline(observations=(state(1, *pair),), sources=sources) for pair in (("CLOSE", "LISTEN"), ("CLOSE", "SYN_SENT"))
    )
    (kind,) = [one for one in covered([(one, ()), (other, ()), (one, ())]) if one.kind == "TCP transitions"]
    assert kind.taken == ("tcp.closed.passive-open", "tcp.closed.active-open")
    assert set(kind.taken) | set(kind.untaken) == {row.id for row in edges()}
    assert kind.told == f"TCP transitions: 2 of {len(edges())} taken"
    assert kind.untaken["tcp.listen.send"] == UNREACHED["tcp.listen.send"]
    assert kind.untaken["tcp.established.close"] == NOT_SEEN


def test_why_a_rule_is_never_taken_is_said_of_rules_that_there_are() -> None:
    for kind in KINDS:
        rules = tuple(kind.rules())
        assert len(set(rules)) == len(rules)
        assert set(kind.unreached) <= set(rules)
