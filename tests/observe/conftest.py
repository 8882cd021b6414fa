"""Network namespaces for the observers' tests, and the skip that names the capability they lack."""

import ctypes
import fcntl
import os
import socket
import struct
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from netlab.observe.tier import Tier, probe

CLONE_NEWNET = 0x40000000
SIOCSIFFLAGS, IFF_UP = 0x8914, 1


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
