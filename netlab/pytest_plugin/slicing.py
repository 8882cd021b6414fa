"""The slice of a timeline that a failing test shows: what happened last, a line each.

It does not know what the test expected.
"""

from collections.abc import Iterator

from netlab.check.packet_view import view
from netlab.report.lines import Lines
from netlab.scenario.spec import PacketsExpected
from netlab.timeline.observations import (
    CallReturned,
    CallStarted,
    Decision,
    Packet,
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

__all__ = ["slice_of"]

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
    SystemCall,
)
_MOST = 60


def slice_of(timeline: Timeline, most: int = _MOST) -> Iterator[str]:
    """The last observations, with their times in ms since the first one: packets at their sender, calls, states, impairments."""
    seen = timeline.observations
    packets = {one.index for one in view(PacketsExpected(patterns=()), packets_of(seen), timeline.nodes)}
    every = [
        index for index, one in enumerate(seen) if index in packets or (isinstance(one, _SHOWN) and not isinstance(one, Packet))
    ]
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
