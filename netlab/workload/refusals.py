"""Calls that are answered by other than the kernel's own judgement: with an error, or with 0 and nothing done (seccomp(2)).

It counts the calls of each process, and packs the filter for the one that is meant; the agent installs it in a thread that makes
this call alone. It does not know what must come of it.
"""

import errno
import platform
import struct
from collections import Counter
from collections.abc import Iterable

from netlab.errors import HostError
from netlab.observe.call_names import CALLS
from netlab.scenario.spec import Refusal

__all__ = ["Refusals", "filter_of"]

_ANOTHER = {
    "send": ("sendto",),
    "recv": ("recvfrom",),
    "poll": ("poll", "ppoll"),
    "select": ("select", "pselect6"),
    "epoll_wait": ("epoll_wait", "epoll_pwait"),
    "dup2": ("dup2", "dup3"),
}
"""What glibc's functions of another name ask the kernel for."""
_NOT_OBSERVED = {
    "pipe": ((22, None), (293, 59)),
    "pipe2": ((293, 59),),
    "epoll_create": ((213, None), (291, 20)),  # epoll_create, epoll_create1
    "open": ((2, None), (257, 56)),
    "unlink": ((87, None), (263, 35)),  # unlink, unlinkat
    "chmod": ((90, None), (268, 53)),  # chmod, fchmodat
    "access": ((21, None), (269, 48)),  # access, faccessat
    "umask": ((95, 166),),
    "lseek": ((8, 62),),
    "fstat": ((5, 80), (262, 79)),  # fstat, newfstatat
    "pread": ((17, 67),),
    "unshare": ((272, 97),),
    "pwrite": ((18, 68),),
    "getpid": ((39, 172),),
    "kill": ((62, 129),),
    "seteuid": ((117, 147),),  # setresuid
    "setrlimit": ((160, 164), (302, 261)),  # setrlimit, prlimit64
}
"""The numbers on x86_64 and aarch64 of calls that the observers pass over (see call_names)."""

_LOAD, _IF_EQUAL, _RETURN = 0x20, 0x15, 0x06  # classic BPF: ld [k], jeq, ret
_NUMBER = 0  # its offset in struct seccomp_data
_ALLOW, _ERROR = 0x7FFF0000, 0x00050000  # SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO


class Refusals:
    """The refusals of one scenario, and how often each process has made each call."""

    def __init__(self, refusals: Iterable[Refusal]) -> None:
        self._refusals = tuple(refusals)
        self._made: Counter[tuple[str, str]] = Counter()

    def next(self, process: str, call: str) -> bytes:
        """The filter for the call that a process is about to make; empty where the kernel shall judge it.

        Raises HostError on a machine whose numbers of calls are not known.
        """
        self._made[process, call] += 1
        nth = self._made[process, call]
        for one in self._refusals:
            if (one.process, one.call) == (process, call) and one.nth in (0, nth):
                return filter_of(call, one.errno)
        return b""


def filter_of(call: str, error: str) -> bytes:
    """A program of seccomp(2) that answers a libc function's system calls with an errno's name, or with 0 where that is empty.

    All others pass. Raises HostError on a machine whose numbers of calls are not known.
    """
    numbers = _numbers(call)
    program = [(_LOAD, 0, 0, _NUMBER)]
    program += [(_IF_EQUAL, len(numbers) - place, 0, number) for place, number in enumerate(numbers)]
    program += [(_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _ERROR | (getattr(errno, error) if error else 0))]
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)


def _numbers(call: str) -> list[int]:
    machine = platform.machine()
    if machine not in ("x86_64", "aarch64"):
        raise HostError(f"the numbers of system calls are not known on {machine}", "run this on x86_64 or aarch64")
    if call in _NOT_OBSERVED:
        found = [pair[machine == "aarch64"] for pair in _NOT_OBSERVED[call]]
    else:
        names = _ANOTHER.get(call, (call,))
        found = [getattr(one, machine) for one in CALLS if one.name in names]
    return [number for number in found if number is not None]
