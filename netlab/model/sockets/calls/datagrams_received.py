"""Receiving datagrams of UDP and of raw IP: pending errors first, then the queue, then what an empty one means.

The order is that of __skb_recv_udp() in net/ipv4/udp.c and __skb_wait_for_more_packets() in net/core/datagram.c.
"""

from collections.abc import Iterable

import msgspec

from netlab.model.sockets.messages import (
    RECEIVES,
    Free,
    datagram_given,
    error_taken,
    nothing_received,
    pending_error,
    sayable,
    size,
    unreadable,
    unwritable_to,
    waiting,
    waits_never,
)
from netlab.model.sockets.objects import Datagram
from netlab.model.sockets.outcomes import Out, Outcome
from netlab.model.sockets.rules import Gives, Guard, Rule, always, fails, gives, unmodelled
from netlab.model.sockets.situation import Situation
from netlab.model.sockets.udp import as_seen_by, takeable
from netlab.notation.constants import constant

_CONTROLLED = tuple(
    (constant(level), constant(name))
    for level, names in (
        ("SOL_SOCKET", ("SO_TIMESTAMP", "SO_TIMESTAMPNS", "SO_TIMESTAMPING", "SO_RXQ_OVFL", "SO_PASSCRED")),
        ("IPPROTO_IP", ("IP_PKTINFO", "IP_RECVTTL", "IP_RECVTOS", "IP_RECVOPTS", "IP_RETOPTS", "IP_RECVORIGDSTADDR")),
        ("IPPROTO_IPV6", ("IPV6_RECVPKTINFO", "IPV6_RECVHOPLIMIT", "IPV6_RECVTCLASS", "IPV6_RECVRTHDR", "IPV6_RECVDSTOPTS")),
    )
    for name in names
)
_ERRORS = tuple(
    (constant(level), constant(name)) for level, name in (("IPPROTO_IP", "IP_RECVERR"), ("IPPROTO_IPV6", "IPV6_RECVERR"))
)
_ERRNOS = (
    ("refused", "ECONNREFUSED", "nobody has the port there", ""),
    ("no-host", "EHOSTUNREACH", "the host is not reached", "ARP gives up after seconds only"),
    ("no-network", "ENETUNREACH", "the network is not reached", "two hosts on one wire have no router that could say so"),
)
"""What ICMP says, as an errno (icmp_err_convert in net/ipv4/icmp.c), and why no trial comes to it."""
_STAMPING = (constant("SOL_SOCKET"), constant("SO_TIMESTAMPING"))
_ERRQUEUE = constant("MSG_ERRQUEUE")
_PEEK_OFF = (constant("SOL_SOCKET"), constant("SO_PEEK_OFF"))


def reads_nothing(s: Situation) -> bool:
    """read() of no bytes gives 0 and looks at nothing."""
    return size(s) == 0


def _wants_errors(s: Situation) -> bool:
    return s.flag("MSG_ERRQUEUE")


def _keeps_errors(s: Situation) -> bool:
    """Whether errors may be kept of which the model does not know."""
    if not s.flag("MSG_ERRQUEUE") or not any(s.socket.options.get(key) for key in (*_ERRORS, _STAMPING)):
        return False
    special = s.flag("MSG_TRUNC") or s.args.get("control") is not None or s.socket.options.get(_STAMPING)
    return bool(s.kind == "raw" or special or s.socket.note.get("errors", ()) is None)


def _error_kept(s: Situation) -> bool:
    return s.flag("MSG_ERRQUEUE") and bool(s.socket.note.get("errors"))


def _taking_error(s: Situation) -> Iterable[Outcome]:
    """The oldest, and the next one is pending instead (sock_dequeue_err_skb() in net/core/skbuff.c)."""
    (data, where), *rest = s.socket.note["errors"]
    one = msgspec.structs.replace(s.socket, error="ECONNREFUSED" if rest else "", note={**s.socket.note, "errors": tuple(rest)})
    message = Datagram(size=len(data), data=data, source=as_seen_by(s.socket, where.host, where.port))
    yield datagram_given(s, s.world.with_object(s.socket_id, one), message, control=Free(), flags=_ERRQUEUE)


def peeks_from(s: Situation) -> bool:
    """Whether SO_PEEK_OFF says where to look."""
    return s.flag("MSG_PEEK") and s.socket.options.get(_PEEK_OFF, -1) >= 0


def _waits(s: Situation) -> bool | None:
    """Whether a message is there; None where one may have come."""
    queue = s.socket.queue
    if not queue:
        return False
    return True if any(message.certain for message in queue) else None


