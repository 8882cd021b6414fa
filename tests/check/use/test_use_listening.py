"""Rules about servers, each on a history that has the fault and on its twin where it is mended."""

import pytest
from check.use.story import CLIENT, LISTENER, OTHER, Program, Story
from hand_written import segment

from netlab.timeline.observations import Counters, SocketEntry, SocketTable


def ends(server: Program) -> None:
    server.signal("SIGTERM")
    server.exits()


def restarted(reuse: bool = False, lingers: bool = True, listens: bool = False) -> Story:
    """A server closed its connection first, ended, and is started again."""
    story = Story()
    old = story.process()
    old.listen(reuse=reuse)
    old.accept()
    old.close()
    story.state("ESTABLISHED", "FIN_WAIT1", 1002)
    story.state("FIN_WAIT1", "FIN_WAIT2", 0)
    if lingers:
        story.state("FIN_WAIT2", "TIME_WAIT", 0)
        story.state("FIN_WAIT2", "CLOSE", 0)
    else:
        story.state("FIN_WAIT2", "CLOSE", 0)
    if not listens:
        old.close(3, LISTENER)
        story.state("LISTEN", "CLOSE", LISTENER, ("0.0.0.0", 0), ("0.0.0.0", 80))
        old.exits(-9)
    new = story.process(20)
    new.socket(3, OTHER)
    if reuse:
        new.call("setsockopt", 3, OTHER, level="SOL_SOCKET", option="SO_REUSEADDR", value=1)
    new.call("bind", 3, OTHER, address=["0.0.0.0", 80], errno="EADDRINUSE")
    new.close(3, OTHER)
    new.exits(1)
    if listens:
        ends(old)
    return story


def test_a_bind_that_time_wait_prevents_wants_so_reuseaddr() -> None:
    assert restarted().found() == [("use.no-reuseaddr", "fault")]
    assert "held by its earlier connection to 10.0.0.1:40000 in TIME-WAIT" in restarted().says()
    assert restarted(reuse=True).found() == []


def test_a_port_in_use_indeed_is_none_of_it() -> None:
    assert restarted(listens=True).found() == []
    assert restarted(lingers=False).found() == []


def test_a_dump_of_the_tables_tells_of_time_wait_too() -> None:
    for state in ("TIME_WAIT", "LISTEN"):
        story = Story()
        entry = SocketEntry(protocol="tcp", state=state, local=("10.0.0.2", 80), remote=CLIENT, inode=0)
        story.add(SocketTable(time=story.now, host="server", began=story.now - 1, entries=(entry,)))
        server = story.process()
        server.socket()
        server.call("bind", 3, LISTENER, address=["0.0.0.0", 80], errno="EADDRINUSE")
        server.close(3, LISTENER)
        server.exits(1)
        assert story.found(without=("states",)) == ([("use.no-reuseaddr", "fault")] if state == "TIME_WAIT" else [])


def test_reuseaddr_needs_states_or_tables() -> None:
    assert "use.no-reuseaddr" in restarted().undecided(without=("states", "sock_diag"))
    assert restarted().found(without=("states", "sock_diag")) == []
    assert "use.no-reuseaddr" not in restarted().undecided(without=("states",))


def syn(port: int = 40009) -> bytes:
    return segment("client", "server", "S", 900, ports=(port, 80))


def syn_ack(port: int = 40009) -> bytes:
    return segment("server", "client", "SA", 3000, 901, ports=(80, port))


def test_drops_with_their_reason_tell_of_an_overflow() -> None:
    for reason in ("TCP_LISTEN_OVERFLOW", "NO_SOCKET"):
        story = Story()
        server = story.process()
        server.listen(backlog=1)
        server.accept()
        story.drop(reason, syn()[14:])
        server.close()
        ends(server)
        assert story.found() == ([("use.backlog-overflow", "warning")] if reason == "TCP_LISTEN_OVERFLOW" else [])


def test_an_overflow_is_told_with_the_backlog_and_how_many_waited() -> None:
    story = Story()
    server = story.process()
    server.listen(backlog=1)
    server.established(("10.0.0.1", 40000))
    server.established(("10.0.0.1", 40001))
    story.drop("TCP_LISTEN_OVERFLOW", syn()[14:])
    server.accepted(remote=("10.0.0.1", 40000))
    server.close()
    ends(server)
    assert story.says() == (
        "The queue of the socket listening on 0.0.0.0:80 (descriptor 3, backlog 1) overflowed: the kernel dropped a packet for it."
        " Up to 2 connections waited for accept()."
    )


@pytest.mark.parametrize("grows", [True, False])
def test_the_counter_of_overflows_tells(grows: bool) -> None:
    story = Story()
    server = story.process()
    story.add(Counters(time=story.now, host="server", counts={"ListenOverflows": 3}))
    server.listen(backlog=1)
    story.wait(1)
    story.add(Counters(time=story.now, host="server", counts={"ListenOverflows": 5 if grows else 3}))
    ends(server)
    assert story.found() == ([("use.backlog-overflow", "warning")] if grows else [])


@pytest.mark.parametrize("answered", [True, False])
def test_a_syn_that_comes_again_unanswered_tells(answered: bool) -> None:
    story = Story()
    server = story.process()
    server.listen(backlog=1)
    story.packet(syn(), "in")
    if answered:
        story.packet(syn_ack(), "out")
    story.wait(1000)
    story.packet(syn(), "in")
    story.packet(syn_ack(), "out")
    ends(server)
    assert story.found() == ([] if answered else [("use.backlog-overflow", "warning")])


def test_an_overflow_needs_packets_or_counters() -> None:
    story = Story()
    story.process().listen()
    assert "use.backlog-overflow" in story.undecided(without=("packets",))
    assert "use.backlog-overflow" not in story.undecided(without=("events",))
    for count in (1, 2):
        story.wait(1)
        story.add(Counters(time=story.now, host="server", counts={"ListenOverflows": 0, "InSegs": count}))
    assert "use.backlog-overflow" not in story.undecided(without=("packets",))


def accepting(busy: float = 0, waiting: float = 0, accepts: bool = True) -> Story:
    story = Story()
    server = story.process()
    server.listen()
    server.established()
    story.wait(busy)
    if waiting:
        server.poll(took=waiting)
    if accepts:
        server.accepted()
        server.close()
    ends(server)
    return story


def test_a_connection_that_waits_for_accept_while_the_server_is_busy() -> None:
    assert accepting(busy=700).found() == [("use.slow-accept", "warning")]
    assert accepting(busy=100).found() == []
    assert (
        accepting(busy=700)
        .says()
        .startswith(
            "1 established connection waited for accept() on descriptor 3 (listening on 0.0.0.0:80), the longest 701 ms (from"
        )
    )


def test_a_connection_that_is_never_accepted_is_slow_as_well() -> None:
    assert accepting(busy=700, accepts=False).found() == [("use.slow-accept", "warning")]
    assert "1 of them was never accepted." in accepting(busy=700, accepts=False).says()


def test_a_server_that_was_ready_is_not_slow() -> None:
    assert accepting(waiting=900).found() == []
    story = accepting(busy=700)
    assert story.found(slack=300_000_000) == []


def test_slow_accept_needs_states() -> None:
    story = accepting(busy=700)
    assert story.undecided(without=("states",)) == {"use.slow-accept"}
    assert story.found(without=("states",)) == []
