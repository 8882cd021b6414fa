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
from functools import partial
from socket import SOCK_CLOEXEC
from socket import socket as Socket  # noqa: N812 - a method here has that name
from typing import Any, Protocol

from netlab.errors import HostError, LabError
from netlab.lab import build
from netlab.lab.closing import hurry
from netlab.lab.keeper import Keeper
from netlab.lab.program import Program
from netlab.lab.syscalls import CLONE_NEWNET

READY_WITHIN = 10.0
"""How many seconds interfaces may take until they can carry packets."""

_SPARE_DESCRIPTORS = 256
_ENTER = "setns"
# holding the interpreter's lock: it is a matter of a microsecond, and giving it up and taking it again costs as much
_setns = ctypes.PyDLL(None, use_errno=True).setns
_setns.argtypes = (ctypes.c_int, ctypes.c_int)


class Namespaces(Protocol):
    """The namespaces of a running lab, by number. ``unset`` has the sysctls that could not be set: name, value, errno."""

    cookies: list[int]
    unset: list[tuple[str, str, int]]

    def socket(self, number: int, family: int, kind: int, protocol: int) -> Socket:
        """An ordinary socket that lives in a namespace. Raises OSError as socket(2) does."""

    def descriptor(self, number: int) -> int | None:
        """The namespace's descriptor in this process; None when the keeper has it."""

    def close(self) -> None:
        """Give up our hold on them."""


class Held:
    """Namespaces that this process holds as descriptors: root's way, which needs no other process."""

    def __init__(self, program: Program) -> None:
        self._limits = _allow_descriptors(2 * len(program.spaces) + _SPARE_DESCRIPTORS)
        self._home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            # root of a user namespace may leave a network namespace of the machine's, but never come back to it
            if _setns(self._home, CLONE_NEWNET):
                raise _error(_ENTER)
            self._built: build.Built = _in_thread(lambda: build.build(program.plain(), READY_WITHIN))
        except BaseException:
            os.close(self._home)
            _put_back(*self._limits)
            raise
        self.cookies, self.unset = self._built.cookies, self._built.unset
        self._used: set[int] = set()

    def socket(self, number: int, family: int, kind: int, protocol: int) -> Socket:
        """An ordinary socket that lives in a namespace: this thread goes there and comes back (16 us)."""
        if self._home < 0:
            raise LabError("the lab is not running: use it in a with statement")
        try:
            if _setns(self._built.namespaces[number], CLONE_NEWNET):
                raise _error(_ENTER)
            self._used.add(number)
            return Socket(family, kind | SOCK_CLOEXEC, protocol)
        finally:
            # Called right here: a signal's handler runs where a Python function begins or a call has ended, so that no exception of
            # one can come before this and leave the thread there.
            if _setns(self._home, CLONE_NEWNET):
                raise _error(_ENTER)

    def descriptor(self, number: int) -> int | None:
        """The namespace's descriptor."""
        return self._built.namespaces[number]

    def close(self) -> None:
        """Close all descriptors; the kernel takes the namespaces down by itself, in one batch."""
        try:
            hurry(self._built.namespaces[number] for number in self._used)
        finally:
            self._used.clear()
            if self._home >= 0 and _setns(self._home, CLONE_NEWNET):
                raise _error(_ENTER)
        self._built.close()
        home, self._home = self._home, -1
        if home >= 0:
            os.close(home)
            _put_back(*self._limits)


class Kept:
    """Namespaces that the lab's keeper holds: the way without root, and that of a lab that outlives its owner."""

    def __init__(self, program: Program, keeper: Keeper) -> None:
        self._keeper = keeper
        reply, _ = keeper.ask("build", program=program.plain(), within=READY_WITHIN)
        if "refused" in reply:
            raise build.RefusedError(*reply["refused"])
        if "late" in reply:
            raise build.NotReadyError(reply["late"])
        self.cookies: list[int] = reply["cookies"]
        self.unset: list[tuple[str, str, int]] = reply["unset"]

    def socket(self, number: int, family: int, kind: int, protocol: int) -> Socket:
        """An ordinary socket that lives in a namespace, handed over by the keeper (50 us)."""
        _, (fd,) = self._keeper.ask("socket", node=number, family=int(family), kind=int(kind), protocol=protocol)
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
                if error.filename not in (build.UNSHARE, _ENTER):
                    raise
        return Kept(program, keeper())
    except build.RefusedError as error:
        raise _refusal(program, error) from error
    except build.NotReadyError as error:
        late = ", ".join(f"{program.interface(number, index)} of {program.names[number]}" for number, index in error.args[0])
        raise LabError(f"interfaces did not come up within {READY_WITHIN:.0f} s: {late}") from error
    except OSError as error:
        raise HostError(f"could not build the lab: {error.strerror}: {error.filename or ''}", _fix_of(error)) from error


def _error(what: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number), what)


def _in_thread(work: Callable[[], Any]) -> Any:
    """What ``work`` gives or raises, done by a thread of its own: this one's namespace stays what it is.

    Who is interrupted while he waits leaves the thread to itself, and what it gives to nobody.
    """
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


def _allow_descriptors(more: int) -> tuple[int, int]:
    """Raise the soft limit of open files if a lab needs more than it allows; gives that from before and the one from now on.

    Raises HostError when the hard limit is too low.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= (count := more + len(os.listdir("/proc/self/fd"))):
        return soft, soft
    if hard != resource.RLIM_INFINITY and hard < count:
        raise HostError(f"a lab of this size needs {count} open files, and the limit is {hard}", f"ulimit -Hn {count}, as root")
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
    return soft, count


def _put_back(before: int, now: int) -> None:
    """The soft limit of open files from before, unless somebody else has changed it since."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if before != now == soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (before, hard))


def _refusal(program: Program, error: build.RefusedError) -> HostError | LabError:
    where = f"{program.names[error.space]}: " if error.space >= 0 else ""
    what = error.message
    if isinstance(what, bytes):
        from netlab.lab import kernel

        what = kernel.described(what, partial(program.interface, error.space))
    told = f"{where}the kernel refused: {what}: {os.strerror(error.number)}" + (f": {error.words}" if error.words else "")
    if error.number in (errno.EOPNOTSUPP, errno.ENODEV):
        return HostError(told, "netlab-ns doctor says what this kernel has, and how to get the rest")
    if error.number == errno.EPERM and os.geteuid() == 0:
        # a new namespace belongs to root's user namespace: that gives no capability which root itself lacks
        return HostError(told, "give root CAP_NET_ADMIN too (a container needs --cap-add NET_ADMIN), or run without root")
    return LabError(told)


def _fix_of(error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return "sysctl -w user.max_net_namespaces=65536 (too many network namespaces for this user)"
    if error.errno == errno.EMFILE:
        return "raise the limit of open files: ulimit -n 65536"
    return "netlab-ns doctor says what this machine allows"
