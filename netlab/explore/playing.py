"""Plays generated sequences for real, one after another, in a lab that stays: what was called, what came of it, and when.

It knows nothing of what must come of a call. Between two sequences every descriptor is closed; ports and names are never used twice
in a lab's time, and a lab is made anew before they would be.
"""

import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from netlab.errors import LabError
from netlab.explore.performing import AGENT, WITHIN, BusyError, GoneError, Performer, started
from netlab.explore.scene import SERIALS, Ground, Line
from netlab.lab.lab import Lab
from netlab.notation.calls import Call
from netlab.notation.constants import combined
from netlab.notation.signatures import SIGNATURES
from netlab.notation.values import Constant, Name, Number, Rights
from netlab.observe.procfs import has_user, socket_counts
from netlab.topology.spec import Topology
from netlab.workload.marshal import Decoded, MarshalError, decode, encode

_SOON_MS = 0.4
_OWN_TIME_MS = 12.0
"""How long a call is waited for that may end by itself: over and above its time-out, or in a sequence that sets SO_RCVTIMEO."""
_RELEASED_MS = 2.0
"""How long one that a later call may have released is waited for when the sequence is over."""
_LONGEST_MS = 500
_TIMED = frozenset({"poll", "select", "epoll_wait"})
_TIMEOUTS = frozenset({"SO_RCVTIMEO", "SO_SNDTIMEO", "SO_LINGER"})


@dataclass(frozen=True, slots=True)
class Played:
    """What came of one line. ``began`` and ``ended`` are just before and after the call, in ns; ``seen_inside`` when its thread was
    seen to sleep inside, 0 if it was not. ``outcome`` is None where it did not return before the sequence was over.

    ``signal`` names what ended the process ("SIGPIPE", "exit 0").
    """

    line: Line
    began: int
    outcome: Decoded | None = None
    ended: int = 0
    seen_inside: int = 0
    signal: str = ""


@dataclass(frozen=True, slots=True)
class Trial:
    """One sequence, played: its lines in order, but for those about a descriptor that nothing made after all.
    ``left_inside`` is how many calls had to be interrupted at the end.
    """

    played: tuple[Played, ...]
    left_inside: int = 0


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
        return ground_of(self.lab)

    def sockets(self) -> dict[str, int]:
        """How many sockets each host has ("sockets: used" of proc_net(5)'s sockstat)."""
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
        try:
            for line in lines:
                began = time.time_ns()
                try:
                    self._line(line, played, inside, slow)
                except (MarshalError, BusyError, KeyError):
                    continue
                except GoneError:
                    played.append(Played(line, began, Decoded(-1), time.time_ns(), signal=self._ended(line.process, inside)))
                if inside:
                    self._collect(played, inside)
            left = self._end(played, inside)
        except BaseException:
            self._broken_off = True
            raise
        return Trial(tuple(played), left)

    def _line(self, line: Line, played: list[Played], inside: list[_Inside], slow: bool) -> None:
        process, call = self._processes[line.process], line.call
        if call.name == "fork":
            if f"{line.process}/{call.binds[0]}" in self._processes:
                raise BusyError
            child, reply = process.forked(f"{line.process}/{call.binds[0]}")
            self._processes[child.name] = child
            played.append(Played(line, reply[3], Decoded(reply[0]), reply[4]))
            return
        encoded = encode(call, process)
        if call.name == "seteuid" and not has_user(process.pid, encoded.args[0][1]):
            return  # rootless, a lab has its owner alone
        if not process.free:
            raise BusyError
        blocks = SIGNATURES[call.name].blocks
        thread = process.free[0]
        if blocks and len(process.free) == 1:
            raise BusyError
        process.begin(thread, ("call", encoded.call, encoded.args, encoded.width == "ssize", blocks))
        if not blocks:
            self._note(line, process.receive(thread), process, played)
            return
        process.receive(thread)
        now = time.time_ns()
        process.free.remove(thread)
        seen = self._settle(process, thread, _own_time(call) or (_OWN_TIME_MS if slow else 0.0))
        if not seen:
            process.free.append(thread)
            process.free.sort()
            self._note(line, process.receive(thread), process, played)
            return
        played.append(Played(line, now, seen_inside=seen))
        inside.append(_Inside(process, thread, len(played) - 1, seen))

    def _ended(self, name: str, inside: list[_Inside]) -> str:
        """A child has ended: what it ended by."""
        if "/" not in name:
            raise LabError(f"the trial agent of {name} has ended")
        process = self._processes.pop(name)
        inside[:] = [one for one in inside if one.process is not process]
        status = process.close()
        return signal.Signals(-status).name if status < 0 else f"exit {status}"

    def _settle(self, process: Performer, thread: int, own_time: float) -> int:
        """Wait until a call has returned (0), or its thread is seen to sleep inside it: then when that was.

        ``own_time`` is for how many milliseconds more it is waited for then.
        """
        deadline = time.monotonic() + WITHIN
        while not process.answered(thread, _SOON_MS):
            now = time.time_ns()
            if process.inside(thread):
                return 0 if process.answered(thread, own_time) else now
            if time.monotonic() > deadline:
                raise LabError(f"the trial agent of {process.name} neither returns nor sleeps")
        return 0

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
            family = _family(call, process)
            for name in call.binds:
                process.families[name] = family
        if call.name == "recvmsg" and isinstance(decoded.out, dict):
            wanted = dict(call.keywords).get("control")
            if isinstance(wanted, Rights):
                process.table.update(zip(wanted.names, decoded.out["control"].get("SCM_RIGHTS", []), strict=False))

    def _collect(self, played: list[Played], inside: list[_Inside]) -> None:
        """Take in the returns of calls that were blocked."""
        for one in tuple(inside):
            if one in inside and one.process.answered(one.thread, 0):
                try:
                    reply = one.process.receive(one.thread)
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
            process.told("reset")
            process.table.clear()
            process.families.clear()
        return left

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
        self._lab = None


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


def _family(call: Call, process: Performer) -> int:
    """The family of what a call makes: as it says, or that of the descriptor it is about."""
    first = call.arguments[0] if call.arguments else None
    if call.name in ("socket", "socketpair"):
        if isinstance(first, Constant):
            return combined(first.names)
        return first.value if isinstance(first, Number) else 0
    return process.families.get(first.name, 0) if isinstance(first, Name) else 0


def _own_time(call: Call) -> float:
    """How many milliseconds a call takes that ends by itself after a time that it names; 0 for others."""
    last = call.arguments[-1] if call.arguments else None
    timed = call.name in _TIMED and isinstance(last, Number) and 0 < last.value <= _LONGEST_MS
    return last.value + _OWN_TIME_MS if timed and isinstance(last, Number) else 0.0


def _names_timeout(call: Call) -> bool:
    return call.name == "setsockopt" and any(
        isinstance(one, Constant) and not _TIMEOUTS.isdisjoint(one.names) for one in call.arguments
    )


def in_time(trial: Trial) -> Iterator[tuple[int, str, int]]:
    """What happened in the order of time: (when in ns, "begins", "inside" or "returns", number among the trial's lines)."""
    events: list[tuple[int, int, int, str]] = []
    for number, one in enumerate(trial.played):
        events.append((one.began, 0, number, "begins"))
        if one.seen_inside:
            events.append((max(one.seen_inside, one.began), 1, number, "inside"))
        if one.outcome is not None:
            events.append((one.ended, 2, number, "returns"))
    for when, _, number, what in sorted(events):
        yield when, what, number
