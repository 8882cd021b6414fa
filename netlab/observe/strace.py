"""The calls of unmodified programs and all their children without root, through strace(1): about 60 us a call, and nothing lost.

It runs strace beside a program, reads what that writes, and hands the lines on (``strace_calls``). strace waits while its output is
full, so a slow reader delays the program and loses no line. It refuses to know how a program is started in a node.

What a reader should know: strace sets no_new_privs, so a set-user-ID program gains nothing; a program that is traced already, or
traces others, cannot be observed. A call's ``began`` and ``time`` are strace's: the kernel was entered and left in between.
"""

import os
import re
import select
import shutil
import subprocess
import tempfile
import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from netlab.errors import HostError
from netlab.observe.call_names import CALLS
from netlab.observe.pid_namespace import PidNamespace
from netlab.observe.procfs import ignored_signals, is_running
from netlab.observe.strace_calls import BESIDES, StraceCalls
from netlab.timeline.observations import AnyObservation, SourceReport

OLDEST = (5, 14)
"""The first strace with --decode-pids (its NEWS)."""
NO_PID = 1 << 22
"""PID_MAX_LIMIT (include/linux/threads.h): no process has this number or a greater one."""
_FIX = "fix: apt-get install strace (or your distribution's command)"
_PIPE = 1 << 20
_SET_PIPE_SIZE = 1031
_CHUNK = 1 << 16
_PATIENCE = 5.0
_STRING = 64
_NUMBER = re.compile(rb"(\d+)")
_CHILD = re.compile(rb"^\d+\S* +[\d.]+ (?:<\.\.\. )?(?:v?fork|clone3?)\b.* = (\d+)")
_GONE = re.compile(rb"^(\d+)\S* +[\d.]+ \+\+\+ (?:exited|killed)")


