"""Watches an unmodified program in a lab: builds it, starts the observers and the programs, shows what happens, waits for the end.

It judges nothing (watched.py); how anything is shown is told to it.
"""

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing

import msgspec

from netlab.companions import Beside, Companion, Processes, lab_processes, open_before
from netlab.impair.shaping import shape
from netlab.impair.wire import Wire
from netlab.lab.enter import NOT_FOUND
from netlab.lab.foreground import Foreground
from netlab.lab.lab import Lab, LabNode
from netlab.observe.calls import CallObserver
from netlab.observe.events import EventObserver
from netlab.observe.observers import Observers, now
from netlab.observe.sockdiag import NETLINK_SOCK_DIAG, SocketDiagnosis
from netlab.observe.source import Source
from netlab.observe.strace import StraceObserver, Trace
from netlab.timeline.causes import with_causes
from netlab.timeline.observations import AnyObservation, ProgramEnded, SourceReport
from netlab.timeline.timeline import Timeline
from netlab.topology.printed import print_round_trips
from netlab.topology.spec import Topology
from netlab.watch_wanted import ProgramError, Viewer, Watch, check_program
from netlab.watched import Ended, Watched
from netlab.workload.peer import ScriptedPeer

_TICK = 0.02
_HELD_BACK = 40_000_000
"""For how long, in ns, observations wait to be shown in the order of time: sources deliver up to 20 ms late."""
_QUIET, _MOST_QUIET = 0.05, 0.5
_OWN_END, _GRACE, _COMPANIONS_GRACE = 1.0, 3.0, 1.0
_NO_STEP = -1


def watch(topology: Topology, wanted: Watch, viewer: Viewer, interrupted: Callable[[], int]) -> Watched:
    """Watch a program. ``interrupted`` gives the number of a signal that asked for the end since it was last called, or 0.

    Raises HostError, SpecError and LabError as a lab does, and ProgramError for a program that cannot be executed.
    """
    nodes = {node.name: node for node in topology.nodes}
    for host, argv in ((wanted.host, wanted.argv), *((what.host, what.argv) for what in wanted.beside)):
        check_program(nodes[host], argv, os.environ)
    with Lab(topology, programs=True) as lab, ExitStack() as stack:
        lab.noted += shape(lab)
        wire = Wire.of(lab)
        wire.start()
        stack.callback(wire.stop)
        for node in lab.nodes.values():
            if node.kind == "peer":
                peer = ScriptedPeer(node, nodes=lab.nodes)
                peer.start()
                stack.callback(peer.stop)
        lab.start()
        return _Session(lab, wanted, viewer, interrupted, wire).run()


def more_sources(lab: Lab, host: str) -> Iterator[Source]:
    """Those that a scenario does without: the kernel's events, and the calls of any program. They prove themselves in ``host``."""
    nodes = {node.space.cookie: name for name, node in lab.nodes.items()}
    make = lab[host].space.socket
    yield EventObserver(nodes, canary=make)
    yield CallObserver(nodes, canary=lambda: make().close())


