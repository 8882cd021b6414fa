"""Labs beside one another, inside one another, in threads, in processes that fork: each is its own, and ends with its owner."""

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


def started(script: str, *arguments: str, rootless: bool = False) -> "subprocess.Popen[str]":
    """A program that builds labs, as root or as a user without rights."""
    argv = [*(UNPRIVILEGED if rootless else []), sys.executable, "-W", "error", "-c", PRELUDE + script, *arguments]
    return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


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
tell([hello(lab, f"{sys.argv[1]} {number}".encode()) for number, lab in enumerate(labs)])
tell([lab["server"].run(["hostname"], capture_output=True, text=True).stdout for lab in labs])
for lab in labs:
    lab.__exit__(None, None, None)
"""
        processes = [started(script, str(process), rootless=rootless) for process in range(4)]
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == '"ready"\n'
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        for which, process in enumerate(processes):
            assert told(process) == [[f"{which} {number}" for number in range(5)], ["server\n"] * 5]

    @pytest.mark.proof
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
    OUTER = f"""
if sys.argv[1:] == ["inner"]:
    {INNER.strip().replace("tell", "    tell").replace(chr(10), chr(10) + "    ")}
    sys.exit()
with Lab(two_hosts()) as lab, lab["server"].socket() as listener:
    listener.bind(("10.0.0.2", 8080)); listener.listen()
    done = lab["client"].run([*sys.orig_argv, "inner"], capture_output=True, text=True)
    listener.setblocking(False)
    try:
        listener.accept()
        tell("the inner client has reached the outer server")
    except BlockingIOError:
        tell(json.loads(done.stdout))
    tell(done.stderr)
    listener.close()
    tell(hello(lab))
"""

    @PRIVILEGES
    def test_a_program_in_a_host_builds_a_lab_of_the_same_names_and_addresses(self, rootless: bool) -> None:
        inner = ["inner", False, "server\n"]
        assert told(started(self.OUTER, rootless=rootless)) == [inner, "", "hello"]

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
depth, below = int(sys.argv[1]), []
with Lab(two_hosts()) as lab:
    if depth > 1:
        done = lab["client"].run([*sys.orig_argv[:-1], str(depth - 1)], capture_output=True, text=True)
        assert not done.stderr, done.stderr
        below = json.loads(done.stdout)
    tell([hello(lab, sys.argv[1].encode()), *below])
"""
        assert told(started(script, "4", rootless=rootless)) == [["4", "3", "2", "1"]]

    def test_root_of_a_user_namespace_that_shares_the_machines_network(self) -> None:
        """It may leave the machine's network namespace and never come back, as in a container that shares it."""
        argv = ["unshare", "--user", "--map-root-user", sys.executable, "-W", "error", "-c", PRELUDE + self.INNER]
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
        assert (done.returncode, done.stderr) == (0, "")
        assert json.loads(done.stdout)[::2] == ["inner", "server\n"]

    @PRIVILEGES
    def test_a_lab_that_stays_in_a_host_ends_with_the_lab_that_the_host_is_in(self, rootless: bool) -> None:
        script = """
import labs
with Lab(two_hosts()) as lab:
    up = lab["client"].run(labs.command("up", "two-hosts", "--name", "inner"), capture_output=True, text=True)
    listed = [lab[name].run(labs.command("ls", "--json"), capture_output=True, text=True) for name in ("client", "server")]
    tell([up.returncode, up.stderr, *[[each["name"] for each in json.loads(one.stdout)] for one in listed]])
    inside = labs.below(lab.keeper.pid)
    tell(len(inside) > 2)
tell(labs.until(lambda: not any(labs.alive(pid) for pid in inside)))
"""
        # a name is of a network namespace: the server's has none
        assert told(started(script, rootless=rootless)) == [[0, "", ["inner"], []], True, True]


class TestAProcessThatForks:
    """A forked process has copies of all that its parent has open. The lab is its parent's all the same."""

    @PRIVILEGES
    def test_the_lab_ends_though_a_child_lives_on(self, rootless: bool) -> None:
        script = """
import labs, threading
with Lab(two_hosts()) as lab:
    program = lab["server"].popen(["sleep", "inf"])
    go, stop = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(stop)
        os.read(go, 1)
        os._exit(0)
    keeper = lab.keeper.pid
    giving_up = threading.Timer(20, os._exit, [1])
    giving_up.start()
giving_up.cancel()
tell([labs.alive(child), labs.alive(keeper), program.wait(5)])
os.close(stop)
tell(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
        assert told(started(script, rootless=rootless)) == [[True, False, -9], 0]

    @PRIVILEGES
    def test_a_child_that_leaves_the_with_statement_ends_nothing(self, rootless: bool) -> None:
        script = """
try:
    with Lab(two_hosts()) as lab:
        program = lab["server"].popen(["sleep", "inf"])
        parent = os.getpid()
        child = os.fork()
        if child == 0:
            raise SystemExit
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        tell([status, program.poll(), hello(lab), lab["server"].run(["hostname"], capture_output=True, text=True).stdout])
finally:
    if os.getpid() != parent:
        os._exit(0)
"""
        assert told(started(script, rootless=rootless)) == [[0, None, "hello", "server\n"]]

    @PRIVILEGES
    def test_a_child_cannot_ask_the_keeper_and_may_have_a_lab_of_its_own(self, rootless: bool) -> None:
        script = """
with Lab(two_hosts()) as lab:
    lab["client"].run(["true"])
    child = os.fork()
    if child == 0:
        try:
            lab["client"].run(["true"])
        except LabError as error:
            tell(str(error).replace(str(os.getppid()), "PARENT"))
        with Lab(two_hosts()) as own:
            tell([hello(own, b"own"), own["client"].run(["hostname"], capture_output=True, text=True).stdout])
        os._exit(0)
    os.waitpid(child, 0)
    tell(lab["client"].run(["hostname"], capture_output=True, text=True).stdout)
"""
        refused = "the lab belongs to process PARENT, from which this one was forked: build one here, or use it there"
        assert told(started(script, rootless=rootless)) == [refused, ["own", "client\n"], "client\n"]
