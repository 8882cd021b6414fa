"""The normaliser on histories written by hand: what is joined, what is left out, and what is found to be wrong."""

from collections.abc import Sequence

from hand_written import CLIENT_ISN, MS, SERVER_ISN, delivered

from netlab.model.rfc_states import RfcConnection, findings, rfc_connections
from netlab.timeline.observations import Address, AnyObservation, SocketState

CLIENT, SERVER = ("10.0.0.1", 40000), ("10.0.0.2", 80)
NOBODY = ("0.0.0.0", 0)


def state(
    time: int,
    change: str,
    host: str = "client",
    local: Address | None = None,
    remote: Address | None = None,
    source: str = "",
    inode: int = 0,
) -> SocketState:
    """One change, "OLD>NEW" as a tracepoint tells it or "OLD>NEW!" as a timer does, of the connection between the two hosts."""
    old, new = change.rstrip("!").split(">")
    ends = (CLIENT, SERVER) if host == "client" else (SERVER, CLIENT)
    return SocketState(
        time=time * MS,
        host=host,
        source=source or ("timer" if change.endswith("!") else "tracepoint"),
        old=old,
        new=new,
        local=local or ends[0],
        remote=remote or ends[1],
        inode=inode,
    )


def story(*changes: str, host: str = "client", source: str = "") -> list[AnyObservation]:
    """One change every 10 ms."""
    return [state(10 * (place + 1), change, host, source=source) for place, change in enumerate(changes)]


def connections(*parts: Sequence[AnyObservation]) -> tuple[RfcConnection, ...]:
    return rfc_connections(sorted((one for part in parts for one in part), key=lambda one: one.time))


def states(found: Sequence[RfcConnection]) -> list[str]:
    return [" ".join(one.states) for one in found]


