"""The agent of generated trials: makes calls as workload/agent.py does, but answers sooner, for it makes a million of them.

Each of a few threads has a control socket of its own and does what it is told there: nothing is handed from thread to thread, and
a call that blocks keeps only its own socket busy. It runs forked off the keeper in a bare interpreter (see lab/pid1.py) and judges
nothing. Its own descriptors lie at 500 and above. Messages are msgpack after a length of 4 bytes; playing.py is the other end.
"""

import array
import contextlib
import ctypes
import fcntl
import functools
import gc
import mmap
import os
import resource
import signal
import socket
import struct
import sys
import threading
import time
from typing import Any

from msgspec import msgpack

from netlab.workload.agent import PROT_NONE, own_descriptor
from netlab.workload.agent_arguments import Argument
from netlab.workload.own_calls import OWN_CALLS, libc, own_directory

FILES = 1024
"""RLIMIT_NOFILE as a shell has it, whatever the keeper raised it to."""

MASK = 0o022
"""The file mode creation mask that every sequence begins with."""

INTERRUPTS = signal.SIGRTMAX
"""What gets a thread out of a call when its sequence is over: a signal that no sequence knows."""
_REALTIME = time.CLOCK_REALTIME


class Course:
    """The calls of one message while a thread makes them: what came of those so far, and when the last of them began, in ns."""

    def __init__(self, message: int) -> None:
        self.message, self.began, self.held = message, 0, False
        self.replies: list[Any] = []


class TrialAgent:
    """One process: a thread for every control socket."""

    def __init__(self, controls: list[socket.socket]) -> None:
        self.controls = controls
        self.inside: set[int] = set()
        self.courses: dict[int, Course] = {}
        self.functions: dict[tuple[str, bool], Any] = {}
        self.page = mmap.mmap(-1, mmap.PAGESIZE)
        self.bad = ctypes.addressof(ctypes.c_char.from_buffer(self.page))
        libc.mprotect(ctypes.c_void_p(self.bad), mmap.PAGESIZE, PROT_NONE)

    def serve(self) -> None:
        """Serve until the owner closes the first control socket."""
        for index in range(1, len(self.controls)):
            threading.Thread(target=self.follow, args=(index,), daemon=True).start()
        self.follow(0)
        os._exit(0)

    def follow(self, index: int) -> None:
        """Do what is told on one control socket, one thing after another."""
        control = self.controls[index]
        self.answer(control, threading.get_native_id())
        doings: dict[str, Any] = {
            "calls": functools.partial(self.calls, index), "hold": self.hold, "reset": self.reset, "interrupt": self.interrupt,
            "fork": self.fork, "reap": self.reap,
        }  # fmt: skip
        while (request := receive(control)) is not None:
            try:
                doings[request[0]](control, *request[1:])
            except OSError as error:
                if error.errno in _GONE:
                    return
                self.answer(control, {"broken": str(error)})
            except Exception as error:  # noqa: BLE001
                self.answer(control, {"broken": f"{type(error).__name__}: {error}"})

    def answer(self, control: socket.socket, message: Any, *fds: int) -> None:
        """One message to the owner."""
        body = msgpack.encode(message)
        body = struct.pack("=I", len(body)) + body
        if fds:
            control.sendmsg([body], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))])
        else:
            control.sendall(body)

    def calls(self, index: int, control: socket.socket, message: int, requests: list[Any]) -> None:
        """Make calls, one after another, until it is held; answers with their replies."""
        course = self.courses[index] = Course(message)
        names: dict[str, int] = {}
        for name, tagged, wide, binds in requests:
            course.began = 0
            if course.held:  # before ``hold`` looks at the replies, or it has seen that this call is the next
                break
            try:
                for one in tagged:
                    if one[0] == "fd":
                        one[:] = "int", names[one[1]]
            except KeyError:
                course.replies.append(None)
                continue
            reply = self.call(course, name, tagged, wide)
            course.replies.append(reply)
            if binds and reply[0] >= 0:
                made = (reply[0],) if len(binds) == 1 else struct.unpack("=ii", next(out for out in reply[2] if out))
                names.update(zip(binds, made, strict=True))
        self.answer(control, course.replies)

    def call(self, course: "Course", name: str, tagged: list[Any], wide: bool) -> tuple[int, int, list[Any], int, int]:
        """Make one call, bracketed by the clock."""
        own_call = self.signalled if name == "interrupt" else OWN_CALLS.get(name)
        function: Any = own_call or self.function(name, wide)
        arguments = [Argument(one, self.bad) for one in tagged]
        if own_call is None:
            values = [argument.value for argument in arguments]
        else:
            values = [argument.buffer if argument.returns else argument.value.value for argument in arguments]
        own = threading.get_ident()
        self.inside.add(own)
        ctypes.set_errno(0)
        course.began = before = time.clock_gettime_ns(_REALTIME)
        result = function(*values)
        if own_call is None:
            number = ctypes.get_errno() if result == -1 else 0
        else:
            result, number = result
        after = time.clock_gettime_ns(_REALTIME)
        self.inside.discard(own)
        return result, number, [argument.read_back() for argument in arguments], before, after

    def function(self, name: str, wide: bool) -> Any:
        """libc's function of this name, which gives an ssize_t or an int."""
        found = self.functions.get((name, wide))
        if found is None:
            found = self.functions[name, wide] = libc[name]
            found.restype = ctypes.c_ssize_t if wide else ctypes.c_int
        return found

    def hold(self, control: socket.socket, index: int, message: int) -> None:
        """Have another thread make no more calls of a message than it is inside, if it has begun with that message."""
        course = self.courses.get(index)
        if course is None or course.message != message:
            self.answer(control, None)
            return
        course.held = True
        replies = list(course.replies)
        self.answer(control, (replies, course.began or time.clock_gettime_ns(_REALTIME)))

    def reset(self, control: socket.socket) -> None:
        """Close all descriptors of the sequence that is over, and put back what it may have changed: the limit, the mask, the flags
        of the descriptors that stay."""
        os.umask(MASK)
        for standard in range(3):
            with contextlib.suppress(OSError):  # a sequence may have closed it
                fcntl.fcntl(standard, fcntl.F_SETFL, 0)
                fcntl.fcntl(standard, fcntl.F_SETFD, 0)
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, max(hard, FILES)))
        first = 3
        for own in sorted(one.fileno() for one in self.controls):
            if first < own:
                os.closerange(first, own)
            first = own + 1
        os.closerange(first, FILES)  # what fill_fds() may have made beyond its own
        self.answer(control, 0)

    def interrupt(self, control: socket.socket) -> None:
        """Get every thread out of the call that it is inside."""
        self.answer(control, self.signalled(INTERRUPTS)[0])

    def signalled(self, number: int) -> tuple[int, int]:
        """Send a signal to each other thread that is inside a call; gives how many these are."""
        threads = self.inside - {threading.get_ident()}
        for thread in threads:
            signal.pthread_kill(thread, number)
        return len(threads), 0

    def reap(self, control: socket.socket, pid: int) -> None:
        """How a child of this process ended: its exit status, or minus the signal's number."""
        self.answer(control, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))

    def fork(self, control: socket.socket, threads: int) -> None:
        """A child of this process with a copy of its descriptors; the owner gets the control sockets to it."""
        pairs = [socket.socketpair() for _ in range(threads)]
        theirs = [own_descriptor(pair[1]) for pair in pairs]
        before = time.clock_gettime_ns(_REALTIME)
        pid = os.fork()
        if pid == 0:
            try:
                for one in (*(pair[0] for pair in pairs), *self.controls):
                    one.close()
                TrialAgent(theirs).serve()
            finally:
                os._exit(1)  # whatever fails here must never answer in the parent's place
        after = time.clock_gettime_ns(_REALTIME)
        child = os.pidfd_open(pid)
        self.answer(control, (pid, 0, [], before, after), child, *(pair[0].fileno() for pair in pairs))
        os.close(child)
        for one in (*(pair[0] for pair in pairs), *theirs):
            one.close()


