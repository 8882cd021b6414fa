"""The observer of kernel memory: exact counts of real sockets, whoever else is at work."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from netlab.observe.memory import MemoryObserver
from netlab.timeline.observations import KernelMemory

pytestmark = pytest.mark.bpf
LIMIT = 10.0


def until_dead(observer: MemoryObserver) -> list[KernelMemory]:
    """The snapshot in which nothing lives any more. Inodes are freed after an RCU grace period."""
    deadline = time.monotonic() + LIMIT
    taken = observer.snapshot()
    while any(counts["live"] for reading in taken for counts in reading.caches.values()):
        assert time.monotonic() < deadline, f"still alive: {taken}"
        os.sched_yield()
        taken = observer.snapshot()
    return taken


@pytest.mark.parametrize(
    ("family", "kind", "cache"),
    [
        (socket.AF_INET, socket.SOCK_STREAM, "TCP"),
        (socket.AF_INET6, socket.SOCK_STREAM, "TCPv6"),
        (socket.AF_INET, socket.SOCK_DGRAM, "UDP"),
    ],
)
def test_fifty_sockets_are_fifty_objects(
    make_namespace: Callable[[], ThreadPoolExecutor], family: socket.AddressFamily, kind: socket.SocketKind, cache: str
) -> None:
    namespace = make_namespace()
    namespace.submit(os.getpid).result()  # the thread, and the socket it needs for lo, exist before counting begins
    observer = MemoryObserver({os.getpid(): "node/p"}, caches=(cache, "sock_inode_cache"))
    observer.start()
    before = time.time_ns()
    sockets = namespace.submit(lambda: [socket.socket(family, kind) for _ in range(50)]).result()
    [alive] = observer.snapshot()
    for made in sockets:
        made.close()
    [dead] = until_dead(observer)
    observer.stop()
    assert alive.caches == {cache: {"allocated": 50, "live": 50}, "sock_inode_cache": {"allocated": 50, "live": 50}}
    assert dead.caches == {cache: {"allocated": 50, "live": 0}, "sock_inode_cache": {"allocated": 50, "live": 0}}
    assert alive.sizes.keys() == {cache, "sock_inode_cache"}
    assert alive.sizes[cache] > alive.sizes["sock_inode_cache"] > 0
    assert (alive.host, alive.process) == ("node", "node/p")
    assert before < alive.time < dead.time < time.time_ns()
    report = observer.report()
    assert (report.name, report.available, report.lost) == ("memory", True, 0)


CHILD = """
import socket, sys
sys.stdin.readline()
made = [socket.socket(type=socket.SOCK_DGRAM) for _ in range(3)]
print("made", flush=True)
sys.stdin.readline()
"""


def test_a_process_that_comes_later_counts_from_then_on(make_namespace: Callable[[], ThreadPoolExecutor]) -> None:
    observer = MemoryObserver({}, caches=("UDP",))
    observer.start()
    with subprocess.Popen([sys.executable, "-S", "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        observer.add(child.pid, "client")
        assert [reading.caches for reading in observer.snapshot()] == [{}]
        child.stdin.write("go\n")
        child.stdin.flush()
        assert child.stdout.readline() == "made\n"
        with socket.socket(type=socket.SOCK_DGRAM):  # of a process that is not watched
            assert [reading.caches for reading in observer.snapshot()] == [{"UDP": {"allocated": 3, "live": 3}}]
        child.kill()
    assert [reading.caches for reading in until_dead(observer)] == [{"UDP": {"allocated": 3, "live": 0}}]
    assert [type(last) for last in observer.stop()] == [KernelMemory]


def test_what_cannot_be_followed_is_lost_and_counted(make_namespace: Callable[[], ThreadPoolExecutor]) -> None:
    observer = MemoryObserver({os.getpid(): "node"}, caches=("TCP",), objects=8)
    observer.start()
    sockets = [socket.socket() for _ in range(50)]
    [reading] = observer.snapshot()
    followed = reading.caches["TCP"]["allocated"]
    assert 0 < followed < 50
    assert observer.report().lost == 50 - followed
    for made in sockets:
        made.close()
    assert until_dead(observer)[0].caches == {"TCP": {"allocated": followed, "live": 0}}
    observer.stop()


@pytest.fixture
def one_processor() -> Iterator[None]:
    """Each has its own list of free memory, of which the last that came comes out first."""
    all_of_them = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(all_of_them)})
    yield
    os.sched_setaffinity(0, all_of_them)


def test_memory_that_is_given_out_again_was_freed_though_nobody_told(one_processor: None) -> None:
    """The kernel was seen to run no probe for what one softirq freed. Here the entry is put back, as if that had happened."""
    observer = MemoryObserver({os.getpid(): "node"}, caches=("TCP",))
    observer.start()
    assert observer._maps is not None
    live, times = observer._maps.live, 0
    while not observer._maps.untold() and times < 20_000:  # others on this processor may be given that memory first
        with socket.socket():
            (taken,) = live.keys()
            owner = live.get(taken)
            assert owner is not None
        until_dead(observer)
        live[taken] = owner
        made = [socket.socket() for _ in range(20)]
        times += 21
        [reading] = observer.snapshot()
        report = observer.report()
        for each in made:
            each.close()
        if live.get(taken) is not None and not observer._maps.untold():
            del live[taken]
    observer.stop()
    assert reading.caches["TCP"]["allocated"] == times
    assert (report.lost, len(report.notes)) == (0, 1)
    assert "freed 1 object without telling" in report.notes[0]


def test_stopping_gives_every_descriptor_back(make_namespace: Callable[[], ThreadPoolExecutor]) -> None:
    before = os.listdir("/proc/self/fd")
    observer = MemoryObserver({os.getpid(): "node"})
    observer.start()
    assert len(os.listdir("/proc/self/fd")) > len(before)
    assert [len(observer.stop()), len(observer.stop())] == [1, 0]
    assert os.listdir("/proc/self/fd") == before
    assert observer.snapshot() == []
