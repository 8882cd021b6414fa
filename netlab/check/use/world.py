"""Processes, their descriptors and the sockets behind them, as a timeline's calls, forks, execs and exits tell of them.

Types only, and how to call a thing in a sentence. How they come about is folding.py's; what is wrong in them is for the rules.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from netlab.timeline.kernel_events import Reset
from netlab.timeline.observation import Address
from netlab.timeline.observations import SocketState
from netlab.timeline.process_events import SignalDelivered, SystemCall
from netlab.timeline.timeline import Timeline

Opened = Literal["made", "accepted", "duplicated", "fork", "exec", "seen"]
Ended = Literal["", "closed", "exec", "exit", "lost"]
"""How a number came to stand for a socket, and how that ended; "lost": something else was seen under the number."""


@dataclass(slots=True, eq=False)
class Use:
    """A call at ``index`` of the timeline. ``socket`` is what it was about and ``made`` what it gave, if they are known.

    ``was`` is what its number had last been, where the number was not open (EBADF) or is no socket's now (ENOTSOCK). ``in_thread``
    is its place among its thread's calls.
    """

    index: int
    call: SystemCall
    process: "Process"
    in_thread: int
    socket: "Socket | None" = None
    holding: "Holding | None" = None
    made: "Socket | None" = None
    was: "Holding | None" = None


@dataclass(slots=True, eq=False)
class Holding:
    """A process has a socket under number ``fd``, from ``began`` until ``ended`` (None: to the end of the timeline).

    ``opened_at`` and ``ended_at`` are the observations that tell so, -1 where there is none. An exec begins a new holding.
    ``shared`` are the times of forks that gave it to children too; ``uses`` are the calls of this process under this number, and
    ``watched_since`` is when it first waited for it by poll, select or epoll.
    """

    process: "Process"
    fd: int
    socket: "Socket"
    opened: Opened
    began: int
    opened_at: int
    close_on_exec: bool = False
    ended: int | None = None
    ended_at: int = -1
    end: Ended = ""
    source: "Holding | None" = None
    shared: list[int] = field(default_factory=list)
    uses: list[Use] = field(default_factory=list)
    watched_since: int | None = None

    @property
    def watched(self) -> bool:
        """Whether its process ever waited for it by poll, select or epoll."""
        return self.watched_since is not None

    @property
    def used(self) -> bool:
        """Whether this process did anything with it, be it wait for it or close it."""
        return bool(self.uses) or self.watched or self.end == "closed"


@dataclass(slots=True, eq=False)
class Socket:
    """One socket: who made it, who holds it, every call about it, what the kernel did with it.

    ``kind`` is "tcp", "udp", "other" or "" where nothing tells. ``listener`` is the one that it was accepted from.
    ``listening`` is the index of the first listen(), -1 where there is none.
    """

    host: str
    inode: int
    kind: str = ""
    made_at: int = -1
    listener: "Socket | None" = None
    listening: int = -1
    backlog: int | None = None
    bound: Address | None = None
    peer: Address | None = None
    connected: bool = False
    holdings: list[Holding] = field(default_factory=list)
    uses: list[Use] = field(default_factory=list)
    states: list[tuple[int, SocketState]] = field(default_factory=list)
    resets: list[tuple[int, Reset]] = field(default_factory=list)

    @property
    def local(self) -> Address | None:
        """Its own address, as far as anything told."""
        for _, state in reversed(self.states):
            if state.local[1]:
                return state.local
        return self.bound or (self.listener.local if self.listener else None)

    @property
    def remote(self) -> Address | None:
        """Its peer's address."""
        for _, state in reversed(self.states):
            if state.remote[1]:
                return state.remote
        return self.peer

    @property
    def ends(self) -> str:
        """What to call it: "10.0.0.2:80 to 10.0.0.1:40000", "listening on 0.0.0.0:80", "a TCP socket"."""
        local, remote = self.local, self.remote
        if self.listening >= 0:
            return f"listening on {spelt(local)}" if local else "listening"
        if remote:
            return f"{spelt(local)} to {spelt(remote)}" if local else f"to {spelt(remote)}"
        kind = {"tcp": "a TCP socket", "udp": "a UDP socket"}.get(self.kind, "a socket")
        return f"{kind} at {spelt(local)}" if local else kind

    def after(self, use: Use) -> Iterator[Use]:
        """Calls about it that began when this one was over, by any process."""
        return (other for other in self.uses if other.call.began >= use.call.time and other is not use)


