"""Moves this process behind a fence, a user namespace of its own, where the kernel counts every namespace that is made.

The counts (user_namespaces(7), /proc/sys/user) are exact, whatever else the machine does: a namespace that anything still holds,
by a process, a descriptor, a mount or a socket, or that the kernel has not cleaned up yet, is counted.
"""

import ctypes
import os
from pathlib import Path

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x00020000, 0x04000000, 0x10000000, 0x20000000, 0x40000000
MS_REC, MS_PRIVATE = 16384, 1 << 18
PR_SET_DUMPABLE = 4
KINDS = {"pid": CLONE_NEWPID, "uts": CLONE_NEWUTS, "mnt": CLONE_NEWNS, "net": CLONE_NEWNET}
UNLIMITED = (1 << 31) - 1
libc = ctypes.CDLL(None, use_errno=True)


def check(result: int, what: str) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)


def own_mounts() -> None:
    """A mount namespace of our own, with an empty /run: what --expose names stays off the machine's."""
    check(libc.unshare(CLONE_NEWNS), "unshare mount namespace")
    check(libc.mount(b"none", b"/", b"none", MS_REC | MS_PRIVATE, None), "mount /")
    check(libc.mount(b"tmpfs", b"/run", b"tmpfs", 0, b"mode=755"), "mount /run")


class Fence:
    """A user namespace of this process's, with the same user and group inside, and a network namespace in it: one that labs may
    come back to, as on a machine whose root they are. The process must have one thread."""

    def __init__(self) -> None:
        uid, gid = os.geteuid(), os.getegid()
        check(libc.unshare(CLONE_NEWUSER | CLONE_NEWNET), "unshare user namespace")
        for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
            Path(f"/proc/self/{name}").write_text(text)
        check(libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0), "prctl PR_SET_DUMPABLE")
        self._own = {"net": 1, "mnt": 1}  # the latter by own_mounts

    def left(self) -> list[str]:
        """The kinds of namespaces of which there are some besides our own, those of dying labs too."""
        found = [kind for kind in ("pid", "uts", "mnt") if not self._can_make(kind, KINDS[kind])]
        # one that is made to see whether it can be takes time to go, and would be found the next time
        return found or [kind for kind in ("net",) if not self._can_make(kind, KINDS[kind])]

    def empty(self) -> bool:
        """Whether there are none, user namespaces included, which the kernel frees a second or two after a lab's others."""
        return not self.left() and self._can_make("user", CLONE_NEWUSER)

    def _can_make(self, kind: str, flag: int) -> bool:
        """Whether one more namespace than our own may be made where only that many are allowed."""
        limit = Path(f"/proc/sys/user/max_{kind}_namespaces")
        limit.write_text(str(self._own.get(kind, 0) + 1))
        try:
            child = os.fork()
            if child == 0:
                os._exit(0 if libc.unshare(flag) == 0 else 1)
            return os.waitpid(child, 0)[1] == 0
        finally:
            limit.write_text(str(UNLIMITED))