class Trace:
    """One program that is traced: ``command`` before it is started, ``follow`` at once after."""

    def __init__(self, host: str, strace: str) -> None:
        self.host, self._strace = host, strace
        self._folder = tempfile.mkdtemp(prefix="netlab-strace-")
        self._path = f"{self._folder}/lines"
        os.mkfifo(self._path, 0o600)
        self._fifo = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with suppress(OSError):  # more than an ordinary user may have
            import fcntl

            fcntl.fcntl(self._fifo, _SET_PIPE_SIZE, _PIPE)
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._ending = False
        self._thread: threading.Thread | None = None
        self._namespace: PidNamespace | None = None
        self._first, self._same = 0, True
        self._alive: dict[int, int] = {}
        self._lines: deque[tuple[dict[int, int], bytes]] = deque()
        self._numbers: dict[int, int] = {}
        self._rest = b""
        self.calls = StraceCalls(host, lambda number: self._numbers.get(number, number))
        self.unnumbered = self.unread = self.seen = 0
        self.first_unread = ""
        self.any = False

    def command(self, argv: Sequence[str]) -> list[str]:
        """The command line under which ``argv`` is traced. The process that it starts becomes the program itself, so that its pid,
        its signals and its exit status are the program's."""
        names = ",".join(f"?{name}" for name in (*(call.name for call in CALLS), *BESIDES))
        return [
            self._strace,
            "--daemonize",
            "-f",
            "-y",
            "--decode-pids=comm",
            "--seccomp-bpf",
            "--timestamps=format:unix,precision:ns",
            "--syscall-times=ns",
            "--columns=1",
            f"--string-limit={_STRING}",
            "--quiet=attach,personality",
            "--abbrev=execve,execveat",
            f"--trace={names}",
            f"--output={self._path}",
            "--",
            *argv,
        ]

    def follow(self, pid: int) -> None:
        """The program was started as ``pid``, as this process numbers it. Without this, strace's numbers are taken for our own."""
        self._first = pid
        with suppress(OSError):  # it has ended already
            self._namespace = PidNamespace.of(pid)
        self.calls.ignore(ignored_signals(pid))
        self._thread = threading.Thread(target=self._read, name="netlab strace", daemon=True)
        self._thread.start()

    def drain(self) -> list[AnyObservation]:
        """What the lines that have come tell."""
        if self._thread is None and self._fifo >= 0:
            self._receive()
        made: list[AnyObservation] = []
        while self._lines:
            learned, line = self._lines.popleft()
            self._numbers.update(learned)
            try:
                made += self.calls.take(line.decode(errors="surrogateescape"))
            except ValueError as error:
                self.unread += 1
                self.first_unread = self.first_unread or str(error)
        self.seen += len(made)
        return made

    def stop(self) -> list[AnyObservation]:
        """All that was written, if the program has ended until its last line; calls that it is inside of have not returned."""
        if self._fifo < 0:
            return []
        self._ending = True
        if self._thread is not None:
            os.eventfd_write(self._wake, 1)
            self._thread.join()
            self._thread = None
        made = self.drain()
        if self._rest:  # strace writes a call's beginning at once
            with suppress(ValueError):
                made += self.calls.take(self._rest.decode(errors="surrogateescape") + " <unfinished ...>")
        left: list[AnyObservation] = self.calls.finish(time.time_ns())
        self.seen += len(left)
        os.close(self._fifo)
        os.close(self._wake)
        self._fifo = -1
        self._forget()
        if self._namespace is not None:
            self._namespace.close()
        return [*made, *left]

    def _read(self) -> None:
        """Read as lines come, so that processes are looked up while they live."""
        poll = select.poll()
        poll.register(self._fifo, select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        deadline = 0.0
        while True:
            ready = dict(poll.poll(100 if deadline else None))
            if self._fifo in ready and not self._receive():
                return
            if self._ending and not deadline:
                poll.unregister(self._wake)
                deadline = time.monotonic() + _PATIENCE
            if deadline and self._fifo not in ready and (self._runs() or time.monotonic() > deadline):
                return

    def _runs(self) -> bool:
        return any(is_running(number) for number in list(self._alive.values()))

    def _receive(self) -> bool:
        """Take what is there; whether more can come."""
        while True:
            try:
                data = os.read(self._fifo, _CHUNK)
            except BlockingIOError:
                return True
            if not data:
                return self._thread is not None and not self.any  # nobody has opened it yet
            if not self.any:
                self.any = True
                self._forget()
            *lines, self._rest = (self._rest + data).split(b"\n")
            for line in lines:
                self._lines.append((self._looked_up(line), line))

    def _forget(self) -> None:
        """Nobody needs the name any more once strace has it open."""
        with suppress(FileNotFoundError):
            os.unlink(self._path)
            os.rmdir(self._folder)

    def _looked_up(self, line: bytes) -> dict[int, int]:
        """The numbers outside of processes that this line is the first to tell of."""
        learned = {}
        for pattern in (_NUMBER, _CHILD):
            found = pattern.match(line)
            inner = int(found[1]) if found else 0
            if inner and inner not in self._alive:
                learned[inner] = self._alive[inner] = self._outer(inner)
        if ended := _GONE.match(line):
            self._alive.pop(int(ended[1]), None)
        return learned

    def _outer(self, inner: int) -> int:
        first, self._first = self._first, 0
        if first:  # the first thread of which strace tells is the program's own
            self._same = first == inner
            return first
        if self._same:
            return inner
        outer = self._namespace.outer(inner) if self._namespace is not None else 0
        self.unnumbered += not outer
        return outer or NO_PID + inner


class StraceObserver:
    """Delivers SystemCall with the source "strace", ProcessForked, ProcessExecuted, ProcessExited and SignalDelivered.

    Each program is traced by a ``Trace`` of its own::

        trace = observer.trace("server")
        program = lab["server"].popen(trace.command(["nginx", ...]))
        trace.follow(program.pid)

    pids and tids are those of the PID namespace that netlab runs in, though strace runs inside the lab's: each is looked up as soon
    as strace tells of it. One that had ended before gets ``NO_PID`` plus strace's number for it, which no process can have, and the
    report says how many there were. So all lines of one process have one number, and no two processes share one.
    """

    name = "calls"

    def __init__(self, *, strace: str = "strace") -> None:
        self._wanted, self._strace = strace, ""
        self._reason = "it was not started"
        self._traces: list[Trace] = []

    def start(self) -> None:
        """Look whether there is a strace that can do it."""
        try:
            self._strace = found(self._wanted)
        except HostError as error:
            self._reason = str(error)
        else:
            self._reason = ""

    def trace(self, host: str) -> Trace:
        """Begin to trace a program of a node. Raises HostError where strace is missing or too old."""
        if self._reason:
            raise HostError(self._reason)
        made = Trace(host, self._strace)
        self._traces.append(made)
        return made

    def drain(self) -> Sequence[AnyObservation]:
        """What was seen since the last time, in the order of time."""
        return sorted((one for trace in self._traces for one in trace.drain()), key=lambda one: one.time)

    def stop(self) -> Sequence[AnyObservation]:
        """To be called when the programs have ended: a program that still runs goes on, and is not seen any more."""
        return sorted((one for trace in self._traces for one in trace.stop()), key=lambda one: one.time)

    def report(self) -> SourceReport:
        """``uncertainty`` is the shortest time that strace gave for any call: all but nothing of it is its own, so a call's true
        beginning and end lie within so much of ``began`` and ``time``, inside of them."""
        silent = [trace.host for trace in self._traces if not trace.any]
        reason = self._reason
        if silent and not reason:
            reason = f"strace wrote nothing in {', '.join(sorted(set(silent)))}: it may not trace there (kernel.yama.ptrace_scope)"
        unread = sum(trace.unread for trace in self._traces)
        if unread and not reason:
            reason = f"{unread} lines of strace's could not be read: {next(t.first_unread for t in self._traces if t.unread)}"
        return SourceReport(
            name=self.name,
            available=not self._reason and not silent,
            reason=reason,
            seen=sum(trace.seen for trace in self._traces),
            lost=unread,
            uncertainty=max((trace.calls.shortest for trace in self._traces), default=0),
            notes=tuple(self._notes()),
        )

    def _notes(self) -> list[str]:
        notes = []
        uring = sorted({program for trace in self._traces for program in trace.calls.io_uring})
        if uring:
            notes.append(f"io_uring was used by {', '.join(uring)}: what goes through it is not seen")
        unnumbered = sum(trace.unnumbered for trace in self._traces)
        if unnumbered:
            notes.append(
                f"{unnumbered} threads ended before their numbers could be looked up: they have those of the lab plus {NO_PID}"
            )
        return notes


def found(name: str) -> str:
    """The path of a strace that is new enough. Raises HostError that says how to get one."""
    path = shutil.which(name)
    if path is None:
        raise HostError(f"strace is not installed; {_FIX}")
    told = subprocess.run([path, "--version"], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL).stdout
    version = re.match(r"strace -- version (\d+)\.(\d+)", told)
    if version is None or (int(version[1]), int(version[2])) < OLDEST:
        which = version[0].removeprefix("strace -- ") if version else "unknown version"
        raise HostError(f"{Path(path)} is of {which}; netlab needs {'.'.join(map(str, OLDEST))} or later; {_FIX}")
    return path