@dataclass(slots=True, eq=False)
class Process:
    """A process from its first sign to its end. ``status`` is None where the end was not seen; ``ended`` then the timeline's.

    ``table`` is its descriptors at the end of the fold (before its exit closed them), ``past`` what closed numbers had been, as
    long as nothing else was seen under them. ``program`` is its last name; ``executed`` has its execs: index, time and path.
    """

    host: str
    pid: int
    program: str
    began: int
    parent: "Process | None" = None
    ended: int = 0
    ended_at: int = -1
    status: int | None = None
    table: dict[int, Holding] = field(default_factory=dict)
    past: dict[int, Holding] = field(default_factory=dict)
    touched: set[int] = field(default_factory=set)
    executed: list[tuple[int, int, str]] = field(default_factory=list)
    uses: list[Use] = field(default_factory=list)
    threads: dict[int, list[Use]] = field(default_factory=dict)
    signals: list[tuple[int, SignalDelivered]] = field(default_factory=list)
    holdings: list[Holding] = field(default_factory=list)

    @property
    def lives(self) -> bool:
        """Whether it had not ended when the observation did."""
        return self.status is None

    def next_in_thread(self, use: Use) -> Iterator[Use]:
        """What the same thread did afterwards."""
        thread = self.threads[use.call.tid]
        return (thread[at] for at in range(use.in_thread + 1, len(thread)))

    def before_in_thread(self, use: Use) -> Iterator[Use]:
        """What the same thread did before, the latest first."""
        thread = self.threads[use.call.tid]
        return (thread[at] for at in range(use.in_thread - 1, -1, -1))


@dataclass(slots=True, eq=False)
class Connection:
    """One life of a connection as the kernel told of it: the transitions of one cookie, or of one pair of addresses."""

    host: str
    local: Address
    remote: Address
    inode: int = 0
    states: list[tuple[int, SocketState]] = field(default_factory=list)
    socket: Socket | None = None

    def entered(self, state: str) -> tuple[int, SocketState] | None:
        """The first transition to a state, by Linux' name."""
        return next((seen for seen in self.states if seen[1].new == state), None)

    def left(self, state: str) -> tuple[int, SocketState] | None:
        """The first transition out of a state."""
        return next((seen for seen in self.states if seen[1].old == state and seen[1].new != state), None)


@dataclass(slots=True, eq=False)
class World:
    """Everything that a timeline tells about programs and their sockets."""

    timeline: Timeline
    processes: list[Process] = field(default_factory=list)
    sockets: list[Socket] = field(default_factory=list)
    connections: list[Connection] = field(default_factory=list)
    ended: int = 0

    def holdings(self) -> Iterator[Holding]:
        """Every holding of every process."""
        return (holding for process in self.processes for holding in process.holdings)


def spelt(address: Address | None) -> str:
    """An address and its port as people write them; "?" where there is none."""
    if address is None:
        return "?"
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def milliseconds(duration: int) -> str:
    """A duration in ns as a sentence has it: "0.120 ms", "35 ms", "1.20 s"."""
    if duration >= 1_000_000_000:
        return f"{duration / 1e9:.2f} s"
    return f"{duration / 1e6:.0f} ms" if duration >= 10_000_000 else f"{duration / 1e6:.3f} ms"


def times(count: int) -> str:
    """How often: "once", "3 times"."""
    return "once" if count == 1 else f"{count} times"
