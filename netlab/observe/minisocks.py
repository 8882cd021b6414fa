"""Fold what the kernel's probes tell into transitions of TCP states, minisocks included. Pure: events in, observations out.

A connection that waits (TIME_WAIT, an orphan's FIN_WAIT2) or is half open (NEW_SYN_RECV) has no full socket but a minisock. No
tracepoint of states tells about it; its timer does. Three things that the kernel does are not transitions and are left out: a full
socket's CLOSE when its minisock takes the connection over, a request's end when its child socket takes over, and a timer that
only moves. The module refuses to know how the events were obtained, and which transitions are right.
"""

from dataclasses import dataclass
from enum import IntEnum

from netlab.timeline.observations import Address, SocketState

_REQUEST = "NEW_SYN_RECV"
# A cancelled timer that moves is started again within microseconds; one that is not started again is over.
_SETTLED = 20_000_000


class Event(IntEnum):
    """What a probe tells: a transition, a minisock's timer started, cancelled or run out, a socket destroyed."""

    TRANSITION = 1
    TIMER_STARTED = 2
    TIMER_CANCELLED = 3
    TIMER_EXPIRED = 4
    DESTROYED = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class KernelEvent:
    """One event: ``sock`` is the kernel's address of the (mini)socket, ``new`` a minisock's own state, ``cpu`` where it ran
    and ``tid`` the thread that ran there. ``in_timer`` says that it happened while the socket's own timer ran; ``stack`` are the
    functions that led there, the innermost first, where they were asked for."""

    event: Event
    time: int
    host: str
    sock: int
    cpu: int = 0
    old: str = ""
    new: str = ""
    local: Address = ("0.0.0.0", 0)
    remote: Address = ("0.0.0.0", 0)
    cookie: int = 0
    inode: int = 0
    tid: int = 0
    in_timer: bool = False
    stack: tuple[str, ...] = ()

    @property
    def connection(self) -> tuple[str, Address, Address]:
        """What tells one connection from another while it lives."""
        return self.host, self.local, self.remote

    @property
    def is_birth(self) -> bool:
        """Whether a listener's child was made here. The child's addresses are still the listener's then."""
        return self.event is Event.TRANSITION and (self.old, self.new) == ("LISTEN", "SYN_RECV")


@dataclass(kw_only=True, slots=True)
class _Minisock:
    began: KernelEvent
    state: str
    cancelled: KernelEvent | None = None
    expired: bool = False


