"""Messages of UNIX sockets: datagrams and seqpackets. They are reliable: a full receiver makes the sender wait (unix(7)).

The order is that of unix_dgram_sendmsg(), unix_dgram_connect() and __unix_dgram_recvmsg() in net/unix/af_unix.c.
"""

from collections.abc import Iterable

import msgspec

from netlab.model.sockets.calls.ancillary import control_rules, descriptions_sent, in_flight, named_by_then
from netlab.model.sockets.calls.unix_datagram_connecting import CONNECTING, may_send, with_peer
from netlab.model.sockets.calls.unix_datagram_received import RECEIVING
from netlab.model.sockets.calls.unix_opening import ONLY_POSIX, lookup_rules
from netlab.model.sockets.calls.unix_opening import unknown as unknown_name
from netlab.model.sockets.calls.unix_stream import names_peer
from netlab.model.sockets.messages import (
    SENDS,
    content,
    error_taken,
    pending_error,
    sayable,
    size,
    unreadable,
    waiting,
    waits_never,
)
from netlab.model.sockets.objects import Datagram, Socket
from netlab.model.sockets.outcomes import Outcome
from netlab.model.sockets.rules import Rule, fails, gives, unmodelled
from netlab.model.sockets.situation import Situation
from netlab.model.sockets.unix import (
    OVERHEAD,
    bound_to,
    connection_ended,
    datagrams_ended,
    no_address,
    send_buffer,
    under_way,
)
from netlab.notation.constants import constant

_DATAGRAM, _SEQPACKET = ("unix-dgram",), ("unix-seqpacket",)
_BOTH = (*_DATAGRAM, *_SEQPACKET)
_SEND, _RECEIVE = "unix_dgram_sendmsg() in net/unix/af_unix.c", "__unix_dgram_recvmsg() in net/unix/af_unix.c"
_CONNECT = "unix_dgram_connect() in net/unix/af_unix.c"
_LONGEST_QUEUE = 10
"""net.unix.max_dgram_qlen's default: one message more is taken (unix(7))."""
_UNSPEC = constant("AF_UNSPEC")


def _longest_queue(s: Situation) -> int:
    written = s.host.sysctls.get("net.unix.max_dgram_qlen", "")
    return int(written) if written.isdigit() else _LONGEST_QUEUE


# Sending


def _not_connected(s: Situation) -> bool:
    return s.socket.state != "ESTABLISHED"


def _urgent(s: Situation) -> bool:
    return s.flag("MSG_OOB")


def _named(s: Situation) -> bool:
    """Whether an address counts: that of a seqpacket is not looked at."""
    return s.socket.kind == "unix-dgram" and names_peer(s)


def _bad_address(s: Situation) -> bool:
    return _named(s) and no_address(s)


def _too_long(s: Situation) -> bool | None:
    small, large = send_buffer(s.socket)
    if size(s) <= small - OVERHEAD:
        return False
    return True if size(s) > large - OVERHEAD else None


def _shut(s: Situation) -> bool:
    return s.socket.shut_write


def _buffer_full(s: Situation) -> bool | None:
    least, most = under_way(s.world, s.socket_id, s.socket)
    small, large = send_buffer(s.socket)
    # Who waits is woken when three quarters are free (unix_write_space() in net/unix/af_unix.c), or by anything else meanwhile.
    if (4 * most <= small) if s.resumed else (most < small):
        return False
    return True if least >= large else None


def _buffer_full_at_once(s: Situation) -> bool | None:
    return _buffer_full(s) if waits_never(s) else False


def _unknown_name(s: Situation) -> bool:
    return _named(s) and unknown_name(s)


def _no_peer(s: Situation) -> bool:
    return not _named(s) and s.socket.peer == 0


def _receiver(s: Situation) -> tuple[int, Socket | None]:
    if not _named(s):
        other = s.world.objects.get(s.socket.peer)
        return s.socket.peer, other if isinstance(other, Socket) else None
    found = bound_to(s)
    number = found[1] if found is not None else 0
    other = s.world.objects.get(number)
    return number, other if isinstance(other, Socket) else None


def _refused(s: Situation) -> bool:
    _, other = _receiver(s)
    return other is not None and not may_send(s.socket_id, other)


def _gone(s: Situation) -> bool:
    return _receiver(s)[1] is None


def _leaving(s: Situation) -> Iterable[Outcome]:
    yield Outcome(kind="fails", errno="ECONNREFUSED", world=with_peer(s.world, s.socket_id, 0))


def _peer_shut(s: Situation) -> bool:
    _, other = _receiver(s)
    return other is not None and other.shut_read


def _queue_full(s: Situation) -> bool:
    number, other = _receiver(s)
    if other is None or number == s.socket_id or other.peer == s.socket_id:
        return False
    return len(other.queue) > _longest_queue(s)


def _queue_full_at_once(s: Situation) -> bool:
    return waits_never(s) and _queue_full(s)


def _sending(s: Situation) -> Iterable[Outcome]:
    number, other = _receiver(s)
    assert other is not None
    world = s.world.copy()
    descriptions = descriptions_sent(s)
    in_flight(world, descriptions, number)
    one = world.objects[s.socket_id]
    assert isinstance(one, Socket)
    message = Datagram(size=size(s), data=content(s), source=one.local, rights=descriptions, sender=s.socket_id)
    sent_to = one.note.get("receivers", ())
    if number not in sent_to:
        world.objects[s.socket_id] = msgspec.structs.replace(one, note={**one.note, "receivers": (*sent_to, number)})
    receiver = world.objects[number]
    assert isinstance(receiver, Socket)
    world.objects[number] = msgspec.structs.replace(receiver, queue=(*receiver.queue, message))
    yield Outcome(kind="returns", value=size(s), world=world)


