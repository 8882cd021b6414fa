"""What a call may come to: a value, an errno, a signal or being blocked; what it gives besides; and the world after it.

An outcome is what a rule allows, with bounds where more than one thing is allowed; ``Seen`` is what really came. Whether the two
agree is decided here, and nothing else.
"""

import re
from collections.abc import Callable
from typing import Any, Literal, Protocol

import msgspec

from netlab.model.sockets.objects import Address
from netlab.model.sockets.world import World
from netlab.notation.constants import combined


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a call, as CallReturned has it: ``out`` in the form that workload/replies.py gives it. Times in ns.

    ``partial`` is true where only part is known (a scenario that asserts no more than success): ``result`` is one possible value.
    """

    result: int = 0
    errno: str = ""
    signal: str = ""
    out: Any = None
    elapsed: int | None = None
    partial: bool = False


class Between(msgspec.Struct, frozen=True):
    """Any number from ``least`` to ``most``."""

    least: int
    most: int


class NewDescriptor(msgspec.Struct, frozen=True):
    """A new descriptor: ``number`` where the lowest free one is known, else None."""

    number: int | None


class FlagsSet(msgspec.Struct, frozen=True):
    """A number in which these bits are set, and those of ``clear`` are not; what else is set is free."""

    set: int
    clear: int = 0


Value = int | Between | NewDescriptor | FlagsSet


class Out(Protocol):
    """What a call gives besides its value."""

    def accepts(self, out: Any, world: World) -> bool:
        """Whether what came is allowed."""

    def shown(self, world: World) -> Any:
        """As `predict --json` and messages write it."""


class Exactly(msgspec.Struct, frozen=True):
    """This value."""

    value: Any

    def accepts(self, out: Any, world: World) -> bool:
        """Equal."""
        return bool(out == self.value)

    def shown(self, world: World) -> Any:
        """The value itself."""
        return self.value


class AtLeast(msgspec.Struct, frozen=True):
    """A number of at least this."""

    least: int
    most: int | None = None

    def accepts(self, out: Any, world: World) -> bool:
        """A number within the bounds."""
        return isinstance(out, int) and out >= self.least and (self.most is None or out <= self.most)

    def shown(self, world: World) -> Any:
        """>=N; N where both bounds are the same."""
        return self.least if self.most == self.least else f">={self.least}"


class OneOf(msgspec.Struct, frozen=True):
    """One of these values."""

    values: tuple[Any, ...]

    def accepts(self, out: Any, world: World) -> bool:
        """Equal to one of them."""
        return out in self.values

    def shown(self, world: World) -> Any:
        """The values."""
        return list(self.values) if len(self.values) > 1 else self.values[0]


class Events(msgspec.Struct, frozen=True):
    """Poll's or epoll's events: those of ``must`` are set, those of ``may`` can be, no other is. ``prefix`` is POLL or EPOLL."""

    must: int
    may: int = 0
    prefix: str = "POLL"

    def accepts(self, out: Any, world: World) -> bool:
        """The bits by their names."""
        if not isinstance(out, str):
            return False
        bits = 0 if out == "0" else combined(tuple(out.split("|")))
        return bits & self.must == self.must and not bits & ~(self.must | self.may)

    def shown(self, world: World) -> Any:
        """The bits by their names, what may be set besides after "may be"."""
        from netlab.notation.constants import flag_names

        must = flag_names(self.prefix, self.must)
        extra = self.may & ~self.must
        return f"{must} may be {flag_names(self.prefix, extra)}" if extra else must


class AnAddress(msgspec.Struct, frozen=True):
    """An address whose port may not be known yet: then any port that the kernel chooses is allowed, and learnt (``learning``)."""

    address: Address | None

    def accepts(self, out: Any, world: World) -> bool:
        """The same text; any port not 0 where it is unknown."""
        if not isinstance(out, str):
            return False
        if self.address is None:
            return out in ("", "unixfamilyonly")
        wanted = write_address(self.address, world)
        if world.port(self.address.port) >= 0:
            return out == wanted
        host, _, port = out.rpartition(":")
        if self.address.family == _UNIX:
            return host == "abstract" and _AUTOMATIC.fullmatch(port) is not None
        return host == wanted[:-2] and port.isdigit() and int(port) > 0

    def shown(self, world: World) -> Any:
        """127.0.0.1:80; 127.0.0.1:* where the port is not known."""
        return "" if self.address is None else write_address(self.address, world)


class Message(msgspec.Struct, frozen=True):
    """What recvmsg gives, {data, flags, from, control}: each part by its name; parts left out are free."""

    parts: dict[str, Out]

    def accepts(self, out: Any, world: World) -> bool:
        """Every part agrees."""
        return isinstance(out, dict) and all(part.accepts(out.get(name), world) for name, part in self.parts.items())

    def shown(self, world: World) -> Any:
        """The parts."""
        return {name: part.shown(world) for name, part in self.parts.items()}


class Anything(msgspec.Struct, frozen=True):
    """Whatever it gives."""

    def accepts(self, out: Any, world: World) -> bool:
        """Yes."""
        return True

    def shown(self, world: World) -> Any:
        """A star."""
        return "*"


Learn = Callable[[World, Seen], World]


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that may come of a call, and the ``world`` then.

    kind "returns": ``value`` and ``out``      kind "fails": ``errno`` (``signal``: one is sent, too, and does not end the process)
    kind "blocks": it stays inside; ``note`` is kept for when it goes on       kind "ends": ``signal`` ends the process
    ``learn`` makes the world more exact by what was seen (a number of bytes, a port). ``least``: it lasts at least so many ns.
    """

    kind: Literal["returns", "fails", "blocks", "ends"]
    world: World
    value: Value = 0
    errno: str = ""
    signal: str = ""
    out: Out | None = None
    learn: Learn | None = None
    least: int = 0
    note: object = None

    def accepts(self, seen: Seen, world: World) -> bool:
        """Whether this is what came."""
        if seen.elapsed is not None and seen.elapsed < self.least:
            return False
        if self.kind == "ends":
            return seen.signal == self.signal
        if seen.signal:
            return False
        if self.kind == "fails":
            return seen.errno == self.errno
        if self.kind != "returns" or seen.errno:
            return False
        if not seen.partial and not agrees(self.value, seen.result):
            return False
        return self.out is None or (seen.out is None and seen.partial) or self.out.accepts(seen.out, world)

    def after(self, seen: Seen) -> World:
        """The world after it, with all that was seen taken in."""
        return self.world if self.learn is None else self.learn(self.world, seen)

    def shown(self) -> dict[str, Any]:
        """As `predict --json` writes it."""
        if self.kind == "fails":
            return {"errno": self.errno} | ({"signal": self.signal} if self.signal else {})
        if self.kind == "ends":
            return {"signal": self.signal}
        if self.kind == "blocks":
            return {"blocks": True}
        shown: dict[str, Any] = {"ret": show_value(self.value)}
        if isinstance(self.value, NewDescriptor) and self.value.number is not None:
            shown["fd"] = self.value.number
        if self.out is not None:
            shown["out"] = self.out.shown(self.world)
        return shown


