"""Gives each argument of a call its form in memory, by its kind: numbers, addresses, buffers, options. Names are looked up.

It makes no call, and does not know the calls whose arguments hang together (messages, poll's descriptors): marshal.py does.
"""

from collections.abc import Callable, Mapping, Sequence

from netlab.notation import sockaddr
from netlab.notation.calls import Call
from netlab.notation.constants import combined, constant
from netlab.notation.pattern import pattern
from netlab.notation.printing import print_value
from netlab.notation.signatures import SIGNATURES, Parameter
from netlab.notation.values import BadPointer, Buffer, Constant, Name, Number, SocketAddress, Structure, Text, Value
from netlab.workload.environment import Environment
from netlab.workload.layouts import (
    ADDRESS_ROOM,
    STAT_ROOM,
    Argument,
    MarshalError,
    option_layout,
    pack_epoll_event,
    pack_int,
    pack_structure,
)

_POINTER_LENGTH = 16
"""The length passed with a bad pointer that names none."""

PAD_LIMIT = 4096
"""An explicit length beyond this is passed without as many bytes behind it."""


class Encoder:
    """One call while it is being encoded."""

    def __init__(self, call: Call, environment: Environment) -> None:
        self.call, self.environment = call, environment
        self.keywords = dict(call.keywords)
        signature = SIGNATURES[call.name]
        self.values: dict[str, Value | None] = {}
        if not signature.repeats:
            self.values = {parameter.name: value for parameter, value in signature.assign(call.arguments)}
        for keyword, name in (("addr", "address"), ("addrlen", "length")):
            if keyword in self.keywords:
                self.values[name] = self.keywords[keyword]

    def plain(self) -> list[Argument]:
        """By the signature's table."""
        args: list[Argument] = []
        for parameter in SIGNATURES[self.call.name].parameters:
            if parameter.kind != "length":
                args += _KINDS[parameter.kind](self, parameter, self.values.get(parameter.name))
        return args

    def refuse(self, value: Value | None, what: str) -> MarshalError:
        """The error for a value that has no form here."""
        shown = print_value(value) if value is not None else "nothing"
        return MarshalError(f"{self.call.name}: {shown} cannot be passed as {what}")

    def integer(self, value: Value | None, default: int = 0) -> int:
        """A number, a constant, or what a name stands for."""
        match value:
            case None:
                return default
            case Number(number):
                return number
            case Constant(names):
                return combined(names)
            case Name(name):
                return self.environment.descriptor(name)
            case SocketAddress(form="interface"):
                return self.environment.interface_index(value.interface)
        raise self.refuse(value, "a number")

    def number(self, parameter: Parameter, value: Value | None) -> list[Argument]:
        """A C integer."""
        return [["int", self.integer(value, parameter.default)]]

    def length(self, natural: int) -> int:
        """The explicit length if one was written, else the right one."""
        value = self.values.get("length")
        return natural if value is None else self.integer(value)

    def length_pointer(self, natural: int) -> Argument:
        """A pointer to a socklen_t that is read and written."""
        value = self.values.get("length")
        if isinstance(value, BadPointer):
            return ["null"] if value.null else ["bad"]
        return ["inout", pack_int(self.length(natural))]

    def family(self) -> int:
        """The family of the socket that the call is made on."""
        first = self.call.arguments[0]
        return self.environment.family(first.name if isinstance(first, Name) else self.integer(first))

    def address(self, value: SocketAddress) -> bytes:
        """The bytes of an address, at their right length."""
        port = self.environment.port_of(value.port_of) if value.port_of else value.port
        try:
            match value.form:
                case "ip":
                    host, _, scope = value.host.partition("%")
                    index = int(scope or 0) if scope.isdecimal() or not scope else self.environment.interface_index(scope)
                    return sockaddr.pack_ip(host, port, index)
                case "node":
                    return sockaddr.pack_ip(self.environment.node_address(value.host, value.interface, self.family()), port)
                case "family":
                    return sockaddr.pack_family(value.port)
                case "unix" if value.variant == "unnamed":
                    return sockaddr.pack_family(constant("AF_UNIX"), 2)
                case "unix":
                    pack = sockaddr.pack_unix if value.variant == "path" else sockaddr.pack_abstract
                    return pack(value.host)
                case "name":
                    raw = self.environment.address_of_name(value.host)
                    if raw is None:
                        raise MarshalError(f"{self.call.name}: {value.host} is no socket, so it has no address")
                    return sockaddr.vary(raw, value.variant)
        except ValueError as error:
            raise MarshalError(f"{self.call.name}: {print_value(value)}: {error}") from None
        raise self.refuse(value, "an address")

    def address_in(self, parameter: Parameter, value: Value | None) -> list[Argument]:
        """A pointer to an address, and its length."""
        match value:
            case None | Name("NONE"):
                return [["null"], ["int", self.length(0)]]
            case BadPointer(null, size):
                natural = sockaddr.INET6_LENGTH if self.family() == constant("AF_INET6") else sockaddr.INET_LENGTH
                return [["null"] if null else ["bad"], ["int", self.length(natural if size is None else size)]]
        raw = self.raw_address(value)
        explicit = value.length if isinstance(value, SocketAddress) else None
        length = self.length(len(raw)) if explicit is None else explicit
        return [["in", padded(raw, length)], ["int", length]]

    def raw_address(self, value: Value) -> bytes:
        """The bytes that an address argument stands for."""
        match value:
            case SocketAddress():
                return self.address(value)
            case Text(data):
                return data
            case Buffer(size):
                return pattern(size)
            case Name("BUF"):
                return sockaddr.pack_family(self.family())
        raise self.refuse(value, "an address")

    def address_out(self, parameter: Parameter, value: Value | None) -> list[Argument]:
        """A pointer to room for an address, and one to its length."""
        match value:
            case None | Name("BUF"):
                length = self.values.get("length")
                room = max(ADDRESS_ROOM, self.integer(length)) if isinstance(length, Number | Constant) else ADDRESS_ROOM
                return [["out", min(room, PAD_LIMIT)], self.length_pointer(ADDRESS_ROOM)]
            case Buffer(size):
                return [["out", size], self.length_pointer(size)]
            case Name("NONE") | BadPointer(True, None):
                return [["null"], ["null"] if self.values.get("length") is None else self.length_pointer(0)]
            case BadPointer(null, size):
                return [["null"] if null else ["bad"], self.length_pointer(_POINTER_LENGTH if size is None else size)]
        raise self.refuse(value, "a buffer for an address")

    def pointer(self, value: Value | None, *, out: bool) -> tuple[Argument, int]:
        """A buffer and its size."""
        match value:
            case Text(data):
                return (["out", len(data)] if out else ["in", data]), len(data)
            case Buffer(size):
                return (["out", size] if out else ["in", pattern(size)]), size
            case BadPointer(null, size):
                return ["null"] if null else ["bad"], _POINTER_LENGTH if size is None else size
            case Name("NONE"):
                return ["null"], 0
            case Name("BUF"):
                return self.pointer(Buffer(_POINTER_LENGTH), out=out)
        raise self.refuse(value, "a buffer")

    def buffer_in(self, parameter: Parameter, value: Value | None) -> list[Argument]:
        """A buffer to be sent, and its size."""
        argument, size = self.pointer(value, out=False)
        return [argument, ["int", size]]

    def buffer_out(self, parameter: Parameter, value: Value | None) -> list[Argument]:
        """A buffer to be filled, and its size."""
        argument, size = self.pointer(value, out=True)
        return [argument, ["int", size]]

    def members(self, members: Sequence[int | str]) -> list[int]:
        """The members of a structure, processes by their numbers."""
        return [self.environment.process_number(member) if isinstance(member, str) else member for member in members]

    def option_in(self, parameter: Parameter, value: Value | None) -> list[Argument]:
        """An option's value, and its size."""
        match value:
            case BadPointer() | Name("NONE"):
                argument, size = self.pointer(value, out=False)
                return [argument, ["int", self.length(size)]]
            case Structure(name, members):
                raw = pack_structure(name, self.members(members))
            case Text(data):
                raw = data
            case Buffer(size):
                raw = pattern(size)
            case SocketAddress(form="interface"):
                raw = self.interface(value)
            case _:
                raw = pack_int(self.integer(value))
        length = self.length(len(raw))
        return [["in", padded(raw, length)], ["int", length]]

    def interface(self, value: SocketAddress) -> bytes:
        """An interface as the option wants it: its name, or its index, in the network's byte order for two (ip(7), ipv6(7))."""
        option = self.integer(self.values["level"]), self.integer(self.values["option"])
        if option == (constant("SOL_SOCKET"), constant("SO_BINDTODEVICE")):
            return value.interface.encode() + b"\0"
        index = self.environment.interface_index(value.interface)
        swapped = (("IPPROTO_IP", "IP_UNICAST_IF"), ("IPPROTO_IPV6", "IPV6_UNICAST_IF"))
        if option in [(constant(level), constant(name)) for level, name in swapped]:
            return index.to_bytes(4, "big")
        return pack_int(index)

    def option_out(self, parameter: Parameter, value: Value | None) -> list[Argument]:
        """Room for an option's value, and a pointer to its size."""
        match value:
            case Buffer(size):
                return [["out", size], self.length_pointer(size)]
            case BadPointer() | Name("NONE"):
                argument, size = self.pointer(value, out=True)
                return [argument, self.length_pointer(size)]
            case None | Name("BUF" | "errno" | "str" | "len"):
                level, option = self.integer(self.values["level"]), self.integer(self.values["option"])
                room = option_layout(level, option, "str" if value == Name("str") else "").size
                wanted = room if isinstance(self.values.get("length"), BadPointer) else self.length(room)
                return [["out", max(room, min(wanted, PAD_LIMIT))], self.length_pointer(room)]
        raise self.refuse(value, "a buffer for an option")

    def event_in(self, parameter: Parameter, value: Value | None) -> list[Argument]:
        """A struct epoll_event whose data is the descriptor."""
        if isinstance(value, BadPointer):
            return [["null"] if value.null else ["bad"]]
        return [["in", pack_epoll_event(self.integer(value), self.integer(self.values["target"]))]]

    def events_out(self, parameter: Parameter, value: Value | None) -> list[Argument]:
        """Room for events."""
        if isinstance(value, BadPointer):
            return [["null"] if value.null else ["bad"]]
        many = min(max(self.integer(self.values["maxevents"]), 1), PAD_LIMIT)
        return [["out", len(pack_epoll_event(0, 0)) * many]]

    def path(self, parameter: Parameter, value: Value | None) -> list[Argument]:
        """A path, ended as C's strings are."""
        match value:
            case Text(data):
                return [["in", data + b"\0"]]
            case SocketAddress(form="unix", variant="path", host=host):
                return [["in", host.encode() + b"\0"]]
        return [self.pointer(value, out=False)[0]]

    def stat_out(self, parameter: Parameter, value: Value | None) -> list[Argument]:
        """Room for a struct stat."""
        return [["out", STAT_ROOM] if value is None else self.pointer(value, out=True)[0]]

    def pair_out(self, parameter: Parameter, value: Value | None) -> list[Argument]:
        """Room for two descriptors."""
        return [["out", 8] if value is None else self.pointer(value, out=True)[0]]


def padded(raw: bytes, length: int) -> bytes:
    """Zeros after the bytes up to an explicit length, so that the kernel never reads what is not ours."""
    return raw.ljust(min(max(length, 0), PAD_LIMIT), b"\0")


_KINDS: Mapping[str, Callable[[Encoder, Parameter, Value | None], list[Argument]]] = {
    "fd": Encoder.number,
    "int": Encoder.number,
    "milliseconds": Encoder.number,
    "argument": Encoder.number,
    "address in": Encoder.address_in,
    "address out": Encoder.address_out,
    "buffer in": Encoder.buffer_in,
    "buffer out": Encoder.buffer_out,
    "option in": Encoder.option_in,
    "option out": Encoder.option_out,
    "event in": Encoder.event_in,
    "events out": Encoder.events_out,
    "path": Encoder.path,
    "pair out": Encoder.pair_out,
    "stat out": Encoder.stat_out,
}
