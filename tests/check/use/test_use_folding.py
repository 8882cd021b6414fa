"""From calls, forks and execs to descriptor tables, and from the kernel's transitions to the sockets that they are about."""

import msgspec
from check.use.story import CLIENT, CONNECTION, LISTENER, OTHER, SERVER, Story

from netlab.check.use.folding import fold
from netlab.check.use.joining import join
from netlab.check.use.world import Process, World
from netlab.timeline.observation import Observation
from netlab.timeline.process_events import DescriptorSeen


def world(story: Story) -> World:
    return join(fold(story.timeline()))


def table(process: Process) -> dict[int, tuple[int, str]]:
    return {fd: (holding.socket.inode, holding.opened) for fd, holding in sorted(process.table.items())}


def test_descriptors_come_by_calls_forks_and_execs_and_go_by_closes() -> None:
    story = Story()
    server = story.process()
    server.listen(flags=("SOCK_CLOEXEC",))
    server.accept()
    server.call("dup2", 4, CONNECTION, result=7, made=CONNECTION, target=7)
    server.call("fcntl", 4, CONNECTION, result=8, made=CONNECTION, command="F_DUPFD_CLOEXEC", value=8)
    child = server.fork()
    child.close()
    child.executes("/usr/bin/helper")
    server.call("close_range", first=4, last=7)
    parent, inherited = world(story).processes
    assert table(parent) == {3: (LISTENER, "made"), 8: (CONNECTION, "duplicated")}
    assert table(inherited) == {7: (CONNECTION, "exec")}
    assert [(one.fd, one.opened, one.end) for one in inherited.holdings] == [
        (3, "fork", "exec"),
        (4, "fork", "closed"),
        (7, "fork", "exec"),
        (8, "fork", "exec"),
        (7, "exec", ""),
    ]


def test_what_no_call_told_shows_in_the_next_calls_inode() -> None:
    story = Story()
    server = story.process()
    server.recv(inode=CONNECTION)  # it came from somewhere
    server.recv(inode=OTHER)  # and was replaced by a dup2 that was not seen
    server.call("write", 4, 0, result=5)  # now it is a file
    (process,) = world(story).processes
    assert table(process) == {}
    assert [(one.socket.inode, one.opened, one.end) for one in process.holdings] == [
        (CONNECTION, "seen", "lost"),
        (OTHER, "seen", "lost"),
    ]


def test_sockets_received_over_sockets_are_followed() -> None:
    story = Story()
    server = story.process()
    server.call("socketpair", descriptors=[5, 6], inodes=[71, 72])
    server.call("recvmsg", 5, 71, result=1, descriptors=[9], inodes=[CONNECTION])
    (process,) = world(story).processes
    assert table(process) == {5: (71, "seen"), 6: (72, "seen"), 9: (CONNECTION, "seen")}


def test_what_proc_lists_is_known_with_close_on_exec() -> None:
    story = Story()
    for target, cloexec in ((f"socket:[{CONNECTION}]", True), ("/dev/null", False)):
        story.wait(1)
        seen = DescriptorSeen(
            time=story.now, host="server", pid=10, program="server", fd=4 + cloexec, target=target, close_on_exec=cloexec
        )
        story.add(seen)
    (process,) = world(story).processes
    assert table(process) == {5: (CONNECTION, "seen")}
    assert process.table[5].close_on_exec


def test_a_source_without_inodes_is_followed_by_numbers() -> None:
    story = Story()
    server = story.process()
    server.listen(inode=0)
    server.call("accept", 3, result=4, address=list(CLIENT))
    server.recv(inode=0)
    server.close(inode=0)
    (process,) = world(story).processes
    (listener, connection) = world(story).sockets
    assert list(process.table) == [3]
    assert (listener.listening >= 0, connection.listener is not None, len(connection.uses)) == (True, True, 2)


def test_a_fork_that_is_told_after_its_childs_first_calls_still_comes_first() -> None:
    story = Story()
    server = story.process()
    server.listen()
    early = story.process(11)
    early.call("accept", 3, LISTENER, errno="EAGAIN")
    early.close(3, LISTENER)
    server.fork(11)
    parent, child = world(story).processes
    assert child.parent is parent
    assert table(child) == {}
    assert [(one.opened, one.end, len(one.uses)) for one in child.holdings] == [("fork", "closed", 2)]


def test_a_number_of_a_process_given_out_again_is_another_process() -> None:
    story = Story()
    story.process().listen()
    story.process().exits(0)
    story.process().listen(inode=OTHER)
    assert [(one.status, len(one.table)) for one in world(story).processes] == [(0, 1), (None, 1)]


def test_transitions_join_by_inode_by_cookie_and_by_the_address_that_accept_gave() -> None:
    story = Story()
    server = story.process()
    server.listen()
    server.established(("10.0.0.1", 40000))
    server.established(("10.0.0.1", 40001))
    server.accepted(5, OTHER, ("10.0.0.1", 40001))
    server.accepted(4, CONNECTION, ("10.0.0.1", 40000))
    story.state("ESTABLISHED", "CLOSE_WAIT", CONNECTION, ("10.0.0.1", 40000))
    story.state("CLOSE_WAIT", "CLOSE", 0, ("10.0.0.1", 40000))
    by_inode = {socket.inode: socket for socket in world(story).sockets}
    assert [state.new for _, state in by_inode[CONNECTION].states] == ["SYN_RECV", "ESTABLISHED", "CLOSE_WAIT", "CLOSE"]
    assert [state.new for _, state in by_inode[OTHER].states] == ["SYN_RECV", "ESTABLISHED"]
    assert (by_inode[OTHER].local, by_inode[OTHER].remote) == (SERVER, ("10.0.0.1", 40001))
    assert [state.new for _, state in by_inode[LISTENER].states] == ["LISTEN"]


def test_where_accept_gave_no_address_the_queue_is_first_in_first_out() -> None:
    story = Story()
    server = story.process()
    server.listen()
    for port in (40000, 40001):
        server.established(("10.0.0.1", port))
    for fd, inode in ((4, CONNECTION), (5, OTHER)):
        server.call("accept", 3, LISTENER, result=fd, made=inode)
    by_inode = {socket.inode: socket for socket in world(story).sockets}
    assert (by_inode[CONNECTION].remote, by_inode[OTHER].remote) == (("10.0.0.1", 40000), ("10.0.0.1", 40001))


def test_addresses_used_anew_are_another_connection() -> None:
    story = Story()
    server = story.process()
    server.listen()
    server.accept()
    story.state("ESTABLISHED", "CLOSE", CONNECTION)
    server.close()
    before = len(world(story).connections)
    story.add(_with_cookie(story, 77))
    assert len(world(story).connections) == before + 1


def _with_cookie(story: Story, cookie: int) -> Observation:
    story.state("LISTEN", "SYN_RECV", 0)
    return msgspec.structs.replace(story.seen.pop(), cookie=cookie)
