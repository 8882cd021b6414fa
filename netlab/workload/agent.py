"""The agent: a process in a node that makes the scenario's calls through libc, each actor's in a thread of its own.

It runs forked off the keeper (see lab/pid1.py), so it imports nothing of netlab. It does what it is told, bad pointers and bad
lengths included, and reports value, errno, out-buffers and the times just before and after; it judges nothing. Its own
descriptors lie at 500 and above, out of the scenario's way.

Messages are msgpack with a length of 4 bytes before; workload/agents.py is the other end.
"""

import array
import ctypes
import errno
import fcntl
import mmap
import os
import queue
import signal
import socket
import struct
import threading
import time
from typing import Any

from msgspec import msgpack

FIRST_OWN_DESCRIPTOR = 500
PROT_NONE = 0
PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, SECCOMP_MODE_FILTER = 22, 38, 2

libc = ctypes.CDLL(None, use_errno=True)


class Message(ctypes.Structure):
    """struct msghdr of <sys/socket.h>."""

    _fields_ = [
        ("name", ctypes.c_void_p),
        ("namelen", ctypes.c_uint32),
        ("iov", ctypes.c_void_p),
        ("iovlen", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("controllen", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    ]


class Part(ctypes.Structure):
    """struct iovec."""

    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


class Argument:
    """One argument of a call: what is passed to libc, and what is to be read back afterwards."""

    def __init__(self, tagged: list[Any], bad: int) -> None:
        tag = tagged[0]
        content: Any = tagged[1] if len(tagged) > 1 else None
        self.buffer: Any = None
        self.value: Any = None
        self.size = 0
        if tag == "int":
            self.value = ctypes.c_long(content)
        elif tag in ("in", "inout", "out"):
            size = content if tag == "out" else len(content)
            self.buffer = ctypes.create_string_buffer(b"" if tag == "out" else content, max(size, 1))
            self.value = self.buffer
            self.size = size
        elif tag in ("bad", "null") and content is not None:
            self.size = content  # the length that an iovec gives for it
            self.value = ctypes.c_void_p(bad if tag == "bad" else None)
        elif tag == "bad":
            self.value = ctypes.c_void_p(bad)
        elif tag == "null":
            self.value = ctypes.c_void_p(None)
        elif tag == "msg":
            self._message(content, bad)
        else:
            raise ValueError(tag)
        self.returns = tag in ("out", "inout")
        self.tag = tag

    def _message(self, content: dict[str, Any], bad: int) -> None:
        self.parts = [Argument(part, bad) for part in content["iov"]]
        self.vector = (Part * max(1, len(self.parts)))()
        for slot, part in zip(self.vector, self.parts, strict=False):
            slot.base = address_of(part)
            slot.length = part.size
        self.name = self._piece(content.get("name"))
        control = content.get("control")
        self.control = None if control == ["bad"] else self._piece(control)
        self.header = Message(
            name=ctypes.addressof(self.name) if self.name is not None else None,
            namelen=len(self.name) if self.name is not None else 0,
            iov=ctypes.addressof(self.vector),
            iovlen=len(self.parts),
            control=bad if control == ["bad"] else ctypes.addressof(self.control) if self.control is not None else None,
            controllen=64 if control == ["bad"] else len(self.control) if self.control is not None else 0,
            flags=content.get("flags", 0),
        )
        self.value = ctypes.byref(self.header)

    @staticmethod
    def _piece(content: bytes | int | None) -> Any:
        if content is None:
            return None
        if isinstance(content, int):
            return ctypes.create_string_buffer(max(content, 1))
        return ctypes.create_string_buffer(content, max(len(content), 1))

    def read_back(self) -> Any:
        """What the call left in this argument."""
        if self.tag == "msg":
            return {
                "name": self.name.raw[: self.header.namelen] if self.name is not None else b"",
                "iov": [part.buffer.raw[: part.size] if part.buffer is not None else b"" for part in self.parts],
                "control": self.control.raw[: self.header.controllen] if self.control is not None else b"",
                "flags": self.header.flags,
                "controllen": self.header.controllen,
                "namelen": self.header.namelen,
            }
        return self.buffer.raw[: self.size] if self.returns and self.buffer is not None else None


def address_of(argument: Argument) -> int | None:
    """The pointer that an argument stands for."""
    if argument.buffer is not None:
        return ctypes.addressof(argument.buffer)
    return argument.value.value if argument.value is not None else None


def fill_fds() -> tuple[int, int]:
    """Open /dev/null until the descriptor table is full."""
    count = 0
    while True:
        try:
            os.open(os.devnull, os.O_RDONLY)
        except OSError:
            return count, 0
        count += 1


def exported(name: bytes) -> tuple[int, int]:
    """Whether the C library has a function of this name."""
    return (0, 0) if hasattr(libc, name.decode()) else (-1, errno.ENOENT)


def nap(milliseconds: int) -> tuple[int, int]:
    """Sleep."""
    time.sleep(milliseconds / 1000)
    return 0, 0


def default(number: int) -> tuple[int, int]:
    """Give a signal its default action."""
    libc.signal(number, None)
    return 0, 0


def handle(number: int, flags: int) -> tuple[int, int]:
    """Give a signal a handler that does nothing; ``flags`` as sigaction(2) has them."""
    nothing = ctypes.cast(libc.abs, ctypes.c_void_p).value or 0  # it takes a number, as handlers do, and what it gives is lost
    action = struct.pack("=Q128xI4xQ", nothing, flags, 0)  # the C library's struct sigaction
    result = libc.sigaction(number, action, None)
    return result, ctypes.get_errno() if result else 0


def die(number: int) -> tuple[int, int]:
    """Send this process a signal."""
    os.kill(os.getpid(), number)
    return 0, 0


def leave(status: int) -> tuple[int, int]:
    """End this process at once."""
    os._exit(status)


def refuse(program: bytes) -> None:
    """From now on this thread's system calls are answered as a program of seccomp(2) says."""
    filters = ctypes.create_string_buffer(program, len(program))
    block = struct.pack("=H6xQ", len(program) // 8, ctypes.addressof(filters))  # struct sock_fprog
    one, none = ctypes.c_ulong(1), ctypes.c_ulong(0)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, one, none, none, none) or libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, block, none, none):
        raise OSError(ctypes.get_errno(), "the kernel does not take a filter of system calls (seccomp)")


OWN_CALLS: dict[str, Any] = {
    "fill_fds": fill_fds, "exported": exported, "sleep": nap, "default": default, "handle": handle, "kill": die, "exit": leave,
}  # fmt: skip


class Agent:
    """One process: reads requests, hands calls to its actors' threads."""

    def __init__(self, control: socket.socket) -> None:
        self.control = control
        self.sending = threading.Lock()
        self.actors: dict[str, queue.SimpleQueue[dict[str, Any]]] = {}
        self.inside: set[int] = set()
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
            if "refused" in request:  # in a thread of its own, since a filter stays for as long as its thread
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

    def call(self, request: dict[str, Any]) -> dict[str, Any]:
        """Make one call, bracketed by the clock."""
        name, arguments = request["call"], [Argument(tagged, self.bad) for tagged in request["args"]]
        own = self.interrupt if name == "interrupt" else OWN_CALLS.get(name)
        values = [argument.value for argument in arguments]
        if own is None:
            function = getattr(libc, name)
            function.restype = ctypes.c_ssize_t if request["width"] == "ssize" else ctypes.c_int
        self.send({"id": request["id"], "started": time.clock_gettime_ns(time.CLOCK_REALTIME), "tid": threading.get_native_id()})
        if "refused" in request:
            refuse(request["refused"])
        ctypes.set_errno(0)
        before = time.clock_gettime_ns(time.CLOCK_REALTIME)
        if own is None:
            self.inside.add(threading.get_ident())
            result = function(*values)
            number = ctypes.get_errno() if result == -1 else 0
            self.inside.discard(threading.get_ident())
        else:
            result, number = own(*(value.value for value in values))
        after = time.clock_gettime_ns(time.CLOCK_REALTIME)
        out = [argument.read_back() for argument in arguments]
        return {"id": request["id"], "ret": result, "errno": number, "out": out, "before": before, "after": after}

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
    Agent(control).serve()
