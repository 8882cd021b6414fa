"""A capture's packets as a scenario's steps: what peers send, the calls that make real stacks send theirs, and what is expected.

It refuses to know how the capture was read, and how steps are written into a file.
"""

from collections.abc import Mapping

from netlab.importing import patterns
from netlab.importing.datagrams import Datagrams
from netlab.importing.script import ACKNOWLEDGED, Script
from netlab.importing.segments import Connection, Datagram, Event, Refusal, Segment
from netlab.importing.sides import Side, pieces, writes, written_at_once
from netlab.importing.written import payload

_TIMEOUT_SEEN, _TIMEOUT_LEAST = 190_000_000, "150ms"
_LARGE, _EXACT = 8192, 10


class Playing:
    """Folds a capture's events, in their order, into a Script."""

    def __init__(self, script: Script, sides: Mapping[Connection, tuple[Side, Side]], datagrams: Datagrams, mtu: int) -> None:
        self._mtu = mtu
        self._script, self._sides, self._datagrams = script, sides, datagrams
        self._listeners: dict[tuple[str, int], str] = {}
        self._served = self._jobs = 0
        self._sending: dict[tuple[Connection, bool], tuple[int, str, Side]] = {}
        self._passed: dict[tuple[Connection, bool], int] = {}
        self._accepted: set[Connection] = set()
        self.notes: list[str] = []

    def listen(self) -> None:
        """A listening socket at each real server, but where it refused before it answered."""
        known: set[tuple[str, int]] = set()
        for connection, (_, server) in self._sides.items():
            key = (server.host, connection.server[1])
            if key not in known and (connection.answered or connection.refused):
                known.add(key)
                if connection.answered:
                    self._serve(connection, server)

    def _serve(self, connection: Connection, server: Side) -> None:
        """A real server listens before a connection that it answers, and no longer before one that it refuses."""
        key = (server.host, connection.server[1])
        listening = key in self._listeners
        if not server.real or (connection.answered, connection.refused) in ((listening, not listening), (False, False)):
            return
        if self._script.asserted:
            self._script.flush()
        if listening:
            self._script.call(server.host, f"close({self._listeners.pop(key)})")
            return
        self._served += 1
        name = self._listeners[key] = "s" if self._served == 1 else f"s{self._served}"
        self._socket(server.host, name, connection.server)
        self._script.call(server.host, f"listen({name}, 128)")

    def play(self, event: Event) -> None:
        """One more event."""
        match event:
            case Segment():
                if event is event.connection.segments[0]:
                    self._serve(event.connection, self._sides[event.connection][1])
                sender, receiver = self._sides[event.connection][:: 1 if event.from_client else -1]
                if sender.real:
                    self._real(event, sender, receiver)
                else:
                    self._peer(event, sender, receiver)
            case Datagram():
                self._datagrams.sent(event)
            case Refusal():
                self._datagrams.refused(event)
        self._script.time = event.time

    def finish(self, last: Event | None) -> None:
        """All that came is read, and what is expected is seen."""
        script = self._script
        if isinstance(last, Segment) and last.only_acknowledges and script.expected and script.expected[-1].endswith(ACKNOWLEDGED):
            sender = self._sides[last.connection][0 if last.from_client else 1]
            if sender.real:
                script.expected[-1] = script.expected[-1].replace("{0,}", "{1,}")
                script.asserted = True
        if any(not one.endswith("{0,}") for one in script.expected):
            script.flush()
        for _, job, side in self._sending.values():
            script.call(side.host, f"join {job}")
        for sides in self._sides.values():
            for side in sides:
                self._read(side)

    def _socket(self, host: str, name: str, end: tuple[str, int]) -> None:
        six = ":" in end[0]
        self._script.call(host, f"{name} = socket({'AF_INET6' if six else 'AF_INET'}, SOCK_STREAM, 0)")
        self._script.call(host, f"setsockopt({name}, SOL_SOCKET, SO_REUSEADDR, 1)")
        self._script.call(host, f"bind({name}, {'[::]' if six else '0.0.0.0'}:{end[1]})")

    def _turn(self, segment: Segment, what: str) -> None:
        """A comment where another side's, or another connection's, phase begins."""
        turn = (segment.connection, segment.from_client, what.split()[0])
        if turn != self._script.turn:
            if self._script.asserted:
                self._script.flush()
            sides = self._sides[segment.connection]
            self._script.comment(f"Packet {segment.number}: {sides[0 if segment.from_client else 1].endpoint} {what}.")
        self._script.turn = turn

    def _peer(self, segment: Segment, sender: Side, receiver: Side) -> None:
        script, connection = self._script, segment.connection
        if script.asserted:
            script.flush()
        if "R" in segment.flags:
            self._read(receiver)
        if not segment.only_acknowledges:
            self._turn(segment, _phrase(segment))
        script.pause(segment)
        script.call(sender.host, patterns.sent(segment, sender.endpoint, receiver.endpoint))
        script.expect(patterns.seen(segment, sender.endpoint, receiver.endpoint), asserted=False)
        if "S" not in segment.flags and "R" not in segment.flags:
            script.expect(f"{receiver.endpoint} > {sender.endpoint}{ACKNOWLEDGED}", asserted=False)
        self._received(segment, connection, receiver)

    def _received(self, segment: Segment, connection: Connection, receiver: Side) -> None:
        """What a segment does at a real receiver, told by its calls."""
        script = self._script
        if not receiver.real:
            return
        if segment.length or "F" in segment.flags:
            receiver.take(segment)
        if segment.from_client and "S" not in segment.flags and "R" not in segment.flags:
            self._accept(connection, receiver)
        if "R" in segment.flags and not segment.from_client and receiver.opening:
            script.flush()
            script.call(receiver.host, f"join {receiver.opening} -> ECONNREFUSED")
            script.call(receiver.host, f"close({receiver.socket})")
            receiver.opening, receiver.closed = "", True
        elif "R" in segment.flags and receiver.opened and not receiver.closed:
            if not receiver.end_of_file and not receiver.half_closed:
                script.call(receiver.host, f"recv({receiver.socket}, buf(1)) -> ECONNRESET")
            script.call(receiver.host, f"close({receiver.socket})")
            receiver.closed = True

    def _accept(self, connection: Connection, server: Side) -> None:
        if connection in self._accepted or not connection.answered:
            return
        self._accepted.add(connection)
        self._script.call(server.host, f"{server.socket} = accept({self._listeners[server.host, connection.server[1]]})")
        self._opened(connection, server, from_client=False)

    def _opened(self, connection: Connection, side: Side, *, from_client: bool) -> None:
        side.opened = True
        if writes(connection, from_client) > 1:
            self._script.call(side.host, f"setsockopt({side.socket}, IPPROTO_TCP, TCP_NODELAY, 1)")

    def _real(self, segment: Segment, sender: Side, receiver: Side) -> None:
        script, connection = self._script, segment.connection
        if segment.only_acknowledges:
            self._acknowledged(segment, sender, receiver)
        elif "R" in segment.flags:
            self._reset(segment, sender, receiver)
        elif segment.end <= sender.sent:
            self._sent_again(segment, sender, receiver)
        elif "S" in segment.flags:
            sender.sent = segment.end
            if segment.from_client:
                self._turn(segment, f"opens connection {connection.number}")
                script.pause(segment)
                self._socket(sender.host, sender.socket, connection.client)
                sender.opening = self._job("opening")
                script.call(sender.host, f"connect({sender.socket}, {receiver.endpoint}) & as {sender.opening}")
            self._own(patterns.opening(segment, sender.endpoint, receiver.endpoint, self._mtu), receiver)
        else:
            self._established(sender, receiver)
            if segment.length:
                self._data(segment, sender, receiver)
            if "F" in segment.flags:
                self._end(segment, sender, receiver)
            sender.sent = segment.end
        if receiver.real:
            self._received(segment, connection, receiver)

    def _own(self, pattern: str, receiver: Side) -> None:
        """What a stack has to have acknowledged; a peer does so only by a later step, before which it may come again."""
        script = self._script
        if receiver.real:
            script.expect(pattern)
        else:
            script.expect(f"{pattern} {{1,}}")
            script.again = f"{pattern} {{0,}}"

    def _acknowledged(self, segment: Segment, sender: Side, receiver: Side) -> None:
        if sender.opening and segment.connection.answered:
            self._script.expect(f"{sender.endpoint} > {receiver.endpoint} . seq 1 ack 1")
            self._established(sender, receiver)
        else:
            self._script.expect(f"{sender.endpoint} > {receiver.endpoint}{ACKNOWLEDGED}", asserted=False)

    def _established(self, sender: Side, receiver: Side) -> None:
        if sender.opening:
            self._script.flush()
            self._script.call(sender.host, f"join {sender.opening}")
            sender.opening = ""
            connection = next(one for one, sides in self._sides.items() if sender in sides)
            self._opened(connection, sender, from_client=True)

    def _sent_again(self, segment: Segment, sender: Side, receiver: Side) -> None:
        if receiver.real:
            self.notes.append(f"packet {segment.number}, sent again: between two stacks nothing is lost (choose one with --real)")
            return
        script = self._script
        gap = segment.time - script.time
        pattern = f"{sender.endpoint} > {receiver.endpoint} {patterns.flags(segment)} seq {segment.seq}"
        if script.asserted:
            script.flush()
            script.expected.clear()
        bound = ""
        if gap >= _TIMEOUT_SEEN:
            script.comment(
                f"Packet {segment.number}: {sender.endpoint} sends again what nobody acknowledged, after {gap / 1e9:.1f} s."
            )
            bound = f" after >={_TIMEOUT_LEAST}"
            script.within = f"{gap * 2 // 1_000_000_000 + 2}s"
        script.expect(f"{pattern}{bound} {{1,}}")
        script.again = f"{pattern} {{0,}}"

    def _data(self, segment: Segment, sender: Side, receiver: Side) -> None:
        script, key = self._script, (segment.connection, segment.from_client)
        ends = f"{sender.endpoint} > {receiver.endpoint}"
        if segment.seq >= sender.handed:
            self._turn(segment, "sends")
            self._read(sender)
            script.pause(segment)
            self._send(segment, sender, receiver)
        covered, job, _ = self._sending.get(key, (0, "", sender))
        if segment.seq < self._passed.get(key, 0):
            return  # all of it was expected at once
        for seq, length in pieces(segment):
            whole = seq + length == sender.handed
            self._own(f"{ends} {'P.' if whole else 'tcp'} seq {seq} len {length}", receiver)
            if receiver.real:
                script.expect(f"{receiver.endpoint} > {sender.endpoint}{ACKNOWLEDGED}", asserted=False)
        if job and segment.seq + segment.length >= covered:
            script.flush()
            script.call(sender.host, f"join {job}")
            del self._sending[key]

    def _send(self, segment: Segment, sender: Side, receiver: Side) -> None:
        """One write, and, where two stacks pass more than fits into their buffers, the reading of it at the same time."""
        script, key = self._script, (segment.connection, segment.from_client)
        group = written_at_once(segment)
        total = sum(one.length for one in group)
        data = b"".join(one.headers.payload for one in group)
        text = f"send({sender.socket}, {payload(data, total)}, MSG_NOSIGNAL)"
        sender.handed = segment.seq + total
        if total < _LARGE and len(group) <= _EXACT:
            script.call(sender.host, f"{text} -> {total}")
            return
        job = self._job("sending")
        if not receiver.real:
            self._sending[key] = (sender.handed, job, sender)
            script.call(sender.host, f"{text} & as {job} -> {total}")
            return
        script.flush()
        self._read(receiver)
        script.call(sender.host, f"{text} & as {job} -> {total}")
        script.call(receiver.host, f"recv({receiver.socket}, buf({total}), MSG_WAITALL) -> {total}")
        script.call(sender.host, f"join {job}")
        script.expect("...", asserted=False)
        # The last byte is asserted by recv(): where it is cut hangs on windows.
        script.expect(f"{sender.endpoint} > {receiver.endpoint} tcp")
        script.expect("...", asserted=False)
        script.again = f"{receiver.endpoint} > {sender.endpoint}{ACKNOWLEDGED}"
        receiver.arrived = self._passed[key] = sender.handed

    def _end(self, segment: Segment, sender: Side, receiver: Side) -> None:
        script, connection = self._script, segment.connection
        self._turn(segment, "ends its direction")
        self._read(sender)
        later = connection.segments[connection.segments.index(segment) + 1 :]
        goes_on = any(
            one.from_client != segment.from_client and one.seq + one.length > sender.arrived for one in later if one.length
        )
        resets = any(one.from_client == segment.from_client and "R" in one.flags for one in later)
        script.pause(segment)
        if goes_on and not resets:
            script.call(sender.host, f"shutdown({sender.socket}, SHUT_WR)")
            sender.half_closed = True
        else:
            if sender.end_of_file:
                script.call(sender.host, f"recv({sender.socket}, buf(1)) -> 0")
            script.call(sender.host, f"close({sender.socket})")
            sender.closed = True
        number = segment.seq + segment.length
        self._own(f"{sender.endpoint} > {receiver.endpoint} F. seq {number}", receiver)
        if receiver.real:
            script.expect(f"{receiver.endpoint} > {sender.endpoint}{ACKNOWLEDGED}", asserted=False)

    def _reset(self, segment: Segment, sender: Side, receiver: Side) -> None:
        """A reset that the program asked for; one that the stack sends by itself, as it has no such connection, needs no call."""
        script, flags = self._script, patterns.flags(segment)
        if sender.opened and not sender.closed:
            self._turn(segment, "resets the connection")
            self._read(sender)
            if receiver.real:
                self._read(receiver)
            script.pause(segment)
            script.call(sender.host, f"setsockopt({sender.socket}, SOL_SOCKET, SO_LINGER, {{linger:1,0}})")
            script.call(sender.host, f"close({sender.socket})")
            sender.closed, flags = True, "R."
        script.expect(f"{sender.endpoint} > {receiver.endpoint} {flags}")

    def _read(self, side: Side) -> None:
        if not side.real or not side.unread_size or side.closed or not side.opened:
            return
        out = payload(side.unread, side.unread_size)
        told = f" out {out}" if out.startswith('"') else ""
        self._script.call(side.host, f"recv({side.socket}, buf({side.unread_size}), MSG_WAITALL) -> {side.unread_size}{told}")
        side.unread, side.unread_size = b"", 0

    def _job(self, what: str) -> str:
        self._jobs += 1
        return f"{what}{self._jobs}"


def _phrase(segment: Segment) -> str:
    if "S" in segment.flags:
        return f"opens connection {segment.connection.number}" if segment.from_client else "answers"
    if "R" in segment.flags:
        return "resets the connection"
    return "sends" if segment.length else "ends its direction"
