"""Plays generated sequences for real, one after another, in a lab that stays: what was called, what came of it, and when.

It knows nothing of what must come of a call. Between two sequences every descriptor is closed; ports and names are never used twice
in a lab's time, and a lab is made anew before they would be.
"""

import signal
import time
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from netlab.errors import LabError
from netlab.explore.batching import Batch, gathered
from netlab.explore.performing import AGENT, WITHIN, BusyError, GoneError, Performer, Replies, started
from netlab.explore.scene import SERIALS, Ground, Line
from netlab.explore.trials import Played, Trial
from netlab.lab.lab import Lab
from netlab.notation.calls import Call
from netlab.notation.signatures import SIGNATURES
from netlab.notation.values import Constant, Number, Rights
from netlab.observe.procfs import socket_counts
from netlab.topology.spec import Topology
from netlab.workload.marshal import Decoded, decode

_SOON_MS = 1
_OWN_TIME_MS = 12.0
"""How long a call is waited for that may end by itself: over and above its time-out, or in a sequence that sets SO_RCVTIMEO."""
_RELEASED_MS = 2.0
"""How long one that a later call may have released is waited for when the sequence is over."""
_LONGEST_MS = 500
_TIMED = frozenset({"poll", "select", "epoll_wait"})
_TIMEOUTS = frozenset({"SO_RCVTIMEO", "SO_SNDTIMEO", "SO_LINGER"})
_MORTAL = frozenset({"default", "kill", "exit", "handle", "interrupt"})
"""Calls of a process that may end: what its calls gave is then wanted one by one."""


@dataclass(slots=True)
class _Inside:
    """A call that has been begun and has not returned."""

    process: Performer
    thread: int
    place: int
    seen: int


