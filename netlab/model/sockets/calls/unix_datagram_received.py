"""Receiving messages of UNIX sockets: errors first, then the queue, then what an empty one means.

The order is that of __unix_dgram_recvmsg() in net/unix/af_unix.c.
"""

from collections.abc import Iterable

import msgspec

from netlab.model.sockets.calls.ancillary import received
from netlab.model.sockets.calls.datagrams_received import peeks_from, reads_nothing
from netlab.model.sockets.messages import (
    RECEIVES,
    datagram_given,
    error_taken,
    nothing_received,
    pending_error,
    sayable,
    unwritable_to,
    waiting,
    waits_never,
)
from netlab.model.sockets.objects import Socket
from netlab.model.sockets.outcomes import Outcome
from netlab.model.sockets.rules import Rule, fails, gives, unmodelled
from netlab.model.sockets.situation import Situation
from netlab.model.sockets.unix import (
    released,
)

_SEQPACKET = ("unix-seqpacket",)
_BOTH = ("unix-dgram", "unix-seqpacket")
_RECEIVE = "__unix_dgram_recvmsg() in net/unix/af_unix.c"


def _not_connected(s: Situation) -> bool:
    return s.socket.state != "ESTABLISHED"


def _urgent(s: Situation) -> bool:
    return s.flag("MSG_OOB")


def _waits(s: Situation) -> bool:
    return bool(s.socket.queue)


def _taken(s: Situation) -> Outcome:
    message, *rest = s.socket.queue
    peeked = s.flag("MSG_PEEK")
    world = s.world if peeked else s.world.with_object(s.socket_id, msgspec.structs.replace(s.socket, queue=tuple(rest)))
    got = received(s, world, message.rights, peeked=peeked)
    sender = s.world.objects.get(message.sender)
    if isinstance(sender, Socket):
        # The name that comes with a message is the one that its sender has by now (unix_copy_addr()).
        message = msgspec.structs.replace(message, source=sender.local)
    return datagram_given(s, got.world, message, control=got.seen, flags=got.flags)


def _giving(s: Situation) -> Iterable[Outcome]:
    yield _taken(s)


def _copies_nowhere(s: Situation) -> bool:
    return bool(s.socket.queue) and unwritable_to(s, s.socket.queue[0].size)


def _losing(s: Situation) -> Iterable[Outcome]:
    message, *rest = s.socket.queue
    world = s.world
    if not s.flag("MSG_PEEK"):
        world = world.with_object(s.socket_id, msgspec.structs.replace(s.socket, queue=tuple(rest)))
        world = released(world, list(message.rights))
    yield Outcome(kind="fails", errno="EFAULT", world=world)


def _at_end(s: Situation) -> bool:
    return s.socket.shut_read and (s.socket.kind == "unix-seqpacket" or not waits_never(s))


def _receiving_rules(call: str) -> tuple[Rule, ...]:
    posix = f"POSIX.1-2024 {call}()"
    none: tuple[Rule, ...] = ()
    if call == "read":
        none = (
            gives("read.unix-message-nothing", nothing_received, "of no bytes nothing is read", "sock_read_iter() in net/socket.c",
                  when=reads_nothing, kinds=_BOTH),
        )  # fmt: skip
    return (
        *none,
        fails(f"{call}.unix-seqpacket-unconnected", "ENOTCONN", _not_connected, "the socket has no peer", f"{posix} ENOTCONN",
              kinds=_SEQPACKET),
        fails(f"{call}.unix-message-urgent", "EOPNOTSUPP", _urgent, "messages have no urgent data", f"{posix} EOPNOTSUPP",
              kinds=_BOTH),
        unmodelled(f"{call}.unix-message-peek-off", peeks_from, "SO_PEEK_OFF is not modelled", kinds=_BOTH),
        fails(f"{call}.unix-message-error", "ECONNRESET", pending_error, "the peer went, or dissolved the connection",
              f"{posix} ECONNRESET; {_RECEIVE}", kinds=_BOTH, gives=error_taken,
              note="before the messages that wait"),
        fails(f"{call}.unix-message-unwritable", "EFAULT", _copies_nowhere, "the data cannot be written; the message is lost",
              "recv(2) EFAULT", kinds=_BOTH, gives=_losing),
        gives(f"{call}.unix-message-given", _giving, "one message, the rest of it is thrown away", f"{posix}; unix(7)", when=_waits,
              kinds=_BOTH),
        gives(f"{call}.unix-message-end", nothing_received, "the peer sends no more, or the socket was shut down", posix,
              when=_at_end, kinds=_BOTH, note="a datagram socket that does not wait gives EAGAIN"),
        fails(f"{call}.unix-message-none", "EAGAIN", waits_never, "no message is there, and the call does not wait",
              f"{posix} EAGAIN", kinds=_BOTH),
        gives(f"{call}.unix-message-waits-for-one", waiting, "the call waits for a message, at most as long as SO_RCVTIMEO says",
              posix, kinds=_BOTH, category="blocks"),
    )  # fmt: skip


RECEIVING: tuple[Rule, ...] = tuple(
    rule for call in RECEIVES for rule in sayable(call, _receiving_rules(call), flags="unix-message-urgent unix-message-peek-off")
)
