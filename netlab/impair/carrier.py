"""Carries out what is decided about the frames of links: sends them on at once or when they are due, holds, answers; records it.

It does not decide (rules.py, actions.py and schedule.py do) and does not wait: its caller does, until something comes or ``next``.
Only one thread at a time may be in it.
"""

import heapq
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from netlab.impair.actions import deed
from netlab.impair.mmsg import AT_ONCE, Batch
from netlab.impair.ports import Frame, Port
from netlab.impair.quantities import overtakes
from netlab.impair.ruling import Ruling
from netlab.impair.schedule import Line, Schedule
from netlab.impair.timing import to_monotonic
from netlab.timeline.headers import decode
from netlab.timeline.observations import Decision

__all__ = ["Carrier"]

_RETRY = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """Frames at a barrier, where they go on, and why they are there."""

    frames: tuple[bytes, ...]
    port: Port
    ruling: Ruling


class Carrier:
    """The frames of all links of a wire, between coming in and going out.

    ``look`` is called when a frame has come and when one was delivered, and frames are then moved one by one; ``states`` is for
    rules that ask for a socket's state; ``held`` has what waits at each barrier that is known.
    """

    def __init__(self) -> None:
        self.look: Callable[[], None] | None = None
        self.states: Callable[[str], str] = lambda _: ""
        self.held: dict[str, list[_Held]] = {}
        self.decisions: list[Decision] = []
        self._released: set[str] = set()
        self._schedule: Schedule[tuple[Port, bytes]] = Schedule()
        self._incoming, self._outgoing = Batch(), Batch()
        self._to_monotonic = 0
        self._last: Port | None = None
        self._behind: set[Port] = set()

    @property
    def next(self) -> int | None:
        """When something is to be done though nothing comes (ns of time.monotonic_ns); None: never."""
        due = self._schedule.next
        if self._behind:
            retry = time.monotonic_ns() + _RETRY
            return retry if due is None else min(due, retry)
        return due

    @property
    def timed(self) -> bool:
        """Whether a frame is to leave at a time of its own."""
        return bool(self._schedule)

    def take(self, ports: Sequence[Port]) -> bool:
        """Read and treat some frames that have come, those of all ports in the order of their stamps, and send what is due; whether
        there were any."""
        came = False
        arrived: list[list[Frame]] = []
        for port in ports:
            if self.look is None and port.idle():
                came = bool(port.pass_on(self._incoming)) or came
                if port.other.waiting:
                    self._behind.add(port.other)
            elif frames := port.read(self._incoming, whole=port.rules.idle(port.direction)):
                arrived.append(frames)
        if arrived:
            self._to_monotonic = to_monotonic()
            # Merged, not sorted: one port's frames keep their order whatever their stamps.
            for frame in arrived[0] if len(arrived) == 1 else heapq.merge(*arrived, key=lambda frame: frame.stamp):
                self._treat(frame)
        if self._schedule:
            for port, data in self._schedule.due(time.monotonic_ns()):
                self._send(port, data)
        self.flush()
        for port in tuple(self._behind):
            self._empty(port)
        return came or bool(arrived)

    def release(self, barrier: str) -> None:
        """Send what is held at a barrier, in the order in which it came; from now on nothing is held there."""
        self._released.add(barrier)
        held, self.held[barrier] = self.held[barrier], []
        for one in held:
            self._decide("release", one.ruling)
            for data in one.frames:
                self._send(one.port, data)
        self.flush()

    def flush(self) -> None:
        """Hand over what was sent last to its interface."""
        last, self._last = self._last, None
        if last is not None:
            self._empty(last)

    def _treat(self, frame: Frame) -> None:
        port = frame.port
        if self.look is not None:
            self.look()
        ruling = None
        if port.rules.idle(port.direction):
            port.rules.note(frame.data)
        else:
            ruling = port.rules.ruling(frame.data, port.direction, self._released, at=frame.stamp, state=self.states)
        if ruling is None:
            self._pass(frame, frame.head + frame.data if frame.head else frame.data)
        elif overtakes(ruling.rule):
            self._decide("reorder", ruling)
            self._pass(frame, frame.head + frame.data, first=True)
        else:
            self._do(frame, ruling)

    def _do(self, frame: Frame, ruling: Ruling) -> None:
        """Carry out what a ruling means."""
        port = frame.port
        done = deed(ruling, frame.data, hop=[address.ip for address in port.other.end.addresses])
        self._decide(ruling.rule.action, ruling, done.note)
        for data in done.back:
            self._send(port, frame.head + data)
        if done.hold or done.overtaken:
            frames = tuple(frame.head + data for data, _ in done.onward)
            if done.hold:
                self.held.setdefault(done.hold, []).append(_Held(frames=frames, port=port.other, ruling=ruling))
            else:
                port.overtaken.append((done.overtaken, frames))
            return
        for data, extra in done.onward:
            self._pass(frame, frame.head + data, extra=extra)

    def _pass(self, frame: Frame, data: bytes, *, extra: int = 0, first: bool = False) -> None:
        """Send a frame on, when the quantities of its direction and ``extra`` (ns) let it; one that is ``first`` is not delayed."""
        port = frame.port
        self._leave(frame, data, extra, first=first)
        if port.overtaken and _counts(frame.data):
            waiting, port.overtaken = [(count - 1, frames) for count, frames in port.overtaken], []
            for count, frames in waiting:
                if count:
                    port.overtaken.append((count, frames))
                    continue
                for one in frames:
                    self._leave(frame, one, extra, first=False)

    def _leave(self, frame: Frame, data: bytes, extra: int, *, first: bool) -> None:
        port, line = frame.port, frame.port.line
        if line is None and not extra:
            self._send(port.other, data)
            return
        # Counted from the kernel's stamp: what passed until we read the frame is a part of its delay.
        at = frame.stamp + self._to_monotonic
        leaves = at + extra if line is None else line.departure(at, len(data) - len(frame.head), extra=extra, overtakes=first)
        if leaves is not None:
            self._schedule.put(leaves, (port.other, data))
        elif line is not None:
            self._overflowed(port, line)

    def _decide(self, action: str, ruling: Ruling, note: str = "") -> None:
        self.decisions.append(ruling.decision(action, time=time.time_ns(), note=note))

    def _overflowed(self, port: Port, line: Line) -> None:
        """The queue of a shape was full, and a packet is dropped. That has no key: a replay has the same queue."""
        self.decisions.append(
            Decision(
                time=time.time_ns(),
                link=port.link.name,
                rule=f"limit {line.limit}",
                action="overflow",
                occurrence=line.dropped,
                place=str(line.shape.place),
                direction=port.way,
            )
        )

    def _send(self, port: Port, data: bytes) -> None:
        """Send a frame after those that were sent before, to whichever port."""
        if self._last is not port:
            self.flush()
            self._last = port
        port.waiting.append(data)
        if self.look is not None or len(port.waiting) >= AT_ONCE:
            self._empty(port)

    def _empty(self, port: Port) -> None:
        port.flush(self._outgoing, self.look)
        if port.waiting:
            self._behind.add(port)
        else:
            self._behind.discard(port)


def _counts(frame: bytes) -> bool:
    """Whether a frame is one of the later packets that overtake another: what finds neighbours and groups passes when it likes."""
    headers = decode(frame)
    return headers.is_ip and not headers.nd and not headers.mld
