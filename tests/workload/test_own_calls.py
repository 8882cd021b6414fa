"""Steps of netlab's own, made by an agent of a real host: they tell the truth of what ordinary calls did."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from labs import netlab

from netlab.check.result import ScenarioResult
from netlab.run import run_scenario
from netlab.scenario.load import load_scenarios
from netlab.timeline.observations import CallReturned, CallStarted

pytestmark = pytest.mark.netns


def run(folder: Path, steps: str) -> ScenarioResult:
    path = folder / "own.scenario.yaml"
    lines = (line.strip() for line in steps.strip().splitlines())
    path.write_text("topology: one-host\nsteps:\n" + "".join(f"  - host: '{line}'\n" for line in lines if line))
    (scenario,) = load_scenarios(path)
    return run_scenario(scenario)


def holds(folder: Path, steps: str) -> bool:
    verdict = run(folder, steps).verdicts[0]
    assert verdict.outcome == "PASS", (verdict.reason, verdict.mismatches)
    return True


def test_an_address_is_kept_under_a_name_when_its_socket_has_gone(tmp_path: Path) -> None:
    assert holds(
        tmp_path,
        """
        s = socket(AF_INET, SOCK_DGRAM, 0)
        bind(s, 127.0.0.1:0)
        A = addr(s)
        close(s)
        t = socket(AF_INET, SOCK_DGRAM, 0)
        connect(t, @A)
        getpeername(t) -> 0 out @A
        getpeername(t) -> 0 out 127.0.0.1:*
        u = socket(AF_INET6, SOCK_DGRAM, 0)
        connect(u, @A:mapped)
        bind(t, BADPTR) -> EFAULT
        addr(400) -> EBADF
        """,
    )


def test_an_unused_port_refuses_and_can_be_bound(tmp_path: Path) -> None:
    assert holds(
        tmp_path,
        """
        A = unused_port(AF_INET6, SOCK_STREAM) -> 0 out [::1]:*
        c = socket(AF_INET6, SOCK_STREAM, 0)
        connect(c, @A) -> ECONNREFUSED
        l = socket(AF_INET6, SOCK_STREAM, 0)
        bind(l, @A)
        getsockname(l) -> 0 out @A
        getsockname(l) -> 0 out @getsockname:l
        unused_port(AF_UNIX, SOCK_STREAM) -> EAFNOSUPPORT
        """,
    )


@pytest.mark.parametrize("kind", ["SOCK_STREAM", "SOCK_DGRAM", "SOCK_SEQPACKET"])
def test_a_filled_socket_takes_not_one_byte_more(tmp_path: Path, kind: str) -> None:
    assert holds(
        tmp_path,
        f"""
        (a, b) = socketpair(AF_UNIX, {kind}, 0)
        fill(a) -> >=1
        send(a, buf(1), MSG_DONTWAIT) -> EAGAIN
        poll(a, POLLOUT, 0) -> 0
        fill(400) -> EBADF
        fill(-1) -> EBADF
        """,
    )


def test_a_filled_connection_takes_not_one_byte_more(tmp_path: Path) -> None:
    assert holds(
        tmp_path,
        """
        l = socket(AF_INET, SOCK_STREAM, 0)
        setsockopt(l, SOL_SOCKET, SO_RCVBUF, 4096)
        listen(l, 1)
        A = addr(l)
        c = socket(AF_INET, SOCK_STREAM, 0)
        setsockopt(c, SOL_SOCKET, SO_SNDBUF, 4096)
        connect(c, @A:v4)
        a = accept(l)
        fill(c) -> >=4096
        send(c, buf(1), MSG_DONTWAIT) -> EAGAIN
        tcp_state(c) -> 0 out ESTABLISHED
        recv(a, buf(1024), MSG_WAITALL) -> 1024
        shutdown(a, SHUT_WR)
        poll(c, POLLRDHUP, 2000) -> 1 out POLLRDHUP
        tcp_state(c) -> 0 out CLOSE_WAIT
        """,
    )


def test_descriptors_are_compared_counted_and_followed_through_exec(tmp_path: Path) -> None:
    assert holds(
        tmp_path,
        """
        s = socket(AF_INET, SOCK_STREAM, 0)
        z = lowest_free()
        d = dup(s) -> =z
        same_file(s, d) -> 1
        t = socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC, 0)
        same_file(s, t) -> 0
        same_file(s, -1) -> EBADF
        exec_has_fd(s) -> 1
        exec_has_fd(t) -> 0
        exec_has_fd(77) -> 0
        fcntl(t, F_SETFD, 0)
        exec_has_fd(t) -> 1
        setrlimit(RLIMIT_NOFILE, 64)
        fill_fds()
        lowest_free() -> EMFILE
        child(close(s)) -> 0
        child(socket(AF_INET, SOCK_STREAM, 0)) -> EMFILE
        """,
    )


def test_files_are_made_in_a_directory_of_the_process(tmp_path: Path) -> None:
    assert holds(
        tmp_path,
        """
        mkfile("f") -> 0
        access("f", F_OK) -> 0
        access("g", F_OK) -> ENOENT
        s = socket(AF_UNIX, SOCK_STREAM, 0)
        bind(s, unix:f) -> EADDRINUSE
        bind(s, unix:f/x) -> ENOTDIR
        bind(s, unix:s)
        listen(s, 1)
        chmod("s", 0)
        seteuid(65534)
        access("s", W_OK) -> 0
        c = socket(AF_UNIX, SOCK_STREAM, 0)
        connect(c, unix:s) -> EACCES
        """,
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["own.scenario.yaml"]


def test_a_rootless_process_has_a_directory_of_its_own_too() -> None:
    # Not below pytest's own directory, which nobody else may search.
    with TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        path = folder / "own.scenario.yaml"
        path.write_text(
            """
