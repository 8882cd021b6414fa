"""What descriptors stand for: sockets, connections with what is under way in them, pipes, epoll sets. Values only, no rules.

Every record is frozen; a world is changed by putting a new record in the place of the old one. What is not certain is written as
bounds ("at least this much has arrived"), so that one world stands for all orders in which packets may have come.
"""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

Family = Literal["inet", "inet6", "unix", "other"]
Type = Literal["stream", "dgram", "seqpacket", "raw", "other"]
Kind = Literal["tcp", "udp", "raw", "unix-stream", "unix-dgram", "unix-seqpacket", "pipe", "epoll", "file", "unknown"]
"""What the table of rules is keyed by, besides the call."""


class Address(msgspec.Struct, frozen=True):
    """A socket address. ``family`` is its number (AF_INET ...); ``host`` an IP in canonical text, or a UNIX name.

    ``port`` below 0 is a port that the kernel chose and nobody has told yet: equal only to itself (World.port may know it by now).
    ``kind`` says what a UNIX name is: "path", "abstract" or "unnamed"; an abstract one that the kernel chose has such a port, too.
    ``length`` is the explicit addrlen, None for the right one.
    ``scope`` is sin6_scope_id.
    """

    family: int
    host: str = ""
    port: int = 0
    kind: str = ""
    length: int | None = None
    scope: int = 0


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """What one end of a stream sends to the other, from the first byte.

    ``sent`` bytes were taken by the sender's calls; at least ``arrived`` of them are in the receiver's queue or read; ``read`` were
    read. ``data`` are the bytes from number ``read`` on, None where they are not known. ``end`` is what follows the data:
    "" (open), "fin" or "rst"; ``ended`` is how much of that has certainly arrived: "" or the same word.
    ``urgent`` is the number of the byte that MSG_OOB sent last (the urgent mark is before it), None without one or once the reader
    is past it; ``urgent_read`` says that MSG_OOB took it. ``acked`` bytes are certainly acknowledged (Nagle's algorithm holds small
    ones back behind unacknowledged ones). ``full``: nothing more is taken until the reader makes room.
    """

    sent: int = 0
    arrived: int = 0
    read: int = 0
    data: bytes | None = b""
    end: Literal["", "fin", "rst"] = ""
    ended: Literal["", "fin", "rst"] = ""
    urgent: int | None = None
    urgent_read: bool = False
    acked: int = 0
    full: bool = False

    @property
    def queued(self) -> int:
        """Bytes that certainly wait to be read."""
        return max(self.arrived - self.read, 0)

    @property
    def under_way(self) -> int:
        """Bytes that wait to be read or may still be on the way."""
        return self.sent - self.read


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """A stream between two sockets. ``ends`` are the sockets' ids: who connected (or the pair's first), who was connected to.

    An end is 0 where no socket is behind it yet or any more. ``flows[0]`` is what the first end sends.
    ``stage`` is how far the handshake is: "syn" (sent), "refused", "received" (there is a child in SYN-RECEIVED, the SYN-ACK is
    under way), "answered" (the first end knows that it is established), "queued" (the listener's queue has it), "accepted"; a pair
    of socketpair() is "accepted". ``listener`` is its listener's id. A child is an object from "received" on, though no descriptor
    refers to it before accept(). ``dropped``: the listener took no notice (it was full; TCP_DEFER_ACCEPT), and what it missed comes
    again after a second or more.
    """

    ends: tuple[int, int]
    flows: tuple[Flow, Flow] = (Flow(), Flow())
    stage: Literal["syn", "refused", "received", "answered", "queued", "accepted"] = "accepted"
    listener: int = 0
    dropped: bool = False


class Datagram(msgspec.Struct, frozen=True, kw_only=True):
    """One message with its bounds. ``data`` is None where its bytes are not known; ``rights`` are descriptions passed with it.

    ``certain`` is false while it may still be on the way; ``doubtful`` says that it may never come: it is not for this socket, or
    there was no room. ``sender`` is the id of the UNIX socket that sent it, 0 for any other.
    """

    size: int
    data: bytes | None = None
    source: Address | None = None
    rights: tuple[int, ...] = ()
    control: tuple[Any, ...] = ()
    certain: bool = True
    doubtful: bool = False
    sender: int = 0


