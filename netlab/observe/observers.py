"""All observers of one running lab: started before the first call, asked for snapshots meanwhile, stopped after the last.

It keeps what they deliver; it does not know what any of it should be.
"""

import socket
import time
from collections.abc import Iterable, Mapping
from typing import Self

import msgspec

from netlab.lab.lab import Lab
from netlab.observe import procfs
from netlab.observe.calls import CallObserver
from netlab.observe.destroyed import DestroyedObserver
from netlab.observe.events import EventObserver
from netlab.observe.lockstep import LockStep
from netlab.observe.memory import MemoryObserver
from netlab.observe.packets import DEFAULT_BUFFER, Capture
from netlab.observe.perf_states import PerfStateObserver
from netlab.observe.samples import SocketSamples
from netlab.observe.sockdiag import NETLINK_SOCK_DIAG, SocketDiagnosis
from netlab.observe.source import Source
from netlab.observe.states import StateObserver
from netlab.timeline.causes import with_causes
from netlab.timeline.observations import AnyObservation, CallReturned, SourceReport, StepEnded
from netlab.timeline.timeline import Node, Timeline, merge


class Observers:
    """The observers of a lab.

    ``states`` (with the kernel's other events), ``calls`` (of any program) and ``memory`` say whether those sources, which need
    BPF, are wanted; ``stacks``, whether the functions of the kernel that led to each transition are. ``in_step`` says that somebody
    will call ``after_frame`` whenever a wire has moved a frame: where states are wanted and BPF cannot be had, the tables
    of sockets are then read there and after each of the workload's calls.
    """

    def __init__(
        self,
        lab: Lab,
        *,
        capture_buffer: int = DEFAULT_BUFFER,
        states: bool = True,
        memory: bool = False,
        calls: bool = False,
        stacks: bool = False,
        in_step: bool = False,
    ) -> None:
        self._lab = lab
        self.capture = Capture(
            {name: node.space.packet_socket() for name, node in lab.nodes.items()},
            capture_buffer,
            again=lambda name: lab.nodes[name].space.packet_socket(),
        )
        self._diagnoses: dict[str, SocketDiagnosis] = {}
        self._pids: dict[str, int] = {}
        self._latest: dict[tuple[str, str], AnyObservation] = {}
        self._count = 0
        self.seen: list[AnyObservation] = []
        self._sources: list[Source] = []
        nodes = {node.space.cookie: name for name, node in lab.nodes.items()}
        make = next(iter(lab.nodes.values())).space.socket
        self._states = StateObserver(nodes, canary=make, stacks=stacks) if states else None
        if self._states is not None:
            self._sources += [self._states, EventObserver(nodes, canary=make)]
        if calls:
            self._sources.append(CallObserver(nodes, canary=lambda: make(socket.AF_UNIX, socket.SOCK_DGRAM, 0).close()))
        self._samples = SocketSamples(self._diagnoses)
        self._steps: LockStep | None = None
        self._in_step = in_step
        self._memory = MemoryObserver({}) if memory else None
        if self._memory is not None:
            self._sources.append(self._memory)

    def start(self) -> Self:
        """Returns when every source watches; LabError when the capture cannot be shown to work."""
        for name in self._lab.nodes:
            self._diagnosis(name)  # made now: a socket made later would show in the counts of the namespace
        self.capture.start()
        for source in self._sources:
            source.start()
        if self._states is not None and not self._states.report().available:
            self._without_bpf()
        return self

    def _without_bpf(self) -> None:
        """States by perf events where root has no BPF, or else in step with the wire; and the ends of sockets."""
        nodes = self._lab.nodes
        addresses = {name: [text for texts in node.addresses.values() for text in texts] for name, node in nodes.items()}
        perf = PerfStateObserver(addresses, {name: node.space.socket for name, node in nodes.items()})
        perf.start()
        if perf.report().available:
            self._sources = [perf if source is self._states else source for source in self._sources]
        elif self._in_step:
            self._steps = LockStep({name: self._tables(name) for name, node in self._lab.nodes.items() if node.kind != "peer"})
            self._sources.append(self._steps)
            self._steps.start()
        ends = DestroyedObserver({name: self._netlink(name) for name in nodes})
        self._sources.append(ends)
        ends.start()

    def watch_process(self, name: str, pid: int) -> None:
        """A process of the lab, by its outer pid: its descriptors and kernel memory can be looked at from now on."""
        if name not in self._pids:
            self._pids[name] = pid
            if self._memory is not None:
                self._memory.add(pid, name)

    def record(self, observation: AnyObservation) -> None:
        """Add something that the workload saw."""
        self.seen.append(observation)
        if self._steps is not None and isinstance(observation, CallReturned | StepEnded):
            self._steps.after_call()

    @property
    def in_step(self) -> bool:
        """Whether it has to know when a wire moves a frame: ``after_frame`` does nothing else."""
        return self._steps is not None

    def after_frame(self) -> None:
        """A wire has taken a frame, or has delivered it."""
        if self._steps is not None:
            self._steps.after_frame()

    def look(self, wanted: Mapping[str, Iterable[str]]) -> None:
        """Take snapshots: of ``tables``, ``listed``, ``sockets``, ``counters``, ``samples`` by node and of ``fds``, ``memory`` by
        process.

        A snapshot that says the same as the one before is not kept: the one before still holds.
        """
        for host in wanted.get("tables", ()):
            self._keep("tables", host, self._diagnosis(host).table())
        for kind, read in (("listed", procfs.listed_inodes), ("sockets", procfs.socket_counts), ("counters", procfs.counters)):
            for host in wanted.get(kind, ()):
                with self.capture.undisturbed(host):
                    counted = read(host, self._pids[host])
                self._keep(kind, host, counted)
        for host in wanted.get("samples", ()):
            for sample in self._samples.sample(host):
                kind = f"samples {type(sample).__name__} {sample.cookie}"
                self._keep(kind, host, sample)
        for host in wanted.get("timers", ()):
            for timer in self._diagnosis(host).timers():
                self._keep(f"timer {timer.cookie}", host, timer)
        for process in wanted.get("fds", ()):
            host = process.split("/")[0]
            self._keep("fds", process, procfs.descriptor_table(host, process, self._pids[process]))
        if self._memory is not None and wanted.get("memory"):
            for reading in self._memory.snapshot():
                self._keep("memory", reading.process, reading)

    def drain(self) -> None:
        """Fetch what the sources have."""
        self.seen += self.capture.drain()
        for source in self._sources:
            self.seen += source.drain()

    def stop(self) -> None:
        """Stop every source, the capture last, and keep what they still had."""
        if self._states is not None and self._states.report().available:
            self._states.doubt(lambda host: self._diagnosis(host).table())
        for source in self._sources:
            self.seen += source.stop()
        self.seen += self.capture.stop()
        for diagnosis in self._diagnoses.values():
            diagnosis.close()

    @property
    def nodes(self) -> dict[str, Node]:
        """The lab's nodes as the timeline knows them."""
        return {name: Node(kind=node.kind, addresses=node.addresses) for name, node in self._lab.nodes.items()}

    def timeline(self, *reports: SourceReport) -> Timeline:
        """All that was seen so far, as a value; ``reports`` of other sources than these observers are added to theirs."""
        return Timeline(
            observations=merge(self.seen),
            sources=(*self._reports(), *(source.report() for source in self._sources), *reports),
            nodes=self.nodes,
            slack=self.capture.slack,
        )

    def whole(self, *reports: SourceReport) -> Timeline:
        """The timeline of a run that is over: every transition with its cause."""
        timeline = self.timeline(*reports)
        return msgspec.structs.replace(timeline, observations=with_causes(timeline.observations, timeline.nodes))

    def _reports(self) -> tuple[SourceReport, ...]:
        return (
            self.capture.report(),
            SourceReport(name="sock_diag", available=True, seen=sum(key[0] == "tables" for key in self._latest)),
            SourceReport(name="descriptors", available=True, seen=sum(key[0] != "tables" for key in self._latest)),
            self._samples.report(),
        )

    def _diagnosis(self, host: str) -> SocketDiagnosis:
        if host not in self._diagnoses:
            self._diagnoses[host] = self._tables(host)
        return self._diagnoses[host]

    def _tables(self, host: str) -> SocketDiagnosis:
        return SocketDiagnosis(host, self._netlink(host))

    def _netlink(self, host: str) -> socket.socket:
        return self._lab.nodes[host].space.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG)

    def _keep(self, kind: str, of: str, reading: AnyObservation) -> None:
        before = self._latest.get((kind, of))
        if before is None or _content(before) != _content(reading):
            self._latest[kind, of] = reading
            self.seen.append(reading)


def _content(observation: AnyObservation) -> tuple[object, ...]:
    return tuple(getattr(observation, field) for field in observation.__struct_fields__ if field not in ("time", "began"))


def now() -> int:
    """The timeline's clock: CLOCK_REALTIME in nanoseconds."""
    return time.time_ns()
