"""Labs that stay: how one gets its name, is found, reached and ended.

Such a lab listens on an abstract Unix socket, "netlab/UID/NAME" (unix(7)): bind(2) claims the name, nothing is on disk, and the
name is gone with the lab's keeper. It does not know what a lab has in it: described.py does.
"""

import errno
import os
import re
import select
import signal
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from types import TracebackType
from typing import Any, Self

from netlab.errors import NetlabError
from netlab.lab import parcels

LONGEST_NAME = 64
_LONGEST_OWN = 56  # leaves room for a number behind it
SO_PEERPIDFD = 77  # Linux 6.5
_PREFIX = "netlab/"
_NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{LONGEST_NAME - 1}}}")
_LISTENS = 1 << 16  # __SO_ACCEPTCON, in the flags of /proc/net/unix
_SEQPACKET = 5
_ANSWER_WITHIN = 5.0
_END_WITHIN = 10.0
_CREDENTIALS = struct.Struct("=iII")


class TakenError(Exception):
    """A lab of this name stays already."""


class UnreachableError(NetlabError):
    """A lab that stays cannot be had to do what is asked of it."""


class GoneError(UnreachableError):
    """It has ended, or was ended, meanwhile."""


class RefusedError(UnreachableError):
    """Its keeper could not do it: the system call's errno and words, or that it does not know the request."""


class ImpostorError(UnreachableError):
    """What answers to its name belongs to another user."""


@dataclass(frozen=True, slots=True, order=True)
class Staying:
    """A lab that stays, by what identifies it: its user and its name."""

    uid: int
    name: str

    @property
    def address(self) -> bytes:
        """Its socket's abstract address."""
        return f"\0{_PREFIX}{self.uid}/{self.name}".encode()


def usable_name(text: str) -> str:
    """``text`` as a lab may be called: letters, digits, ".", "_" and "-", beginning with a letter or a digit.

    >>> usable_name("two hosts!")
    'two-hosts'
    """
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._")[:_LONGEST_OWN] or "lab"


def is_name(text: str) -> bool:
    """Whether a lab may be called so."""
    return _NAME.fullmatch(text) is not None


def printable(text: str) -> str:
    """A text that a stranger may have written, harmless for a terminal.

    >>> printable("caf\u00e9 \x1b[2J")
    'caf\u00e9 \\x1b[2J'
    """
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)


def claim(name: str, *, exactly: bool = False) -> tuple[socket.socket, Staying]:
    """A bound socket, not listening yet, that holds a name for as long as it is open: ``name``, or NAME-2, NAME-3 ... where that is
    taken. Raises TakenError where it must be ``exactly`` this one."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
    try:
        for number in count(1):
            lab = Staying(os.geteuid(), name if number == 1 else f"{name}-{number}")
            try:
                made.bind(lab.address)
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
                if exactly:
                    raise TakenError(name) from None
            else:
                return made, lab
    except BaseException:
        made.close()
        raise
    raise AssertionError  # count() never ends


def staying() -> list[Staying]:
    """Every lab that stays, of every user, as this network namespace shows them."""
    found: set[Staying] = set()
    with open("/proc/net/unix", encoding="utf-8", errors="replace") as table:
        next(table)
        for line in table:
            # Num RefCount Protocol Flags Type St Inode Path; "@" stands for an abstract name's leading zero
            words = line.rstrip("\n").split(maxsplit=7)
            if len(words) < 8 or not words[7].startswith(f"@{_PREFIX}"):
                continue
            uid, _, name = words[7].removeprefix(f"@{_PREFIX}").partition("/")
            if (
                int(words[3], 16) & _LISTENS
                and int(words[4], 16) == _SEQPACKET
                and uid.isascii()
                and uid.isdigit()
                and is_name(name)
            ):
                found.add(Staying(int(uid), name))
    return sorted(found)


class Connection:
    """A connection to a lab that stays, whose other end was seen to be of the lab's user."""

    def __init__(self, lab: Staying, *, within: float = _ANSWER_WITHIN) -> None:
        """Raises GoneError when it is not there, ImpostorError when what answers to its name is another user's.

        Each answer must come ``within`` so many seconds.
        """
        self.lab = lab
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
        try:
            with _as_user(lab.uid):
                self._connect(within)
            credentials = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
            self.pid, uid, self.gid = _CREDENTIALS.unpack(credentials)
            if uid != lab.uid:
                raise ImpostorError(f"process {self.pid} of uid {uid} has taken the name of a lab of uid {lab.uid}: {lab.name}")
        except BaseException:
            self._socket.close()
            raise

    def _connect(self, within: float) -> None:
        # Not by settimeout: connect(2) that must not wait fails where many others are before us.
        seconds, rest = divmod(within, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("@ll", int(seconds), int(rest * 1e6)))
        try:
            self._socket.connect(self.lab.address)
        except (ConnectionRefusedError, ConnectionResetError):
            raise GoneError(f"the lab {self.lab.name} is not there any more") from None
        except BlockingIOError:
            raise UnreachableError(f"the lab {self.lab.name} does not answer: it is busy, stopped or stuck") from None
        self._socket.settimeout(within)

    def ask(self, do: str, **request: Any) -> tuple[dict[str, Any], list[int]]:
        """One request and its answer, with descriptors. Raises RefusedError, GoneError."""
        try:
            parcels.send(self._socket, {"do": do, **request}, stranger=True)
            reply, fds = parcels.receive(self._socket, stranger=True)
        except TimeoutError:
            raise UnreachableError(
                f"the lab {self.lab.name} does not answer: its process {self.pid} is busy, stopped or stuck"
            ) from None
        except parcels.NotUnderstoodError:
            raise RefusedError(f"the lab {self.lab.name} was built by another version of netlab: it can only be ended") from None
        except OSError:
            reply = None
        if reply is None:
            raise GoneError(f"the lab {self.lab.name} was ended meanwhile")
        if "errno" in reply:
            said = ": ".join(printable(str(reply[key])) for key in ("what", "message") if reply.get(key))
            raise RefusedError(f"the lab {self.lab.name} cannot: {said}")
        return reply, fds

    @property
    def gone(self) -> bool:
        """Whether the lab has ended. Nothing comes from it unasked, so that there is something to read only at its end."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return bool(poll.poll(0))

    def end(self) -> None:
        """End the lab; returns when every process in it is gone. What it was in the middle of is not finished."""
        try:
            pidfd = self._socket.getsockopt(socket.SOL_SOCKET, SO_PEERPIDFD)
        except OSError:
            # Before Linux 6.5. While the connection stands its process lives, so that the number cannot be another's by then.
            try:
                pidfd = os.pidfd_open(self.pid)
            except OSError:
                if self.gone:
                    return
                raise UnreachableError(f"the lab {self.lab.name} belongs to another PID namespace: end it there") from None
            if self.gone:
                os.close(pidfd)
                return
        try:
            # The kernel ends a PID namespace with its first process, and reports that one's end only after all others'.
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            poll = select.poll()
            poll.register(pidfd, select.POLLIN)
            if not poll.poll(_END_WITHIN * 1000):
                raise UnreachableError(
                    f"the lab {self.lab.name} was killed but is not gone: its process {self.pid} waits in the kernel"
                )
        finally:
            os.close(pidfd)

    def close(self) -> None:
        """Hang up; the lab stays."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


@contextmanager
def _as_user(uid: int) -> Iterator[None]:
    """As root, another user for a moment: a rootless lab serves its own user and cannot tell root from anybody else."""
    if os.geteuid() != 0 or uid == 0:
        yield
        return
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)
