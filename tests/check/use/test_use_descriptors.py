"""Rules about descriptors, each on a history that has the fault and on its twin where it is mended."""

import pytest
from check.use.story import CONNECTION, LISTENER, MS, OTHER, Story

IDS = {"use.open-at-exit", "use.leaked-over-exec", "use.leaked-over-fork", "use.double-close", "use.after-close"}


def test_sockets_open_at_a_normal_exit_are_a_note_and_closed_ones_none() -> None:
    for closes in (False, True):
        story = Story()
        server = story.process()
        server.listen()
        server.accept()
        server.close()
        if closes:
            server.close(3, LISTENER)
        server.exits()
        assert story.found() == ([] if closes else [("use.open-at-exit", "note")])


def test_what_was_left_open_is_told_with_number_and_address() -> None:
    story = Story()
    server = story.process()
    server.listen()
    server.exits(2)
    assert story.says() == ("It ended with status 2 and had not closed a socket: descriptor 3 (listening on 0.0.0.0:80).")


@pytest.mark.parametrize("how", ["by the signal", "by its handler", "by the master"])
def test_who_was_told_to_end_may_leave_sockets_open(how: str) -> None:
    story = Story()
    master = story.process()
    master.listen()
    server = master.fork() if how == "by the master" else master
    server.accept()
    if how == "by the signal":
        server.exits(-15)
    else:
        master.signal("SIGTERM")
        server.exits(0)
    assert story.found() == []


def test_sockets_that_came_by_fork_and_unix_sockets_are_not_the_childs_to_close() -> None:
    story = Story()
    server = story.process()
    server.listen()
    server.call("socketpair", descriptors=[5, 6], inodes=[71, 72], domain="AF_UNIX")
    child = server.fork()
    child.call("sendto", 5, 71, result=1, length=1)
    child.exits()
    assert story.found() == []


def exec_story(
    flags: tuple[str, ...] = (), uses: bool = False, closes: bool = False, fd: int = 3, parent_closes: bool = False
) -> Story:
    story = Story()
    server = story.process()
    server.listen(fd=fd, flags=flags)
    child = server.fork()
    child.executes("/usr/bin/helper")
    if uses:
        child.call("accept", fd, LISTENER, errno="EAGAIN")
    if closes:
        child.close(fd, LISTENER)
    if parent_closes:
        server.close(fd, LISTENER)
    story.wait(900)
    server.signal("SIGTERM")
    child.exits()
    server.exits()
    return story


def test_a_socket_leaked_over_exec_is_found_and_none_with_close_on_exec() -> None:
    assert exec_story().found() == [("use.leaked-over-exec", "warning")]
    assert exec_story(flags=("SOCK_CLOEXEC",)).found() == []
    assert exec_story().says() == (
        "/usr/bin/helper was executed with descriptor 3 open, a socket listening on 0.0.0.0:80, and never used it."
    )


def test_sockets_passed_on_purpose_are_no_leaks() -> None:
    assert exec_story(uses=True).found() == []
    assert exec_story(closes=True).found() == []
    assert exec_story(fd=1).found() == []


def test_a_leak_over_exec_that_outlives_the_socket_is_a_fault() -> None:
    assert ("use.leaked-over-exec", "fault") in exec_story(parent_closes=True).found()


def test_close_on_exec_by_fcntl_counts() -> None:
    story = Story()
    server = story.process()
    server.listen()
    server.call("fcntl", 3, LISTENER, command="F_SETFD", value=["FD_CLOEXEC"])
    server.executes("/bin/true")
    story.wait(900)
    server.exits()
    assert story.found() == []


def fork_story(mended: bool, parent_keeps: bool = True) -> Story:
    """A server with a child for each connection. One of the two keeps what is the other's."""
    story = Story()
    server = story.process()
    server.listen()
    server.accept()
    child = server.fork()
    keeper, user = (server, child) if parent_keeps else (child, server)
    if mended:
        keeper.close()
    user.recv()
    user.send()
    user.close()
    keeper.call("accept", 3, LISTENER, errno="EINTR", took=900)
    server.signal("SIGTERM")
    child.exits(-15)
    server.exits()
    return story


@pytest.mark.parametrize("parent_keeps", [True, False])
def test_a_connection_kept_by_who_never_uses_it_is_leaked(parent_keeps: bool) -> None:
    assert fork_story(False, parent_keeps).found() == [("use.leaked-over-fork", "fault")]
    assert fork_story(True, parent_keeps).found() == []
    assert "It is not closed: its peer sees no FIN." in fork_story(False, parent_keeps).says()


@pytest.mark.parametrize("accepts", [True, False])
def test_a_listener_kept_by_a_child_that_never_accepts_is_leaked(accepts: bool) -> None:
    story = Story()
    server = story.process()
    server.listen()
    child = server.fork()
    if accepts:
        child.call("accept", 3, LISTENER, errno="EAGAIN")
    server.close(3, LISTENER)
    story.wait(900)
    child.exits(-15)
    server.exits()
    assert story.found() == ([] if accepts else [("use.leaked-over-fork", "fault")])
    assert accepts or "It keeps accepting connections that nobody will take." in story.says()


