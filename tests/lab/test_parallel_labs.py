"""Labs beside one another, inside of one another, in threads, and in processes that fork: each is its own, and ends with its owner."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from labs import UNPRIVILEGED, below
from networks import two_hosts

from netlab.lab.lab import Lab

pytestmark = pytest.mark.netns

PRIVILEGES = pytest.mark.parametrize("rootless", [False, True], ids=["", "rootless"])
TESTS = Path(__file__).parent.parent
PRELUDE = f"""
import json, os, socket, subprocess, sys, time
sys.path[:0] = [{str(TESTS.parent)!r}, {str(TESTS)!r}]
from networks import one_host, two_hosts
from netlab.errors import LabError
from netlab.lab.lab import Lab

def tell(value):
    print(json.dumps(value), flush=True)

def hello(lab, word=b"hello"):
    with lab["server"].socket() as listener, lab["client"].socket() as client:
        listener.settimeout(5); client.settimeout(5)
        listener.bind(("10.0.0.2", 8080)); listener.listen()
        client.connect(("10.0.0.2", 8080))
        client.sendall(word)
        accepted, _ = listener.accept()
        with accepted:
            return accepted.recv(100).decode()
"""


def started(script: str, *, rootless: bool = False, **options: Any) -> "subprocess.Popen[str]":
    """A program that builds labs, as root or as a user without rights."""
    argv = [*(UNPRIVILEGED if rootless else []), sys.executable, "-W", "error", "-c", PRELUDE + script]
    return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def told(process: "subprocess.Popen[str]") -> list[Any]:
    """What it tells, when it has ended, having complained of nothing."""
    with process:
        output, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    return [json.loads(line) for line in output.splitlines()]


def exchange(lab: Lab, word: bytes) -> bytes:
    """What the server gets of a client's word."""
    with lab["server"].socket() as listener, lab["client"].socket() as client:
        listener.settimeout(5)
        listener.bind(("10.0.0.2", 8080))
        listener.listen()
        client.connect(("10.0.0.2", 8080))
        client.sendall(word)
        accepted, _ = listener.accept()
        with accepted:
            return accepted.recv(100)


@pytest.fixture
def nothing_left() -> Iterator[None]:
    """No descriptor, no process, and every thread where it was."""
    with Lab(two_hosts()) as lab:
        lab["client"].run(["true"])
    own = os.readlink("/proc/self/ns/net")
    before = set(os.listdir("/proc/self/fd")), set(below(os.getpid()))
    yield
    assert (set(os.listdir("/proc/self/fd")), set(below(os.getpid()))) == before
    assert os.readlink("/proc/self/ns/net") == os.readlink("/proc/thread-self/ns/net") == own


class TestInOneProcess:
    @pytest.mark.usefixtures("nothing_left")
    def test_twenty_labs_of_the_same_names_and_addresses(self) -> None:
        with ExitStack() as stack:
            labs = [stack.enter_context(Lab(two_hosts())) for _ in range(20)]
            cookies = {lab[name].space.cookie for lab in labs for name in ("client", "server")}
            assert len(cookies) == 40
            listeners = []
            for lab in labs:
                listener = stack.enter_context(lab["server"].socket())
                listener.bind(("10.0.0.2", 8080))
                listener.listen()
                listeners.append(listener)
            for number, lab in enumerate(labs):
                with lab["client"].socket() as client:
                    client.connect(("10.0.0.2", 8080))
                    client.sendall(f"lab {number}".encode())
            for number, listener in enumerate(listeners):
                accepted, _ = listener.accept()
                with accepted:
                    assert accepted.recv(100) == f"lab {number}".encode()
            programs = [stack.enter_context(lab["server"].popen(["sleep", "inf"])) for lab in labs[:5]]
            # the first ends, and the others do not notice
            labs[0].__exit__(None, None, None)
            assert programs[0].wait(5) == -9
            assert [program.poll() for program in programs[1:]] == [None] * 4
            assert labs[1]["client"].run(["hostname"], capture_output=True, text=True).stdout == "client\n"

    @pytest.mark.usefixtures("nothing_left")
    def test_threads_that_build_labs_at_the_same_time(self) -> None:
        together = Barrier(8)

        def work(number: int) -> tuple[bytes, str, bool]:
            home = os.readlink("/proc/thread-self/ns/net")
            together.wait(20)
            with Lab(two_hosts(), programs=bool(number % 2)) as lab:
                got = exchange(lab, f"thread {number}".encode())
                together.wait(20)
                shown = lab["server"].run(["hostname"], capture_output=True, text=True).stdout
            return got, shown, os.readlink("/proc/thread-self/ns/net") == home

        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(work, range(8))) == [(f"thread {number}".encode(), "server\n", True) for number in range(8)]

    @pytest.mark.usefixtures("nothing_left")
    def test_threads_that_use_one_lab_at_the_same_time_share_one_keeper(self) -> None:
        for _ in range(5):
            together = Barrier(8)
            with Lab(two_hosts()) as lab:

                def work(number: int, lab: Lab = lab, together: Barrier = together) -> tuple[str, int]:
                    node = lab[("client", "server")[number % 2]]
                    together.wait(20)
                    with node.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
                        made.bind((node.address, 0))
                        return str(node.run(["hostname"], capture_output=True, text=True).stdout), lab.keeper.pid

                with ThreadPoolExecutor(8) as pool:
                    names, pids = zip(*pool.map(work, range(8)), strict=True)
                assert names == ("client\n", "server\n") * 4
                assert len(set(pids)) == 1


