"""A program in the foreground: in its node, on the caller's streams, with a pid, and gone with the lab."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from labs import alive, until

from netlab.lab.foreground import Foreground
from netlab.lab.lab import Lab
from netlab.topology.load import load_topology

pytestmark = pytest.mark.netns


def ended(program: Foreground) -> int:
    assert until(lambda: program.poll() is not None)
    status = program.poll()
    assert status is not None
    return status


def read(fd: int, condition: Callable[[bytes], bool]) -> bytes:
    data, deadline = b"", time.monotonic() + 20
    while not condition(data) and time.monotonic() < deadline:
        data += os.read(fd, 4096)
    return data


def test_it_runs_in_the_node_with_its_environment_and_its_own_pid() -> None:
    with Lab(load_topology("two-hosts"), programs=True) as lab:
        reading, writing = os.pipe()
        script = "hostname; echo $$ $GREETING; exec sleep inf"
        with Foreground(
            lab, lab["client"], ["sh", "-c", script], env={**os.environ, "GREETING": "hello"}, stdout=writing
        ) as program:
            os.close(writing)
            told = read(reading, lambda data: data.count(b"\n") == 2).decode().split()
            assert (told[0], told[2]) == ("client", "hello")
            assert program.poll() is None
            pid = program.await_pid()
            with open(f"/proc/{pid}/status") as status:
                numbers = next(line.split()[1:] for line in status if line.startswith("NSpid:"))
            assert (numbers[0], numbers[-1]) == (str(pid), told[1])
        assert not alive(pid)
        os.close(reading)


def test_signals_reach_it_and_its_end_is_told() -> None:
    with Lab(load_topology("one-host"), programs=True) as lab:
        with Foreground(lab, lab["host"], ["sleep", "inf"]) as program:
            program.await_pid()
            assert until(lambda: Path(f"/proc/{program.pid}/comm").read_text() == "sleep\n")
            program.send_signal(signal.SIGTERM)
            assert ended(program) == -signal.SIGTERM
            program.send_signal(signal.SIGTERM)  # to nobody
        with Foreground(lab, lab["host"], ["sh", "-c", "exit 9"]) as program:
            assert ended(program) == 9


def test_it_dies_with_the_lab() -> None:
    with Lab(load_topology("one-host"), programs=True) as lab:
        program = Foreground(lab, lab["host"], ["sleep", "inf"])
        assert program.await_pid()
    assert until(lambda: not alive(program.pid))
    program.close()


@pytest.mark.parametrize(("argv", "status"), [(["/no/such"], 127), (["/etc/passwd"], 126)])
def test_what_cannot_be_executed(argv: list[str], status: int, capfd: pytest.CaptureFixture[str]) -> None:
    with Lab(load_topology("one-host"), programs=True) as lab, Foreground(lab, lab["host"], argv) as program:
        assert ended(program) == status
    assert argv[0] in capfd.readouterr().err
