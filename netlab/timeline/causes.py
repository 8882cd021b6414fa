"""What made each transition happen: the call, the segment, the error message or the timer; by evidence alone, or not at all.

It does not know which transitions are right, nor what a segment of some kind ought to do: only what came in last before, which
call was under way on that very socket and had not yet had its effect, on which thread it happened, and how long things take.
Where two causes remain, or a call may have gone unseen, the cause stays empty. That a timer did it only a source can tell that sees
timers run: that nothing else was seen proves nothing (a close() of a Unix socket ends the TCP socket that was in flight in it).

What it rests on (Linux 6.18): a call changes a state in its own thread (net/ipv4/tcp.c: tcp_close, tcp_shutdown, tcp_v4_connect,
inet_csk_listen_start). A segment is stamped when it enters the receiver (net_timestamp_check in net/core/dev.c) and processed after
that; on a veth in the softirq of whoever sent it, so that its thread says nothing about the receiver.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from netlab.timeline.calls_under_way import CallsUnderWay, UnderWay
from netlab.timeline.headers import decode
from netlab.timeline.identity import Identities
from netlab.timeline.joined import dropped_headers, ends, plain
from netlab.timeline.observation import Address
from netlab.timeline.observations import AnyObservation, Packet, ProcessExited, SocketState
from netlab.timeline.timeline import Node, Timeline

# From a segment's stamp to the transition it makes: 4 to 30 us on a quiet machine, never less than the way through IP and TCP.
_FASTEST = 500
# On a busy one it waits for its turn. The shortest timers, which tests set, take 5 ms: it must be sooner where nobody sees timers.
_PROMPT, _PROMPT_UNTIMED = 50_000_000, 2_000_000
# What one call does, it does at once.
_AT_ONCE = 1_000_000
# A segment that came in so long before a call began had been processed by then.
_SETTLED = 100_000
# A process's end is told up to so long before or after what it closes.
_ENDING = 50_000_000
_Place = tuple[str, Address, Address]


@dataclass(frozen=True, slots=True)
class _Arrival:
    """A segment, or an error message about one, that came in. ``end`` is the sequence number after it, None where it takes none."""

    time: int
    index: int
    cause: str
    end: int | None


@dataclass(frozen=True, slots=True)
class _Told:
    """A transition's cause: "" and -1 where it is not known."""

    cause: str = ""
    by: int = -1


def with_causes(observations: Sequence[AnyObservation], nodes: Mapping[str, Node] | None = None) -> tuple[AnyObservation, ...]:
    """The same observations, every SocketState with its ``cause`` and ``caused_by``, an index in the same tuple.

    They must be all of a run, in the order of time. What a source has already set is kept. ``nodes`` are the timeline's.
    """
    found = _Causes(observations, nodes or {})
    return tuple(
        msgspec.structs.replace(seen, cause=told.cause, caused_by=told.by)
        if isinstance(seen, SocketState) and not seen.cause and (told := found.told.get(index, _Told())).cause
        else seen
        for index, seen in enumerate(observations)
    )