class TestInSeveralProcesses:
    @PRIVILEGES
    def test_twenty_labs_of_the_same_names_and_addresses(self, rootless: bool) -> None:
        script = """
labs = [Lab(two_hosts()).__enter__() for _ in range(5)]
tell("ready")
sys.stdin.readline()
tell([hello(lab, f"{sys.argv[1:]} {number}".encode()) for number, lab in enumerate(labs)])
tell([lab["server"].run(["hostname"], capture_output=True, text=True).stdout for lab in labs])
for lab in labs:
    lab.__exit__(None, None, None)
"""
        processes = [started(script, rootless=rootless) for _ in range(4)]
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == '"ready"\n'
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        for process in processes:
            assert told(process) == [[f"[] {number}" for number in range(5)], ["server\n"] * 5]

    def test_workers_of_pytest(self, tmp_path: Path) -> None:
        (tmp_path / "test_labs.py").write_text(
            "import pytest\n\n"
            "@pytest.mark.topology('two-hosts')\n"
            "@pytest.mark.parametrize('number', range(12))\n"
            "def test_a_lab(lab, number, worker_id):\n"
            "    with lab['server'].socket() as listener, lab['client'].socket() as client:\n"
            "        listener.bind(('0.0.0.0', 8080))\n"
            "        listener.listen()\n"
            "        client.connect((lab['server'].address, 8080))\n"
            "    assert lab['client'].run(['hostname'], capture_output=True).stdout == b'client\\n'\n"
            "    assert worker_id.startswith('gw')\n"
        )
        options = ["-q", "-n", "4", "-W", "error", "-p", "no:cacheprovider", "--rootdir", str(tmp_path)]
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *options, str(tmp_path)], capture_output=True, text=True, check=False, cwd=tmp_path
        )
        assert "12 passed" in done.stdout, done.stdout + done.stderr


class TestInsideOfOneAnother:
    INNER = """
with Lab(two_hosts()) as lab:
    tell([hello(lab, b"inner"), lab.rootless, lab["server"].run(["hostname"], capture_output=True, text=True).stdout])
"""

    @PRIVILEGES
    def test_a_program_in_a_host_builds_a_lab_of_the_same_names_and_addresses(self, rootless: bool) -> None:
        script = f"""
inner = {PRELUDE + self.INNER!r}
with Lab(two_hosts()) as lab:
    with lab["server"].socket() as listener:
        listener.bind(("10.0.0.2", 8080)); listener.listen()
        done = lab["client"].run([sys.executable, "-W", "error", "-c", inner], capture_output=True, text=True)
        listener.setblocking(False)
        try:
            listener.accept()
            tell("the inner client has reached the outer server")
        except BlockingIOError:
            tell(hello_of := done.stdout)
    tell(done.stderr)
    tell(hello(lab))
"""
        outer, errors, after = told(started(script, rootless=rootless))
        assert (json.loads(outer), errors, after) == (["inner", False, "server\n"], "", "hello")

    def test_a_user_without_rights_builds_one_in_a_host_of_roots(self) -> None:
        if os.geteuid() != 0:
            pytest.skip("needs root, to be two users")
        with Lab(two_hosts()) as lab:
            argv = [*UNPRIVILEGED, sys.executable, "-W", "error", "-c", PRELUDE + self.INNER]
            done = lab["client"].run(argv, capture_output=True, text=True)
            assert (done.returncode, done.stderr) == (0, "")
            assert json.loads(done.stdout) == ["inner", True, "server\n"]

    @PRIVILEGES
    def test_four_deep(self, rootless: bool) -> None:
        script = """
def deeper(depth):
    if depth == 0:
        return []
    with Lab(two_hosts()) as lab:
        word = hello(lab, str(depth).encode())
        inner = source + f"tell(deeper({depth - 1}))"
        done = lab["client"].run([sys.executable, "-c", prelude + f"prelude = {prelude!r}; source = {source!r}; " + inner],
                                 capture_output=True, text=True)
        if done.stderr:
            raise RuntimeError(done.stderr)
        return [word, *json.loads(done.stdout)]
"""
        whole = f"prelude = {PRELUDE!r}\nsource = {script!r}\n{script}\ntell(deeper(4))"
        inner = whole.replace('f"prelude = {prelude!r}; source = {source!r}; "', '"prelude = " + repr(prelude) + "\\nsource = " + repr(source) + "\\n"')
        assert told(started(inner, rootless=rootless)) == [["4", "3", "2", "1"]]
