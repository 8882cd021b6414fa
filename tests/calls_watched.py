"""A network namespace whose system calls are observed, for the tests of that; and small programs that make some."""

import contextlib
import os
import platform
import select
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from netlab.observe.calls import CallObserver
from netlab.observe.tier import SO_NETNS_COOKIE
from netlab.timeline.observations import AnyObservation
from netlab.timeline.process_events import SystemCall

LIMIT = 20.0
INTERNET = {"domain": "AF_INET", "protocol": "IPPROTO_IP"}
RECEIVES = "import socket; socket.socket(type=socket.SOCK_DGRAM).recv(10)"
WRITES = """
import signal, socket
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
ours, theirs = socket.socketpair()
theirs.close()
ours.send(b"x")
"""


def cookie_here() -> int:
    with socket.socket() as any_socket:
        return int(struct.unpack("=Q", any_socket.getsockopt(socket.SOL_SOCKET, SO_NETNS_COOKIE, 8))[0])


class Watched:
    """A namespace, the thread that lives in it, and the observer of it."""

    def __init__(self, namespace: ThreadPoolExecutor) -> None:
        self.namespace = namespace
        self.tid = namespace.submit(threading.get_native_id).result()
        self.cookie = namespace.submit(cookie_here).result()
        self.observer = CallObserver({self.cookie: "node"})
        self.observer.start()
        assert self.observer.report().reason == ""
        self.seen: list[AnyObservation] = []

    def do(self, work: Callable[[], Any]) -> Any:
        """The result of what the thread in the namespace did."""
        return self.namespace.submit(work).result()

    def popen(self, *words: str, **more: Any) -> subprocess.Popen[str]:
        return self.do(lambda: subprocess.Popen(words, text=True, **more))  # type: ignore[no-any-return]

    def calls(self, *names: str, tid: int = 0) -> list[SystemCall]:
        """The calls that were seen, of the thread in the namespace, or that one."""
        self.seen += self.observer.drain()
        own = [each for each in self.seen if isinstance(each, SystemCall) and each.tid == (tid or self.tid)]
        return [each for each in own if not names or each.call in names]

    def of(self, pid: int) -> list[AnyObservation]:
        """What one process did."""
        self.seen += self.observer.drain()
        return [each for each in self.seen if pid in (getattr(each, "pid", 0), getattr(each, "parent", 0))]

    def until(self, condition: Callable[[], Any]) -> None:
        """Wait until what was seen fulfils the condition."""
        waiting = select.poll()
        waiting.register(self.observer.fileno(), select.POLLIN)
        deadline = time.monotonic() + LIMIT
        while not condition():
            assert time.monotonic() < deadline, self.seen
            waiting.poll(25)
            self.seen += self.observer.drain()


def told(call: SystemCall) -> tuple[Any, ...]:
    """What was called, and what came of it."""
    result = call.errno or call.result if call.returned else "inside"
    return call.call, call.fd, call.arguments, result


def sleeping_in(pid: int, number: int) -> bool:
    """Whether a process waits inside the system call with this number."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/syscall").read_text().split()[0] == str(number)
    return False


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline
        os.sched_yield()


RECVFROM = 45 if platform.machine() == "x86_64" else 207
CLOSE_RANGE = 436
