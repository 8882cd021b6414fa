"""Urgent data of TCP, as recv() with MSG_OOB has it: one byte beside the stream, which keeps its place in it as a mark (tcp(7)).

Where these rules stand among those of receiving tcp_receiving.py says.
"""

from collections.abc import Iterable

import msgspec

from netlab.model.sockets.calls.tcp_reading import control_of, inline, with_incoming
from netlab.model.sockets.messages import message_out, size, unreadable
from netlab.model.sockets.outcomes import Outcome
from netlab.model.sockets.rules import Rule, fails, gives
from netlab.model.sockets.situation import Situation
from netlab.model.sockets.world import World

KINDS = ("tcp",)
_URGENT = "tcp_recv_urg() in net/ipv4/tcp.c"
_OOB = 1
_TRUNC = 0x20

replace = msgspec.structs.replace


def _out_of_band(s: Situation) -> bool:
    return s.flag("MSG_OOB")


def _mark(s: Situation) -> int | None:
    """Where the urgent byte is, if the reader has not passed it; it may not have arrived yet."""
    return s.incoming.urgent


def _none(s: Situation) -> bool | None:
    if not _out_of_band(s):
        return False
    mark = _mark(s)
    if inline(s) or mark is None or s.incoming.urgent_read:
        return True
    return False if mark < s.incoming.arrived else None


def _unconnected(s: Situation) -> bool:
    return _out_of_band(s) and s.socket.state == "CLOSED" and not s.socket.note.get("done")


def _on_its_way(s: Situation) -> bool | None:
    mark = _mark(s)
    if not _out_of_band(s) or mark is None:
        return False
    return False if mark < s.incoming.arrived else None


def _unwritable(s: Situation) -> bool:
    return _out_of_band(s) and unreadable(s)


def _left(s: Situation) -> World:
    flow = s.incoming
    if s.flag("MSG_PEEK"):
        return s.world
    return with_incoming(s, replace(flow, urgent_read=True, arrived=max(flow.arrived, (_mark(s) or 0) + 1)))


def _fault(s: Situation) -> Iterable[Outcome]:
    yield Outcome(kind="fails", errno="EFAULT", world=_left(s))


def _given(s: Situation) -> Iterable[Outcome]:
    flow, mark = s.incoming, _mark(s) or 0
    room = 1 if size(s) else 0
    data = None if flow.data is None else flow.data[mark - flow.read : mark - flow.read + room]
    out, learn = message_out(s, data, flags=_OOB | (0 if room else _TRUNC), control=control_of(s))
    yield Outcome(kind="returns", value=room, out=out, learn=learn, world=_left(s))


def urgent_rules(call: str) -> tuple[Rule, ...]:
    """The rules of MSG_OOB, for one of the calls that receive."""
    return (
        fails(f"{call}.tcp-no-urgent", "EINVAL", _none, "there is no urgent data, it was read, or it is in line",
              f"recv(2), MSG_OOB; {_URGENT}", kinds=KINDS),
        fails(f"{call}.tcp-urgent-unconnected", "ENOTCONN", _unconnected, "the connection was reset", _URGENT, kinds=KINDS),
        fails(f"{call}.tcp-urgent-on-its-way", "EAGAIN", _on_its_way, "urgent data was announced and is not here yet",
              f"tcp(7); {_URGENT}", kinds=KINDS),
        fails(f"{call}.tcp-urgent-unwritable", "EFAULT", _unwritable, "the buffer cannot be written; the byte is gone",
              f"recv(2) EFAULT; {_URGENT}", kinds=KINDS, gives=_fault),
        gives(f"{call}.tcp-urgent", _given, "the urgent byte is given, and stays in its place in the stream as a mark",
              f"POSIX.1-2024 {call}(); tcp(7); {_URGENT}", when=_out_of_band, kinds=KINDS),
    )  # fmt: skip
