"""Runs scenarios: builds the lab, starts the observers, plays the steps, and has the finished timeline judged.

The one place where the world (lab, workload, observers) and the judges meet. While a scenario runs, an expectation is only asked
whether it is met yet, to know how long to wait; every verdict comes from the finished timeline.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass

import msgspec

import netlab
from netlab.check.calls import Calls
from netlab.check.expectations import evaluate, needs
from netlab.check.findings import Finding, Window
from netlab.check.judge import judge
from netlab.check.result import RunResult, ScenarioResult
from netlab.check.view import View
from netlab.errors import HostError, LabError, Problem, SpecError, StepError
from netlab.host_facts import host_facts
from netlab.impair.script import Script
from netlab.impair.shaping import shape
from netlab.impair.wire import Wire
from netlab.lab.lab import Lab
from netlab.observe.observers import Observers, now
from netlab.observe.packets import DEFAULT_BUFFER
from netlab.prerequisites import check_prerequisites
from netlab.scenario.spec import CallStep, Expectation, ExpectStep, JoinStep, NotTested, Scenario, WaitStep, all_rules
from netlab.timeline.observations import SourceReport, StepBegan, StepEnded
from netlab.timeline.timeline import Timeline
from netlab.topology.printed import print_round_trips
from netlab.topology.spec import Topology
from netlab.units import Duration
from netlab.workload.agents import AGENT
from netlab.workload.marshal import MarshalError
from netlab.workload.peer import ScriptedPeer
from netlab.workload.player import Player
from netlab.workload.socket_states import SocketStates

_PAUSE = 0.001
_LONGEST_PAUSE = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How to run: ``timeout`` of each call in place of the scenario's, capture buffer in bytes a node, scenarios at once.

    ``seed`` is what impairments decide by that have none of their own; with a ``script`` they decide nothing, and what it
    prescribes is done instead. ``again``: how often a scenario is played again that is undecided because a source lost something.
    ``ending`` is called with the lab while its sockets and links still are as the steps left them, what was seen, and what lacked.
    """

    timeout: Duration | None = None
    capture_buffer: int = DEFAULT_BUFFER
    jobs: int = 1
    seed: int = 0
    script: Script | None = None
    again: int = 0
    ending: Callable[[Lab, Timeline, str], None] | None = None


def run_scenario(scenario: Scenario, options: RunOptions = RunOptions()) -> ScenarioResult:
    """Run one scenario in a lab of its own. A machine that lacks what it takes makes the verdict INCONCLUSIVE, not an error.

    A play whose evidence was in part lost, and that did not FAIL, is followed by another one, at most ``options.again`` times; the
    result, which is the last play's, says so.
    """
    result = _play(scenario, options)
    for _ in range(options.again):
        if not result.undecided_by_loss:
            break
        lost, before = (*result.played_again, result.undecided_by_loss), result.elapsed
        result = _play(scenario, options)
        result = msgspec.structs.replace(result, played_again=lost, elapsed=before + result.elapsed)
    return result


def _play(scenario: Scenario, options: RunOptions) -> ScenarioResult:
    began = time.monotonic()
    lacking, timeline = "", Timeline()
    try:
        check_prerequisites(scenario)
        with Lab(scenario.topology, forks=AGENT) as lab:
            timeline, lacking = _run(scenario, lab, options)
    except HostError as error:
        lacking = str(error)
    return _result(scenario, timeline, lacking, time.monotonic() - began)


def _result(scenario: Scenario, timeline: Timeline, lacking: str, elapsed: float) -> ScenarioResult:
    return ScenarioResult(
        file=scenario.place.file,
        name=scenario.name,
        group=scenario.claim.group if scenario.claim else "",
        verdicts=judge(scenario, timeline, lacking=lacking),
        timeline=timeline,
        topology=drawn(scenario.topology),
        elapsed=elapsed,
    )


