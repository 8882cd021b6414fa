"""TCP state transitions for root without BPF (tier B): the whole machine's tracepoint, told apart by who called.

The tracepoint names no network namespace. A socket belongs to the node whose namespace the thread was in that called listen or
connect; a listener's child, to the one node that has a listener at its address. Where that does not tell, the event is counted as
lost: it may have been a node's. The module refuses to know which transitions are right.
"""

import fcntl
import ipaddress
import os
import socket
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from netlab.errors import NetlabError
from netlab.observe.clock import ProbeClock
from netlab.observe.kernel_source import MakeSocket
from netlab.observe.perf import DEFAULT_PAGES, Entered, Sample, Tracepoint, TracepointEvents
from netlab.timeline.observations import Address, AnyObservation, SocketState, SourceReport

NOTES = (
    "TIME_WAIT, NEW_SYN_RECV and how FIN_WAIT2 and CLOSING end are not seen: no tracepoint of states tells (tier A does, with BPF)",
    "namespaces are told apart by the calling thread's: sockets that this process made itself, or that came from another, are not "
    "known to be a node's",
    "the children of a listener elsewhere that is older than the run, at the same address and port, are taken for a node's",
    "sockets' cookies and inodes are not seen",
)
_STATES = dict(
    enumerate(
        (
            *("", "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT", "CLOSE", "CLOSE_WAIT"),
            *("LAST_ACK", "LISTEN", "CLOSING", "NEW_SYN_RECV", "BOUND_INACTIVE"),
        )
    )
)  # net/tcp_states.h; /proc/net/tcp has made these numbers an interface
_MAY_LIVE_ON = ("FIN_WAIT2", "CLOSING")  # whose socket closes too when a minisock takes the connection over: no transition
_INTERRUPTS = 0x08 | 0x10  # common_flags: TRACE_FLAG_HARDIRQ and _SOFTIRQ
_SIOCGSKNS = 0x894C
_COMMITTED = 1_000_000  # ns after which a record is in its buffer for sure


@dataclass(frozen=True, kw_only=True, slots=True)
class Transition:
    """One event of the tracepoint. ``called`` says that the thread itself did it, in a call; ``sock`` is the kernel's address."""

    time: int
    thread: int
    called: bool
    sock: int
    old: str
    new: str
    local: Address
    remote: Address

    @property
    def is_birth(self) -> bool:
        """Whether a listener's child was made: its addresses may still be the listener's."""
        return (self.old, self.new) == ("LISTEN", "SYN_RECV")


class Owners:
    """Says which node each transition belongs to, by ``addresses`` (node to its addresses) and ``node_of_thread``, which gives the
    node whose namespace a thread is in, "" for a thread elsewhere and None where that cannot be known.

    No node has a socket that is older than this: what is not known was never a node's.
    """

    def __init__(self, addresses: Mapping[str, frozenset[str]], node_of_thread: Callable[[int], str | None]) -> None:
        self.ambiguous = 0
        self._addresses, self._node_of_thread = addresses, node_of_thread
        self._all = frozenset[str]().union(*addresses.values())
        self._known: dict[int, str | None] = {}
        self._listeners: dict[int, tuple[Address, str | None]] = {}
        self._births: dict[int, Transition] = {}

    def told(self, event: Transition) -> list[tuple[str, Transition]]:
        """The transitions that are known now to be a node's, with its name."""
        node = self._known[event.sock] = self._node(event)
        if event.is_birth:
            self._births[event.sock] = event  # its addresses are sure with the next one
            return []
        if event.new == "LISTEN":
            self._listeners[event.sock] = event.local, node
        elif event.old == "LISTEN":
            self._listeners.pop(event.sock, None)
        birth = self._births.pop(event.sock, None)
        if event.new == "CLOSE":
            del self._known[event.sock]
        if not _is_everywhere(event.local[0]):
            if event.local[0] not in self._all:
                return []
            if node and event.local[0] not in self._addresses[node]:
                node = None
        if node is None:
            self.ambiguous += 1 + (birth is not None)
        if not node or (event.old in _MAY_LIVE_ON and event.new == "CLOSE"):
            return []
        born = [] if birth is None else [(node, replace(birth, local=event.local, remote=event.remote))]
        return [*born, (node, event)]

    def _node(self, event: Transition) -> str | None:
        if event.is_birth:
            address, port = event.local
            # The port is 0 where listen() itself chose one: that listener may be any port's.
            nodes = {node for (at, on), node in self._listeners.values() if at in (address, "0.0.0.0", "::") and on in (port, 0)}
            return None if len(nodes) > 1 else next(iter(nodes), "")
        if event.called and event.old == "CLOSE":
            return self._node_of_thread(event.thread)
        return self._known.get(event.sock, "")


