"""Rules about how connections end, each on a history that has the fault and on its twin where it is mended."""

from typing import Any

import pytest
from check.use.story import CLIENT, CONNECTION, LISTENER, SERVER, Program, Story
from hand_written import segment


def served() -> tuple[Story, Program]:
    story = Story()
    server = story.process()
    server.listen()
    server.accept()
    return story, server


def ends(server: Program) -> None:
    server.signal("SIGTERM")
    server.exits()


def unread(sends: bool, reason: str = "TCP_ABORT_ON_CLOSE", linger: bool = False) -> Story:
    story, server = served()
    server.recv()
    if sends:
        server.send()
    if linger:
        server.call("setsockopt", 4, CONNECTION, level="SOL_SOCKET", option="SO_LINGER", value={"onoff": 1, "linger": 0})
    server.close(took=0.1)
    story.now -= 50_000
    if reason != "none":
        story.reset("sent", CONNECTION, reason)
    story.now += 50_000
    ends(server)
    return story


def test_a_close_with_unread_data_is_a_fault_after_an_answer_and_a_note_without() -> None:
    assert unread(sends=True).found() == [("use.close-unread", "fault")]
    assert unread(sends=False).found() == [("use.close-unread", "note")]
    assert unread(sends=True, reason="none").found() == []
    assert unread(sends=True).says() == (
        "close(4) reset the connection 10.0.0.2:80 to 10.0.0.1:40000: it held data that had not been read. What it had sent last"
        " (5 bytes by sendto) may be lost with it at the peer."
    )


@pytest.mark.parametrize(("sends", "severity"), [(True, "warning"), (False, "note")])
def test_data_that_comes_after_the_close_resets_as_well(sends: bool, severity: str) -> None:
    story, server = served()
    server.recv()
    if sends:
        server.send()
    server.close()
    story.wait(30)
    story.reset("sent", CONNECTION, "TCP_ABORT_ON_DATA")
    server.exits(-9)
    assert story.found() == [("use.close-unread", severity)]


def test_a_client_that_says_goodbye_and_leaves_is_warned_only() -> None:
    story = Story("client")
    client = story.process(program="client")
    client.connect()
    client.send()
    client.close(took=0.1)
    story.now -= 50_000
    story.reset("sent", CONNECTION, "TCP_ABORT_ON_CLOSE")
    story.now += 50_000
    client.exits()
    assert story.found() == [("use.close-unread", "warning")]


def test_a_reset_for_another_reason_or_asked_for_by_linger_is_none() -> None:
    assert unread(sends=True, reason="TCP_ABORT_ON_LINGER").found() == []
    assert unread(sends=True, reason="", linger=True).found() == []
    assert unread(sends=True, reason="").found() == [("use.close-unread", "fault")]


def test_a_server_that_is_killed_later_closed_with_unread_data_nevertheless() -> None:
    story = unread(sends=True)
    story.seen.pop()
    story.process().exits(-15)
    assert story.found() == [("use.close-unread", "fault")]


def test_a_reset_that_came_long_after_the_close_is_not_its_doing() -> None:
    story, server = served()
    server.recv()
    server.send()
    server.close()
    story.wait(50)
    story.reset("sent", CONNECTION)
    ends(server)
    assert story.found() == []


@pytest.mark.parametrize("resets", [True, False])
def test_packets_tell_of_the_reset_where_events_are_not_there(resets: bool) -> None:
    story, server = served()
    server.recv()
    server.send()
    server.close(took=0.1)
    flags = "RA" if resets else "FA"
    story.packet(segment("server", "client", flags, 7, 8, ports=(80, 40000)), "out")
    ends(server)
    assert story.found(without=("events",)) == ([("use.close-unread", "fault")] if resets else [])


def test_unread_data_needs_resets_or_packets() -> None:
    story = unread(sends=True)
    for missing in (("events",), ("packets",), ()):
        assert "use.close-unread" not in story.undecided(without=missing)
    assert story.undecided(without=("events", "packets")) >= {"use.close-unread"}
    assert story.undecided(lossy=("events",), without=("packets",)) >= {"use.close-unread"}
    assert story.found(without=("events", "packets")) == []


def half_closed(gap: float = 1500, mended: bool = False, goes_on: bool = True) -> Story:
    story, server = served()
    server.recv()
    server.recv(0)
    if mended:
        server.close()
    if goes_on:
        server.call("accept", 3, LISTENER, errno="EINTR", took=gap)
    else:
        story.wait(gap)
    ends(server)
    return story


def test_a_half_closed_connection_is_to_be_finished() -> None:
    assert half_closed().found() == [("use.half-closed", "warning")]
    assert half_closed(mended=True).found() == []
    assert "recvfrom(4) gave 0, so the peer (10.0.0.2:80 to 10.0.0.1:40000) had closed." in half_closed().says()


def test_a_short_while_or_a_process_that_only_waits_for_its_end_is_none() -> None:
    assert half_closed(gap=300).found() == []
    assert half_closed(goes_on=False).found() == []


@pytest.mark.parametrize(("gap", "found"), [(2000, []), (6000, [("use.half-closed", "warning")])])
def test_a_server_that_only_waits_is_given_more_time(gap: float, found: list[tuple[str, str]]) -> None:
    story, server = served()
    server.recv(0)
    server.poll(0, took=gap)
    ends(server)
    assert story.found() == found


