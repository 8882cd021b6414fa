"""System calls that Python 3.11 has no function for, by libc: namespaces, mounts, prctl(2). It knows nothing of what they are for.

It is used in a bare interpreter too (lab/pid1.py), and so imports the standard library only.
"""

import ctypes
import os

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWUSER = 0x00020000, 0x04000000, 0x10000000
CLONE_NEWPID, CLONE_NEWNET = 0x20000000, 0x40000000
MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_REC, MS_PRIVATE = 2, 4, 8, 4096, 16384, 1 << 18
MNT_DETACH = 2
PR_SET_PDEATHSIG, PR_SET_DUMPABLE = 1, 4

_libc = ctypes.CDLL(None, use_errno=True)


def unshare(kinds: int, what: str) -> None:
    """unshare(2); ``what`` is its error's file name."""
    _check(_libc.unshare(kinds), what)


def setns(fd: int, kind: int) -> None:
    """setns(2)."""
    _check(_libc.setns(fd, kind), "setns")


def mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    """mount(2)."""
    encoded = (os.fsencode(word) for word in (source, target, kind))
    _check(_libc.mount(*encoded, flags, os.fsencode(data) or None), f"mount {kind} {target}")


def unmount(target: str, flags: int) -> None:
    """umount2(2)."""
    _check(_libc.umount2(os.fsencode(target), flags), f"umount {target}")


def prctl(option: int, value: int) -> None:
    """prctl(2), with one argument."""
    _check(_libc.prctl(option, value, 0, 0, 0), "prctl")


def _check(result: int, what: str) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)
