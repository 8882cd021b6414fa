"""The numbers that processes of a PID namespace have in the one that netlab runs in (pid_namespaces(7))."""

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import Self

_NS_GET_PID_FROM_PIDNS = 0x8004B706  # ioctl_nsfs(2), Linux 6.11


class PidNamespace:
    """A PID namespace, by a descriptor."""

    def __init__(self, fd: int) -> None:
        """``fd`` is a /proc/PID/ns/pid; it is closed by ``close``."""
        self._fd = fd
        self._identity = _identity(os.fstat(fd))

    @classmethod
    def of(cls, pid: int) -> Self:
        """That of a process. Raises OSError where it has ended or may not be looked at."""
        return cls(os.open(f"/proc/{pid}/ns/pid", os.O_RDONLY | os.O_CLOEXEC))

    def outer(self, inner: int) -> int:
        """The number here of the process or thread that has the number ``inner`` there; 0 where there is none any more."""
        try:
            return fcntl.ioctl(self._fd, _NS_GET_PID_FROM_PIDNS, inner)
        except ProcessLookupError:
            return 0
        except OSError:
            return self._searched(inner)  # before Linux 6.11

    def _searched(self, inner: int) -> int:
        for process in Path("/proc").iterdir():
            if not process.name.isdigit():
                continue
            with suppress(OSError):  # it ended meanwhile, or is another user's
                if _identity((process / "ns/pid").stat()) != self._identity:
                    continue
                for thread in (process / "task").iterdir():
                    if _numbers(thread)[-1] == inner:
                        return int(thread.name)
        return 0

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self._fd)


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _numbers(thread: Path) -> list[int]:
    """A thread's numbers, from our PID namespace inwards."""
    for line in (thread / "status").read_text().splitlines():
        if line.startswith("NSpid:"):
            return [int(word) for word in line.split()[1:]]
    return [int(thread.name)]
