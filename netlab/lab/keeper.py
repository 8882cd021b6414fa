"""The owner's handle on a lab's keeper: it asks for namespaces, sockets and processes, and ends them all by closing one socket.

It does not know what the namespaces are for. Thread-safe: one request at a time.
"""

import array
import errno
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from netlab.errors import HostError, LabError

_LARGEST_REPLY = 1 << 16
_LARGEST_MESSAGE = 1 << 16
_USER_NAMESPACES_FIX = (
    "run as root, or allow unprivileged user namespaces: "
    "sysctl -w kernel.unprivileged_userns_clone=1 (Debian), "
    "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu 24.04), "
    "sysctl -w user.max_user_namespaces=32768; netlab-ns doctor says which"
)


class Keeper:
    """A running keeper. Raises HostError from ``start`` when this machine lets us make no namespaces."""

    def __init__(self, process: subprocess.Popen[bytes], control: socket.socket) -> None:
        self._process, self._control = process, control
        self._lock = threading.Lock()
        self._rootless: bool | None = None
        self._stays = False

    @classmethod
    def start(cls) -> Self:
        """Start a keeper and wait until it has its namespaces."""
        made = cls.begin()
        made._met()
        return made

    @classmethod
    def begin(cls) -> Self:
        """Start a keeper; what is first asked of it waits until it has its namespaces (about 40 ms)."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        owner = os.pidfd_open(os.getpid())
        library = str(Path(msgspec.__file__).parent.parent)
        program = str(Path(__file__).with_name("pid1.py"))
        try:
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", program, str(theirs.fileno()), str(owner), library],
                pass_fds=(theirs.fileno(), owner),
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
            os.close(owner)
        return cls(process, ours)

    @property
    def rootless(self) -> bool:
        """Whether it lives in a user namespace of its own."""
        with self._lock:
            return self._met()

    def _met(self) -> bool:
        """Wait for its first word, once. Raises HostError when this machine gave it no namespaces."""
        if self._rootless is None:
            try:
                reply = msgspec.msgpack.decode(self._control.recv(_LARGEST_REPLY) or b"\x80", type=dict[str, Any])
            except BaseException:
                self.close()
                raise
            if "rootless" not in reply:
                self.close()
                raise HostError(
                    f"this machine lets us make no namespaces: {reply.get('message', 'the keeper died at once')}",
                    _USER_NAMESPACES_FIX,
                )
            self._rootless = bool(reply["rootless"])
        return self._rootless

    def ask(self, do: str, *fds: int, **request: Any) -> tuple[dict[str, Any], list[int]]:
        """Send one request and wait for its answer; raises OSError when the keeper's system call failed, LabError when it died."""
        body, large = msgspec.msgpack.encode({"do": do, **request}), None
        if len(body) > _LARGEST_MESSAGE:
            large = os.memfd_create("netlab request")
            with open(os.dup(large), "wb") as whole:
                whole.write(body)
            os.lseek(large, 0, os.SEEK_SET)
            body, fds = msgspec.msgpack.encode({"large": True}), (large, *fds)
        try:
            return self._exchange(body, fds)
        finally:
            if large is not None:
                os.close(large)

    def _exchange(self, body: bytes, fds: tuple[int, ...]) -> tuple[dict[str, Any], list[int]]:
        with self._lock:
            self._met()
            try:
                rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
                self._control.sendmsg([body], rights)
                data, given = _receive(self._control)
            except OSError as error:
                raise LabError(f"the lab's keeper is gone ({errno.errorcode.get(error.errno or 0, error.errno)})") from error
        if not data:
            raise LabError("the lab's keeper is gone: it was ended from outside, or failed; its message is on standard error")
        reply = msgspec.msgpack.decode(data, type=dict[str, Any])
        if "errno" in reply:
            raise OSError(reply["errno"], reply["message"], reply["what"])
        return reply, given

    def hand_over(self, listener: socket.socket, description: int) -> None:
        """Let it live on: it serves whoever of its user connects to ``listener``, and shows them the file ``description``."""
        try:
            self.ask("stay", listener.fileno(), description)
        except BaseException:
            self._process.kill()  # who knows whether it heard that it may stay
            raise
        self._stays = True

    def close(self) -> None:
        """End the lab, unless it was handed over: every process in it is killed by the kernel. Returns when they are gone."""
        self._control.close()
        if self._stays:
            self._process.returncode = 0  # it is nobody's to wait for, and Popen is not to warn of that
        else:
            self._process.wait()

    @property
    def pid(self) -> int:
        """The pid of the keeper's outer process."""
        return self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def _receive(control: socket.socket) -> tuple[bytes, list[int]]:
    # Not socket.recv_fds: that of Python 3.11 drops the flag, and a descriptor without close-on-exec would reach programs.
    fds = array.array("i")
    data, ancillary, _, _ = control.recvmsg(_LARGEST_REPLY, socket.CMSG_SPACE(8 * fds.itemsize), socket.MSG_CMSG_CLOEXEC)
    for level, kind, rights in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            fds.frombytes(rights[: len(rights) - len(rights) % fds.itemsize])
    return data, list(fds)
