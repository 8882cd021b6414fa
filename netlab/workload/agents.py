"""The owner's handles on agent processes: start a call in an actor's thread, wait for its return, see whether it is inside.

One agent a host, started when first needed; a fork adds a process with a control socket of its own. It does not know what the
calls mean (marshal.py does) nor what must come of them.
"""

import array
import os
import select
import socket
import struct
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from netlab.errors import LabError
from netlab.lab.lab import LabNode
from netlab.lab.process import outer_pid
from netlab.observe.procfs import inside_call

AGENT = Path(__file__).with_name("agent.py")
"""The file that nodes fork into; a lab that is told of it beforehand has it ready (``Lab(topology, forks=AGENT)``)."""

_PAUSE = 0.0002
_WITHIN = 30.0
"""Seconds in which an agent does what nothing can block, on a machine however busy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What one call gave, raw: value, errno's number, the contents of its out-buffers, and the times around it in ns.

    ``signal`` is the number of the one that ended the process that was forked for the call, 0 for none.
    """

    result: int
    errno: int
    out: list[Any]
    before: int
    after: int
    signal: int = 0


@dataclass(slots=True, kw_only=True)
class _Pending:
    started: int = 0
    tid: int = 0
    reply: Reply | None = None
    fds: list[int] = field(default_factory=list)


class ProcessGone(LabError):
    """The process that was to make a call has ended. ``status``: exit status, or minus the signal's number; None if unknown."""

    def __init__(self, process: str, status: int | None) -> None:
        self.process, self.status = process, status
        super().__init__(f"the process {process} has ended" + ("" if status is None else f" with status {status}"))


