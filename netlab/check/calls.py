"""What came of a scenario's calls and programs, step by step: which records belong together, and whether they hold.

Pure; it grows with a run, or is built from a whole timeline.
"""

from collections.abc import Iterable, Mapping, Sequence

from netlab.check.results import check_result
from netlab.check.verdicts import Mismatch
from netlab.notation.calls import Bound, Result
from netlab.notation.signatures import SIGNATURES
from netlab.scenario.spec import AnyStep, CallStep, JoinStep, RunStep
from netlab.timeline.observations import (
    CallReturned,
    CallStarted,
    Named,
    Observation,
    ProgramEnded,
    SocketTable,
    StepEnded,
)
from netlab.timeline.timeline import Node


class Calls:
    """Which call each step made and what it gave."""

    def __init__(self, observations: Iterable[Observation] = (), nodes: Mapping[str, Node] | None = None) -> None:
        """``nodes`` are the lab's, so that a result may name an address by its node."""
        self._hosts = {name: frozenset(ip for ips in node.addresses.values() for ip in ips) for name, node in (nodes or {}).items()}
        self._hosts |= {
            f"{name}.{interface}": frozenset(ips)
            for name, node in (nodes or {}).items()
            for interface, ips in node.addresses.items()
        }
        self.started: dict[int, CallStarted] = {}
        self.returned: dict[int, CallReturned] = {}
        self.programs: dict[int, ProgramEnded] = {}
        self.names: dict[tuple[str, str], int] = {}
        self._inodes: dict[tuple[str, str], int] = {}
        self._cookies: dict[int, int] = {}
        self._bound: dict[int, str] = {}
        self.ended: dict[int, int] = {}
        for observation in observations:
            self.add(observation)

    def add(self, observation: Observation) -> None:
        """Take note of one more observation."""
        match observation:
            case CallStarted():
                # The first is the step's own; after() has a call made that begins later.
                self.started.setdefault(observation.step, observation)
            case CallReturned():
                self.returned[observation.id] = observation
            case ProgramEnded():
                self.programs[observation.step] = observation
            case Named():
                self.names[observation.process, observation.name] = observation.fd
                self._inodes[observation.process, observation.name] = observation.inode
            case SocketTable():
                self._cookies |= {entry.inode: entry.cookie for entry in observation.entries}
                self._bound |= {entry.inode: _shown(entry.local) for entry in observation.entries if entry.inode}
            case StepEnded():
                self.ended[observation.index] = observation.time

    def mismatches(self, index: int, steps: Sequence[AnyStep], *, document: bool = False, slack: int = 0) -> tuple[Mismatch, ...]:
        """What an acting step gave that it should not have; with ``document``, by what the document says instead.

        ``slack`` in ns widens upper bounds on time. Steps without a result of their own (a job that goes on) never mismatch.
        """
        step = steps[index]
        match step:
            case CallStep() if step.what.job:
                missing = index not in self.started
                return (self._missing(step, "the call never began"),) if missing else ()
            case CallStep():
                result = (step.document if document else None) or step.what.result
                return self._call(step, step, index, self._returned(index, index), result, slack, steps)
            case JoinStep():
                began = _began(step.what.job, index, steps)
                result = (step.document if document else None) or step.what.result
                if isinstance(steps[began], RunStep):
                    return self._program(step, began, result)
                return self._call(step, steps[began], began, self._returned(began, index), result, slack, steps)
            case RunStep() if not step.what.job:
                return self._program(step, index, step.what.result)
        return ()

    def _returned(self, began: int, index: int) -> CallReturned | None:
        """The return of the call that step ``began`` made, if it came before step ``index`` was over."""
        started = self.started.get(began)
        returned = self.returned.get(started.id) if started is not None else None
        if returned is None or returned.time > self.ended.get(index, returned.time):
            return None
        return returned

    def _call(
        self,
        step: CallStep | JoinStep,
        origin: AnyStep,
        began: int,
        returned: CallReturned | None,
        result: Result,
        slack: int,
        steps: Sequence[AnyStep],
    ) -> tuple[Mismatch, ...]:
        assert isinstance(origin, CallStep)
        started = self.started.get(began)
        if started is None:
            return (self._missing(step, "the call never began"),)
        names = {name: fd for (process, name), fd in self.names.items() if process == origin.process}
        if "ucred" in (result.out or ""):
            names |= self._forked(origin.process, began, steps)
        found = check_result(
            result,
            call=origin.what.call,
            ret=returned.result if returned else None,
            errno=returned.errno if returned else "",
            signal=returned.signal if returned else "",
            out=returned.out if returned else None,
            names=names,
            addresses=self._identities(origin.process) | self._kept(origin.process, began, steps),
            hosts=self._hosts,
        )
        mismatches = [
            Mismatch(field=field, expected=expected, actual=actual, place=str(step.place), step=step.text)
            for field, expected, actual in found
        ]
        if returned is not None:
            elapsed = returned.time - (returned.began or started.time)
            for bound in step.what.took:
                if not _within(elapsed, bound, slack):
                    mismatches.append(
                        Mismatch(
                            field="took",
                            expected=f"{bound.relation}{bound.limit}",
                            actual=f"{elapsed / 1e6:.3f}ms",
                            place=str(step.place),
                            step=step.text,
                        )
                    )
        return tuple(mismatches)

    def _identities(self, process: str) -> dict[str, str]:
        """What ``@s`` (getsockname), ``@inode:s`` and ``@cookie:s`` stand for: the socket's address and cookie as sock_diag(7) has
        them, its inode as /proc/PID/fd has it."""
        inodes = {name: inode for (owner, name), inode in self._inodes.items() if owner == process and inode}
        cookies = {name: self._cookies[inode] for name, inode in inodes.items() if inode in self._cookies}
        known = {f"inode:{name}": str(inode) for name, inode in inodes.items()}
        known |= {name: self._bound[inode] for name, inode in inodes.items() if inode in self._bound}
        return known | {f"cookie:{name}": str(cookie) for name, cookie in cookies.items()}

    def _kept(self, process: str, before: int, steps: Sequence[AnyStep]) -> dict[str, str]:
        """The addresses that addr() and unused_port() have given names to by then."""
        found: dict[str, str] = {}
        for index, step in enumerate(steps[:before]):
            if isinstance(step, CallStep) and step.process == process and SIGNATURES[step.what.call.name].returns == "address":
                returned = self._returned(index, before)
                found |= {name: str(returned.out) for name in step.what.call.binds if returned is not None and returned.out}
        return found

    def _forked(self, process: str, before: int, steps: Sequence[AnyStep]) -> dict[str, int]:
        """What fork() gave by then for the children of a process, by their names, and for the process itself: "self"."""
        found = {}
        for index, step in enumerate(steps[:before]):
            if isinstance(step, CallStep) and step.what.call.name == "fork":
                (child,), returned = step.what.call.binds, self._returned(index, before)
                name = child if step.process == process else "self" if f"{step.process}/{child}" == process else ""
                if name and returned is not None:
                    found[name] = returned.result
        return found

    def _program(self, step: AnyStep, began: int, result: Result) -> tuple[Mismatch, ...]:
        ended = self.programs.get(began)
        if result.form == "blocks":
            return () if ended is None else (self._said(step, "exit status", "still running", str(ended.status)),)
        if ended is None:
            return (self._missing(step, "the program was still running when its time was over"),)
        wanted = result.value if result.form == "value" else 0
        if result.form == "any" or ended.status == wanted:
            return ()
        said = (ended.stderr or ended.stdout).strip().splitlines()[-1:] or [""]
        return (self._said(step, "exit status", str(wanted), f"{ended.status}" + (f" ({said[0]})" if said[0] else "")),)

    @staticmethod
    def _missing(step: AnyStep, what: str) -> Mismatch:
        return Mismatch(field="return", expected="a result", actual=what, place=str(step.place), step=step.text)

    @staticmethod
    def _said(step: AnyStep, field: str, expected: str, actual: str) -> Mismatch:
        return Mismatch(field=field, expected=expected, actual=actual, place=str(step.place), step=step.text)


def _began(job: str, before: int, steps: Sequence[AnyStep]) -> int:
    """The index of the step that started a job."""
    for index in range(before - 1, -1, -1):
        step = steps[index]
        if isinstance(step, CallStep | RunStep) and step.what.job == job:
            return index
    raise LookupError(f"no step before {before} starts the job {job}")


def _shown(address: tuple[str, int]) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _within(elapsed: int, bound: Bound, slack: int) -> bool:
    limit = bound.limit.ns
    return {
        "<": elapsed < limit + slack,
        "<=": elapsed <= limit + slack,
        ">": elapsed > limit,
        ">=": elapsed >= limit,
    }[bound.relation]