class _Causes:
    def __init__(self, observations: Sequence[AnyObservation], nodes: Mapping[str, Node]) -> None:
        timeline = Timeline(observations=tuple(observations), nodes=dict(nodes))
        self._identities = Identities.of(timeline)
        self._calls = CallsUnderWay(timeline, self._identities)
        self._arrived: dict[_Place, list[_Arrival]] = {}
        self._sent: dict[_Place, list[tuple[int, int | None]]] = {}
        self._exits: dict[tuple[str, int], tuple[int, int]] = {}
        self._before: dict[int, SocketState] = {}
        self._spent: dict[tuple[int, int], int] = {}
        self.told: dict[int, _Told] = {}
        timed = any(isinstance(seen, SocketState) and "timer" in (seen.source, seen.cause) for seen in timeline.observations)
        self._prompt = _PROMPT if timed else _PROMPT_UNTIMED
        for index, seen in enumerate(timeline.observations):
            if isinstance(seen, Packet):
                self._passed(index, seen)
            elif isinstance(seen, ProcessExited):
                self._exits[seen.host, seen.pid] = (seen.time, index)
        for index, seen in enumerate(timeline.observations):
            if isinstance(seen, SocketState):
                told = self.told[index] = _Told(seen.cause, seen.caused_by) if seen.cause else self._cause(index, seen)
                socket = self._identities.socket(index)
                if socket is not None:
                    self._before[socket.number] = seen
                    if told.cause in ("call", "segment"):
                        self._spent.setdefault((socket.number, told.by), seen.time)

    def _passed(self, index: int, seen: Packet) -> None:
        headers = decode(seen.data)
        if headers.protocol == "tcp" and (found := ends(headers)) is not None:
            source, target = found
            if seen.direction == "out" or seen.interface == "lo":
                self._sent.setdefault((seen.host, source, target), []).append((seen.time, headers.ack))
            if seen.direction == "in":
                size = headers.length + len(headers.flags & {"S", "F"})
                end = (headers.seq + size) % 2**32 if size and headers.seq is not None else None
                self._arrived.setdefault((seen.host, target, source), []).append(_Arrival(seen.time, index, "segment", end))
        elif seen.direction == "in" and headers.protocol in ("icmp", "icmp6"):
            about = ends(dropped_headers(headers.payload[4:]))
            if about is not None:
                self._arrived.setdefault((seen.host, *about), []).append(_Arrival(seen.time, index, "icmp", None))

    def _cause(self, index: int, seen: SocketState) -> _Told:
        socket = self._identities.socket(index)
        if socket is None:
            return _Told()
        before, arrivals = self._before.get(socket.number), list(self._arrivals(seen))
        last = arrivals[-1] if arrivals else None
        under_way = self._calls.of(socket, seen)
        if len(under_way) > 1:
            under_way = [call for call in under_way if seen.tid and call.tid == seen.tid]
            if len(under_way) != 1:
                return _Told()
        call = under_way[0] if under_way else None
        if call is not None and before is not None and (socket.number, call.index) in self._spent:
            # It has had its effect already. What follows at once, with nothing come in between, is still its doing.
            since = self._spent[socket.number, call.index]
            if before.time == since and seen.time - since < _AT_ONCE and (last is None or last.time < since):
                return _Told("call", call.index)
        elif call is not None:
            return self._call_or_segment(seen, call, arrivals, before)
        elif last is None or seen.time - last.time > _SETTLED:
            ended = self._ended(seen)
            if ended.cause:
                return ended
        unseen = not self._calls.seen(socket, seen) or self._calls.strays(socket, seen)
        # What one segment does, it does at once: to make a child, say, and to establish it.
        spent = last is not None and seen.time - self._spent.get((socket.number, last.index), seen.time) > _AT_ONCE
        if unseen or spent or last is None or not _FASTEST <= seen.time - last.time <= self._prompt:
            return _Told()
        return _Told(last.cause, last.index)

    def _call_or_segment(
        self, seen: SocketState, call: UnderWay, arrivals: Sequence[_Arrival], before: SocketState | None
    ) -> _Told:
        """A call is under way that may have done it. A segment that may still be in process leaves the matter open."""
        since = [arrival for arrival in arrivals if arrival.time >= call.began and seen.time - arrival.time >= _FASTEST]
        same_thread = bool(seen.tid) and seen.tid == call.tid
        if since:
            answered = any(call.began <= time <= since[-1].time for time, _ in self._sent.get(_place(seen), ()))
            return _Told("call", call.index) if same_thread and not answered else _Told()
        earlier = [arrival for arrival in arrivals if arrival.time < call.began]
        if not earlier or same_thread or self._was_processed(earlier[-1], seen, call, before):
            return _Told("call", call.index)
        return _Told()

    def _was_processed(self, arrival: _Arrival, seen: SocketState, call: UnderWay, before: SocketState | None) -> bool:
        """Whether what came in before a call began was over and done with by then."""
        if call.began - arrival.time > _SETTLED or (before is not None and arrival.time <= before.time < call.began):
            return True
        sent = self._sent.get(_place(seen), ())
        return arrival.end is not None and any(
            arrival.time < time < call.began and ack is not None and (ack - (arrival.end or 0)) % 2**32 < 2**31
            for time, ack in sent
        )

    def _arrivals(self, seen: SocketState) -> Iterator[_Arrival]:
        """What came in for the connection, from as long ago as matters, in the order of time."""
        came = self._arrived.get(_place(seen), [])
        first = bisect_left(came, seen.time - self._prompt, key=lambda one: one.time)
        yield from came[first : bisect_right(came, seen.time, key=lambda one: one.time)]

    def _ended(self, seen: SocketState) -> _Told:
        """Nothing came in, and no call on the socket was under way: its thread may have been giving descriptors away, or ending."""
        if not seen.tid or not seen.inode:
            return _Told()
        call = self._calls.of_thread(seen)
        if call is not None:
            return _Told("call", call.index)
        found = self._exits.get((seen.host, seen.tid))
        return _Told("exit", found[1]) if found is not None and abs(seen.time - found[0]) < _ENDING else _Told()


def _place(seen: SocketState) -> _Place:
    return seen.host, plain(seen.local), plain(seen.remote)
