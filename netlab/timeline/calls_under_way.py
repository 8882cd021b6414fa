"""Which calls that may change a TCP state were under way on a socket at an instant. It does not say whether one did.

Such calls are those for which the kernel changes a state in the caller's own thread: connect(2), listen(2), shutdown(2) and
whatever takes a descriptor away; a send with MSG_FASTOPEN connects (tcp(7)). A listener's end is also that of its children that
nobody accepted (inet_csk_listen_stop).
"""

from bisect import bisect_right, insort
from collections.abc import Mapping
from dataclasses import dataclass

from netlab.notation.values import Constant
from netlab.timeline.holders import Holders
from netlab.timeline.identity import Identities, Socket
from netlab.timeline.observations import CallReturned, CallStarted, SocketState, SystemCall
from netlab.timeline.timeline import Timeline

_CHANGING = frozenset({"connect", "listen", "shutdown", "close"})
_SENDING = frozenset({"send", "sendto", "sendmsg", "sendmmsg"})
# These take descriptors away that they do not name, or all of the process.
_OF_PROCESS = frozenset({"dup2", "dup3", "close_range", "execve", "execveat", "exit", "_exit", "exit_group"})
# A file that is given up at the end of a call is released on the way out to the program, after the call's own end was stamped.
_WAY_OUT = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class UnderWay:
    """A call: its observation's index, its interval in ns (``ended`` None: it never returned), its thread where that is known."""

    index: int
    name: str
    began: int
    ended: int | None
    tid: int = 0

    def covers(self, time: int) -> bool:
        """Whether it was under way then."""
        return self.began <= time and (self.ended is None or time <= self.ended)


