"""The owner's handle on a lab's keeper: it asks for namespaces, sockets and processes, and ends them all by closing one socket.

It does not know what the namespaces are for. Thread-safe: one request at a time.
"""

import errno
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from netlab.errors import HostError, LabError
from netlab.lab import parcels

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
        self._owner = os.getpid()
        self._lock = threading.Lock()
        self._rootless: bool | None = None
        self._count = 0
        self._stays = False

    @classmethod
    def start(cls) -> Self:
        """Start a keeper and wait until it has its namespaces."""
        made = cls.begin()
        made._met()
        return made

    @classmethod
    def begin(cls) -> Self:
        """Start a keeper; what is first asked of it waits until it has its namespaces (about 20 ms)."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        owner = os.pidfd_open(os.getpid())
        program = os.path.join(os.path.dirname(__file__), "pid1.py")
        try:
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", program, str(theirs.fileno()), str(owner)],
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
        parcels.translate_pids(ours)
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
                reply, _ = parcels.receive(self._control)
            except BaseException:
                self.close()
                raise
            if reply is None or "rootless" not in reply:
                self.close()
                why = reply["message"] if reply is not None else "the keeper died at once"
                raise HostError(f"this machine lets us make no namespaces: {why}", _USER_NAMESPACES_FIX)
            self._rootless = bool(reply["rootless"])
        return self._rootless

    def ask(self, do: str, *fds: int, **request: Any) -> tuple[dict[str, Any], list[int]]:
        """Send one request and wait for its answer; raises OSError when the keeper's system call failed, LabError when it died."""
        self.check_owner()
        with self._lock:
            self._met()
            try:
                reply, given = self._answered(self._sent(do, fds, request))
            except OSError as error:
                raise LabError(f"the lab's keeper is gone ({errno.errorcode.get(error.errno or 0, error.errno)})") from error
        if reply is None:
            raise LabError("the lab's keeper is gone: it was ended from outside, or failed; its message is on standard error")
        if "errno" in reply:
            raise OSError(reply["errno"], reply["message"], reply["what"])
        return reply, given

    def prepare(self, file: os.PathLike[str]) -> None:
        """Tell it, and wait for nothing, that it will be asked to fork into a Python file; what goes wrong shows then."""
        with self._lock, suppress(OSError):
            self._sent("prepare", (), {"file": os.fspath(file), "path": sys.path})

    @property
    def ours(self) -> bool:
        """Whether this process is the one that began it, and not one that was forked from it."""
        return os.getpid() == self._owner

    def check_owner(self) -> None:
        """Raise LabError in a forked process: an answer might reach either of the two."""
        if not self.ours:
            raise LabError(
                f"the lab belongs to process {self._owner}, from which this one was forked: build one here, or use it there"
            )

    def _sent(self, do: str, fds: Sequence[int], request: Mapping[str, Any]) -> int:
        self._count += 1
        number = self._count
        parcels.send(self._control, {"do": do, "id": number, **request}, fds)
        return number

    def _answered(self, number: int) -> tuple[dict[str, Any] | None, list[int]]:
        """The answer to a request. Those to others are of no use any more: who asked was interrupted, or did not wait."""
        while True:
            reply, given = parcels.receive(self._control)
            if reply is None or reply.pop("id", number) == number:
                return reply, given
            for fd in given:
                os.close(fd)

    def hand_over(self, listener: socket.socket, description: int) -> None:
        """Let it live on: it serves whoever of its user connects to ``listener``, and shows them the file ``description``."""
        try:
            self.ask("stay", listener.fileno(), description)
        except BaseException:
            self._process.kill()  # who knows whether it heard that it may stay
            raise
        self._stays = True

    def close(self) -> None:
        """End the lab, unless it was handed over: every process in it is killed by the kernel. Returns when they are gone.

        A forked process only gives up what it has of it.
        """
        if self.ours and not self._stays:
            with suppress(OSError):
                self._control.shutdown(socket.SHUT_RDWR)  # closing it is not enough where a forked process has it as well
        self._control.close()
        if self._stays or not self.ours:
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
