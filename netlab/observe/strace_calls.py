"""The lines of one strace put together: which calls began and returned, who forked whom, who took which signal. Pure.

It follows threads and their processes by clone's flags, and each process' signal actions by rt_sigaction, since strace tells of a
signal before it is known whether it is ignored, and of an interrupted call before it is known whether the program hears of it.
It refuses to know how the lines came here, and whether what a program did was right.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace

import msgspec

from netlab.observe.call_names import CALLS, Keep
from netlab.observe.strace_arguments import call_arguments, fork_flags
from netlab.observe.strace_parse import (
    Line,
    Outcome,
    arguments,
    descriptor,
    fields,
    finished,
    given,
    inode,
    parse_line,
    string,
    words,
)
from netlab.observe.strace_processes import DEFAULT, IGNORED, Action, Process, Thread, signal_name, signal_number
from netlab.timeline.observations import (
    AnyObservation,
    ProcessExecuted,
    ProcessExited,
    ProcessForked,
    SignalDelivered,
    SystemCall,
)

BESIDES = ("rt_sigaction", "rt_sigreturn")
"""Calls that are traced for what they tell of others."""
FORKS = ("fork", "vfork", "clone", "clone3")
EXECS = ("execve", "execveat")
_CALLS = {call.name: call for call in CALLS}
_NAME_LENGTH = 15
_CONTINUED = "ERESTART_RESTARTBLOCK"


class StraceCalls:
    """Turns lines into observations of the node ``host``.

    ``outer`` gives a process' number in the observations from that which strace prints. ``ignored`` are the signals that the
    program was started with ignored.
    """

    def __init__(self, host: str, outer: Callable[[int], int] = lambda number: number, ignored: Collection[str] = ()) -> None:
        self._host, self._outer = host, outer
        self._threads: dict[int, Thread] = {}
        self._held: dict[int, list[Line]] = {}
        self._ignored = tuple(ignored)
        self._made: deque[AnyObservation] = deque()
        self._root = 0
        self.shortest = 0
        """The shortest time, in ns, that a finished call took: nearly all of it is strace's own."""
        self.io_uring: list[str] = []
        """The programs that set up io_uring."""

    def ignore(self, signals: Iterable[str]) -> None:
        """More signals that the program was started with ignored."""
        self._ignored += tuple(signals)

    def take(self, text: str) -> list[AnyObservation]:
        """What one more line tells. Raises ValueError for a line that cannot be read; the next can be taken nevertheless."""
        try:
            self._line(parse_line(text))
        finally:
            made, self._made = list(self._made), deque()
        return made

    def finish(self, time: int) -> list[AnyObservation]:
        """What is left at the end of all lines: calls that never returned, at ``time``."""
        for tid in list(self._held):
            self._join(tid, None)
        for thread in self._threads.values():
            self._abandon(thread, time)
        self._threads.clear()
        made, self._made = list(self._made), deque()
        return made

    def _line(self, line: Line) -> None:
        thread = self._threads.get(line.tid)
        if thread is None and not self._root:
            self._root = line.tid
            actions = {signal: Action(IGNORED) for signal in self._ignored}
            thread = self._threads[line.tid] = Thread(line.tid, Process(line.tid, line.program, actions))
        if thread is None:
            # A child may be faster than its parent's return from clone: only that says whose it is.
            self._held.setdefault(line.tid, []).append(line)
            return
        self._told(thread, line)

    def _told(self, thread: Thread, line: Line) -> None:
        if thread.stale:
            # strace reads a thread's name now and then: for a while after exec it has the one from before.
            if line.program == thread.stale:
                line = replace(line, program=thread.process.program)
            else:
                thread.stale = ""
        if line.kind != "signal":
            self._settle(thread, line)
        match line.kind:
            case "call":
                self._called(thread, line, line, line.text)
            case "begun":
                thread.began = line
                if line.number:  # exec ends all other threads, and gives this one the number of the first
                    self._threads.pop(line.tid, None)
                    thread.tid, thread.moved = line.number, True
                    self._threads[line.number] = thread
            case "resumed":
                began, thread.began = thread.began, None
                if began is None or began.name != line.name:
                    raise ValueError(f"{line.name} is resumed, which never began")
                self._called(thread, began, line, began.text + line.text)
            case "signal":
                self._signalled(thread, line)
            case "exited" | "killed":
                self._ended(thread, line)

    def _called(self, thread: Thread, began: Line, line: Line, text: str) -> None:
        try:
            texts, outcome = finished(text)
        except ValueError:
            if not thread.moved:
                raise
            texts, outcome = arguments(text), None
        if thread.moved and began.name in EXECS:
            # strace 6.1 prints nonsense as the result; that it goes on under the new number is proof of success.
            thread.moved = False
            outcome = Outcome(value=0, errno="", target="", text="0", duration=line.time - began.time)
        if outcome is None or outcome.value is None:
            thread.began = Line(tid=began.tid, program=began.program, time=began.time, kind="begun", name=began.name, text=text)
            return
        if not self.shortest or 0 < outcome.duration < self.shortest:
            self.shortest = outcome.duration
        time = began.time + (outcome.duration or line.time - began.time)
        if began.name == "rt_sigaction" and not outcome.errno:
            self._acts(thread, texts)
        if began.name not in _CALLS:
            return
        call = self._call(thread, began, texts, outcome, time)
        before = thread.interrupted
        if began.name == "restart_syscall" and before is not None:
            # The kernel goes on with the call that was interrupted, under another number: for the program it is the same call.
            call = _changed(before, time=time, result=outcome.value, errno=outcome.errno)
        thread.interrupted = None
        born = self._forked(thread, began, texts, outcome.value, time) if began.name in FORKS and outcome.value > 0 else None
        if began.name in EXECS and not outcome.errno:
            self._executed(thread, texts[1 if began.name == "execveat" else 0], time)
            thread.stale = line.program
        elif began.name.startswith("io_uring") and outcome.errno != "ENOSYS" and began.program not in self.io_uring:
            self.io_uring.append(began.program)
        if call is not None and outcome.errno.startswith("ERESTART"):
            thread.interrupted = call
        elif call is not None:
            self._made.append(call)
        if born is not None:
            self._join(born.tid, born)

    def _call(self, thread: Thread, began: Line, texts: list[str], outcome: Outcome | None, time: int) -> SystemCall | None:
        """The observation; None where the call is of no interest, by what its descriptors are."""
        call = _CALLS[began.name]
        fd, target = descriptor(texts[call.fd]) if call.fd is not None and call.fd < len(texts) else (-1, "")
        other = descriptor(texts[call.other])[1] if call.other is not None and call.other < len(texts) else ""
        made = outcome.target if outcome is not None and call.makes else ""
        if not (outcome is not None and outcome.errno == "EBADF") and not _kept(call.keep, target, other):
            return None
        return SystemCall(
            time=time,
            host=self._host,
            pid=self._outer(thread.process.pid),
            tid=self._outer(began.tid),
            program=began.program,
            call=began.name,
            source="strace",
            began=began.time,
            fd=fd,
            inode=inode(target),
            made=inode(made),
            arguments=call_arguments(began.name, texts, outcome),
            result=0 if outcome is None or outcome.value is None else outcome.value,
            errno="" if outcome is None else outcome.errno,
            returned=outcome is not None,
        )

    def _forked(self, thread: Thread, began: Line, texts: list[str], child: int, time: int) -> Thread:
        asked = {flag for text in texts for flag in fork_flags(text)}
        process = thread.process
        if "CLONE_THREAD" in asked:
            born = Thread(child, process)
        else:
            shared = "CLONE_SIGHAND" in asked
            actions = process.actions if shared else process.heirs("CLONE_CLEAR_SIGHAND" in asked)
            born = Thread(child, Process(child, began.program, actions))
        held = self._held.get(child, [])
        self._made.append(
            ProcessForked(
                time=min([time, *(line.time for line in held[:1])]),
                host=self._host,
                parent=self._outer(process.pid),
                pid=self._outer(born.process.pid),
                tid=self._outer(child),
                program=began.program,
                thread=born.process is process,
            )
        )
        return born

    def _join(self, tid: int, thread: Thread | None) -> None:
        """Now it is known whose the thread is: what it did meanwhile."""
        held = self._held.pop(tid, [])
        if thread is None:
            thread = Thread(tid, Process(tid, held[0].program))
        self._threads[tid] = thread
        for line in held:
            self._told(self._threads.get(line.tid, thread), line)

    def _executed(self, thread: Thread, path: str, time: int) -> None:
        process = thread.process
        file = (string(path) or b"").decode(errors="replace")
        process.program = file.rpartition("/")[2][:_NAME_LENGTH]
        process.actions = process.heirs(clear=True)
        self._made.append(
            ProcessExecuted(time=time, host=self._host, pid=self._outer(process.pid), program=process.program, path=file)
        )

    def _acts(self, thread: Thread, texts: list[str]) -> None:
        members = fields(texts[1]) if len(texts) > 1 else {}
        if "sa_handler" in members or "sa_sigaction" in members:
            asked = words(members.get("sa_flags", ""))
            thread.process.actions[given(texts[0])] = Action(
                handler=members.get("sa_handler", members.get("sa_sigaction", "")),
                restarts="SA_RESTART" in asked,
                once="SA_RESETHAND" in asked,
            )

    def _signalled(self, thread: Thread, line: Line) -> None:
        action = thread.process.action(line.name)
        if action.throws_away(line.name):
            return
        handled = action.handler != DEFAULT
        if handled and thread.interrupted is not None:
            self._interrupt(thread, heard=not (action.restarts and thread.interrupted.errno == "ERESTARTSYS"))
        if handled and action.once:
            thread.process.actions[line.name] = Action()
        self._delivered(thread, line, handled=handled)

    def _delivered(self, thread: Thread, line: Line, *, handled: bool) -> None:
        self._made.append(
            SignalDelivered(
                time=line.time,
                host=self._host,
                pid=self._outer(thread.process.pid),
                tid=self._outer(thread.tid),
                program=line.program or thread.process.program,
                signal=signal_name(line.name),
                handled=handled,
            )
        )

    def _settle(self, thread: Thread, line: Line) -> None:
        """An interrupted call whose thread went on without a handler is made again: the program never hears of it."""
        call = thread.interrupted
        if call is None or line.kind in ("exited", "killed"):
            return
        if line.name != "restart_syscall" or call.errno != _CONTINUED:
            self._interrupt(thread, heard=False)

    def _interrupt(self, thread: Thread, *, heard: bool) -> None:
        call, thread.interrupted = thread.interrupted, None
        if call is not None:
            errno = "EINTR" if heard and call.errno != "ERESTARTNOINTR" else call.errno
            self._made.append(_changed(call, errno=errno, result=-1))

    def _ended(self, thread: Thread, line: Line) -> None:
        if line.name == "SIGKILL" and line.tid == thread.process.pid:  # strace has no line of its own for its delivery
            self._delivered(thread, line, handled=False)
        self._abandon(thread, line.time)
        self._threads.pop(line.tid, None)
        if line.tid == thread.process.pid:
            status = line.number if line.kind == "exited" else -signal_number(line.name)
            self._made.append(
                ProcessExited(
                    time=line.time,
                    host=self._host,
                    pid=self._outer(thread.process.pid),
                    program=line.program or thread.process.program,
                    status=status,
                )
            )

    def _abandon(self, thread: Thread, time: int) -> None:
        """The call that the thread is inside of never returns."""
        began, thread.began = thread.began, None
        if thread.interrupted is not None:
            self._made.append(_changed(thread.interrupted, time=time, returned=False, errno="", result=0))
            thread.interrupted = None
        if began is not None and began.name in _CALLS:
            call = self._call(thread, began, arguments(began.text), None, time)
            if call is not None:
                self._made.append(call)


def _kept(keep: Keep, target: str, other: str) -> bool:
    if keep is Keep.SOCKET:
        return inode(target) > 0
    if keep is Keep.EITHER:
        return inode(target) > 0 or inode(other) > 0
    # -y gives a file, a directory and a device by its path, all else by what it is ("pipe:[12]", "anon_inode:[eventpoll]").
    return keep is not Keep.CHANNEL or (target != "" and not target.startswith("/"))


def _changed(call: SystemCall, **values: object) -> SystemCall:
    return msgspec.structs.replace(call, **values)
