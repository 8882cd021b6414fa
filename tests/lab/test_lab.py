"""A lab: real namespaces, real links, real programs; and nothing left of it."""

import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from networks import one_host, two_hosts

from netlab.errors import HostError, LabError
from netlab.lab.keeper import Keeper
from netlab.lab.lab import Lab

pytestmark = pytest.mark.netns


def until(condition: Callable[[], object], within: float = 5.0) -> bool:
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            return False
        select.select([], [], [], 0.002)
    return True


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):  # before the file is opened, or while it is read
        return False


def test_two_hosts_talk_over_both_families() -> None:
    with Lab(two_hosts()) as lab:
        for family, address in ((socket.AF_INET, "10.0.0.2"), (socket.AF_INET6, "fd00::2")):
            with lab["server"].socket(family) as listener, lab["client"].socket(family) as client:
                listener.bind((address, 8080))
                listener.listen()
                client.connect((address, 8080))
                accepted, _ = listener.accept()
                with accepted:
                    client.sendall(b"hello")
                    assert accepted.recv(10) == b"hello"


def test_the_hosts_own_namespace_is_not_touched() -> None:
    before = socket.if_nameindex()
    with Lab(two_hosts()) as lab:
        assert lab["client"].run(["cat", "/proc/net/dev"], capture_output=True, text=True).stdout.count("eth0") == 1
        assert socket.if_nameindex() == before


def test_each_node_has_its_own_hostname_and_knows_every_name() -> None:
    with Lab(two_hosts()) as lab:
        assert lab["server"].run(["hostname"], capture_output=True, text=True).stdout == "server\n"
        program = "import socket; print(sorted({i[4][0] for i in socket.getaddrinfo('server', 80)}))"
        found = lab["client"].run([sys.executable, "-c", program], capture_output=True, text=True)
        assert found.stdout == "['10.0.0.2', 'fd00::2']\n"


def test_offloads_are_off_and_sysctls_pinned() -> None:
    with Lab(two_hosts()) as lab:
        shown = lab["client"].run(["cat", "/proc/sys/net/ipv4/tcp_congestion_control"], capture_output=True, text=True)
        assert shown.stdout == "reno\n"


def test_popen_takes_and_gives_what_subprocess_does() -> None:
    with Lab(one_host()) as lab:
        host = lab["host"]
        done = host.run(["sh", "-c", "cat; echo oops >&2; exit 3"], input="hi\n", capture_output=True, text=True)
        assert (done.returncode, done.stdout, done.stderr) == (3, "hi\n", "oops\n")
        with pytest.raises(subprocess.CalledProcessError):
            host.run(["false"], check=True)
        with pytest.raises(subprocess.TimeoutExpired):
            host.run(["sleep", "60"], timeout=0.05)
        with pytest.raises(FileNotFoundError):
            host.run(["no-such-program"])
        large = bytes(range(256)) * 4096
        assert host.run(["cat"], input=large, capture_output=True).stdout == large


def test_a_program_gets_no_descriptor_but_its_own_three() -> None:
    with Lab(two_hosts()) as lab:
        shown = lab["client"].run(["ls", "/proc/self/fd"], capture_output=True, text=True)
        assert shown.stdout.split() == ["0", "1", "2", "3"]  # 3 is ls' own, on the folder


def test_a_signal_ends_a_program_and_its_status_says_so() -> None:
    with Lab(one_host()) as lab, lab["host"].popen(["sleep", "60"]) as program:
        program.send_signal(signal.SIGTERM)
        assert program.wait(5) == -signal.SIGTERM


def test_a_daemon_that_detached_itself_dies_with_the_lab() -> None:
    with Lab(one_host()) as lab:
        keeper = lab.keeper.pid
        told = lab["host"].run(["sh", "-c", "setsid sleep 1000 >/dev/null 2>&1 & echo started"], capture_output=True, text=True)
        assert told.stdout == "started\n"
        children = f"/proc/{keeper}/task/{keeper}/children"
        (first,) = Path(children).read_text().split()
        inside = [int(pid) for pid in Path(f"/proc/{first}/task/{first}/children").read_text().split()]
        assert inside
    assert until(lambda: not any(alive(pid) for pid in [keeper, int(first), *inside]))


def test_everything_dies_with_an_owner_that_is_killed() -> None:
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from networks import one_host\nfrom netlab.lab.lab import Lab\nimport time\n"
        "with Lab(one_host()) as lab:\n"
        "    daemon = lab['host'].popen(['sleep', '1000'])\n"
        "    print(daemon.pid, lab.keeper.pid, flush=True)\n    time.sleep(1000)\n"
    )
    tests = str(Path(__file__).parent.parent)
    with subprocess.Popen([sys.executable, "-c", program, tests], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        pids = [int(word) for word in owner.stdout.readline().split()]
        assert all(alive(pid) for pid in pids)
        owner.kill()
    assert until(lambda: not any(alive(pid) for pid in pids))


def test_two_labs_with_the_same_addresses_do_not_meet() -> None:
    with Lab(two_hosts()) as one, Lab(two_hosts()) as other:
        assert one["client"].space.cookie != other["client"].space.cookie
        with one["server"].socket() as listener, other["client"].socket() as stranger:
            listener.bind(("10.0.0.2", 8080))
            listener.listen()
            with pytest.raises(ConnectionRefusedError):
                stranger.connect(("10.0.0.2", 8080))


def test_a_sysctl_that_the_kernel_lacks_is_an_error_of_this_machine() -> None:
    from networks import HERE, node

    from netlab.topology.spec import Topology

    wanted = Topology(name="x", nodes=(node("host", **{"net.ipv4.no_such_thing": "1"}),), links=(), place=HERE)
    with pytest.raises(HostError, match=r"host: sysctl net\.ipv4\.no_such_thing = 1: No such file"), Lab(wanted):
        pass


def test_a_program_that_takes_too_long_is_killed_and_not_waited_for() -> None:
    with Lab(one_host()) as lab:
        began = time.monotonic()
        with pytest.raises(subprocess.TimeoutExpired):
            lab["host"].run(["sleep", "60"], timeout=0.05)
        assert time.monotonic() - began < 10


def test_programs_are_started_from_many_threads_each_in_its_node() -> None:
    with Lab(two_hosts()) as lab, ThreadPoolExecutor(4) as pool:
        nodes = ["client", "server"] * 10
        names = pool.map(lambda name: lab[name].run(["hostname"], capture_output=True, text=True).stdout.strip(), nodes)
        assert list(names) == nodes
        assert os.readlink("/proc/thread-self/ns/net") == os.readlink("/proc/self/ns/net")


def test_a_keeper_that_was_killed_is_reported_not_waited_for() -> None:
    with Lab(one_host()) as lab:
        lab["host"].run(["true"], check=True)
        outer = lab.keeper.pid
        first = int(Path(f"/proc/{outer}/task/{outer}/children").read_text())
        os.kill(outer, signal.SIGKILL)
        assert until(lambda: not alive(outer) and not alive(first))
        with pytest.raises(LabError, match="keeper is gone"):
            lab["host"].run(["true"])


def test_closing_a_keeper_leaves_no_descriptor() -> None:
    def ours() -> int:
        return len(os.listdir("/proc/self/fd"))

    with Lab(two_hosts()):
        pass
    before = ours()
    with Lab(two_hosts()) as lab:
        lab["client"].run(["true"])
    assert ours() == before
    Keeper.start().close()
    assert ours() == before
