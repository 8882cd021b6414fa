"""Parcels: what a lab's keeper and those who ask it send each other, a mapping of plain values with descriptors beside it.

Each is one message of a SOCK_SEQPACKET socket (unix(7)), or a file in memory where it is too large for one. It does not know what
the words in them mean. Both ends are processes of the same user, who can do to either what he likes, so that marshal will do: an
interpreter has it at once, where msgspec takes longer to import than all else that a keeper needs. It is not so where root looks at
another user's lab that stays: root should do that only with users whom it trusts.
"""

from __future__ import annotations

import array
import errno
import marshal
import os
import socket
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

LARGEST_MESSAGE = 1 << 16
MOST_DESCRIPTORS = 253  # SCM_MAX_FD of include/net/scm.h

_VERSION = 4  # of marshal's: what every Python from 3.4 on reads
_CREDENTIALS = struct.Struct("=iII")
_ROOM = socket.CMSG_SPACE(4 * MOST_DESCRIPTORS) + socket.CMSG_SPACE(_CREDENTIALS.size)
_NOT_UNDERSTOOD = (ValueError, EOFError, TypeError)


class NotUnderstoodError(Exception):
    """A message that is no parcel: another version of netlab sent it."""


def send(to: socket.socket, value: dict[str, Any], fds: Sequence[int] = (), flags: int = 0) -> None:
    """Send a parcel; the descriptors stay the sender's own as well. Raises OSError.

    A number ``pid`` in it must be the sender's, or for root of its PID namespace that of a process there which is not waited for
    yet: the kernel translates it for a receiver in another PID namespace.
    """
    body = marshal.dumps(value, _VERSION)
    if len(body) <= LARGEST_MESSAGE:
        _send(to, body, fds, value.get("pid", 0), flags)
        return
    large = os.memfd_create("netlab parcel")
    try:
        with open(large, "wb", closefd=False) as whole:
            whole.write(body)
        _send(to, marshal.dumps(None, _VERSION), (large, *fds), value.get("pid", 0), flags)
    finally:
        os.close(large)


def translate_pids(receiver: socket.socket) -> None:
    """Have ``receive`` give numbers of this process's PID namespace."""
    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)


def receive(receiver: socket.socket) -> tuple[dict[str, Any] | None, list[int]]:
    """The next parcel, None when there will be none any more; its descriptors are close-on-exec, and the caller's to close.

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
        value = _value(body)
        if value is None:
            value = _value(_contents(fds.pop(0)))
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


def _value(body: bytes) -> Any:
    try:
        value = marshal.loads(body)
    except _NOT_UNDERSTOOD as error:
        raise NotUnderstoodError(str(error)) from None
    if not isinstance(value, dict | None):
        raise NotUnderstoodError(f"{type(value).__name__} instead of a mapping")
    return value


def _contents(fd: int) -> bytes:
    try:
        return os.pread(fd, os.fstat(fd).st_size, 0)
    finally:
        os.close(fd)