topology: one-host
steps:
  - host: mkfile("f")
  - host: s = socket(AF_UNIX, SOCK_STREAM, 0)
  - host: bind(s, unix:f) -> EADDRINUSE
  - host: bind(s, unix:s)
  - host: exec_has_fd(s) -> 1
"""
        )
        done = netlab("run", path, rootless=True)
        assert done.returncode == 0, done.stdout + done.stderr
        assert [each.name for each in folder.iterdir()] == ["own.scenario.yaml"]


def test_a_call_in_a_child_changes_the_socket_but_not_the_table(tmp_path: Path) -> None:
    assert holds(
        tmp_path,
        """
        s = socket(AF_INET, SOCK_STREAM, 0)
        child(close(s)) -> 0
        child(listen(s, 1)) -> 0
        tcp_state(s) -> 0 out LISTEN
        child(dup(s)) -> fd
        child(getsockopt(s, SOL_SOCKET, SO_ACCEPTCONN)) -> 0 out 1
        child(close(400)) -> EBADF
        (a, b) = socketpair(AF_UNIX, SOCK_STREAM, 0)
        close(b)
        child(send(a, buf(1), 0)) -> EPIPE
        default(SIGPIPE)
        child(send(a, buf(1), 0)) -> signal SIGPIPE
        child(send(a, buf(1), MSG_NOSIGNAL)) -> EPIPE
        (x, y) = socketpair(AF_UNIX, SOCK_STREAM, 0)
        child(write(x, "abc")) -> 3
        child(read(y, buf(8))) -> 3 out "abc"
        """,
    )


def test_a_call_that_is_put_off_comes_when_it_is_due_and_is_told_as_a_call_of_its_own(tmp_path: Path) -> None:
    put_off = run(
        tmp_path,
        """
        (x, y) = socketpair(AF_UNIX, SOCK_STREAM, 0)
        after(150, write(x, "late")) -> 0
        read(y, buf(8)) -> 4 out "late"
        """,
    )
    assert put_off.verdicts[0].outcome == "PASS", put_off.verdicts[0].mismatches
    started = {one.call: one for one in put_off.timeline.observations if isinstance(one, CallStarted)}
    assert list(started) == ["socketpair", "after", "read", "write"]
    assert started["write"].text == 'host: write(x, "late")'
    assert started["write"].time - started["after"].time >= 150_000_000
    returned = {one.id: one.result for one in put_off.timeline.observations if isinstance(one, CallReturned)}
    assert [returned[one.id] for one in started.values()] == [0, 0, 4, 4]


def test_a_shell_finds_its_way_where_the_agent_is(tmp_path: Path) -> None:
    """The agent's directory has no path: a shell that looked for one would complain, and relative names would still be right."""
    assert holds(
        tmp_path,
        """
        s = socket(AF_UNIX, SOCK_STREAM, 0)
        bind(s, unix:here)
        system("sh -n /dev/null 2>said && test -S here") -> 0
        system("test ! -s said") -> 0
        """,
    )