class _Session:
    """One watch of one running lab."""

    def __init__(self, lab: Lab, wanted: Watch, viewer: Viewer, interrupted: Callable[[], int], wire: Wire) -> None:
        self._lab, self._wanted, self._viewer, self._interrupted, self._wire = lab, wanted, viewer, interrupted, wire
        self._observers = Observers(lab, capture_buffer=wanted.capture_buffer)
        present = {report.name for report in self._observers.timeline().sources}
        self._strace: StraceObserver | None = None
        self._processes: Processes = lab_processes(lab)
        self._sources = [source for source in more_sources(lab, wanted.host) if source.name not in present]
        self._kept: list[AnyObservation] = []
        self._late: list[AnyObservation] = []
        self._companions: list[Companion] = []
        self._waiting = [what for what in wanted.beside if not what.first]
        self._diagnoses: dict[str, SocketDiagnosis] = {}
        self._quiet: dict[str, int] = {}
        self._stopped: set[int] = set()
        self._signal = 0
        self._begun = self._over = False

    def run(self) -> Watched:
        """From the observers' start to their end."""
        wanted, lab = self._wanted, self._lab
        with ExitStack() as stack:
            for host in {wanted.host, *(what.host for what in wanted.beside)}:
                self._diagnoses[host] = stack.enter_context(closing(_diagnosis(lab[host])))
            stack.callback(self._stop)
            self._observers.start()
            for source in self._sources:
                source.start()
            self._trace()
            if self._processes.programs:
                self._observers.seen += open_before(lab, self._processes)
            began = now()
            self._viewer.begin(began, self._observers.nodes)
            self._begun = True
            self._quiet = {host: _waiting(diagnosis) for host, diagnosis in self._diagnoses.items()}
            for what in wanted.beside:
                if what.first:
                    self._await(self._start(what, stack))
            if self._asked():
                raise KeyboardInterrupt  # there is nothing to tell of yet
            trace, argv = self._traced(wanted.host, wanted.argv)
            program = stack.enter_context(Foreground(lab, lab[wanted.host], argv, stdout=wanted.stdout))
            if trace is not None and program.await_pid():
                trace.follow(program.pid)
            why = self._follow(program, stack, began)
            self._finish(program)
            elapsed = (now() - began) / 1e9
            for companion in self._companions:
                companion.end()
            self._stop()
            programs = tuple(self._ended(program))
            self._viewer.end()
            return Watched(
                timeline=self._timeline(),
                programs=programs,
                why=why,
                pid=program.pid,
                signal=self._signal,
                elapsed=elapsed,
            )

    def _trace(self) -> None:
        """Where calls cannot be seen in the kernel, programs are run by strace."""
        if not self._observers.timeline(*(source.report() for source in self._sources)).source("calls").available:
            strace = StraceObserver()
            strace.start()
            self._sources.append(strace)
            self._strace = strace if not strace.report().reason else None

    def _traced(self, host: str, argv: Sequence[str]) -> "tuple[Trace | None, Sequence[str]]":
        """The command line to run, and what follows it."""
        trace = self._strace.trace(host) if self._strace is not None else None
        return trace, argv if trace is None else trace.command(argv)

    def _start(self, what: Beside, stack: ExitStack) -> Companion:
        trace, argv = self._traced(what.host, what.argv)
        try:
            companion = Companion(self._lab, what, argv)
        except OSError as error:
            raise ProgramError(f"{what.host}: {what.argv[0]}: {error.strerror}", NOT_FOUND) from None
        if trace is not None:
            trace.follow(companion.pid)
        stack.callback(companion.close)
        self._companions.append(companion)
        return companion

    def _await(self, companion: Companion) -> None:
        """Until a program that others may want to reach can be reached, has ended, or had its time."""
        self._wait(lambda: companion.poll() is not None or self._is_ready(companion.what.host), self._wanted.ready.seconds)

    def _is_ready(self, host: str) -> bool:
        """Whether more sockets than at the start wait for somebody there."""
        return _waiting(self._diagnoses[host]) > self._quiet[host]

    def _follow(self, program: Foreground, stack: ExitStack, began: int) -> str:
        """Until something ends the watch; gives what did."""
        until, longest = self._wanted.until, self._wanted.longest
        latest = now() + self._wanted.ready.ns
        while True:
            ended = program.poll() is not None
            if self._waiting and not self._asked() and (now() > latest or self._is_ready(self._wanted.host)):
                for what in self._waiting:
                    self._start(what, stack)
                self._waiting = []
            if self._asked():
                return f"{signal.Signals(self._signal).name} came"
            if until and not self._waiting and all(one.poll() is not None for one in self._of(until)):
                if until != self._wanted.host or ended:
                    return f"the programs of {until} have ended"
            elif ended and not until:
                return "the program has ended"
            if ended and program.poll() and self._waiting:
                return "the program has failed before the others began"
            if longest is not None and now() - began > longest.ns:
                return f"{longest} were over"
            self._tick()

    def _of(self, host: str) -> list[Companion]:
        return [one for one in self._companions if one.what.host == host]

    def _asked(self) -> bool:
        """Whether a signal asked for the end."""
        self._signal = self._signal or self._interrupted()
        return self._signal != 0

    def _finish(self, program: Foreground) -> None:
        """End the programs that still run, the watched one first, and wait until all is quiet."""
        if not self._signal:
            self._settle()  # it may not have heard yet that the others went
        if program.poll() is None:
            self._stopped.add(program.attendant)
            if self._signal:
                program.pass_on(self._signal)
                self._wait(lambda: program.poll() is not None, _OWN_END)
            if program.poll() is None:
                program.send_signal(signal.SIGTERM)
                self._wait(lambda: program.poll() is not None, _GRACE)
            program.close()
        self._settle()
        running = [one for one in self._companions if one.poll() is None]
        for one in running:
            self._stopped.add(one.pid)
            one.terminate()
        self._wait(lambda: all(one.poll() is not None for one in running), _COMPANIONS_GRACE)
        if running:
            self._settle()

    def _wait(self, condition: Callable[[], bool], seconds: float) -> None:
        """Until the condition holds, for so long at most; a signal that comes meanwhile ends the wait."""
        deadline = time.monotonic() + seconds
        while not condition() and time.monotonic() < deadline:
            number = self._interrupted()
            if number:
                self._signal = self._signal or number
                return
            self._tick()

    def _settle(self) -> None:
        """What the end of a program brings about is part of it: connections close, the other side hears of it."""
        count, since, deadline = -1, 0.0, time.monotonic() + _MOST_QUIET
        while time.monotonic() < deadline:
            if len(self._observers.seen) != count:
                count, since = len(self._observers.seen), time.monotonic()
            elif time.monotonic() - since > _QUIET:
                return
            self._tick()

    def _tick(self) -> None:
        """A moment's pause, then take what there is and show it."""
        time.sleep(_TICK)
        self._observers.drain()
        self._observers.seen += self._wire.drain()
        for source in self._sources:
            self._observers.seen += source.drain()
        self._show(now() - _HELD_BACK)
        for companion in self._companions:
            lines = companion.fresh()
            if lines:
                self._viewer.said(companion.what.host, lines)

    def _show(self, until: int) -> None:
        fresh, self._observers.seen = self._observers.seen, []
        self._late += fresh
        self._late.sort(key=lambda one: one.time)
        ready = next((number for number, one in enumerate(self._late) if one.time > until), len(self._late))
        shown, self._late = self._processes.wanted(self._late[:ready]), self._late[ready:]
        self._kept += shown
        if self._begun:
            self._viewer.take(shown, min(until, now()))

    def _stop(self) -> None:
        """Stop the sources, once, the packets' last, and show what they still had."""
        if self._over:
            return
        self._over = True
        for source in self._sources:
            self._observers.seen += source.stop()
        self._observers.seen += self._wire.drain()
        self._observers.stop()
        self._show(1 << 63)

    def _ended(self, program: Foreground) -> Iterator[Ended]:
        """How each program ended, which is part of the timeline too."""
        wanted = self._wanted
        stopped = program.attendant in self._stopped
        ended = [(Ended(host=wanted.host, argv=wanted.argv, status=program.poll(), stopped=stopped), "")]
        for one in self._companions:
            out, error = one.texts()
            lines = one.fresh(whole=True)
            if lines:
                self._viewer.said(one.what.host, lines)
            stopped = one.pid in self._stopped
            ended.append((Ended(host=one.what.host, argv=one.what.argv, status=one.status, stopped=stopped, stderr=error), out))
        for each, out in ended:
            told = ProgramEnded(
                time=now(), host=each.host, step=_NO_STEP, argv=each.argv, status=each.status or 0, stdout=out, stderr=each.stderr
            )
            self._kept.append(told)
            yield each
        for what in self._waiting:
            yield Ended(host=what.host, argv=what.argv, status=None)

    def _timeline(self) -> Timeline:
        self._observers.seen = self._kept
        notes = tuple(print_round_trips(self._lab.topology))
        built = SourceReport(name="lab", available=True, reason="; ".join(self._lab.shortfalls), notes=notes)
        timeline = self._observers.timeline(*(source.report() for source in self._sources), self._wire.report(), built)
        caused = with_causes(timeline.observations, timeline.nodes)
        return msgspec.structs.replace(timeline, observations=caused, sources=tuple(_one_each(timeline.sources)))


def _one_each(reports: Sequence[SourceReport]) -> Iterator[SourceReport]:
    """A report a name. Of two sources for the same, the one that was there; if none was, what each of them lacked."""
    names: dict[str, list[SourceReport]] = {}
    for report in reports:
        names.setdefault(report.name, []).append(report)
    for alike in names.values():
        best = next((report for report in alike if report.available), alike[0])
        reasons = [best.reason] if best.available else [report.reason for report in alike]
        yield msgspec.structs.replace(best, reason="; or ".join(reasons))


def _diagnosis(node: LabNode) -> SocketDiagnosis:
    return SocketDiagnosis(node.name, node.space.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG))


def _waiting(diagnosis: SocketDiagnosis) -> int:
    """How many sockets of a node wait for somebody: those that listen, and unconnected ones that have a port."""
    return sum(one.state == "LISTEN" or (one.protocol == "udp" and one.remote[1] == 0) for one in diagnosis.table().entries)
