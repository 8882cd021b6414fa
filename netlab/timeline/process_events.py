"""What the processes in a node do, whichever program they run: their system calls, forks, execs, signals and ends.

``pid`` and ``tid`` are numbers of the PID namespace that netlab runs in; ``program`` is the thread's name (comm, 15 characters).
"""

from typing import Any

from netlab.timeline.observation import Observation


class SystemCall(Observation, frozen=True, kw_only=True, tag="syscall"):
    """One system call: entered at ``began``, left at ``time``. ``source`` says how it is known: "bpf" or "strace".

    ``call`` is its name ("connect"). ``fd`` is the descriptor that it is about (-1: none), ``inode`` the socket's behind it or 0; a
    call that makes a descriptor (socket, accept, dup) gives it as ``result``, and ``made`` is the inode of the socket behind that.
    ``arguments`` has what else matters by its name: {"address": ["10.0.0.2", 80]}, {"length": 5}, {"flags": ["MSG_DONTWAIT"]},
    {"level": "SOL_SOCKET", "option": "SO_REUSEADDR"}. ``result`` is what it gave, -1 with ``errno``'s name on failure.
    ``returned`` is false where it never did: the process ended inside, or the observation did (``time`` is that instant).
    """

    pid: int
    tid: int
    program: str
    call: str
    source: str
    began: int
    fd: int = -1
    inode: int = 0
    made: int = 0
    arguments: dict[str, Any] = {}  # noqa: RUF012 - msgspec gives each its own
    result: int = 0
    errno: str = ""
    returned: bool = True


class ProcessForked(Observation, frozen=True, kw_only=True, tag="fork"):
    """``parent`` made a process or, with ``thread``, another thread of its own, whose number is ``tid``."""

    parent: int
    pid: int
    tid: int
    program: str
    thread: bool = False


class ProcessExecuted(Observation, frozen=True, kw_only=True, tag="exec"):
    """A process became another program, the file ``path``; descriptors with close-on-exec are gone."""

    pid: int
    program: str
    path: str


class ProcessExited(Observation, frozen=True, kw_only=True, tag="exit"):
    """A process ended: its exit status, or minus the number of the signal that ended it."""

    pid: int
    program: str
    status: int


class SignalDelivered(Observation, frozen=True, kw_only=True, tag="signal"):
    """A process was delivered ``signal``, by its name ("SIGPIPE"). ``handled`` is false where the default action follows."""

    pid: int
    tid: int
    program: str
    signal: str
    handled: bool = False


class DescriptorSeen(Observation, frozen=True, kw_only=True, tag="descriptor"):
    """What a process has open under a number, read from /proc/PID/fd: ``target`` ("socket:[1234]"), with close-on-exec or not."""

    pid: int
    program: str
    fd: int
    target: str
    close_on_exec: bool = False
