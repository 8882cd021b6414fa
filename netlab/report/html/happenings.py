"""What a ladder shows, in the order of time: calls and what they gave, packets, decisions, states, events; each in short words.

Samples (socket tables, counters, memory) and housekeeping packets are left to the list of all observations, unless one of them is
where a verdict failed. It refuses to know where on a page anything stands.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from itertools import zip_longest

from netlab.model.rfc_states import RfcConnection, rfc_connections
from netlab.notation.calls import CallText
from netlab.notation.parse import NotationError, parse_step
from netlab.notation.printing import print_call
from netlab.report.event_lines import process_line
from netlab.report.html.hops import Hop, Hops, hops_of
from netlab.report.lines import Lines, printable
from netlab.timeline.identity import Identities, Socket
from netlab.timeline.observations import (
    AnyObservation,
    CallReturned,
    CallStarted,
    Decision,
    PacketDropped,
    ProcessExecuted,
    ProcessExited,
    ProcessForked,
    ProgramEnded,
    Reset,
    Retransmission,
    SignalDelivered,
    SocketError,
    StepBegan,
    SystemCall,
)
from netlab.timeline.streams import flags_text, options_text
from netlab.timeline.timeline import Timeline

__all__ = ["Happening", "Happenings", "happenings_of"]

_EVENTS = (
    PacketDropped,
    ProcessExecuted,
    ProcessExited,
    ProcessForked,
    ProgramEnded,
    Reset,
    Retransmission,
    SignalDelivered,
    SocketError,
)
_LIFE = (ProcessExecuted, ProcessExited, ProcessForked, SignalDelivered)
_TRANSFERS = frozenset({
    "send", "sendto", "sendmsg", "sendmmsg", "write", "writev", "sendfile", "recv", "recvfrom", "recvmsg", "recvmmsg",
    "read", "readv", "poll", "ppoll", "select", "pselect6", "epoll_wait", "epoll_pwait", "epoll_pwait2", "getsockopt",
})  # fmt: skip
"""Calls that programs make over and over."""
_DONE = {
    "drop": "dropped",
    "overflow": "queue full: dropped",
    "delay": "delayed",
    "hold": "held",
    "release": "released",
    "duplicate": "duplicated",
    "reorder": "reordered",
    "corrupt": "corrupted",
    "truncate": "truncated",
    "mark": "marked",
    "reset": "answered with a RST",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One thing that happened, at ``index`` in the timeline, at ``time`` in ns.

    ``kind`` is call, return, packet, decision, state, event or step. ``host`` is whose column it is in, "" that of nobody. ``text``
    is short, ``told`` whole. ``until`` is when a call returned (None: it never did, 0: this is no call). ``alike`` is the same for
    those that may be folded together, and empty for what is never folded; ``size`` is a packet's payload in bytes. ``tone`` is
    "bad" for errors and drops; ``state`` is a TCP state's name. ``step`` is the number of the scenario's step, from 1. ``covers``
    are all observations that it stands for, ``started`` is the one at which a call began.
    """

    index: int
    time: int
    kind: str
    host: str = ""
    text: str = ""
    told: str = ""
    until: int | None = 0
    alike: tuple[str, ...] = ()
    size: int = 0
    tone: str = ""
    state: str = ""
    step: int = 0
    hop: Hop | None = None
    covers: tuple[int, ...] = ()
    started: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Happenings:
    """Everything that a ladder shows of one timeline."""

    shown: tuple[Happening, ...]
    hops: Hops
    identities: Identities
    connections: tuple[tuple[Socket | None, RfcConnection], ...]
    start: int
    end: int


def happenings_of(timeline: Timeline, *, marked: Collection[int] = ()) -> Happenings:
    """What a ladder of this timeline shows; what is ``marked`` is shown, whatever it is."""
    hops, identities = hops_of(timeline, wanted=marked), Identities.of(timeline)
    connections = rfc_connections(timeline.observations)
    owners = tuple((identities.socket(one.transitions[0].observed[0]), one) for one in connections if one.transitions)
    telling = _Telling(timeline, hops, identities)
    found = [*telling.calls(), *telling.packets(), *telling.others(marked), *_states(owners)]
    found.sort(key=lambda one: (one.time, one.index))
    seen = timeline.observations
    return Happenings(
        shown=tuple(_together(found)),
        hops=hops,
        identities=identities,
        connections=owners,
        start=seen[0].time if seen else 0,
        end=seen[-1].time if seen else 0,
    )


