"""Messages as arguments and results: what a call sends and how much it can receive, and what is seen of what it received.

It knows send() and recv() and their like alike, for any kind of socket, and neither queues nor who gets what.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from netlab.model.sockets.addresses import address_out, pointed, unwritable, wants_address
from netlab.model.sockets.arguments import Data
from netlab.model.sockets.objects import Address, Datagram, Socket
from netlab.model.sockets.options.values import timeout
from netlab.model.sockets.outcomes import Exactly, Learn, Message, Out, Outcome, Seen, Value, learning
from netlab.model.sockets.rules import Rule
from netlab.model.sockets.situation import Situation
from netlab.model.sockets.world import Description, World
from netlab.notation.constants import constant, flag_names
from netlab.notation.pattern import pattern
from netlab.notation.printing import print_data
from netlab.notation.values import BadPointer, Parts, Text

SENDS = ("send", "sendto", "sendmsg", "write")
RECEIVES = ("recv", "recvfrom", "recvmsg", "read")
NAMES_ADDRESS = ("sendto", "sendmsg")
NO_FLAGS = ("read", "write")
_POINTER_LENGTH = 16
_TICK = 10_000_000
"""The kernel may end a wait one tick early: 10 ms where HZ is 100 (options/values.py)."""
_CMSG_CLOEXEC, _TRUNC = constant("MSG_CMSG_CLOEXEC"), constant("MSG_TRUNC")


def sayable(call: str, rules: Iterable[Rule], *, address: str = "", flags: str = "") -> tuple[Rule, ...]:
    """Those of a call's rules that its arguments can come to: only sendto() and sendmsg() name an address, read() and write() have
    no flags. ``address`` and ``flags`` are the ids, without the call, of rules that are about these."""
    left_out = set(address.split()) if call not in NAMES_ADDRESS else set()
    left_out |= set(flags.split()) if call in NO_FLAGS else set()
    return tuple(rule for rule in rules if rule.id.partition(".")[2] not in left_out)


def parts(s: Situation) -> tuple[Any, ...]:
    """The buffers that the call names: one, or those of iov()."""
    value = s.args.get("buffer")
    return value.parts if isinstance(value, Parts) else (value,)


def _size(part: Any) -> int:
    match part:
        case BadPointer(_, size):
            return _POINTER_LENGTH if size is None else size
        case Text(data):
            return len(data)
        case Data(size):
            return size
    return int(getattr(part, "size", 0))


def size(s: Situation) -> int:
    """How many bytes the call sends, or has room for."""
    return sum(map(_size, parts(s)))


def unreadable(s: Situation) -> bool:
    """Whether some of the buffers are where no memory is."""
    return any(isinstance(part, BadPointer) and _size(part) for part in parts(s))


def unwritable_to(s: Situation, many: int) -> bool:
    """Whether the first ``many`` bytes of the buffers are in part where no memory is."""
    at = 0
    for part in parts(s):
        if at >= many:
            return False
        if isinstance(part, BadPointer) and _size(part):
            return True
        at += _size(part)
    return False


def writable(s: Situation) -> int:
    """How many bytes the buffers take before the first that is where no memory is."""
    many = 0
    for part in parts(s):
        if isinstance(part, BadPointer) and _size(part):
            break
        many += _size(part)
    return many


def content(s: Situation) -> bytes:
    """The bytes that the call sends: ``buf(n)`` holds the pattern."""
    return b"".join(_bytes(part) for part in parts(s))


def _bytes(part: Any) -> bytes:
    match part:
        case Data(size, known):
            return pattern(size) if known is None else known
        case Text(data):
            return data
        case BadPointer():
            return b""
    return pattern(_size(part))


class Free(msgspec.Struct, frozen=True):
    """A part of a message of which nothing is said."""

    def accepts(self, out: Any, world: World) -> bool:
        """Yes."""
        return True

    def shown(self, world: World) -> Any:
        """A star."""
        return "*"


class Nameless(msgspec.Struct, frozen=True):
    """No address was written: its length is 0."""

    def accepts(self, out: Any, world: World) -> bool:
        """The empty text; an addrlen of 0."""
        return out == "" or (isinstance(out, dict) and out.get("addrlen") == 0)

    def shown(self, world: World) -> Any:
        """The empty text."""
        return ""


def message_out(
    s: Situation,
    data: bytes | None,
    *,
    source: Address | None = None,
    flags: int = 0,
    control: Out | None = None,
) -> tuple[Out | None, Learn | None]:
    """What is seen of a message, by which call receives it, and what may be learnt from it.

    ``data`` is what was put into the buffers, None where that is not known; ``source`` whose name came with it, None for nobody's;
    ``flags`` are recvmsg's, None-free; ``control`` the control messages: none where it is left out.
    """
    match s.call.name:
        case "recv" | "read":
            return (
                (None, None) if data is None or isinstance(s.args.get("buffer"), BadPointer) else (Exactly(print_data(data)), None)
            )
        case "recvfrom":
            if source is None:
                silent = isinstance(pointed(s), BadPointer) or pointed(s) == "NONE"
                return (None if silent else Nameless()), None
            return address_out(s, source), learning(source)
    found: dict[str, Out] = {"flags": Exactly(flag_names("MSG_", flags | (s.number("flags") & _CMSG_CLOEXEC)))}
    found["control"] = Exactly({}) if control is None else control
    if isinstance(control, Free) and s.args.get("control") is not None and s.socket.family != "unix":
        # How much comes is not known, so neither is whether the caller's room was enough (MSG_CTRUNC).
        found["flags"] = Free()
    if data is not None and not unreadable(s):
        found |= {"data": Exactly(print_data(data))} | _scattered(s, data)
    wants = pointed(s)
    learn: Learn | None = None
    if isinstance(wants, BadPointer) or wants == "NONE" or source is None:
        found["from"] = Exactly("")
    elif not isinstance(wants, Data):
        found["from"] = address_out(s, source) or Exactly("")
        learn = _learning_source(source)
    return Message(found), learn


def _learning_source(source: Address) -> Learn | None:
    taught = learning(source)
    if taught is None:
        return None

    def learn(world: World, seen: Seen) -> World:
        told = seen.out.get("from") if isinstance(seen.out, dict) else None
        return taught(world, msgspec.structs.replace(seen, out=told))

    return learn


def _scattered(s: Situation, data: bytes) -> dict[str, Out]:
    buffers = parts(s)
    if len(buffers) < 2:
        return {}
    given, at = [], 0
    for one in buffers:
        given.append(print_data(data[at : at + _size(one)]))
        at += _size(one)
    return {"iov": Exactly(given)}


def datagram_given(
    s: Situation, world: World, one: Datagram, *, learn: Learn | None = None, control: Out | None = None, flags: int = 0
) -> Outcome:
    """The outcome that a whole message gives: cut off where room is short, its true length with MSG_TRUNC (recv(2))."""
    room = size(s)
    taken = min(room, one.size)
    out, taught = message_out(
        s,
        None if one.data is None else one.data[:taken],
        source=one.source,
        flags=flags | (_TRUNC if taken < one.size else 0),
        control=control,
    )
    value: Value = one.size if s.flag("MSG_TRUNC") else taken
    return with_name_written(s, Outcome(kind="returns", value=value, out=out, world=world, learn=both(learn, taught)), one.source)


def with_name_written(s: Situation, outcome: Outcome, source: Address | None = None) -> Outcome:
    """What was received is gone, and the call fails, where the sender's name cannot be written (move_addr_to_user())."""
    if s.call.name not in ("recvfrom", "recvmsg") or outcome.kind != "returns" or not wants_address(s):
        return outcome
    errno = unwritable(s, source)
    if not errno:
        return outcome
    return msgspec.structs.replace(outcome, kind="fails", errno=errno, value=0, out=None, learn=None)


