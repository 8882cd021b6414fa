"""Runs a program in namespaces that were handed over, on the caller's own terminal, as if the caller had started it where it is.

The calling process moves, so it must have one thread and nothing else to do afterwards: a command of the command line. It knows
nothing of labs and nodes.
"""

import ctypes
import errno
import os
import resource
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NoReturn

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x00020000, 0x04000000, 0x10000000, 0x20000000, 0x40000000
PR_SET_PDEATHSIG = 1
SI_KERNEL = 0x80
NOT_FOUND, NOT_EXECUTABLE = 127, 126
"""The exit statuses that shells have for a program that is not there, and for one that cannot be executed."""

_FORWARDED = frozenset(
    {signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGTSTP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH}
)
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespaces:
    """Where a program is to run, as descriptors; ``user`` is None where the lab has no user namespace of its own."""

    pid: int
    net: int
    uts: int
    mnt: int
    user: int | None = None


def run(namespaces: Namespaces, argv: Sequence[str], env: Mapping[str, str], *, name: str, interactive: bool = False) -> int:
    """Run a program to its end; gives its exit status, or minus the number of the signal that ended it.

    Standard input, output, error and the terminal are the caller's own, and its working directory if that exists there. Signals
    sent to the caller go on to the program; those of the terminal reach it anyway. A program that cannot be executed gives
    NOT_FOUND or NOT_EXECUTABLE and a message on standard error, in which ``name`` says where. Raises OSError.

    The program shares the caller's process group, so that a whole pipeline is one job. A shell would rather have one of its own: in
    its PID namespace the caller's has no number. So has an ``interactive`` program, and the program of a caller that is not part of
    anything larger: started from an interactive shell, with nothing but the terminal for input and output.
    """
    terminal = _Terminal()
    alone = interactive or (os.getpid() == os.getpgrp() and all(os.isatty(fd) for fd in range(3)))
    folder = _folder()
    _move(namespaces)
    waited = _FORWARDED | {signal.SIGCHLD, signal.SIGCONT}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, waited | {signal.SIGTTOU})
    child = os.fork()
    if child == 0:
        _become(namespaces, argv, env, folder, before, name, terminal if alone else None)
    while True:
        told = signal.sigwaitinfo(waited)
        if told.si_signo == signal.SIGCHLD:
            status = _looked_after(child, terminal)
            if status is not None:
                return status
        elif told.si_signo == signal.SIGCONT:
            terminal.give(os.getpgid(child))
        else:
            _pass_on(told, child, terminal)


def end_as(status: int) -> NoReturn:
    """End this process as a program that gave ``run`` this status ended: with its exit status, or by the same signal."""
    sys.stdout.flush()
    if status < 0:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core of ours would be no help
        number = -status
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
        os.kill(os.getpid(), number)
        status = 128 - status
    sys.exit(status)


def _move(namespaces: Namespaces) -> None:
    """Into the user namespace, as its root, and towards the PID namespace, where only children will be."""
    if namespaces.user is not None:
        if os.geteuid() == 0:
            os.setgroups(())
        _set(namespaces.user, CLONE_NEWUSER)
        os.setresgid(0, 0, 0)
        os.setresuid(0, 0, 0)
    _set(namespaces.pid, CLONE_NEWPID)


def _set(fd: int, kind: int) -> None:
    if _libc.setns(fd, kind):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), "setns")


