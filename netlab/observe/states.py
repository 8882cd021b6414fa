"""Every TCP state transition in chosen network namespaces, as the kernel makes them: BPF on raw tracepoints, root only.

Namespaces are told apart by their cookie (SO_NETNS_COOKIE), in the kernel. The module refuses to know which transitions are right.

What a reader should know: on CLOSE to SYN_SENT the source port is 0 where connect chose it. FIN_WAIT2 to TIME_WAIT of an orphan
is stamped a few microseconds late, since it is seen when its cause, the packet, is freed: the ACK may be stamped before it. The end
of a minisock is handed over 20 ms after it, stamped with its own time. IPv4 in a dual-stack IPv6 socket is written as IPv4.
"""

import contextlib
import ipaddress
import os
import socket
import struct
import time
from collections.abc import Mapping
from pathlib import Path

from netlab.errors import NetlabError
from netlab.observe.bpf import Map, MapKind, Program, RingBuffer
from netlab.observe.clock import ProbeClock
from netlab.observe.kallsyms import function_addresses
from netlab.observe.layout import cache_folder, read_layout
from netlab.observe.minisocks import Connections, Event, KernelEvent
from netlab.observe.state_programs import (
    KEY_SIZE,
    QUESTIONS,
    RECORD,
    REQUEST_TIMER,
    TAI,
    TIME_WAIT_TIMER,
    StatePrograms,
    state_names,
)
from netlab.timeline.observations import AnyObservation, SourceReport

DEFAULT_RING = 1 << 22
_HALFWAY = 1 << 14
_NO_TIMERS = (
    "TIME_WAIT and NEW_SYN_RECV are not seen: the kernel hides the addresses of its functions; "
    "fix: sysctl kernel.kptr_restrict=1 (as root; or run with CAP_SYSLOG)"
)


class StateObserver:
    """Delivers SocketState of the namespaces whose cookies are the keys of ``namespaces``; the values are the nodes' names.

    ``ring`` is the size in bytes (a power of two, at least a page) of the buffer between drains: 96 + 8 bytes a record.
    """

    name = "states"

    def __init__(self, namespaces: Mapping[int, str], *, ring: int = DEFAULT_RING, cache: Path | None = None) -> None:
        self._namespaces = dict(namespaces)
        self._ring_size, self._cache = ring, cache or cache_folder(dict(os.environ))
        self._held = contextlib.ExitStack()
        self._programs: list[Program] = []
        self._ring: RingBuffer | None = None
        self._lost_map: Map | None = None
        self._connections, self._states, self._offset = Connections(), dict[int, str](), 0
        self._reason, self._seen, self._lost, self._available = "it was not started", 0, 0, False

    def start(self) -> None:
        """Attach the probes. What this machine lacks is said by the report."""
        try:
            with contextlib.ExitStack() as held:
                self._attach(held)
                self._held = held.pop_all()
        except NetlabError as error:
            self._reason = str(error)
            self._forget_kernel()
        else:
            self._available = True

    def _attach(self, held: contextlib.ExitStack) -> None:
        layout = read_layout(QUESTIONS, cache=self._cache)
        timers = function_addresses((TIME_WAIT_TIMER, REQUEST_TIMER))
        self._reason = "" if len(timers) == 2 else _NO_TIMERS
        self._states = state_names(layout)
        clock = ProbeClock.measure(has_tai=layout.get(TAI) is not None)
        self._offset = clock.offset
        wanted = Map(kind=MapKind.HASH, key=8, value=4, entries=max(1, len(self._namespaces)), name="nl_namespaces")
        held.callback(wanted.close)
        for cookie in self._namespaces:
            wanted[struct.pack("=Q", cookie)] = struct.pack("=I", 1)
        lost = Map(kind=MapKind.ARRAY, key=4, value=8, entries=1, name="nl_lost")
        held.callback(lost.close)
        halfway = Map(kind=MapKind.HASH, key=KEY_SIZE, value=8, entries=_HALFWAY, name="nl_halfway")
        held.callback(halfway.close)
        ring = RingBuffer(self._ring_size, "nl_states")
        held.callback(ring.close)
        self._lost_map, self._ring = lost, ring
        written = StatePrograms(
            layout=layout, clock=clock, ring=ring, wanted=wanted, lost=lost, halfway=halfway, timers=timers
        ).programs()
        for tracepoint, code in written:
            program = Program(tracepoint, code)
            held.callback(program.close)
            self._programs.append(program)

    def fileno(self) -> int:
        """A descriptor that is readable, for poll(2), when something was seen since the last drain."""
        if not self._available or self._ring is None:
            raise ValueError(f"the observer of states is not running: {self._reason}")
        return self._ring.map.fd

    def drain(self) -> list[AnyObservation]:
        """The transitions since the last time, in the order of time."""
        self._read()
        return self._deliver(time.time_ns())

    def stop(self) -> list[AnyObservation]:
        """Detach, and hand over what is left; nothing is held back."""
        self._read()
        self._count_lost()
        self._forget_kernel()
        self._held.close()
        return self._deliver(None)

    def report(self) -> SourceReport:
        """What was seen and lost. Available without timers too: the reason then says what is missing."""
        self._count_lost()
        return SourceReport(name=self.name, available=self._available, reason=self._reason, seen=self._seen, lost=self._lost)

    def _forget_kernel(self) -> None:
        self._programs.clear()
        self._ring = self._lost_map = None

    def _deliver(self, now: int | None) -> list[AnyObservation]:
        taken: list[AnyObservation] = [*self._connections.take(now)]
        self._seen += len(taken)
        return taken

    def _count_lost(self) -> None:
        if self._lost_map is not None:
            full = struct.unpack("=Q", self._lost_map.get(bytes(4)) or bytes(8))[0]
            self._lost = full + sum(program.missed() for program in self._programs)

    def _read(self) -> None:
        for record in self._ring.read() if self._ring is not None else ():
            self._connections.feed(self._event(record))

    def _event(self, record: bytes) -> KernelEvent:
        stamp, sock, cookie, inode, net, local, remote, family, number, peer, event, old, new, cpu, bound = RECORD.unpack(record)
        return KernelEvent(
            event=Event(event),
            time=stamp - self._offset,
            host=self._namespaces[net],
            sock=sock,
            cpu=cpu,
            old=self._states.get(old, str(old)),
            new=self._states.get(new, str(new)),
            local=(_address(family, local), socket.ntohs(bound) or number),
            remote=(_address(family, remote), socket.ntohs(peer)),
            cookie=cookie,
            inode=inode,
        )


def _address(family: int, packed: bytes) -> str:
    if family != socket.AF_INET6:
        return socket.inet_ntop(socket.AF_INET, packed[:4])
    address = ipaddress.IPv6Address(packed)
    return str(address.ipv4_mapped or address)
