"""The owner's end of trial agents: starts one, makes calls in it, sees whether they have returned or sleep inside, lets it go.

It knows what names stand for, and neither what is called nor what must come of it.
"""

import array
import os
import select
import socket
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from netlab.errors import LabError
from netlab.lab.lab import LabNode
from netlab.lab.process import outer_pid
from netlab.observe.procfs import sleeps_inside, thread_folder
from netlab.workload.marshal import MarshalError

AGENT = Path(__file__).with_name("trial_agent.py")
THREADS, THREADS_OF_A_CHILD = 6, 3
"""Calls that one process may be inside at a time, but for one, which is for telling it what to do next."""

WITHIN = 30.0
"""Seconds in which what cannot block is done, on a machine however busy."""

SLOTS = 1 << 40
"""From here on a number stands for a descriptor that is still to be made; no descriptor is as high."""

_ROOM = 1 << 17
Replies = list[list[Any] | None]
"""What came of calls, in order: value, errno's number, what was left in each argument, the times just before and after in ns. None
for a call that was not made, since nothing made what it is about."""


_LENGTH = struct.Struct("=I")


class GoneError(Exception):
    """A process has ended; its name."""


class BusyError(Exception):
    """Every thread of a process is inside a call."""


class Performer:
    """The owner's end of one trial agent: makes calls in it; a name stands for a descriptor."""

    def __init__(self, name: str, controls: Sequence[socket.socket], pid: int, pidfd: int) -> None:
        self.name, self.pid, self.pidfd = name, pid, pidfd
        self.controls = list(controls)
        self.table: dict[str, int] = {}
        self.families: dict[str, int] = {}
        self.coming: dict[str, int] = {}
        self._used = self._resetting = False
        self._messages = 0
        self._folders: dict[int, str] = {}
        self._polls = []
        for control in self.controls:
            control.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", int(WITHIN), 0))
            poll = select.poll()
            poll.register(control, select.POLLIN)
            self._polls.append(poll)
        self._tids = [int(self.receive(index)) for index in range(len(self.controls))]
        self.free = list(range(len(self.controls)))
        self.parent: Performer | None = None
        self.number = 0

    # What marshalling asks for (workload/encoder.py's Environment).

    def descriptor(self, name: str) -> int:
        """A name's number; one from ``SLOTS`` on for what a call that is told in the same message makes (``coming``)."""
        number = self.coming.get(name) if self.coming else None
        if number is None:
            number = self.table.get(name)
        if number is None:
            raise MarshalError(f"nothing is named {name}")
        return number

    def family(self, name: str | int) -> int:
        """The family of a socket by its name; where it matters the length of an address is written, too."""
        return self.families.get(name, socket.AF_INET) if isinstance(name, str) else socket.AF_INET

    def address_of_name(self, name: str) -> bytes | None:
        """No sequence asks for it."""
        raise MarshalError(f"@{name} is not for generated sequences")

    def node_address(self, node: str, interface: str, family: int) -> str:
        """No sequence asks for it."""
        raise MarshalError(f"{node} is not for generated sequences")

    def port_of(self, name: str) -> int:
        """No sequence asks for it."""
        raise MarshalError(f"@{name} is not for generated sequences")

    def interface_index(self, name: str) -> int:
        """No sequence asks for it."""
        raise MarshalError(f"%{name} is not for generated sequences")

    def process_number(self, name: str) -> int:
        """No sequence asks for it."""
        raise MarshalError(f"{name} is not for generated sequences")

    # Calls.

    def begin(self, index: int, request: Sequence[Any]) -> None:
        """Tell one thread what to do."""
        self._used = True
        body = msgspec.msgpack.encode(request)
        try:
            self.controls[index].sendall(_LENGTH.pack(len(body)) + body)
        except (BrokenPipeError, ConnectionResetError):
            raise GoneError(self.name) from None

    def answered(self, index: int, milliseconds: float) -> bool:
        """Whether a thread's answer is here, waited for so long at most."""
        return bool(self._polls[index].poll(milliseconds))

    def receive(self, index: int) -> Any:
        """A thread's next answer."""
        try:
            data = _whole(self.controls[index], self.controls[index].recv(_ROOM))
        except BlockingIOError:
            raise LabError(f"the trial agent of {self.name} does not answer") from None
        except ConnectionResetError:
            data = b""
        if not data:
            raise GoneError(self.name)
        answer = msgspec.msgpack.decode(memoryview(data)[4:])
        if isinstance(answer, dict):
            raise LabError(f"the trial agent of {self.name} failed: {answer['broken']}")
        return answer

    def call(self, index: int, requests: Sequence[Any]) -> int:
        """Have a thread make calls, one after another; gives the number of the message. The answer are their replies."""
        self._messages += 1
        self.begin(index, ("calls", self._messages, requests))
        return self._messages

    def hold(self, index: int, message: int) -> tuple[Replies, int] | None:
        """Have a thread make no more calls of a message than it is inside; gives the replies so far, and when that one began.

        None where the thread has not begun with that message. It is told by another thread, which must be free.
        """
        other = next(one for one in self.free if one != index)
        self.begin(other, ("hold", index, message))
        found = self.receive(other)
        return (found[0], found[1]) if found is not None else None

    def reset(self) -> None:
        """Have it forget the sequence that is over, if it had a part in it; ``ready`` waits for that."""
        self.table.clear()
        self.families.clear()
        if self._used:
            self.begin(0, ("reset",))
            self._used, self._resetting = False, True

    def ready(self) -> None:
        """Wait until it has forgotten the sequence that is over."""
        if self._resetting:
            self._resetting = False
            self.receive(0)

    def inside(self, index: int) -> bool:
        """Whether a thread sleeps inside a call."""
        folder = self._folders.get(index)
        try:
            if folder is None:
                folder = self._folders[index] = thread_folder(self.pid, self._tids[index])
            return sleeps_inside(folder)
        except OSError:
            return False

    def told(self, *request: Any) -> Any:
        """Do something that takes no time on the first free thread."""
        if not self.free:
            raise BusyError
        self.begin(self.free[0], request)
        return self.receive(self.free[0])

    def forked(self, name: str) -> tuple["Performer", list[Any]]:
        """A child, and the reply of fork()."""
        if not self.free:
            raise BusyError
        self.begin(self.free[0], ("fork", THREADS_OF_A_CHILD))
        control = self.controls[self.free[0]]
        if not self.answered(self.free[0], WITHIN * 1000):
            raise LabError(f"the trial agent of {self.name} did not fork")
        data, ancillary, _, _ = control.recvmsg(1 << 16, socket.CMSG_SPACE(64), socket.MSG_CMSG_CLOEXEC)
        fds = array.array("i")
        for _, _, rights in ancillary:
            fds.frombytes(rights)
        data = _whole(control, data)
        if not data:
            raise GoneError(self.name)
        reply = msgspec.msgpack.decode(data[4:])
        if not isinstance(reply, list):
            raise LabError(f"the trial agent of {self.name} did not fork: {reply}")
        pidfd, *controls = fds
        child = Performer(name, [socket.socket(fileno=fd) for fd in controls], outer_pid(pidfd), pidfd)
        child.table, child.families = dict(self.table), dict(self.families)
        child.parent, child.number = self, reply[0]
        return child, reply

    def close(self) -> int:
        """Let a child go, and wait until it is gone. Gives how it ended: its exit status, or minus the number of a signal."""
        for control in self.controls:
            control.close()
        poll = select.poll()
        poll.register(self.pidfd, select.POLLIN)
        poll.poll(WITHIN * 1000)
        self.forget()
        if self.parent is None or self.parent.pidfd < 0:  # the parent has ended before: somebody else has waited for it
            return 0
        return int(self.parent.told("reap", self.number))

    def forget(self) -> None:
        """Close what is held of it; it ends by itself, with its lab at the latest."""
        for control in self.controls:
            control.close()
        if self.pidfd >= 0:
            os.close(self.pidfd)
            self.pidfd = -1


def _whole(control: socket.socket, data: bytes) -> bytes:
    """A message with its length, of which this is the beginning; empty where it breaks off. Nothing comes that is not asked for."""
    while data and (len(data) < 4 or len(data) < _LENGTH.unpack_from(data)[0] + 4):
        more = control.recv(_ROOM)
        data = data + more if more else b""
    return data


def started(node: LabNode) -> Performer:
    """A trial agent in a node."""
    pairs = [socket.socketpair() for _ in range(THREADS)]
    status, told = os.pipe2(os.O_CLOEXEC)
    try:
        pid, pidfd = node.fork(AGENT, *(theirs.fileno() for _, theirs in pairs), told)
    finally:
        for _, theirs in pairs:
            theirs.close()
        os.close(told)
        os.close(status)
    return Performer(node.name, [ours for ours, _ in pairs], pid, pidfd)