def run_all(
    scenarios: Sequence[Scenario],
    options: RunOptions = RunOptions(),
    progress: Callable[[ScenarioResult], None] | None = None,
    not_tested: Sequence[NotTested] = (),
) -> RunResult:
    """Run many scenarios, ``options.jobs`` at a time, those marked exclusive alone. ``progress`` is told of each as it ends.

    Those that say how long they wait begin first, so that others are done meanwhile. Where netlab itself fails in one of several,
    or only playing it shows that one is wrong, that one is INCONCLUSIVE; LabError or SpecError where it is so of all.
    """
    results: dict[int, ScenarioResult] = {}
    failed: list[LabError | SpecError] = []

    def one(index: int) -> None:
        try:
            results[index] = run_scenario(scenarios[index], options)
        except (LabError, SpecError) as error:
            failed.append(error)
            lacking = f"{'netlab itself failed' if isinstance(error, LabError) else 'the scenario is wrong'}: {error}"
            results[index] = _result(scenarios[index], Timeline(), lacking, 0.0)
        if progress is not None:
            progress(results[index])

    alone = [index for index, scenario in enumerate(scenarios) if scenario.claim is not None and scenario.claim.exclusive]
    together = [index for index in range(len(scenarios)) if index not in alone]
    if options.jobs > 1:
        together.sort(key=lambda index: -_waiting(scenarios[index]))
        with ThreadPoolExecutor(options.jobs) as pool:
            for done in [pool.submit(one, index) for index in together]:
                done.result()
    else:
        for index in together:
            one(index)
    for index in alone:
        one(index)
    if failed and len(failed) == len(scenarios):
        raise failed[0]
    return RunResult(
        netlab=netlab.__version__,
        host=host_facts(),
        scenarios=tuple(results[index] for index in range(len(scenarios))),
        not_tested=tuple({"id": one.id, "statement": one.statement, "reason": one.reason} for one in not_tested),
    )


def _waiting(scenario: Scenario) -> int:
    """How long a scenario lets time pass, in ns, as far as its steps say so."""
    waits = sum(step.time.ns for step in scenario.steps if isinstance(step, WaitStep))
    return waits + sum(step.expect.watch.ns for step in scenario.steps if isinstance(step, ExpectStep))


def _run(scenario: Scenario, lab: Lab, options: RunOptions) -> tuple[Timeline, str]:
    asked = [expect for step in scenario.steps if isinstance(step, ExpectStep) for expect in (step.expect, step.document) if expect]
    lab.noted += shape(lab)
    with ExitStack() as stack:
        states = SocketStates(lab, [socket for rule in all_rules(scenario) for socket, _ in rule.during])
        stack.callback(states.close)
        wire = Wire.of(lab, seed=options.seed, script=options.script)
        wire.states = states
        wire.start()
        stack.callback(wire.stop)
        peers = {name: ScriptedPeer(node, nodes=lab.nodes) for name, node in lab.nodes.items() if node.kind == "peer"}
        for peer in peers.values():
            peer.start()
            stack.callback(peer.stop)
        lab.start()
        observers = Observers(
            lab,
            capture_buffer=options.capture_buffer,
            memory=any(expect.memory for expect in asked),
            in_step=wire.carries,
        )
        timeout = options.timeout or scenario.timeout
        refusals = scenario.refusals
        acting = Player(lab, observers.record, timeout, peers=peers, barriers=wire, disturber=wire, refusals=refusals)
        player = stack.enter_context(acting)
        states.names = player.names
        observers.start()
        if observers.in_step:
            wire.watch(observers.after_frame)
        run = _Run(scenario, player, observers, wire, states)
        lacking = ""
        try:
            run.prepare(asked)
            run.play()
        except HostError as error:
            lacking = str(error)
        finally:
            observers.seen += wire.drain()
            observers.stop()
        notes = tuple(print_round_trips(scenario.topology))
        built = SourceReport(name="lab", available=True, reason="; ".join(lab.shortfalls), notes=notes)
        timeline = observers.whole(wire.report(), built)
        if options.ending is not None:
            options.ending(lab, timeline, lacking)
        return timeline, lacking


