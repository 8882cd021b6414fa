"""Programs of a scenario's ``run`` steps: started in their node, and told of with their status and output when they end.

It does not know what a program is to do, nor which status is right.
"""

import errno
import os
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from netlab.errors import HostError
from netlab.lab.lab import Lab
from netlab.lab.process import DEVNULL, PIPE, Process
from netlab.scenario.spec import RunStep
from netlab.timeline.observations import ProgramEnded
from netlab.units import Duration


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A program that was started by step number ``step``."""

    program: Process
    argv: tuple[str, ...]
    host: str
    step: int


def start(lab: Lab, step: RunStep, index: int, stack: ExitStack) -> Started:
    """Start a step's program; ``stack`` ends it. Raises HostError where this machine does not have it."""
    argv = step.what.argv
    try:
        program = lab.nodes[step.host].popen(argv, stdin=DEVNULL, stdout=PIPE, stderr=PIPE, text=True)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.EACCES):
            raise HostError(f"{argv[0]}: {os.strerror(error.errno)}", f"install {argv[0]}, or correct {step.place}") from error
        raise
    stack.callback(program.close)
    return Started(program=program, argv=argv, host=step.host, step=index)


def ended(started: Started, timeout: Duration, record: Callable[[ProgramEnded], None]) -> bool:
    """Wait for a program's end and record it; False when it has not come in time."""
    try:
        out, error = started.program.communicate(timeout=timeout.seconds)
    except subprocess.TimeoutExpired:
        return False
    record(
        ProgramEnded(
            time=time.time_ns(),
            host=started.host,
            step=started.step,
            argv=started.argv,
            status=started.program.wait(),
            stdout=out,
            stderr=error,
        )
    )
    return True