def _become(
    namespaces: Namespaces,
    argv: Sequence[str],
    env: Mapping[str, str],
    folder: str,
    mask: set[signal.Signals | int],
    name: str,
    terminal: "_Terminal | None",
) -> NoReturn:
    """Turn the fresh child into the program; given the terminal, in a process group of its own."""
    status = NOT_EXECUTABLE
    try:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != 0:  # outside the PID namespace a parent has no number: it died, and the namespace's first took over
            os._exit(128 + signal.SIGKILL)
        if terminal is not None:
            terminal.seize()
        _set(namespaces.net, CLONE_NEWNET)
        _set(namespaces.uts, CLONE_NEWUTS)
        _set(namespaces.mnt, CLONE_NEWNS)
        try:
            os.chdir(folder)
        except OSError:
            os.chdir("/")
        for changed in (signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ):  # by Python, at its start
            if changed != signal.SIGINT or signal.getsignal(changed) != signal.SIG_IGN:
                signal.signal(changed, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        os.execvpe(argv[0], list(argv), dict(env))
    except OSError as error:
        missing = error.errno in (errno.ENOENT, errno.ENOTDIR)
        status = NOT_FOUND if missing else NOT_EXECUTABLE
        why = "its interpreter is not there" if missing and os.path.isfile(argv[0]) else error.strerror
        what = f"there is no program {argv[0]}" if missing and "/" not in argv[0] else f"{argv[0]}: {why}"
        os.write(2, f"netlab-ns: {name}: {what}\n".encode(errors="replace"))
    finally:
        os._exit(status)


def _folder() -> str:
    try:
        return os.getcwd()
    except FileNotFoundError:
        return "/"


def _pass_on(told: signal.struct_siginfo, child: int, terminal: "_Terminal") -> None:
    """Send a signal on to the program. One from the terminal reached it already, unless it is in a process group of its own, and
    the user's shell has just brought ours to the foreground."""
    group = os.getpgid(child)
    with suppress(ProcessLookupError):
        if told.si_code != SI_KERNEL:
            os.kill(child, told.si_signo)
        elif group != os.getpgrp():
            terminal.give(group)
            os.killpg(group, told.si_signo)


def _looked_after(child: int, terminal: "_Terminal") -> int | None:
    """Follow the child: its status if it has ended; where it stopped, stop as well, and have it go on when we do."""
    while True:
        seen = os.waitid(os.P_PID, child, os.WEXITED | os.WSTOPPED | os.WNOHANG | os.WNOWAIT)
        if seen is None:
            return None
        group = os.getpgid(child)
        if seen.si_code != os.CLD_STOPPED:
            terminal.take(group)
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        # One Ctrl-Z stops both of us, and one SIGCONT has both go on: perhaps it goes on already.
        if os.waitid(os.P_PID, child, os.WSTOPPED | os.WNOHANG) is None:
            continue
        wanting = seen.si_status in (signal.SIGTTIN, signal.SIGTTOU)
        if not (wanting and terminal.give(group)):
            if not (wanting and terminal.wait_for_turn()):
                terminal.take(group)
                os.kill(os.getpid(), signal.SIGSTOP)
            terminal.give(group)
        if group != os.getpgrp():  # else it goes on with us, and perhaps has stopped again by now
            with suppress(ProcessLookupError):
                os.killpg(group, signal.SIGCONT)


class _Terminal:
    """The controlling terminal, if there is one, and which process group has it."""

    def __init__(self) -> None:
        try:
            self._fd: int | None = os.open("/dev/tty", os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError:
            self._fd = None
        self._ours = self._fd is not None and os.tcgetpgrp(self._fd) == os.getpgrp()

    def seize(self) -> None:
        """In the child: make a process group of its own, which has the terminal if its parent's had."""
        os.setpgid(0, 0)
        if self._fd is not None and self._ours:
            with suppress(OSError):  # it hung up
                os.tcsetpgrp(self._fd, os.getpgrp())

    def wait_for_turn(self) -> bool:
        """Stop until our process group is brought to the foreground, or go on at once if it just was; False where that cannot be.

        It is the kernel that stops us, for reading (nothing) in the background: it looks who has the terminal and stops in one
        step, so that a SIGCONT which comes between our own look and our own stop is not lost (POSIX.1-2024 XBD 11.1.4).
        """
        if self._fd is None:
            return False
        try:
            os.read(self._fd, 0)
        except BlockingIOError:  # another process reads: the terminal is ours
            return True
        except OSError:  # EIO: nobody could bring it to the foreground any more
            return False
        return True

    def take(self, group: int) -> bool:
        """Have it back from a process group; whether that had it."""
        return self._pass(group, os.getpgrp())

    def give(self, group: int) -> bool:
        """Leave it to a process group; whether it was ours to give."""
        return self._pass(os.getpgrp(), group)

    def _pass(self, giver: int, taker: int) -> bool:
        if self._fd is None or giver == taker:
            return False
        try:
            if os.tcgetpgrp(self._fd) != giver:
                return False
            os.tcsetpgrp(self._fd, taker)
        except OSError:  # it hung up
            return False
        return True
