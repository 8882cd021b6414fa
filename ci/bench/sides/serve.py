"""What every contender's process does: reads commands from standard input, one a line, and answers each with one line of JSON.

Standard library only, since contenders run in interpreters that need not have anything else.
"""

import ctypes
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWNET = 0x00020000, 0x20000000, 0x40000000
MS_REC, MS_PRIVATE = 16384, 1 << 18
PR_SET_PDEATHSIG = 1

libc = ctypes.CDLL(None, use_errno=True)


def check(result: int, what: str) -> None:
    """OSError if a call into libc failed."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)


def isolate() -> None:
    """Go on as a child in namespaces of its own for network, mounts and processes, with an empty /run.

    Tools that name things there touch no one else's, and the processes that some of them leave behind end with this one.
    """
    check(libc.unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET), "unshare")
    child = os.fork()
    if child:
        os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) & 255)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    check(libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None), "mount private")
    check(libc.mount(b"proc", b"/proc", b"proc", 0, None), "mount /proc")
    check(libc.mount(b"tmpfs", b"/run", b"tmpfs", 0, None), "mount /run")
    os.environ["TMPDIR"] = "/run"


def milliseconds(work: Callable[[], object]) -> float:
    """How long one call of ``work`` takes."""
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1e3


def median_us(work: Callable[[], object], times: int) -> dict[str, float]:
    """The median of so many calls, in microseconds."""
    taken = sorted(milliseconds(work) for _ in range(times))
    return {"us": taken[times // 2] * 1e3}


def serve(**commands: Callable[..., dict[str, Any]]) -> None:
    """Answer commands until standard input ends. What is printed meanwhile goes to standard error."""
    with os.fdopen(os.dup(1), "w") as answers:
        os.dup2(2, 1)
        for line in sys.stdin:
            name, *arguments = line.split()
            print(json.dumps(commands[name](*map(int, arguments))), file=answers, flush=True)
