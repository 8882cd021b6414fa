"""The verdict on observed transitions: histories that the machine allows, and ones that it does not."""

from netlab.check.transitions import judge_transitions
from netlab.timeline.observations import SocketState, SourceReport
from netlab.timeline.timeline import Timeline

LOCAL, REMOTE = ("10.0.0.1", 40000), ("10.0.0.2", 80)


def history(*states: str, source: str = "tracepoint", lost: int = 0, available: bool = True) -> Timeline:
    """One socket's transitions, "OLD>NEW" each; "OLD>NEW!" comes from a timer."""
    observations = []
    for time, text in enumerate(states):
        old, new = text.rstrip("!").split(">")
        told_by = "timer" if text.endswith("!") else source
        observations.append(
            SocketState(time=time, host="client", source=told_by, old=old, new=new, local=LOCAL, remote=REMOTE, cookie=1)
        )
    report = SourceReport(name="states", available=available, seen=len(states), lost=lost)
    return Timeline(observations=tuple(observations), sources=(report,))


def test_an_active_close_passes_minisock_and_all() -> None:
    verdict = judge_transitions(
        history(
            "CLOSE>SYN_SENT",
            "SYN_SENT>ESTABLISHED",
            "ESTABLISHED>FIN_WAIT1",
            "FIN_WAIT1>FIN_WAIT2",
            "FIN_WAIT2>FIN_WAIT2",
            "FIN_WAIT2>TIME_WAIT!",
            "FIN_WAIT2>CLOSE",
            "TIME_WAIT>CLOSE!",
        )
    )
    assert verdict is not None
    assert (verdict.id, verdict.outcome, verdict.conformance) == ("model.tcp-transitions", "PASS", "as-documented")
    assert verdict.evidence == tuple(range(8))


def test_a_listener_and_its_child_pass() -> None:
    verdict = judge_transitions(
        history(
            "CLOSE>LISTEN",
            "LISTEN>NEW_SYN_RECV!",
            "LISTEN>SYN_RECV",
            "SYN_RECV>ESTABLISHED",
            "ESTABLISHED>CLOSE_WAIT",
            "CLOSE_WAIT>LAST_ACK",
            "LAST_ACK>CLOSE",
            "NEW_SYN_RECV>CLOSE!",
            "LISTEN>CLOSE",
        )
    )
    assert verdict is not None
    assert verdict.outcome == "PASS"


def test_the_first_transition_that_is_none_fails_with_what_was_allowed() -> None:
    verdict = judge_transitions(history("CLOSE>SYN_SENT", "SYN_SENT>CLOSE_WAIT", "CLOSE_WAIT>TIME_WAIT"))
    assert verdict is not None
    place = "client 10.0.0.1:40000 > 10.0.0.2:80"
    first, second = verdict.mismatches
    assert (verdict.outcome, verdict.conformance, verdict.rule) == ("FAIL", "surprise", "tcp.syn-sent")
    assert (first.field, first.actual) == (f"state of {place}", f"SYN-SENT to CLOSE-WAIT on {place}")
    assert "ESTABLISHED by tcp.syn-sent.rcv-syn-ack (RFC 9293 §3.10.7.3)" in first.expected
    assert second.expected.startswith("CLOSED by tcp.close-wait.rcv-rst (RFC 9293 §3.10.7.4, second; RFC 5961 §3.2), ")
    assert verdict.reason == f"{first.actual} is no transition; allowed: {first.expected}"
    assert (verdict.evidence, verdict.slice) == ((0, 1, 2), (0, 1, 2))


def test_a_transition_that_does_not_follow_from_the_one_before_fails() -> None:
    verdict = judge_transitions(history("CLOSE>SYN_SENT", "SYN_SENT>ESTABLISHED", "LAST_ACK>CLOSE"))
    assert verdict is not None
    place = "client 10.0.0.1:40000 > 10.0.0.2:80"
    assert (verdict.outcome, verdict.rule, verdict.slice) == ("FAIL", "tcp.last-ack", (0, 1, 2))
    assert verdict.reason == f"LAST-ACK to CLOSED on {place} does not follow; possible: a transition from ESTABLISHED"


def test_a_state_that_nobody_knows_fails() -> None:
    verdict = judge_transitions(history("ZOMBIE>CLOSE"))
    assert verdict is not None
    assert (verdict.outcome, verdict.mismatches[0].expected) == ("FAIL", "none: ZOMBIE is no state of TCP")


def test_lost_events_make_it_inconclusive_right_or_wrong() -> None:
    for states in (("CLOSE>LISTEN",), ("CLOSE>TIME_WAIT",), ()):
        verdict = judge_transitions(history(*states, lost=2))
        assert verdict is not None
        assert (verdict.outcome, verdict.conformance) == ("INCONCLUSIVE", "")
        assert verdict.reason.startswith("the source states lost 2 events")


def test_nothing_seen_is_no_verdict() -> None:
    assert judge_transitions(history()) is None
    assert judge_transitions(history("CLOSE>LISTEN", available=False)) is None
    assert judge_transitions(Timeline()) is None
    assert judge_transitions(history("LISTEN>ESTABLISHED", source="sock_diag")) is None
    assert judge_transitions(history(">TIME_WAIT!")) is None
