"""What of a timeline is the test's: the calls of its programs among all that were seen, and the slice that its failure shows.

It does not know what the test expected.
"""

from collections.abc import Collection, Iterator

from netlab.check.packet_view import view
from netlab.report.lines import Lines
from netlab.scenario.spec import PacketsExpected
from netlab.timeline.observations import (
    CallReturned,
    CallStarted,
    Decision,
    PacketDropped,
    ProcessExecuted,
    ProgramEnded,
    Reset,
    Retransmission,
    SocketError,
    SocketState,
    SystemCall,
)
from netlab.timeline.streams import packets_of
from netlab.timeline.timeline import Timeline

__all__ = ["calls_of", "slice_of"]

_SHOWN = (
    CallReturned,
    CallStarted,
    Decision,
    PacketDropped,
    ProcessExecuted,
    ProgramEnded,
    Reset,
    Retransmission,
    SocketError,
    SocketState,
)
_MOST = 60


def calls_of(timeline: Timeline, ours: Collection[int]) -> frozenset[int]:
    """Where the system calls of programs are, which are not of processes that are ``ours``, nor before a process was a program."""
    programs: set[int] = set()
    found: list[int] = []
    for index, seen in enumerate(timeline.observations):
        if isinstance(seen, ProcessExecuted):
            programs.add(seen.pid)
        elif isinstance(seen, SystemCall) and seen.pid in programs and seen.pid not in ours:
            found.append(index)
    return frozenset(found)


def slice_of(timeline: Timeline, ours: Collection[int] = (), most: int = _MOST) -> Iterator[str]:
    """The last observations, with their times in ms since the first one: packets at their sender, calls (but the system calls of
    processes that are ``ours``), states, impairments."""
    seen = timeline.observations
    shown_too = calls_of(timeline, ours).union(
        one.index for one in view(PacketsExpected(patterns=()), packets_of(seen), timeline.nodes)
    )
    every = [index for index, one in enumerate(seen) if index in shown_too or isinstance(one, _SHOWN)]
    if not every:
        yield "nothing was observed"
        return
    shown, lines = every[-most:], Lines(timeline)
    times = [f"{(seen[index].time - seen[every[0]].time) / 1e6:.3f}" for index in shown]
    digits, wide = max(map(len, times)), max(len(seen[index].host) for index in shown)
    yield f"in ms since the first of {len(every)} observations{f'; the last {most}' if len(every) > most else ''}:"
    for index, at in zip(shown, times, strict=True):
        yield f"  {at:>{digits}}  {seen[index].host:<{wide}}  {lines.line(index)}"
    lost = [f"{report.name} lost {report.lost}" for report in timeline.sources if report.lost]
    if lost:
        yield f"not all is there: {', '.join(lost)}"
