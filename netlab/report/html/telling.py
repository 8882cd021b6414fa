"""Puts the observations of a timeline into the short words of a ladder: calls, packets, decisions, events.

It refuses to know in which order they are shown, and where.
"""

import re
from collections.abc import Collection, Iterator

from netlab.notation.calls import CallText
from netlab.notation.parse import NotationError, parse_step
from netlab.notation.printing import print_call
from netlab.report.event_lines import process_line
from netlab.report.html.happening import Happening
from netlab.report.html.hops import Hop, Hops
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

__all__ = ["Telling", "socket_name"]

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
_TOOK = re.compile(r", [\d.]+ ms$")
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


class Telling:
    """Puts the observations of one timeline into words."""

    def __init__(self, timeline: Timeline, hops: Hops, identities: Identities) -> None:
        self._timeline = timeline
        self._observations = timeline.observations
        self._lines = Lines(timeline)
        self._hops = hops
        self._identities = identities
        headers = [one.seen.headers for one in hops.hops]
        ports = {frozenset((one.sport, one.dport)) for one in headers if one.sport is not None}
        self._one_connection = len(ports) < 2

    def calls(self) -> Iterator[Happening]:
        """What the workload and programs called, and what that gave: a call and its return each."""
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
        line = process_line(seen).replace(f"{seen.program}[{seen.pid}] ", f"{seen.program}: ", 1)
        for name in seen.arguments:
            line = line.replace(f" {name} ", " ", 1).replace(f"({name} ", "(", 1)
        call, _, gave = printable(_TOOK.sub("", line)).rpartition(") ")
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
        """Each hop of each packet; what has no SYN, FIN or RST and met nothing on its way may be folded."""
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
        """Steps without a call, decisions, what the kernel and processes did, and what is ``marked``."""
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
