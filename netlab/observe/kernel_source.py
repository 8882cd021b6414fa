"""What every source that watches sockets by BPF has in common: its maps, its ring buffer, its canary, its losses.

A canary is something harmless that the source does itself in a watched namespace, at the start and at the end, and that must come
back as an event; it is left out of what is delivered. The module refuses to know what is watched, and what a record means.
"""

import contextlib
import os
import socket
import struct
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from netlab.errors import HostError, NetlabError
from netlab.observe.bpf import Map, MapKind, Program, RingBuffer
from netlab.observe.clock import ProbeClock
from netlab.observe.layout import Layout, Question, cache_folder, read_layout
from netlab.observe.socket_programs import TAI, state_names
from netlab.timeline.observations import AnyObservation, SourceReport

DEFAULT_RING = 1 << 22
MakeSocket = Callable[[int, int, int], socket.socket]
"""Makes a socket of a family, kind and protocol in a watched namespace, as ``netlab.lab.lab.Space.socket`` does."""

_SO_COOKIE = 57


@dataclass(frozen=True, kw_only=True)
class Piece:
    """One program: its tracepoint, what writes it, and ``sees``: what is not seen without it ("" where nothing is)."""

    tracepoint: str
    write: Callable[[], bytes]
    sees: str = ""


@dataclass(frozen=True, kw_only=True)
class Attached:
    """What programs are written against: the kernel's layout, the clock, and the maps that all of a source's programs share."""

    layout: Layout
    clock: ProbeClock
    ring: RingBuffer
    wanted: Map
    lost: Map


