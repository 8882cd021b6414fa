"""The agent: a process in a node that makes the scenario's calls through libc, each actor's in a thread of its own.

It runs forked off the keeper (see lab/pid1.py), so it imports nothing of netlab that needs more than the standard library. It does
what it is told, bad pointers and bad lengths included, and reports value, errno, out-buffers and the times just before and after;
it judges nothing. Its own descriptors lie at 500 and above, out of the scenario's way.

Messages are msgpack with a length of 4 bytes before; workload/agents.py is the other end.
"""

import array
import ctypes
import fcntl
import mmap
import os
import queue
import signal
import socket
import struct
import threading
import time
from collections.abc import Callable
from typing import Any

from msgspec import msgpack

from netlab.workload.agent_arguments import Argument
from netlab.workload.own_calls import OWN_CALLS, libc, own_directory

FIRST_OWN_DESCRIPTOR = 500
REPLY_ROOM = 1 << 24
"""As much as a call in a child can have to tell; memory is taken only for what it does."""
PROT_NONE = 0
PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, SECCOMP_MODE_FILTER = 22, 38, 2


def refuse(program: bytes) -> None:
    """From now on this thread's system calls are answered as a program of seccomp(2) says."""
    filters = ctypes.create_string_buffer(program, len(program))
    block = struct.pack("=H6xQ", len(program) // 8, ctypes.addressof(filters))  # struct sock_fprog
    one, none = ctypes.c_ulong(1), ctypes.c_ulong(0)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, one, none, none, none) or libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, block, none, none):
        raise OSError(ctypes.get_errno(), "the kernel does not take a filter of system calls (seccomp)")


