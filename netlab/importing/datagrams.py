"""The datagrams of a capture as calls: who has a socket, what is sent, and that it arrives.

It refuses to know about TCP.
"""

from collections.abc import Sequence

from netlab.importing.hosts import Cast
from netlab.importing.script import Script
from netlab.importing.segments import Datagram, End, Event, Refusal
from netlab.importing.written import payload

_HEADERS = {4: 28, 6: 48}


class Datagrams:
    """All datagrams of a capture; ``notes`` say which are left out."""

    def __init__(self, events: Sequence[Event], cast: Cast, writer: Script, mtu: int) -> None:
        self._cast, self._writer, self._mtu = cast, writer, mtu
        found = [one for one in events if isinstance(one, Datagram)]
        refused = {one.source for one in events if isinstance(one, Refusal)}
        senders = {one.source for one in found}
        self._ends = {end for one in found for end in (one.source, one.target)}
        self._closed = {one.target for one in found if one.target[0] in refused} - senders
        self._roles = {end: self._is_server(end, found) for end in self._ends}
        self._sockets: dict[End, str] = {}
        self._last: Datagram | None = None
        self.notes: list[str] = []

    def open(self) -> None:
        """A socket bound to each port that anything is sent from, or arrives at without being refused."""
        for end in sorted(self._ends - self._closed):
            name = self._sockets[end] = "u" if not self._sockets else f"u{len(self._sockets) + 1}"
            six = ":" in end[0]
            self._writer.call(self._host(end), f"{name} = socket({'AF_INET6' if six else 'AF_INET'}, SOCK_DGRAM, 0)")
            self._writer.call(self._host(end), f"bind({name}, {'[::]' if six else '0.0.0.0'}:{end[1]})")

    def sent(self, datagram: Datagram) -> None:
        """One is sent, seen and received."""
        writer = self._writer
        if datagram.length > self._mtu - _HEADERS[6 if ":" in datagram.source[0] else 4]:
            self.notes.append(f"packet {datagram.number}: a datagram that is larger than a packet may be")
            return
        if writer.asserted:
            writer.flush()
        writer.pause(datagram)
        source, target = (f"{self._host(end)}:{end[1]}" for end in (datagram.source, datagram.target))
        data = payload(datagram.data, datagram.length)
        writer.comment(f"Packet {datagram.number}: a datagram from {source} to {target}.")
        writer.call(
            self._host(datagram.source), f"sendto({self._sockets[datagram.source]}, {data}, 0, {target}) -> {datagram.length}"
        )
        if (name := self._sockets.get(datagram.target)) is not None:
            told = f" out {data}" if data.startswith('"') else ""
            writer.call(self._host(datagram.target), f"recv({name}, buf({max(datagram.length, 1)})) -> {datagram.length}{told}")
        writer.expect(f"{source} > {target} udp len {datagram.length}")
        self._last = datagram

    def refused(self, refusal: Refusal) -> None:
        """The port of the datagram before was closed."""
        last = self._last
        if last is None or last.target[0] != refusal.source or last.target not in self._closed:
            self.notes.append(f"packet {refusal.number}: an ICMP error about a packet that the capture does not have")
            return
        source, target = self._host(last.target), self._host(last.source)
        self._writer.expect(f"{source} > {target} {refusal.protocol} unreachable port")

    def _host(self, end: End) -> str:
        return self._cast.of(end, self._roles[end])

    def _is_server(self, end: End, found: Sequence[Datagram]) -> bool:
        first = next(one for one in found if end in (one.source, one.target))
        other = first.target if first.source == end else first.source
        return end[1] < other[1]