def agrees(value: Value, result: int) -> bool:
    """Whether a number is within a value's bounds."""
    match value:
        case Between(least, most):
            return least <= result <= most
        case NewDescriptor(number):
            return result >= 0 if number is None else result == number
        case FlagsSet(wanted, clear):
            return result >= 0 and result & wanted == wanted and not result & clear
    return result == value


def show_value(value: Value) -> Any:
    """A value in the notation of results: 5, fd, >=1, &4."""
    match value:
        case Between(least, most):
            return least if least == most else f"{least}..{most}"
        case NewDescriptor():
            return "fd"
        case FlagsSet(wanted, _):
            return f"&{wanted}"
    return value


def candidates(value: Value) -> tuple[int, ...]:
    """Numbers that stand for a value where none was seen: its bounds."""
    match value:
        case Between(least, most):
            return (most,) if least == most else (most, least)
        case NewDescriptor(number):
            return (number if number is not None else 3,)
        case FlagsSet(wanted, _):
            return (wanted,)
    return (value,)


def write_address(address: Address, world: World) -> str:
    """An address as netlab.notation.sockaddr writes it, with * for a port that is not known."""
    if address.family == _UNIX:
        if address.kind in ("", "unnamed"):
            return "unixfamilyonly"
        if address.port < 0:
            number = world.port(address.port)
            return "abstract:*" if number < 0 else f"abstract:{number:05x}"
        return f"abstract:{address.host}" if address.kind == "abstract" else f"unix:{address.host}"
    port = world.port(address.port)
    shown = "*" if port < 0 else str(port)
    if address.family == _INET6:
        return f"[{address.host}{f'%{address.scope}' if address.scope else ''}]:{shown}"
    if address.family == _INET:
        return f"{address.host}:{shown}"
    return f"family{address.family}" if address.family else "unspec"


def learning(address: Address | None) -> Learn | None:
    """Take in the port of an address that the call gives, where it was not known."""
    if address is None or address.port >= 0:
        return None

    def learn(world: World, seen: Seen) -> World:
        if not isinstance(seen.out, str) or world.port(address.port) >= 0:
            return world
        port = seen.out.rpartition(":")[2]
        if address.family == _UNIX:
            return world.learnt(address.port, int(port, 16)) if _AUTOMATIC.fullmatch(port) else world
        return world.learnt(address.port, int(port)) if port.isdigit() else world

    return learn


_UNIX, _INET, _INET6 = 1, 2, 10
_AUTOMATIC = re.compile("[0-9a-f]{5}")  # the abstract name that the kernel chooses (unix(7), Autobind feature)