class Socket(msgspec.Struct, frozen=True, kw_only=True):
    """One socket. ``state`` is RFC 9293's name for TCP; "CLOSED", "LISTEN" or "ESTABLISHED" for any other.

    ``local`` is its name (None: it has none yet; an IP socket without one is at the wildcard, port 0); ``chosen`` says which parts
    of it bind() fixed: "address", "port". ``remote`` is its peer's. ``connection`` is a stream's connection, 0 without one.
    ``error`` is the pending error (SO_ERROR), by name. ``accepting`` are connections that wait for accept(), in order, of a
    listener with ``backlog``. ``queue`` are messages that wait (datagram, seqpacket, raw). ``options`` are values that
    setsockopt() gave, by (level, option). ``note`` is whatever one kind of socket needs besides, by name.

    TCP: ``shut_read`` and ``shut_write`` are what Linux keeps: the peer's FIN shuts the reading side, too, and the end of a
    connection both. What a program holds is CLOSED while its connection is in TIME-WAIT. Its notes: "phase" ("connecting",
    "connected" or "ended", from which connect() never works again; unconnected without it), "done" (a FIN came, all later reads
    give 0), "released" (the port went back to the kernel though getsockname() still tells it: it is in nobody's way, and bind()
    may name the socket anew), "orphan" (no descriptor refers to it any more: a connection that ends by itself, or is in TIME-WAIT;
    it still holds its port), "used" (it had a connection), "held" (the last data sent may be kept back for a while), "segments"
    (how many sends there were), "heard" (how much the peer had sent when shutdown() was called), "cookie" (a child whose request
    Linux did not keep), "dissolved" (how often its connection was dissolved), "mapped" (it asked for a
    connection with a v4-mapped address once).
    """

    host: str
    family: Family
    type: Type
    protocol: int
    kind: Kind
    state: str = "CLOSED"
    local: Address | None = None
    chosen: frozenset[str] = frozenset()
    remote: Address | None = None
    connection: int = 0
    peer: int = 0
    error: str = ""
    shut_read: bool = False
    shut_write: bool = False
    backlog: int = 0
    accepting: tuple[int, ...] = ()
    queue: tuple[Datagram, ...] = ()
    options: Mapping[tuple[int, int], Any] = {}
    note: Mapping[str, Any] = {}

    @property
    def domain(self) -> int:
        """AF_INET, AF_INET6 or AF_UNIX as a number."""
        return {"inet": 2, "inet6": 10, "unix": 1}.get(self.family, 0)


class Pipe(msgspec.Struct, frozen=True, kw_only=True):
    """One end of pipe(): ``other`` is the other end's id (0 when it has ended), ``flow`` what is in it (kept by the reading end).

    ``pages`` is how what is in it lies in pages (kept by the reading end, too): of each, where its data ends, and how much is left.
    Both are the writing end's when it is the last. ``pipe`` is one number for both ends.
    """

    writes: bool
    other: int = 0
    pipe: int = 0
    flow: Flow = Flow()
    pages: tuple[tuple[int, int], ...] = ()
    kind: Kind = "pipe"


class Epoll(msgspec.Struct, frozen=True, kw_only=True):
    """An epoll set: (descriptor, description's id) to (events, data).

    ``told`` is what an edge-triggered member looked like when it was last told of, by the same keys; None where it may have been.
    """

    watched: Mapping[tuple[int, int], tuple[int, int]] = {}
    told: Mapping[tuple[int, int], Any] = {}
    kind: Kind = "epoll"


class File(msgspec.Struct, frozen=True, kw_only=True):
    """Anything else that open() gives: its path, and what it is: "null", "zero", "full" (devices), "directory", "regular" or ""."""

    path: str = ""
    what: str = ""
    kind: Kind = "file"


class Unknown(msgspec.Struct, frozen=True, kw_only=True):
    """Something of which the model knows nothing, or no longer knows enough: every outcome of a call about it is allowed."""

    why: str = ""
    kind: Kind = "unknown"


Object = Socket | Pipe | Epoll | File | Unknown