class AgentProcess:
    """One process of a host that makes calls. ``name`` is the host's, or "host/child".

    ``child_of`` is for one that was forked: who can wait for its end, and its number there.
    """

    def __init__(
        self,
        host: str,
        name: str,
        control: socket.socket,
        pid: int,
        pidfd: int,
        status: int = -1,
        child_of: "tuple[AgentProcess, int] | None" = None,
    ) -> None:
        self.host, self.name, self.pid = host, name, pid
        self._control, self._pidfd, self._status, self._child_of = control, pidfd, status, child_of
        self._ended: int | None = None
        self._pending: dict[int, _Pending] = {}
        self._count = 0
        self._buffer = b""
        self._fds: list[int] = []

    @classmethod
    def start(cls, node: LabNode) -> "AgentProcess":
        """Fork the node's agent off the lab's keeper."""
        ours, theirs = socket.socketpair()
        status, told = os.pipe2(os.O_CLOEXEC)
        try:
            pid, pidfd = node.fork(AGENT, theirs.fileno(), told)
        finally:
            theirs.close()
            os.close(told)
        made = cls(node.name, node.name, ours, pid, pidfd, status)
        made.look(-1)  # an answer says that it has put its own descriptors out of the way
        return made

    def begin(
        self,
        call: str,
        args: list[Any],
        width: str,
        actor: str,
        refused: bytes = b"",
        *,
        in_child: bool = False,
        delay: int = 0,
    ) -> int:
        """Have an actor's thread make a call; gives its number. ``refused`` is a program of seccomp(2) that answers it.

        ``in_child``: in a process that is forked for it, and ends after it. ``delay``: so many milliseconds from now.
        """
        request: dict[str, Any] = {"do": "call", "actor": actor, "call": call, "args": args, "width": width}
        if refused:
            request["refused"] = refused
        if in_child:
            request["child"] = True
        if delay:
            request["delay"] = delay
        return self._ask(request)

    def started(self, number: int, timeout: float = _WITHIN) -> int:
        """The time at which the call was about to enter libc, awaited."""
        self._until(lambda: self._pending[number].started or self._pending[number].reply, timeout)
        pending = self._pending[number]
        return pending.started or (pending.reply.before if pending.reply else 0)

    def has_started(self, number: int) -> bool:
        """Whether the call is known to have begun by now."""
        self._until(lambda: self._pending[number].started or self._pending[number].reply, _PAUSE)
        return bool(self._pending[number].started or self._pending[number].reply)

    def settled(self, number: int, timeout: float) -> bool:
        """Wait until the call has returned, or its thread is seen inside it; False when neither came in time."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if self.returned(number, _PAUSE) is not None:
                return True
            pending = self._pending[number]
            if pending.tid and inside_call(self.pid, pending.tid):
                return True
        return False

    def returned(self, number: int, timeout: float) -> Reply | None:
        """The call's reply; None when it has not returned within ``timeout`` seconds."""
        self._until(lambda: self._pending[number].reply, timeout)
        return self._pending[number].reply

    def look(self, fd: int) -> tuple[bytes, int]:
        """The raw name (a struct sockaddr) and the family of the socket behind a descriptor; empty and 0 when it is none."""
        number = self._ask({"do": "look", "fd": fd})
        reply = self.returned(number, _WITHIN)
        if reply is None:
            raise LabError(f"the agent of {self.name} does not answer")
        del self._pending[number]
        return reply.out[0], reply.out[1]

    def fork(self, child: str) -> tuple["AgentProcess", Reply]:
        """Fork the process; gives the child's handle."""
        number = self._ask({"do": "fork"})
        reply = self.returned(number, _WITHIN)
        if reply is None:
            raise LabError(f"the agent of {self.name} did not fork")
        control, pidfd = self._pending[number].fds
        made = socket.socket(fileno=control)
        return AgentProcess(self.host, child, made, outer_pid(pidfd), pidfd, child_of=(self, reply.result)), reply

    def close(self) -> None:
        """Let it go; it ends by itself."""
        self._control.close()
        os.close(self._pidfd)
        if self._status >= 0:
            os.close(self._status)
        for fd in self._fds:
            os.close(fd)

    def _ask(self, request: dict[str, Any]) -> int:
        self._count += 1
        self._pending[self._count] = _Pending()
        body = msgspec.msgpack.encode({"id": self._count, **request})
        try:
            self._control.sendall(struct.pack("=I", len(body)) + body)
        except (BrokenPipeError, ConnectionResetError):
            raise self._gone() from None
        return self._count

    def _until(self, condition: Any, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        while not condition():
            left = deadline - time.monotonic()
            if left <= 0 or not poll.poll(max(left * 1000, 0.05)):
                return
            self._read()

    def _read(self) -> None:
        try:
            data, ancillary, _, _ = self._control.recvmsg(1 << 18, socket.CMSG_SPACE(32), socket.MSG_CMSG_CLOEXEC)
        except ConnectionResetError:
            raise self._gone() from None
        if not data:
            raise self._gone()
        for level, kind, rights in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                fds = array.array("i")
                fds.frombytes(rights)
                self._fds += fds
        self._buffer += data
        while len(self._buffer) >= 4:
            (size,) = struct.unpack_from("=I", self._buffer)
            if len(self._buffer) < size + 4:
                return
            self._accept(msgspec.msgpack.decode(self._buffer[4 : size + 4], type=dict[str, Any]))
            self._buffer = self._buffer[size + 4 :]

    def _accept(self, message: dict[str, Any]) -> None:
        pending = self._pending[message["id"]]
        if "started" in message:
            pending.started, pending.tid = message["started"], message["tid"]
        elif "broken" in message:
            raise LabError(f"the agent of {self.name} failed: {message['broken']}")
        elif "name" in message:
            pending.reply = Reply(result=0, errno=0, out=[message["name"], message["family"]], before=0, after=0)
        else:
            pending.reply = Reply(
                result=message["ret"],
                errno=message["errno"],
                out=message["out"],
                before=message["before"],
                after=message["after"],
                signal=message.get("signal", 0),
            )
            if self._fds:
                pending.fds, self._fds = self._fds, []

    def _gone(self) -> ProcessGone:
        if self._ended is None:
            self._ended = self._told_by_keeper() if self._status >= 0 else self._told_by_parent()
        return ProcessGone(self.name, self._ended)

    def _told_by_keeper(self) -> int | None:
        poll = select.poll()
        poll.register(self._status, select.POLLIN)
        if not poll.poll(int(_WITHIN * 1000)):
            return None
        told = os.read(self._status, 4)
        return int(struct.unpack("=i", told)[0]) if told else None

    def _told_by_parent(self) -> int | None:
        if self._child_of is None:
            return None
        parent, number = self._child_of
        try:
            reply = parent.returned(parent._ask({"do": "reap", "pid": number}), _WITHIN)
        except ProcessGone:
            return None
        return None if reply is None else reply.out[0]
