"""Plays a scenario's acting steps in a running lab: calls, joins, programs, a peer's packets, releases; and records what came.

It knows what a step says is to be done, never what must come of it: the run asks for that elsewhere.
"""

import signal
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from netlab.errors import HostError
from netlab.lab.lab import Lab
from netlab.notation.calls import Call
from netlab.notation.packets import PacketPattern
from netlab.notation.printing import print_call
from netlab.notation.values import Rights
from netlab.observe.procfs import has_user, socket_inode
from netlab.scenario.spec import (
    CallStep,
    HealStep,
    ImpairStep,
    JoinStep,
    LinkStep,
    PeerStep,
    Refusal,
    ReleaseStep,
    RunStep,
    WaitStep,
)
from netlab.timeline.observations import AnyObservation, CallReturned, CallStarted, Named
from netlab.units import Duration, milliseconds
from netlab.workload.agents import AgentProcess, ProcessGone, Reply
from netlab.workload.disturbance import Disturber, change_links, disturb
from netlab.workload.marshal import decode, encode
from netlab.workload.names import Names
from netlab.workload.programs import Started, ended, start
from netlab.workload.put_off import PutOff
from netlab.workload.refusals import Refusals

BLOCKS_AFTER = milliseconds(200)
ActingStep = CallStep | JoinStep | RunStep | PeerStep | ReleaseStep | WaitStep | ImpairStep | HealStep | LinkStep


class Peer(Protocol):
    """A hand-driven peer: it sends one packet when told."""

    def send(self, packet: PacketPattern) -> None:
        """Send; fields that the pattern names are used, the rest are the connection's usual ones."""