def _taken(s: Situation, index: int) -> Outcome:
    message = s.socket.queue[index]
    world = s.world
    if not s.flag("MSG_PEEK"):
        queue = s.socket.queue
        world = world.with_object(s.socket_id, msgspec.structs.replace(s.socket, queue=queue[:index] + queue[index + 1 :]))
    control: Out | None = Free() if any(s.socket.options.get(key) for key in _CONTROLLED) else None
    return datagram_given(s, world, message, control=control)


def _giving(s: Situation) -> Iterable[Outcome]:
    for index in takeable(s.socket.queue):
        yield _taken(s, index)


def _copies_nowhere(s: Situation) -> bool | None:
    if not unreadable(s):
        return False
    hits = [unwritable_to(s, s.socket.queue[index].size) for index in takeable(s.socket.queue)]
    if not any(hits):
        return False
    return _waits(s) if all(hits) else None


def _losing(s: Situation) -> Iterable[Outcome]:
    # The datagram is out of the queue by then, unless it was only to be looked at.
    for index in takeable(s.socket.queue):
        if not unwritable_to(s, s.socket.queue[index].size):
            continue
        yield msgspec.structs.replace(_taken(s, index), kind="fails", errno="EFAULT", value=0, out=None, learn=None)


def _shut(s: Situation) -> bool:
    return s.socket.shut_read


def error_rules(name: str, kinds: tuple[str, ...], when: Guard, told: Gives) -> tuple[Rule, ...]:
    """The rules by which a call tells of an error that came back, one an errno; ``name`` is what their ids begin with."""

    def waits_for(errno: str) -> Guard:
        return lambda s: s.socket.error == errno and when(s)

    return tuple(
        fails(f"{name}-error-{what}", errno, waits_for(errno), f"{says}: told once", "RFC 1122 4.1.3.3; udp(7)", kinds=kinds,
              gives=told, unreached=unreached) for what, errno, says, unreached in _ERRNOS
    )  # fmt: skip


def receiving(call: str, kinds: tuple[str, ...] = ("udp",), of: str = "udp") -> tuple[Rule, ...]:
    """The rules of one call."""
    posix = f"POSIX.1-2024 {call}()"
    none: tuple[Rule, ...] = ()
    if call == "read":
        none = (
            gives(f"read.{of}-nothing", nothing_received, "of no bytes nothing is read", "sock_read_iter() in net/socket.c",
                  when=reads_nothing, kinds=kinds),
        )  # fmt: skip
    errors: tuple[Rule, ...] = ()
    if of == "udp":
        errors = (
            gives(f"{call}.{of}-error-kept", _taking_error, "the oldest error, with what it is about", "ip(7), IP_RECVERR; recv(2)",
                  when=_error_kept, kinds=kinds, unreached="on an undisturbed wire nobody knows when an error has come"),
        )  # fmt: skip
    rules = (
        *none,
        unmodelled(f"{call}.{of}-errors-kept", _keeps_errors, "what IP_RECVERR keeps is not modelled", kinds=kinds),
        *errors,
        fails(f"{call}.{of}-no-errors", "EAGAIN", _wants_errors, "no error is kept", "recv(2), MSG_ERRQUEUE; ip(7)", kinds=kinds),
        unmodelled(f"{call}.{of}-peek-off", peeks_from, "SO_PEEK_OFF is not modelled", kinds=kinds),
        *error_rules(f"{call}.{of}", kinds, pending_error, error_taken),
        fails(f"{call}.{of}-unwritable", "EFAULT", _copies_nowhere, "the data cannot be written; the datagram is lost",
              "recv(2) EFAULT", kinds=kinds, gives=_losing),
        gives(f"{call}.{of}-datagram", _giving, "one datagram, the rest of it is thrown away", f"{posix}; udp(7)", when=_waits,
              kinds=kinds),
        fails(f"{call}.{of}-none", "EAGAIN", waits_never, "no datagram is there, and the call does not wait", f"{posix} EAGAIN",
              kinds=kinds),
        gives(f"{call}.{of}-shut", nothing_received, "the socket was shut down for receiving", f"{posix}; shutdown(2)", when=_shut,
              kinds=kinds, note="a call that does not wait gives EAGAIN"),
        gives(f"{call}.{of}-waits", waiting, "the call waits for a datagram, at most as long as SO_RCVTIMEO says", posix,
              when=always, kinds=kinds, category="blocks"),
    )  # fmt: skip
    return sayable(call, rules, flags=f"{of}-errors-kept {of}-error-kept {of}-no-errors {of}-peek-off")


RECEIVING: tuple[Rule, ...] = tuple(rule for call in RECEIVES for rule in receiving(call))