class Connections:
    """What is known of every socket and minisock at one instant, and the transitions that were not yet handed over.

    Events are fed in the order in which the probes wrote them. ``old`` of a minisock whose socket was never seen is empty.
    ``untold`` counts the sockets that were destroyed without a word of their last transition.
    """

    def __init__(self) -> None:
        self.untold = 0
        self._sockets: dict[int, KernelEvent] = {}
        self._owners: dict[tuple[str, Address, Address], int] = {}
        self._minisocks: dict[int, _Minisock] = {}
        self._births: dict[int, KernelEvent] = {}
        self._replaced: set[int] = set()
        self._latest: dict[int, KernelEvent] = {}
        self._ready: list[SocketState] = []

    def feed(self, event: KernelEvent) -> None:
        """Take one event in."""
        match event.event:
            case Event.TRANSITION:
                self._transition(event)
            case Event.TIMER_STARTED:
                self._started(event)
            case Event.TIMER_CANCELLED:
                self._cancelled(event)
            case Event.TIMER_EXPIRED:
                self._expired(event)
            case Event.DESTROYED:
                self._forget(event.sock)
        self._latest[event.cpu] = event

    def take(self, now: int | None = None) -> list[SocketState]:
        """The transitions since the last time, in the order of time. Without ``now`` nothing is held back any more."""
        for sock, minisock in list(self._minisocks.items()):
            ended = minisock.cancelled
            if ended is not None and (now is None or now - ended.time > _SETTLED):
                self._end(sock, ended)
        if now is None:
            for sock in list(self._births):
                self._deliver_birth(sock)
        taken, self._ready = sorted(self._ready, key=lambda state: state.time), []
        return taken

    def _emit(
        self, event: KernelEvent, old: str, new: str, source: str, *, at: KernelEvent | None = None, by_timer: bool = False
    ) -> None:
        place = at or event
        self._ready.append(
            SocketState(
                time=event.time,
                host=event.host,
                source=source,
                old=old,
                new=new,
                local=place.local,
                remote=place.remote,
                cookie=event.cookie,
                inode=event.inode,
                tid=event.tid,
                stack=event.stack,
                cause="timer" if by_timer or event.in_timer else "",
            )
        )

    def _transition(self, event: KernelEvent) -> None:
        self._deliver_birth(event.sock, event)
        if event.is_birth:
            self._births[event.sock] = event
        elif event.new == "CLOSE" and event.sock in self._replaced:
            self._replaced.discard(event.sock)
        else:
            self._emit(event, event.old, event.new, "tracepoint")
        known = self._sockets.get(event.sock)
        if known is not None and self._owners.get(known.connection) == event.sock:
            del self._owners[known.connection]
        self._sockets[event.sock] = event
        if event.new != "CLOSE":
            self._owners[event.connection] = event.sock

    def _deliver_birth(self, sock: int, at: KernelEvent | None = None) -> None:
        birth = self._births.pop(sock, None)
        if birth is not None:
            self._emit(birth, birth.old, birth.new, "tracepoint", at=at)

    def _forget(self, sock: int) -> None:
        self._deliver_birth(sock)
        self._replaced.discard(sock)
        known = self._sockets.pop(sock, None)
        if known is None:
            return
        self.untold += known.new != "CLOSE"
        if self._owners.get(known.connection) == sock:
            del self._owners[known.connection]

    def believed(self) -> list[KernelEvent]:
        """The last transition of every full socket that is not closed, by all that was told."""
        return [event for event in self._sockets.values() if event.new != "CLOSE" and not event.is_birth]

    def _started(self, event: KernelEvent) -> None:
        minisock = self._minisocks.get(event.sock)
        if minisock is not None and minisock.cancelled is not None and self._is_another(minisock, event):
            self._end(event.sock, minisock.cancelled)
            minisock = None
        if minisock is not None:
            minisock.cancelled, minisock.expired = None, False
            if minisock.state != event.new:
                self._emit(event, minisock.state, event.new, "timer")
                minisock.state = event.new
            return
        self._minisocks[event.sock] = _Minisock(began=event, state=event.new)
        old = "LISTEN" if event.new == _REQUEST else self._replace(event)
        if old != event.new:
            self._emit(event, old, event.new, "timer")

    @staticmethod
    def _is_another(minisock: _Minisock, event: KernelEvent) -> bool:
        """Whether the kernel reused a minisock's memory: a request's timer is moved only by its own expiry."""
        if minisock.began.connection != event.connection or (minisock.state == _REQUEST) != (event.new == _REQUEST):
            return True
        return event.new == _REQUEST and not minisock.expired

    def _replace(self, event: KernelEvent) -> str:
        owner = self._owners.get(event.connection)
        if owner is None:
            return ""
        self._replaced.add(owner)
        return self._sockets[owner].new

    def _cancelled(self, event: KernelEvent) -> None:
        minisock = self._minisocks.setdefault(event.sock, _Minisock(began=event, state=event.new))
        before = self._latest.get(event.cpu)
        if event.new == _REQUEST and before is not None and before.is_birth and before.host == event.host:
            # The final ACK makes the child and then drops the request, both in one go on one CPU.
            del self._minisocks[event.sock]
            return
        minisock.cancelled = event

    def _expired(self, event: KernelEvent) -> None:
        minisock = self._minisocks.get(event.sock)
        if minisock is None or minisock.cancelled is None:
            return
        if event.new == _REQUEST:
            minisock.expired = True  # its handler sends another SYN-ACK and starts the timer again, or gives up
        else:
            self._end(event.sock, minisock.cancelled, by_timer=True)

    def _end(self, sock: int, event: KernelEvent, *, by_timer: bool = False) -> None:
        minisock = self._minisocks.pop(sock)
        # A request's timer that ran out and was not started again has given the request up.
        self._emit(event, minisock.state, "CLOSE", "timer", by_timer=by_timer or minisock.expired)