def _sending_rules(call: str) -> tuple[Rule, ...]:
    posix = f"POSIX.1-2024 {call}()"
    return (
        fails(f"{call}.unix-seqpacket-error", "ECONNRESET", pending_error, "the peer went without having read all",
              f"{posix} ECONNRESET", kinds=_SEQPACKET, gives=error_taken),
        fails(f"{call}.unix-seqpacket-unconnected", "ENOTCONN", _not_connected, "the socket has no peer", f"{posix} ENOTCONN",
              kinds=_SEQPACKET),
        *control_rules(call, _DATAGRAM),
        *control_rules(call, _SEQPACKET),
        fails(f"{call}.unix-message-urgent", "EOPNOTSUPP", _urgent, "messages have no urgent data", f"{posix} EOPNOTSUPP",
              kinds=_BOTH),
        fails(f"{call}.unix-message-address", "EINVAL", _bad_address, "the length or the family is not that of a UNIX address",
              "unix(7) EINVAL", kinds=_BOTH),
        *map(named_by_then, _later_rules(call)),
    )  # fmt: skip


def _later_rules(call: str) -> tuple[Rule, ...]:
    posix = f"POSIX.1-2024 {call}()"
    return (
        fails(f"{call}.unix-message-too-long", "EMSGSIZE", _too_long, "the message is longer than the send buffer",
              f"{posix} EMSGSIZE; {_SEND}", kinds=_BOTH),
        fails(f"{call}.unix-message-error", "ECONNRESET", pending_error, "the peer dissolved the connection", _SEND,
              kinds=_DATAGRAM, gives=error_taken),
        fails(f"{call}.unix-message-shut", "EPIPE", _shut, "the socket was shut down for sending, or its peer is gone",
              f"{posix} EPIPE", kinds=_BOTH, note="no SIGPIPE: that is for streams alone on Linux"),
        fails(f"{call}.unix-message-no-room", "EAGAIN", _buffer_full_at_once, "the send buffer is full", f"{posix} EAGAIN",
              kinds=_BOTH),
        gives(f"{call}.unix-message-waits", waiting, "the call waits for room in the send buffer", posix, when=_buffer_full,
              kinds=_BOTH, category="blocks"),
        fails(f"{call}.unix-message-unreadable", "EFAULT", unreadable, "the data cannot be read", "send(2) EFAULT", kinds=_BOTH),
        unmodelled(f"{call}.unix-message-unknown", _unknown_name,
                   "what stands under a name outside the process's directory is not known", kinds=_DATAGRAM),
        *lookup_rules(f"{call}.unix-message", _DATAGRAM, _named),
        fails(f"{call}.unix-message-no-peer", "ENOTCONN", _no_peer, "nobody said where to", f"{posix} ENOTCONN; {_SEND}",
              kinds=_DATAGRAM, note="POSIX says EDESTADDRREQ", profiles=("linux",)),
        fails(f"{call}.unix-message-no-peer-posix", "EDESTADDRREQ", _no_peer, "nobody said where to", f"{posix} EDESTADDRREQ",
              kinds=_DATAGRAM, profiles=("posix",), unreached=ONLY_POSIX),
        fails(f"{call}.unix-message-refused", "EPERM", _refused, "the receiver has another peer", _SEND, kinds=_DATAGRAM),
        fails(f"{call}.unix-message-gone", "ECONNREFUSED", _gone, "the peer is gone, and is it no longer",
              f"{posix} ECONNREFUSED; {_SEND}", kinds=_DATAGRAM, gives=_leaving),
        fails(f"{call}.unix-message-peer-shut", "EPIPE", _peer_shut, "the receiver was shut down for receiving", f"{posix} EPIPE",
              kinds=_BOTH),
        fails(f"{call}.unix-message-queue-full", "EAGAIN", _queue_full_at_once, "the receiver's queue is full",
              f"{posix} EAGAIN; unix(7), max_dgram_qlen", kinds=_DATAGRAM),
        gives(f"{call}.unix-message-waits-for-queue", waiting, "the call waits for room in the receiver's queue",
              "unix(7), max_dgram_qlen", when=_queue_full, kinds=_DATAGRAM, category="blocks"),
        gives(f"{call}.unix-message-sent", _sending, "the message is in the receiver's queue", f"{posix}; unix(7)", kinds=_BOTH),
    )  # fmt: skip


_LOOKED_UP = (rule.id.partition(".")[2] for rule in lookup_rules("sendto.unix-message", _DATAGRAM))
_ADDRESSED = " ".join(("unix-message-address", "unix-message-unknown", *_LOOKED_UP))
ENDS = {"unix-dgram": datagrams_ended, "unix-seqpacket": connection_ended}

RULES: tuple[Rule, ...] = (
    *CONNECTING,
    *(rule for call in SENDS for rule in sayable(call, _sending_rules(call), address=_ADDRESSED, flags="unix-message-urgent")),
    *RECEIVING,
)
