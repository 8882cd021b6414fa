"""What is followed of a traced process between two lines of strace's: its threads, its signal actions, its open calls. Pure.

It refuses to know which lines tell of them.
"""

import signal
from dataclasses import dataclass, field

from netlab.observe.strace_parse import Line
from netlab.timeline.process_events import SystemCall

DEFAULT, IGNORED = "SIG_DFL", "SIG_IGN"
_FIRST_REAL_TIME = 32
# Whose default action is to ignore them (signal(7)).
_IGNORED_BY_DEFAULT = frozenset({"SIGCHLD", "SIGCONT", "SIGURG", "SIGWINCH"})


@dataclass(slots=True)
class Action:
    """What happens at a signal: SIG_DFL, SIG_IGN or a handler's address; whether calls are made again, and whether but once."""

    handler: str = DEFAULT
    restarts: bool = False
    once: bool = False

    def throws_away(self, signal: str) -> bool:
        """Whether the signal has no effect: strace tells of it all the same, since a tracer is told of every signal."""
        return self.handler == IGNORED or (self.handler == DEFAULT and signal in _IGNORED_BY_DEFAULT)


@dataclass(slots=True)
class Process:
    """A process, by strace's number of its first thread; its name, and its signal actions, which its threads share."""

    pid: int
    program: str
    actions: dict[str, Action] = field(default_factory=dict)

    def action(self, signal: str) -> Action:
        """That at a signal: the default where none was ever set."""
        return self.actions.get(signal, Action())

    def heirs(self, clear: bool) -> dict[str, Action]:
        """The actions after fork or, ``clear``, after exec: handlers are gone, what is ignored stays so."""
        kept = self.actions.items()
        return {signal: action for signal, action in kept if not clear or action.handler == IGNORED}


@dataclass(slots=True)
class Thread:
    """A thread: the line that its call began with and no line has ended yet; its call that a signal interrupted.

    ``moved``: exec is giving it another number; ``stale`` is the name that strace has of it from before an exec.
    """

    tid: int
    process: Process
    began: Line | None = None
    moved: bool = False
    stale: str = ""
    interrupted: SystemCall | None = None


def signal_number(name: str) -> int:
    """strace counts real-time signals from the kernel's first, 32, which it calls SIGRTMIN; C libraries keep some of those."""
    if name.startswith("SIGRT"):
        return _FIRST_REAL_TIME + int(name.partition("_")[2] or 0)
    return int(getattr(signal, name))


def signal_name(name: str) -> str:
    """The name that Python has for a signal of strace's."""
    number = signal_number(name)
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIGRTMIN+{number - signal.SIGRTMIN}" if number > signal.SIGRTMIN else f"signal {number}"
