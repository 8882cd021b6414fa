"""Holds the network namespaces of a lab: as descriptors of this process where it is root, else in the lab's keeper.

Either way a program (lab/program.py) is carried out by lab/build.py, and a socket is made in a namespace by its number. It does not
know what the namespaces are for.
"""

import ctypes
import errno
import os
import resource
import threading
from collections.abc import Callable
from pathlib import Path
from socket import SOCK_CLOEXEC
from socket import socket as Socket  # noqa: N812 - a method here has that name
from typing import Any, Protocol

from netlab.errors import HostError, LabError
from netlab.lab import build, kernel
from netlab.lab.keeper import Keeper
from netlab.lab.program import Program

_READY_WITHIN = 10.0
_BUILDER = str(Path(__file__).with_name("build.py"))
_SPARE_DESCRIPTORS = 256
_MAKE, _ENTER = "unshare network namespace", "setns"
"""What the errors of a process that may not do it have for a file name."""
# holding the interpreter's lock: it is a matter of a microsecond, and giving it up and taking it again costs as much
_setns = ctypes.PyDLL(None, use_errno=True).setns
_setns.argtypes = (ctypes.c_int, ctypes.c_int)


class Namespaces(Protocol):
    """The namespaces of a running lab, by number. ``unset`` has the pinned sysctls that could not be set, with their errno."""

    cookies: list[int]
    unset: dict[str, int]

    def socket(self, number: int, family: int, kind: int, protocol: int) -> Socket:
        """An ordinary socket that lives in a namespace. Raises OSError as socket(2) does."""

    def descriptor(self, number: int) -> int | None:
        """The namespace's descriptor in this process; None when the keeper has it."""

    def close(self) -> None:
        """Give up our hold on them."""


class Held:
    """Namespaces that this process holds as descriptors: root's way, which needs no other process."""

    def __init__(self, program: Program) -> None:
        _allow_descriptors(2 * len(program.spaces) + _SPARE_DESCRIPTORS)
        self._home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _go(self._home)  # root of a user namespace may leave a network namespace of the machine's, but never come back to it
            built = _in_thread(lambda: build.build(program.plain(), _READY_WITHIN))
        except BaseException:
            os.close(self._home)
            raise
        self._namespaces: list[int] = built.namespaces
        self.cookies: list[int] = built.cookies
        self.unset: dict[str, int] = built.unset

    def socket(self, number: int, family: int, kind: int, protocol: int) -> Socket:
        """An ordinary socket that lives in a namespace: this thread goes there and comes back (16 us)."""
        try:
            _go(self._namespaces[number])
            return Socket(family, kind | SOCK_CLOEXEC, protocol)
        finally:
            _go(self._home)

    def descriptor(self, number: int) -> int | None:
        """The namespace's descriptor."""
        return self._namespaces[number]

    def close(self) -> None:
        """Close all descriptors; the kernel takes the namespaces down by itself, in one batch."""
        namespaces, self._namespaces = self._namespaces, []
        for fd in namespaces:
            os.close(fd)
        if namespaces:
            os.close(self._home)


class Kept:
    """Namespaces that the lab's keeper holds: the way without root, and that of a lab that outlives its owner."""

    def __init__(self, program: Program, keeper: Keeper) -> None:
        self._keeper = keeper
        reply, _ = keeper.ask("build", file=_BUILDER, program=program.plain(), within=_READY_WITHIN)
        if "refused" in reply:
            number, words, message, space = reply["refused"]
            error = build.RefusedError(number, words, message)
            error.space = space
            raise error
        if "late" in reply:
            raise build.NotReadyError(reply["late"])
        self.cookies: list[int] = reply["cookies"]
        self.unset: dict[str, int] = reply["unset"]

    def socket(self, number: int, family: int, kind: int, protocol: int) -> Socket:
        """An ordinary socket that lives in a namespace, handed over by the keeper (50 us)."""
        _, (fd,) = self._keeper.ask("socket", node=number, family=family, kind=kind, protocol=protocol)
        return Socket(family, kind, protocol, fileno=fd)

    def descriptor(self, number: int) -> int | None:
        """None: it is the keeper's."""
        return None

    def close(self) -> None:
        """Nothing: they go with the keeper."""


def made(program: Program, keeper: Callable[[], Keeper], *, stay: bool) -> Namespaces:
    """Carry out a program, here if this process may, else in the keeper. Raises HostError or LabError in the kernel's words."""
    try:
        if os.geteuid() == 0 and not stay:
            try:
                return Held(program)
            except PermissionError as error:
                if error.filename not in (_MAKE, _ENTER):
                    raise
        return Kept(program, keeper())
    except build.RefusedError as error:
        raise _refusal(program, error) from error
    except build.NotReadyError as error:
        late = ", ".join(f"interface {index} of {program.names[number]}" for number, index in error.args[0])
        raise LabError(f"interfaces did not come up within {_READY_WITHIN:.0f} s: {late}") from error
    except OSError as error:
        raise HostError(f"could not build the lab: {error.strerror}: {error.filename or ''}", _fix_of(error)) from error


def _go(namespace: int) -> None:
    if _setns(namespace, build.CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), _ENTER)


def _in_thread(work: Callable[[], Any]) -> Any:
    """What ``work`` gives or raises, done by a thread of its own: this one's namespace stays what it is."""
    result: list[Any] = []

    def run() -> None:
        try:
            result.extend((work(), None))
        except BaseException as error:  # noqa: BLE001 - it is raised again below
            result.extend((None, error))

    thread = threading.Thread(target=run, name="netlab build")
    thread.start()
    thread.join()
    value, error = result
    if error is not None:
        raise error
    return value


def _allow_descriptors(count: int) -> None:
    """Raise the soft limit of open files if a lab needs more than it allows; HostError when the hard one is too low."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < count:
        if hard != resource.RLIM_INFINITY and hard < count:
            raise HostError(f"a lab of this size needs {count} open files, and the limit is {hard}", f"ulimit -n {count}")
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))


def _refusal(program: Program, error: build.RefusedError) -> HostError | LabError:
    where = f"{program.names[error.space]}: " if error.space >= 0 else ""
    told = f"{where}the kernel refused: {kernel.described(error.message)}: {os.strerror(error.number)}"
    told += f": {error.words}" if error.words else ""
    if error.number in (errno.EOPNOTSUPP, errno.ENODEV):
        return HostError(told, "netlab-ns doctor says what this kernel has, and how to get the rest")
    return LabError(told)


def _fix_of(error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return "sysctl -w user.max_net_namespaces=65536 (too many network namespaces for this user)"
    if error.errno == errno.EMFILE:
        return "raise the limit of open files: ulimit -n 65536"
    return "netlab-ns doctor says what this machine allows"
