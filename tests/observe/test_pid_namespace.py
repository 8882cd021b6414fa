"""Processes of a lab by their numbers inside and outside, and what /proc says of them."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from networks import one_host

from netlab.lab.lab import Lab
from netlab.lab.process import Process
from netlab.observe.pid_namespace import PidNamespace
from netlab.observe.procfs import descriptors, ignored_signals, is_running

pytestmark = pytest.mark.netns
PYTHON = [sys.executable, "-I", "-S", "-c"]


def running(lab: Lab, program: str) -> Process:
    return lab["host"].popen([*PYTHON, program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def ready(program: Process) -> str:
    assert program.stdout is not None
    return str(program.stdout.readline().decode().strip())


@pytest.mark.parametrize("way", ["asked", "searched"])
def test_a_thread_of_a_lab_is_found_by_its_number_there(way: str) -> None:
    program = "import os, threading\n"
    program += "t = threading.Thread(target=lambda: (print(os.getpid(), threading.get_native_id(), flush=True), input()))\n"
    with Lab(one_host()) as lab, running(lab, f"{program}t.start(); t.join()") as started:
        process, thread = map(int, ready(started).split())
        space = PidNamespace.of(started.pid)
        outer = space.outer if way == "asked" else space._searched
        assert outer(process) == started.pid
        assert Path(f"/proc/{started.pid}/task/{outer(thread)}").exists()
        assert outer(thread) != started.pid
        assert outer(4_000_000) == 0
        space.close()


def test_a_process_that_is_gone_has_no_namespace() -> None:
    with Lab(one_host()) as lab, lab["host"].popen(["true"]) as program:
        program.wait(10)
        with pytest.raises(OSError, match=f"/proc/{program.pid}/ns/pid"):
            PidNamespace.of(program.pid)
        assert not is_running(program.pid)
        assert ignored_signals(program.pid) == ()
        assert descriptors("host", program.pid) == []


def test_signals_that_a_process_ignores_are_named() -> None:
    ignoring = "import signal; signal.signal(signal.SIGUSR2, signal.SIG_IGN); print(flush=True); input()"
    with Lab(one_host()) as lab, running(lab, ignoring) as program:
        ready(program)
        assert {"SIGUSR2", "SIGPIPE"} <= set(ignored_signals(program.pid))
        assert signal.SIGTERM.name not in ignored_signals(program.pid)
        assert is_running(program.pid)


def test_descriptors_are_told_with_what_they_are() -> None:
    opening = "import socket; a, b = socket.socket(), socket.socket(); b.set_inheritable(True)\n"
    opening += "print(a.fileno(), b.fileno(), flush=True); input()"
    with Lab(one_host()) as lab, running(lab, opening) as program:
        private, inherited = map(int, ready(program).split())
        seen = {one.fd: one for one in descriptors("host", program.pid)}
        assert (seen[private].close_on_exec, seen[inherited].close_on_exec) == (True, False)
        assert seen[private].target == os.readlink(f"/proc/{program.pid}/fd/{private}")
        assert seen[private].target.startswith("socket:[")
        name = Path(f"/proc/{program.pid}/comm").read_text().strip()
        assert {(one.host, one.pid, one.program) for one in seen.values()} == {("host", program.pid, name)}


def test_a_number_of_our_own_namespace_is_the_same_on_both_sides() -> None:
    space = PidNamespace.of(os.getpid())
    assert space.outer(os.getpid()) == os.getpid()
    space.close()
