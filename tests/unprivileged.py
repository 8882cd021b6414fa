"""Run a command as the user nobody: ``python tests/unprivileged.py COMMAND ARGS``. As another user than root it just runs it.

Where the interpreter lies below a directory that only root may search (a pyenv under /root), that directory is shown anew in a
private mount namespace; the machine's own files and modes stay as they are. HOME and TMPDIR are a fresh, private tmpfs.
"""

import ctypes
import os
import sys
from pathlib import Path

NOBODY = 65534
CLONE_NEWNS, MS_BIND, MS_REC, MS_PRIVATE = 0x00020000, 4096, 16384, 1 << 18
libc = ctypes.CDLL(None, use_errno=True)


def mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    if libc.mount(source.encode(), target.encode(), kind.encode(), flags, data.encode()):
        raise OSError(ctypes.get_errno(), f"mount {target}")


def barrier(path: Path) -> Path | None:
    """The topmost directory on the way to ``path`` that others may not search."""
    for directory in reversed(path.parents):
        if not directory.stat().st_mode & 0o001:
            return directory
    return None


def expose(paths: list[Path]) -> None:
    """Make each path reachable for everyone, in this mount namespace."""
    opened = [(path, os.open(path, os.O_PATH)) for path in paths if barrier(path)]
    for path, fd in opened:
        while hidden := barrier(path):
            mount("tmpfs", str(hidden), "tmpfs", 0, "mode=755")
            path.mkdir(parents=True, exist_ok=True)
        path.mkdir(parents=True, exist_ok=True)
        mount(f"/proc/self/fd/{fd}", str(path), "none", MS_BIND | MS_REC)
        os.close(fd)


def drop(home: str = "/mnt") -> None:
    """Become nobody in a private mount namespace; the calling process must have one thread."""
    if libc.unshare(CLONE_NEWNS):
        raise OSError(ctypes.get_errno(), "unshare")
    mount("none", "/", "none", MS_REC | MS_PRIVATE)
    expose(sorted({Path(sys.base_prefix).resolve(), Path(sys.prefix).resolve(), Path(__file__).resolve().parent.parent}))
    mount("tmpfs", home, "tmpfs", 0, "mode=700,uid=65534,gid=65534")
    os.environ.update(HOME=home, TMPDIR=home, XDG_CACHE_HOME=f"{home}/.cache", USER="nobody", LOGNAME="nobody")
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)


if __name__ == "__main__":
    if os.geteuid() == 0:
        drop()
    os.execvp(sys.argv[1], sys.argv[1:])
