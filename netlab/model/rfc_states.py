"""Connections' histories in RFC 9293's states, out of what the kernel's probes report. Pure: observations in, transitions out.

Linux keeps one connection in up to three objects: a request while it is half open, a full socket, and a minisock that waits. Their
changes are joined, and what the RFC does not know is left out: a listener's child (SYN-RECEIVED already), a state that is set
again, a full socket's end when a minisock takes over, SYN_SENT where no SYN was sent. FIN-WAIT-2 that shows on the way from
FIN-WAIT-1 to TIME-WAIT is left out where the segments prove that one of them did both (figure 5, note 2). Where the segments do not
tell, what the kernel reported stands: nothing is guessed. The module refuses to know how states are observed and what caused them.
"""

from collections.abc import Iterable, Sequence

import msgspec

from netlab.model.arrivals import Arrivals, Ends
from netlab.model.tcp_linux import RFC_NAMES
from netlab.model.tcp_table import TRANSITIONS, Transition
from netlab.timeline.observations import Address, AnyObservation, SocketState

_REQUEST = "NEW_SYN_RECV"
_PROBES = frozenset({"tracepoint", "timer"})


class RfcTransition(msgspec.Struct, frozen=True, kw_only=True):
    """One change of a connection's state, by RFC 9293's names. ``observed`` are the indices of the observations it stands for.

    ``single`` is false where transitions in between may have gone unseen: the states are those of two dumps.
    """

    time: int
    host: str
    local: Address
    remote: Address
    old: str
    new: str
    observed: tuple[int, ...]
    single: bool = True

    @property
    def rows(self) -> tuple[Transition, ...]:
        """The arcs of RFC 9293's table that it may be; none when it is no arc."""
        return tuple(row for row in TRANSITIONS.get(self.old, ()) if row.next == self.new)


class RfcConnection(msgspec.Struct, frozen=True, kw_only=True):
    """One connection, or one listener (its ``remote`` has port 0), as one host had it.

    A connection that a SYN reopened in TIME-WAIT is one with that before.
    """

    host: str
    local: Address
    remote: Address
    transitions: tuple[RfcTransition, ...]

    @property
    def states(self) -> tuple[str, ...]:
        """Its states in order; after a gap the one in which it was found."""
        states: list[str] = []
        for one in self.transitions:
            states += [one.new] if states and states[-1] == one.old else [one.old, one.new]
        return tuple(states)


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A transition that RFC 9293 does not allow there. ``state`` is the connection's before it, "" where that is not known."""

    transition: RfcTransition
    state: str

    @property
    def reason(self) -> str:
        """What is wrong with it."""
        one = self.transition
        return f"it was in {self.state}, not in {one.old}" if one.rows else f"{one.old} to {one.new} is no transition"


def rfc_connections(observations: Sequence[AnyObservation]) -> tuple[RfcConnection, ...]:
    """The connections of a timeline, in the order in which they began; their transitions in the order of time.

    Dumps (sock_diag) count only for a host of which no probe has told.
    """
    probed = {seen.host for seen in observations if isinstance(seen, SocketState) and seen.source in _PROBES}
    fold = _Fold(Arrivals(observations))
    for index, seen in enumerate(observations):
        if isinstance(seen, SocketState) and (seen.source in _PROBES or seen.host not in probed):
            fold.feed(index, seen)
    return fold.connections()


def findings(connections: Iterable[RfcConnection]) -> tuple[Finding, ...]:
    """Every transition that is no arc of RFC 9293, and every one that does not begin where the one before ended."""
    found = []
    for connection in connections:
        state = ""
        for one in connection.transitions:
            if one.single and (not one.rows or state not in ("", one.old)):
                found.append(Finding(transition=one, state=state))
            state = one.new
    return tuple(found)


class _Live:
    """A connection that is being followed."""

    def __init__(self, seen: SocketState, state: str) -> None:
        self.host, self.local, self.remote = seen.host, seen.local, seen.remote
        self.inode, self.cookie, self.state = seen.inode, seen.cookie, state
        self.transitions: list[RfcTransition] = []
        self.unsaid: list[int] = []
        self.from_listen = self.waits = False
        self.children = 0

    @property
    def ends(self) -> Ends:
        return self.host, self.local, self.remote

    def is_of(self, seen: SocketState) -> bool:
        """Whether an observation may be of this connection: by what both of them know."""
        if self.inode and seen.inode and self.inode != seen.inode:
            return False
        if (self.host, self.remote) != (seen.host, seen.remote):
            return False
        if self.local == seen.local:
            return True
        # connect() had not chosen an address and port yet when the state was set to SYN_SENT.
        known = (self.inode and self.inode == seen.inode) or (self.cookie and self.cookie == seen.cookie)
        return self.state == "SYN-SENT" and not self.local[1] and bool(known or not (self.inode and seen.inode))

    def learn(self, seen: SocketState) -> None:
        """Take over what an observation knows better."""
        self.inode, self.cookie = seen.inode or self.inode, seen.cookie or self.cookie
        if not self.local[1]:
            self.local = seen.local

    def go(self, index: int, seen: SocketState, old: str, new: str, single: bool) -> None:
        """One transition more."""
        self.learn(seen)
        self._append(seen.time, old, new, (*self.unsaid, index), single)
        self.unsaid, self.state = [], new

    def join(self, index: int, seen: SocketState, new: str) -> None:
        """The last transition and this one are one, to ``new``."""
        last = self.transitions.pop()
        self._append(seen.time, last.old, new, (*last.observed, *self.unsaid, index), last.single)
        self.unsaid, self.state = [], new

    def _append(self, time: int, old: str, new: str, observed: tuple[int, ...], single: bool) -> None:
        made = RfcTransition(
            time=time, host=self.host, local=self.local, remote=self.remote, old=old, new=new, observed=observed, single=single
        )
        self.transitions.append(made)

    def finished(self) -> RfcConnection:
        """As a value; a port that was chosen later is every transition's."""
        named = tuple(msgspec.structs.replace(one, local=self.local) for one in self.transitions)
        return RfcConnection(host=self.host, local=self.local, remote=self.remote, transitions=named)


