"""A program in a node of a lab on the caller's own terminal, while the caller stays where it is.

It is the child of an attendant (lab/attendant.py), a child of this process: in the caller's session and process group, so that the
terminal's keys reach it, which programs that hang on the keeper do not hear. It ends with the lab at the latest. It does not know
what the program is for.
"""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from netlab.lab.lab import Lab, LabNode

_MOMENT = 0.001
_DYING = 5000  # ms
_ATTENDANT = Path(__file__).with_name("attendant.py")


class Foreground:
    """A started program. Its standard input, output and error are the caller's; ``stdout`` is another descriptor for its output."""

    def __init__(
        self, lab: Lab, node: LabNode, argv: Sequence[str], *, env: Mapping[str, str] | None = None, stdout: int | None = None
    ) -> None:
        """Start it with this environment (None: the caller's, and the node's on top). Raises OSError.

        A program that cannot be executed has a message on standard error and the status that shells give it: 127 or 126.
        """
        _, fds = lab.keeper_of(node).ask("enter", node=node.space.number)
        try:
            numbers = [*map(str, fds), *(["-1"] if len(fds) < 5 else [])]
            self._attendant = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_ATTENDANT), *numbers, node.name, *argv],
                pass_fds=fds,
                stdout=stdout,
                env={**os.environ, **dict(node.plan.env)} if env is None else dict(env),
            )
        finally:
            for fd in fds:
                os.close(fd)
        self.pid = 0
        """The program's pid as this process numbers it; 0 until ``poll`` has found it."""

    @property
    def attendant(self) -> int:
        """The pid of the attendant, which is not a process of the lab."""
        return self._attendant.pid

    def poll(self) -> int | None:
        """The exit status if it has ended (minus the signal's number when a signal did it), else None."""
        if self.pid == 0:
            with suppress(OSError):
                children = Path(f"/proc/{self.attendant}/task/{self.attendant}/children").read_text().split()
                self.pid = int(children[0]) if children else 0
        return self._attendant.poll()

    def await_pid(self) -> int:
        """Wait until the program has a pid; 0 where it has ended before that was seen."""
        while self.poll() is None and self.pid == 0:
            time.sleep(_MOMENT)
        return self.pid

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended. SIGKILL ends the attendant too."""
        if self._attendant.poll() is None:
            self._attendant.send_signal(number)

    def pass_on(self, number: int) -> None:
        """Send on a signal that came to the caller; what the terminal sends to its foreground processes has reached it already."""
        if number not in (signal.SIGINT, signal.SIGQUIT) or not _has_terminal():
            self.send_signal(number)

    def close(self) -> None:
        """Kill it if it still runs, and wait for its end."""
        if self.poll() is None:
            watched = self._watched()
            self._attendant.kill()  # which the program does not survive (PR_SET_PDEATHSIG), a moment later
            if watched is not None:
                poll = select.poll()
                poll.register(watched, select.POLLIN)
                poll.poll(_DYING)
                os.close(watched)
        self._attendant.wait()

    def _watched(self) -> int | None:
        with suppress(ProcessLookupError):
            return os.pidfd_open(self.pid) if self.pid else None
        return None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def _has_terminal() -> bool:
    """Whether this process is in the foreground of its terminal."""
    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)
