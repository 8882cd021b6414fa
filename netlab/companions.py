"""The programs of a watched lab that are not netlab's: who they are, and those that run beside the watched one.

Processes enter a node's namespaces before they become a program, and netlab's own go in and out: what those do there is no
program's doing, and is left out. It does not know what any of it means.
"""

import fcntl
import os
import signal
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from netlab.lab.lab import Lab
from netlab.lab.process import DEVNULL
from netlab.observe.procfs import descriptors
from netlab.timeline.observations import (
    AnyObservation,
    DescriptorSeen,
    ProcessExecuted,
    ProcessExited,
    ProcessForked,
    SignalDelivered,
    SystemCall,
)

_SIOCGSKNS = 0x894C
_MOST_TEXT = 1 << 16
_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """A program that runs beside the watched one, in ``host``; ``first`` says that it starts before that."""

    host: str
    argv: tuple[str, ...]
    first: bool = False


class Companion:
    """A started program of a lab, whose output is kept here."""

    def __init__(self, lab: Lab, what: Beside, argv: Sequence[str]) -> None:
        """Start it, by the command line ``argv``. Raises OSError when it cannot be executed."""
        self.what = what
        self._outputs = [os.memfd_create(f"{what.host} {name}") for name in ("stdout", "stderr")]
        self._told = [0, 0]
        self.status: int | None = None
        try:
            out, error = self._outputs
            self._process = lab[what.host].popen(argv, stdin=DEVNULL, stdout=out, stderr=error)
        except BaseException:
            self._close()
            raise
        self.pid = self._process.pid

    def poll(self) -> int | None:
        """The exit status if it has ended (minus the signal's number when a signal did it), else None."""
        if self.status is None:
            self.status = self._process.poll()
        return self.status

    def fresh(self, *, whole: bool = False) -> list[str]:
        """The lines that it has written since the last time; with ``whole`` the last one too, though it has no end."""
        lines: list[str] = []
        for number, output in enumerate(self._outputs):
            data = os.pread(output, _CHUNK, self._told[number])
            cut = len(data) if whole or len(data) == _CHUNK else data.rfind(b"\n") + 1
            self._told[number] += cut
            lines += data[:cut].decode(errors="replace").splitlines()
        return lines

    def texts(self) -> tuple[str, str]:
        """The beginning of what it wrote to standard output and to standard error."""
        out, error = (os.pread(output, _MOST_TEXT, 0).decode(errors="replace") for output in self._outputs)
        return out, error

    def terminate(self) -> None:
        """Ask it to end."""
        self._process.send_signal(signal.SIGTERM)

    def end(self) -> None:
        """Kill it if it still runs, and wait for its end."""
        self._process.close()
        self.status = self._process.returncode

    def close(self) -> None:
        """End it, and give back what it wrote."""
        self.end()
        self._close()

    def _close(self) -> None:
        for output in self._outputs:
            os.close(output)
        self._outputs = []


class Processes:
    """Tells the programs' events from those of netlab's own processes.

    ``own`` are netlab's; ``programs`` were there before the observers. Another process is a program once it has executed one, or
    when a program forked it.
    """

    def __init__(self, own: Iterable[int], programs: Iterable[int]) -> None:
        self.own = frozenset(own)
        self._programs = dict.fromkeys(programs, 0)
        """Since when each is one."""

    @property
    def programs(self) -> tuple[int, ...]:
        """Those known to be programs, by their pids."""
        return tuple(self._programs)

    def wanted(self, observations: Iterable[AnyObservation]) -> list[AnyObservation]:
        """Those, in the order of time, that are not netlab's doing."""
        return [one for one in observations if self._is_wanted(one)]

    def _is_wanted(self, one: AnyObservation) -> bool:
        match one:
            case ProcessForked():
                if one.parent not in self._programs:
                    return False
                self._programs.setdefault(one.pid, 0)
            case ProcessExecuted():
                if one.pid in self.own:
                    return False
                self._programs.setdefault(one.pid, one.time)
            case SystemCall(source="strace"):  # which follows nothing but the program, from its start
                return True
            case SystemCall():
                return one.began >= self._programs.get(one.pid, one.time + 1)
            case SignalDelivered() | ProcessExited() | DescriptorSeen():
                return one.pid in self._programs
        return True


def lab_processes(lab: Lab) -> Processes:
    """The processes of a lab whose observers are about to start."""
    keeper = lab.keeper.pid
    first = _children(keeper)  # pid 1 of the lab's PID namespace, on which its programs hang
    return Processes({os.getpid(), keeper, *first}, _below(first))


def open_before(lab: Lab, processes: Processes) -> list[DescriptorSeen]:
    """What the programs have open that were there before the observers: nobody saw those descriptors made."""
    hosts = {}
    for name, node in lab.nodes.items():
        with node.socket() as made:
            space = fcntl.ioctl(made.fileno(), _SIOCGSKNS)
        hosts[os.fstat(space).st_ino] = name
        os.close(space)
    found: list[DescriptorSeen] = []
    for pid in processes.programs:
        with suppress(OSError):  # it has ended
            found += descriptors(hosts.get(os.stat(f"/proc/{pid}/ns/net").st_ino, ""), pid)
    return found


def _below(pids: Sequence[int]) -> list[int]:
    found = [child for pid in pids for child in _children(pid)]
    return [*found, *_below(found)] if found else []


def _children(pid: int) -> list[int]:
    with suppress(OSError):
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []
