"""Network namespaces for the observers' tests, and the skip that names the capability they lack."""

import ctypes
import fcntl
import os
import shutil
import socket
import struct
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from calls_watched import Watched

from netlab.observe.tier import Tier, probe

CLONE_NEWNET = 0x40000000
SIOCSIFFLAGS, IFF_UP = 0x8914, 1
CALLS_PROGRAM = Path(__file__).with_name("calls_program.c")


def enter_new_namespace() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "unshare")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", IFF_UP))


@pytest.fixture
def tier() -> Tier:
    """Tier A, or a skip that says what this machine lacks."""
    found = probe()
    if found.letter != "A" or found.lacking:
        pytest.skip("; ".join(f"{lack.name}: {lack.reason}" for lack in found.lacking))
    return found


@pytest.fixture
def make_namespace(tier: Tier) -> Iterator[Callable[[], ThreadPoolExecutor]]:
    """Make executors: the one thread of each lives in a network namespace of its own, with lo up."""
    assert os.geteuid() == 0
    with ExitStack() as stack:
        yield lambda: stack.enter_context(ThreadPoolExecutor(1, initializer=enter_new_namespace))


@pytest.fixture
def watched(make_namespace: Callable[[], ThreadPoolExecutor]) -> Iterator[Watched]:
    found = Watched(make_namespace())
    yield found
    found.observer.stop()


@pytest.fixture(scope="session")
def static_program(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A statically linked, multi-threaded C program."""
    compiler = shutil.which("cc") or pytest.skip("no C compiler: install gcc and libc6-dev")
    program = tmp_path_factory.mktemp("static") / "calls_program"
    made = subprocess.run(
        [compiler, "-O1", "-static", "-pthread", "-o", str(program), str(CALLS_PROGRAM)],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        pytest.skip(f"no static C library to link with: {made.stderr[-200:]}")
    return str(program)
