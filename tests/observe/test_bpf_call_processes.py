"""The observer of system calls on whole programs: threads, forks, execs, signals and ends."""

import signal
import subprocess
import sys
import time

import pytest
from calls_watched import INTERNET, LIMIT, RECEIVES, RECVFROM, WRITES, Watched, sleeping_in, told, wait_until

from netlab.timeline.process_events import ProcessExecuted, ProcessExited, ProcessForked, SignalDelivered, SystemCall

pytestmark = pytest.mark.bpf


def test_a_static_program_with_threads(watched: Watched, static_program: str) -> None:
    with watched.popen(static_program, "threads") as program:
        program.wait(LIMIT)
    watched.until(lambda: any(isinstance(each, ProcessExited) for each in watched.of(program.pid)))
    seen = watched.of(program.pid)
    [forked] = [each for each in seen if isinstance(each, ProcessForked) and each.thread]
    first, second = (watched.calls(tid=tid) for tid in (program.pid, forked.tid))
    started = next(index for index, call in enumerate(first) if call.call == "socket")
    there = first[started + 2].arguments["address"]
    here = [call.arguments.get("flags", []) for call in first if call.call == "socket"]
    assert here == [["SOCK_CLOEXEC"]]
    served = [call for call in first[started:] if call.call not in ("clone", "clone3")]
    names = ["socket", "bind", "getsockname", "listen", "accept4", "recvfrom", "write", "close", "close"]
    assert [(call.call, call.errno) for call in served] == [(name, "") for name in names]
    listener, accepted = served[0].made, served[4].made
    assert [call.inode for call in served] == [0, listener, listener, listener, listener, accepted, accepted, accepted, listener]
    fd = second[0].result
    assert [told(call) for call in second] == [
        ("socket", -1, {**INTERNET, "type": "SOCK_STREAM"}, fd),
        ("connect", fd, {"address": there}, 0),
        ("sendto", fd, {"length": 5, "flags": ["MSG_NOSIGNAL"]}, 5),
        ("recvfrom", fd, {"length": 8}, 3),
        ("close", fd, {}, 0),
    ]
    assert {call.pid for call in second} == {program.pid}
    assert (forked.parent, forked.pid, forked.program) == (program.pid, program.pid, "calls_program")
    assert [each.status for each in seen if isinstance(each, ProcessExited)] == [7]


def test_a_thread_that_executes_becomes_the_process(watched: Watched, static_program: str) -> None:
    with watched.popen(static_program, "exec") as program:
        program.wait(LIMIT)
    watched.until(lambda: any(isinstance(each, ProcessExited) for each in watched.of(program.pid)))
    seen = watched.of(program.pid)
    [thread] = [each.tid for each in seen if isinstance(each, ProcessForked) and each.thread]
    executed = [(each.pid, each.path) for each in seen if isinstance(each, ProcessExecuted)]
    assert executed == [(program.pid, static_program)] * 2
    [second] = watched.calls("execve", tid=thread)
    assert told(second) == ("execve", -1, {"path": static_program}, 0)
    assert [each.status for each in seen if isinstance(each, ProcessExited)] == [0]


def test_threads_that_the_kernel_ends_were_sent_no_signal(watched: Watched, static_program: str) -> None:
    with watched.popen(static_program, "leaves") as program:
        program.wait(LIMIT)
    watched.until(lambda: any(isinstance(each, ProcessExited) for each in watched.of(program.pid)))
    assert [each for each in watched.of(program.pid) if isinstance(each, SignalDelivered)] == []
    assert [each.status for each in watched.of(program.pid) if isinstance(each, ProcessExited)] == [5]


INHERITS = """
import os, socket, sys
kept, dropped = socket.socket(), socket.socket()
os.set_inheritable(kept.fileno(), True)
print(kept.fileno(), dropped.fileno(), flush=True)
pid = os.fork()
if not pid:
    os.execv("/bin/sh", ["sh", "-c", f"exec 3>&- {kept.fileno()}>&-; exit 4"])
os.waitpid(pid, 0)
"""