class Stage:
    """A lab and its processes, for many sequences. Use it in a ``with`` statement. All hosts of ``topology`` are played on."""

    def __init__(self, topology: Topology) -> None:
        self.topology = topology
        self._stack = ExitStack()
        self._processes: dict[str, Performer] = {}
        self._lab: Lab | None = None
        self._ground: Ground | None = None
        self._broken_off = False
        self.serial = 0

    def __enter__(self) -> Self:
        self._build()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._leave()

    @property
    def lab(self) -> Lab:
        """The lab of now."""
        if self._lab is None:
            raise LabError("the stage is not up: use it in a with statement")
        return self._lab

    @property
    def ground(self) -> Ground:
        """The hosts' addresses."""
        if self._ground is None:
            self._ground = ground_of(self.lab)
        return self._ground

    def sockets(self) -> dict[str, int]:
        """How many sockets each host has ("sockets: used" of proc_net(5)'s sockstat)."""
        self._ready()
        return {name: socket_counts(name, process.pid).counts["sockets used"] for name, process in self._processes.items()}

    def next(self) -> int:
        """The number of the next sequence, whose ports and names nothing else has in this lab's time."""
        self.serial += 1
        if self.serial % SERIALS == 0:
            self._leave()
            self._build()
        return self.serial

    def play(self, lines: Sequence[Line]) -> Trial:
        """Make the calls of a sequence, then close whatever it left open."""
        played: list[Played] = []
        inside: list[_Inside] = []
        slow = any(_names_timeout(line.call) for line in lines)
        mortal = {line.process for line in lines if line.call.name in _MORTAL}
        waiting = deque(lines)
        try:
            self._ready()
            while waiting:
                alone = bool(inside) or waiting[0].process in mortal
                with suppress(BusyError):
                    self._next(waiting, played, inside, slow, alone=alone)
                if inside:
                    self._collect(played, inside)
            left = self._end(played, inside)
        except GoneError as gone:
            self._broken_off = True
            raise LabError(f"the trial agent of {gone} has ended") from None
        except BaseException:
            self._broken_off = True
            raise
        return Trial(tuple(played), left)

    def _next(self, waiting: deque[Line], played: list[Played], inside: list[_Inside], slow: bool, *, alone: bool) -> None:
        """Have the next calls of a process made; what it was asked is the end of it where it has ended."""
        process, began = self._processes.get(waiting[0].process), time.time_ns()
        if process is None:  # it has ended
            waiting.popleft()
            return
        batch = gathered(waiting, process, alone=alone)
        asked = batch.lines
        try:
            if asked:
                self._make(batch, waiting, played, inside, slow)
            elif waiting and waiting[0].process == process.name:  # no call of a batch
                asked = [waiting.popleft()]
                self._fork(asked[0], process, played)
        except GoneError:
            if len(asked) > 1:
                raise
            played.append(Played(asked[0], began, Decoded(-1), time.time_ns(), signal=self._ended(process.name, inside)))

    def _fork(self, line: Line, process: Performer, played: list[Played]) -> None:
        name = f"{line.process}/{line.call.binds[0]}"
        if name in self._processes:
            raise BusyError
        child, reply = process.forked(name)
        self._processes[name] = child
        played.append(Played(line, reply[3], Decoded(reply[0]), reply[4]))

    def _make(self, batch: Batch, waiting: deque[Line], played: list[Played], inside: list[_Inside], slow: bool) -> None:
        """Have calls made up to one that stays inside; those after it wait again."""
        process = batch.process
        if not process.free or (batch.blocks and len(process.free) == 1):
            raise BusyError
        thread, seen, began = process.free[0], 0, 0
        message = process.call(thread, batch.requests)
        if batch.blocks:
            replies, began, seen = self._settle(batch, thread, message, slow)
        else:
            replies = process.receive(thread)
        for line, reply in zip(batch.lines, replies, strict=False):
            if reply is not None:
                self._note(line, reply, process, played)
        done = len(replies)
        if seen:
            process.free.remove(thread)
            played.append(Played(batch.lines[done], began, seen_inside=seen))
            inside.append(_Inside(process, thread, len(played) - 1, seen))
            done += 1
        waiting.extendleft(reversed(batch.lines[done:]))

    def _ended(self, name: str, inside: list[_Inside]) -> str:
        """A child has ended: what it ended by."""
        if "/" not in name:
            raise GoneError(name)
        process = self._processes.pop(name)
        inside[:] = [one for one in inside if one.process is not process]
        status = process.close()
        return signal.Signals(-status).name if status < 0 else f"exit {status}"

    def _settle(self, batch: Batch, thread: int, message: int, slow: bool) -> tuple[Replies, int, int]:
        """Wait until the calls have returned, or their thread is seen to sleep inside one. Gives the replies of what returned;
        when the one that did not began; and when it was seen to be inside, 0 if all returned that were begun.

        One that ends by itself is waited for longer, and one that does not block as long as it takes.
        """
        process, deadline = batch.process, time.monotonic() + WITHIN
        held: tuple[Replies, int] | None = None
        while not process.answered(thread, _SOON_MS):
            now = time.time_ns()
            if time.monotonic() > deadline:
                raise LabError(f"the trial agent of {process.name} neither returns nor sleeps")
            if not process.inside(thread):
                continue
            if held is None:  # what it sleeps in now need not be what it is held at
                held = process.hold(thread, message)
            elif len(held[0]) < len(batch.lines):
                call = batch.lines[len(held[0])].call
                patience = _own_time(call) or (_OWN_TIME_MS if slow else 0.0)
                if not SIGNATURES[call.name].blocks or process.answered(thread, patience):
                    break
                return *held, now
        return process.receive(thread), 0, 0

    def _note(self, line: Line, reply: list[Any], process: Performer, played: list[Played], place: int = -1, seen: int = 0) -> None:
        result, number, out, before, after = reply
        decoded = decode(line.call, result, number, out)
        if place < 0:
            played.append(Played(line, before, decoded, after))
        else:
            played[place] = Played(line, min(played[place].began, before), decoded, after, min(seen, after))
        if decoded.errno:
            return
        call = line.call
        if call.binds:
            process.table.update(zip(call.binds, decoded.descriptors, strict=False))
        if call.name == "recvmsg" and isinstance(decoded.out, dict):
            wanted = dict(call.keywords).get("control")
            if isinstance(wanted, Rights):
                process.table.update(zip(wanted.names, decoded.out["control"].get("SCM_RIGHTS", []), strict=False))

    def _collect(self, played: list[Played], inside: list[_Inside]) -> None:
        """Take in the returns of calls that were blocked."""
        for one in tuple(inside):
            if one in inside and one.process.answered(one.thread, 0):
                try:
                    reply = one.process.receive(one.thread)[-1]
                except GoneError:  # something else has ended its process
                    self._ended(one.process.name, inside)
                    continue
                self._note(played[one.place].line, reply, one.process, played, one.place, one.seen)
                inside.remove(one)
                one.process.free.append(one.thread)
                one.process.free.sort()

    def _end(self, played: list[Played], inside: list[_Inside]) -> int:
        """Interrupt what is still inside, close everything, let children go; gives how many calls were interrupted.

        What these return then is an answer to the interruption, and no part of the sequence.
        """
        for one in inside:
            one.process.answered(one.thread, _RELEASED_MS)
        self._collect(played, inside)
        left = len(inside)
        deadline = time.monotonic() + WITHIN
        while inside:
            for process in {one.process.name: one.process for one in inside}.values():
                try:
                    process.told("interrupt")
                    self._released(process, inside)
                except GoneError:
                    self._ended(process.name, inside)
            if time.monotonic() > deadline:
                raise LabError("a call that blocks cannot be interrupted")
        for name in [name for name in self._processes if "/" in name]:
            self._processes.pop(name).close()
        for process in self._processes.values():
            process.reset()
        return left

    def _ready(self) -> None:
        """Wait until nothing of the sequence before is left."""
        for process in self._processes.values():
            process.ready()

    def _released(self, process: Performer, inside: list[_Inside]) -> None:
        """Take in what the interrupted calls of a process return."""
        for one in [one for one in inside if one.process is process]:
            if process.answered(one.thread, 1):
                process.receive(one.thread)
                process.free.append(one.thread)
                process.free.sort()
                inside.remove(one)

    def _build(self) -> None:
        with ExitStack() as stack:
            self._lab = stack.enter_context(Lab(self.topology, forks=AGENT))
            for name, node in self._lab.nodes.items():
                if node.kind == "host":
                    self._processes[name] = process = started(node)
                    stack.callback(process.forget)
            self._stack = stack.pop_all()

    def _leave(self) -> None:
        if self._broken_off:  # whatever they are inside, they end with the lab
            for process in self._processes.values():
                process.forget()
        self._processes.clear()
        self._stack.close()
        self._lab = self._ground = None


def ground_of(lab: Lab) -> Ground:
    """The addresses of a lab's hosts, each with one of IPv4 and one of IPv6; loopback's where it has none."""
    found = {}
    for name, node in lab.nodes.items():
        if node.kind == "host":
            addresses = [address for end in node.interfaces.values() for address in end.addresses]
            v4 = next((str(one.ip) for one in addresses if one.version == 4), "127.0.0.1")
            v6 = next((str(one.ip) for one in addresses if one.version == 6 and not one.ip.is_link_local), "::1")
            found[name] = (v4, v6)
    return Ground(addresses=found)


def _own_time(call: Call) -> float:
    """How many milliseconds a call takes that ends by itself after a time that it names; 0 for others."""
    last = call.arguments[-1] if call.arguments else None
    timed = call.name in _TIMED and isinstance(last, Number) and 0 < last.value <= _LONGEST_MS
    return last.value + _OWN_TIME_MS if timed and isinstance(last, Number) else 0.0


def _names_timeout(call: Call) -> bool:
    return call.name == "setsockopt" and any(
        isinstance(one, Constant) and not _TIMEOUTS.isdisjoint(one.names) for one in call.arguments
    )
