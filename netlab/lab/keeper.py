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
_USER_NAMESPACES_FIX = (
    "run as root, or allow unprivileged user namespaces: "
    "sysctl -w kernel.unprivileged_userns_clone=1 (Debian), "
    "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu 24.04), "
    "sysctl -w user.max_user_namespaces=32768; netlab-ns doctor says which"
)


class Keeper:
    """A running keeper. Raises HostError from ``start`` when this machine lets us make no namespaces."""

    def __init__(self, process: subprocess.Popen[bytes], control: socket.socket, rootless: bool) -> None:
        self._process, self._control, self.rootless = process, control, rootless
        self._lock = threading.Lock()

    @classmethod
    def start(cls) -> Self:
        """Start a keeper and wait until it has its namespaces (about 50 ms)."""
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
        finally:
            theirs.close()
            os.close(owner)
        try:
            reply = msgspec.msgpack.decode(ours.recv(_LARGEST_REPLY) or b"\x80", type=dict[str, Any])
        except BaseException:
            ours.close()
            process.wait()
            raise
        if "rootless" not in reply:
            ours.close()
            process.wait()
            raise HostError(
                f"this machine lets us make no namespaces: {reply.get('message', 'the keeper died at once')}",
                _USER_NAMESPACES_FIX,
            )
        return cls(process, ours, bool(reply["rootless"]))

    def ask(self, do: str, *fds: int, **request: Any) -> tuple[dict[str, Any], list[int]]:
        """Send one request and wait for its answer; raises OSError when the keeper's system call failed, LabError when it died."""
        with self._lock:
            try:
                rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
                self._control.sendmsg([msgspec.msgpack.encode({"do": do, **request})], rights)
                data, given = _receive(self._control)
            except OSError as error:
                raise LabError(f"the lab's keeper is gone ({errno.errorcode.get(error.errno or 0, error.errno)})") from error
        if not data:
            raise LabError("the lab's keeper is gone: it was ended from outside, or failed; its message is on standard error")
        reply = msgspec.msgpack.decode(data, type=dict[str, Any])
        if "errno" in reply:
            raise OSError(reply["errno"], reply["message"], reply["what"])
        return reply, given

    def close(self) -> None:
        """End the lab: every process in it is killed by the kernel. Returns when they are gone."""
        self._control.close()
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
