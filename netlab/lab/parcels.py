"""Parcels: what a lab's keeper and those who ask it send each other, a mapping of plain values with descriptors beside it.

Each is one message of a SOCK_SEQPACKET socket (unix(7)), or a file in memory where it is too large for one. It does not know what
the words in them mean. A keeper and its owner speak marshal, which an interpreter has at once, where msgspec takes longer to import
than all else that a keeper needs; marshal trusts what it reads, and both are processes of one user, who can do to either what he
likes. With strangers a keeper speaks JSON: root may look at another user's lab that stays.
"""

from __future__ import annotations

import array
import errno
import fcntl
import marshal
import os
import socket
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

LARGEST_MESSAGE = 1 << 16
LARGEST_FILE = 1 << 26
"""The most that a stranger may say: 64 MB, where a lab of a thousand hosts describes itself in 300 KB."""

MOST_DESCRIPTORS = 253  # SCM_MAX_FD of include/net/scm.h

_VERSION = 4  # of marshal's: what every Python from 3.4 on reads
_CREDENTIALS = struct.Struct("=iII")
_ROOM = socket.CMSG_SPACE(4 * MOST_DESCRIPTORS) + socket.CMSG_SPACE(_CREDENTIALS.size)
_NOT_UNDERSTOOD = (ValueError, EOFError, TypeError, RecursionError)


class NotUnderstoodError(Exception):
    """A message that is no parcel: another version of netlab sent it."""


def send(to: socket.socket, value: dict[str, Any], fds: Sequence[int] = (), flags: int = 0, *, stranger: bool = False) -> None:
    """Send a parcel; the descriptors stay the sender's own as well. Raises OSError. A ``stranger`` cannot be sent bytes.

    A number ``pid`` in it must be the sender's, or for root of its PID namespace that of a process there which is not waited for
    yet: the kernel translates it for a receiver in another PID namespace.
    """
    body = _dumped(value, stranger)
    if len(body) <= LARGEST_MESSAGE:
        _send(to, body, fds, value.get("pid", 0), flags)
        return
    large = os.memfd_create("netlab parcel")
    try:
        with open(large, "wb", closefd=False) as whole:
            whole.write(body)
        _send(to, _dumped(None, stranger), (large, *fds), value.get("pid", 0), flags)
    finally:
        os.close(large)


def translate_pids(receiver: socket.socket) -> None:
    """Have ``receive`` give numbers of this process's PID namespace."""
    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)


def receive(receiver: socket.socket, *, stranger: bool = False) -> tuple[dict[str, Any] | None, list[int]]:
    """The next parcel, None when there will be none any more; its descriptors are close-on-exec, and the caller's to close.

    A ``stranger`` may have sent anything: it is a mapping, but what is in it is for the caller to look at.
    Raises OSError, NotUnderstoodError.
    """
    fds, sender = array.array("i"), 0
    # not socket.recv_fds: Python 3.11's drops the flag, and a descriptor without close-on-exec would reach programs
    body, ancillary, flags, _ = receiver.recvmsg(LARGEST_MESSAGE, _ROOM, socket.MSG_CMSG_CLOEXEC)
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
        elif (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS):
            sender, _, _ = _CREDENTIALS.unpack(data)
    try:
        if not body:
            return None, []
        if flags & socket.MSG_CTRUNC:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), "take descriptors")
        value = _value(body, stranger)
        if value is None:
            value = _value(_contents(fds, stranger), stranger)
            if value is None:
                raise NotUnderstoodError("nothing")
        if sender and "pid" in value:
            value["pid"] = sender
    except BaseException:
        for fd in fds:
            os.close(fd)
        raise
    return value, list(fds)


def _send(to: socket.socket, body: bytes, fds: Sequence[int], pid: int, flags: int) -> None:
    beside: list[tuple[int, int, Any]] = []
    if fds:
        beside.append((socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds)))
    if pid:
        beside.append((socket.SOL_SOCKET, socket.SCM_CREDENTIALS, _CREDENTIALS.pack(pid, os.geteuid(), os.getegid())))
    to.sendmsg([body], beside, flags)


def contents(fd: int) -> bytes:
    """A file in memory that may be a stranger's, read without its offset, which all share who have it open. Raises OSError or
    NotUnderstoodError: it may be another kind of file, to be waited for or without an end."""
    fcntl.fcntl(fd, fcntl.F_GET_SEALS)
    size = os.fstat(fd).st_size
    if size > LARGEST_FILE:
        raise NotUnderstoodError(f"{size} bytes")
    return os.pread(fd, size, 0)


def _dumped(value: dict[str, Any] | None, stranger: bool) -> bytes:
    if not stranger:
        return marshal.dumps(value, _VERSION)
    import json  # not for every keeper: it takes as long as all that one needs

    return json.dumps(value).encode()


def _value(body: bytes, stranger: bool) -> Any:
    try:
        if stranger:
            import json

            value = json.loads(body)
        else:
            value = marshal.loads(body)
    except _NOT_UNDERSTOOD as error:
        raise NotUnderstoodError(str(error)) from None
    if not isinstance(value, dict | None):
        raise NotUnderstoodError(f"{type(value).__name__} instead of a mapping")
    return value


def _contents(fds: array.array[int], stranger: bool) -> bytes:
    """The file that came as the first descriptor, which is closed."""
    if not fds:
        raise NotUnderstoodError("no file")
    fd = fds.pop(0)
    try:
        return contents(fd) if stranger else os.pread(fd, os.fstat(fd).st_size, 0)
    finally:
        os.close(fd)
