"""The calls of real programs, traced by strace without root: in a lab, and beside the BPF source in the very same run."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from networks import one_host, two_hosts

from netlab.lab.lab import Lab
from netlab.observe.calls import CallObserver
from netlab.observe.strace import NO_PID, StraceObserver, Trace
from netlab.timeline.observations import AnyObservation
from netlab.timeline.process_events import ProcessExecuted, ProcessExited, ProcessForked, SignalDelivered, SystemCall

PROGRAM = Path(__file__).with_name("strace_program.py")
PYTHON = [sys.executable, "-I", "-S"]
_SO_NETNS_COOKIE = 71
pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed; fix: apt-get install strace")


def observer() -> StraceObserver:
    made = StraceObserver()
    made.start()
    assert made.report().reason == ""
    return made


def traced(lab: Lab, host: str, argv: Sequence[str], source: StraceObserver, **options: Any) -> tuple[int, int]:
    """Run a program to its end: its pid and its exit status."""
    trace = source.trace(host)
    with lab[host].popen(trace.command(argv), **options) as program:
        trace.follow(program.pid)
        return program.pid, program.wait(20)


def of(kind: type, seen: Sequence[AnyObservation]) -> list[Any]:
    return [one for one in seen if isinstance(one, kind)]


@pytest.mark.netns
def test_a_program_in_a_lab_is_seen_from_its_exec_to_its_exit() -> None:
    source = observer()
    program = "import socket,os; s=socket.socket(); s.bind(('10.0.0.2', 7)); s.listen(3); s.close(); os._exit(7)"
    with Lab(two_hosts()) as lab:
        pid, status = traced(lab, "server", [*PYTHON, "-c", program], source)
        seen = source.stop()
    assert status == 7
    executed, ended = seen[0], seen[-1]
    assert (of(ProcessExecuted, seen), of(ProcessExited, seen)) == ([executed], [ended])
    assert isinstance(ended, ProcessExited)
    assert (ended.host, ended.pid, ended.status) == ("server", pid, 7)
    calls = [one for one in of(SystemCall, seen) if one.inode or one.made]
    inode = calls[0].made
    assert inode > 0
    assert [(one.call, one.arguments, one.result) for one in calls] == [
        (
            "socket",
            {"domain": "AF_INET", "type": "SOCK_STREAM", "flags": ["SOCK_CLOEXEC"], "protocol": "IPPROTO_IP"},
            calls[1].fd,
        ),
        ("bind", {"address": ["10.0.0.2", 7]}, 0),
        ("listen", {"backlog": 3}, 0),
        ("close", {}, 0),
    ]
    assert {one.inode for one in calls[1:]} == {inode}
    assert all(one.began <= one.time and (one.pid, one.tid) == (pid, pid) for one in calls)
    report = source.report()
    assert (report.available, report.lost, report.seen, report.notes) == (True, 0, len(seen), ())
    assert 0 < report.uncertainty < 1_000_000


@pytest.mark.netns
def test_processes_have_the_numbers_that_they_have_outside() -> None:
    source = observer()
    with Lab(one_host()) as lab:
        trace = source.trace("host")
        command = trace.command(["sh", "-c", "true & sleep 60 & read line; kill $!; wait"])
        with lab["host"].popen(command, stdin=subprocess.PIPE) as shell:
            trace.follow(shell.pid)
            seen: list[AnyObservation] = []
            while not any(one.path.endswith("sleep") for one in of(ProcessExecuted, seen)):
                seen += source.drain()
            forks = of(ProcessForked, seen)
            children = Path(f"/proc/{shell.pid}/task/{shell.pid}/children").read_text().split()
            assert {int(child) for child in children} <= {one.pid for one in forks}
            assert all(one.parent == shell.pid and (one.pid < NO_PID) for one in forks)
            assert shell.stdin is not None
            shell.stdin.write(b"\n")
            shell.stdin.close()
            shell.wait(20)
        seen += source.stop()
    assert {one.pid for one in of(ProcessExited, seen)} == {shell.pid, *(one.pid for one in forks)}
    (sleep,) = [one.pid for one in of(ProcessExecuted, seen) if one.path.endswith("sleep")]
    assert [(one.signal, one.handled) for one in of(SignalDelivered, seen) if one.pid == sleep] == [("SIGTERM", False)]
    assert [one.status for one in of(ProcessExited, seen) if one.pid == sleep] == [-signal.SIGTERM]


@pytest.mark.netns
def test_signals_and_the_end_are_the_programs_own() -> None:
    source = observer()
    with Lab(one_host()) as lab:
        trace = source.trace("host")
        with lab["host"].popen(trace.command(["sleep", "60"])) as program:
            trace.follow(program.pid)
            seen: list[AnyObservation] = []
            while not of(ProcessExecuted, seen):
                seen += source.drain()
            program.terminate()
            assert program.wait(20) == -signal.SIGTERM
        seen += source.stop()
    assert [one.status for one in of(ProcessExited, seen)] == [-signal.SIGTERM]


@pytest.mark.netns
def test_what_still_runs_at_the_end_is_inside_its_call() -> None:
    source = observer()
    program = "import socket; s=socket.socket(); s.bind(('127.0.0.1', 0)); s.listen(); print(flush=True); s.accept()"
    with Lab(one_host()) as lab:
        trace = source.trace("host")
        with lab["host"].popen(trace.command([*PYTHON, "-c", program]), stdout=subprocess.PIPE) as server:
            trace.follow(server.pid)
            assert server.stdout is not None
            server.stdout.readline()
            seen: list[AnyObservation] = []
            while Path(f"/proc/{server.pid}/syscall").read_text().split()[0] != "288":
                seen += source.drain()
            seen += source.stop()
    (inside,) = [one for one in of(SystemCall, seen) if not one.returned]
    assert (inside.call, inside.arguments, inside.errno) == ("accept4", {}, "")
    assert not of(ProcessExited, seen)
    assert source.report().available


@pytest.mark.netns
def test_nothing_is_lost_of_a_thousand_calls_that_nobody_reads_meanwhile() -> None:
    source = observer()
    program = "import socket\na, b = socket.socketpair()\nfor number in range(1000): a.send(bytes(64)); b.recv(64)"
    with Lab(one_host()) as lab:
        traced(lab, "host", [*PYTHON, "-c", program], source)
        calls = of(SystemCall, source.stop())
    assert [sum(one.call == name for one in calls) for name in ("sendto", "recvfrom")] == [1000, 1000]
    assert source.report().lost == 0


@pytest.mark.netns
def test_the_folder_of_the_pipe_is_gone_when_the_program_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    source = observer()
    with Lab(one_host()) as lab:
        traced(lab, "host", ["true"], source)
        source.stop()
    assert os.listdir(tmp_path) == []


def test_a_machine_without_strace_says_how_to_get_it() -> None:
    source = StraceObserver(strace="no-such-strace")
    source.start()
    report = source.report()
    assert not report.available
    assert report.reason == "strace is not installed; fix: apt-get install strace (or your distribution's command)"
    assert source.stop() == []


def test_a_trace_in_which_nothing_was_written_says_so() -> None:
    source = observer()
    trace = source.trace("host")
    assert isinstance(trace, Trace)
    assert source.stop() == []
    assert not source.report().available
    assert "wrote nothing in host" in source.report().reason


@pytest.mark.bpf
def test_the_same_run_is_the_same_by_strace_as_by_bpf(make_namespace: Callable[[], ThreadPoolExecutor]) -> None:
    namespace = make_namespace()
    kernel, source = CallObserver({namespace.submit(cookie_here).result(): "node"}), observer()
    kernel.start()
    assert kernel.report().reason == ""
    trace = source.trace("node")
    command = trace.command([sys.executable, "-I", "-S", str(PROGRAM)])
    with namespace.submit(subprocess.Popen, command).result() as program:
        trace.follow(program.pid)
        assert program.wait(60) == -signal.SIGPIPE
    seen, expected = source.stop(), kernel.stop()
    assert (source.report().lost, kernel.report().lost) == (0, 0)
    threads = {program.pid, *(one.tid for one in of(ProcessForked, seen))}
    assert len(threads) == 7
    for tid in threads:
        assert told(seen, tid) == told(expected, tid)


def cookie_here() -> int:
    with socket.socket() as made:
        return int.from_bytes(made.getsockopt(socket.SOL_SOCKET, _SO_NETNS_COOKIE, 8), "little")


def told(seen: Sequence[AnyObservation], tid: int) -> list[tuple[Any, ...]]:
    """What a thread did in the order in which it ended; of the first, since it is no strace any more."""
    found = [fact for one in seen if (fact := fact_of(one)) and fact[1] == tid]
    begins = next((place for place, fact in enumerate(found) if fact[0] == "exec" and "strace" not in fact[-1]), 0)
    return found[begins:]


def fact_of(one: AnyObservation) -> tuple[Any, ...] | None:
    """All that both sources say of it but for its time. A signal that nobody handles is delivered to whom strace traces, only."""
    match one:
        case SystemCall():
            arguments = one.arguments if one.returned else {}  # strace prints the rest when it returns
            return one.call, one.tid, one.pid, one.fd, one.inode, one.made, arguments, one.result, one.errno, one.returned
        case ProcessForked():
            return "fork", one.tid, one.parent, one.pid, one.thread
        case ProcessExecuted():
            return "exec", one.pid, one.program, one.path
        case ProcessExited():
            return "exit", one.pid, one.program, one.status
        case SignalDelivered() if one.signal != "SIGCHLD":
            return "signal", one.tid, one.pid, one.signal, one.handled
    return None