class KernelSource(ABC):
    """Watches the namespaces whose cookies are the keys of ``namespaces``; the values are the nodes' names.

    ``ring`` is the size in bytes (a power of two, at least a page) of the buffer between drains. ``canary`` makes a socket in one
    of the namespaces: with it the source proves at the start and at the end that it sees, and measures how exact its times are.
    """

    name: ClassVar[str]
    _asked: ClassVar[tuple[Question, ...]]
    _heard_by: ClassVar[str]

    def __init__(
        self,
        namespaces: Mapping[int, str],
        *,
        ring: int = DEFAULT_RING,
        cache: Path | None = None,
        canary: MakeSocket | None = None,
    ) -> None:
        self._namespaces = dict(namespaces)
        self._ring_size, self._cache, self._canary = ring, cache or cache_folder(dict(os.environ)), canary
        self._held = contextlib.ExitStack()
        self._programs: list[Program] = []
        self._ring: RingBuffer | None = None
        self._lost_map: Map | None = None
        self._states, self._offset = dict[int, str](), 0
        self._reason, self._seen, self._lost, self._available = "it was not started", 0, 0, False
        self._notes: list[str] = []
        self._heard: list[int] = []
        self._uncertainty = 0

    @abstractmethod
    def _pieces(self, held: contextlib.ExitStack, attached: Attached) -> Iterator[Piece]:
        """The programs to attach; ``held`` closes what they need besides."""

    @abstractmethod
    def _feed(self, records: list[bytes]) -> None:
        """Take in what the programs wrote; a canary's stamp goes to ``_heard``."""

    @abstractmethod
    def _take(self, now: int | None) -> list[AnyObservation]:
        """What is ready to be handed over at the time ``now``; everything, where that is None."""

    @abstractmethod
    def _sound(self, make: MakeSocket) -> tuple[int, int]:
        """Do what must be heard; gives the times just before and after it."""

    def start(self) -> None:
        """Attach the probes and prove that they see. What this machine lacks is said by the report."""
        self._available, self._reason, self._notes = False, "", []
        self._seen, self._lost, self._uncertainty = 0, 0, 0
        try:
            with contextlib.ExitStack() as held:
                self._attach(held)
                self._prove("the start")
                self._held = held.pop_all()
        except NetlabError as error:
            self._reason = str(error)
            self._forget_kernel()
        else:
            self._available = True

    def _attach(self, held: contextlib.ExitStack) -> None:
        layout = read_layout(self._asked, cache=self._cache)
        self._states = state_names(layout)
        clock = ProbeClock.measure(has_tai=layout.get(TAI) is not None)
        self._offset = clock.offset
        wanted = self._map(held, MapKind.HASH, key=8, value=4, entries=max(1, len(self._namespaces)), name="nl_namespaces")
        for cookie in self._namespaces:
            wanted[struct.pack("=Q", cookie)] = struct.pack("=I", 1)
        lost = self._map(held, MapKind.ARRAY, key=4, value=8, entries=1, name="nl_lost")
        ring = RingBuffer(self._ring_size, f"nl_{self.name}")
        held.callback(ring.close)
        self._lost_map, self._ring = lost, ring
        for piece in self._pieces(held, Attached(layout=layout, clock=clock, ring=ring, wanted=wanted, lost=lost)):
            try:
                program = Program(piece.tracepoint, piece.write())
            except HostError as error:
                if not piece.sees:
                    raise
                self._notes.append(f"{piece.sees} are not seen: {error.lacks}")
            else:
                held.callback(program.close)
                self._programs.append(program)

    @staticmethod
    def _map(held: contextlib.ExitStack, kind: MapKind, *, key: int, value: int, entries: int, name: str) -> Map:
        made = Map(kind=kind, key=key, value=value, entries=entries, name=name)
        held.callback(made.close)
        return made

    def _prove(self, when: str) -> None:
        if self._canary is None or all(program.tracepoint != self._heard_by for program in self._programs):
            return
        self._read()  # so that there is room
        self._heard.clear()
        try:
            before, after = self._sound(self._canary)
        except (OSError, NetlabError) as error:
            raise HostError(f"nothing proves that it saw anything at {when}: {error}") from error
        self._read()
        if not self._heard:
            raise HostError(f"what it did itself at {when} of the run was not seen: it may have missed other things too")
        # The event was between the two, so its stamp is off by no more than this.
        self._uncertainty = max(0, *(max(after - stamp, stamp - before) for stamp in self._heard))

    def fileno(self) -> int:
        """A descriptor that is readable, for poll(2), when something was seen since the last drain."""
        if not self._available or self._ring is None:
            raise ValueError(f"the observer of {self.name} is not running: {self._reason}")
        return self._ring.map.fd

    def drain(self) -> list[AnyObservation]:
        """What was seen since the last time, in the order of time."""
        self._read()
        return self._deliver(time.time_ns())

    def stop(self) -> list[AnyObservation]:
        """Prove once more that the probes see, detach, and hand over what is left; nothing is held back."""
        self._read()
        if self._ring is not None and self._available:
            try:
                self._prove("the end")
            except NetlabError as error:
                self._available, self._reason = False, str(error)
        self._count_lost()
        self._forget_kernel()
        self._held.close()
        return self._deliver(None)

    def report(self) -> SourceReport:
        """What was seen and lost. Where it is available with a reason, that says what is missing nevertheless."""
        self._count_lost()
        return SourceReport(
            name=self.name,
            available=self._available,
            reason=self._reason,
            seen=self._seen,
            lost=self._lost,
            uncertainty=self._uncertainty,
            notes=tuple(self._notes),
        )

    def _forget_kernel(self) -> None:
        self._programs.clear()
        self._ring = self._lost_map = None

    def _deliver(self, now: int | None) -> list[AnyObservation]:
        taken = self._take(now)
        self._seen += len(taken)
        return taken

    def _count_lost(self) -> None:
        if self._lost_map is not None:
            full = struct.unpack("=Q", self._lost_map.get(bytes(4)) or bytes(8))[0]
            self._lost = full + sum(program.missed() for program in self._programs) + self._untold()

    def _untold(self) -> int:
        """What is known to have happened though no probe told of it."""
        return 0

    def _read(self) -> None:
        if self._ring is not None:
            self._feed(list(self._ring.read()))


def cookie_of(made: socket.socket) -> int:
    """SO_COOKIE: the number that a socket has on this machine for itself alone."""
    return int(struct.unpack("=Q", made.getsockopt(socket.SOL_SOCKET, _SO_COOKIE, 8))[0])