def _together(found: list[Happening]) -> Iterator[Happening]:
    """A call that nothing came between and its return is one line; the return is where it is marked."""
    skip = False
    for one, following in zip_longest(found, found[1:]):
        if skip:
            skip = False
            continue
        skip = following is not None and one.kind == "call" and following.kind == "return" and following.started == one.started
        if skip and following is not None:
            told = f"{one.told} {following.told}"
            covers = (*one.covers, *following.covers)
            yield replace(one, text=f"{one.text} {following.text}", told=told, tone=following.tone, covers=covers)
        else:
            yield one


class _Telling:
    """Puts the observations of one timeline into words."""

    def __init__(self, timeline: Timeline, hops: Hops, identities: Identities) -> None:
        self._timeline = timeline
        self._observations = timeline.observations
        self._lines = Lines(timeline)
        self._hops = hops
        self._identities = identities
        ports = {frozenset((one.seen.headers.sport, one.seen.headers.dport)) for one in hops.hops}
        self._one_connection = len(ports) < 2

    def calls(self) -> Iterator[Happening]:
        returned = {(one.process, one.id): (i, one) for i, one in enumerate(self._observations) if isinstance(one, CallReturned)}
        for index, seen in enumerate(self._observations):
            if isinstance(seen, SystemCall):
                yield from self._system_call(index, seen)
            elif isinstance(seen, CallStarted):
                at, after = returned.get((seen.process, seen.id), (index, None))
                who = "" if seen.process == seen.host else f"{seen.process.removeprefix(f'{seen.host}/')}: "
                alike = ("call", seen.host, seen.call) if seen.call in _TRANSFERS and after is not None and not after.errno else ()
                yield Happening(
                    index=index,
                    time=seen.time,
                    kind="call",
                    host=seen.host,
                    text=printable(who + _as_written(seen)),
                    told=self._lines.line(index),
                    until=after.time if after is not None else None,
                    alike=alike,
                    step=seen.step + 1,
                    covers=(index,),
                    started=index,
                )
                if after is not None:
                    text, bad = printable(_result(after)), bool(after.errno or after.signal)
                    yield Happening(
                        index=at,
                        time=after.time,
                        kind="return",
                        host=seen.host,
                        text=f"= {text}",
                        told=f"{who}{after.call}() = {text}",
                        alike=alike,
                        tone="bad" if bad else "",
                        covers=(at,),
                        started=index,
                    )

    def _system_call(self, index: int, seen: SystemCall) -> Iterator[Happening]:
        told = self._lines.line(index)
        text = printable(process_line(seen).replace(f"{seen.program}[{seen.pid}] ", f"{seen.program}: ", 1))
        call, _, gave = text.rpartition(") ")
        ordinary = seen.returned and not seen.errno and seen.call in _TRANSFERS
        alike = ("call", seen.host, seen.call) if ordinary or not (seen.inode or seen.made) else ()
        until = seen.time if seen.returned else None
        yield Happening(
            index=index,
            time=seen.began,
            kind="call",
            host=seen.host,
            text=f"{call})",
            told=told,
            until=until,
            alike=alike,
            covers=(index,),
            started=index,
        )
        yield Happening(
            index=index,
            time=seen.time,
            kind="return",
            host=seen.host,
            text=gave,
            told=told,
            alike=alike,
            tone="bad" if seen.errno and seen.errno not in ("EAGAIN", "EINPROGRESS") else "",
            covers=(index,),
            started=index,
        )

    def packets(self) -> Iterator[Happening]:
        for hop in self._hops.hops:
            headers = hop.seen.headers
            flags = headers.flags
            ordinary = not flags & {"S", "F", "R"} and not hop.decisions and hop.sent is not None and hop.arrived
            what = "data" if headers.length else "ACK" if headers.protocol == "tcp" else "packet"
            what = "datagram" if headers.protocol == "udp" else what
            yield Happening(
                index=hop.index,
                time=hop.time,
                kind="packet",
                host=hop.source if hop.sent is not None else hop.target,
                text=printable(self._packet(hop)),
                told=self._lines.line(hop.index),
                alike=(what, hop.source, hop.target) if ordinary else (),
                size=headers.length,
                hop=hop,
            )

    def _packet(self, hop: Hop) -> str:
        """Flags, relative numbers, length; ports where there is more than one connection."""
        headers, numbers = hop.seen.headers, hop.seen.numbers
        words = [] if self._one_connection or headers.sport is None else [f"{headers.sport}>{headers.dport}"]
        if headers.protocol == "tcp" and headers.seq is not None:
            words += [flags_text(headers.flags), f"seq {numbers.seq}"]
            words += [f"ack {numbers.ack}"] if numbers.ack is not None else []
            words += [f"len {headers.length}"] if headers.length else []
            options = [one for one in headers.options if "S" in headers.flags and one[0] not in ("nop", "TS")]
            words += [f"<{options_text(options)}>"] if options else []
            words += [f"<sack {_relative(value, hop)}>" for name, value in headers.options if name == "sack"]
        elif headers.type is not None:
            words += [headers.protocol, f"type {headers.type}" + (f" code {headers.code}" if headers.code else "")]
        else:
            words += [headers.protocol or f"ethertype {headers.ethertype:#06x}", f"len {headers.length}"]
        if headers.fragment is not None:
            words.append(f"fragment at {headers.fragment}")
        return " ".join(words)

    def others(self, marked: Collection[int]) -> Iterator[Happening]:
        called = {one.step for one in self._observations if isinstance(one, CallStarted)}
        packets = {hop.index for hop in self._hops.hops}
        for index, seen in enumerate(self._observations):
            told = ""
            match seen:
                case StepBegan():
                    if seen.index not in called or index in marked:
                        text = printable(seen.text)
                        yield Happening(index=index, time=seen.time, kind="step", text=text, told=text, step=seen.index + 1)
                case Decision():
                    yield self._decision(index, seen)
                case CallStarted() | CallReturned() | SystemCall():
                    pass
                case _ if isinstance(seen, _EVENTS) or (index in marked and index not in packets):
                    told = self._lines.line(index)
                    text = printable(self._event(index, seen) or told)
                    alike = ("event", "of", "processes") if isinstance(seen, _LIFE) else ()
                    yield Happening(index=index, time=seen.time, kind="event", host=seen.host, text=text, told=told, alike=alike)

    def _event(self, index: int, seen: AnyObservation) -> str:
        """The commonest events without what the column, the lane or the packet beside them tells."""
        name = socket_name(self._identities.socket(index))
        who = f"{name}: " if name else ""
        match seen:
            case Reset():
                return f"{who}RST {seen.direction}" + (f": {seen.reason}" if seen.reason else "")
            case Retransmission():
                return f"{who}retransmits the {seen.what}"
            case SocketError():
                return f"{who}error {seen.errno}"
            case PacketDropped():
                return f"{seen.interface or 'kernel'} drops it: {seen.reason}" if seen.data else ""
        return ""

    def _decision(self, index: int, seen: Decision) -> Happening:
        hop = self._hops.decided.get(index)
        done = _DONE.get(seen.action, seen.action)
        more = [f"at {seen.barrier}"] if seen.barrier else []
        more += [f"by {value / 1e6:g} ms" if name == "delay" else f"{name} {value}" for name, value in seen.values.items()]
        rule = f"rule {seen.rule!r}" if seen.rule not in ("", "...") else "a rule for every packet"
        words = [done, *more, "·", f"{rule}, match {seen.occurrence}"]
        if hop is None:
            words = [seen.direction, *words]
        bad = seen.action in ("drop", "overflow")
        return Happening(
            index=index,
            time=seen.time,
            kind="decision",
            text=printable(" ".join(words)),
            told=self._lines.line(index),
            tone="bad" if bad else "",
            alike=("delay",) if seen.action == "delay" else (),
            hop=hop,
        )


