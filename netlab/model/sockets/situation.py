"""A call about to be made in a world: its arguments as values, and what its descriptor stands for. It judges nothing."""

from collections.abc import Mapping
from typing import Any

from netlab.model.sockets.arguments import Argument, read_arguments
from netlab.model.sockets.objects import Connection, Flow, Object, Socket, Unknown
from netlab.model.sockets.world import Description, Descriptor, Host, Process, World
from netlab.notation.calls import Call
from netlab.notation.constants import constant


class Situation:
    """One call in one world.

    ``args`` has the arguments by the names of netlab.notation.signatures (one left out has the default there, None for a pointer);
    ``resumed`` is true for a call that blocked and may now go on, with ``note`` from the outcome that let it block; ``waited`` is
    how long it has been inside, in ns, None where that is not known; ``at`` is the time (ns) at which it returns, 0 if unknown.
    ``fd`` is the descriptor that the call is about, -1 for none. ``found`` is what a guard found out, for the rules after it.
    ``held`` is the description that a call which blocked has kept open, 0 for none: then it is about that one. ``before`` is the
    socket as it was when the call began to wait: what decides how long it waits, and for how much, is read then and not again.
    """

    __slots__ = (
        "args", "at", "before", "call", "description", "descriptor", "fd", "found", "note", "object", "process", "process_name",
        "resumed", "socket_id", "waited", "world",
    )  # fmt: skip

    def __init__(
        self,
        world: World,
        process: str,
        call: Call,
        *,
        resumed: bool = False,
        note: Any = None,
        waited: int | None = None,
        at: int = 0,
        held: int = 0,
        before: Socket | None = None,
    ) -> None:
        self.world, self.call, self.resumed, self.note = world, call, resumed, note
        self.waited, self.at, self.before = waited, at, before
        self.found: Any = None
        self.process_name = process
        self.process: Process = world.processes[process]
        self.args: Mapping[str, Argument] = read_arguments(call, world, process)
        fd = self.args.get("fd", -1)
        self.fd = fd if isinstance(fd, int) else -1
        self.descriptor: Descriptor | None = Descriptor(held) if held in world.descriptions else self.process.table.get(self.fd)
        self.description: Description | None = None
        self.object: Object | None = None
        self.socket_id = 0
        if self.descriptor is not None:
            self.description = world.descriptions[self.descriptor.description]
            self.socket_id = self.description.object
            self.object = world.objects[self.socket_id]
        elif not self.process.whole and self.fd >= 0 and self.fd not in self.process.gone:
            self.object = Unknown(why="nobody told what this descriptor is")

    @property
    def host(self) -> Host:
        """The host whose network it is about: that of the socket, which stays where it was made; of the process without one."""
        return self.world.hosts[self.object.host if isinstance(self.object, Socket) else self.process.host]

    @property
    def kind(self) -> str:
        """What the rules are looked up by: the object's kind, "none" without one."""
        return self.object.kind if self.object is not None else "none"

    @property
    def socket(self) -> Socket:
        """The socket that the call is about; only where the kind says that it is one."""
        assert isinstance(self.object, Socket)
        return self.object

    @property
    def as_socket(self) -> Socket | None:
        """The socket that the call is about, if it is about one."""
        return self.object if isinstance(self.object, Socket) else None

    @property
    def at_first(self) -> Socket:
        """The socket as it was when the call began; only where the kind says that it is one."""
        return self.before if self.before is not None else self.socket

    @property
    def nonblocking(self) -> bool:
        """Whether the description has O_NONBLOCK, or this call MSG_DONTWAIT."""
        flags = self.description.flags if self.description is not None else 0
        return bool(flags & _O_NONBLOCK) or bool(
            self.number("flags") & _MSG_DONTWAIT and self.call.name.startswith(("send", "recv"))
        )

    def number(self, name: str, default: int = 0) -> int:
        """An argument that is a number."""
        value = self.args.get(name)
        return value if isinstance(value, int) else default

    def flag(self, name: str) -> bool:
        """Whether the call's ``flags`` have a bit, by its constant's name: flag("MSG_PEEK")."""
        return bool(self.number("flags") & constant(name))

    def option(self, level: str, name: str, default: Any = 0) -> Any:
        """What setsockopt() gave the socket for an option, by the constants' names."""
        return self.socket.options.get((constant(level), constant(name)), default)

    @property
    def connection(self) -> Connection | None:
        """The socket's connection."""
        return self.world.connections.get(self.socket.connection)

    @property
    def side(self) -> int:
        """Which end of its connection the socket is: 0 who connected, 1 who was connected to."""
        connection = self.connection
        return 0 if connection is not None and connection.ends[0] == self.socket_id else 1

    @property
    def incoming(self) -> Flow:
        """What the peer sends to this socket."""
        connection = self.connection
        return connection.flows[1 - self.side] if connection is not None else Flow()

    @property
    def outgoing(self) -> Flow:
        """What this socket sends to its peer."""
        connection = self.connection
        return connection.flows[self.side] if connection is not None else Flow()

    @property
    def descriptor_free(self) -> int | None:
        """The number that a new descriptor gets; None where that is not known."""
        number = self.process.lowest_free()
        known = self.process.told or (self.process.whole and number < self.process.others_from)
        return number if known else None


_O_NONBLOCK = constant("O_NONBLOCK")
_MSG_DONTWAIT = constant("MSG_DONTWAIT")