def test_a_client_whose_port_was_chosen_later() -> None:
    seen = [
        state(1, "CLOSE>SYN_SENT", local=("10.0.0.1", 0), inode=7),
        state(2, "SYN_SENT>ESTABLISHED", inode=7),
        state(3, "ESTABLISHED>FIN_WAIT1", inode=7),
        state(4, "FIN_WAIT1>FIN_WAIT2"),
        state(5, "FIN_WAIT2>TIME_WAIT!"),
        state(6, "TIME_WAIT>CLOSE!"),
    ]
    (one,) = rfc_connections(seen)
    assert (one.host, one.local, one.remote) == ("client", CLIENT, SERVER)
    assert one.states == ("CLOSED", "SYN-SENT", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT", "CLOSED")
    assert [each.observed for each in one.transitions] == [(index,) for index in range(6)]
    assert {each.local for each in one.transitions} == {CLIENT}
    assert [row.id for row in one.transitions[0].rows] == ["tcp.closed.active-open"]


def test_two_clients_that_open_at_once_are_told_apart_by_their_inodes() -> None:
    other = ("10.0.0.1", 40001)
    seen = [
        state(1, "CLOSE>SYN_SENT", local=("10.0.0.1", 0), inode=7),
        state(2, "CLOSE>SYN_SENT", local=("10.0.0.1", 0), inode=8),
        state(3, "SYN_SENT>ESTABLISHED", inode=7),
        state(4, "SYN_SENT>CLOSE", local=other, inode=8),
    ]
    found = rfc_connections(seen)
    assert [(one.local, one.states) for one in found] == [
        (CLIENT, ("CLOSED", "SYN-SENT", "ESTABLISHED")),
        (other, ("CLOSED", "SYN-SENT", "CLOSED")),
    ]


def test_a_request_and_its_child_are_one_connection() -> None:
    seen = story("LISTEN>NEW_SYN_RECV!", "LISTEN>SYN_RECV", "SYN_RECV>ESTABLISHED", "NEW_SYN_RECV>CLOSE!", host="server")
    (one,) = rfc_connections(seen)
    assert one.states == ("LISTEN", "SYN-RECEIVED", "ESTABLISHED")
    assert [each.observed for each in one.transitions] == [(0,), (1, 2)]


def test_a_child_without_a_request_begins_at_its_birth() -> None:
    found = rfc_connections(story("LISTEN>SYN_RECV", "SYN_RECV>ESTABLISHED", host="server"))
    assert states(found) == ["LISTEN SYN-RECEIVED ESTABLISHED"]


def test_of_two_children_of_one_request_one_is_kept() -> None:
    born = ("LISTEN>NEW_SYN_RECV!", "LISTEN>SYN_RECV", "LISTEN>SYN_RECV")
    for ends in (("SYN_RECV>CLOSE", "SYN_RECV>ESTABLISHED"), ("SYN_RECV>ESTABLISHED", "SYN_RECV>CLOSE")):
        found = rfc_connections(story(*born, *ends, host="server"))
        assert (states(found), findings(found)) == (["LISTEN SYN-RECEIVED ESTABLISHED"], ())


def test_listeners_and_states_that_are_set_again() -> None:
    def at(time: int, change: str, inode: int) -> SocketState:
        return state(time, change, "server", SERVER, NOBODY, inode=inode)

    first = [at(1, "CLOSE>LISTEN", 5), at(3, "LISTEN>CLOSE", 5)]
    second = [at(2, "CLOSE>LISTEN", 6), at(4, "CLOSE>CLOSE", 6)]
    assert states(connections(first, second)) == ["CLOSED LISTEN CLOSED", "CLOSED LISTEN"]


def test_a_full_socket_that_ends_when_its_minisock_took_over_is_left_out() -> None:
    waits = story("FIN_WAIT1>FIN_WAIT2", "FIN_WAIT2>FIN_WAIT2", "FIN_WAIT2>TIME_WAIT!", "FIN_WAIT2>CLOSE", "TIME_WAIT>CLOSE!")
    assert states(rfc_connections(waits)) == ["FIN-WAIT-1 FIN-WAIT-2 TIME-WAIT CLOSED"]
    crossed = story("FIN_WAIT1>CLOSING", "CLOSING>TIME_WAIT!", "CLOSING>CLOSE")
    assert states(rfc_connections(crossed)) == ["FIN-WAIT-1 CLOSING TIME-WAIT"]
    reset = story("FIN_WAIT1>FIN_WAIT2", "FIN_WAIT2>CLOSE")
    assert states(rfc_connections(reset)) == ["FIN-WAIT-1 FIN-WAIT-2 CLOSED"]


def test_where_no_syn_was_sent_there_was_no_connection() -> None:
    seen = [state(1, "CLOSE>SYN_SENT", local=("10.0.0.1", 0), inode=7), state(2, "SYN_SENT>CLOSE", local=("10.0.0.1", 0), inode=7)]
    assert rfc_connections(seen) == ()


FIN_WAIT = (state(10, "ESTABLISHED>FIN_WAIT1"), state(20, "FIN_WAIT1>FIN_WAIT2"), state(21, "FIN_WAIT2>TIME_WAIT!"))


def said(time: int, flags: str, seq: int, ack: int, source: str = "server") -> Sequence[AnyObservation]:
    target = "client" if source == "server" else "server"
    return delivered(time * MS, source, target, flags, seq % 2**32, ack % 2**32)


def test_one_segment_that_does_both_skips_fin_wait_2() -> None:
    both = said(19, "FA", SERVER_ISN + 1, CLIENT_ISN + 2)
    (one,) = connections(FIN_WAIT, both)
    assert one.states == ("ESTABLISHED", "FIN-WAIT-1", "TIME-WAIT")
    assert [row.id for row in one.transitions[1].rows] == ["tcp.fin-wait-1.rcv-fin-ack-of-fin"]
    assert (one.transitions[1].time, one.transitions[1].observed) == (21 * MS, (3, 4))
    # The same segment once more, or an older one before it, changes nothing.
    assert connections(FIN_WAIT, said(18, "A", SERVER_ISN + 1, CLIENT_ISN + 1), both)[0].states == one.states
    assert connections(FIN_WAIT, both, said(19, "FA", SERVER_ISN + 1, CLIENT_ISN + 2))[0].states == one.states


def test_two_segments_do_not() -> None:
    with_it = ("ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT")
    acknowledged = said(18, "A", SERVER_ISN + 1, CLIENT_ISN + 2)
    # Both before the first change: they waited while a call had the socket.
    assert connections(FIN_WAIT, acknowledged, said(19, "FA", SERVER_ISN + 1, CLIENT_ISN + 2))[0].states == with_it
    late = [*said(19, "FA", SERVER_ISN + 2, CLIENT_ISN + 2), *delivered(20 * MS + 500, "server", "client", "A", SERVER_ISN + 1, 1)]
    assert connections(FIN_WAIT, late)[0].states == with_it  # the FIN came early, and waited for what was missing
    assert connections(FIN_WAIT)[0].states == with_it  # nobody captured


HALF_OPEN = state(10, "LISTEN>NEW_SYN_RECV!", "server")
GONE = state(20, "NEW_SYN_RECV>CLOSE!", "server")
SYN = said(9, "S", CLIENT_ISN, 0, "client")


def test_a_half_open_connection_that_is_reset_goes_back_to_listen() -> None:
    back = ["LISTEN SYN-RECEIVED LISTEN"]
    assert states(connections([HALF_OPEN, GONE], SYN, said(19, "R", CLIENT_ISN + 1, 0, "client"))) == back
    assert states(connections([HALF_OPEN, GONE], SYN, said(19, "S", CLIENT_ISN + 9, 0, "client"))) == back


def test_a_half_open_connection_that_nobody_ended_is_closed() -> None:
    closed = ["LISTEN SYN-RECEIVED CLOSED"]
    assert states(connections([HALF_OPEN, GONE])) == closed
    assert states(connections([HALF_OPEN, GONE], SYN)) == closed
    assert states(connections([HALF_OPEN, GONE], SYN, said(15, "S", CLIENT_ISN, 0, "client"))) == closed
    assert states(connections([HALF_OPEN, GONE], SYN, said(15, "R", CLIENT_ISN + 5, 0, "client"))) == closed


WAITED = [state(1, "FIN_WAIT2>TIME_WAIT!", "server"), state(10, "TIME_WAIT>CLOSE!", "server")]
ANEW = [state(11, "LISTEN>NEW_SYN_RECV!", "server"), state(12, "LISTEN>SYN_RECV", "server")]
ANEW += [state(13, "SYN_RECV>ESTABLISHED", "server")]


def test_a_syn_that_reopens_leads_from_time_wait_to_syn_received() -> None:
    (one,) = connections(WAITED, ANEW, SYN)
    assert one.states == ("FIN-WAIT-2", "TIME-WAIT", "SYN-RECEIVED", "ESTABLISHED")
    assert [each.observed for each in one.transitions] == [(0,), (3, 4), (5, 6)]
    assert findings([one]) == ()


def test_dumps_show_both_at_once_when_a_syn_reopens() -> None:
    (one,) = connections(
        [
            state(1, "FIN_WAIT2>TIME_WAIT", "server", source="sock_diag"),
            state(10, "TIME_WAIT>CLOSE", "server", source="sock_diag"),
            state(10, "LISTEN>SYN_RECV", "server", source="sock_diag"),
        ],
        SYN,
    )
    assert one.states == ("FIN-WAIT-2", "TIME-WAIT", "SYN-RECEIVED")


def test_a_syn_that_came_when_time_wait_was_over_opens_another_connection() -> None:
    apart = ["FIN-WAIT-2 TIME-WAIT CLOSED", "LISTEN SYN-RECEIVED ESTABLISHED"]
    late = delivered(10 * MS + 500, "client", "server", "S", CLIENT_ISN)
    assert states(connections(WAITED, ANEW, late)) == apart
    assert states(connections(WAITED, ANEW)) == apart


def test_addresses_that_are_taken_over_from_time_wait_are_two_connections() -> None:
    seen = [
        state(1, "FIN_WAIT2>TIME_WAIT!"),
        state(10, "CLOSE>SYN_SENT", inode=9),
        state(11, "TIME_WAIT>CLOSE!"),
        state(12, "SYN_SENT>ESTABLISHED", inode=9),
    ]
    assert states(rfc_connections(seen)) == ["FIN-WAIT-2 TIME-WAIT CLOSED", "CLOSED SYN-SENT ESTABLISHED"]


def test_the_same_addresses_on_two_hosts_are_two_connections() -> None:
    seen = [state(1, "CLOSE>SYN_SENT"), state(2, "CLOSE>SYN_SENT", "other", CLIENT, SERVER)]
    assert [(one.host, one.states) for one in rfc_connections(seen)] == [
        ("client", ("CLOSED", "SYN-SENT")),
        ("other", ("CLOSED", "SYN-SENT")),
    ]


def test_what_was_there_before_anybody_looked_has_no_beginning() -> None:
    assert states(rfc_connections(story(">TIME_WAIT!", "TIME_WAIT>CLOSE!"))) == ["TIME-WAIT CLOSED"]
    assert findings(rfc_connections(story("CLOSE_WAIT>LAST_ACK", "LAST_ACK>CLOSE"))) == ()


def test_what_is_no_arc_is_found() -> None:
    (found,) = findings(rfc_connections(story("SYN_SENT>CLOSE_WAIT", "CLOSE_WAIT>LAST_ACK")))
    assert (found.transition.old, found.transition.new, found.reason) == (
        "SYN-SENT",
        "CLOSE-WAIT",
        "SYN-SENT to CLOSE-WAIT is no transition",
    )


def test_arcs_that_do_not_meet_are_found() -> None:
    jumped = rfc_connections(story("CLOSE>SYN_SENT", "SYN_SENT>ESTABLISHED", "LAST_ACK>CLOSE"))
    (found,) = findings(jumped)
    assert (found.transition.observed, found.reason) == ((2,), "it was in ESTABLISHED, not in LAST-ACK")
    assert states(jumped) == ["CLOSED SYN-SENT ESTABLISHED LAST-ACK CLOSED"]


def test_dumps_count_only_where_no_probe_tells() -> None:
    dumped = story("CLOSE>SYN_SENT", "SYN_SENT>CLOSE_WAIT", source="sock_diag")
    found = rfc_connections(dumped)
    assert states(found) == ["CLOSED SYN-SENT CLOSE-WAIT"]
    assert (findings(found), [one.single for one in found[0].transitions]) == ((), [False, False])
    assert states(connections(dumped, [state(1, "CLOSE>SYN_SENT")])) == ["CLOSED SYN-SENT"]
