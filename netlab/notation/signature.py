"""What a row of the table of calls says: its parameters by kind, what the call gives, whether it may block, and its source.

It knows how arguments are assigned to parameters; which calls there are stands in signatures.py and own_signatures.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from netlab.notation.values import Value

Kind = Literal[
    "fd", "int", "address in", "address out", "length", "buffer in", "buffer out", "option in", "option out", "message in",
    "message out", "pollfd", "event in", "events out", "fd set", "milliseconds", "path", "pair out", "argument", "limit",
    "stat out", "call",
]  # fmt: skip
"""What an argument is. "length" is an explicit length of the pointer before it; "pollfd" is a descriptor and its events, and may
be repeated; "argument" is whatever fcntl's command or ioctl's request wants; "call" is a call that is made elsewhere or later."""

Returns = Literal["fd", "count", "int", "pid", "status", "address", "number", "inner"]
"""What a call gives on success: a new descriptor, a number of bytes or descriptors, a number, a process, or just 0; an address or a
number that its name stands for from then on; what the call that is its argument gives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One argument as the notation writes it. One that is not ``required`` may be left out, and is ``default`` then."""

    name: str
    kind: Kind
    required: bool = True
    default: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """One call. ``names`` is how many names it may bind; ``libc`` is false for steps of netlab's own that no C library has."""

    name: str
    parameters: tuple[Parameter, ...]
    keywords: tuple[str, ...] = ()
    returns: Returns = "status"
    names: int = 0
    blocks: bool = False
    libc: bool = True
    source: str
    repeats: bool = field(init=False)
    """Whether an argument may be repeated: descriptor and events of poll."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "repeats", any(parameter.kind == "pollfd" for parameter in self.parameters))

    @property
    def usage(self) -> str:
        """How the call is written: ``bind(fd, address[, length])``."""
        if self.repeats:
            return f"{self.name}(fd, events[, fd, events ...], timeout)"
        shown = ""
        for parameter in self.parameters:
            separator = ", " if shown.strip("[]") else ""
            shown += separator + parameter.name if parameter.required else f"[{separator}{parameter.name}]"
        return f"{self.name}({shown}{''.join(f'[, {keyword}=]' for keyword in self.keywords)})"

    def assign(self, arguments: Sequence[Value]) -> tuple[tuple[Parameter, Value | None], ...]:
        """Each parameter with its argument, None for one left out: what is required comes first, the rest fills up from the left.

        So ``accept4(s, flags)`` and ``accept4(s, address, length, flags)`` both say what they mean. Raises ValueError, with the
        usage, when the number of arguments fits no reading.
        """
        if self.repeats:
            if len(arguments) < 3 or len(arguments) % 2 == 0:
                raise ValueError(self.usage)
            return tuple(zip((self.parameters[0],) * (len(arguments) - 1) + self.parameters[1:], arguments, strict=True))
        spare = len(arguments) - sum(parameter.required for parameter in self.parameters)
        if spare < 0 or len(arguments) > len(self.parameters):
            raise ValueError(self.usage)
        left = iter(arguments)
        assigned: list[tuple[Parameter, Value | None]] = []
        for parameter in self.parameters:
            taken = parameter.required or spare > 0
            spare -= taken and not parameter.required
            assigned.append((parameter, next(left) if taken else None))
        return tuple(assigned)


def optional(name: str, kind: Kind, default: int = 0) -> Parameter:
    """A parameter that may be left out, and is ``default`` then."""
    return Parameter(name=name, kind=kind, required=False, default=default)


def required(name: str, kind: Kind) -> Parameter:
    """A parameter that is always written."""
    return Parameter(name=name, kind=kind)


ADDRESS_KEYWORDS = ("addr", "addrlen")
"""The arguments that may be named out of order where an address may be left out."""


def integer(name: str) -> Parameter:
    """A number or a constant that is always written."""
    return Parameter(name=name, kind="int")


def signature(
    name: str,
    *parameters: Parameter,
    source: str,
    returns: Returns = "status",
    blocks: bool = False,
    keywords: tuple[str, ...] = (),
    names: int | None = None,
    libc: bool = True,
) -> Signature:
    """One row. Left out, ``names`` is one for a call that gives a descriptor; addresses may be written as addr= and addrlen=."""
    bound = int(returns == "fd") if names is None else names
    if not keywords and any(parameter.name == "address" and not parameter.required for parameter in parameters):
        keywords = ADDRESS_KEYWORDS
    return Signature(
        name=name, parameters=parameters, keywords=keywords, returns=returns, names=bound, blocks=blocks, libc=libc, source=source
    )