def _states(owners: tuple[tuple[Socket | None, RfcConnection], ...]) -> Iterator[Happening]:
    for socket, connection in owners:
        name = socket_name(socket)
        for one in connection.transitions:
            yield Happening(
                index=one.observed[-1],
                time=one.time,
                kind="state",
                host=connection.host,
                text=name,
                told=f"{name or 'socket'}: {one.old} to {one.new}",
                state=one.new,
                covers=one.observed,
            )


def socket_name(socket: Socket | None) -> str:
    """The scenario's name for a socket without its host, which the column tells, or a process's descriptor; "" for none."""
    if socket is None:
        return ""
    if socket.names:
        return printable(socket.names[0].removeprefix(f"{socket.host}.").removeprefix(f"{socket.host}/"))
    held = next((one for one in socket.holdings), None)
    return "" if held is None else f"fd {held.fd}"


def _relative(blocks: str, hop: Hop) -> str:
    """SACK blocks (RFC 2018 §3) counted as the acknowledgement beside them is."""
    headers, numbers = hop.seen.headers, hop.seen.numbers
    zero = (headers.ack or 0) - (numbers.ack or 0)
    return re.sub(r"\d+", lambda found: str((int(found[0]) - zero) % 2**32), blocks)


def _as_written(seen: CallStarted) -> str:
    """The call as the scenario has it, without what was expected of it."""
    text = seen.text.removeprefix(f"{seen.process}: ")
    try:
        parsed = parse_step(text)
    except NotationError:
        return text
    return print_call(parsed.call) if isinstance(parsed, CallText) else text


def _result(seen: CallReturned) -> str:
    if seen.signal:
        return f"ended by {seen.signal}"
    value = f"{seen.result} {seen.errno}".strip()
    return value if seen.out is None else f"{value}, gives {seen.out}"