class _Fold:
    """All connections at one instant."""

    def __init__(self, arrivals: Arrivals) -> None:
        self._arrivals = arrivals
        self._all: list[_Live] = []
        self._live: dict[tuple[str, Address], list[_Live]] = {}
        self._waited: dict[Ends, _Live] = {}

    def connections(self) -> tuple[RfcConnection, ...]:
        return tuple(one.finished() for one in self._all if one.transitions)

    def feed(self, index: int, seen: SocketState) -> None:
        """Take one observation in."""
        old, new = RFC_NAMES.get(seen.old, seen.old), RFC_NAMES.get(seen.new, seen.new)
        if seen.new == _REQUEST:
            self._half_open(index, seen, old)
        elif old == "LISTEN" and new == "SYN-RECEIVED":
            self._child(index, seen)
        elif not old:
            self._begin(seen, new).unsaid.append(index)
        elif old != new and not self._is_artefact(seen, old, new):
            self._move(index, seen, old, new)

    def _half_open(self, index: int, seen: SocketState, old: str) -> _Live:
        """A request, or the first that is seen of one: of a new connection, or of one that waited and is reopened."""
        before = self._waited.pop((seen.host, seen.local, seen.remote), None)
        if before is not None and self._arrivals.reopened(before.ends, before.transitions[-1].time, seen.time):
            before.join(index, seen, "SYN-RECEIVED")
            before.inode, before.cookie, before.waits, before.children = seen.inode, seen.cookie, False, 0
            self._live[seen.host, seen.remote].append(before)
            live = before
        else:
            live = self._begin(seen, old)
            live.go(index, seen, old or "LISTEN", "SYN-RECEIVED", _single(seen))
        live.from_listen = True
        return live

    def _child(self, index: int, seen: SocketState) -> None:
        live = self._find(seen, "SYN-RECEIVED")
        if live is None:
            live = self._half_open(index, seen, "LISTEN")
        else:
            live.unsaid.append(index)
        live.children += 1

    def _is_artefact(self, seen: SocketState, old: str, new: str) -> bool:
        """Whether an object of the kernel ends whose connection lives on in another one, or never was one."""
        if new != "CLOSED":
            return False
        if seen.old == _REQUEST:
            live = self._find(seen, "SYN-RECEIVED")
            return live is None or live.children > 0
        if seen.old == "SYN_RECV" and (live := self._find(seen, None)) is not None and live.children > 1:
            # Two ACKs at once on two processors made two children, and only one of them is kept (inet_ehash_nolisten()).
            live.children -= 1
            return True
        if old in ("FIN-WAIT-2", "CLOSING") and seen.source != "timer":
            taken_over = self._find(seen, "TIME-WAIT")
            return self._find(seen, old) is None and taken_over is not None and taken_over.waits
        if old == "SYN-SENT" and not seen.local[1]:
            live = self._find(seen, old)
            if live is not None:
                self._live[live.host, live.remote].remove(live)
                self._all.remove(live)
            return True
        return False

    def _move(self, index: int, seen: SocketState, old: str, new: str) -> None:
        live = self._find(seen, old)
        if live is None:
            # A gap in what is known of a connection, or one that was there before anybody looked.
            live = (self._find(seen, None) if old not in ("CLOSED", "LISTEN") else None) or self._begin(seen, old)
        live.learn(seen)
        if new == "TIME-WAIT":
            live.waits = seen.source == "timer"
        if self._is_second_half(live, seen, old, new):
            live.join(index, seen, new)
            return
        if (old, new) == ("SYN-RECEIVED", "CLOSED") and self._is_back(live, seen):
            new = "LISTEN"
        live.go(index, seen, old, new, _single(seen))
        if new == "CLOSED" or (old, new) == ("SYN-RECEIVED", "LISTEN"):
            self._live[live.host, live.remote].remove(live)
            if old == "TIME-WAIT":
                self._waited[live.ends] = live

    def _is_second_half(self, live: _Live, seen: SocketState, old: str, new: str) -> bool:
        """Whether FIN-WAIT-2 was but the first half of what one segment did."""
        if (old, new) != ("FIN-WAIT-2", "TIME-WAIT") or not live.transitions:
            return False
        last = live.transitions[-1]
        return last.old == "FIN-WAIT-1" and self._arrivals.did_both(live.ends, last.time, seen.time)

    def _is_back(self, live: _Live, seen: SocketState) -> bool:
        """Whether the RFC's one connection is a listener again. With sockets the listener never was anything else."""
        return live.from_listen and self._arrivals.returned_to_listen(live.ends, live.transitions[-1].time, seen.time)

    def _begin(self, seen: SocketState, state: str) -> _Live:
        made = _Live(seen, state)
        self._all.append(made)
        self._live.setdefault((seen.host, seen.remote), []).append(made)
        return made

    def _find(self, seen: SocketState, state: str | None) -> _Live | None:
        """The latest connection that an observation may be of, in this state or, for None, in any."""
        found = self._live.get((seen.host, seen.remote), [])
        return next((one for one in reversed(found) if state in (None, one.state) and one.is_of(seen)), None)


def _single(seen: SocketState) -> bool:
    return seen.source in _PROBES