class _Run:
    """One pass over a scenario's steps."""

    def __init__(self, scenario: Scenario, player: Player, observers: Observers, wire: Wire, states: SocketStates) -> None:
        self._scenario, self._player, self._observers, self._wire = scenario, player, observers, wire
        self._states = states
        self._window_began = self._packets_began = 0
        self._calls, self._noted = Calls(nodes=observers.nodes), 0
        self._stamps: list[int] = []

    def prepare(self, asked: Sequence[Expectation]) -> None:
        """Start the agents of every host that calls or is looked at, and read what changes will be measured from."""
        wanted = [needs(expect) for expect in asked]
        hosts = {step.host for step in self._scenario.steps if isinstance(step, CallStep)}
        hosts |= {host for need in wanted for kind in ("listed", "sockets", "counters") for host in need[kind]}
        hosts |= {process.split("/")[0] for need in wanted for kind in ("fds", "memory") for process in need[kind]}
        for host in sorted(hosts):
            self._observers.watch_process(host, self._player.process(host).pid)
        for need in wanted:
            self._observers.look({kind: {key for key in keys if "/" not in key} for kind, keys in need.items()})
        self._window_began = self._packets_began = now()

    def play(self) -> None:
        """One step after another, until one is found not to hold: what follows would rest on it."""
        for index, step in enumerate(self._scenario.steps):
            self._observers.record(StepBegan(time=now(), host="", index=index, text=step.text))
            packets_until = 0
            if isinstance(step, ExpectStep):
                holds, packets_until = self._expect(step)
            else:
                try:
                    holds = self._player.play(step, index)
                except (MarshalError, StepError) as error:
                    raise SpecError(Problem(step.place, str(error))) from error
                self._look_after(step)
            ended = now()
            self._observers.record(StepEnded(time=ended, index=index, packets_until=packets_until))
            if isinstance(step, ExpectStep):
                self._window_began, self._packets_began = ended, packets_until or ended
            if not holds or not self._held(index):
                return

    def _look_after(self, step: object) -> None:
        """After a call, who the sockets are: a name needs its 4-tuple while a descriptor still has it."""
        for name, names in self._player.names.items():
            self._observers.watch_process(name, names.process.pid)
        self._states.note()
        if isinstance(step, CallStep | JoinStep):
            self._observers.look({"tables": {step.host}})

    def _held(self, index: int) -> bool:
        """Whether the acting step just played gave what it must."""
        while self._noted < len(self._observers.seen):
            self._calls.add(self._observers.seen[self._noted])
            self._noted += 1
        return not self._calls.mismatches(index, self._scenario.steps, slack=self._observers.capture.slack)

    def _expect(self, step: ExpectStep) -> tuple[bool, int]:
        """Wait until the expectation is met, broken, or its time is over. Gives whether it held, and where its packets end."""
        expect, pause = step.expect, _PAUSE
        wanted = {kind: set(keys) for kind, keys in needs(expect).items()}
        for kind, keys in (needs(step.document) if step.document else {}).items():
            wanted[kind] |= keys
        deadline = time.monotonic() + expect.within.seconds
        while True:
            over = time.monotonic() > deadline
            if over:  # the last look is at all that happened in time, however late a loaded machine comes to it
                self._observers.capture.settle()
            findings = self._findings(expect, wanted)
            if all(finding.status in ("met", "lacking") for finding in findings):
                break
            if over or any(finding.status == "broken" for finding in findings):
                return False, 0
            self._observers.capture.wait(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
        if not expect.watch.ns:
            stamps = [self._stamps[index] for finding in findings if finding.field == "packets" for index in finding.evidence]
            return True, max(stamps, default=0)
        until = time.monotonic() + expect.watch.seconds
        while (left := until - time.monotonic()) > 0:
            self._observers.capture.wait(min(left, _LONGEST_PAUSE))
            findings = self._findings(expect, wanted)
            if any(finding.status == "broken" for finding in findings):
                return False, 0
        return True, 0

    def _findings(self, expect: Expectation, wanted: dict[str, set[str]]) -> list[Finding]:
        """What is found now. The taps are read in turn, so that a packet may be here before an earlier one from another tap: what
        seems broken is looked at once more, when all that was sent until now is here."""
        findings = self._evaluate(expect, wanted)
        if any(finding.status == "broken" for finding in findings):
            self._observers.capture.settle()
            findings = self._evaluate(expect, wanted)
        return findings

    def _evaluate(self, expect: Expectation, wanted: dict[str, set[str]]) -> list[Finding]:
        self._observers.drain()
        self._observers.seen += self._wire.drain()
        self._observers.look(wanted)
        timeline, time_now = self._observers.timeline(), now()
        window = Window(began=self._window_began, ended=time_now, packets_began=self._packets_began, packets_until=time_now)
        self._stamps = [observation.time for observation in timeline.observations]
        return evaluate(expect, View(timeline), window, final=False)


def drawn(topology: Topology) -> dict[str, object]:
    """What a result says of a topology: its name, the kinds of its nodes, the names of its links."""
    return {
        "name": topology.name,
        "nodes": {node.name: node.kind for node in topology.nodes},
        "links": [link.name for link in topology.links],
    }
