"""The other sides of a log's connections that the log does not show: what they must have done, as calls of their own.

It refuses to know about the log's own processes.
"""

from collections.abc import Callable, Sequence

from netlab.importing.strace_sockets import Call, Socket
from netlab.importing.written import payload

Write = Callable[[str, str], None]


class Others:
    """Plays each unseen side at a host named ``other``; ``host`` is the log's own."""

    def __init__(self, write: Write, host: str, other: str) -> None:
        self._write, self._host, self._other = write, host, other
        self._listeners: dict[tuple[str, int], str] = {}
        self._sides: dict[Socket, str] = {}
        self._unread: dict[Socket, int] = {}
        self._ended: set[Socket] = set()
        self._count = 0

    def listen(self, sockets: Sequence[Socket], refused: Sequence[Socket]) -> None:
        """Before anything else: who was connected to, or sent to, without refusing, was there."""
        for one in sockets:
            if one.role == "connect" and one.remote is not None and one not in refused:
                key = (one.kind, one.remote[1])
                if key in self._listeners:
                    continue
                name = self._listeners[key] = f"there{len(self._listeners) + 1}"
                self._bound(name, one.family, one.kind, one.remote[1])
                if one.kind == "SOCK_STREAM":
                    self._write(self._other, f"listen({name}, 128)")

    def connected(self, one: Socket) -> None:
        """A connection of the log's own has come about."""
        if one.kind != "SOCK_STREAM" or one.remote is None or one in self._sides:
            return
        listener = self._listeners.get((one.kind, one.remote[1]))
        if listener is not None:
            self._sides[one] = self._name()
            self._write(self._other, f"{self._sides[one]} = accept({listener})")

    def connect(self, one: Socket) -> None:
        """Before an accept() of the log's that gave ``one``."""
        self._sides[one] = name = self._name()
        port = one.local[1] if one.local else 0
        self._write(self._other, f"{name} = socket({one.family}, SOCK_STREAM, 0)")
        self._write(self._other, f"connect({name}, {self._host}:{port})")

    def sent(self, one: Socket, call: Call) -> None:
        """The log's process sent to this side."""
        if one.kind == "SOCK_DGRAM":
            target = call.address or one.remote
            name = self._listeners.get((one.kind, target[1])) if target else None
            if name is not None:
                self._sides[one] = name
                self._write(self._other, f"recv({name}, buf({max(call.size, 1)})) -> {call.size}")
        elif one in self._sides:
            self._unread[one] = self._unread.get(one, 0) + call.size

    def sends(self, one: Socket, call: Call) -> None:
        """Before a recv() of the log's that gave what this side sent: bytes, the end, or a reset."""
        name = self._sides.get(one)
        if name is None and call.address is not None:
            name = self._listeners.get((one.kind, call.address[1]))
        if name is None or one in self._ended:
            return
        if one.kind == "SOCK_DGRAM":
            if call.size:
                data = payload(call.bytes, call.size)
                self._write(self._other, f"sendto({name}, {data}, 0, {self._host}:@{one.name}) -> {call.size}")
            return
        if call.size and not call.made.errno:
            self._read(one, name)
            self._write(self._other, f"send({name}, {payload(call.bytes, call.size)}, MSG_NOSIGNAL) -> {call.size}")
        elif call.made.errno == "ECONNRESET":
            self._read(one, name)
            self._write(self._other, f"setsockopt({name}, SOL_SOCKET, SO_LINGER, {{linger:1,0}})")
            self._end(one, name)
        elif not call.made.errno:
            self._read(one, name)
            self._end(one, name)

    def _end(self, one: Socket, name: str) -> None:
        self._write(self._other, f"close({name})")
        self._ended.add(one)

    def _read(self, one: Socket, name: str) -> None:
        if size := self._unread.pop(one, 0):
            self._write(self._other, f"recv({name}, buf({size}), MSG_WAITALL) -> {size}")

    def _bound(self, name: str, family: str, kind: str, port: int) -> None:
        self._write(self._other, f"{name} = socket({family}, {kind}, 0)")
        if kind == "SOCK_STREAM":
            self._write(self._other, f"setsockopt({name}, SOL_SOCKET, SO_REUSEADDR, 1)")
        self._write(self._other, f"bind({name}, {'[::]' if family == 'AF_INET6' else '0.0.0.0'}:{port})")

    def _name(self) -> str:
        self._count += 1
        return f"x{self._count}"
