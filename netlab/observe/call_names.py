"""Which system calls are observed: their numbers, where each keeps its descriptors, and which memory it is given or fills in.

The table is all that the BPF programs are told about a call. It refuses to know how they read it, or what the memory means
(``call_arguments``). Numbers: arch/x86/entry/syscalls/syscall_64.tbl, and include/uapi/asm-generic/unistd.h for aarch64.
"""

from dataclasses import dataclass
from enum import Enum

from netlab.errors import HostError

TIMESPEC_SIZE, POLLFD_SIZE, EPOLL_EVENT_SIZE, PAIR_SIZE, INT_SIZE = 16, 8, 12, 8, 4


class Keep(Enum):
    """Whether a call is recorded, by what its descriptor is. One that is not open (EBADF) always is."""

    EVERY = "whatever it is"
    SOCKET = "only of a socket"
    CHANNEL = "of anything but a file, a directory or a device: sockets, pipes, epoll"
    EITHER = "if one of two is a socket"


@dataclass(frozen=True, kw_only=True)
class Memory:
    """What an argument points to: ``unit`` bytes, times the argument ``counted``, or as many as argument ``measured`` points to."""

    pointer: int
    unit: int = 1
    counted: int | None = None
    measured: int | None = None


@dataclass(frozen=True, kw_only=True)
class Call:
    """A call: its numbers (None where the machine has none), and the positions of its arguments.

    ``given`` is read when it begins, ``gave`` when it succeeded, ``wait`` is a pointer to the two words of a time-out, ``vector``
    a pointer to iovecs whose number follows. ``makes``: the result is a descriptor. ``message``: argument 1 is a struct msghdr,
    whose address the caller gives ("given") or gets ("gave").
    """

    name: str
    x86_64: int | None
    aarch64: int | None
    fd: int | None = None
    other: int | None = None
    keep: Keep = Keep.EVERY
    makes: bool = False
    given: Memory | None = None
    text: int | None = None
    gave: Memory | None = None
    wait: int | None = None
    vector: int | None = None
    message: str = ""


def _socket(name: str, x86_64: int | None, aarch64: int | None, **more: object) -> Call:
    return Call(name=name, x86_64=x86_64, aarch64=aarch64, fd=0, **more)  # type: ignore[arg-type]


def _data(name: str, x86_64: int, aarch64: int, **more: object) -> Call:
    return Call(name=name, x86_64=x86_64, aarch64=aarch64, fd=0, keep=Keep.SOCKET, **more)  # type: ignore[arg-type]


_ADDRESS_GIVEN = Memory(pointer=1, counted=2)
_ADDRESS_GIVEN_LAST = Memory(pointer=4, counted=5)
_ADDRESS_GOT = Memory(pointer=1, measured=2)
_POLLED = Memory(pointer=0, unit=POLLFD_SIZE, counted=1)
_EVENTS = Memory(pointer=1, unit=EPOLL_EVENT_SIZE, counted=2)