def test_a_fork_an_exec_and_close_on_exec(watched: Watched) -> None:
    with watched.popen(sys.executable, "-S", "-c", INHERITS, stdout=subprocess.PIPE) as program:
        assert program.stdout is not None
        kept, dropped = map(int, program.stdout.read().split())
    watched.until(lambda: any(isinstance(each, ProcessExited) for each in watched.of(program.pid)))
    [forked] = [each for each in watched.of(program.pid) if isinstance(each, ProcessForked) and each.parent == program.pid]
    seen = watched.of(forked.pid)
    inode = next(call.made for call in watched.calls("socket", tid=program.pid) if call.result == kept)
    story = [type(each).__name__ for each in seen if not isinstance(each, SystemCall)]
    assert story == ["ProcessForked", "ProcessExecuted", "ProcessExited"]
    assert [(each.path, each.program) for each in seen if isinstance(each, ProcessExecuted)] == [("/bin/sh", "sh")]
    assert [each.status for each in seen if isinstance(each, ProcessExited)] == [4]
    # Across the exec it is the same socket, under the same number; the other is gone, and nothing closed it.
    after = [call for call in watched.calls(tid=forked.pid) if call.program == "sh"]
    assert (kept, inode) in [(call.fd, call.inode) for call in after]
    assert dropped not in [call.fd for call in after]
    inheritable = [call for call in watched.calls("ioctl", "fcntl", tid=program.pid) if call.fd == kept]
    assert [told(call)[2] for call in inheritable] in ([{"command": "FIONCLEX"}], [{"command": "F_SETFD", "value": []}])


def test_a_process_killed_inside_a_call_never_returned_from_it(watched: Watched) -> None:
    with watched.popen(sys.executable, "-S", "-c", RECEIVES) as program:
        wait_until(lambda: sleeping_in(program.pid, RECVFROM))
        program.kill()
    watched.until(lambda: any(isinstance(each, ProcessExited) for each in watched.of(program.pid)))
    seen = watched.of(program.pid)
    [call] = watched.calls("recvfrom", tid=program.pid)
    assert (call.returned, call.result, call.errno, call.arguments) == (False, 0, "", {"length": 10})
    assert call.inode == watched.calls("socket", tid=program.pid)[0].made
    assert [(each.signal, each.handled) for each in seen if isinstance(each, SignalDelivered)] == [("SIGKILL", False)]
    [exited] = [each for each in seen if isinstance(each, ProcessExited)]
    assert (exited.status, exited.time) == (-signal.SIGKILL, call.time)


def test_a_death_by_sigpipe(watched: Watched) -> None:
    with watched.popen(sys.executable, "-S", "-c", WRITES) as program:
        program.wait(LIMIT)
    watched.until(lambda: any(isinstance(each, ProcessExited) for each in watched.of(program.pid)))
    seen = watched.of(program.pid)
    assert [call.errno for call in watched.calls("sendto", tid=program.pid)] == ["EPIPE"]
    assert [(each.signal, each.handled) for each in seen if isinstance(each, SignalDelivered)] == [("SIGPIPE", False)]
    assert [each.status for each in seen if isinstance(each, ProcessExited)] == [-signal.SIGPIPE]


@pytest.mark.parametrize(("part", "errno"), [("interrupted", "EINTR"), ("restarted", "ERESTARTSYS")])
def test_a_signal_with_a_handler_ends_a_call_or_has_it_made_again(
    watched: Watched, static_program: str, part: str, errno: str
) -> None:
    with watched.popen(static_program, part, stdout=subprocess.PIPE) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "ready\n"
        wait_until(lambda: sleeping_in(program.pid, RECVFROM))
        program.send_signal(signal.SIGUSR1)
        watched.until(lambda: watched.calls("recvfrom", tid=program.pid))
        wait_until(lambda: sleeping_in(program.pid, RECVFROM))
        program.terminate()
    watched.until(lambda: any(isinstance(each, ProcessExited) for each in watched.of(program.pid)))
    seen = watched.of(program.pid)
    assert [told(call)[3] for call in watched.calls("recvfrom", tid=program.pid)] == [errno, "inside"]
    signals = [(each.signal, each.handled) for each in seen if isinstance(each, SignalDelivered)]
    assert signals == [("SIGUSR1", True), ("SIGTERM", False)]


def test_a_call_under_way_at_the_end_did_not_return(watched: Watched) -> None:
    with watched.popen(sys.executable, "-S", "-c", RECEIVES) as program:
        wait_until(lambda: sleeping_in(program.pid, RECVFROM))
        before = time.time_ns()
        watched.seen += watched.observer.stop()
        program.kill()
    [call] = [each for each in watched.of(program.pid) if isinstance(each, SystemCall) and each.call == "recvfrom"]
    assert not call.returned
    assert call.began < before < call.time
    assert watched.observer.stop() == []
