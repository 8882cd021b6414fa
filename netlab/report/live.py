"""What happens in a watched lab while it happens: a line an event, repetitions folded, so that a person can follow.

It chooses what is shown and counts the rest; all of it stands in the timeline. It refuses to know what should have been.
"""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TextIO

from netlab.report.event_lines import kernel_line, process_line
from netlab.report.lines import printable
from netlab.report.packet_line import LiveLines, PacketLine
from netlab.timeline.headers import decode
from netlab.timeline.observations import (
    AnyObservation,
    Decision,
    Packet,
    PacketDropped,
    ProcessExecuted,
    ProcessExited,
    ProcessForked,
    Reset,
    Retransmission,
    SignalDelivered,
    SocketError,
    SocketState,
    SystemCall,
)
from netlab.timeline.timeline import Node

_TIME = 10
_WINDOW = 1_000_000_000
_ALIKE = 3
"""Of events that are alike, so many are shown in a window; the others are counted."""
_MOST = {"process": 15, "said": 30}
_MOST_OTHERS = 60
"""Of each kind, so many lines in a window."""
_NEIGHBOURS = frozenset({133, 134, 135, 136, 137, 130, 131, 132, 143})
"""ICMPv6 types of neighbour and multicast listener discovery (RFC 4861, RFC 3810): every network is full of them."""
_ABOUT_SOCKETS = frozenset(
    {"socket", "socketpair", "bind", "listen", "accept", "accept4", "connect", "shutdown", "sendto", "sendmsg", "sendmmsg"}
    | {"recvfrom", "recvmsg", "recvmmsg", "getsockopt", "setsockopt", "getsockname", "getpeername"}
)
_STYLES = {
    "call": "cyan",
    "failed": "yellow",
    "state": "green",
    "packet": "blue",
    "trouble": "bold red",
    "process": "magenta",
    "said": "",
    "more": "dim",
}
_WAITS = frozenset({"EAGAIN", "EINPROGRESS", "EINTR", "EALREADY"})


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveLine:
    """A line: ns since the start, node, text, and its kind: call, failed, state, packet, trouble, process, said, more."""

    time: int
    host: str
    text: str
    kind: str


@dataclass(slots=True, kw_only=True)
class _Alike:
    began: int
    what: str
    host: str
    count: int = 0
    folded: int = 0


@dataclass(slots=True, kw_only=True)
class _Window:
    began: int = 0
    shown: "Counter[str]" = field(default_factory=Counter)
    more: "Counter[str]" = field(default_factory=Counter)


class LiveView:
    """Makes the lines. ``owners`` has the name to show for an address; packets are shown as the node ``where`` sees them."""

    def __init__(self, owners: Mapping[str, str], began: int, where: str) -> None:
        self._began, self._where = began, where
        self._address = PacketLine(owners).address
        self._packets = LiveLines(owners)
        self._alike: dict[tuple[object, ...], _Alike] = {}
        self._window = _Window(began=began)
        self._said: list[LiveLine] = []

    def lines(self, observations: Sequence[AnyObservation], now: int) -> Iterator[LiveLine]:
        """The lines of what was seen next, in the order of time; ``now`` closes what was folded long enough."""
        for seen in observations:
            yield from self._said_until(seen.time)
            told = self._told(seen)
            if told is None:
                continue
            key, what, kind, text = told
            yield from self._over(seen.time)
            alike = self._alike.setdefault(key, _Alike(began=seen.time, what=what, host=seen.host))
            alike.count += 1
            if alike.count > _ALIKE:
                alike.folded += 1
            elif self._has_room(kind):
                yield self._line(seen.time, seen.host, printable(text), kind)
        yield from self._said_until(now)
        yield from self._over(now)

    def said(self, host: str, lines: Sequence[str], now: int) -> None:
        """A program beside the watched one wrote these lines: they come when it is their time."""
        self._said += [self._line(now, host, f"| {printable(line)}", "said") for line in lines]

    def end(self, now: int) -> Iterator[LiveLine]:
        """What is still folded."""
        yield from self._said_until(now)
        yield from self._over(max(now, self._window.began) + 2 * _WINDOW, at=now)

    def _said_until(self, time: int) -> Iterator[LiveLine]:
        while self._said and self._said[0].time <= time - self._began:
            line = self._said.pop(0)
            if self._has_room(line.kind):
                yield line

    def _has_room(self, kind: str) -> bool:
        """Whether one more of a kind is shown, rather than counted."""
        room = self._window.shown[kind] < _MOST.get(kind, _MOST_OTHERS)
        (self._window.shown if room else self._window.more)[kind] += 1
        return room

    def _line(self, at: int, host: str, text: str, kind: str) -> LiveLine:
        return LiveLine(time=max(0, at - self._began), host=host, text=text, kind=kind)

    def _over(self, now: int, at: int | None = None) -> Iterator[LiveLine]:
        """Tell of what was folded, once a window is over."""
        when = now if at is None else at
        if now - self._window.began < _WINDOW and at is None:
            return
        for key in [key for key, alike in self._alike.items() if now - alike.began >= _WINDOW]:
            alike = self._alike.pop(key)
            if alike.folded:
                yield self._line(when, alike.host, f"{printable(alike.what)} x {alike.folded} more", "more")
        if self._window.more:
            told = ", ".join(f"{kind} {count}" for kind, count in sorted(self._window.more.items()))
            yield self._line(when, "", f"more than can be shown: {told}", "more")
        self._window = _Window(began=now)

    def _told(self, seen: AnyObservation) -> tuple[tuple[object, ...], str, str, str] | None:
        """What makes an event like another, what such events are called, its kind and its line; None for one that is not shown."""
        match seen:
            case SystemCall():
                if not (seen.inode or seen.made or seen.call in _ABOUT_SOCKETS):
                    return None
                kind = "failed" if seen.errno and seen.errno not in _WAITS else "call"
                of = f"({seen.fd})" if seen.fd >= 0 else "()"
                what = f"{seen.program}[{seen.pid}] {seen.call}{of}{f' {seen.errno}' if seen.errno else ''}"
                return (what,), what, kind, process_line(seen)
            case SocketState():
                ends = f"{self._address(*seen.local)} to {self._address(*seen.remote)}"
                change = f"{seen.old} -> {seen.new}"
                server = min(seen.local, seen.remote, key=lambda one: one[1] or 1 << 16)
                return ("state", seen.host, change, server), change, "state", f"{change}  {ends}"
            case Packet() if seen.host == self._where:
                return self._packet(seen)
            case Reset() | Retransmission() | PacketDropped() | SocketError():
                text = kernel_line(seen, self._address)
                what = text.split(" ", 2)[0]
                return ("kernel", seen.host, type(seen).__name__, getattr(seen, "reason", "")), what, "trouble", text
            case ProcessForked() if not seen.thread:
                return ("fork", seen.host), f"{seen.program} forks", "process", process_line(seen)
            case ProcessExecuted():
                return ("exec", seen.host, seen.path), f"{seen.program} executes {seen.path}", "process", process_line(seen)
            case ProcessExited():
                how = f"{seen.program} ends with {seen.status}"
                return ("exit", seen.host, seen.status), how, "process", process_line(seen)
            case SignalDelivered():
                return ("signal", seen.host, seen.signal), f"{seen.signal} to {seen.program}", "process", process_line(seen)
            case Decision():
                text = f"link {seen.link}: {seen.action} {seen.packet}".rstrip()
                return ("decision", seen.link, seen.action, seen.rule), text, "trouble", text
            case _:
                return None

    def _packet(self, seen: Packet) -> tuple[tuple[object, ...], str, str, str] | None:
        headers = decode(seen.data)
        if not headers.source or headers.protocol == "arp" or (headers.protocol == "icmp6" and headers.type in _NEIGHBOURS):
            return None
        flags = "".join(sorted(headers.flags))
        # connections come and go: what is alike is what goes to or from the same service
        service = min(((port, name) for port, name in ((headers.sport, "from"), (headers.dport, "to")) if port), default=None)
        of = f" {service[1]} port {service[0]}" if service else ""
        what = f"{seen.interface} {seen.direction} {headers.protocol}{f' {flags}' if flags else ''}{of}"
        return (what,), what, "packet", self._packets.text(seen)


