"""Every TCP state transition in chosen network namespaces, as the kernel makes them: BPF on raw tracepoints, root only.

Namespaces are told apart by their cookie (SO_NETNS_COOKIE), in the kernel. The module refuses to know which transitions are right.

What a reader should know: on CLOSE to SYN_SENT the source port is 0 where connect chose it. FIN_WAIT2 to TIME_WAIT of an orphan
is stamped a few microseconds late, since it is seen when its cause, the packet, is freed: the ACK may be stamped before it. The end
of a minisock is handed over 20 ms after it, stamped with its own time. IPv4 in a dual-stack IPv6 socket is written as IPv4.
"""

import contextlib
import re
import socket
import struct
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import ClassVar

import msgspec

from netlab.observe.audit import disagreeing
from netlab.observe.barrier import wait_for_processors
from netlab.observe.bpf import Map, MapKind
from netlab.observe.kallsyms import FunctionNames, function_addresses
from netlab.observe.kernel_source import DEFAULT_RING, Attached, KernelSource, MakeSocket, Piece, cookie_of
from netlab.observe.layout import Question
from netlab.observe.minisocks import Connections, Event, KernelEvent
from netlab.observe.socket_records import read_head
from netlab.observe.state_programs import CHANGED, KEY_SIZE, MINISOCK_TIMERS, QUESTIONS, RECORD, SOCKET_TIMERS, StatePrograms
from netlab.timeline.observations import AnyObservation, SocketTable, SourceReport

_HALFWAY = 1 << 14
_DEPTH, _STACKS = 48, 1 << 12
_OWN = re.compile(r"bpf_|__bpf_|__traceiter_|perf_trace_")
_NO_TIMERS = (
    "TIME_WAIT and NEW_SYN_RECV are not seen: the kernel hides the addresses of its functions; "
    "fix: sysctl kernel.kptr_restrict=1 (as root; or run with CAP_SYSLOG)"
)


class StateObserver(KernelSource):
    """Delivers SocketState; for the arguments see KernelSource. A record takes 112 bytes of ``ring``.

    ``cause`` is "timer" where the transition was made by a timer of the socket's own, while it ran. It is available without timers
    too: the report's reason then says what is missing. ``stacks`` has the kernel's functions that led to each transition told too,
    where the kernel shows their names (kernel.kptr_restrict); it costs time.
    """

    name: ClassVar[str] = "states"
    _asked: ClassVar[tuple[Question, ...]] = QUESTIONS
    _heard_by: ClassVar[str] = CHANGED.tracepoint

    def __init__(
        self,
        namespaces: Mapping[int, str],
        *,
        ring: int = DEFAULT_RING,
        cache: Path | None = None,
        canary: MakeSocket | None = None,
        stacks: bool = False,
    ) -> None:
        super().__init__(namespaces, ring=ring, cache=cache, canary=canary)
        self._wants_stacks, self._stacks = stacks, dict[int, tuple[int, ...]]()
        self._stack_map: Map | None = None
        self._functions = FunctionNames()
        self._connections, self._canary_cookie = Connections(), 0
        self._disagree = 0

    def doubt(self, tables: Callable[[str], SocketTable]) -> None:
        """Hold what was told against a reading of a node's tables, now, in which nothing ought to change any more.

        Where they differ, the kernel has not told of a transition: it counts as lost.
        """
        wait_for_processors()  # one of them may be between a transition and the word of it
        self._read()
        asked = sorted({event.host for event in self._connections.believed()})
        if disagreeing(self._connections.believed(), {host: tables(host) for host in asked}):
            wait_for_processors()
            self._read()
            self._disagree += len(disagreeing(self._connections.believed(), {host: tables(host) for host in asked}))

    def _untold(self) -> int:
        return self._disagree + self._connections.untold

    def report(self) -> SourceReport:
        """As of every source; what the kernel did not tell is counted as lost, and a note says so."""
        report = super().report()
        if not self._untold():
            return report
        note = f"the kernel made {self._untold()} transitions without telling: its tables, or sockets' ends, show them"
        return msgspec.structs.replace(report, notes=(*report.notes, note))

    def _pieces(self, held: contextlib.ExitStack, attached: Attached) -> Iterator[Piece]:
        timers = function_addresses((*MINISOCK_TIMERS, *SOCKET_TIMERS))
        self._reason = "" if all(name in timers for name in MINISOCK_TIMERS) else _NO_TIMERS
        if self._wants_stacks:
            self._stack_map = self._map(held, MapKind.STACKS, key=4, value=8 * _DEPTH, entries=_STACKS, name="nl_stacks")
        programs = StatePrograms(
            layout=attached.layout,
            clock=attached.clock,
            ring=attached.ring,
            wanted=attached.wanted,
            lost=attached.lost,
            halfway=self._map(held, MapKind.HASH, key=KEY_SIZE, value=8, entries=_HALFWAY, name="nl_halfway"),
            running=self._map(held, MapKind.ARRAY_EACH, key=4, value=8, entries=1, name="nl_running"),
            timers=timers,
            stacks=self._stack_map,
        )
        yield from programs.pieces()

    def _sound(self, make: MakeSocket) -> tuple[int, int]:
        """A socket listens for a moment, at a port of the kernel's choice; nothing is sent."""
        with make(socket.AF_INET, socket.SOCK_STREAM, 0) as made:
            self._canary_cookie = cookie_of(made)
            before = time.time_ns()
            made.listen(1)
            return before, time.time_ns()

    def _take(self, now: int | None) -> list[AnyObservation]:
        return [*self._connections.take(now)]

    def _feed(self, records: list[bytes]) -> None:
        for record in records:
            event = self._event(record)
            if self._canary_cookie and event.cookie == self._canary_cookie:
                if event.new == "LISTEN":
                    self._heard.append(event.time)
            else:
                self._connections.feed(event)

    def _stack(self, number: int) -> tuple[str, ...]:
        """The functions of a stack, the innermost first, without the probe's own."""
        if number <= 0 or self._stack_map is None:
            return ()
        if number not in self._stacks:
            found = struct.unpack(f"={_DEPTH}Q", self._stack_map.get(struct.pack("=I", number - 1)) or bytes(8 * _DEPTH))
            self._stacks[number] = tuple(address for address in found if address)
            self._functions.learn(self._stacks[number])
        names = [self._functions[address] for address in self._stacks[number]]
        own = max((place for place, name in enumerate(names) if _OWN.match(name)), default=-1)
        return tuple(name for name in names[own + 1 :] if name)

    def _event(self, record: bytes) -> KernelEvent:
        event, old, new, in_timer, cpu, bound, tid, stack = RECORD.unpack(record)[-8:]
        head = read_head(record, bound)
        return KernelEvent(
            event=Event(event),
            time=head.time - self._offset,
            host=self._namespaces[head.space],
            sock=head.sock,
            cpu=cpu,
            old=self._states.get(old, str(old)),
            new=self._states.get(new, str(new)),
            local=head.local,
            remote=head.remote,
            cookie=head.cookie,
            inode=head.inode,
            tid=tid,
            in_timer=bool(in_timer),
            stack=self._stack(stack),
        )
