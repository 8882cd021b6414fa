"""Which of two observations came first, as far as that can be told: by time with the sources' uncertainty, and by cause.

Two observations of one source have stamps of one clock, taken in one way: their stamps order them. Those of different sources are
ordered by time only when they are further apart than both sources may be wrong (``SourceReport.uncertainty``). What cannot be
otherwise is ordered whatever the stamps say: a call's return comes after its entry, an effect after its cause, a frame arrives
after it was sent. An observation that covers a time (a system call, a dump) counts as it stands in the timeline, at its end.
"""

from typing import Literal

from netlab.timeline.observations import (
    AnyObservation,
    CallReturned,
    CallStarted,
    Decision,
    DescriptorSeen,
    KernelMemory,
    Packet,
    PacketDropped,
    ProcessExecuted,
    ProcessExited,
    ProcessForked,
    Reset,
    Retransmission,
    SignalDelivered,
    SocketDestroyed,
    SocketError,
    SocketMemory,
    SocketState,
    SocketTable,
    SocketTimer,
    SystemCall,
    TcpInfo,
)
from netlab.timeline.timeline import Timeline

Relation = Literal["before", "after", "unknown"]
_WORKLOAD = "workload"
_SOURCES: dict[type, str] = {
    Packet: "packets",
    Reset: "events",
    Retransmission: "events",
    PacketDropped: "events",
    SocketError: "events",
    SystemCall: "calls",
    ProcessForked: "calls",
    ProcessExecuted: "calls",
    ProcessExited: "calls",
    SignalDelivered: "calls",
    SocketTable: "sock_diag",
    SocketDestroyed: "destroyed",
    SocketMemory: "samples",
    SocketTimer: "samples",
    TcpInfo: "samples",
    KernelMemory: "memory",
    DescriptorSeen: "descriptors",
    Decision: "wire",
}


def source_of(seen: AnyObservation) -> str:
    """The source that delivered an observation, by its report's name; "workload" for what netlab did itself."""
    if isinstance(seen, SocketState):
        return "lockstep" if seen.source == "sock_diag" else "states"
    return _SOURCES.get(type(seen), _WORKLOAD)


def order(timeline: Timeline, i: int, j: int) -> Relation:
    """Whether the observation at ``i`` came before or after the one at ``j``, or that this cannot be told.

    >>> order(Timeline(observations=(Packet(time=5, interface="", direction="in", data=b"", length=0),) * 2), 0, 1)
    'unknown'
    """
    one, other = timeline.observations[i], timeline.observations[j]
    if i == j:
        return "unknown"
    if _leads_to(one, i, other):
        return "before"
    if _leads_to(other, j, one):
        return "after"
    sources = source_of(one), source_of(other)
    doubt = 0 if sources[0] == sources[1] else sum(timeline.source(name).uncertainty for name in sources)
    if one.time == other.time and sources == (_WORKLOAD, _WORKLOAD):
        return "before" if i < j else "after"  # one thread did one after the other
    if abs(one.time - other.time) <= doubt:
        return "unknown"
    return "before" if one.time < other.time else "after"


def _leads_to(one: AnyObservation, index: int, other: AnyObservation) -> bool:
    """Whether the first must have come before the other."""
    match one, other:
        case CallStarted(), CallReturned():
            return (one.host, one.process, one.id) == (other.host, other.process, other.id)
        case SocketState(), SystemCall():
            # The thread changed the state inside the call, which stands at its end.
            return one.tid == other.tid != 0 and one.cause == "call" and other.began <= one.time <= other.time
        case Packet(), Packet():
            # Frames can be equal without being the same: only one that came at the instant it was sent needs the rule.
            copies = one.time == other.time and one.host != other.host and one.data == other.data
            return copies and (one.direction, other.direction) == ("out", "in")
        case _, SocketState():
            return other.caused_by == index and not isinstance(one, SystemCall)
    return False
