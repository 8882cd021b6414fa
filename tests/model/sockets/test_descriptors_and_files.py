"""What the model allows of descriptors, pipes, files and processes, in a world of one host; no kernel."""

import pytest
from model.sockets.worlds import after, allowed, call, done, one_host

from netlab.model.sockets.beginning import with_process
from netlab.model.sockets.calls.pipes import PAGE, PAGES, emptied, filled
from netlab.model.sockets.oracle import Oracle
from netlab.model.sockets.outcomes import Seen
from netlab.model.sockets.world import Host, World

TCP = "s = socket(AF_INET, SOCK_STREAM, 0)"
PIPE = "(p, q) = pipe()"


@pytest.mark.parametrize(
    ("setup", "step", "outcome"),
    [
        ((TCP,), "close(s)", "0"),
        ((TCP, "close(s)"), "close(s)", "EBADF"),
        ((TCP,), "dup2(s, -1)", "EBADF"),
        ((TCP,), "dup2(s, 1024)", "EBADF"),
        ((TCP,), "dup2(s, s)", "fd"),
        ((TCP,), "dup3(s, s, 0)", "EINVAL"),
        ((TCP,), "dup3(99, 40, 1)", "EINVAL"),
        ((TCP,), "dup3(99, 40, 0)", "EBADF"),
        ((TCP,), "fcntl(s, F_DUPFD, -1)", "EINVAL"),
        ((TCP, "setrlimit(RLIMIT_NOFILE, 64)", "fill_fds()"), "fcntl(s, F_DUPFD, 1)", "EMFILE"),
        ((TCP, "setrlimit(RLIMIT_NOFILE, 64)", "fill_fds()"), "socket(AF_INET, SOCK_STREAM, 0)", "EMFILE"),
        ((TCP, "setrlimit(RLIMIT_NOFILE, 64)", "fill_fds()"), "socket(99, SOCK_STREAM, 0)", "EAFNOSUPPORT"),
        ((TCP, "setrlimit(RLIMIT_NOFILE, 64)", "fill_fds()"), "socketpair(99, SOCK_STREAM, 0)", "EMFILE"),
        ((TCP, "d = dup(s)", "fcntl(s, F_SETFD, FD_CLOEXEC)"), "fcntl(d, F_GETFD)", "0"),
        ((TCP, "d = dup(s)", "fcntl(s, F_SETFL, O_NONBLOCK)"), "fcntl(d, F_GETFL)", "2050"),
        ((TCP, "fcntl(s, F_SETFD, FD_CLOEXEC)"), "exec_has_fd(s)", "0"),
        ((TCP, "d = dup(s)"), "same_file(s, d)", "1"),
        ((TCP,), "fcntl(s, 999)", "EINVAL"),
        ((TCP,), "lseek(s, 0, SEEK_SET)", "ESPIPE"),
        ((TCP,), "lseek(s, 0, 9)", "EINVAL"),
        ((TCP,), "pread(s, buf(1), 0)", "ESPIPE"),
        ((TCP,), "pread(99, buf(1), -1)", "EINVAL"),
        ((PIPE,), "same_file(p, q)", "1"),
        ((PIPE,), "write(p, \"x\")", "EBADF"),
        ((PIPE,), "read(p, buf(1))", "blocks"),
        ((PIPE, "close(q)"), "read(p, buf(1))", '0 out ""'),
        ((PIPE, 'write(q, "hello")'), "read(p, buf(2))", '2 out "he"'),
        ((PIPE, "close(p)"), 'write(q, "x")', "EPIPE"),
        ((PIPE, "close(p)", "default(SIGPIPE)"), 'write(q, "x")', "signal SIGPIPE"),
        ((PIPE, "close(p)", "handle(SIGPIPE)"), 'write(q, "x")', "EPIPE and SIGPIPE"),
        (('n = open("/dev/null", O_WRONLY)',), 'write(n, "xy")', "2"),
        (('n = open("/dev/null", O_WRONLY)',), "read(n, buf(1))", "EBADF"),
        (("u = socket(AF_UNIX, SOCK_STREAM, 0)", "bind(u, unix:s1)"), 'open("s1", O_RDWR)', "ENXIO"),
        ((), 'open("no", O_RDWR)', "ENOENT"),
        (('mkfile("f")',), 'open("f/x", O_RDWR)', "ENOTDIR"),
        (('mkfile("f")',), 'open("f", O_CREAT|O_EXCL)', "EEXIST"),
        ((), "setrlimit(RLIMIT_NOFILE, 20, 10)", "EINVAL"),
        (("seteuid(5)",), "seteuid(6)", "EPERM"),
        (("seteuid(5)",), "seteuid(0)", "0"),
        ((), "kill(SIGCHLD)", "0"),
        ((), "kill(SIGTERM)", "signal SIGTERM"),
        (("handle(SIGTERM)",), "kill(SIGTERM)", "0"),
        ((TCP,), "child(close(s))", "0"),
        ((TCP,), "child(getsockname(99))", "EBADF"),
    ],
)  # fmt: skip
def test_what_comes_of_a_call(setup: tuple[str, ...], step: str, outcome: str) -> None:
    assert allowed(after(one_host(), *setup), step) == {outcome}