def test_a_copy_of_a_connection_that_the_peer_had_closed_is_a_note() -> None:
    story = Story()
    server = story.process()
    server.listen()
    server.accept()
    saver = server.fork()
    server.recv(0)
    server.close()
    story.wait(900)
    saver.exits()
    server.signal("SIGTERM")
    server.exits()
    assert story.found() == [("use.leaked-over-fork", "note")]


def test_a_shutdown_ends_the_connection_whoever_keeps_it() -> None:
    story = Story()
    server = story.process()
    server.listen()
    server.accept()
    child = server.fork()
    child.call("shutdown", 4, CONNECTION, how="SHUT_RDWR")
    child.close()
    child.exits()
    server.call("accept", 3, LISTENER, errno="EINTR", took=900)
    server.signal("SIGTERM")
    server.exits()
    assert story.found() == []


def test_workers_that_share_a_listener_are_right() -> None:
    story = Story()
    master = story.process()
    master.listen()
    workers = [master.fork(11), master.fork(12)]
    for worker in workers:
        worker.call("epoll_ctl", 8, target=3, operation="EPOLL_CTL_ADD")
    master.close(3, LISTENER)
    story.wait(900)
    for worker in workers:
        worker.signal("SIGTERM")
        worker.exits()
    master.exits()
    assert story.found() == []


@pytest.mark.parametrize(("threads", "severity"), [(1, "warning"), (2, "fault")])
def test_closing_twice_is_wrong_the_more_so_beside_other_threads(threads: int, severity: str) -> None:
    for again in (True, False):
        story = Story()
        client = story.process()
        client.connect()
        client.close()
        if threads > 1:
            client.poll(tid=99)
        if again:
            client.close(inode=0, errno="EBADF")
        client.exits()
        assert story.found() == ([("use.double-close", severity)] if again else [])


def test_a_number_given_out_again_is_not_closed_twice() -> None:
    story = Story()
    client = story.process()
    client.connect()
    client.close()
    client.call("fcntl", 4, 0, result=0, command="F_GETFD")
    client.close(inode=0)
    client.close(inode=0, errno="EBADF")
    client.exits()
    assert story.found() == []


def test_closing_all_numbers_in_a_row_is_a_sweep() -> None:
    story = Story()
    client = story.process()
    client.connect()
    client.close()
    child = client.fork()
    for fd in range(3, 9):
        child.close(fd, 0, errno="EBADF")
    child.exits()
    client.exits()
    assert story.found() == []


def test_cleaning_up_twice_is_no_sweep() -> None:
    story = Story()
    client = story.process()
    client.connect(4)
    client.connect(5, OTHER)
    for inode, errno in ((CONNECTION, ""), (0, "EBADF")):
        client.close(4, inode, errno=errno)
        client.close(5, OTHER if inode else 0, errno=errno)
    client.exits()
    assert story.found() == [("use.double-close", "warning")] * 2


def test_a_close_that_another_thread_overtakes_is_put_in_the_right_order() -> None:
    story = Story()
    server = story.process()
    server.listen()
    server.accept()
    # close() takes the number out when it begins; the accept that is given it returns before close() does.
    began = story.now + 1 * MS
    server.close(took=5)
    story.now = began + 1 * MS
    server.tid = 99
    server.accept(4, OTHER, remote=("10.0.0.1", 40001))
    story.now = began + 9 * MS
    server.recv(inode=OTHER)
    server.close(inode=OTHER)
    server.close(3, LISTENER)
    server.exits()
    assert story.found() == []


@pytest.mark.parametrize("errno", ["EBADF", "ENOTSOCK"])
def test_use_after_close_is_a_fault_and_before_is_none(errno: str) -> None:
    for mended in (False, True):
        story = Story()
        client = story.process()
        client.connect()
        if mended:
            client.send()
        client.close()
        if not mended:
            client.send(inode=0, errno=errno)
            client.send(inode=0, errno=errno)
        client.exits()
        assert story.found() == ([] if mended else [("use.after-close", "fault")])


def test_use_of_a_number_that_is_another_socket_now() -> None:
    for connects in (False, True):
        story = Story()
        client = story.process()
        client.connect()
        client.send()
        client.close()
        client.socket(4, OTHER)
        if connects:
            client.call("connect", 4, OTHER, address=["10.0.0.2", 80])
            client.send(inode=OTHER)
        else:
            client.send(inode=OTHER, errno="EPIPE")
        client.close(inode=OTHER)
        client.exits()
        assert story.found() == ([] if connects else [("use.after-close", "fault")])


@pytest.mark.parametrize("call", ["fcntl", "epoll_ctl", "fstat"])
def test_asking_whether_a_number_is_open_is_no_use(call: str) -> None:
    story = Story()
    client = story.process()
    client.connect()
    client.close()
    client.call(call, 4, errno="EBADF")
    client.exits()
    assert story.found() == []


def test_without_calls_or_with_lost_ones_nothing_is_said() -> None:
    story = Story()
    client = story.process()
    client.connect()
    client.close()
    client.close(inode=0, errno="EBADF")
    client.exits()
    for how in ({"without": ("calls",)}, {"lossy": ("calls",)}):
        assert story.found(**how) == []
        assert story.undecided(**how) >= IDS
    assert story.undecided() == set()
