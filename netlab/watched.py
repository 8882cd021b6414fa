"""What watching a program gave, as values, and the way from there to what every report takes.

It starts nothing and shows nothing.
"""

import shlex
import signal as signals
from collections.abc import Mapping
from dataclasses import dataclass

import netlab
from netlab.check.result import RunResult, ScenarioResult
from netlab.check.use.finding import UseFinding
from netlab.check.use.findings import inconclusive, use_findings
from netlab.host_facts import host_facts
from netlab.lab.enter import NOT_EXECUTABLE, NOT_FOUND
from netlab.report.findings_text import verdicts
from netlab.timeline.observations import ProcessExecuted
from netlab.timeline.timeline import Timeline
from netlab.topology.spec import Topology


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a program ended: exit status, or minus the signal's number; None where it was never started. ``stopped``: by netlab."""

    host: str
    argv: tuple[str, ...]
    status: int | None
    stopped: bool = False
    stderr: str = ""

    @property
    def told(self) -> str:
        """In words."""
        if self.status is None:
            how = "was not started"
        else:
            how = f"exit status {self.status}" if self.status >= 0 else f"ended by {signals.Signals(-self.status).name}"
        stopped = ", when netlab asked it to end" if self.stopped else ""
        return f"{shlex.join(self.argv)}: {how}{stopped}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What was seen. ``programs`` has the watched one first; ``signal`` is the number of the one that ended the watch, or 0;
    ``why`` says in words what ended it; ``pid`` is the watched program's."""

    timeline: Timeline
    programs: tuple[Ended, ...]
    why: str
    pid: int
    signal: int = 0
    elapsed: float = 0.0

    @property
    def started(self) -> bool:
        """Whether the watched program was executed at all."""
        if self.programs[0].status not in (NOT_FOUND, NOT_EXECUTABLE):
            return True
        if not self.timeline.source("calls").available:
            return True  # a program may give these statuses itself
        return any(isinstance(seen, ProcessExecuted) and seen.pid == self.pid for seen in self.timeline.observations)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A watch's result as every report takes it; what was found, and what could not be judged: its id, with the reason."""

    result: RunResult
    findings: tuple[UseFinding, ...]
    undecided: Mapping[str, str]


def judged(seen: Watched, name: str, topology: Topology) -> Judged:
    """Have the timeline judged."""
    findings = tuple(use_findings(seen.timeline))
    undecided = dict(inconclusive(seen.timeline))
    scenario = ScenarioResult(
        file=topology.place.file,
        name=name,
        verdicts=verdicts(findings, undecided),
        timeline=seen.timeline,
        topology={
            "name": topology.name,
            "nodes": {one.name: one.kind for one in topology.nodes},
            "links": [one.name for one in topology.links],
        },
        elapsed=seen.elapsed,
    )
    result = RunResult(netlab=netlab.__version__, host=host_facts(), scenarios=(scenario,))
    return Judged(result=result, findings=findings, undecided=undecided)