class Barriers(Protocol):
    """Where rules hold packets."""

    def release(self, barrier: str) -> None:
        """Let go of all that is held at a barrier."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """A call that goes on while the scenario does."""

    call: Call
    number: int
    identity: int
    process: str
    actor: str
    host: str
    step: int


class Player:
    """Plays steps one after another. Use it in a ``with`` statement: leaving ends its programs and lets the agents go."""

    def __init__(
        self,
        lab: Lab,
        record: Callable[[AnyObservation], None],
        timeout: Duration,
        peers: Mapping[str, Peer] | None = None,
        barriers: Barriers | None = None,
        disturber: Disturber | None = None,
        refusals: Iterable[Refusal] = (),
    ) -> None:
        self._refusals = Refusals(refusals)
        self._lab, self._record, self._timeout = lab, record, timeout
        self._peers, self._barriers, self._disturber = peers or {}, barriers, disturber
        self.names: dict[str, Names] = {}
        self._jobs: dict[str, _Job | Started] = {}
        self._busy: dict[str, set[str]] = {}
        self._identity = 0
        self._put_off: PutOff[_Job] = PutOff()
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.close()

    def process(self, name: str) -> AgentProcess:
        """The process of this name; a host's own agent is started when first asked for."""
        if name not in self.names:
            agent = AgentProcess.start(self._lab.nodes[name])
            self._stack.callback(agent.close)
            self.names[name] = Names(self._lab, agent, self.names)
        return self.names[name].process

    def play(self, step: ActingStep, index: int) -> bool:
        """Do what a step says. False when the step's call or job did not come to its end in time."""
        ended = self._do(step, index)
        self._gather()
        return ended

    def _do(self, step: ActingStep, index: int) -> bool:
        match step:
            case CallStep():
                return self._call(step, index)
            case JoinStep():
                return self._join(step)
            case RunStep():
                started = start(self._lab, step, index, self._stack)
                if not step.what.job:
                    return ended(started, self._timeout, self._record)
                self._jobs[step.what.job] = started
            case PeerStep():
                self._peers[step.host].send(step.packet)
            case ReleaseStep():
                assert self._barriers is not None
                self._barriers.release(step.barrier)
            case WaitStep():
                time.sleep(step.time.seconds)
            case ImpairStep() | HealStep():
                assert self._disturber is not None
                for decision in disturb(step, self._disturber):
                    self._record(decision)
            case LinkStep():
                for decision in change_links(step, self._lab):
                    self._record(decision)
        return True

    def _call(self, step: CallStep, index: int) -> bool:
        call, text = step.what.call, step.what
        process = self.process(step.process)
        self._identity += 1
        identity = self._identity
        if call.name == "fork":
            return self._fork(step, index, identity)
        names = self.names[step.process]
        encoded = encode(call, names)
        if encoded.call == "seteuid" and not has_user(process.pid, uid := encoded.args[0][1]):
            raise HostError(f"{step.host} has no user {uid}: a rootless lab has its owner alone", "run this as root")
        actor = self._free_actor(step.process)
        try:
            refused = self._refusals.next(step.process, call.name)
            moment = time.time_ns()
            number = process.begin(
                encoded.call, encoded.args, encoded.width, actor, refused, in_child=encoded.in_child, delay=encoded.delay
            )
            if call.name == "after":
                return self._later(step, index, identity, number, actor, moment)
            began = process.started(number)
            self._tell(step.host, step.process, identity, call.name, step.text, index, began)
            self._busy.setdefault(step.process, set()).add(actor)
            job = _Job(call=call, number=number, identity=identity, process=step.process, actor=actor, host=step.host, step=index)
            if text.job:
                self._jobs[text.job] = job
                return process.settled(number, self._timeout.seconds)
            blocks = text.result.form == "blocks"
            reply = process.returned(number, (BLOCKS_AFTER if blocks else self._timeout).seconds)
        except ProcessGone as gone:
            self._died(step.host, step.process, call, identity, gone)
            return True
        if reply is None:
            return blocks
        self._returned(job, reply)
        return True

    def _later(self, step: CallStep, index: int, identity: int, number: int, actor: str, moment: int) -> bool:
        """A step that has a call made later is over at once; what is made then is a call of its own."""
        inner = step.what.call.inner
        assert inner is not None
        self._tell(step.host, step.process, identity, "after", step.text, index, moment)
        self._record(
            CallReturned(time=moment, host=step.host, id=identity, process=step.process, call="after", result=0, began=moment)
        )
        self._busy.setdefault(step.process, set()).add(actor)
        self._identity += 1
        job = _Job(
            call=inner, number=number, identity=self._identity, process=step.process, actor=actor, host=step.host, step=index
        )
        self._put_off.add(self.process(step.process), number, job)
        return True

    def _gather(self) -> None:
        """Note those calls of after() that have been made by now."""
        for job, began, reply in self._put_off.news():
            if began:
                text = f"{job.process}: {print_call(job.call)}"
                self._tell(job.host, job.process, job.identity, job.call.name, text, job.step, began)
            if reply is not None:
                self._returned(job, reply)

    def _tell(self, host: str, process: str, identity: int, call: str, text: str, step: int, began: int) -> None:
        self._record(CallStarted(time=began, host=host, id=identity, process=process, call=call, text=text, step=step))

    def _join(self, step: JoinStep) -> bool:
        job = self._jobs.pop(step.what.job)
        if isinstance(job, Started):
            return ended(job, self._timeout, self._record)
        try:
            blocks = step.what.result.form == "blocks"
            reply = self.process(job.process).returned(job.number, (BLOCKS_AFTER if blocks else self._timeout).seconds)
        except ProcessGone as gone:
            self._died(job.host, job.process, job.call, job.identity, gone)
            return True
        if reply is None:
            self._jobs[step.what.job] = job
            return blocks
        self._returned(job, reply)
        return True

    def _returned(self, job: _Job, reply: Reply) -> None:
        names = self.names[job.process]
        self._busy[job.process].discard(job.actor)
        decoded = decode(job.call, reply.result, reply.errno, reply.out, names)
        self._record(
            CallReturned(
                time=reply.after,
                host=job.host,
                id=job.identity,
                process=job.process,
                call=job.call.name,
                result=decoded.result,
                errno=decoded.errno,
                signal=signal.Signals(reply.signal).name if reply.signal else "",
                out=decoded.out,
                began=reply.before,
            )
        )
        if decoded.errno:
            return
        if decoded.address:
            for name in job.call.binds:
                names.keep(name, decoded.address)
            return
        bound = dict(zip(job.call.binds, decoded.descriptors, strict=False))
        received = dict(job.call.keywords).get("control")
        if job.call.name == "recvmsg" and isinstance(received, Rights) and isinstance(decoded.out, dict):
            given = decoded.out.get("control", {}).get("SCM_RIGHTS", [])
            bound.update(zip(received.names, given, strict=False))
        for name, fd in bound.items():
            names.bind(name, fd)
            inode = socket_inode(names.process.pid, fd)
            self._record(Named(time=reply.after, host=job.host, process=job.process, name=name, fd=fd, inode=inode))

    def _fork(self, step: CallStep, index: int, identity: int) -> bool:
        parent = self.process(step.process)
        (short,) = step.what.call.binds
        name = f"{step.process}/{short}"
        child, reply = parent.fork(name)
        self._stack.callback(child.close)
        self._tell(step.host, step.process, identity, "fork", step.text, index, reply.before)
        self._record(
            CallReturned(
                time=reply.after,
                host=step.host,
                id=identity,
                process=step.process,
                call="fork",
                result=reply.result,
                began=reply.before,
            )
        )
        self.names[name] = self.names[step.process].copy_for(child)
        self.names[name].number = reply.result
        for bound, fd in self.names[name].table.items():
            inode = socket_inode(child.pid, fd)
            self._record(Named(time=reply.after, host=step.host, process=name, name=bound, fd=fd, inode=inode))
        return True

    def _free_actor(self, process: str) -> str:
        """An actor whose thread is not inside a call: each blocking call blocks only itself."""
        busy, number = self._busy.setdefault(process, set()), 0
        while f"actor {number}" in busy:
            number += 1
        return f"actor {number}"

    def _died(self, host: str, process: str, call: Call, identity: int, gone: ProcessGone) -> None:
        name = ""
        if gone.status is not None and gone.status < 0:
            name = signal.Signals(-gone.status).name
        self._record(
            CallReturned(
                time=time.time_ns(),
                host=host,
                id=identity,
                process=process,
                call=call.name,
                result=-1,
                signal=name or ("exit unknown" if gone.status is None else f"exit {gone.status}"),
            )
        )
