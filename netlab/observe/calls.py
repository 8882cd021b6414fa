"""The system calls of every program in chosen network namespaces, and the life of its processes: BPF on raw tracepoints, root only.

Whose namespace it is is judged at each call, by the cookie (SO_NETNS_COOKIE) of the calling thread's; statically linked and
multi-threaded programs are seen like any other. The module refuses to know what a program should have called.

What a reader should know: a call is delivered when it has returned, one that does not when its thread ends or at ``stop``; one that
was under way before ``start`` is never seen. Reads and writes of files are left out in the kernel (``call_names``). What goes
through io_uring and what a 32-bit program calls is not seen, and the report says so.
"""

import contextlib
import itertools
import os
import platform
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from netlab.errors import HostError, LabError, NetlabError
from netlab.observe.bpf import Program
from netlab.observe.call_joining import CallJoiner
from netlab.observe.call_layout import TAI, argument_places, form, questions
from netlab.observe.call_maps import CallMaps
from netlab.observe.call_names import numbered
from netlab.observe.call_programs import CallPrograms
from netlab.observe.call_records import KernelRecord, Kind
from netlab.observe.clock import ProbeClock
from netlab.observe.layout import cache_folder, read_layout
from netlab.observe.memory import require_initial_pid_namespace
from netlab.observe.process_programs import ProcessPrograms
from netlab.timeline.observations import AnyObservation, SourceReport

DEFAULT_RING = 1 << 23
_LEAST_NAMESPACES = 1 << 10
_SO_NETNS_COOKIE = 71
_PROOF_LIMIT, _PROOFS = 1.0, 8


