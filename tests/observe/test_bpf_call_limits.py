"""What the observer of system calls does not see, loses or leaves out: and says so."""

import contextlib
import ctypes
import mmap
import os
import platform
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from calls_watched import LIMIT, WRITES, Watched, cookie_here, told

from netlab.observe.calls import CallObserver
from netlab.timeline.process_events import ProcessExecuted, ProcessForked, SystemCall

pytestmark = pytest.mark.bpf


IO_URING_SETUP = 425


def test_io_uring_is_noticed(watched: Watched) -> None:
    def work() -> tuple[int, int]:
        libc = ctypes.CDLL(None, use_errno=True)
        result = libc.syscall(IO_URING_SETUP, 4, ctypes.create_string_buffer(120))
        code = ctypes.get_errno()
        if result >= 0:
            os.close(result)
        return result, code

    result, code = watched.do(work)
    if result < 0:
        pytest.skip(f"this machine refuses io_uring: {os.strerror(code)}")
    assert [told(call) for call in watched.calls()] == [
        ("io_uring_setup", -1, {"entries": 4}, result),
        ("close", result, {}, 0),
    ]
    program = Path(f"/proc/self/task/{watched.tid}/comm").read_text().strip()
    note = f"io_uring was used by {program}[{os.getpid()}]: what goes through it is not seen"
    assert watched.observer.report().notes == (note,)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the gate of 32-bit programs is one of x86")
def test_32_bit_code_is_noticed(watched: Watched, static_program: str) -> None:
    with watched.popen(static_program, "foreign") as program:
        status = program.wait(LIMIT)
    if status:
        pytest.skip("this kernel runs no 32-bit code (CONFIG_IA32_EMULATION)")
    note = f"calls_program[{program.pid}] runs 32-bit code, whose calls are not seen"
    assert watched.observer.report().notes == (note,)
    assert "read" not in [call.call for call in watched.calls(tid=program.pid)]


def test_nothing_is_seen_of_another_namespace(make_namespace: Callable[[], ThreadPoolExecutor]) -> None:
    spaces = [make_namespace() for _ in range(3)]
    cookies = [space.submit(cookie_here).result() for space in spaces]
    observer = CallObserver(dict(zip(cookies, ("left", "right"), strict=False)))
    observer.start()

    def work() -> tuple[int, set[int]]:
        with contextlib.ExitStack() as stack:
            made = [stack.enter_context(socket.socket()) for _ in range(100)]
            return threading.get_native_id(), {os.fstat(each.fileno()).st_ino for each in made}

    results = [each.result() for each in [space.submit(work) for space in spaces]]
    seen = [each for each in observer.stop() if isinstance(each, SystemCall) and each.call == "socket"]
    for host, (tid, inodes) in zip(("left", "right"), results, strict=False):
        mine = [call for call in seen if call.host == host]
        assert ({call.tid for call in mine}, {call.made for call in mine}) == ({tid}, inodes)
    assert results[2][0] not in {call.tid for call in seen}
    assert observer.report().lost == 0


CLONE_NEWNET = 0x40000000


def test_five_hundred_namespaces_in_turn(watched: Watched) -> None:
    # The kernel gives the inode of a namespace that ended to the next one; its cookie never.
    observer, expected = watched.observer, []

    def work(number: int) -> None:
        assert ctypes.CDLL(None).unshare(CLONE_NEWNET) == 0
        watched_cookie = cookie_here()
        observer.watch(watched_cookie, f"node{number}")
        with socket.socket(type=socket.SOCK_DGRAM) as made:
            expected.append((f"node{number}", os.fstat(made.fileno()).st_ino))

    for number in range(500):
        thread = threading.Thread(target=work, args=(number,))
        thread.start()
        thread.join()
    seen = [each for each in observer.drain() if isinstance(each, SystemCall) and each.call == "socket"]
    assert [(call.host, call.made) for call in seen] == expected
    assert observer.report().lost == 0


def test_what_finds_no_room_is_counted(make_namespace: Callable[[], ThreadPoolExecutor], static_program: str) -> None:
    namespace = make_namespace()
    observer = CallObserver({namespace.submit(cookie_here).result(): "node"}, ring=mmap.PAGESIZE)
    observer.start()
    namespace.submit(subprocess.run, [static_program, "loops", "5000"], check=True).result()
    seen = observer.stop()
    few = [each for each in seen if isinstance(each, SystemCall) and each.call == "getsockopt"]
    report = observer.report()
    others = len(seen) - len(few)
    assert 0 <= len(few) < 5000
    assert report.seen == len(seen)
    # Besides the loop: what starting the program takes, some of which was seen.
    assert 5000 - len(few) <= report.lost < 5000 - len(few) + 200 - others


def test_nothing_is_lost_or_doubled_under_load(watched: Watched, static_program: str) -> None:
    programs = [watched.popen(static_program, "loops", "3000") for _ in range(4)]
    deadline = time.monotonic() + LIMIT
    while any(program.poll() is None for program in programs):
        watched.seen += watched.observer.drain()
        assert time.monotonic() < deadline
    watched.seen += watched.observer.stop()
    for program in programs:
        calls = [each for each in watched.of(program.pid) if isinstance(each, SystemCall) and each.call == "getsockopt"]
        assert len({call.began for call in calls}) == len(calls) == 3000
        assert all(call.arguments["value"] == socket.SOCK_STREAM for call in calls)
        assert [each.time for each in calls] == sorted(each.time for each in calls)
    report = watched.observer.report()
    assert (report.lost, report.seen) == (0, len(watched.seen))
    assert report.uncertainty > 0


def test_a_hidden_process_is_left_out(watched: Watched) -> None:
    waits = "print('ready', flush=True)\ninput()\n" + WRITES
    with watched.popen(sys.executable, "-S", "-c", waits, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "ready\n"
        before = list(watched.of(program.pid))
        watched.observer.hide(program.pid)
        program.communicate("\n")
    assert watched.of(program.pid) == before
    assert [type(each) for each in before if not isinstance(each, SystemCall)] == [ProcessForked, ProcessExecuted]
    assert program.returncode == -signal.SIGPIPE
    # Once it has ended, its number hides nobody: nothing of the map is left.
    maps = watched.observer._maps
    assert maps is not None
    assert list(maps.hidden.keys()) == []


def test_a_canary_that_nobody_sees_is_a_reason(make_namespace: Callable[[], ThreadPoolExecutor]) -> None:
    namespace = make_namespace()
    cookie = namespace.submit(cookie_here).result()
    before = os.listdir("/proc/self/fd")
    silent = CallObserver({cookie: "node"}, canary=lambda: None)
    silent.start()
    assert silent.report().reason == "the probes work, but a call made inside a watched network namespace was not seen"
    assert (silent.report().available, silent.drain(), silent.stop()) == (False, [], [])
    assert os.listdir("/proc/self/fd") == before
    heard = CallObserver({cookie: "node"}, canary=lambda: namespace.submit(cookie_here).result())
    heard.start()
    assert (heard.report().available, heard.stop()) == (True, [])
    assert os.listdir("/proc/self/fd") == before