class CallsUnderWay:
    """The calls of a timeline by the socket, or by the process, that they are about."""

    def __init__(self, timeline: Timeline, identities: Identities) -> None:
        self._identities = identities
        self._holders = Holders(timeline.observations)
        self._on: dict[int, list[UnderWay]] = {}
        self._by: dict[tuple[str, str | int], list[UnderWay]] = {}
        self._by_thread: dict[tuple[str, int], list[UnderWay]] = {}
        self._threads: dict[tuple[str, int], int] = {}
        self._busy: dict[tuple[str, int], list[tuple[int, int]]] = {}
        self._noticed: set[int] = set()
        self._watched: set[str] = set()
        self._listeners: dict[tuple[str, int], list[tuple[int, int]]] = {}
        self._children: set[int] = set()
        returned = {(seen.process, seen.id): seen for seen in timeline.observations if isinstance(seen, CallReturned)}
        for index, seen in enumerate(timeline.observations):
            match seen:
                case CallStarted():
                    self._started(index, seen, returned)
                case SystemCall():
                    self._system_call(index, seen)
                case SocketState():
                    self._listening(index, seen)

    def of(self, socket: Socket, seen: SocketState) -> list[UnderWay]:
        """The calls that may have made the transition; an agent's call and the system call inside it are one."""
        calls = list(self._on.get(socket.number, ()))
        for holding in socket.holdings:
            calls += self._by.get((socket.host, holding.pid or holding.process), ())
        if not socket.holdings or all(holding.began > seen.time for holding in socket.holdings):
            for _, listener in self._listeners.get((socket.host, seen.local[1]), ()):
                calls += self._on.get(listener, ()) if socket.number in self._children else ()
        found = _without_twins([call for call in calls if call.covers(seen.time)])
        return [call for call in found if not (seen.tid and call.tid and seen.tid != call.tid)]

    def of_thread(self, seen: SocketState) -> UnderWay | None:
        """The call that gives files away inside which the thread was, whatever it was about: messages in flight hold files too."""
        return next((call for call in self._by_thread.get((seen.host, seen.tid), ()) if call.covers(seen.time)), None)

    def seen(self, socket: Socket, seen: SocketState) -> bool:
        """Whether a call that made the transition would have been seen: without a descriptor (``inode`` 0) there can be none."""
        return not seen.inode or socket.number in self._noticed or socket.host in self._watched

    def strays(self, socket: Socket, seen: SocketState) -> bool:
        """Whether it happened on a thread that may have been calling unseen: one of a process that has the socket, and inside no
        call that was seen. Calls are seen by the thread's namespace, and a socket can be used from another."""
        holders = {holding.pid for holding in socket.holdings if holding.pid}
        if not seen.inode or self._threads.get((seen.host, seen.tid)) not in holders:
            return False
        calls = self._busy[seen.host, seen.tid]
        last = calls[bisect_right(calls, seen.time, key=lambda one: one[0]) - 1]
        return not last[0] <= seen.time <= last[1]

    def _started(self, index: int, seen: CallStarted, returned: Mapping[tuple[str, int], CallReturned]) -> None:
        after = returned.get((seen.process, seen.id))
        socket = self._identities.socket(index)
        began = after.began if after is not None and after.began else seen.time
        call = UnderWay(index=index, name=seen.call, began=began, ended=after.time if after is not None else None)
        if socket is not None:
            self._noticed.add(socket.number)
        if seen.call in _OF_PROCESS:
            self._by.setdefault((seen.host, seen.process), []).append(call)
        elif socket is not None and (seen.call in _CHANGING or (seen.call in _SENDING and self._opens(seen))):
            self._on.setdefault(socket.number, []).append(call)

    def _opens(self, seen: CallStarted) -> bool:
        text = self._holders.arguments(seen)
        return text is not None and any(isinstance(one, Constant) and "MSG_FASTOPEN" in one.names for one in text.call.arguments)

    def _system_call(self, index: int, seen: SystemCall) -> None:
        socket = self._identities.socket(index)
        if seen.source == "bpf":  # all programs of the node; strace follows some
            self._watched.add(seen.host)
        if socket is not None:
            self._noticed.add(socket.number)
        self._threads[seen.host, seen.tid] = seen.pid
        insort(self._busy.setdefault((seen.host, seen.tid), []), (seen.began, seen.time))
        way_out = _WAY_OUT if seen.call == "close" or seen.call in _OF_PROCESS else 0
        call = UnderWay(
            index=index, name=seen.call, began=seen.began, ended=seen.time + way_out if seen.returned else None, tid=seen.tid
        )
        if way_out:
            self._by_thread.setdefault((seen.host, seen.tid), []).append(call)
        flags = seen.arguments.get("flags", ())
        if seen.call in _OF_PROCESS:
            self._by.setdefault((seen.host, seen.pid), []).append(call)
        elif socket is not None and (seen.call in _CHANGING or (seen.call in _SENDING and "MSG_FASTOPEN" in flags)):
            self._on.setdefault(socket.number, []).append(call)

    def _listening(self, index: int, seen: SocketState) -> None:
        socket = self._identities.socket(index)
        if socket is not None and seen.new == "LISTEN":
            self._listeners.setdefault((seen.host, seen.local[1]), []).append((seen.time, socket.number))
        elif socket is not None and seen.old == "LISTEN" and seen.new != "CLOSE":
            self._children.add(socket.number)


def _without_twins(calls: list[UnderWay]) -> list[UnderWay]:
    """An agent's call contains the system call of its name: one call, the agent's, with the thread that the other tells."""
    agents, others = [call for call in calls if not call.tid], [call for call in calls if call.tid]
    found = []
    for agent in agents:
        inside = [one for one in others if one.name == agent.name and agent.began <= one.began]
        inside = [one for one in inside if agent.ended is None or (one.ended is not None and one.ended - _WAY_OUT <= agent.ended)]
        if len(inside) == 1:
            others.remove(inside[0])
        tid = inside[0].tid if len(inside) == 1 else 0
        found.append(UnderWay(index=agent.index, name=agent.name, began=agent.began, ended=agent.ended, tid=tid))
    return found + others