class CallObserver:
    """Delivers SystemCall, ProcessForked, ProcessExecuted, ProcessExited and SignalDelivered of the processes in ``namespaces``.

    Those are cookies to the names of nodes. ``hidden`` are pids to leave out (netlab's own agents), numbers of the machine's first
    PID namespace. ``ring`` is the size in bytes (a power of two, at least a page) of the buffer between drains: 184 bytes a call,
    312 with an address. ``canary`` makes any followed call inside a watched namespace: ``start`` calls it, to prove that such
    calls are seen.
    """

    name = "calls"

    def __init__(
        self,
        namespaces: Mapping[int, str],
        *,
        ring: int = DEFAULT_RING,
        cache: Path | None = None,
        hidden: Iterable[int] = (),
        canary: Callable[[], object] | None = None,
    ) -> None:
        self._namespaces, self._hidden, self._canary = dict(namespaces), set(hidden), canary
        self._ring_size, self._cache = ring, cache or cache_folder(dict(os.environ))
        self._held = contextlib.ExitStack()
        self._programs: list[Program] = []
        self._maps: CallMaps | None = None
        self._joiner = CallJoiner({}, {}, ())
        self._reason, self._notes = "it was not started", tuple[str, ...]()
        self._seen, self._full, self._missed, self._available = 0, 0, 0, False
        self._before, self._offset, self._uncertainty = 0, 0, 0

    def start(self) -> None:
        """Attach the probes, and prove by a call of this process that they work. What this machine lacks is said by the report."""
        try:
            with contextlib.ExitStack() as held:
                self._attach(held)
                self._prove()
                self._held = held.pop_all()
        except NetlabError as error:
            self._reason, self._maps = str(error), None
        else:
            self._reason, self._available = "", True

    def _attach(self, held: contextlib.ExitStack) -> None:
        require_own_numbers()
        calls = numbered(platform.machine())
        layout = read_layout(questions(), cache=self._cache)
        clock = ProbeClock.measure(has_tai=layout.get(TAI) is not None)
        places, self._offset = argument_places(layout), clock.offset
        maps = CallMaps(held, ring=self._ring_size, namespaces=len(self._namespaces) + _LEAST_NAMESPACES)
        held.callback(self._detach)
        for number, call in calls.items():
            maps.want(number, form(call, places))
        self._joiner = CallJoiner(self._namespaces, calls, tuple(place - min(places) for place in places), clock.offset)
        self._maps = maps
        writers = (kind(layout=layout, clock=clock, maps=maps) for kind in (ProcessPrograms, CallPrograms))
        for tracepoint, code in itertools.chain.from_iterable(writer.programs() for writer in writers):
            self._programs.append(Program(tracepoint, code))

    def _prove(self) -> None:
        """What is recorded meanwhile is no part of the observation."""
        maps = self._running()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as own:
            cookie = int(struct.unpack("=Q", own.getsockopt(socket.SOL_SOCKET, _SO_NETNS_COOKIE, 8))[0])
        maps.watch(cookie)
        made: dict[tuple[int, int], tuple[int, int]] = {}
        for _ in range(_PROOFS):
            before = time.time_ns()
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as own:
                after = time.time_ns()
                made[own.fileno(), os.fstat(own.fileno()).st_ino] = before, after
        us = Kind.CALL, os.getpid(), threading.get_native_id()
        seen = _until(
            maps,
            lambda record: (record.kind, record.pid, record.tid) == us and (record.result, record.made) in made,
            "the probes are attached, but a call of netlab's own was not seen as it was made",
        )
        for record in seen:
            before, after = made[record.result, record.made]
            off = max(0, record.began - self._offset - before, after - (record.ended - self._offset))
            self._uncertainty = min(off, self._uncertainty or off)
        maps.forget(cookie)
        for each in self._namespaces:
            maps.watch(each)
        if self._canary is not None:
            self._canary()
            missing = "the probes work, but a call made inside a watched network namespace was not seen"
            _until(maps, lambda record: record.net in self._namespaces, missing)
        for pid in self._hidden:
            maps.hide(pid)
        self._settle_report()
        self._before = self._full + self._missed

    def _running(self) -> CallMaps:
        if self._maps is None:
            raise ValueError(f"the observer of calls is not running: {self._reason}")
        return self._maps

    def watch(self, cookie: int, node: str) -> None:
        """Follow one more namespace, from now on. LabError where there are too many: a thousand more than at the start."""
        self._namespaces[cookie] = node
        if self._maps is not None:
            self._maps.watch(cookie)

    def hide(self, pid: int) -> None:
        """Leave out one more process, from now on until it ends: its number may then be another's."""
        self._hidden.add(pid)
        if self._maps is not None:
            self._maps.hide(pid)

    def fileno(self) -> int:
        """A descriptor that is readable, for poll(2), when something was seen since the last drain."""
        return self._running().ring.map.fd

    def drain(self) -> list[AnyObservation]:
        """What was seen since the last time, in the order of time."""
        if self._maps is None:
            return []
        self._read(self._maps)
        return self._deliver()

    def stop(self) -> list[AnyObservation]:
        """Detach, and hand over what is left: calls still under way did not return by now."""
        maps = self._maps
        if maps is None:
            return []
        until = time.time_ns()
        self._settle_report()
        self._detach()
        self._read(maps)
        self._joiner.finish(maps.under_way(), until)
        self._settle_report()
        self._maps = None
        self._held.close()
        return self._deliver()

    def report(self) -> SourceReport:
        """What was seen and lost; the notes name the programs of which something is not seen.

        ``uncertainty`` is by how much calls of netlab's own, with the time read just before and after each, could be off.
        """
        self._settle_report()
        return SourceReport(
            name=self.name,
            available=self._available,
            reason=self._reason,
            seen=self._seen,
            lost=self._full + self._missed - self._before,
            uncertainty=self._uncertainty,
            notes=self._notes,
        )

    def _read(self, maps: CallMaps) -> None:
        for record in maps.records():
            self._joiner.feed(record)

    def _deliver(self) -> list[AnyObservation]:
        taken: list[AnyObservation] = [*self._joiner.take(time.time_ns())]
        self._seen += len(taken)
        return taken

    def _detach(self) -> None:
        # The program on entries goes first: what then returns was seen to begin, and nothing begins that cannot be seen to return.
        while self._programs:
            self._programs.pop().close()

    def _settle_report(self) -> None:
        if self._maps is None:
            return
        self._full = self._maps.count_lost()
        if self._programs:
            self._missed = sum(program.missed() for program in self._programs)
        used = (
            f"io_uring was used by {name}[{pid}]: what goes through it is not seen" for pid, name in self._joiner.io_uring.items()
        )
        found = (each for each in self._maps.foreigners() if each[0] in self._namespaces)
        self._notes = (*used, *(f"{name}[{pid}] runs 32-bit code, whose calls are not seen" for _, pid, name in found))


def _until(maps: CallMaps, found: Callable[[KernelRecord], bool], missing: str) -> list[KernelRecord]:
    """Those found, with at least one; all else that was read is no part of the observation. LabError after a second."""
    waiting = select.poll()
    waiting.register(maps.ring.map.fd, select.POLLIN)
    deadline = time.monotonic() + _PROOF_LIMIT
    while not (seen := [record for record in list(maps.records()) if found(record)]):
        if time.monotonic() > deadline:
            raise LabError(missing)
        waiting.poll(20)
    return seen


def require_own_numbers() -> None:
    """HostError where the kernel's process numbers are not those that this process sees."""
    try:
        require_initial_pid_namespace()
    except HostError as error:
        raise HostError("system calls carry the machine's own process numbers, not those of a PID namespace", error.fix) from error