def test_the_lowest_free_number_is_taken() -> None:
    oracle = after(one_host(), TCP, "t = socket(AF_INET, SOCK_DGRAM, 0)", "close(s)")
    assert done(oracle, "u = dup(t)").outcome.shown()["fd"] == 3
    assert done(oracle, "v = fcntl(t, F_DUPFD, 10)").outcome.shown()["fd"] == 10
    assert done(oracle, "close(0)").outcome.shown() == {"ret": 0}
    assert done(oracle, "w = socket(AF_INET, SOCK_STREAM, 0)").outcome.shown()["fd"] == 0


def test_dup2_closes_what_was_there() -> None:
    oracle = after(one_host(), TCP, "t = socket(AF_INET, SOCK_STREAM, 0)", "bind(t, 127.0.0.1:7000)", "dup2(s, t)")
    assert allowed(oracle, "same_file(s, t)") == {"1"}
    assert allowed(oracle, "bind(s, 127.0.0.1:7000)") == {"0"}, "the port is free again"


def test_a_child_s_close_is_its_own() -> None:
    oracle = after(one_host(), PIPE, "c = fork()")
    for process in ("host", "host/c"):
        assert allowed(oracle, "same_file(p, q)", process) == {"1"}
    done(oracle, "close(q)", "host")
    assert allowed(oracle, "read(p, buf(1))", "host") == {"blocks"}, "the child can still write"
    done(oracle, "exit(0)", "host/c")
    assert allowed(oracle, "read(p, buf(1))", "host") == {'0 out ""'}


def test_a_signal_ends_a_call_that_waits_unless_it_is_to_go_on() -> None:
    for flags, outcome in (("", "EINTR"), (", SA_RESTART", "blocks")):
        oracle = after(one_host(), PIPE, f"handle(SIGUSR1{flags})")
        reading = oracle.start("host", call("read(p, buf(1))"))
        assert oracle.blocked(reading).inconsistency is None
        assert oracle.returned(oracle.start("host", call("interrupt(SIGUSR1)")), Seen(result=1)).inconsistency is None
        if outcome == "EINTR":
            assert oracle.returned(reading, Seen(result=-1, errno="EINTR")).inconsistency is None
        else:
            assert oracle.blocked(reading).inconsistency is None


def test_a_process_that_dies_lets_go_of_everything() -> None:
    oracle = after(one_host(), PIPE, "c = fork()", "host: close(q)")
    done(oracle, "kill(SIGKILL)", "host/c")
    assert allowed(oracle, "read(p, buf(1))", "host") == {'0 out ""'}


def test_a_pipe_takes_sixteen_pages() -> None:
    pages, left = filled((), 3)
    pages, left = filled(pages, PAGE * PAGES)
    assert (left, len(pages)) == (PAGE, PAGES)
    pages = emptied(pages, PAGE)
    assert pages[0] == (PAGE, PAGE - (PAGE - 3)), "a page is free again only when all of it has been read"


def test_small_writes_share_a_page_and_large_ones_do_not() -> None:
    pages: tuple[tuple[int, int], ...] = ()
    for _ in range(PAGE):
        pages, left = filled(pages, 1)
        assert left == 0
    assert pages == ((PAGE, PAGE),)
    pages, _ = filled((), PAGE // 2 + 1)
    pages, _ = filled(pages, PAGE // 2 + 1)
    assert len(pages) == 2


def test_a_call_that_waits_keeps_what_is_closed_meanwhile() -> None:
    oracle = after(one_host(), PIPE)
    reading = oracle.start("host", call("read(p, buf(5))"))
    assert oracle.blocked(reading).inconsistency is None
    after(oracle, "close(p)")
    assert allowed(oracle, "read(3, buf(1))") == {"EBADF"}
    assert done(oracle, "t = dup(1)").outcome.shown()["fd"] == 3, "the number is free"
    assert allowed(oracle, 'write(q, "hello")') == {"5"}, "somebody still reads"
    after(oracle, 'write(q, "hello")')
    assert oracle.returned(reading, Seen(result=5, out='"hello"')).inconsistency is None
    assert allowed(oracle, 'write(q, "x")') == {"EPIPE"}, "and now nobody does"


@pytest.mark.parametrize(
    ("step", "outcomes"),
    [
        ("t = dup2(s, 1500)", {"fd", "EBADF"}),
        ("t = dup2(s, 1023)", {"fd"}),
        ("t = dup2(s, -1)", {"EBADF"}),
        ("fcntl(s, F_DUPFD, 1500)", {"fd", "EINVAL", "EMFILE"}),
        ("fill_fds()", None),
    ],
)
def test_what_hangs_on_a_limit_that_nobody_told_is_open(step: str, outcomes: set[str] | None) -> None:
    hosts = {"host": Host(name="host")}
    oracle = Oracle(with_process(World(hosts=hosts, certain=False), "host", "host", limited=False))
    after(oracle, "s = socket(AF_INET, SOCK_STREAM, 0)")
    assert allowed(oracle, step) == outcomes
    after(oracle, "setrlimit(RLIMIT_NOFILE, 1024, 1024)")
    assert len(allowed(oracle, step) or ()) == 1


def test_who_fills_all_numbers_up_to_an_unknown_limit_has_none_left() -> None:
    hosts = {"host": Host(name="host")}
    oracle = Oracle(with_process(World(hosts=hosts, certain=False), "host", "host", limited=False))
    after(oracle, "s = socket(AF_INET, SOCK_STREAM, 0)")
    assert not oracle.returned(oracle.start("host", call("fill_fds()")), Seen(result=19000)).judged
    assert oracle.returned(oracle.start("host", call("dup(s)")), Seen(result=-1, errno="EMFILE")).inconsistency is None