CALLS: tuple[Call, ...] = (
    # Sockets
    Call(name="socket", x86_64=41, aarch64=198, makes=True),
    Call(name="socketpair", x86_64=53, aarch64=199, gave=Memory(pointer=3, unit=PAIR_SIZE)),
    _socket("bind", 49, 200, given=_ADDRESS_GIVEN),
    _socket("listen", 50, 201),
    _socket("accept", 43, 202, makes=True, gave=_ADDRESS_GOT),
    _socket("accept4", 288, 242, makes=True, gave=_ADDRESS_GOT),
    _socket("connect", 42, 203, given=_ADDRESS_GIVEN),
    _socket("getsockname", 51, 204, gave=_ADDRESS_GOT),
    _socket("getpeername", 52, 205, gave=_ADDRESS_GOT),
    _socket("shutdown", 48, 210),
    _socket("setsockopt", 54, 208, given=Memory(pointer=3, counted=4)),
    _socket("getsockopt", 55, 209, gave=Memory(pointer=3, measured=4)),
    # Data
    _socket("sendto", 44, 206, given=_ADDRESS_GIVEN_LAST),
    _socket("recvfrom", 45, 207, gave=Memory(pointer=4, measured=5)),
    _socket("sendmsg", 46, 211, message="given"),
    _socket("recvmsg", 47, 212, message="gave"),
    _socket("sendmmsg", 307, 269, message="given"),
    _socket("recvmmsg", 299, 243, message="gave"),
    _data("read", 0, 63),
    _data("write", 1, 64),
    _data("readv", 19, 65, vector=1),
    _data("writev", 20, 66, vector=1),
    Call(name="sendfile", x86_64=40, aarch64=71, fd=0, other=1, keep=Keep.EITHER),
    Call(name="splice", x86_64=275, aarch64=76, fd=0, other=2, keep=Keep.EITHER),
    _data("ioctl", 16, 29, gave=Memory(pointer=2, unit=INT_SIZE)),
    # Descriptors
    Call(name="close", x86_64=3, aarch64=57, fd=0, keep=Keep.CHANNEL),
    Call(name="close_range", x86_64=436, aarch64=436),
    Call(name="dup", x86_64=32, aarch64=23, fd=0, keep=Keep.CHANNEL, makes=True),
    Call(name="dup2", x86_64=33, aarch64=None, fd=0, other=1, keep=Keep.EITHER, makes=True),
    Call(name="dup3", x86_64=292, aarch64=24, fd=0, other=1, keep=Keep.EITHER, makes=True),
    Call(name="fcntl", x86_64=72, aarch64=25, fd=0, keep=Keep.CHANNEL, makes=True),
    Call(name="pidfd_getfd", x86_64=438, aarch64=438, makes=True),
    # Waiting
    Call(name="poll", x86_64=7, aarch64=None, given=_POLLED, gave=_POLLED),
    Call(name="ppoll", x86_64=271, aarch64=73, given=_POLLED, gave=_POLLED, wait=2),
    Call(name="select", x86_64=23, aarch64=None, wait=4),
    Call(name="pselect6", x86_64=270, aarch64=72, wait=4),
    Call(name="epoll_create", x86_64=213, aarch64=None),
    Call(name="epoll_create1", x86_64=291, aarch64=20),
    Call(name="epoll_ctl", x86_64=233, aarch64=21, fd=0, other=2, given=Memory(pointer=3, unit=EPOLL_EVENT_SIZE)),
    Call(name="epoll_wait", x86_64=232, aarch64=None, fd=0, gave=_EVENTS),
    Call(name="epoll_pwait", x86_64=281, aarch64=22, fd=0, gave=_EVENTS),
    Call(name="epoll_pwait2", x86_64=441, aarch64=441, fd=0, gave=_EVENTS, wait=3),
    Call(name="restart_syscall", x86_64=219, aarch64=128),
    # Processes
    Call(name="fork", x86_64=57, aarch64=None),
    Call(name="vfork", x86_64=58, aarch64=None),
    Call(name="clone", x86_64=56, aarch64=220),
    Call(name="clone3", x86_64=435, aarch64=435, given=Memory(pointer=0, counted=1)),
    Call(name="execve", x86_64=59, aarch64=221, text=0),
    Call(name="execveat", x86_64=322, aarch64=281, text=1),
    # Calls that replace calls
    Call(name="io_uring_setup", x86_64=425, aarch64=425),
    Call(name="io_uring_enter", x86_64=426, aarch64=426, fd=0),
)

RESTARTS = {
    512: "ERESTARTSYS",
    513: "ERESTARTNOINTR",
    514: "ERESTARTNOHAND",
    516: "ERESTART_RESTARTBLOCK",
}
"""What a call interrupted by a signal gives inside the kernel (include/linux/errno.h): no program ever sees these numbers."""


def numbered(machine: str) -> dict[int, Call]:
    """The calls by their number on ``machine`` (as ``platform.machine()`` says it); HostError where netlab has no numbers."""
    if machine not in ("x86_64", "aarch64"):
        raise HostError(f"netlab knows the numbers of system calls on x86_64 and aarch64, not on {machine}", "use such a machine")
    numbers = ((call.x86_64 if machine == "x86_64" else call.aarch64, call) for call in CALLS)
    return {number: call for number, call in numbers if number is not None}
