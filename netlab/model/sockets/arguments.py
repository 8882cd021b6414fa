"""A call's arguments as values in a world: numbers, addresses, buffers; names turned into descriptors, constants into numbers.

It reads the notation's values and looks names up; whether an argument makes sense is for the rules.
"""

import socket
from collections.abc import Mapping
from functools import lru_cache
from ipaddress import ip_address

import msgspec

from netlab.model.sockets.objects import Address, Socket
from netlab.model.sockets.world import World
from netlab.notation.calls import Call
from netlab.notation.constants import combined
from netlab.notation.signatures import SIGNATURES
from netlab.notation.values import (
    BadPointer,
    Buffer,
    Constant,
    Name,
    Number,
    Parts,
    Rights,
    SocketAddress,
    Structure,
    Text,
    Value,
)


class Data(msgspec.Struct, frozen=True):
    """A buffer of ``size`` bytes; ``content`` is what it holds, None where nobody said."""

    size: int
    content: bytes | None = None


class Unknown(msgspec.Struct, frozen=True):
    """An argument of which nothing is known: ``why``. A call with one is judged only by rules that do not ask for it."""

    why: str = ""


Argument = int | str | Address | Data | BadPointer | Structure | Rights | Parts | Unknown | tuple[tuple[int, int], ...] | None


def read_arguments(call: Call, world: World, process: str) -> Mapping[str, Argument]:
    """Each argument by its name in the signature; poll's pairs as ``pairs``: ((fd, events), ...). Keywords are there by theirs."""
    signature = SIGNATURES[call.name]
    if signature.repeats and not (call.arguments and isinstance(call.arguments[0], BadPointer)):
        *pairs, timeout = call.arguments
        read = [_value(one, world, process, 4) for one in pairs]
        numbers = [one if isinstance(one, int) else -1 for one in read]
        return {"pairs": tuple(zip(numbers[::2], numbers[1::2], strict=False)), "timeout": _value(timeout, world, process, 4)}
    fixed, asked = _written(call)
    if not asked:
        return fixed
    found = dict(fixed)
    version = 4
    given = found.get("fd")
    for name, value in asked:
        if name != "fd" and version == 4 and isinstance(value, SocketAddress) and isinstance(given, int):
            version = _version(given, world, process)
        found[name] = one = _value(value, world, process, version)
        if name == "fd":
            given = one
    return found


@lru_cache(maxsize=4096)
def _written(call: Call) -> tuple[dict[str, Argument], tuple[tuple[str, Value], ...]]:
    """What each argument of a call is in every world, and those that hang on the world, in the order in which they are written."""
    fixed: dict[str, Argument] = {}
    asked: list[tuple[str, Value]] = []
    for parameter, value in SIGNATURES[call.name].assign(call.arguments):
        if value is None:
            fixed[parameter.name] = parameter.default if parameter.kind == "int" else None
        else:
            asked.append((parameter.name, value))
    asked += call.keywords
    for name, value in asked:
        match value:
            case Number(number):
                fixed[name] = number
            case Constant(names):
                fixed[name] = combined(names)
            case Text(data):
                fixed[name] = Data(len(data), data)
            case Buffer(size):
                fixed[name] = Data(size)
            case SocketAddress(form="ip") if "%" not in value.host:
                fixed[name] = _ip(value, 0)
    return fixed, tuple((name, value) for name, value in asked if name not in fixed)


def _version(fd: int, world: World, process: str) -> int:
    """The IP version of the socket that a call is about: a node's name stands for its address in that family."""
    descriptor = world.processes[process].table.get(fd)
    one = world.objects[world.descriptions[descriptor.description].object] if descriptor is not None else None
    return 6 if isinstance(one, Socket) and one.family == "inet6" else 4


def _value(value: Value, world: World, process: str, version: int) -> Argument:
    match value:
        case Number(number):
            return number
        case Constant(names):
            return combined(names)
        case Name(name):
            return _named(name, world, process)
        case Text(data):
            return Data(len(data), data)
        case Buffer(size):
            return Data(size)
        case Call():
            return Unknown("a call is no value")
        case SocketAddress():
            return read_address(value, world, process, version)
    return value


def _named(name: str, world: World, process: str) -> Argument:
    if name in ("BUF", "NONE", "len", "str", "errno"):
        return None if name == "BUF" else name
    number = world.processes[process].names.get(name)
    return number if number is not None else Unknown(f"nothing is named {name}")


