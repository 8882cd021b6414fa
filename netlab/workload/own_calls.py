"""The steps of netlab's own that an agent makes as if they were calls: each gives a value and an errno's number, as a call does.

Most stand for a few ordinary calls together. The keeper's bare interpreter runs this, so it imports the standard library only. It
judges nothing.
"""

import ctypes
import errno
import os
import select
import socket
import struct
import time
from typing import Any

SETTLED = 200
"""Milliseconds without room after which a socket is taken to be full; a busy machine takes its time over acknowledgements."""

ENDLESS = 1 << 26
"""Bytes after which a socket is taken to take all there is: UDP, whose datagrams are lost where there is no room."""

FSOPEN, FSCONFIG, FSMOUNT, FSCONFIG_CMD_CREATE = 430, 431, 432, 6  # the same numbers on every machine

libc = ctypes.CDLL(None, use_errno=True)


def fill_fds() -> tuple[int, int]:
    """Open /dev/null until the descriptor table is full."""
    count = 0
    while True:
        try:
            os.open(os.devnull, os.O_RDONLY)
        except OSError:
            return count, 0
        count += 1


def fill(fd: int) -> tuple[int, int]:
    """Send until nothing more is taken: until a byte does not go, nor a whole while later."""
    most = size = 1 << 16
    total, waited = 0, False
    data = ctypes.create_string_buffer(size)
    while True:
        sent = libc.send(fd, data, ctypes.c_size_t(size), socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
        number = ctypes.get_errno()
        if sent >= 0:
            total, waited, size = total + sent, False, most
            if total >= ENDLESS:
                return total, 0
        elif number == errno.EMSGSIZE and size > 1:
            most = size = size // 2
        elif number != errno.EAGAIN:
            return -1, number
        elif size > 1:
            size = 1
        elif waited:
            return total, 0
        else:
            # What TCP has on its way still moves into the receiver's buffer, and makes room here: less than poll() speaks of.
            room = select.poll()
            room.register(fd, select.POLLOUT)
            waited = not room.poll(SETTLED)


def lowest_free() -> tuple[int, int]:
    """The number that the next descriptor gets."""
    try:
        fd = os.open(os.devnull, os.O_RDONLY)
    except OSError as error:
        return -1, error.errno or 0
    os.close(fd)
    return fd, 0


def same_file(one: int, other: int) -> tuple[int, int]:
    """Whether two descriptors are of one file."""
    try:
        return int(os.path.samestat(os.fstat(one), os.fstat(other))), 0
    except OSError as error:
        return -1, error.errno or 0


def mkfile(path: bytes) -> tuple[int, int]:
    """Make an empty file."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o644))
    except OSError as error:
        return -1, error.errno or 0
    return 0, 0


def exec_has_fd(fd: int) -> tuple[int, int]:
    """Whether a program that is started from here has the descriptor."""
    pid = os.posix_spawn("/bin/sh", ["sh", "-c", f"test -e /proc/self/fd/{fd}"], {})
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status not in (0, 1):
        raise OSError(f"the shell that looks for descriptor {fd} ended with {status}")
    return 1 - status, 0


def unused_port(domain: int, kind: int, room: Any, size: Any) -> tuple[int, int]:
    """A loopback address with a port that nobody has: that of a socket that is closed again."""
    if domain not in (socket.AF_INET, socket.AF_INET6):
        return -1, errno.EAFNOSUPPORT
    try:
        with socket.socket(domain, kind) as made:
            made.bind(("::1" if domain == socket.AF_INET6 else "127.0.0.1", 0))
            result = libc.getsockname(made.fileno(), room, size)
            return result, ctypes.get_errno() if result else 0
    except OSError as error:
        return -1, error.errno or 0


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


def own_directory() -> None:
    """Go to an empty directory that no path leads to and that is gone with its last process, so that a socket's relative path, or
    any file's, is nobody else's. Where the kernel has none to give (before Linux 5.2), stay."""
    empty, none = ctypes.c_long(0), ctypes.c_void_p(None)
    context = libc.syscall(FSOPEN, b"tmpfs", empty)
    if context < 0:
        return
    folder = -1
    if libc.syscall(FSCONFIG, context, FSCONFIG_CMD_CREATE, none, none, empty) == 0:
        folder = libc.syscall(FSMOUNT, context, empty, empty)
    os.close(context)
    if folder >= 0:
        os.fchdir(folder)
        os.close(folder)
        # A shell of system() asks for the path of where it is, unless it was told of one that leads there (POSIX.1-2024 sh, PWD).
        os.environ["PWD"] = "/proc/self/cwd"


OWN_CALLS: dict[str, Any] = {
    "fill": fill, "lowest_free": lowest_free, "same_file": same_file, "mkfile": mkfile, "exec_has_fd": exec_has_fd,
    "unused_port": unused_port, "fill_fds": fill_fds, "exported": exported, "sleep": nap,
    "default": default, "handle": handle, "kill": die, "exit": leave,
}  # fmt: skip