_GONE = (32, 104)  # EPIPE, ECONNRESET


def receive(control: socket.socket) -> Any:
    """The next request; None when the owner has gone."""
    try:
        data = control.recv(1 << 16)
        while data and len(data) < 4:
            data += control.recv(4 - len(data))
        if not data:
            return None
        size = struct.unpack_from("=I", data)[0] + 4
        if len(data) < size:
            parts = bytearray(data)
            while len(parts) < size:
                more = control.recv(size - len(parts))
                if not more:
                    return None
                parts += more
            data = bytes(parts)
    except ConnectionResetError:
        return None
    return msgpack.decode(data[4:])


def main(descriptors: list[int], arguments: dict[str, Any]) -> None:
    """Serve the owner at the other ends of these descriptors."""
    sys.setswitchinterval(0.0005)
    controls = [own_descriptor(socket.socket(fileno=descriptor)) for descriptor in descriptors]
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.dup2(null, 2)
    if null > 2:
        os.close(null)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    own_directory()
    try:
        raise OSError(f"sequences make files, and would make them in {os.getcwd()}: there is no directory of one's own (Linux 5.2)")
    except FileNotFoundError:
        pass  # no path leads to where it is
    os.umask(MASK)
    nothing = ctypes.cast(libc.abs, ctypes.c_void_p).value or 0
    libc.sigaction(int(INTERRUPTS), struct.pack("=Q128xI4xQ", nothing, 0, 0), None)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, hard))
    gc.freeze()  # a collection in a forked child would write to, and so copy, the memory of all that is there
    TrialAgent(controls).serve()