class Agent:
    """One process: reads requests, hands calls to its actors' threads."""

    def __init__(self, control: socket.socket) -> None:
        self.control = control
        self.sending = threading.Lock()
        self.actors: dict[str, queue.SimpleQueue[dict[str, Any]]] = {}
        self.inside: set[int] = set()
        self.started: Callable[[dict[str, Any]], None] = self.tell
        self.page = mmap.mmap(-1, mmap.PAGESIZE)
        self.bad = ctypes.addressof(ctypes.c_char.from_buffer(self.page))
        libc.mprotect(ctypes.c_void_p(self.bad), mmap.PAGESIZE, PROT_NONE)

    def send(self, message: dict[str, Any], *fds: int) -> None:
        """One message to the owner; any thread may."""
        body = msgpack.encode(message)
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        with self.sending:
            sent = self.control.sendmsg([struct.pack("=I", len(body)) + body], rights)
            if sent < len(body) + 4:
                self.control.sendall((struct.pack("=I", len(body)) + body)[sent:])

    def receive(self) -> dict[str, Any] | None:
        """The next request; None when the owner has gone."""
        head = self.exactly(4)
        return None if head is None else msgpack.decode(self.exactly(struct.unpack("=I", head)[0]) or b"\xc0")

    def exactly(self, size: int) -> bytes | None:
        """So many bytes; None at the end of the stream."""
        parts = []
        while size:
            try:
                part = self.control.recv(size)
            except ConnectionResetError:  # the owner has gone without having read everything
                return None
            if not part:
                return None
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def serve(self) -> None:
        """Serve until the owner closes."""
        while (request := self.receive()) is not None:
            if request["do"] == "call":
                self.actor(request.pop("actor")).put(request)
            elif request["do"] == "look":
                self.send(self.look(request))
            elif request["do"] == "fork":
                self.fork(request)
            elif request["do"] == "reap":
                self.send(self.reap(request))
        os._exit(0)

    def actor(self, name: str) -> "queue.SimpleQueue[dict[str, Any]]":
        """The queue of an actor's thread, which is started when first needed."""
        if name not in self.actors:
            self.actors[name] = queue.SimpleQueue()
            threading.Thread(target=self.act, args=(self.actors[name],), daemon=True).start()
        return self.actors[name]

    def act(self, requests: "queue.SimpleQueue[dict[str, Any]]") -> None:
        """One call after another."""
        while True:
            request = requests.get()
            time.sleep(request.get("delay", 0) / 1000)
            if "child" in request:
                self.send(self.in_child(request))
            elif "refused" in request:  # in a thread of its own, since a filter stays for as long as its thread
                replies: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
                threading.Thread(target=lambda: replies.put(self.attempt(request)), daemon=True).start()  # noqa: B023
                self.send(replies.get())
            else:
                self.send(self.attempt(request))

    def attempt(self, request: dict[str, Any]) -> dict[str, Any]:
        """Make one call; gives what is to be told of it."""
        try:
            return self.call(request)
        except Exception as error:  # noqa: BLE001
            return {"id": request["id"], "broken": f"{type(error).__name__}: {error}"}

    def in_child(self, request: dict[str, Any]) -> dict[str, Any]:
        """Make one call in a process of its own; gives what is to be told of it. Needs no descriptor: there may be none left."""
        room = mmap.mmap(-1, REPLY_ROOM)  # shared with the child
        self.started(request)
        before = time.clock_gettime_ns(time.CLOCK_REALTIME)
        pid = os.fork()
        if pid == 0:
            self.started = lambda _: None
            body = msgpack.encode(self.attempt(request))
            room[: 4 + len(body)] = struct.pack("=I", len(body)) + body
            os._exit(0)
        ended = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        after = time.clock_gettime_ns(time.CLOCK_REALTIME)
        (size,) = struct.unpack_from("=I", room)
        if size:
            return dict(msgpack.decode(room[4 : 4 + size]))
        died = {"ret": -1, "errno": 0, "out": [], "signal": max(-ended, 0)}
        return {"id": request["id"], "before": before, "after": after, **died}

    def call(self, request: dict[str, Any]) -> dict[str, Any]:
        """Make one call, bracketed by the clock."""
        name, arguments = request["call"], [Argument(tagged, self.bad) for tagged in request["args"]]
        own = self.interrupt if name == "interrupt" else OWN_CALLS.get(name)
        if own is None:
            function = getattr(libc, name)
            function.restype = ctypes.c_ssize_t if request["width"] == "ssize" else ctypes.c_int
        self.started(request)
        if "refused" in request:
            refuse(request["refused"])
        ctypes.set_errno(0)
        before = time.clock_gettime_ns(time.CLOCK_REALTIME)
        if own is None:
            self.inside.add(threading.get_ident())
            result = function(*(argument.value for argument in arguments))
            number = ctypes.get_errno() if result == -1 else 0
            self.inside.discard(threading.get_ident())
        else:
            result, number = own(*(argument.buffer if argument.returns else argument.value.value for argument in arguments))
        after = time.clock_gettime_ns(time.CLOCK_REALTIME)
        out = [argument.read_back() for argument in arguments]
        return {"id": request["id"], "ret": result, "errno": number, "out": out, "before": before, "after": after}

    def tell(self, request: dict[str, Any]) -> None:
        """Say that this thread is about to make a call."""
        now = time.clock_gettime_ns(time.CLOCK_REALTIME)
        self.send({"id": request["id"], "started": now, "tid": threading.get_native_id()})

    def interrupt(self, number: int) -> tuple[int, int]:
        """Send a signal to each thread that is inside a call; gives how many these are."""
        threads = tuple(self.inside)
        for thread in threads:
            signal.pthread_kill(thread, number)
        return len(threads), 0

    def look(self, request: dict[str, Any]) -> dict[str, Any]:
        """Name, family and cookie of a socket, for the owner's own use: no call of the scenario."""
        fd = request["fd"]
        name, size = ctypes.create_string_buffer(128), ctypes.c_uint32(128)
        if libc.getsockname(fd, name, ctypes.byref(size)):
            return {"id": request["id"], "name": b"", "family": 0}
        family, length = ctypes.c_int(0), ctypes.c_uint32(4)
        libc.getsockopt(fd, socket.SOL_SOCKET, socket.SO_DOMAIN, ctypes.byref(family), ctypes.byref(length))
        return {"id": request["id"], "name": name.raw[: size.value], "family": family.value}

    def reap(self, request: dict[str, Any]) -> dict[str, Any]:
        """How a child of this process ended: its exit status, or minus the signal's number; None where somebody else has asked."""
        try:
            status: int | None = os.waitstatus_to_exitcode(os.waitpid(request["pid"], 0)[1])
        except ChildProcessError:
            status = None
        return {"id": request["id"], "ret": 0, "errno": 0, "out": [status], "before": 0, "after": 0}

    def fork(self, request: dict[str, Any]) -> None:
        """A child of this process with a copy of its descriptors; the owner gets a control socket of its own to it."""
        ours, theirs = socket.socketpair()
        for end in (ours, theirs):
            fcntl.fcntl(end, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
        moved = own_descriptor(theirs)
        before = time.clock_gettime_ns(time.CLOCK_REALTIME)
        pid = os.fork()
        if pid == 0:
            ours.close()
            self.control.close()
            Agent(moved).serve()
        after = time.clock_gettime_ns(time.CLOCK_REALTIME)
        child = os.pidfd_open(pid)
        self.send({"id": request["id"], "ret": pid, "errno": 0, "out": [], "before": before, "after": after}, ours.fileno(), child)
        os.close(child)
        ours.close()
        moved.close()


def own_descriptor(made: socket.socket) -> socket.socket:
    """The same socket at a number that scenarios do not reach."""
    moved = fcntl.fcntl(made, fcntl.F_DUPFD_CLOEXEC, FIRST_OWN_DESCRIPTOR)
    made.close()
    return socket.socket(fileno=moved)


def main(descriptors: list[int], arguments: dict[str, Any]) -> None:
    """Serve the owner at the other end of the first descriptor."""
    control = own_descriptor(socket.socket(fileno=descriptors[0]))
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    if null > 2:
        os.close(null)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    own_directory()
    Agent(control).serve()