def test_answering_after_the_peers_fin_is_what_half_closing_is_for() -> None:
    story, server = served()
    server.recv(0)
    server.poll(0, took=1500)
    server.send()
    server.close()
    ends(server)
    assert story.found() == []


@pytest.mark.parametrize("more", [{"length": 0}, {"flags": ["MSG_PEEK"]}])
def test_a_receive_of_nothing_tells_of_no_end(more: dict[str, Any]) -> None:
    story, server = served()
    server.recv(0, **more)
    server.call("accept", 3, LISTENER, errno="EINTR", took=1500)
    ends(server)
    assert story.found() == []


def leaking(closes: bool, reads_end: bool, count: int = 4) -> Story:
    story = Story()
    server = story.process()
    server.listen()
    for number in range(count):
        remote, inode, fd = (CLIENT[0], CLIENT[1] + number), CONNECTION + number, 4 + number
        server.accept(fd, inode, remote)
        server.recv(fd=fd, inode=inode)
        server.send(fd=fd, inode=inode)
        story.state("ESTABLISHED", "CLOSE_WAIT", inode, remote)
        if reads_end:
            server.recv(0, fd=fd, inode=inode)
        if closes:
            server.close(fd, inode)
    server.call("accept", 3, LISTENER, errno="EINTR", took=800 if reads_end else 2500)
    ends(server)
    return story


@pytest.mark.parametrize("reads_end", [True, False])
def test_connections_that_only_grow_are_a_leak(reads_end: bool) -> None:
    assert leaking(False, reads_end).found() == [("use.connection-leak", "fault")]
    assert leaking(True, reads_end).found() == []
    assert (
        "4 connections were never closed though their peers had closed theirs (descriptors 4, 5, 6, 7)"
        in leaking(False, True).says()
    )


def test_idle_connections_of_a_clients_pool_are_no_leak() -> None:
    story = Story("client")
    client = story.process(program="client")
    for number in range(4):
        client.connect(4 + number, CONNECTION + number)
        client.send(fd=4 + number, inode=CONNECTION + number)
        client.recv(fd=4 + number, inode=CONNECTION + number)
        story.state("ESTABLISHED", "CLOSE_WAIT", CONNECTION + number, SERVER, (CLIENT[0], CLIENT[1] + number))
    client.poll(0, took=900)
    client.exits(-15)
    assert story.found() == []


@pytest.mark.parametrize(("writes", "severity"), [(1, "note"), (3, "fault")])
@pytest.mark.parametrize("errno", ["EPIPE", "ECONNRESET"])
def test_writing_on_after_a_reset(errno: str, writes: int, severity: str) -> None:
    for more in (writes, 0):
        story, server = served()
        server.send()
        server.send(errno=errno)
        for _ in range(more):
            server.send(errno="EPIPE")
        server.close()
        ends(server)
        assert story.found() == ([("use.write-after-reset", severity)] if more else [])


def test_one_more_write_that_is_no_flush_before_the_close_is_a_warning() -> None:
    story, server = served()
    server.send(errno="EPIPE")
    server.send(errno="EPIPE")
    server.recv(0)
    server.close()
    ends(server)
    assert story.found() == [("use.write-after-reset", "warning")]


def test_a_read_tells_of_the_reset_too() -> None:
    story, server = served()
    server.recv(errno="ECONNRESET")
    server.send(errno="EPIPE")
    server.send(errno="EPIPE")
    server.close()
    ends(server)
    assert story.found() == [("use.write-after-reset", "fault")]


def test_writing_after_ones_own_shutdown_has_nothing_to_do_with_a_reset() -> None:
    story, server = served()
    server.call("shutdown", 4, CONNECTION, how="SHUT_WR")
    server.send(errno="EPIPE")
    server.send(errno="EPIPE")
    server.close()
    ends(server)
    assert story.found() == []


def dies(writes_to_socket: bool = True, handled: bool = False) -> Story:
    story, server = served()
    server.send()
    if writes_to_socket:
        server.send(errno="EPIPE")
    if not handled:
        server.signal("SIGPIPE", handled=False)
        server.exits(-13)
    else:
        server.close()
        ends(server)
    return story


def test_death_by_sigpipe() -> None:
    assert dies().found() == [("use.sigpipe", "fault")]
    assert dies(handled=True).found() == []
    assert dies(writes_to_socket=False).found() == []


def test_what_is_certain_is_told_though_something_was_lost() -> None:
    assert dies().found(lossy=("calls",)) == [("use.sigpipe", "fault")]
    assert "use.sigpipe" in dies().undecided(lossy=("calls",))
    assert dies().found(without=("calls",)) == []


def test_each_finding_shows_its_process_source_and_slice() -> None:
    from netlab.check.use.findings import use_findings

    timeline = dies().timeline()
    (found,) = use_findings(timeline)
    assert (found.host, found.pid, found.program, found.title) == ("server", 10, "server", "Died of SIGPIPE")
    assert found.source.startswith("POSIX.1-2024 send(): [EPIPE]")
    assert [type(timeline.observations[at]).__name__ for at in found.evidence] == ["SystemCall", "SignalDelivered", "ProcessExited"]
    assert set(found.evidence) < set(found.slice)
    assert list(found.slice) == sorted(found.slice)
