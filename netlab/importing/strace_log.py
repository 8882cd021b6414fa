"""A log of strace's, by whatever options, as the calls of its processes: who made each, when it began and ended, what it gave.

It refuses to know what the calls mean for sockets.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from netlab.observe.strace_arguments import fork_flags
from netlab.observe.strace_parse import Line, Outcome, finished, parse_line

# No program is traced from the first second of a day on, and the log of one by -r begins with 0.
_RELATIVE = 1_000_000_000
_ATTACHED = re.compile(r"strace: Process (\d+) attached\s*$")
# What -yy adds may hold brackets and "->", and nothing that is needed here.
_TOLD_OF_DESCRIPTORS = re.compile(r"(?<=\d)<[A-Za-z0-9-]+:\[.*?\]>")
_FORKS = frozenset({"fork", "vfork", "clone", "clone3"})


@dataclass(slots=True, eq=False)
class Made:
    """A call that returned: ``begin`` and ``end`` are lines of the log (from 1), ``time`` and ``elapsed`` ns, 0 if unknown.

    ``forked`` is the process that it made. A process' end is told as a call without a name.
    """

    process: int
    name: str
    arguments: list[str]
    outcome: Outcome
    begin: int
    end: int
    time: int = 0
    elapsed: int = 0
    forked: int = 0

    @property
    def errno(self) -> str:
        """Its name; "" for success."""
        return self.outcome.errno

    @property
    def value(self) -> int:
        """What it gave."""
        return -1 if self.outcome.value is None else self.outcome.value


@dataclass(slots=True)
class Log:
    """All calls in the order in which they began; ``unread`` counts lines that are none of strace's."""

    calls: list[Made] = field(default_factory=list)
    unread: int = 0
    unfinished: int = 0
    timed: bool = False


def read_log(lines: Iterable[str]) -> Log:
    """Take a log apart."""
    reader = _Reader()
    for number, line in enumerate(lines, 1):
        reader.take(number, line)
    reader.log.unfinished = len(reader.open)
    reader.log.calls.sort(key=lambda one: one.begin)
    return reader.log


class _Reader:
    def __init__(self) -> None:
        self.log = Log()
        self.open: dict[int, tuple[int, Line, int]] = {}
        self._process: dict[int, int] = {}
        self._time = 0
        self._alive: dict[int, None] = {}
        self._first = 0
        self._born: set[int] = set()
        self._attached: list[int] = []
        self._adds = False
        self._cut = ""

    def take(self, number: int, text: str) -> None:
        # On a terminal strace tells of a new process in the middle of a line.
        text = self._cut + text
        self._cut = ""
        if attached := _ATTACHED.search(text):
            self._cut = text[: attached.start()]
            self._attached.append(int(attached[1]))
            return
        try:
            line = parse_line(_TOLD_OF_DESCRIPTORS.sub("", text))
        except ValueError:
            self.log.unread += bool(text.strip())
            return
        time = self._clock(line.time)
        line = replace(line, tid=self._who(line.tid))
        for child in self._attached:
            self._born.add(child)
            self._alive[child] = None
        self._attached.clear()
        match line.kind:
            case "call":
                self._finish(number, line, number, line.text, time, time)
            case "begun":
                self.open[line.tid] = (number, line, time)
            case "resumed":
                begun = self.open.pop(line.tid, None)
                if begun is not None:
                    self._finish(number, replace(begun[1], tid=line.tid), begun[0], begun[1].text + line.text, begun[2], time)
            case "exited" | "killed":
                self._alive.pop(line.tid, None)
                if self._of(line.tid) == line.tid:
                    outcome = Outcome(value=line.number, errno="", target="", text="", duration=0)
                    self._add(line.tid, "", [], outcome, number, number, time, 0)

    def _who(self, tid: int) -> int:
        """On a terminal strace names nobody while there is but one process, and each once there are several."""
        if not self._alive:
            self._alive[tid] = None
            self._first = tid
        if tid == 0 and len(self._alive) == 1:
            return next(iter(self._alive))
        if tid not in self._alive and self._first == 0 and tid not in self._born:
            self._first = tid
            self._alive = {tid if one == 0 else one: None for one in self._alive}
            for made in self.log.calls:
                made.process = made.process or tid
            if 0 in self.open:
                self.open[tid] = self.open.pop(0)
        return tid

    def _clock(self, given: int) -> int:
        """The times of -r, which are since the line before, are added up; all others are taken as they are."""
        if given and given < _RELATIVE and not self._time:
            self._adds = True
        self._time = self._time + given if self._adds else given or self._time
        self.log.timed = self.log.timed or given > 0
        return self._time

    def _of(self, tid: int) -> int:
        return self._process.get(tid, tid)

    def _finish(self, number: int, line: Line, begin: int, text: str, began: int, ended: int) -> None:
        try:
            texts, outcome = finished(text)
        except ValueError:
            self.log.unread += 1
            return
        if outcome.value is None and not outcome.errno:
            return
        elapsed = outcome.duration or ended - began
        made = self._add(self._of(line.tid), line.name, texts, outcome, begin, number, began, elapsed)
        if line.name in _FORKS and made.value > 0:
            self._born.add(made.value)
            self._alive[made.value] = None
            if "CLONE_THREAD" in {flag for one in texts for flag in fork_flags(one)}:
                self._process[made.value] = self._of(line.tid)
            else:
                made.forked = made.value

    def _add(
        self, process: int, name: str, texts: list[str], outcome: Outcome, begin: int, end: int, time: int, elapsed: int
    ) -> Made:
        made = Made(process=process, name=name, arguments=texts, outcome=outcome, begin=begin, end=end, time=time, elapsed=elapsed)
        self.log.calls.append(made)
        return made