def read_address(written: SocketAddress, world: World, process: str, version: int = 4) -> Argument:
    """The address that the notation's stands for in this world."""
    match written.form:
        case "ip":
            return _ip(written, _scope(written.host, world, process))
        case "unix":
            kind = {"unixfamilyonly": "unnamed"}.get(written.variant, written.variant)
            return Address(int(socket.AF_UNIX), written.host, kind=kind, length=written.length)
        case "family":
            return Address(written.port, length=written.length)
        case "name":
            return _name_of(written, world, process)
        case "interface":
            return written.interface
    return _node(written, world, process, version)


def _ip(written: SocketAddress, scope: int) -> Address:
    family = socket.AF_INET6 if ":" in written.host else socket.AF_INET
    return Address(int(family), _canonical(written.host), written.port, length=written.length, scope=scope)


def _scope(host: str, world: World, process: str) -> int:
    """The interface's number that follows a %, of a name or as it is; 0 without one (RFC 4007 11)."""
    zone = host.partition("%")[2]
    return int(zone) if zone.isdecimal() else world.hosts[world.processes[process].host].interfaces.get(zone, 0)


@lru_cache(maxsize=1024)
def _canonical(host: str) -> str:
    """As inet_ntop writes it: mapped addresses as ::ffff:10.0.0.1."""
    if ":" not in host:
        return host
    return socket.inet_ntop(socket.AF_INET6, ip_address(host.partition("%")[0]).packed)


_LOCAL = {"v4": "127.0.0.1", "v6": "::1", "any4": "0.0.0.0", "any6": "::"}


def _name_of(written: SocketAddress, world: World, process: str) -> Argument:
    """@x: getsockname(x) now, or the address saved as x."""
    owner = world.processes[process]
    saved = owner.saved.get(written.host)
    name: Address | None = saved
    if saved is None:
        found = _socket_named(written.host, world, process)
        if found is None:
            return Unknown(f"nothing is named {written.host}")
        name = local_name(found)
    assert name is not None
    if written.variant and name.family != int(socket.AF_UNIX):
        name = _vary(name, written.variant)
    return msgspec.structs.replace(name, length=written.length)


def _vary(name: Address, variant: str) -> Address:
    if variant == "port0":
        return msgspec.structs.replace(name, port=0)
    if variant == "mapped":
        plain = name.host if name.family == int(socket.AF_INET) and name.host != "0.0.0.0" else "127.0.0.1"
        return Address(int(socket.AF_INET6), f"::ffff:{plain}", name.port)
    family = socket.AF_INET if variant.endswith("4") else socket.AF_INET6
    return Address(int(family), _LOCAL[variant], name.port)


def _socket_named(name: str, world: World, process: str) -> Socket | None:
    """The socket that a name stands for: of this process, or of another as "process.name"."""
    owner = world.processes[process]
    if name not in owner.names:
        other, _, name = name.rpartition(".")
        if other not in world.processes:
            return None
        owner = world.processes[other]
    descriptor = owner.table.get(owner.names.get(name, -1))
    found = world.objects[world.descriptions[descriptor.description].object] if descriptor is not None else None
    return found if isinstance(found, Socket) else None


def local_name(one: Socket) -> Address:
    """What getsockname() gives: the wildcard and port 0 for an IP socket without a name (POSIX getsockname())."""
    if one.local is not None:
        return one.local
    if one.family == "inet":
        return Address(int(socket.AF_INET), "0.0.0.0")
    if one.family == "inet6":
        return Address(int(socket.AF_INET6), "::")
    return Address(one.domain, kind="unnamed")


def _node(written: SocketAddress, world: World, process: str, version: int) -> Argument:
    """server:8080: that host's address of this IP version, one on a network of ours if it has any."""
    host = world.hosts.get(written.host)
    if host is None:
        return Unknown(f"no host is named {written.host}")
    mine = world.hosts[world.processes[process].host]
    fitting = [one for one in host.addresses if ip_address(one).version == version and not _loopback(one)]
    fitting.sort(key=lambda one: not any(ip_address(one) in network for network in mine.networks))
    port = written.port
    if written.port_of:
        found = _socket_named(written.port_of, world, process) or _socket_elsewhere(written.port_of, world)
        if found is None or found.local is None:
            return Unknown(f"the port of {written.port_of} is not known")
        port = found.local.port
    if not fitting:
        return Unknown(f"{written.host} has no address of this family")
    number = socket.AF_INET if version == 4 else socket.AF_INET6
    return Address(int(number), fitting[0], port, length=written.length)


def _socket_elsewhere(name: str, world: World) -> Socket | None:
    found = [process for process in world.processes if name in world.processes[process].names]
    return _socket_named(f"{found[0]}.{name}", world, found[0]) if len(found) == 1 else None


def _loopback(host: str) -> bool:
    return ip_address(host).is_loopback
