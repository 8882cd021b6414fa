"""What is to be watched, by whom it is shown, and whether the program is there at all. It starts nothing."""

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from netlab.companions import Beside
from netlab.errors import NetlabError
from netlab.lab.enter import NOT_EXECUTABLE, NOT_FOUND
from netlab.observe.packets import DEFAULT_BUFFER
from netlab.timeline.observations import AnyObservation
from netlab.timeline.timeline import Node as SeenNode
from netlab.topology.spec import Node
from netlab.units import Duration

_READY = Duration(2_000_000_000)


class Viewer(Protocol):
    """Who is shown what happens, while it does."""

    def begin(self, time: int, nodes: Mapping[str, SeenNode]) -> None:
        """The observers watch since ``time``; what follows are the programs'."""

    def take(self, observations: Sequence[AnyObservation], time: int) -> None:
        """What happened next, in the order of time; it is ``time`` now."""

    def said(self, host: str, lines: Sequence[str]) -> None:
        """A program beside the watched one, in ``host``, wrote these lines."""

    def end(self) -> None:
        """Nothing follows."""


class ProgramError(NetlabError):
    """The program cannot be executed; ``status`` is what shells give it: 127 not found, 126 not executable."""

    def __init__(self, message: str, status: int) -> None:
        self.status = status
        super().__init__(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What to watch: ``argv`` in ``host``, and others ``beside`` it.

    It is over when the program ends; with ``until`` instead when all of that host's programs have ended; after ``longest`` at the
    latest. Programs that are not first start when a socket of the watched host waits for peers, after ``ready`` at the latest.
    ``stdout`` is a descriptor for the program's output (None: this process's own); ``capture_buffer`` is in bytes a node.
    """

    host: str
    argv: tuple[str, ...]
    beside: tuple[Beside, ...] = ()
    until: str = ""
    longest: Duration | None = None
    ready: Duration = _READY
    stdout: int | None = None
    capture_buffer: int = DEFAULT_BUFFER


def check_program(node: Node, argv: Sequence[str], given: Mapping[str, str]) -> None:
    """Refuse a program that is not there, before a network is built for it. A file that the node alone has is not looked at.

    Raises ProgramError, with the words and the status that exec has for it.
    """
    program = argv[0]
    found = program if "/" in program else shutil.which(program, path=dict(node.env).get("PATH", given.get("PATH", os.defpath)))
    if found in {file.path for file in node.files}:
        return
    if found is None:
        raise ProgramError(f"{node.name}: there is no program {program}", NOT_FOUND)
    if not os.path.exists(found):
        raise ProgramError(f"{node.name}: {program}: No such file or directory", NOT_FOUND)
    if os.path.isdir(found) or not os.access(found, os.X_OK):
        raise ProgramError(f"{node.name}: {program}: Permission denied", NOT_EXECUTABLE)