def both(one: Learn | None, other: Learn | None) -> Learn | None:
    """What two say, one after the other."""
    if one is None or other is None:
        return one or other
    return lambda world, seen: other(one(world, seen), seen)


def nothing_received(s: Situation) -> Iterable[Outcome]:
    """The outcome of a receive that gives no message, only 0."""
    out, _ = message_out(s, b"")
    yield with_name_written(s, Outcome(kind="returns", value=0, out=out, world=s.world))


def errors_cleared(one: Socket) -> Socket:
    """The socket without its pending error: whoever is told of it takes it."""
    return msgspec.structs.replace(one, error="")


def pending_error(s: Situation) -> bool:
    """Whether an error waits to be told (SO_ERROR)."""
    return bool(s.socket.error)


def error_taken(s: Situation) -> Iterable[Outcome]:
    """The call fails with the pending error, and clears it."""
    yield Outcome(kind="fails", errno=s.socket.error, world=s.world.with_object(s.socket_id, errors_cleared(s.socket)))


def limit(s: Situation) -> int | None:
    """How long the call may wait, in ns: SO_RCVTIMEO or SO_SNDTIMEO as it was when it began; None for ever (socket(7))."""
    receives = s.call.name in RECEIVES or s.call.name.startswith("accept")
    return timeout(s.at_first, "SO_RCVTIMEO" if receives else "SO_SNDTIMEO")


def waits_never(s: Situation) -> bool:
    """Whether the call does not wait: O_NONBLOCK, MSG_DONTWAIT, a time limit below 0. One that waits already goes on, whatever is
    set meanwhile: sock_rcvtimeo() and sock_sndtimeo() are asked once (include/net/sock.h)."""
    return not s.resumed and (s.nonblocking or limit(s) == 0)


def waiting(s: Situation, world: World | None = None, errno: str = "EAGAIN", note: object = None) -> Iterable[Outcome]:
    """The call waits; where a time limit is set it may end with ``errno`` after that."""
    longest = limit(s)
    yield Outcome(kind="blocks", world=world or s.world, note=note)
    if longest is not None:
        yield Outcome(kind="fails", errno=errno, world=s.world, least=max(longest - _TICK, 0))


def opened_for(
    world: World, process: str, thing: int, *, flags: int = 2, cloexec: bool = False, fd: int | None = None
) -> tuple[World, int]:
    """A new description for an object that is there already, under the lowest free descriptor or ``fd``."""
    world = world.copy()
    description = world.fresh()
    world.descriptions[description] = Description(object=thing, flags=flags, references=0)
    fd = world.processes[process].lowest_free() if fd is None else fd
    return world.referred(process, fd, description, cloexec=cloexec), fd


def truesize(many: int) -> tuple[int, int]:
    """The least and the most memory that the kernel counts for a message of so many bytes: struct sk_buff and a buffer, whose size
    is a power of two where it is one piece (alloc_skb(), kmalloc_size_roundup())."""
    least = many + 576
    return least, max((1 << (least - 1).bit_length()) + 512, least + many // 4)