class LivePrinter:
    """Writes lines to a stream: on a terminal coloured, unless NO_COLOR forbids it, and each cut to one row."""

    def __init__(self, stream: TextIO, width: int) -> None:
        """``width`` is how much room the longest name of a node takes."""
        from rich.console import Console

        self._console = Console(file=stream, highlight=False, markup=False, emoji=False)
        self._stream, self._width, self._terminal = stream, width, stream.isatty()

    def write(self, lines: Iterator[LiveLine]) -> None:
        """Write them now."""
        if not self._terminal:
            self._stream.writelines(f"{self._text(line)}\n" for line in lines)
            self._stream.flush()
            return
        from rich.text import Text

        for line in lines:
            text = Text(self._text(line))
            text.stylize("dim", 0, _TIME)
            text.stylize(_STYLES[line.kind], _TIME)
            text.truncate(self._console.width, overflow="ellipsis")
            self._console.print(text, soft_wrap=True)

    def _text(self, line: LiveLine) -> str:
        return f"{line.time / 1e9:{_TIME}.6f} {line.host:<{self._width}}  {line.text}"


class Quiet:
    """Shows nothing of what happens."""

    def begin(self, time: int, nodes: Mapping[str, Node]) -> None:
        """Nothing."""

    def take(self, observations: Sequence[AnyObservation], time: int) -> None:
        """Nothing."""

    def said(self, host: str, lines: Sequence[str]) -> None:
        """Nothing."""

    def end(self) -> None:
        """Nothing."""


class Live:
    """Shows a watch on a stream; packets as the node ``where`` sees them."""

    def __init__(self, stream: TextIO, where: str) -> None:
        self._stream, self._where = stream, where

    def begin(self, time: int, nodes: Mapping[str, Node]) -> None:
        """The observers watch since ``time``."""
        owners = {
            address.split("/")[0]: name
            for name, node in nodes.items()
            for addresses in node.addresses.values()
            for address in addresses
        }
        self._view = LiveView(owners, time, self._where)
        self._printer = LivePrinter(self._stream, max(map(len, nodes), default=0))

    def take(self, observations: Sequence[AnyObservation], now: int) -> None:
        """Show what happened next."""
        self._printer.write(self._view.lines(observations, now))

    def said(self, host: str, lines: Sequence[str]) -> None:
        """Show what a program beside the watched one wrote."""
        self._view.said(host, lines, time.time_ns())

    def end(self) -> None:
        """Tell what is still folded."""
        self._printer.write(self._view.end(time.time_ns()))