class PerfStateObserver:
    """Delivers SocketState of the nodes in ``addresses``, each with its addresses; ``makers`` make sockets in their namespaces."""

    name = "states"

    def __init__(
        self, addresses: Mapping[str, Iterable[str]], makers: Mapping[str, MakeSocket], *, pages: int = DEFAULT_PAGES
    ) -> None:
        own = {node: frozenset(text for text in texts if not _is_everywhere(text)) for node, texts in addresses.items()}
        self._owners = Owners(own, self._node_of_thread)
        self._threads: dict[int, int] = {}
        self._makers, self._pages = dict(makers), pages
        self._spaces: dict[int, str] = {}
        self._held = ExitStack()
        self._events: TracepointEvents | None = None
        self._fields: dict[str, tuple[int, int]] = {}
        self._waiting: list[Sample | Entered] = []
        self._reason, self._available, self._seen, self._lost = "it was not started", False, 0, 0
        self._offset, self._drift = 0, 0

    def start(self) -> None:
        """Open the tracepoint. What this machine lacks is said by the report."""
        try:
            with ExitStack() as held:
                tracepoint = Tracepoint.read("sock", "inet_sock_set_state")
                for node, make in self._makers.items():
                    with make(socket.AF_UNIX, socket.SOCK_DGRAM, 0) as made:
                        space = fcntl.ioctl(made.fileno(), _SIOCGSKNS)
                    held.callback(os.close, space)  # held, lest another namespace get its number
                    self._spaces[os.fstat(space).st_ino] = node
                self._events = TracepointEvents(tracepoint, filter_words=f"protocol == {socket.IPPROTO_TCP}", pages=self._pages)
                held.callback(self._events.close)
                self._fields = tracepoint.fields
                self._offset = _offset()
                self._held = held.pop_all()
        except (NetlabError, OSError) as error:
            self._reason = str(error)
        else:
            self._reason, self._available = "", True

    def drain(self) -> list[AnyObservation]:
        """The transitions since the last time, up to a millisecond ago, in the order of time."""
        return self._take(time.time_ns() - _COMMITTED)

    def stop(self) -> list[AnyObservation]:
        """Hand over the rest, and close."""
        last = self._take(None)
        if self._events is not None:
            self._drift = abs(_offset() - self._offset)
        self._events = None
        self._held.close()
        return last

    def report(self) -> SourceReport:
        """What was seen; lost is what found no room and what could be nobody's or anybody's."""
        return SourceReport(
            name=self.name,
            available=self._available,
            reason=self._reason,
            seen=self._seen,
            lost=self._lost,
            uncertainty=self._drift,
            notes=NOTES if self._available else (),
        )

    def _take(self, until: int | None) -> list[AnyObservation]:
        if self._events is None:
            return []
        self._waiting += self._events.read()
        self._waiting.sort(key=lambda record: record.time)
        ready = [record for record in self._waiting if until is None or record.time - self._offset <= until]
        del self._waiting[: len(ready)]
        told: list[tuple[str, Transition]] = []
        for record in ready:
            if isinstance(record, Entered):
                self._threads[record.thread] = record.namespace
            else:
                told += self._owners.told(self._transition(record))
        self._lost = self._events.lost + self._owners.ambiguous
        self._seen += len(told)
        return sorted((_observed(node, event) for node, event in told), key=lambda observed: observed.time)

    def _transition(self, sample: Sample) -> Transition:
        def number(field: str) -> int:
            at, size = self._fields[field]
            return int.from_bytes(sample.data[at : at + size], sys.byteorder)

        def address(name: str) -> str:
            if number("family") != socket.AF_INET6:
                at, size = self._fields[name]
                return socket.inet_ntop(socket.AF_INET, sample.data[at : at + size])
            at, size = self._fields[f"{name}_v6"]
            long = ipaddress.IPv6Address(sample.data[at : at + size])
            return str(long.ipv4_mapped or long)

        old, new = number("oldstate"), number("newstate")
        return Transition(
            time=sample.time - self._offset,
            thread=sample.thread,
            called=not number("common_flags") & _INTERRUPTS,
            sock=number("skaddr"),
            old=_STATES.get(old, str(old)),
            new=_STATES.get(new, str(new)),
            local=(address("saddr"), number("sport")),
            remote=(address("daddr"), number("dport")),
        )

    def _node_of_thread(self, thread: int) -> str | None:
        if Path(f"/proc/self/task/{thread}").exists():
            return None  # this process has sockets of every node, wherever its threads are
        namespace = self._threads.get(thread)
        try:
            return self._spaces.get(namespace or Path(f"/proc/{thread}/ns/net").stat().st_ino, "")
        except OSError:
            return None


def _offset() -> int:
    """From CLOCK_REALTIME to CLOCK_MONOTONIC."""
    return ProbeClock.measure(has_tai=False).offset


def _observed(node: str, event: Transition) -> SocketState:
    return SocketState(
        time=event.time,
        host=node,
        source="tracepoint",
        old=event.old,
        new=event.new,
        local=event.local,
        remote=event.remote,
        tid=event.thread,
    )


def _is_everywhere(address: str) -> bool:
    """Whether every namespace has it: the loopback's, and no address at all."""
    parsed = ipaddress.ip_address(address)
    return parsed.is_loopback or parsed.is_unspecified
