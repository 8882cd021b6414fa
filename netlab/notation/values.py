"""The words a call's arguments are written in, as data: numbers, constants, names, buffers, addresses, structures.

A value is what was written, not what it stands for: constants stay symbolic until the agent's process gives them a number.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Number:
    """A whole number: 0, -1, 0x10."""

    value: int


@dataclass(frozen=True, slots=True)
class Constant:
    """One or several named constants joined by |: SOCK_STREAM, SOCK_STREAM|SOCK_NONBLOCK; numbers may be among them."""

    names: tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Name:
    """The scenario's name for a descriptor (or for what an earlier call gave)."""

    name: str


@dataclass(frozen=True, slots=True)
class Text:
    """A buffer with these contents: "hello"."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Buffer:
    """buf(n): a valid buffer of n bytes. What it holds is a pattern that tells byte i from its neighbours."""

    size: int


@dataclass(frozen=True, slots=True)
class BadPointer:
    """NULL, NULL[n], BADPTR, BADPTR[n]: a null or an unmapped pointer; n is the length passed with it."""

    null: bool
    size: int | None = None


@dataclass(frozen=True, slots=True)
class SocketAddress:
    """An address to bind, connect or send to. ``host`` and ``port`` are as written; exactly one ``form`` applies.

    form "ip":   10.0.0.1:80, [::1]:80            host is the IP's text
    form "node": server:80, server.eth1:80, server:@u   host is the node's name, interface its interface or ""; port_of is a
                 socket's name whose bound port is meant, or ""
    form "name": @x, @x:v4, @x:port0 ...          getsockname(x); variant is what follows (v4 v6 any4 any6 mapped port0) or ""
    form "unix": unix:path, abstract:name, unixfamilyonly   host is the path; kind in variant ("path", "abstract", "unnamed")
    form "family": unspec, family7                port is the family's number
    ``length`` is an explicit addrlen, None for the right one.
    """

    form: str
    host: str = ""
    port: int = 0
    interface: str = ""
    port_of: str = ""
    variant: str = ""
    length: int | None = None


@dataclass(frozen=True, slots=True)
class Structure:
    """{linger:1,5} {timeval:0,500000} {ip_mreq:239.1.1.1,10.0.0.1}: a structure by its name, with its members in order.

    Addresses are their numbers. In {ucred:p,0,0} the process may be the name that fork() bound; "self" is the caller.
    """

    name: str
    members: tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class Rights:
    """rights(c, d): descriptors sent by SCM_RIGHTS, or the names that the received ones get."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Parts:
    """iov("ab", "cde"), iov(buf(2), buf(8)): the buffers that one message is gathered from, or scattered into (struct iovec)."""

    parts: tuple[Text | Buffer | BadPointer, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """``binds = name(arguments)``. ``keywords`` are arguments named out of order (addr=, addrlen=, control=).

    ``binds`` holds the names that the result gets: one for most calls, two for ``(a,b) = socketpair(...)``, none otherwise. A call
    is an argument itself where another one says when or where it is made: ``after(200, write(c, buf(1)))``, ``child(close(s))``.
    """

    name: str
    arguments: tuple["Value", ...] = ()
    keywords: tuple[tuple[str, "Value"], ...] = ()
    binds: tuple[str, ...] = ()

    @property
    def inner(self) -> "Call | None":
        """The call that is this one's argument; None for most."""
        return next((value for value in self.arguments if isinstance(value, Call)), None)


Value = Number | Constant | Name | Text | Buffer | BadPointer | SocketAddress | Structure | Rights | Parts | Call
